/* C11 threads by way of POSIX ones, for `swift test --sanitize=thread` only: librdkafka starts its threads with thrd_create, which
 * the thread sanitizer does not know, so it would crash at the first memory access of such a thread.
 *
 *     cc -shared -fPIC -O1 -o .build/c11threads.so scripts/c11threads.c
 *     LD_PRELOAD=$PWD/.build/c11threads.so swift test --sanitize=thread
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

struct start {
        thrd_start_t body;
        void *argument;
};

static void *run(void *memory) {
        struct start start = *(struct start *)memory;
        free(memory);
        return (void *)(intptr_t)start.body(start.argument);
}

int thrd_create(thrd_t *thread, thrd_start_t body, void *argument) {
        struct start *start = malloc(sizeof(*start));
        pthread_t id;
        if (!start) return thrd_nomem;
        start->body = body;
        start->argument = argument;
        if (pthread_create(&id, NULL, run, start)) {
                free(start);
                return thrd_error;
        }
        *thread = (thrd_t)id;
        return thrd_success;
}

int thrd_join(thrd_t thread, int *result) {
        void *value;
        if (pthread_join((pthread_t)thread, &value)) return thrd_error;
        if (result) *result = (int)(intptr_t)value;
        return thrd_success;
}

/* glibc's mtx_t and cnd_t are its pthread types under another name; this shows the sanitizer what orders what. */
int mtx_lock(mtx_t *mutex) { return pthread_mutex_lock((pthread_mutex_t *)mutex) ? thrd_error : thrd_success; }
int mtx_unlock(mtx_t *mutex) { return pthread_mutex_unlock((pthread_mutex_t *)mutex) ? thrd_error : thrd_success; }
int cnd_signal(cnd_t *condition) { return pthread_cond_signal((pthread_cond_t *)condition) ? thrd_error : thrd_success; }
int cnd_broadcast(cnd_t *condition) { return pthread_cond_broadcast((pthread_cond_t *)condition) ? thrd_error : thrd_success; }
int cnd_wait(cnd_t *condition, mtx_t *mutex) {
        return pthread_cond_wait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex) ? thrd_error : thrd_success;
}
