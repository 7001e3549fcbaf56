#pragma once
#include <libpq-fe.h>

/* libpq prints server notices on stderr unless told otherwise. */
static inline void hub_pq_ignore_notice(void *unused, const PGresult *notice) {
    (void)unused;
    (void)notice;
}
static inline void hub_pq_silence_notices(PGconn *connection) {
    PQsetNoticeReceiver(connection, hub_pq_ignore_notice, 0);
}
