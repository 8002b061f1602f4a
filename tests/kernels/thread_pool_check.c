/* Checks of the thread pool that need C: many callers, limits, forks.  Exits with 0, or names the check that
   failed. */
#define _GNU_SOURCE
#include "thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define CHUNKS 200
#define CHECK(condition)                                                                                     \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #condition);                                  \
            _exit(1);                                                                                        \
        }                                                                                                    \
    } while (0)

typedef struct {
    atomic_int runs[CHUNKS];   /* how often each chunk ran */
    atomic_int inside[16];     /* threads inside the job, per worker number */
    int limit;
    int plain;                 /* written by chunk 0, read by the caller afterwards */
} record;

static int note(void *argument, int chunk, int worker)
{
    record *r = argument;
    CHECK(worker >= 0 && worker < r->limit);
    CHECK(atomic_fetch_add(&r->inside[worker], 1) == 0); /* no two threads with one number */
    atomic_fetch_add(&r->runs[chunk], 1);
    for (volatile int i = 0; i < 300; i++)
        ;
    if (chunk == 0)
        r->plain++;
    atomic_fetch_sub(&r->inside[worker], 1);
    return 0;
}

static void run_and_check(int chunks, int limit, int must_run)
{
    record r;
    memset(&r, 0, sizeof r);
    r.limit = limit;
    if (!mn_pool_run(note, &r, chunks, limit)) {
        CHECK(!must_run);
        return;
    }
    for (int i = 0; i < CHUNKS; i++)
        CHECK(r.runs[i] == (i < chunks));
    CHECK(r.plain == 1);
}

static void each_chunk_runs_once(void)
{
    for (int round = 0; round < 2000; round++)
        run_and_check(2 + round % (CHUNKS - 1), 2 + round % 3, 1);
    CHECK(mn_pool_workers() == 3);
}

static void few_threads_or_chunks_are_for_the_caller_alone(void)
{
    record r = {.limit = 1};
    CHECK(mn_pool_run(note, &r, 10, 1) == 0 && r.runs[0] == 0);
    CHECK(mn_pool_run(note, &r, 1, 4) == 0 && r.runs[0] == 0);
    CHECK(mn_pool_run(note, &r, 0, 4) == 1);
    CHECK(mn_pool_run(note, &r, MN_POOL_MAX_CHUNKS + 1, 4) == 0);
}

static void sleepers_wake(void)
{
    for (int round = 0; round < 20; round++) {
        usleep(1000); /* longer than the workers spin */
        run_and_check(CHUNKS, 4, 1);
    }
}

static int nest(void *argument, int chunk, int worker)
{
    run_and_check(10, 4, 0); /* helped, or refused at once, never waited for */
    return note(argument, chunk, worker);
}

static void a_job_inside_a_job(void)
{
    record r = {.limit = 4};
    CHECK(mn_pool_run(nest, &r, 50, 4));
    CHECK(r.runs[49] == 1);
}

/* ---- A long job does not keep the workers from a short one ---- */

static atomic_int of_long_job, of_short_job; /* chunks that workers have run */
static atomic_bool short_job_done;

static int long_chunk(void *unused, int chunk, int worker)
{
    (void)unused, (void)chunk;
    if (worker)
        atomic_fetch_add(&of_long_job, 1);
    while (worker == 0 && !short_job_done) /* so that only the worker takes chunks of the long job */
        sched_yield();
    if (!short_job_done)
        sched_yield();
    return worker == 0; /* then gives the rest up */
}

static void *run_long_job(void *unused)
{
    CHECK(mn_pool_run(long_chunk, NULL, MN_POOL_MAX_CHUNKS, 2));
    return unused;
}

static int short_chunk(void *unused, int chunk, int worker)
{
    (void)unused, (void)chunk;
    if (worker)
        atomic_fetch_add(&of_short_job, 1);
    while (worker == 0 && !of_short_job) /* until the worker has come from the long job */
        sched_yield();
    return 0;
}

static void a_short_job_is_helped_during_a_long_one(void)
{
    pthread_t thread;
    CHECK(mn_pool_workers() == 1);
    CHECK(!pthread_create(&thread, NULL, run_long_job, NULL));
    while (!of_long_job)
        sched_yield();
    CHECK(mn_pool_run(short_chunk, NULL, 20, 2));
    CHECK(of_short_job > 0 && of_long_job < MN_POOL_MAX_CHUNKS - 1);
    short_job_done = 1;
    pthread_join(thread, NULL);
}

