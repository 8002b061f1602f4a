#if defined(__linux__) && !defined(_GNU_SOURCE)
#define _GNU_SOURCE
#endif
#include "thread_pool.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* A worker that finds no chunk spins this long before it sleeps: the instructions of one plan follow each
   other within microseconds, and waking a sleeper costs several. */
#define SPIN_NANOSECONDS 100000
#define PAUSES_PER_CLOCK_READING 64
#define PAUSES_BEFORE_YIELD 4000
#define STACK_BYTES (4 << 20)
#define CACHE_LINE 128

/* A job has a place while it runs.  Its ticket says all that threads contend for, so that one compare-and-swap claims a
   chunk:
       generation (32 bits) | seats taken by workers (8 bits) | unclaimed chunks (24 bits)
   The fields beside it are written only while no chunk is unclaimed or running, and a claim made with fields of
   another generation fails, because the generation is part of the swapped word. */
#define UNCLAIMED(ticket) ((int)((ticket) & 0xFFFFFF))
#define SEATS(ticket) ((int)((ticket) >> 24 & 0xFF))
#define GENERATION(ticket) ((uint32_t)((ticket) >> 32))
#define ONE_SEAT ((uint64_t)1 << 24)

typedef struct {
    _Alignas(CACHE_LINE) _Atomic uint64_t ticket;
    _Alignas(CACHE_LINE) _Atomic int done; /* chunks finished by workers */
    _Alignas(CACHE_LINE) _Atomic(mn_pool_job) job;
    _Atomic(void *) argument;
    _Atomic int chunks;
    _Atomic int limit;
    _Alignas(CACHE_LINE) atomic_bool taken;
} place;

static struct {
    place places[MN_POOL_JOBS];
    _Alignas(CACHE_LINE) _Atomic uint32_t published; /* counts jobs: what sleepers watch */
    _Atomic int sleepers;
    _Alignas(CACHE_LINE) atomic_bool starting; /* some caller is making workers */
    _Atomic int workers;
} pool;

static _Atomic int thread_budget = 1;
static _Atomic unsigned fork_count;

/* A worker's seat in the job of one generation. */
typedef struct {
    uint32_t generation;
    int worker; /* 0 before the first seat */
} seat;

typedef struct {
    place *of;
    mn_pool_job job;
    void *argument;
    int chunk;
    int worker;
} claim;

