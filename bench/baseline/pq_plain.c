// The rate at which PostgreSQL can only insert events: one plain `insert … select from unnest` for each batch, in a loop, into a table with
// a generated key. It looks up no channels, numbers no entries, and does not detect repeated events.
//   pq_plain ADDRESS STATEMENTS CHANNELS BATCH BYTES SECONDS
// Arguments as for pq_insert; of STATEMENTS only the session's settings are used.
// Prints "events_per_second X events N batches N seconds X". It measures for SECONDS (at most 300) after a warm-up of one second.
#include "pq_pipeline.h"

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: pq_plain ADDRESS STATEMENTS CHANNELS BATCH BYTES SECONDS\n");
        return 2;
    }
    int channels = atoi(argv[3]), batch = atoi(argv[4]), bytes = atoi(argv[5]);
    double seconds = atof(argv[6]);
    if (channels < 1 || channels > 1000000 || batch < 1 || batch > 5000 || bytes < 0 || bytes > 16384 || seconds <= 0 || seconds > 300) {
        fprintf(stderr, "pq_plain: CHANNELS 1…1000000, BATCH 1…5000, BYTES up to 16384, SECONDS up to 300\n");
        return 2;
    }
    alarm((unsigned)seconds + 120);
    PGconn *c = pq_open(argv[1], argv[2]);
    run(c, "create table if not exists hub.bench_plain (id bigint generated always as identity primary key, channel text not null,"
           " source_id text not null, content text not null, created_at timestamptz not null default now())");
    PGresult *prepared = PQprepare(c, "plain",
        "insert into hub.bench_plain (channel, source_id, content) select * from unnest($1::text[], $2::text[], $3::text[])", 0, NULL);
    if (PQresultStatus(prepared) != PGRES_COMMAND_OK) give_up(c, "plain");
    PQclear(prepared);
    enter_pipeline(c);
    char text[64], *content = malloc((size_t)bytes + 64);
    int length = sprintf(content, "\"title\":\"Bench\",\"body\":\"");
    memset(content + length, 'x', (size_t)bytes);
    strcpy(content + length + bytes, "\"");

    struct parameters rows = {0};
    int64_t stored = 0, offset = 0, batches = 0;
    double start = 0, begin = seconds_now(), now = begin;
    while (start == 0 || now - start < seconds) {
        if (start == 0 && now - begin >= 1) {
            start = now;
            stored = batches = 0;
        }
        again(&rows);
        int column = begin_array(&rows, TEXT, batch);
        for (int i = 0; i < batch; i++) {
            snprintf(text, sizeof text, "inbox:bench-%lld", (long long)((offset + i) % channels));
            put_text(&rows, column, text);
        }
        column = begin_array(&rows, TEXT, batch);
        for (int i = 0; i < batch; i++) {
            snprintf(text, sizeof text, "%016lld", (long long)(offset + i));
            put_text(&rows, column, text);
        }
        column = begin_array(&rows, TEXT, batch);
        for (int i = 0; i < batch; i++) put_text(&rows, column, content);
        offset += batch;
        execute(c, "plain", &rows);
        commit(c);
        stored += batch;
        batches++;
        now = seconds_now();
    }
    printf("events_per_second %.0f events %lld batches %lld seconds %.3f\n", (double)stored / (now - start), (long long)stored,
        (long long)batches, now - start);
    return 0;
}
