#pragma once
#include <errno.h>
#include <hiredis/hiredis.h>
#include <hiredis/sds.h>
#include <string.h>

// What Swift cannot see or can hardly say: inline functions of the buffer's type, typed pointers, a list of words.

static inline size_t chiredis_waiting(const redisContext *context) { return context->obuf ? sdslen(context->obuf) : 0; }

static inline int chiredis_next_reply(redisContext *context, redisReply **reply) {
        void *found = NULL;
        int result = redisGetReplyFromReader(context, &found);
        *reply = (redisReply *)found;
        return result;
}

#define CHIREDIS_MOST_WORDS 32

// `words` holds the words one after the other.
static inline int chiredis_append(redisContext *context, int count, const char *words, const size_t *lengths) {
        const char *argv[CHIREDIS_MOST_WORDS];
        if (count > CHIREDIS_MOST_WORDS) return REDIS_ERR;
        for (int i = 0; i < count; i++) {
                argv[i] = words;
                words += lengths[i];
        }
        return redisAppendCommandArgv(context, count, argv, lengths);
}