long long mn_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static inline void pause_briefly(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* ---- Sleeping until `published` moves on from a value -------------------------------------------------- */

#ifdef __linux__

static void sleep_while_published_is(uint32_t seen) {
    syscall(SYS_futex, &pool.published, FUTEX_WAIT_PRIVATE, seen, NULL, NULL, 0);
}

static void wake(int count) {
    syscall(SYS_futex, &pool.published, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void reset_sleeping(void) {}

#else

static pthread_mutex_t sleep_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t sleep_condition = PTHREAD_COND_INITIALIZER;

static void sleep_while_published_is(uint32_t seen) {
    pthread_mutex_lock(&sleep_mutex);
    while (atomic_load(&pool.published) == seen) pthread_cond_wait(&sleep_condition, &sleep_mutex);
    pthread_mutex_unlock(&sleep_mutex);
}

static void wake(int count) {
    (void)count;
    pthread_mutex_lock(&sleep_mutex); /* a sleeper between its test and its wait must not miss this */
    pthread_cond_broadcast(&sleep_condition);
    pthread_mutex_unlock(&sleep_mutex);
}

static void reset_sleeping(void) {
    pthread_mutex_init(&sleep_mutex, NULL);
    pthread_cond_init(&sleep_condition, NULL);
}

#endif

/* ---- Claiming ------------------------------------------------------------------------------------------ */

static void read_job(claim *out, place *of, uint64_t ticket) {
    out->of = of;
    out->job = atomic_load_explicit(&of->job, memory_order_relaxed);
    out->argument = atomic_load_explicit(&of->argument, memory_order_relaxed);
    out->chunk = atomic_load_explicit(&of->chunks, memory_order_relaxed) - UNCLAIMED(ticket);
}

/* The caller's claim: it has seat 0 in its own job. */
static int claim_as_caller(claim *out, place *of) {
    uint64_t ticket = atomic_load_explicit(&of->ticket, memory_order_acquire);
    while (UNCLAIMED(ticket)) {
        read_job(out, of, ticket);
        if (atomic_compare_exchange_weak_explicit(&of->ticket, &ticket, ticket - 1, memory_order_acq_rel,
                                                  memory_order_acquire))
            return 1;
    }
    return 0;
}

/* A worker's claim: with its first chunk of a generation it takes a seat too, if one is free. */
static int claim_as_worker(claim *out, place *of, seat *mine) {
    uint64_t ticket = atomic_load_explicit(&of->ticket, memory_order_acquire);
    while (UNCLAIMED(ticket)) {
        int seated = mine->worker && mine->generation == GENERATION(ticket);
        int worker = seated ? mine->worker : SEATS(ticket) + 1;
        if (!seated && worker >= atomic_load_explicit(&of->limit, memory_order_relaxed)) return 0;
        read_job(out, of, ticket);
        uint64_t next = ticket - 1 + (seated ? 0 : ONE_SEAT);
        if (atomic_compare_exchange_weak_explicit(&of->ticket, &ticket, next, memory_order_acq_rel,
                                                  memory_order_acquire)) {
            mine->generation = GENERATION(ticket);
            out->worker = mine->worker = worker;
            return 1;
        }
    }
    return 0;
}

/* The first job after the place `*turn` that has a chunk for this worker; the next search starts behind it. */
static int claim_in_turn(claim *out, seat *seats, int *turn) {
    for (int i = 0; i < MN_POOL_JOBS; i++) {
        int at = (*turn + i) % MN_POOL_JOBS;
        if (claim_as_worker(out, &pool.places[at], &seats[at])) {
            *turn = at + 1;
            return 1;
        }
    }
    return 0;
}

/* Takes all unclaimed chunks away and returns how many they were. */
static int drop_unclaimed(place *of) {
    uint64_t ticket = atomic_load_explicit(&of->ticket, memory_order_acquire);
    while (!atomic_compare_exchange_weak_explicit(&of->ticket, &ticket, ticket - (uint64_t)UNCLAIMED(ticket),
                                                  memory_order_acq_rel, memory_order_acquire)) {
    }
    return UNCLAIMED(ticket);
}

/* ---- Workers ------------------------------------------------------------------------------------------- */

static void *work(void *unused) {
    (void)unused;
    seat seats[MN_POOL_JOBS] = {{0, 0}};
    claim next;
    int turn = 0;
    long long idle_since = 0;
    for (;;) {
        uint32_t seen = atomic_load(&pool.published);
        if (claim_in_turn(&next, seats, &turn)) {
            next.job(next.argument, next.chunk, next.worker);
            atomic_fetch_add_explicit(&next.of->done, 1, memory_order_release);
            idle_since = 0;
            continue;
        }
        long long now = mn_clock();
        if (!idle_since) idle_since = now;
        if (now - idle_since < SPIN_NANOSECONDS) {
            for (int i = 0; i < PAUSES_PER_CLOCK_READING; i++) {
                if (atomic_load_explicit(&pool.published, memory_order_relaxed) != seen) break;
                pause_briefly();
            }
            continue;
        }
        /* Either the publisher sees this sleeper, or the sleeper sees that `published` has moved: both sides
           write first and read second, sequentially consistent. */
        atomic_fetch_add(&pool.sleepers, 1);
        sleep_while_published_is(seen);
        atomic_fetch_sub(&pool.sleepers, 1);
        idle_since = 0;
    }
    return NULL;
}

/* One caller at a time makes workers; others go on with those that there are. */
static void start_workers(int wanted) {
    if (atomic_exchange(&pool.starting, 1)) return;
    pthread_attr_t attributes;
    sigset_t all, before;
    if (pthread_attr_init(&attributes)) {
        atomic_store(&pool.starting, 0);
        return;
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* inherited by the new threads */
    while (atomic_load(&pool.workers) < wanted) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, work, NULL)) break;
        atomic_fetch_add(&pool.workers, 1);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    atomic_store(&pool.starting, 0);
}

/* A free place, now the caller's, or NULL. */
static place *take_place(void) {
    for (int i = 0; i < MN_POOL_JOBS; i++) {
        place *at = &pool.places[i];
        if (!atomic_load_explicit(&at->taken, memory_order_relaxed) && !atomic_exchange(&at->taken, 1)) return at;
    }
    return NULL;
}

/* ---- What the runner calls ----------------------------------------------------------------------------- */

static void forget_threads_in_child(void) {
    memset(&pool, 0, sizeof pool);
    reset_sleeping();
    atomic_fetch_add(&fork_count, 1);
}

void mn_pool_initialize(void) {
    static atomic_bool registered;
    if (!atomic_exchange(&registered, 1)) pthread_atfork(NULL, NULL, forget_threads_in_child);
}

void mn_pool_set_threads(int threads) {
    if (threads < 1) threads = 1;
    if (threads > MN_POOL_MAX_THREADS) threads = MN_POOL_MAX_THREADS;
    atomic_store(&thread_budget, threads);
}

int mn_pool_threads(void) { return atomic_load_explicit(&thread_budget, memory_order_relaxed); }

int mn_pool_workers(void) { return atomic_load(&pool.workers); }

unsigned mn_fork_count(void) { return atomic_load_explicit(&fork_count, memory_order_relaxed); }

int mn_pool_run(mn_pool_job job, void *argument, int chunks, int limit) {
    if (chunks < 1) return 1;
    if (limit > mn_pool_threads()) limit = mn_pool_threads();
    if (limit > chunks) limit = chunks;
    if (limit < 2 || chunks > MN_POOL_MAX_CHUNKS) return 0;
    place *own = take_place();
    if (!own) return 0;
    if (atomic_load_explicit(&pool.workers, memory_order_relaxed) < limit - 1) start_workers(limit - 1);

    atomic_store_explicit(&own->job, job, memory_order_relaxed);
    atomic_store_explicit(&own->argument, argument, memory_order_relaxed);
    atomic_store_explicit(&own->chunks, chunks, memory_order_relaxed);
    atomic_store_explicit(&own->limit, limit, memory_order_relaxed);
    atomic_store_explicit(&own->done, 0, memory_order_relaxed);
    uint32_t generation = GENERATION(atomic_load_explicit(&own->ticket, memory_order_relaxed)) + 1;
    atomic_store_explicit(&own->ticket, (uint64_t)generation << 32 | (uint64_t)chunks, memory_order_release);
    atomic_fetch_add(&pool.published, 1);
    if (atomic_load(&pool.sleepers) > 0) wake(limit - 1);

    claim next;
    int settled = 0; /* chunks that no worker has to finish */
    while (claim_as_caller(&next, own)) {
        settled++;
        if (next.job(next.argument, next.chunk, 0)) settled += drop_unclaimed(own);
    }
    for (int spins = 0; atomic_load_explicit(&own->done, memory_order_acquire) + settled < chunks;) {
        if (++spins < PAUSES_BEFORE_YIELD) pause_briefly();
        else sched_yield();
    }
    atomic_store_explicit(&own->taken, 0, memory_order_release);
    return 1;
}
