// The rate of librdkafka without a hub: a consumer that reads one topic from its beginning and counts the records.
//   rd_consume BROKERS TOPIC RECORDS [PROPERTY=VALUE]…
// Ends after RECORDS records, when none has arrived for five seconds, or after 300 seconds.
// Prints "records_per_second X records N bytes N seconds X". The time starts at the assignment and not at the first record, because the
// client fetches ahead: most records would already be there. Choose enough RECORDS for the start to be negligible.
#include <librdkafka/rdkafka.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "usage: rd_consume BROKERS TOPIC RECORDS [PROPERTY=VALUE]…\n");
        return 2;
    }
    int64_t wanted = atoll(argv[3]), records = 0, bytes = 0;
    alarm(300);
    char why[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    const char *fixed[][2] = {{"bootstrap.servers", argv[1]}, {"group.id", "rd-consume"}, {"enable.auto.commit", "false"}};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
        if (rd_kafka_conf_set(conf, fixed[i][0], fixed[i][1], why, sizeof why)) goto refused;
    }
    for (int i = 4; i < argc; i++) {
        char *value = strchr(argv[i], '=');
        if (value) *value++ = 0;
        if (rd_kafka_conf_set(conf, argv[i], value ? value : "", why, sizeof why)) goto refused;
    }
    rd_kafka_t *client = rd_kafka_new(RD_KAFKA_CONSUMER, conf, why, sizeof why);
    if (!client) goto refused;
    rd_kafka_poll_set_consumer(client);

    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *topic = rd_kafka_topic_new(client, argv[2], NULL);
    rd_kafka_resp_err_t error = rd_kafka_metadata(client, 0, topic, &metadata, 5000);
    if (error || metadata->topic_cnt != 1 || metadata->topics[0].partition_cnt == 0) {
        fprintf(stderr, "rd_consume: %s: %s\n", argv[2], error ? rd_kafka_err2str(error) : "no such topic");
        return 1;
    }
    rd_kafka_topic_partition_list_t *all = rd_kafka_topic_partition_list_new(1);
    for (int i = 0; i < metadata->topics[0].partition_cnt; i++) {
        rd_kafka_topic_partition_list_add(all, argv[2], metadata->topics[0].partitions[i].id)->offset = RD_KAFKA_OFFSET_BEGINNING;
    }
    double start = seconds_now();
    if (rd_kafka_assign(client, all)) goto refused;

    enum { BATCH = 500 };  // the same as the hub's
    rd_kafka_message_t *batch[BATCH];
    rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(client);
    double last = seconds_now();
    while (records < wanted && seconds_now() - last < 5) {
        ssize_t count = rd_kafka_consume_batch_queue(queue, 100, batch, BATCH);
        for (ssize_t i = 0; i < count; i++) {
            if (!batch[i]->err) {
                records++;
                bytes += (int64_t)batch[i]->len;
                last = 0;
            }
            rd_kafka_message_destroy(batch[i]);
        }
        if (last == 0) last = seconds_now();
    }
    double seconds = last - start;
    if (records == 0) seconds = 0;
    printf("records_per_second %.0f records %lld bytes %lld seconds %.3f\n", seconds > 0 ? (double)records / seconds : 0,
        (long long)records, (long long)bytes, seconds);
    rd_kafka_queue_destroy(queue);
    rd_kafka_topic_partition_list_destroy(all);
    rd_kafka_metadata_destroy(metadata);
    rd_kafka_topic_destroy(topic);
    rd_kafka_consumer_close(client);
    rd_kafka_destroy(client);
    return records > 0 ? 0 : 1;

refused:
    fprintf(stderr, "rd_consume: %s\n", why);
    return 1;
}
