/* Convolution without a matrix: blocks of outputs in registers, vectors along the rows of the picture.

       y[i][j] = sum over t of w[t] * x[offset[t] + i * x_row + j]         for i < rows, j < columns

   Each output is one chain of multiply-adds in the order t = 0, 1, …, so the cut into blocks never shows in the bits.
   A block holds up to 8 chains of a vector each: every multiply-add loads its vector of x, which is what the two load
   ports of a core sustain, and the weight is loaded once per block. */
#ifndef MN_DIRECT_H
#define MN_DIRECT_H

#include "simd.h"
#include "tile.h"

#define MN_DIRECT_SUMS 8

typedef struct {
    int64_t taps;
    const mn_real *w;
    const mn_real *x; /* rows are readable MN_DIRECT_VECTORS vectors beyond their last column */
    const int64_t *offset;
    int64_t x_row;
    mn_real *y;
    int64_t y_row;
    int64_t rows, columns;
    const mn_epilogue *epilogue; /* one bias for all outputs; or NULL */
} mn_direct;

#define MN_DIRECT_VECTORS 4

/* The finished chains of a block to y; the last vector of a row has `tail` lanes. */
MN_INLINE void mn_direct_finish(const mn_direct *d, mn_vec *sum, mn_real *y, const int rows, const int vectors,
                                const int tail)
{
    const int64_t y_row = d->y_row;
    const int last = vectors - 1;
    if (d->epilogue) {
        const mn_epilogue *e = d->epilogue;
        if (e->activation > MN_RELU) {
            mn_real finished[MN_DIRECT_SUMS * VL];
#pragma GCC unroll 8
            for (int i = 0; i < rows * vectors; i++)
                v_store(finished + i * VL, sum[i]);
            mn_epilogue_run(e, finished, vectors * VL, rows, last * VL + tail, y, y_row);
            return;
        }
        if (e->bias) {
            const mn_vec bias = v_splat(e->bias[0]);
#pragma GCC unroll 8
            for (int i = 0; i < rows * vectors; i++)
                sum[i] = sum[i] + bias;
        }
        if (e->activation == MN_RELU) {
#pragma GCC unroll 8
            for (int i = 0; i < rows * vectors; i++)
                sum[i] = mn_activate(sum[i], MN_RELU);
        }
    }
#pragma GCC unroll 8
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < last; j++)
            v_store(y + i * y_row + j * VL, sum[i * vectors + j]);
        if (tail == VL)
            v_store(y + i * y_row + last * VL, sum[i * vectors + last]);
        else
            v_store_partial(y + i * y_row + last * VL, sum[i * vectors + last], tail);
    }
}

/* One block at x, y; the last vector of a row has `tail` lanes. */
MN_INLINE void mn_direct_block(const mn_direct *d, const mn_real *x, mn_real *y, const int rows, const int vectors,
                               const int tail)
{
    const int64_t x_row = d->x_row, *offset = d->offset;
    const mn_real *w = d->w;
    mn_vec sum[MN_DIRECT_SUMS];

#pragma GCC unroll 8
    for (int i = 0; i < rows * vectors; i++)
        sum[i] = v_splat(0);
    for (int64_t t = d->taps; t > 0; t--) {
        const mn_real *from = x + *offset++;
        const mn_vec wt = v_splat(*w++);
#pragma GCC unroll 8
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                sum[i * vectors + j] = v_fma(wt, v_load(from + i * x_row + j * VL), sum[i * vectors + j]);
    }
    mn_direct_finish(d, sum, y, rows, vectors, tail);
}

#define MN_DIRECT_BLOCK(ROWS, VECTORS)                                                                              \
    static __attribute__((noinline)) void mn_direct_##ROWS##_##VECTORS(const mn_direct *d, const mn_real *x,        \
                                                                       mn_real *y, int tail)                        \
    {                                                                                                               \
        mn_direct_block(d, x, y, ROWS, VECTORS, tail);                                                              \
    }

MN_DIRECT_BLOCK(1, 1)
MN_DIRECT_BLOCK(2, 1)
MN_DIRECT_BLOCK(3, 1)
MN_DIRECT_BLOCK(4, 1)
MN_DIRECT_BLOCK(5, 1)
MN_DIRECT_BLOCK(6, 1)
MN_DIRECT_BLOCK(7, 1)
MN_DIRECT_BLOCK(8, 1)
MN_DIRECT_BLOCK(1, 2)
MN_DIRECT_BLOCK(2, 2)
MN_DIRECT_BLOCK(3, 2)
MN_DIRECT_BLOCK(4, 2)
MN_DIRECT_BLOCK(1, 3)
MN_DIRECT_BLOCK(2, 3)
MN_DIRECT_BLOCK(1, 4)
MN_DIRECT_BLOCK(2, 4)

