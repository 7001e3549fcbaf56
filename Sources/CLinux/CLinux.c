#define _GNU_SOURCE
#include "CLinux.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static int answer(int result) { return result < 0 ? -errno : result; }

// epoll

static uint32_t to_epoll(uint32_t readiness) {
    uint32_t events = EPOLLRDHUP;
    if (readiness & CLINUX_READABLE) events |= EPOLLIN;
    if (readiness & CLINUX_WRITABLE) events |= EPOLLOUT;
    if (!(readiness & CLINUX_READABLE)) events &= ~(uint32_t)EPOLLRDHUP;
    return events;
}

int clinux_epoll_create(void) { return answer(epoll_create1(EPOLL_CLOEXEC)); }

static int control(int epoll, int operation, int fd, uint32_t readiness, uint64_t token) {
    struct epoll_event event = {.events = to_epoll(readiness), .data.u64 = token};
    return answer(epoll_ctl(epoll, operation, fd, &event));
}

int clinux_epoll_add(int epoll, int fd, uint32_t readiness, uint64_t token) { return control(epoll, EPOLL_CTL_ADD, fd, readiness, token); }
int clinux_epoll_add_edge(int epoll, int fd, uint64_t token) {
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u64 = token};
    return answer(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
}
int clinux_epoll_change(int epoll, int fd, uint32_t readiness, uint64_t token) { return control(epoll, EPOLL_CTL_MOD, fd, readiness, token); }
int clinux_epoll_remove(int epoll, int fd) { return control(epoll, EPOLL_CTL_DEL, fd, 0, 0); }

static int translate(const struct epoll_event *found, int count, struct clinux_event *events) {
    if (count < 0) return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < count; i++) {
        uint32_t readiness = 0;
        if (found[i].events & (EPOLLIN | EPOLLRDHUP)) readiness |= CLINUX_READABLE;
        if (found[i].events & EPOLLOUT) readiness |= CLINUX_WRITABLE;
        if (found[i].events & (EPOLLHUP | EPOLLERR)) readiness |= CLINUX_HANGUP | CLINUX_READABLE | CLINUX_WRITABLE;
        events[i].token = found[i].data.u64;
        events[i].readiness = readiness;
    }
    return count;
}

int clinux_epoll_wait(int epoll, struct clinux_event *events, int maximum, int timeout_ms) {
    struct epoll_event found[CLINUX_EVENTS];
    if (maximum > CLINUX_EVENTS) maximum = CLINUX_EVENTS;
    return translate(found, epoll_wait(epoll, found, maximum, timeout_ms), events);
}

int clinux_epoll_wait_ns(int epoll, struct clinux_event *events, int maximum, int64_t timeout_ns) {
    struct epoll_event found[CLINUX_EVENTS];
    if (maximum > CLINUX_EVENTS) maximum = CLINUX_EVENTS;
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000, .tv_nsec = timeout_ns % 1000000000};
    return translate(found, epoll_pwait2(epoll, found, maximum, &timeout, NULL), events);
}

int clinux_eventfd(void) { return answer(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }
int clinux_eventfd_clear(int fd) {
    eventfd_t signals;
    return eventfd_read(fd, &signals) < 0 && errno != EAGAIN ? -errno : 0;
}
int clinux_eventfd_signal(int fd) { return eventfd_write(fd, 1) < 0 && errno != EAGAIN ? -errno : 0; }

// sockets

static void describe(const struct sockaddr_storage *from, uint8_t *address, int *family, uint16_t *port) {
    memset(address, 0, 16);
    *family = 0;
    *port = 0;
    if (from->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)from;
        *family = 4;
        memcpy(address, &in->sin_addr, 4);
        *port = ntohs(in->sin_port);
    } else if (from->ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)from;
        *family = 6;
        memcpy(address, &in->sin6_addr, 16);
        *port = ntohs(in->sin6_port);
    }
}

