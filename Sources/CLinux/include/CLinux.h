// What Swift cannot import from glibc: epoll, eventfd, signalfd, accept4 and calls with awkward macros.
// Every function answers a non-negative result, or -errno.
#pragma once
#include <stddef.h>
#include <stdint.h>

#define CLINUX_READABLE 1u
#define CLINUX_WRITABLE 2u
#define CLINUX_HANGUP 4u

struct clinux_event {
    uint64_t token;
    uint32_t readiness;
};

int clinux_epoll_create(void);
int clinux_epoll_add(int epoll, int fd, uint32_t readiness, uint64_t token);
/// Reports `fd` once each time it becomes readable, whether it was read or not.
int clinux_epoll_add_edge(int epoll, int fd, uint64_t token);
int clinux_epoll_change(int epoll, int fd, uint32_t readiness, uint64_t token);
int clinux_epoll_remove(int epoll, int fd);
/// `maximum` at most CLINUX_EVENTS; -EINTR counts as no event.
#define CLINUX_EVENTS 512
int clinux_epoll_wait(int epoll, struct clinux_event *events, int maximum, int timeout_ms);

/// The same to the nanosecond; at most 2^31 seconds.
int clinux_epoll_wait_ns(int epoll, struct clinux_event *events, int maximum, int64_t timeout_ns);

int clinux_eventfd(void);
int clinux_eventfd_signal(int fd);
/// Not readable until the next signal.
int clinux_eventfd_clear(int fd);

/// `family` of the peer: 4, 6 or 0 (unix). `address` takes 16 bytes, `port` host order.
int clinux_accept(int listener, uint8_t *address, int *family, uint16_t *port);
/// Bytes that the kernel keeps for a peer without having sent them. More would delay what is sent behind them, such as a ping, by megabytes;
/// fewer would leave a fast peer waiting.
#define CLINUX_UNSENT_BYTES (128 * 1024)
/// `host` numeric, IPv4 or IPv6. A non-blocking listener with SO_REUSEADDR; what it accepts inherits TCP_NODELAY and TCP_NOTSENT_LOWAT.
int clinux_listen(const char *host, uint16_t port, int reuse_port, int backlog);
/// Blocking connect of at most `timeout_ms`; the socket is non-blocking afterwards.
int clinux_connect(const char *host, uint16_t port, int timeout_ms);
/// Begins to connect and does not wait: writable when it is decided. `source`: the numeric address to come from, or NULL; its port is
/// chosen with the peer in view, so that one address serves as many connections to each peer as it has ports.
int clinux_connect_begin(const char *host, uint16_t port, const char *source);
/// How a connection that was begun has ended: 0, or the errno.
int clinux_socket_error(int fd);
int clinux_local_port(int fd);
int clinux_is_nodelay(int fd);
/// The bound on unsent bytes (TCP_NOTSENT_LOWAT); 0: the system's.
int clinux_unsent_bound(int fd);
struct clinux_peer_window {
    uint64_t acknowledged;
    uint64_t end;
    uint32_t step;
    uint32_t is_all_acknowledged;
};
/// From TCP_INFO: the bytes that the peer has acknowledged, the right edge of its window, the step in which it tells the window, and
/// whether nothing is unsent or unacknowledged.
int clinux_peer_window(int fd, struct clinux_peer_window *window);
int clinux_set_send_buffer(int fd, int bytes);
int clinux_set_receive_buffer(int fd, int bytes);
int clinux_socketpair(int fds[2]);
int64_t clinux_receive(int fd, uint8_t *buffer, size_t count);
int64_t clinux_send(int fd, const uint8_t *buffer, size_t count);

/// One of many sends: `count` bytes (less than 2^31) from `offset` on in the first or the second storage. `result`: bytes, or -errno.
struct clinux_send {
    int32_t fd;
    int32_t result;
    uint64_t offset;
    uint32_t count;
    uint32_t in_second;
};
#define CLINUX_RING_SENDS 256
struct clinux_ring;
/// An io_uring; NULL where the kernel has none or gives none, then `error` is its errno.
struct clinux_ring *clinux_ring_make(int *error);
void clinux_ring_free(struct clinux_ring *ring);
/// Sends up to CLINUX_RING_SENDS pieces in one system call, each as `clinux_send` would, and waits for no socket. Answers how many of
/// them the ring took; the others were sent one by one.
int clinux_ring_send(struct clinux_ring *ring, struct clinux_send *sends, int count, const uint8_t *first, const uint8_t *second);

