#pragma once
#include <errno.h>
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

// What Swift cannot call (variadic functions) or cannot see (eventfd).

static inline int crdkafka_eventfd(void) { return eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC); }

static inline void crdkafka_eventfd_clear(int fd) {
        uint64_t count;
        while (read(fd, &count, sizeof(count)) == -1 && errno == EINTR) {
        }
}

// librdkafka tells a null key or value from an empty one by the pointer alone, and an empty Swift array may have none.
static inline rd_kafka_resp_err_t crdkafka_produce(rd_kafka_t *rk, const char *topic, int32_t partition, int has_key,
                                                   const void *key, size_t key_size, int has_value, const void *value,
                                                   size_t value_size, rd_kafka_headers_t *headers, uint64_t token) {
        const void *k = has_key ? (key ? key : "") : NULL;
        const void *v = has_value ? (value ? value : "") : NULL;
        return rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(topic), RD_KAFKA_V_PARTITION(partition),
                                 RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY), RD_KAFKA_V_KEY((void *)k, key_size),
                                 RD_KAFKA_V_VALUE((void *)v, value_size), RD_KAFKA_V_HEADERS(headers),
                                 RD_KAFKA_V_OPAQUE((void *)(uintptr_t)token), RD_KAFKA_V_END);
}

static inline rd_kafka_resp_err_t crdkafka_header_add(rd_kafka_headers_t *headers, const char *name, int has_value,
                                                      const void *value, size_t size) {
        return rd_kafka_header_add(headers, name, -1, has_value ? (value ? value : "") : NULL, (ssize_t)size);
}

static inline uint64_t crdkafka_token(const rd_kafka_message_t *message) { return (uint64_t)(uintptr_t)message->_private; }

// A broker's state is upper case in the statistics; the states of groups and fetchers are lower case.
static inline int crdkafka_any_broker_up(const char *statistics) { return strstr(statistics, "\"state\":\"UP\"") != NULL; }
