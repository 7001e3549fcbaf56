// Shared by pq_acks, pq_insert and pq_plain: a libpq connection in pipeline mode with the same settings as the hub's. It runs the hub's
// statements with binary array parameters, one transaction at a time, as the hub does.
//
// STATEMENTS is the output of `hub statements`, with "-- name: NAME" before each statement. Those named "session" are executed first.
#include <arpa/inet.h>
#include <libpq-fe.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BOOL = 16, INT8 = 20, INT4 = 23, TEXT = 25, TIMESTAMPTZ = 1184, INT8MULTIRANGE = 4536 };
enum { PARAMETERS = 24, ARRAY_BYTES = 1 << 20 };

struct parameters {
    int count, lengths[PARAMETERS];
    const char *values[PARAMETERS];
    char *room[PARAMETERS];
};

static PGconn *pq_open(const char *address, const char *statements);

static double seconds_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void give_up(PGconn *c, const char *what) {
    fprintf(stderr, "%s: %s\n", what, c ? PQerrorMessage(c) : "");
    exit(1);
}

static void put32(struct parameters *p, int at, int32_t value) {
    uint32_t wide = htonl((uint32_t)value);
    if (p->lengths[at] + 4 > ARRAY_BYTES) give_up(NULL, "the batch does not fit");
    memcpy(p->room[at] + p->lengths[at], &wide, 4);
    p->lengths[at] += 4;
}

// The binary format of PostgreSQL's array_recv, as the hub writes it.
static int begin_array(struct parameters *p, int type, int count) {
    int at = p->count++;
    if (!p->room[at]) p->room[at] = malloc(ARRAY_BYTES);
    p->values[at] = p->room[at];
    p->lengths[at] = 0;
    put32(p, at, count == 0 ? 0 : 1);
    put32(p, at, 1);
    put32(p, at, type);
    if (count > 0) {
        put32(p, at, count);
        put32(p, at, 1);
    }
    return at;
}

static inline void put_text(struct parameters *p, int at, const char *text) {
    if (!text) {
        put32(p, at, -1);
        return;
    }
    int length = (int)strlen(text);
    put32(p, at, length);
    if (p->lengths[at] + length > ARRAY_BYTES) give_up(NULL, "the batch does not fit");
    memcpy(p->room[at] + p->lengths[at], text, (size_t)length);
    p->lengths[at] += length;
}

static inline void put_int8(struct parameters *p, int at, int64_t value) {
    put32(p, at, 8);
    put32(p, at, (int32_t)(value >> 32));
    put32(p, at, (int32_t)value);
}

static inline void put_int4(struct parameters *p, int at, int32_t value) {
    put32(p, at, 4);
    put32(p, at, value);
}

static inline void put_bool(struct parameters *p, int at, int value) {
    put32(p, at, 1);
    p->room[at][p->lengths[at]++] = (char)value;
}

static inline void put_empty_multirange(struct parameters *p, int at) {
    put32(p, at, 4);
    put32(p, at, 0);
}

static void again(struct parameters *p) { p->count = 0; }

static void execute(PGconn *c, const char *name, struct parameters *p) {
    static const int binary[PARAMETERS] = {[0 ... PARAMETERS - 1] = 1};
    if (!PQsendQueryPrepared(c, name, p->count, p->values, p->lengths, binary, 1)) give_up(c, name);
}

// Sends the commit and waits for its result. Returns the number of rows of the last statement.
static int commit(PGconn *c) {
    if (!PQpipelineSync(c) || PQflush(c) < 0) give_up(c, "sync");
    int rows = 0;
    for (;;) {
        PGresult *result = PQgetResult(c);
        if (!result) continue;  // between two statements
        ExecStatusType status = PQresultStatus(result);
        if (status == PGRES_TUPLES_OK) rows = PQntuples(result);
        else if (status != PGRES_COMMAND_OK && status != PGRES_PIPELINE_SYNC) give_up(c, "the statement failed");
        PQclear(result);
        if (status == PGRES_PIPELINE_SYNC) return rows;
    }
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    char *text = calloc(1, 1 << 20);
    if (!file || fread(text, 1, (1 << 20) - 1, file) == 0) {
        perror(path);
        exit(1);
    }
    fclose(file);
    return text;
}

static PGconn *pq_open(const char *address, const char *statements) {
    static const char mark[] = "-- name: ";
    PGconn *c = PQconnectdb(address);
    if (PQstatus(c) != CONNECTION_OK) give_up(c, "connect");
    char *at = strstr(read_file(statements), mark);
    while (at) {
        char *name = at + strlen(mark), *sql = strchr(name, '\n');
        if (!sql) break;
        *sql++ = 0;
        at = strstr(sql, mark);
        if (at) at[-1] = 0;
        PGresult *result = strcmp(name, "session") ? PQprepare(c, name, sql, 0, NULL) : PQexec(c, sql);
        if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) give_up(c, name);
        PQclear(result);
    }
    return c;
}

static inline void run(PGconn *c, const char *sql) {
    PGresult *result = PQexec(c, sql);
    if (PQresultStatus(result) != PGRES_COMMAND_OK && PQresultStatus(result) != PGRES_TUPLES_OK) give_up(c, sql);
    PQclear(result);
}

static void enter_pipeline(PGconn *c) {
    if (!PQenterPipelineMode(c)) give_up(c, "pipeline mode");
}