typedef void (*mn_direct_block_fn)(const mn_direct *, const mn_real *, mn_real *, int);

/* [vectors - 1][rows - 1]; as many rows as sums allow */
static const mn_direct_block_fn mn_direct_blocks[MN_DIRECT_VECTORS][MN_DIRECT_SUMS] = {
    {mn_direct_1_1, mn_direct_2_1, mn_direct_3_1, mn_direct_4_1, mn_direct_5_1, mn_direct_6_1, mn_direct_7_1,
     mn_direct_8_1},
    {mn_direct_1_2, mn_direct_2_2, mn_direct_3_2, mn_direct_4_2},
    {mn_direct_1_3, mn_direct_2_3},
    {mn_direct_1_4, mn_direct_2_4},
};

/* Whether the taps are three rows of three, and each row of taps lies where the first lies for the next output (step 1)
   or the one before (step -1); else 0.  Then outputs below each other share what they load. */
static inline int mn_slides_3x3(const int64_t *offset, int64_t taps, int64_t x_row)
{
    if (taps != 9)
        return 0;
    const int64_t step = offset[3] - offset[0];
    if (step != x_row && step != -x_row)
        return 0;
    for (int t = 3; t < 9; t++)
        if (offset[t] - offset[t - 3] != step)
            return 0;
    return step == x_row ? 1 : -1;
}

/* The chains of three rows of outputs below each other meet one row of x: its vectors are loaded once. */
MN_INLINE void mn_slide_row(const mn_real *x, const int64_t *offset, const mn_vec w[9], mn_vec sum[3], const int rows)
{
#pragma GCC unroll 3
    for (int kx = 0; kx < 3; kx++) {
        const mn_vec v = v_load(x + offset[kx]);
#pragma GCC unroll 3
        for (int i = 0; i < rows; i++)
            sum[i] = v_fma(w[3 * (rows - 1 - i) + kx], v, sum[i]);
    }
}

/* A 3x3 window that slides down a vector of columns, the last of which overlaps the one before: nine weights, the
   chains of three rows of outputs and a vector of x are in registers, a third of a load for each multiply-add. */
MN_INLINE void mn_slide_columns(const mn_direct *d, const mn_real *x, int64_t x_row, mn_real *y, int64_t y_row,
                                const int finish)
{
    const int64_t offset[3] = {d->offset[0], d->offset[1], d->offset[2]}, rows = d->rows, columns = d->columns;
    const int lanes = columns < VL ? (int)columns : VL;
    mn_vec w[9];

#pragma GCC unroll 9
    for (int t = 0; t < 9; t++)
        w[t] = v_splat(d->w[t]);
    for (int64_t b = 0; b < columns; b += VL) {
        const int64_t j = b + lanes <= columns ? b : columns - lanes;
        const mn_real *from = x + j;
        mn_real *to = y + j;
        mn_vec sum[3] = {v_splat(0), v_splat(0), v_splat(0)}; /* the oldest first */
        mn_slide_row(from, offset, w, sum, 1);
        mn_slide_row(from += x_row, offset, w, sum, 2);
        for (int64_t i = rows; i > 0; i--, to += y_row) {
            mn_slide_row(from += x_row, offset, w, sum, 3);
            if (finish)
                mn_direct_finish(d, sum, to, 1, 1, lanes);
            else
                v_store(to, sum[0]);
            sum[0] = sum[1];
            sum[1] = sum[2];
            sum[2] = v_splat(0);
        }
    }
}

/* step: as mn_slides_3x3 says; upwards, the row whose window comes first in the order of the taps is the last. */
static __attribute__((noinline)) void mn_slide_run(const mn_direct *d, int step)
{
    const int64_t first = step > 0 ? 0 : d->rows - 1, x_row = step * d->x_row, y_row = step * d->y_row;
    const mn_real *x = d->x + first * d->x_row;
    mn_real *y = d->y + first * d->y_row;
    if (d->epilogue || d->columns < VL)
        mn_slide_columns(d, x, x_row, y, y_row, 1);
    else
        mn_slide_columns(d, x, x_row, y, y_row, 0);
}

