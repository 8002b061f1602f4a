/* Kernels of a plugin for tests of mn.KernelOp, good ones and broken ones.  Compiled once for each table: REAL, REAL_NAME, ABI. */
#include "abi.h"

#include <stddef.h>
#include <time.h>

#define CHUNK 1000

typedef struct {
    int64_t n;
    int64_t limit;
} lookup_t;

typedef struct {
    int64_t n;
} length_t;

static void one_chunk(const void *descriptor, mn_sizes *out)
{
    out->chunks = *(const int64_t *)descriptor < 0 ? -1 : 1;
    out->scratch = out->shared = out->finish = 0;
    out->work = 100;
}

/* Operands: table (limit) IN, indices (n) int64 IN, result (n) OUT. */
static int lookup(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    const lookup_t *d = descriptor;
    const REAL *table = operands[0];
    const int64_t *index = operands[1];
    REAL *out = operands[2];
    (void)chunk;
    for (int64_t i = 0; i < d->n; i++) {
        if (index[i] < 0 || index[i] >= d->limit)
            return mn_fail(scratch, MN_INDEX_OUT_OF_RANGE, i, (double)index[i]);
        out[i] = table[index[i]];
    }
    return MN_OK;
}

static void total_sizes(const void *descriptor, mn_sizes *out)
{
    int64_t n = ((const length_t *)descriptor)->n;
    out->chunks = n > 0 ? (n + CHUNK - 1) / CHUNK : 1;
    out->scratch = 64;
    out->shared = out->chunks * (int64_t)sizeof(REAL);
    out->finish = 1;
    out->work = 1e6; /* worth several threads */
}

/* Operands: x (n) IN, sum () OUT, partial sums (chunks) SHARED. */
static int total(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    int64_t n = ((const length_t *)descriptor)->n, chunks = n > 0 ? (n + CHUNK - 1) / CHUNK : 1;
    const REAL *x = operands[0];
    REAL *partial = operands[2], sum = 0;
    (void)scratch;
    if (chunk == chunks) {
        for (int64_t k = 0; k < chunks; k++)
            sum += partial[k];
        *(REAL *)operands[1] = sum;
        return MN_OK;
    }
    for (int64_t i = (int64_t)chunk * CHUNK; i < n && i < (chunk + 1) * (int64_t)CHUNK; i++)
        sum += x[i];
    partial[chunk] = sum;
    return MN_OK;
}

/* Operands: x (n) IN, x again (n) OUT: the last element is forgotten. */
static int forgetful(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    (void)chunk, (void)scratch;
    for (int64_t i = 0; i + 1 < ((const length_t *)descriptor)->n; i++)
        ((REAL *)operands[1])[i] = ((const REAL *)operands[0])[i];
    return MN_OK;
}

/* One element too many. */
static int careless(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    int64_t n = ((const length_t *)descriptor)->n;
    (void)chunk, (void)scratch;
    for (int64_t i = 0; i < n; i++)
        ((REAL *)operands[1])[i] = ((const REAL *)operands[0])[i];
    ((REAL *)operands[1])[n] = 0;
    return MN_OK;
}

/* Set by another thread of the interpreter. */
volatile int32_t entered = 0, released = 0;

static void long_chunk(const void *descriptor, mn_sizes *out)
{
    one_chunk(descriptor, out);
    out->work = 1e9;
}

/* Waits until it is released; a failure after a minute says that nobody could. */
static int wait_for_release(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    time_t limit = time(NULL) + 60;
    (void)descriptor, (void)chunk;
    entered = 1;
    while (!released)
        if (time(NULL) > limit)
            return mn_fail(scratch, MN_NOT_FINITE, 0, 0.0);
    ((REAL *)operands[1])[0] = 1;
    return MN_OK;
}

static const mn_field lookup_fields[] = {
    {"n", offsetof(lookup_t, n), 1, 'q'},
    {"limit", offsetof(lookup_t, limit), 1, 'q'},
};
static const mn_field length_fields[] = {{"n", 0, 1, 'q'}};
static const mn_field misplaced_fields[] = {{"n", 8, 1, 'q'}};

static const mn_entry entries[] = {
    {"lookup", lookup, one_chunk, lookup_fields, 2, sizeof(lookup_t), 0},
    {"total", total, total_sizes, length_fields, 1, sizeof(length_t), 0},
    {"forgetful", forgetful, one_chunk, length_fields, 1, sizeof(length_t), 0},
    {"careless", careless, one_chunk, length_fields, 1, sizeof(length_t), 0},
    {"wait_for_release", wait_for_release, long_chunk, length_fields, 1, sizeof(length_t), 0},
};
static const mn_entry misplaced_entries[] = {
    {"lookup", lookup, one_chunk, misplaced_fields, 1, sizeof(length_t), 0},
};

const mn_table table = {MN_ABI_VERSION, "baseline", REAL_NAME, 5, entries};
const mn_table future = {MN_ABI_VERSION + 1, "baseline", REAL_NAME, 5, entries};
const mn_table misplaced = {MN_ABI_VERSION, "baseline", REAL_NAME, 1, misplaced_entries};
const mn_table elsewhere = {MN_ABI_VERSION, "quantum", REAL_NAME, 5, entries};
