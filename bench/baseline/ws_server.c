// A minimal WebSocket server whose cost is almost only system calls: one thread, epoll, one receive buffer and plain send loops.
//   ws_server [PORT [SECONDS]]     port 0 (the default): a free one. Ends after SECONDS (600) or at SIGTERM.
// Prints "ready http://127.0.0.1:PORT". What it costs is read from /proc by whoever measures.
//   /echo        sends every message back
//   /subscribe   receives the published messages
//   /publish     every message goes to all subscribers; the messages of one recv go out in one send per subscriber
// It is a yardstick and not a server for production. A client's frames have to fit in the buffer. A subscriber that does not accept all
// bytes of a send is disconnected, because the server would look cheaper than it is if it lost deliveries silently.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/sha.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BUFFER = 1 << 18, HEAD = 4096, MOST = 1 << 20 };
enum role { NOBODY, ECHO, SUBSCRIBER, PUBLISHER };

struct connection {
    unsigned char role;
    int slot;          // a subscriber's index in `subscribers`
    uint32_t kept;     // bytes in `rest`, which holds an incomplete frame or request
    unsigned char *rest;
};

static struct connection connections[MOST];
static int subscribers[MOST], subscriber_count, epoll;
static unsigned char in[BUFFER], out[BUFFER];

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void hang_up(int fd) {
    struct connection *c = &connections[fd];
    if (c->role == SUBSCRIBER) {
        int last = subscribers[--subscriber_count];
        subscribers[c->slot] = last;
        connections[last].slot = c->slot;
    }
    free(c->rest);
    memset(c, 0, sizeof *c);
    close(fd);
}

static int send_all(int fd, const unsigned char *bytes, size_t count) {
    return send(fd, bytes, count, MSG_NOSIGNAL) == (ssize_t)count;
}

static void broadcast(size_t count) {
    for (int i = subscriber_count - 1; i >= 0; i--) {  // backwards, because hang_up moves the last one into the free slot
        if (!send_all(subscribers[i], out, count)) {
            fprintf(stderr, "ws_server: a subscriber did not take %zu bytes\n", count);
            hang_up(subscribers[i]);
        }
    }
}