int clinux_accept(int listener, uint8_t *address, int *family, uint16_t *port) {
    struct sockaddr_storage from = {0};
    socklen_t length = sizeof from;
    int fd = accept4(listener, (struct sockaddr *)&from, &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return -errno;
    describe(&from, address, family, port);
    return fd;
}

static int parse(const char *host, uint16_t port, struct sockaddr_storage *address, socklen_t *length) {
    memset(address, 0, sizeof *address);
    struct sockaddr_in *in = (struct sockaddr_in *)address;
    struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;
    if (inet_pton(AF_INET, host, &in->sin_addr) == 1) {
        in->sin_family = AF_INET;
        in->sin_port = htons(port);
        *length = sizeof *in;
        return 0;
    }
    if (inet_pton(AF_INET6, host, &in6->sin6_addr) == 1) {
        in6->sin6_family = AF_INET6;
        in6->sin6_port = htons(port);
        *length = sizeof *in6;
        return 0;
    }
    return -EINVAL;
}

static int fail(int fd) {
    int error = errno;
    close(fd);
    return -error;
}

int clinux_listen(const char *host, uint16_t port, int reuse_port, int backlog) {
    struct sockaddr_storage address;
    socklen_t length;
    int parsed = parse(host, port, &address, &length);
    if (parsed < 0) return parsed;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0) return fail(fd);
    if (reuse_port && setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) < 0) return fail(fd);
    // Inherited by accepted sockets: no call for each of them.
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) return fail(fd);
    int unsent = CLINUX_UNSENT_BYTES;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent, sizeof unsent) < 0) return fail(fd);
    if (bind(fd, (struct sockaddr *)&address, length) < 0) return fail(fd);
    if (listen(fd, backlog) < 0) return fail(fd);
    return fd;
}

int clinux_connect(const char *host, uint16_t port, int timeout_ms) {
    struct sockaddr_storage address;
    socklen_t length;
    int parsed = parse(host, port, &address, &length);
    if (parsed < 0) return parsed;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    if (connect(fd, (struct sockaddr *)&address, length) < 0) {
        if (errno != EINPROGRESS) return fail(fd);
        int ready = clinux_poll(fd, CLINUX_WRITABLE, timeout_ms);
        if (ready <= 0) {
            close(fd);
            return ready < 0 ? ready : -ETIMEDOUT;
        }
        int error = 0;
        socklen_t size = sizeof error;
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0) return fail(fd);
        if (error) {
            close(fd);
            return -error;
        }
    }
    return fd;
}

int clinux_connect_begin(const char *host, uint16_t port, const char *source) {
    struct sockaddr_storage address, from;
    socklen_t length, from_length;
    int parsed = parse(host, port, &address, &length);
    if (parsed == 0 && source) parsed = parse(source, 0, &from, &from_length);
    if (parsed < 0) return parsed;
    int fd = socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1;
    if (fd < 0) return -errno;
    if (setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0) return fail(fd);
    if (source) {
        if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on) < 0) return fail(fd);
        if (bind(fd, (struct sockaddr *)&from, from_length) < 0) return fail(fd);
    }
    if (connect(fd, (struct sockaddr *)&address, length) < 0 && errno != EINPROGRESS) return fail(fd);
    return fd;
}

int clinux_socket_error(int fd) {
    int error = 0;
    socklen_t size = sizeof error;
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

int clinux_local_port(int fd) {
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    if (getsockname(fd, (struct sockaddr *)&address, &length) < 0) return -errno;
    uint8_t bytes[16];
    int family;
    uint16_t port;
    describe(&address, bytes, &family, &port);
    return port;
}

int clinux_is_nodelay(int fd) {
    int on = 0;
    socklen_t size = sizeof on;
    return getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &size) < 0 ? -errno : on;
}

int clinux_unsent_bound(int fd) {
    int bytes = 0;
    socklen_t size = sizeof bytes;
    return getsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, &size) < 0 ? -errno : bytes;
}

int clinux_set_send_buffer(int fd, int bytes) { return answer(setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes)); }
int clinux_set_receive_buffer(int fd, int bytes) { return answer(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes)); }

int clinux_socketpair(int fds[2]) { return answer(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds)); }

int64_t clinux_receive(int fd, uint8_t *buffer, size_t count) {
    ssize_t received;
    do received = recv(fd, buffer, count, 0);
    while (received < 0 && errno == EINTR);
    return received < 0 ? -errno : received;
}

