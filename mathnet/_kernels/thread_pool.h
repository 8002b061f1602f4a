/* A pool of POSIX threads that hands out the fixed chunks of one job by tickets.

   What callers may rely on:
   - The calling thread works too and waits only for chunks that a running worker has already claimed, never
     for a worker that has yet to wake up or start.  So a pool of zero workers, or one whose threads could not
     be created, is merely slower.
   - Several jobs run at once, up to MN_POOL_JOBS.  Workers take a chunk of one and then of the next, so a long job
     does not keep them from a short one.  A caller who finds no place is told so at once and does its own chunks.
   - Chunks are claimed in ascending order, each exactly once.  Which thread runs which chunk is undefined.
   - A job may be given up by its caller: chunks that nobody has claimed are dropped.
   - After fork() the child starts with an empty pool and makes its own threads when it needs them.
   - Workers block every signal, never touch Python and never need the GIL.  */
#ifndef MN_THREAD_POOL_H
#define MN_THREAD_POOL_H

enum { MN_POOL_JOBS = 4, MN_POOL_MAX_THREADS = 256, MN_POOL_MAX_CHUNKS = (1 << 24) - 1 };

/* Runs chunk number `chunk`; `worker` (0 is the caller) is below the job's limit and unique among the threads
   in this job.  Where the caller's own chunk returns other than 0, the job is given up. */
typedef int (*mn_pool_job)(void *argument, int chunk, int worker);

/* Registers the fork handler.  Called once, when the runner is imported; starts no thread. */
void mn_pool_initialize(void);

/* The number of threads that one job may use, the caller included.  Threads start with the first job that
   wants them. */
void mn_pool_set_threads(int threads);
int mn_pool_threads(void);

/* How many workers exist now (the caller is not one). */
int mn_pool_workers(void);

/* Runs job(argument, 0 … chunks − 1, ·) on at most `limit` threads and returns 1 when all are done, or no more are
   running of a job that was given up; returns 0, having done nothing, when MN_POOL_JOBS other jobs are running. */
int mn_pool_run(mn_pool_job job, void *argument, int chunks, int limit);

/* How many forks lie between the process that imported the runner and this one. */
unsigned mn_fork_count(void);

/* Nanoseconds of the monotonic clock. */
long long mn_clock(void);

#endif