// Answers the request and sets the connection's role. Returns 0 if it refuses.
static int upgrade(int fd, char *head) {
    struct connection *c = &connections[fd];
    char *key = strcasestr(head, "\r\nsec-websocket-key:");
    if (strncmp(head, "GET ", 4) != 0 || !key) return 0;
    key += strlen("\r\nsec-websocket-key:");
    key += strspn(key, " ");
    char seed[128];
    int length = (int)strcspn(key, "\r ");
    if (length > 64) return 0;
    int seeded = snprintf(seed, sizeof seed, "%.*s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", length, key);
    unsigned char digest[21] = {0};
    SHA1((unsigned char *)seed, (size_t)seeded, digest);
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char accept[29];
    for (int i = 0; i < 7; i++) {  // 20 bytes; the 21st is padding
        uint32_t three = (uint32_t)digest[3 * i] << 16 | (uint32_t)digest[3 * i + 1] << 8 | digest[3 * i + 2];
        for (int j = 0; j < 4; j++) accept[4 * i + j] = letters[three >> (18 - 6 * j) & 63];
    }
    strcpy(accept + 27, "=");
    char answer[256];
    int count = snprintf(answer, sizeof answer,
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n", accept);
    if (!strncmp(head + 4, "/echo ", 6)) c->role = ECHO;
    else if (!strncmp(head + 4, "/publish ", 9)) c->role = PUBLISHER;
    else if (!strncmp(head + 4, "/subscribe ", 11)) c->role = SUBSCRIBER;
    else return 0;
    if (c->role == SUBSCRIBER) {
        c->slot = subscriber_count;
        subscribers[subscriber_count++] = fd;
    }
    return send_all(fd, (unsigned char *)answer, (size_t)count);
}

// Writes the header of an unmasked frame. Returns its length.
static size_t put_header(unsigned char *to, unsigned char first, uint64_t length) {
    to[0] = first;
    if (length < 126) {
        to[1] = (unsigned char)length;
        return 2;
    }
    if (length < 65536) {
        to[1] = 126;
        to[2] = (unsigned char)(length >> 8);
        to[3] = (unsigned char)length;
        return 4;
    }
    to[1] = 127;
    for (int i = 0; i < 8; i++) to[2 + i] = (unsigned char)(length >> (56 - 8 * i));
    return 10;
}

// Handles every complete frame and sends all answers with one send. Returns the number of bytes consumed; -1: hang up.
static ssize_t frames(int fd, unsigned char *bytes, size_t count) {
    size_t at = 0, filled = 0;
    int open = 1;
    while (open && count - at >= 6) {
        unsigned char *f = bytes + at;
        uint64_t length = f[1] & 127;
        size_t header = 2;
        if (!(f[1] & 128) || (f[0] & 0x70)) return -1;
        if (length == 126) {
            length = (uint64_t)f[2] << 8 | f[3];
            header = 4;
        } else if (length == 127) {
            if (count - at < 10) break;
            length = 0;
            for (int i = 0; i < 8; i++) length = length << 8 | f[2 + i];
            header = 10;
        }
        if (length > BUFFER - 64) return -1;
        if (count - at < header + 4 + length) break;
        unsigned char mask[8], *payload = f + header + 4, first = f[0];
        memcpy(mask, f + header, 4);
        memcpy(mask + 4, f + header, 4);
        if ((first & 15) == 8) {
            open = 0;
        } else if ((first & 15) == 9) {
            first = 0x8a;
        } else if ((first & 15) == 10) {
            first = 0;
        }
        if (first) {
            if (filled + length + 10 > BUFFER) break;
            filled += put_header(out + filled, first, length);
            uint64_t wide, word;
            memcpy(&wide, mask, 8);
            size_t i = 0;
            for (; i + 8 <= length; i += 8) {
                memcpy(&word, payload + i, 8);
                word ^= wide;
                memcpy(out + filled + i, &word, 8);
            }
            for (; i < length; i++) out[filled + i] = payload[i] ^ mask[i & 7];
            filled += length;
        }
        at += header + 4 + length;
    }
    if (filled) {
        if (connections[fd].role == PUBLISHER && open) broadcast(filled);
        else if (!send_all(fd, out, filled)) return -1;
    }
    return open ? (ssize_t)at : -1;
}

static void receive(int fd) {
    struct connection *c = &connections[fd];
    if (c->kept) {
        memcpy(in, c->rest, c->kept);
        free(c->rest);
        c->rest = NULL;
    }
    size_t had = c->kept;
    c->kept = 0;
    ssize_t got = recv(fd, in + had, BUFFER - had - 1, 0);
    if (got < 0 && errno == EAGAIN) got = 0;
    else if (got <= 0) {
        hang_up(fd);
        return;
    }
    size_t count = had + (size_t)got, start = 0;
    if (c->role == NOBODY) {
        in[count] = 0;
        char *end = strstr((char *)in, "\r\n\r\n");
        if (!end && count > HEAD) {
            hang_up(fd);
            return;
        }
        if (end) {
            end[2] = 0;
            if (!upgrade(fd, (char *)in)) {
                hang_up(fd);
                return;
            }
            start = (size_t)(end + 4 - (char *)in);
        }
    }
    if (c->role != NOBODY) {
        ssize_t taken;
        do {
            taken = frames(fd, in + start, count - start);
            if (taken < 0) {
                hang_up(fd);
                return;
            }
            start += (size_t)taken;
        } while (taken > 0 && start < count);
    }
    if (count > start) {
        c->kept = (uint32_t)(count - start);
        c->rest = malloc(c->kept);
        memcpy(c->rest, in + start, c->kept);
    }
}

int main(int argc, char **argv) {
    if (argc > 3 || (argc > 1 && !strcmp(argv[1], "--help"))) {
        fprintf(stderr, "usage: ws_server [PORT [SECONDS]]\n");
        return 2;
    }
    int port = argc > 1 ? atoi(argv[1]) : 0;
    alarm(argc > 2 ? (unsigned)atoi(argv[2]) : 600);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);  // accepted sockets inherit it
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons((uint16_t)port)};
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 4096) < 0) fail("listen");
    socklen_t length = sizeof address;
    getsockname(listener, (struct sockaddr *)&address, &length);
    printf("ready http://127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    epoll = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int count = epoll_wait(epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd, accepted;
            if (fd != listener) {
                receive(fd);
                continue;
            }
            while ((accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                if (accepted >= MOST) {
                    close(accepted);
                    continue;
                }
                event.data.fd = accepted;
                epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
            }
        }
    }
}
