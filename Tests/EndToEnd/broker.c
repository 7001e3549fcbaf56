/* librdkafka's mock cluster as a process of its own, so that the hub can die without its broker.
 *
 * Usage: broker TOPIC:PARTITIONS...   The first line on stdout is the bootstrap address.
 * Commands on stdin, each answered with "ok" or "failed": "down", "up" (same port, log kept). Leaves at the end of stdin.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv) {
        char reason[256], line[64];
        rd_kafka_conf_t *settings = rd_kafka_conf_new();
        rd_kafka_conf_set(settings, "log_level", "2", reason, sizeof reason);
        rd_kafka_t *owner = rd_kafka_new(RD_KAFKA_PRODUCER, settings, reason, sizeof reason);
        rd_kafka_mock_cluster_t *cluster = owner ? rd_kafka_mock_cluster_new(owner, 1) : NULL;
        if (!cluster) {
                fprintf(stderr, "broker: %s\n", owner ? "no mock cluster" : reason);
                return 1;
        }
        for (int i = 1; i < argc; i++) {
                char *colon = strrchr(argv[i], ':');
                if (!colon)
                        return 2;
                *colon = '\0';
                if (rd_kafka_mock_topic_create(cluster, argv[i], atoi(colon + 1), 1))
                        return 1;
        }
        printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
        fflush(stdout);
        while (fgets(line, sizeof line, stdin)) {
                int failed = 1;
                if (!strcmp(line, "down\n"))
                        failed = rd_kafka_mock_broker_set_down(cluster, -1);
                else if (!strcmp(line, "up\n"))
                        failed = rd_kafka_mock_broker_set_up(cluster, -1);
                puts(failed ? "failed" : "ok");
                fflush(stdout);
        }
        rd_kafka_mock_cluster_destroy(cluster);
        rd_kafka_destroy(owner);
        return 0;
}
