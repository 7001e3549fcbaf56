// The clients of bench/run: connects N sockets, and reads and discards all data.
// readers HOST PORT CONNECTIONS: prints "connected" when all sockets are open. Ends at the end of standard input, or after ten minutes,
// and prints the number of bytes received. It never sleeps, so that no server has to wake it: the number of wake-ups would depend on the
// server's speed.
// The same program reads from every server of a comparison, so that its cost is the same for all.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

static void fail(const char *what) {
    perror(what);
    exit(1);
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: readers HOST PORT CONNECTIONS\n");
        return 2;
    }
    alarm(600);
    int connections = atoi(argv[3]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) fail("host");
    int epoll = epoll_create1(0);
    for (int i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        if (fd < 0) fail("socket");
        if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("connect");
        fcntl(fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) < 0) fail("epoll_ctl");
    }
    struct epoll_event input = {.events = EPOLLIN, .data.fd = 0};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, 0, &input) < 0) fail("standard input must be a pipe");
    puts("connected");
    fflush(stdout);
    static char buffer[1 << 16];
    unsigned long long bytes = 0;
    for (;;) {
        struct epoll_event events[512];
        int count = epoll_wait(epoll, events, 512, 0);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            ssize_t got = read(fd, buffer, sizeof buffer);
            if (got > 0 && fd != 0) bytes += (unsigned long long)got;
            if (got == 0 || (got < 0 && errno != EAGAIN)) {
                if (fd == 0) {
                    printf("%llu bytes\n", bytes);
                    return 0;
                }
                epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL);
                close(fd);
            }
        }
    }
}