static void mn_direct_run(const mn_direct *d)
{
    const int step = mn_slides_3x3(d->offset, d->taps, d->x_row);
    if (step) {
        mn_slide_run(d, step);
        return;
    }
    for (int64_t j = 0; j < d->columns; j += MN_DIRECT_VECTORS * VL) {
        const int64_t left = d->columns - j;
        const int vectors = left > 3 * VL ? 4 : (int)((left + VL - 1) / VL), most = MN_DIRECT_SUMS / vectors;
        const int tail = left >= vectors * VL ? VL : (int)(left - (vectors - 1) * VL);
        for (int64_t i = 0; i < d->rows;) {
            const int64_t rows_left = d->rows - i;
            const int rows = rows_left < most ? (int)rows_left : most;
            mn_direct_blocks[vectors - 1][rows - 1](d, d->x + i * d->x_row + j, d->y + i * d->y_row + j, tail);
            i += rows;
        }
    }
}

/* Gradients of weights, lane by lane, of a few filters and taps:

       sum[f * sum_row + t * VL + lane] += sum over i, and j = lane mod VL, of x[offset[t] + i * x_row + j] * y[f * y_filter + i * y_row + j]

   Nothing outside the columns of y is read; rows of x are readable a vector beyond. */
typedef struct {
    const mn_real *x;
    const int64_t *offset;
    int64_t x_row;
    const mn_real *y;
    int64_t y_filter, y_row;
    int64_t rows, columns;
    mn_real *sum;
    int64_t sum_row;
} mn_correlation;

#define MN_CORRELATION_SUMS 12

MN_INLINE void mn_correlation_block(const mn_correlation *d, const int filters, const int taps)
{
    const int64_t *offset = d->offset, whole = d->columns / VL * VL;
    const int tail = (int)(d->columns - whole);
    const mn_ivec mask = v_first_lanes(tail);
    mn_vec sum[MN_CORRELATION_SUMS];

#pragma GCC unroll 4
    for (int f = 0; f < filters; f++)
#pragma GCC unroll 12
        for (int t = 0; t < taps; t++)
            sum[f * taps + t] = v_load(d->sum + f * d->sum_row + t * VL);
    for (int64_t i = 0; i < d->rows; i++) {
        const mn_real *x = d->x + i * d->x_row, *y = d->y + i * d->y_row;
        for (int64_t j = 0; j < whole; j += VL) {
            mn_vec v[4];
#pragma GCC unroll 4
            for (int f = 0; f < filters; f++)
                v[f] = v_load(y + f * d->y_filter + j);
#pragma GCC unroll 12
            for (int t = 0; t < taps; t++) {
                const mn_vec xt = v_load(x + offset[t] + j);
#pragma GCC unroll 4
                for (int f = 0; f < filters; f++)
                    sum[f * taps + t] = v_fma(v[f], xt, sum[f * taps + t]);
            }
        }
        if (tail) {
            mn_vec v[4];
#pragma GCC unroll 4
            for (int f = 0; f < filters; f++)
                v[f] = v_load_partial(y + f * d->y_filter + whole, tail);
#pragma GCC unroll 12
            for (int t = 0; t < taps; t++) {
                const mn_vec xt = v_and(mask, v_load(x + offset[t] + whole)); /* 0 * NaN of a neighbour is no 0 */
#pragma GCC unroll 4
                for (int f = 0; f < filters; f++)
                    sum[f * taps + t] = v_fma(v[f], xt, sum[f * taps + t]);
            }
        }
    }
#pragma GCC unroll 4
    for (int f = 0; f < filters; f++)
#pragma GCC unroll 12
        for (int t = 0; t < taps; t++)
            v_store(d->sum + f * d->sum_row + t * VL, sum[f * taps + t]);
}

#define MN_CORRELATION(FILTERS, TAPS)                                                                               \
    static __attribute__((noinline)) void mn_correlation_##FILTERS##_##TAPS(const mn_correlation *d)                \
    {                                                                                                               \
        mn_correlation_block(d, FILTERS, TAPS);                                                                     \
    }

MN_CORRELATION(1, 1)
MN_CORRELATION(1, 3)
MN_CORRELATION(1, 5)
MN_CORRELATION(1, 9)
MN_CORRELATION(4, 1)
MN_CORRELATION(4, 3)

