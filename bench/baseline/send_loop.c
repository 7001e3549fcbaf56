// Measures the cost of sending one frame to each of N sockets in plain C, which is almost only system calls.
// send_loop CONNECTIONS ROUNDS FRAMES BYTES [together]: prints "listening PORT"; once all are connected, sends FRAMES frames of BYTES bytes to
// each socket ROUNDS times (each socket's frames joined in one send), waiting in epoll between rounds as a server would.
// With "together" one system call sends to many sockets, by the hub's own ring, so that only the reactor's own cost differs.
// Prints "cpu_ns_per_delivery X missed N", from the thread's processor time. An incomplete send counts as missed, and not as a delivery.
// Ends after ten minutes at the latest.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../../Sources/CLinux/ring.c"

int64_t clinux_send(int fd, const uint8_t *buffer, size_t count) {
    ssize_t sent = send(fd, buffer, count, MSG_NOSIGNAL);
    return sent < 0 ? -errno : sent;
}

static int64_t cpu_ns(void) {
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

/// Returns the number of sockets that accepted all bytes.
static int64_t send_together(struct clinux_ring *ring, const int *sockets, int connections, const uint8_t *bytes, uint32_t count) {
    static struct clinux_send sends[CLINUX_RING_SENDS];
    int64_t taken = 0;
    for (int first = 0; first < connections; first += CLINUX_RING_SENDS) {
        int some = connections - first < CLINUX_RING_SENDS ? connections - first : CLINUX_RING_SENDS;
        for (int i = 0; i < some; i++) sends[i] = (struct clinux_send){.fd = sockets[first + i], .count = count};
        clinux_ring_send(ring, sends, some, bytes, NULL);
        for (int i = 0; i < some; i++) taken += sends[i].result == (int32_t)count;
    }
    return taken;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

int main(int argc, char **argv) {
    if (argc < 5) {
        fprintf(stderr, "usage: send_loop CONNECTIONS ROUNDS FRAMES BYTES [together]\n");
        return 2;
    }
    alarm(600);
    int connections = atoi(argv[1]), rounds = atoi(argv[2]), frames = atoi(argv[3]), bytes = atoi(argv[4]);
    int refusal = 0;
    struct clinux_ring *ring = argc > 5 ? clinux_ring_make(&refusal) : NULL;
    if (refusal) {
        fprintf(stderr, "io_uring_setup: %s\n", strerror(refusal));
        return 1;
    }
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) fail("listen");
    socklen_t length = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("listening %d\n", ntohs(address.sin_port));
    fflush(stdout);

    int epoll = epoll_create1(0), count = 0;
    int *sockets = malloc(sizeof *sockets * (size_t)connections);
    char *frame = malloc((size_t)bytes * (size_t)frames);
    memset(frame, 'x', (size_t)bytes * (size_t)frames);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    struct epoll_event events[256];
    while (count < connections) {
        epoll_wait(epoll, events, 256, -1);
        int fd;
        while (count < connections && (fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
            event.data.fd = fd;
            epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
            sockets[count++] = fd;
        }
    }
    int64_t spent = 0, deliveries = 0, missed = 0;
    for (int round = -5; round < rounds; round++) {  // the first five warm up
        int64_t start = cpu_ns(), taken = 0;
        if (ring) {
            taken = send_together(ring, sockets, connections, (const uint8_t *)frame, (uint32_t)(bytes * frames));
            missed += connections - taken;
        }
        for (int i = 0; !ring && i < connections; i++) {
            ssize_t sent = send(sockets[i], frame, (size_t)bytes * (size_t)frames, MSG_NOSIGNAL);
            if (sent == (ssize_t)bytes * frames) taken++;
            else missed++;
        }
        epoll_wait(epoll, events, 256, 0);
        if (round >= 0) {
            spent += cpu_ns() - start;
            deliveries += taken * frames;
        }
        usleep((useconds_t)connections * 20);  // so that the readers catch up
    }
    printf("cpu_ns_per_delivery %.1f missed %lld\n", (double)spent / (double)(deliveries ? deliveries : 1), (long long)missed);
    return 0;
}
