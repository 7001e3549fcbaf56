// What PostgreSQL takes of acknowledgements without a hub: the hub's three statements for a batch of cursors, in a loop.
//   pq_acks ADDRESS STATEMENTS USERS BATCH SECONDS
// ADDRESS is a libpq connection string of a migrated database, STATEMENTS what `hub statements` printed. A channel with as many entries
// as are acknowledged is made first, under a name of its own. Each batch moves the cursors of BATCH of the USERS by one entry.
// Prints "acks_per_second X acks N batches N seconds X", of a measured time of SECONDS (at most 300) after a warm-up of one second.
#include "pq_pipeline.h"

enum { ENTRIES = 20000 };

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: pq_acks ADDRESS STATEMENTS USERS BATCH SECONDS\n");
        return 2;
    }
    int users = atoi(argv[3]), batch = atoi(argv[4]);
    double seconds = atof(argv[5]);
    if (users < 1 || users > 1000000 || batch < 1 || batch > users || batch > 10000 || seconds <= 0 || seconds > 300) {
        fprintf(stderr, "pq_acks: USERS 1…1000000, BATCH 1…10000 and at most USERS, SECONDS up to 300\n");
        return 2;
    }
    alarm((unsigned)seconds + 120);
    PGconn *c = pq_open(argv[1], argv[2]);
    char channel[64], sql[1024];
    snprintf(channel, sizeof channel, "broadcast:pq-acks-%d-%ld", (int)getpid(), (long)time(NULL));
    snprintf(sql, sizeof sql,
        "with c as (insert into hub.channel (name, kind, last_seq) values ('%s', 'broadcast', %d) returning id)"
        " insert into hub.entry (channel_id, seq, source, source_id, kind, event_type, priority, form, content, created_at)"
        " select c.id, n, 'bench', n::text, 'notification', 'bench', 'normal', 'full', '{}', now() from c, generate_series(1, %d) n",
        channel, ENTRIES, ENTRIES);
    run(c, sql);
    enter_pipeline(c);

    char name[32];
    struct parameters places = {0}, changes = {0};
    int64_t delivered = 1, acks = 0, batches = 0;
    int next = 0;
    double start = 0, begin = seconds_now(), now = begin;
    while (start == 0 || now - start < seconds) {
        if (start == 0 && now - begin >= 1) {
            start = now;
            acks = batches = 0;
        }
        again(&places);
        again(&changes);
        for (int both = 0; both < 2; both++) {
            struct parameters *p = both ? &changes : &places;
            int user = begin_array(p, TEXT, batch);
            for (int i = 0; i < batch; i++) {
                snprintf(name, sizeof name, "bench-%d", (next + i) % users);
                put_text(p, user, name);
            }
            int named = begin_array(p, TEXT, batch);
            for (int i = 0; i < batch; i++) put_text(p, named, channel);
        }
        int column = begin_array(&changes, INT8, batch);
        for (int i = 0; i < batch; i++) put_int8(&changes, column, delivered + (next + i) / users);
        column = begin_array(&changes, INT8, batch);
        for (int i = 0; i < batch; i++) put_int8(&changes, column, 0);
        for (int both = 0; both < 2; both++) {
            column = begin_array(&changes, INT8MULTIRANGE, batch);
            for (int i = 0; i < batch; i++) put_empty_multirange(&changes, column);
        }
        column = begin_array(&changes, TEXT, batch);
        for (int i = 0; i < batch; i++) put_text(&changes, column, "s-00000000");
        column = begin_array(&changes, TEXT, batch);
        for (int i = 0; i < batch; i++) put_text(&changes, column, NULL);
        execute(c, "ensureCursors", &places);
        execute(c, "lockCursors", &places);
        execute(c, "moveCursors", &changes);
        if (commit(c) != batch) give_up(NULL, "not every cursor was moved");
        acks += batch;
        batches++;
        next += batch;
        delivered += next / users;
        next %= users;
        if (delivered >= ENTRIES) give_up(NULL, "the channel's entries are used up: take more users or less time");
        now = seconds_now();
    }
    printf("acks_per_second %.0f acks %lld batches %lld seconds %.3f\n", (double)acks / (now - start), (long long)acks,
        (long long)batches, now - start);
    return 0;
}
