// Counts round trips for SECONDS seconds: each of the sockets always has one message of BYTES bytes in flight.
// echoers HOST PORT CONNECTIONS BYTES SECONDS: prints "round_trips X".
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

int main(int argc, char **argv) {
    if (argc < 6) {
        fprintf(stderr, "usage: echoers HOST PORT CONNECTIONS BYTES SECONDS\n");
        return 2;
    }
    alarm(600);
    int connections = atoi(argv[3]), bytes = atoi(argv[4]), seconds = atoi(argv[5]);
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    static char buffer[1 << 16];
    memset(buffer, 'x', sizeof buffer);
    int epoll = epoll_create1(0), on = 1;
    for (int i = 0; i < connections; i++) {
        int fd = socket(AF_INET, SOCK_STREAM, 0);
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
            perror("connect");
            return 1;
        }
        fcntl(fd, F_SETFL, O_NONBLOCK);
        struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
        epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
        send(fd, buffer, (size_t)bytes, MSG_NOSIGNAL);
    }
    long long trips = 0;
    time_t end = time(NULL) + seconds;
    struct epoll_event events[256];
    while (time(NULL) < end) {
        int count = epoll_wait(epoll, events, 256, 100);
        for (int i = 0; i < count; i++) {
            ssize_t got = recv(events[i].data.fd, buffer, sizeof buffer, 0);
            if (got <= 0) continue;
            trips++;
            send(events[i].data.fd, buffer, (size_t)got, MSG_NOSIGNAL);
        }
    }
    printf("round_trips %lld\n", trips);
    return 0;
}