int64_t clinux_send(int fd, const uint8_t *buffer, size_t count) {
    ssize_t sent;
    do sent = send(fd, buffer, count, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

int clinux_shutdown_write(int fd) { return answer(shutdown(fd, SHUT_WR)); }

int clinux_set_reset_on_close(int fd) {
    struct linger linger = {.l_onoff = 1, .l_linger = 0};
    return answer(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger));
}

int clinux_close(int fd) { return answer(close(fd)); }

int clinux_poll(int fd, uint32_t readiness, int timeout_ms) {
    struct pollfd one = {.fd = fd};
    if (readiness & CLINUX_READABLE) one.events |= POLLIN;
    if (readiness & CLINUX_WRITABLE) one.events |= POLLOUT;
    int count;
    do count = poll(&one, 1, timeout_ms);
    while (count < 0 && errno == EINTR);
    if (count <= 0) return answer(count);
    int found = 0;
    if (one.revents & (POLLIN | POLLRDHUP)) found |= CLINUX_READABLE;
    if (one.revents & POLLOUT) found |= CLINUX_WRITABLE;
    if (one.revents & (POLLHUP | POLLERR | POLLNVAL)) found |= CLINUX_HANGUP;
    return found;
}

// time, randomness

static int64_t nanoseconds(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int64_t clinux_monotonic_ns(void) { return nanoseconds(CLOCK_MONOTONIC); }
int64_t clinux_realtime_ms(void) { return nanoseconds(CLOCK_REALTIME) / 1000000; }
int64_t clinux_thread_cpu_ns(void) { return nanoseconds(CLOCK_THREAD_CPUTIME_ID); }

int clinux_random(uint8_t *buffer, size_t count) {
    while (count > 0) {
        ssize_t got = getrandom(buffer, count, 0);
        if (got < 0) {
            if (errno == EINTR) continue;
            return -errno;
        }
        buffer += got;
        count -= (size_t)got;
    }
    return 0;
}

// signals

static void handled(sigset_t *set) {
    sigemptyset(set);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGHUP);
    sigaddset(set, SIGCHLD);
}

int clinux_block_signals(void) {
    sigset_t set;
    handled(&set);
    signal(SIGPIPE, SIG_IGN);
    return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

int clinux_signalfd(void) {
    sigset_t set;
    handled(&set);
    return answer(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

int clinux_signal_read(int fd) {
    struct signalfd_siginfo info;
    ssize_t got = read(fd, &info, sizeof info);
    if (got < 0) return -errno;
    return got == sizeof info ? (int)info.ssi_signo : -EAGAIN;
}

// threads

struct start {
    void (*body)(void *);
    void *context;
    char name[16];
};

static void *run(void *argument) {
    struct start start = *(struct start *)argument;
    free(argument);
    pthread_setname_np(pthread_self(), start.name);
    start.body(start.context);
    return NULL;
}

int clinux_thread_start(const char *name, void (*body)(void *), void *context, uint64_t *thread) {
    struct start *start = malloc(sizeof *start);
    if (!start) return -ENOMEM;
    start->body = body;
    start->context = context;
    snprintf(start->name, sizeof start->name, "%s", name);
    pthread_t id;
    int error = pthread_create(&id, NULL, run, start);
    if (error) {
        free(start);
        return -error;
    }
    *thread = (uint64_t)id;
    return 0;
}

int clinux_yield(void) { return answer(sched_yield()); }
int clinux_thread_join(uint64_t thread) { return -pthread_join((pthread_t)thread, NULL); }

int clinux_thread_join_within(uint64_t thread, int64_t nanoseconds) {
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += nanoseconds / 1000000000;
    end.tv_nsec += nanoseconds % 1000000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_sec++;
        end.tv_nsec -= 1000000000;
    }
    if (pthread_clockjoin_np((pthread_t)thread, NULL, CLOCK_MONOTONIC, &end) == 0) return 1;
    pthread_detach((pthread_t)thread);
    return 0;
}

struct clinux_mutex {
    pthread_mutex_t mutex;
};

struct clinux_mutex *clinux_mutex_make(void) {
    struct clinux_mutex *made = malloc(sizeof *made);
    if (made) pthread_mutex_init(&made->mutex, NULL);
    return made;
}

void clinux_mutex_free(struct clinux_mutex *mutex) {
    pthread_mutex_destroy(&mutex->mutex);
    free(mutex);
}

void clinux_mutex_lock(struct clinux_mutex *mutex) { pthread_mutex_lock(&mutex->mutex); }
void clinux_mutex_unlock(struct clinux_mutex *mutex) { pthread_mutex_unlock(&mutex->mutex); }