/* One row of x against up to three rows of y: tap row ky meets y[ky] when uses has bit ky. */
MN_INLINE void mn_correlation_row(const mn_real *x, const int64_t *offset, const mn_vec y[3], const int uses,
                                  mn_vec sum[9], const int tail)
{
#pragma GCC unroll 3
    for (int kx = 0; kx < 3; kx++) {
        mn_vec v = v_load(x + offset[kx]);
        if (tail)
            v = v_and(v_first_lanes(tail), v); /* 0 * NaN of a neighbour is no 0 */
#pragma GCC unroll 3
        for (int ky = 0; ky < 3; ky++)
            if (uses >> ky & 1)
                sum[3 * ky + kx] = v_fma(y[ky], v, sum[3 * ky + kx]);
    }
}

MN_INLINE mn_vec mn_correlation_load(const mn_real *y, const int tail)
{
    return tail ? v_load_partial(y, tail) : v_load(y);
}

/* A vector of columns under a 3x3 window that slides (step 1): a row of x is loaded once for the rows of y that it
   meets.  tail: 0, or the lanes of the last vector. */
MN_INLINE void mn_correlation_column(const mn_correlation *d, int64_t j, mn_vec sum[9], const int tail)
{
    const int64_t x_row = d->x_row, y_row = d->y_row, offset[3] = {d->offset[0], d->offset[1], d->offset[2]};
    const mn_real *x = d->x + j, *y = d->y + j;
    mn_vec rows[3] = {mn_correlation_load(y, tail), v_splat(0), v_splat(0)};

    mn_correlation_row(x, offset, rows, 1, sum, tail);
    if (d->rows > 1) {
        rows[1] = rows[0];
        rows[0] = mn_correlation_load(y += y_row, tail);
        mn_correlation_row(x += x_row, offset, rows, 3, sum, tail);
    }
    for (int64_t r = 2; r < d->rows; r++) {
        rows[2] = rows[1];
        rows[1] = rows[0];
        rows[0] = mn_correlation_load(y += y_row, tail);
        mn_correlation_row(x += x_row, offset, rows, 7, sum, tail);
    }
    rows[2] = rows[1];
    rows[1] = rows[0];
    if (d->rows > 1)
        mn_correlation_row(x += x_row, offset, rows, 6, sum, tail);
    else
        mn_correlation_row(x += x_row, offset, rows, 2, sum, tail);
    rows[2] = rows[1];
    mn_correlation_row(x += x_row, offset, rows, 4, sum, tail);
}

static __attribute__((noinline)) void mn_correlation_slide(const mn_correlation *d)
{
    mn_vec sum[9];
    int64_t j = 0;

#pragma GCC unroll 9
    for (int t = 0; t < 9; t++)
        sum[t] = v_load(d->sum + t * VL);
    for (; j + VL <= d->columns; j += VL)
        mn_correlation_column(d, j, sum, 0);
    if (j < d->columns)
        mn_correlation_column(d, j, sum, (int)(d->columns - j));
#pragma GCC unroll 9
    for (int t = 0; t < 9; t++)
        v_store(d->sum + t * VL, sum[t]);
}

/* All filters and taps, block by block. */
static void mn_correlation_run(const mn_correlation *d, int64_t filters, int64_t taps)
{
    if (d->rows <= 0)
        return;
    if (mn_slides_3x3(d->offset, taps, d->x_row) == 1) {
        mn_correlation part = *d;
        for (int64_t f = 0; f < filters; f++) {
            mn_correlation_slide(&part);
            part.y += d->y_filter;
            part.sum += d->sum_row;
        }
        return;
    }
    for (int64_t f = 0; f < filters;) {
        const int64_t height = filters - f >= 4 ? 4 : 1;
        for (int64_t t = 0; t < taps;) {
            const int64_t left = taps - t;
            mn_correlation part = *d;
            int64_t width;
            part.offset += t;
            part.y += f * d->y_filter;
            part.sum += f * d->sum_row + t * VL;
            if (height == 4) {
                width = left >= 3 ? 3 : 1;
                width == 3 ? mn_correlation_4_3(&part) : mn_correlation_4_1(&part);
            } else {
                width = left >= 9 ? 9 : left >= 5 ? 5 : left >= 3 ? 3 : 1;
                width == 9   ? mn_correlation_1_9(&part)
                : width == 5 ? mn_correlation_1_5(&part)
                : width == 3 ? mn_correlation_1_3(&part)
                             : mn_correlation_1_1(&part);
            }
            t += width;
        }
        f += height;
    }
}

#endif