int clinux_shutdown_write(int fd);
/// Makes close() send a reset instead of the usual end.
int clinux_set_reset_on_close(int fd);
int clinux_close(int fd);
/// poll(2) of one descriptor; answers the readiness.
int clinux_poll(int fd, uint32_t readiness, int timeout_ms);

struct clinux_mutex;
struct clinux_mutex *clinux_mutex_make(void);
void clinux_mutex_free(struct clinux_mutex *mutex);
void clinux_mutex_lock(struct clinux_mutex *mutex);
void clinux_mutex_unlock(struct clinux_mutex *mutex);

int64_t clinux_monotonic_ns(void);
int64_t clinux_realtime_ms(void);
int64_t clinux_thread_cpu_ns(void);
int clinux_random(uint8_t *buffer, size_t count);

/// Blocks the signals the hub handles (INT, TERM, HUP, CHLD) and ignores PIPE, in this thread and those it starts.
int clinux_block_signals(void);
/// A descriptor that becomes readable with those signals.
int clinux_signalfd(void);
/// The next signal's number, or -EAGAIN.
int clinux_signal_read(int fd);

int clinux_thread_start(const char *name, void (*body)(void *), void *context, uint64_t *thread);
int clinux_thread_join(uint64_t thread);
/// 1: the thread has ended; 0: it has not ended `nanoseconds` later, and is detached.
int clinux_thread_join_within(uint64_t thread, int64_t nanoseconds);
int clinux_yield(void);

/// `argv` and `environment` end with NULL; `environment` NULL: inherited. `output`: descriptor for stdout and stderr, or -1.
/// `channel`: descriptor the child finds as its 3, or -1.
/// The child gets default signal handling. With `dies_with_parent` the kernel ends it (SIGTERM) when the starting thread ends.
int clinux_spawn(
    char *const argv[], char *const environment[], const char *directory, int output, int channel, int dies_with_parent, int new_group);
/// 0: still running; else 1 and `status` is the exit code, or 128 + signal.
int clinux_wait(int pid, int block, int *status);
int clinux_kill(int pid, int signal);
int clinux_pid(void);
int clinux_user_id(void);
/// Lets a process, and what it starts from then on, run on one processor only. 0: the calling thread's.
int clinux_pin(int pid, int processor);

int clinux_open_read(const char *path);
int clinux_open_write(const char *path, int mode, int exclusive, int append);
int64_t clinux_read(int fd, uint8_t *buffer, size_t count);
int64_t clinux_write(int fd, const uint8_t *buffer, size_t count);
int clinux_sync(int fd);
int clinux_lock_exclusive(int fd);
int clinux_make_directory(const char *path, int mode);
int clinux_remove(const char *path);
int clinux_rename(const char *from, const char *to);
int clinux_change_mode(const char *path, int mode);
int clinux_change_owner(const char *path, uint32_t user, uint32_t group);
/// 0: nothing there; 1: a file; 2: a directory; 3: something else.
int clinux_kind(const char *path);
int clinux_user(const char *name, uint32_t *user, uint32_t *group);

void clinux_map_large_blocks(void);
int clinux_cpu_count(void);
int64_t clinux_descriptor_limit(void);
/// Raises the soft limit to the hard one.
int clinux_raise_descriptor_limit(void);
int64_t clinux_descriptor_count(void);
int clinux_memory_bytes(int64_t *virtual_bytes, int64_t *resident_bytes);
/// Milliseconds since 1970 at which this process was started.
int64_t clinux_start_time_ms(void);
/// Processor time of the process: user and system, microseconds.
int clinux_cpu_times(int64_t *user_us, int64_t *system_us);
const char *clinux_environment(const char *name);
/// The whole environment, "NAME=value" each, ending with NULL.
char **clinux_environment_all(void);
const char *clinux_error_text(int error);
void clinux_exit(int code);