static int give_up_at_once(void *argument, int chunk, int worker)
{
    (void)chunk;
    atomic_fetch_add((atomic_int *)argument, 1);
    return worker == 0;
}

static void what_is_given_up_is_not_run(void)
{
    for (int round = 0; round < 200; round++) {
        atomic_int runs = 0;
        CHECK(mn_pool_run(give_up_at_once, &runs, MN_POOL_MAX_CHUNKS, 4));
        CHECK(runs < MN_POOL_MAX_CHUNKS);
    }
}

static void *call_often(void *unused)
{
    for (int round = 0; round < 500; round++)
        run_and_check(CHUNKS, 4, 0);
    return unused;
}

static void many_callers(void)
{
    pthread_t threads[6];
    for (int i = 0; i < 6; i++)
        CHECK(!pthread_create(&threads[i], NULL, call_often, NULL));
    for (int i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
}

static atomic_bool stop;

static void *keep_busy(void *unused)
{
    while (!stop)
        run_and_check(CHUNKS, 4, 0);
    return unused;
}

#ifdef __linux__
static void *compete(void *unused)
{
    while (!stop)
        ;
    return unused;
}

/* Four threads on one processor that they share with a fifth: every job still ends. */
static void processors_are_taken_away(void)
{
    cpu_set_t before, one;
    pthread_t thread;
    CHECK(!sched_getaffinity(0, sizeof before, &before));
    CPU_ZERO(&one);
    for (int i = 0; i < CPU_SETSIZE && !CPU_COUNT(&one); i++)
        if (CPU_ISSET(i, &before))
            CPU_SET(i, &one);
    run_and_check(CHUNKS, 4, 1);
    pid_t child = fork(); /* its workers start with the affinity of their maker */
    CHECK(child >= 0);
    if (child == 0) {
        alarm(40);
        CHECK(!sched_setaffinity(0, sizeof one, &one));
        stop = 0;
        CHECK(!pthread_create(&thread, NULL, compete, NULL));
        for (int round = 0; round < 20; round++)
            run_and_check(CHUNKS, 4, 1);
        _exit(0);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
}
#endif

static void forks_while_other_threads_use_the_pool(void)
{
    pthread_t thread;
    CHECK(!pthread_create(&thread, NULL, keep_busy, NULL));
    for (int round = 0; round < 10; round++) {
        pid_t child = fork();
        CHECK(child >= 0);
        if (child == 0) {
            alarm(20);
            CHECK(mn_pool_workers() == 0 && mn_fork_count() == 1);
            for (int i = 0; i < 50; i++)
                run_and_check(CHUNKS, 3, 1);
            CHECK(mn_pool_workers() == 2);
            _exit(0);
        }
        int status = -1;
        CHECK(waitpid(child, &status, 0) == child && status == 0);
    }
    stop = 1;
    pthread_join(thread, NULL);
    CHECK(mn_fork_count() == 0);
}

int main(void)
{
    mn_pool_initialize();
    CHECK(mn_pool_threads() == 1 && mn_pool_workers() == 0);
    record r = {.limit = 4};
    CHECK(mn_pool_run(note, &r, 10, 4) == 0); /* a budget of one thread */
    mn_pool_set_threads(4);
    CHECK(mn_pool_workers() == 0); /* nothing starts before the first job */
    few_threads_or_chunks_are_for_the_caller_alone();
    CHECK(mn_pool_workers() == 0);
    mn_pool_set_threads(2);
    run_and_check(CHUNKS, 2, 1);
    a_short_job_is_helped_during_a_long_one();
    mn_pool_set_threads(4);
    each_chunk_runs_once();
    sleepers_wake();
    a_job_inside_a_job();
    what_is_given_up_is_not_run();
    many_callers();
    forks_while_other_threads_use_the_pool();
    mn_pool_set_threads(2);
    run_and_check(CHUNKS, 2, 1);
#ifdef __linux__
    mn_pool_set_threads(4);
    processors_are_taken_away();
#endif
    return 0;
}
