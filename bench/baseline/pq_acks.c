// The rate of acknowledgements of PostgreSQL without a hub: the hub's statement for a batch of acks, in a loop.
//   pq_acks ADDRESS STATEMENTS USERS ENTRIES BATCH SECONDS
// ADDRESS is a libpq connection string of a migrated database, STATEMENTS the output of `hub statements`. The program first makes a
// channel with a unique name and ENTRIES entries. Then each batch moves the cursors of BATCH of the USERS by one entry. The first
// acknowledgement of a user makes the cursor and counts all entries of the channel, with the hub's general statements for moving cursors.
// The first round over all users is therefore not measured.
// Prints "acks_per_second X acks N batches N seconds X". Ends after SECONDS (at most 300), or when all entries are acknowledged.
#include "pq_pipeline.h"

// Adds the remaining parameters of `moveCursors`, and runs it after the statements that precede it.
static void any_move(PGconn *c, struct parameters *keys, struct parameters *changes, int batch) {
    int column = begin_array(changes, INT8, batch);
    for (int i = 0; i < batch; i++) put_int8(changes, column, 0);
    for (int both = 0; both < 2; both++) {
        column = begin_array(changes, INT8MULTIRANGE, batch);
        for (int i = 0; i < batch; i++) put_empty_multirange(changes, column);
    }
    column = begin_array(changes, TEXT, batch);
    for (int i = 0; i < batch; i++) put_text(changes, column, "s-00000000");
    column = begin_array(changes, TEXT, batch);
    for (int i = 0; i < batch; i++) put_text(changes, column, NULL);
    execute(c, "ensureCursors", keys);
    execute(c, "lockCursors", keys);
    execute(c, "moveCursors", changes);
}

int main(int argc, char **argv) {
    if (argc != 7) {
        fprintf(stderr, "usage: pq_acks ADDRESS STATEMENTS USERS ENTRIES BATCH SECONDS\n");
        return 2;
    }
    int users = atoi(argv[3]), entries = atoi(argv[4]), batch = atoi(argv[5]);
    double seconds = atof(argv[6]);
    if (users < 1 || users > 1000000 || entries < 2 || entries > 100000 || batch < 1 || batch > users || batch > 10000 || seconds <= 0 || seconds > 300) {
        fprintf(stderr, "pq_acks: USERS 1…1000000, ENTRIES 2…100000, BATCH 1…10000 and at most USERS, SECONDS up to 300\n");
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
        channel, entries, entries);
    run(c, sql);
    enter_pipeline(c);

    char name[32];
    struct parameters keys = {0}, changes = {0};
    int64_t delivered = 1, acks = 0, batches = 0;
    int next = 0;
    double start = 0, now = 0;
    while ((start == 0 || now - start < seconds) && delivered < entries) {
        if (start == 0 && delivered > 1) {
            start = now;
            acks = batches = 0;
        }
        again(&keys);
        again(&changes);
        for (int both = 0; both < (start ? 1 : 2); both++) {
            struct parameters *p = both ? &changes : &keys;
            int user = begin_array(p, TEXT, batch);
            for (int i = 0; i < batch; i++) {
                snprintf(name, sizeof name, "bench-%d", (next + i) % users);
                put_text(p, user, name);
            }
            int named = begin_array(p, TEXT, batch);
            for (int i = 0; i < batch; i++) put_text(p, named, channel);
        }
        struct parameters *last = start ? &keys : &changes;
        int column = begin_array(last, INT8, batch);
        for (int i = 0; i < batch; i++) put_int8(last, column, delivered + (next + i) / users);
        if (start) {
            execute(c, "ackCursors", &keys);
        } else {
            any_move(c, &keys, &changes, batch);
        }
        if (commit(c) != batch) give_up(NULL, "not every cursor was moved");
        acks += batch;
        batches++;
        next += batch;
        delivered += next / users;
        next %= users;
        now = seconds_now();
    }
    printf("acks_per_second %.0f acks %lld batches %lld seconds %.3f\n", (double)acks / (now - start), (long long)acks,
        (long long)batches, now - start);
    return 0;
}
