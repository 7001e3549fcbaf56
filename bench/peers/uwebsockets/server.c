// uWebSockets without an interpreter, through its C interface. The library is the one inside the socketify package.
//   server PORT [compressed]
// Echo on /echo; messages on /publish go to all clients on /subscribe, by uWebSockets' topics.
// This library is built on libuv and not directly on epoll, which adds one call per turn of the loop, not per message.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The declarations that this program uses, with the layout of socketify 0.0.31.
typedef struct uws_app uws_app;
typedef struct uws_websocket uws_websocket;
struct socket_options {
    const char *key, *certificate, *passphrase, *parameters, *authorities, *ciphers;
    int low_memory;
};
struct listen_config {
    int port;
    const char *host;
    int options;
};
struct behavior {
    int compression;
    unsigned maximum_payload;
    unsigned short idle_timeout;
    unsigned maximum_backpressure;
    bool closes_on_backpressure, resets_idle_timeout, sends_pings;
    unsigned short lifetime;
    void (*upgrade)(void *, void *, void *, void *);
    void (*open)(uws_websocket *, void *);
    void (*message)(uws_websocket *, const char *, size_t, int, void *);
    void (*drain)(uws_websocket *, void *);
    void (*ping)(uws_websocket *, const char *, size_t, void *);
    void (*pong)(uws_websocket *, const char *, size_t, void *);
    void (*close)(uws_websocket *, int, const char *, size_t, void *);
    void (*subscription)(uws_websocket *, const char *, size_t, int, int, void *);
};
void *uv_default_loop(void);
void *uws_get_loop_with_native(void *);
uws_app *uws_create_app(int tls, struct socket_options);
void uws_app_listen_with_config(int tls, uws_app *, struct listen_config, void (*)(void *, struct listen_config, void *), void *);
void uws_app_run(int tls, uws_app *);
void uws_ws(int tls, uws_app *, const char *pattern, struct behavior, void *);
bool uws_ws_subscribe(int tls, uws_websocket *, const char *, size_t);
bool uws_publish(int tls, uws_app *, const char *, size_t, const char *, size_t, int, bool);
int uws_ws_send_with_options(int tls, uws_websocket *, const char *, size_t, int, bool, bool);

static const char topic[] = "bench";
static uws_app *app;
static bool compressed;

static void subscribe(uws_websocket *ws, void *data) {
    (void)data;
    uws_ws_subscribe(0, ws, topic, strlen(topic));
}

static void publish(uws_websocket *ws, const char *message, size_t length, int opcode, void *data) {
    (void)ws, (void)data;
    uws_publish(0, app, topic, strlen(topic), message, length, opcode, compressed);
}

static void echo(uws_websocket *ws, const char *message, size_t length, int opcode, void *data) {
    (void)data;
    uws_ws_send_with_options(0, ws, message, length, opcode, compressed, true);
}

static void listening(void *socket, struct listen_config config, void *data) {
    (void)data;
    if (socket) return;
    fprintf(stderr, "uwebsockets: port %d is taken\n", config.port);
    exit(1);
}

int main(int argc, char **argv) {
    if (argc < 2) {
        fprintf(stderr, "usage: server PORT [compressed]\n");
        return 2;
    }
    compressed = argc > 2 && !strcmp(argv[2], "compressed");
    uws_get_loop_with_native(uv_default_loop());
    app = uws_create_app(0, (struct socket_options){0});
    // 1: one compressor shared by all sockets; with 256 also one decompressor.
    struct behavior common = {.compression = compressed ? 1 | 256 : 0, .maximum_payload = 1 << 20, .maximum_backpressure = 1 << 24};
    struct behavior subscriber = common, publisher = common, echoer = common;
    subscriber.open = subscribe;
    publisher.message = publish;
    echoer.message = echo;
    uws_ws(0, app, "/subscribe", subscriber, NULL);
    uws_ws(0, app, "/publish", publisher, NULL);
    uws_ws(0, app, "/echo", echoer, NULL);
    uws_app_listen_with_config(0, app, (struct listen_config){.port = atoi(argv[1]), .host = "127.0.0.1"}, listening, NULL);
    uws_app_run(0, app);
    return 0;
}
