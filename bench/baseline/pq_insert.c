// The rate of events of PostgreSQL without a hub: the hub's three statements for a batch of entries, in a loop.
//   pq_insert ADDRESS STATEMENTS CHANNELS BATCH BYTES SECONDS
// ADDRESS is a libpq connection string of a migrated database, STATEMENTS the output of `hub statements`. Each batch stores BATCH
// notifications with a body of BYTES bytes, spread over CHANNELS inboxes (1: all into one broadcast), and one Kafka position.
// Prints "events_per_second X events N batches N seconds X". It measures for SECONDS (at most 300) after a warm-up of one second.
#include "pq_pipeline.h"

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: pq_insert ADDRESS STATEMENTS CHANNELS BATCH BYTES SECONDS\n");
        return 2;
    }
    int channels = atoi(argv[3]), batch = atoi(argv[4]), bytes = atoi(argv[5]);
    double seconds = atof(argv[6]);
    if (channels < 1 || channels > 1000000 || batch < 1 || batch > 5000 || bytes < 0 || bytes > 16384 || seconds <= 0 || seconds > 300) {
        fprintf(stderr, "pq_insert: CHANNELS 1…1000000, BATCH 1…5000, BYTES up to 16384, SECONDS up to 300\n");
        return 2;
    }
    alarm((unsigned)seconds + 120);
    PGconn *c = pq_open(argv[1], argv[2]);
    enter_pipeline(c);
    char source[64], text[64], *content = malloc((size_t)bytes + 64);
    snprintf(source, sizeof source, "kafka:pq-insert-%d-%ld", (int)getpid(), (long)time(NULL));
    int length = sprintf(content, "\"title\":\"Bench\",\"body\":\"");
    memset(content + length, 'x', (size_t)bytes);
    strcpy(content + length + bytes, "\"");

    struct parameters names = {0}, entries = {0};
    int64_t stored = 0, offset = 0, batches = 0;
    double start = 0, begin = seconds_now(), now = begin;
    while (start == 0 || now - start < seconds) {
        if (start == 0 && now - begin >= 1) {
            start = now;
            stored = batches = 0;
        }
        again(&names);
        again(&entries);
        int unanswered = begin_array(&entries, INT8, batch);
        for (int i = 0; i < batch; i++) put32(&entries, unanswered, -1);
        // As in the hub, each channel of the batch is listed once.
        int distinct = batch < channels ? batch : channels;
        int channel = begin_array(&entries, TEXT, batch), alone = begin_array(&names, TEXT, distinct);
        for (int i = 0; i < batch; i++) {
            if (channels == 1) strcpy(text, "broadcast:pq-insert");
            else snprintf(text, sizeof text, "inbox:bench-%lld", (long long)((offset + i) % channels));
            put_text(&entries, channel, text);
            if (i < distinct) put_text(&names, alone, text);
        }
        int column = begin_array(&entries, TEXT, batch);
        for (int i = 0; i < batch; i++) put_text(&entries, column, source);
        column = begin_array(&entries, TEXT, batch);
        for (int i = 0; i < batch; i++) {
            snprintf(text, sizeof text, "%016lld", (long long)(offset + i));
            put_text(&entries, column, text);
        }
        const char *same[] = {"notification", "bench", "normal", "full", NULL, content, NULL, NULL};
        for (int field = 0; field < 8; field++) {
            column = begin_array(&entries, TEXT, batch);
            for (int i = 0; i < batch; i++) put_text(&entries, column, same[field]);
        }
        column = begin_array(&entries, TIMESTAMPTZ, batch);
        for (int i = 0; i < batch; i++) put32(&entries, column, -1);
        column = begin_array(&entries, BOOL, batch);
        for (int i = 0; i < batch; i++) put_bool(&entries, column, 0);
        column = begin_array(&entries, TEXT, batch);
        for (int i = 0; i < batch; i++) put_text(&entries, column, NULL);
        column = begin_array(&entries, INT8, batch);
        for (int i = 0; i < batch; i++) put32(&entries, column, -1);
        offset += batch;
        // The position of the batch's last record, and what it comes after.
        put_text(&entries, begin_array(&entries, TEXT, 1), source);
        put_int4(&entries, begin_array(&entries, INT4, 1), 0);
        put_int8(&entries, begin_array(&entries, INT8, 1), offset);
        column = begin_array(&entries, INT8, 1);
        if (offset > batch) put_int8(&entries, column, offset - batch);
        else put32(&entries, column, -1);
        put_text(&entries, begin_array(&entries, TEXT, 1), "pq-insert");
        put_bool(&entries, begin_array(&entries, BOOL, 1), 0);
        column = begin_array(&entries, TEXT, batch);
        for (int i = 0; i < batch; i++) put_text(&entries, column, "bench/0/1000000");

        execute(c, "ensureChannels", &names);
        execute(c, "lockChannels", &names);
        execute(c, "storeEntries", &entries);
        // One row for each event; one more when the position before was not reached, and then nothing was stored.
        if (commit(c) != batch) give_up(NULL, "the batch was not stored");
        stored += batch;
        batches++;
        now = seconds_now();
    }
    printf("events_per_second %.0f events %lld batches %lld seconds %.3f\n", (double)stored / (now - start), (long long)stored,
        (long long)batches, now - start);
    return 0;
}
