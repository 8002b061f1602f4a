/* Small kernels for the tests of the runner, compiled by the tests against the public ABI, as a plugin would
   be. */
#include "abi.h"
#include <string.h>
#include <time.h>

/* y = scale·x + shift over n float32 elements in chunks of `chunk` elements. */
typedef struct {
    int64_t n, chunk;
    double scale, shift;
} affine_t;

static int64_t last(int64_t n, int64_t chunk, int index)
{
    int64_t stop = (index + 1) * chunk;
    return stop < n ? stop : n;
}

int affine(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    const affine_t *d = descriptor;
    const float *x = operands[0];
    float *y = operands[1];
    (void)scratch;
    for (int64_t i = chunk * d->chunk; i < last(d->n, d->chunk, chunk); i++)
        y[i] = (float)d->scale * x[i] + (float)d->shift;
    return MN_OK;
}

/* z = x + y. */
typedef struct {
    int64_t n, chunk;
} add_t;

int add(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    const add_t *d = descriptor;
    const float *x = operands[0], *y = operands[1];
    float *z = operands[2];
    (void)scratch;
    for (int64_t i = chunk * d->chunk; i < last(d->n, d->chunk, chunk); i++)
        z[i] = x[i] + y[i];
    return MN_OK;
}

/* y[0] = Σ x in float32: one partial sum per chunk in the shared operand, combined in order by the finishing
   call. */
int sum(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    const add_t *d = descriptor;
    const float *x = operands[0];
    float *y = operands[1], *partial = operands[2];
    int chunks = (int)((d->n + d->chunk - 1) / d->chunk);
    (void)scratch;
    if (chunk < chunks) {
        float total = 0;
        for (int64_t i = chunk * d->chunk; i < last(d->n, d->chunk, chunk); i++)
            total += x[i];
        partial[chunk] = total;
    } else {
        float total = 0;
        for (int i = 0; i < chunks; i++)
            total += partial[i];
        y[0] = total;
    }
    return MN_OK;
}

/* y[j] = (j + 1) Σ x: partial sums in the first stage, one element of y for each chunk of the second. */
typedef struct {
    int64_t n, chunk, results;
} multiples_t;

int multiples_of_sum(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    const multiples_t *d = descriptor;
    int chunks = (int)((d->n + d->chunk - 1) / d->chunk);
    add_t all = {d->n, d->chunk};
    float total;
    void *first[3] = {operands[0], &total, operands[2]};
    if (chunk < chunks)
        return sum(&all, first, chunk, scratch);
    sum(&all, first, chunks, scratch);
    ((float *)operands[1])[chunk - chunks] = (float)(chunk - chunks + 1) * total;
    return MN_OK;
}

/* y[chunk] = Σ over scratch that was filled with the chunk's number: wrong if two workers share scratch. */
typedef struct {
    int64_t n, rounds;
} scratch_t;

int fill_scratch(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    const scratch_t *d = descriptor;
    double *mine = scratch, total = 0;
    if ((uintptr_t)scratch % 64)
        return MN_NOT_FINITE;
    for (int64_t round = 0; round < d->rounds; round++) {
        for (int64_t i = 0; i < d->n; i++)
            mine[i] = chunk;
        total = 0;
        for (int64_t i = 0; i < d->n; i++)
            total += mine[i];
    }
    ((double *)operands[0])[chunk] = total;
    return MN_OK;
}

/* Fails at the first NaN of a chunk. */
int refuse_nan(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    const add_t *d = descriptor;
    const float *x = operands[0];
    for (int64_t i = chunk * d->chunk; i < last(d->n, d->chunk, chunk); i++)
        if (x[i] != x[i])
            return mn_fail(scratch, MN_NAN, i, chunk);
    return MN_OK;
}

/* count += 1, on a float64 scalar. */
int increment(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    (void)descriptor, (void)chunk, (void)scratch;
    *(double *)operands[0] += 1;
    return MN_OK;
}

/* y = (float) x for float64 scalars. */
int to_float(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    (void)descriptor, (void)chunk, (void)scratch;
    *(float *)operands[1] = (float)*(double *)operands[0];
    return MN_OK;
}

/* Busy for about `microseconds`. */
typedef struct {
    int64_t microseconds;
} spin_t;

int spin(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    const spin_t *d = descriptor;
    struct timespec now, start;
    (void)operands, (void)chunk, (void)scratch;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 < d->microseconds);
    return MN_OK;
}

int nothing(const void *descriptor, void *const *operands, int chunk, void *scratch)
{
    (void)descriptor, (void)operands, (void)chunk, (void)scratch;
    return MN_OK;
}
