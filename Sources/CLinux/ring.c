// Many sends in one system call: an io_uring that is filled, entered and emptied in one go. Nothing is in flight between two calls.
#include "CLinux.h"
#include <errno.h>
#include <linux/io_uring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Linux 5.18; kernels that do not know it stop at the first send that fails, and are not used.
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif

struct clinux_ring {
    int fd;
    unsigned mask, reaped_mask;
    unsigned *head, *tail, *order;
    unsigned *reaped_head, *reaped_tail;
    struct io_uring_sqe *entries;
    struct io_uring_cqe *reaped;
    char *shared;
    size_t shared_bytes, entry_bytes;
};

static unsigned acquire(const unsigned *index) { return __atomic_load_n(index, __ATOMIC_ACQUIRE); }
static void release(unsigned *index, unsigned value) { __atomic_store_n(index, value, __ATOMIC_RELEASE); }
static int enter(int fd, unsigned submitted, unsigned awaited) {
    return (int)syscall(SYS_io_uring_enter, fd, submitted, awaited, IORING_ENTER_GETEVENTS, NULL, 0);
}

static struct clinux_ring *make(int *error) {
    struct io_uring_params parameters = {.flags = IORING_SETUP_SUBMIT_ALL};
    *error = 0;
    int fd = (int)syscall(SYS_io_uring_setup, CLINUX_RING_SENDS, &parameters);
    if (fd < 0) {
        *error = errno;
        return NULL;
    }
    size_t submission = parameters.sq_off.array + parameters.sq_entries * sizeof(unsigned);
    size_t completion = parameters.cq_off.cqes + parameters.cq_entries * sizeof(struct io_uring_cqe);
    size_t shared_bytes = submission > completion ? submission : completion;
    size_t entry_bytes = parameters.sq_entries * sizeof(struct io_uring_sqe);
    struct clinux_ring *ring = calloc(1, sizeof *ring);
    char *shared = mmap(NULL, shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQ_RING);
    void *entries = mmap(NULL, entry_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, IORING_OFF_SQES);
    if (!ring || shared == MAP_FAILED || entries == MAP_FAILED) {
        *error = ENOMEM;
        if (shared != MAP_FAILED) munmap(shared, shared_bytes);
        if (entries != MAP_FAILED) munmap(entries, entry_bytes);
        free(ring);
        close(fd);
        return NULL;
    }
    *ring = (struct clinux_ring){
        .fd = fd,
        .mask = *(unsigned *)(shared + parameters.sq_off.ring_mask),
        .reaped_mask = *(unsigned *)(shared + parameters.cq_off.ring_mask),
        .head = (unsigned *)(shared + parameters.sq_off.head),
        .tail = (unsigned *)(shared + parameters.sq_off.tail),
        .order = (unsigned *)(shared + parameters.sq_off.array),
        .reaped_head = (unsigned *)(shared + parameters.cq_off.head),
        .reaped_tail = (unsigned *)(shared + parameters.cq_off.tail),
        .entries = entries,
        .reaped = (struct io_uring_cqe *)(shared + parameters.cq_off.cqes),
        .shared = shared,
        .shared_bytes = shared_bytes,
        .entry_bytes = entry_bytes,
    };
    return ring;
}

void clinux_ring_free(struct clinux_ring *ring) {
    munmap(ring->shared, ring->shared_bytes);
    munmap(ring->entries, ring->entry_bytes);
    close(ring->fd);
    free(ring);
}

/// Takes the available results and returns their number.
static unsigned reap(struct clinux_ring *ring, struct clinux_send *sends) {
    unsigned head = *ring->reaped_head, tail = acquire(ring->reaped_tail), first = head;
    for (; head != tail; head++) {
        const struct io_uring_cqe *result = &ring->reaped[head & ring->reaped_mask];
        sends[result->user_data].result = result->res;
    }
    release(ring->reaped_head, head);
    return head - first;
}

int clinux_ring_send(struct clinux_ring *ring, struct clinux_send *sends, int count, const uint8_t *first, const uint8_t *second) {
    unsigned start = *ring->tail;
    for (int i = 0; i < count; i++) {
        unsigned slot = (start + (unsigned)i) & ring->mask;
        struct io_uring_sqe *entry = &ring->entries[slot];
        memset(entry, 0, sizeof *entry);
        entry->opcode = IORING_OP_SEND;
        entry->fd = sends[i].fd;
        entry->addr = (uint64_t)(uintptr_t)((sends[i].in_second ? second : first) + sends[i].offset);
        entry->len = sends[i].count;
        // With MSG_DONTWAIT the send completes before io_uring_enter returns, with the result of a plain `send`.
        entry->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
        entry->user_data = (uint64_t)i;
        ring->order[slot] = slot;
    }
    release(ring->tail, start + (unsigned)count);
    enter(ring->fd, (unsigned)count, (unsigned)count);
    // The result of the call does not matter: the ring's head tells how many sends the kernel has taken.
    unsigned taken = acquire(ring->head) - start;
    for (unsigned reaped = 0; reaped < taken;) {
        unsigned more = reap(ring, sends);
        reaped += more;
        // The kernel has taken these sends, and the ring has room for twice as many results. A kernel that loses a result is broken.
        if (!more && enter(ring->fd, 0, taken - reaped) < 0 && errno != EINTR) abort();
    }
    // The kernel did not begin the rest, because it had too little memory. Each is sent by a call of its own, whose error tells the reason.
    release(ring->tail, start + taken);
    for (int i = (int)taken; i < count; i++) {
        const uint8_t *bytes = (sends[i].in_second ? second : first) + sends[i].offset;
        sends[i].result = (int32_t)clinux_send(sends[i].fd, bytes, sends[i].count);
    }
    return (int)taken;
}

/// Whether one byte gets through: a filter may let a ring be made and refuse what is asked of it.
static int works(struct clinux_ring *ring) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0) return 0;
    struct clinux_send send = {.fd = pair[0], .count = 1};
    int taken = clinux_ring_send(ring, &send, 1, (const uint8_t *)"?", NULL);
    close(pair[0]);
    close(pair[1]);
    return taken == 1 && send.result == 1;
}

struct clinux_ring *clinux_ring_make(int *error) {
    struct clinux_ring *ring = make(error);
    if (!ring || works(ring)) return ring;
    clinux_ring_free(ring);
    *error = EOPNOTSUPP;
    return NULL;
}
