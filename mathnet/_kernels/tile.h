/* Register tiles of the matrix product, over the vector types of simd.h.

       C[rows][columns] = C0 + sum over k of A[rows][k] * B[k][columns]        C0 = C when resuming, else 0

   Every element of C is one chain of multiply-adds in the order k = 0, 1, …, whatever the shape of the tile, the
   strides of A or the number of columns: blocking never shows in the bits.  Columns beyond the last are computed by
   the same code on zero lanes and not stored.

   The largest tile fills the registers with accumulators, the vectors of a row of B, and one element of A (and one
   product, where nothing is fused), and has more chains than the multiply-adds that are under way at a time. */
#ifndef MN_TILE_H
#define MN_TILE_H

#include "simd.h"
#include "vector_math.h"

#if MN_VECTOR_BYTES == 64 /* AVX-512, 32 registers: 28 + 2 + 1 */
#define MN_TILE_ROWS 14
#define MN_TILE_VECTORS 2
#define MN_TILE_LIST(X) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14)
#elif defined(__aarch64__) /* NEON, 32 registers: 24 + 4 + 1 */
#define MN_TILE_ROWS 6
#define MN_TILE_VECTORS 4
#define MN_TILE_LIST(X) X(1) X(2) X(3) X(4) X(5) X(6)
#else /* SSE2 and AVX2, 16 registers: 12 + 2 + 1 (+ 1); 95 % of the peak of an AVX2 core */
#define MN_TILE_ROWS 6
#define MN_TILE_VECTORS 2
#define MN_TILE_LIST(X) X(1) X(2) X(3) X(4) X(5) X(6)
#endif
#define MN_TILE_COLUMNS (MN_TILE_VECTORS * VL)
#define MN_PANEL_ROWS (32768 / (MN_TILE_COLUMNS * (int)sizeof(mn_real))) /* of a panel of B: the first-level cache */
#define MN_TILE_STEPS 4 /* of the chains in one turn of the loop */
#define MN_STRIP_VECTORS 8
#define MN_LONG_ROWS 8 /* of a wide B that one row of A is multiplied by at a time */
#define MN_ROWS_AHEAD 8
#define MN_SHORT_ROW (1024 / (int)sizeof(mn_real))
#define MN_STRIP_COLUMNS (MN_STRIP_VECTORS * VL)

enum { MN_NO_ACTIVATION = 0, MN_RELU = 1, MN_TANH = 2, MN_SIGMOID = 3, MN_ACTIVATIONS };

/* What follows a complete chain: C = activation(C + bias).  The bias goes along the columns (bias_col = 1), or
   belongs to the rows (bias_col = 0, bias_row = 1), or there is none (NULL). */
typedef struct {
    const mn_real *bias;
    int64_t bias_row, bias_col;
    int64_t activation;
} mn_epilogue;

typedef struct {
    int64_t k;              /* length of the chains */
    const mn_real *a;       /* element (i, k) at a[i * a_row + k * a_col] */
    int64_t a_row, a_col;
    const mn_real *b;       /* row k at b + k * b_row; with b_offset set, at b + b_offset[k] */
    int64_t b_row;
    const int64_t *b_offset;
    int64_t b_columns;      /* readable elements in each row of B, at least `columns` */
    mn_real *c;             /* row i at c + i * c_row */
    int64_t c_row;
    int64_t columns;        /* 1 … MN_TILE_COLUMNS */
    mn_real *panel;         /* when set, the rows of B are also written here, MN_TILE_COLUMNS apart, zero-padded */
    int64_t resume;         /* start from C instead of zero */
    const mn_epilogue *epilogue; /* applied to the finished chains, or NULL */
} mn_tile;

/* The same vector functions as the elementwise machine (vm_primitives.h): fused and unfused plans have equal bits. */
MN_INLINE mn_vec mn_activate(mn_vec v, const int activation)
{
    switch (activation) {
    case MN_RELU:
        return v_max(v_splat(0), v); /* in this order NaN stays NaN */
    case MN_TANH:
        return v_tanh(v);
    case MN_SIGMOID:
        return v_sigmoid(v);
    default:
        return v;
    }
}

MN_INLINE void mn_epilogue_body(const mn_epilogue *e, const mn_real *x, int64_t x_row, int64_t rows, int64_t columns,
                                mn_real *y, int64_t y_row, const int activation)
{
    for (int64_t i = 0; i < rows; i++, x += x_row, y += y_row)
        for (int64_t j = 0; j < columns; j += VL) {
            const int lanes = columns - j < VL ? (int)(columns - j) : VL;
            mn_vec v = v_load(x + j);
            if (e->bias && e->bias_col)
                v = v + (lanes == VL ? v_load(e->bias + j) : v_load_partial(e->bias + j, lanes));
            else if (e->bias)
                v = v + v_splat(e->bias[i * e->bias_row]);
            v = mn_activate(v, activation);
            if (lanes == VL)
                v_store(y + j, v);
            else
                v_store_partial(y + j, v, lanes);
        }
}

/* y = activation(x + bias).  Each row of x is readable up to the next multiple of VL. */
static __attribute__((noinline)) void mn_epilogue_run(const mn_epilogue *e, const mn_real *x, int64_t x_row,
                                                      int64_t rows, int64_t columns, mn_real *y, int64_t y_row)
{
    switch (e->activation) {
    case MN_RELU:
        mn_epilogue_body(e, x, x_row, rows, columns, y, y_row, MN_RELU);
        break;
    case MN_TANH:
        mn_epilogue_body(e, x, x_row, rows, columns, y, y_row, MN_TANH);
        break;
    case MN_SIGMOID:
        mn_epilogue_body(e, x, x_row, rows, columns, y, y_row, MN_SIGMOID);
        break;
    default:
        mn_epilogue_body(e, x, x_row, rows, columns, y, y_row, MN_NO_ACTIVATION);
    }
}

/* Rows of the next tile when `left` rows remain: full tiles, the last two of equal height.  Of sixes: 4+3, 4+4, 5+4 or
   5+5 for 6+1 … 6+4, because a tile of one row runs at a quarter of the speed. */
static inline int64_t mn_tile_rows(int64_t left)
{
    if (left <= MN_TILE_ROWS)
        return left;
    return left < 2 * MN_TILE_ROWS ? (left + 1) / 2 : MN_TILE_ROWS;
}

/* As many whole MN_TILE_STEPS of the chains as there are, with constant distances in a panel of B and along k in A; says
   how many steps are left.  The fewer instructions stand beside the multiply-adds, the less it costs that another
   thread shares the core: there products of 128 columns take 7 to 14 % less time than step by step, else up to 2. */
MN_INLINE int64_t mn_tile_steps(mn_vec sum[][MN_TILE_VECTORS], const mn_real **a, const int64_t a_row,
                                const int64_t a_col, const mn_real **panel, int64_t k, const int rows)
{
    const mn_real *b = *panel;
    for (; k >= MN_TILE_STEPS; k -= MN_TILE_STEPS) {
#pragma GCC unroll 4
        for (int step = 0; step < MN_TILE_STEPS; step++) {
            mn_vec bk[MN_TILE_VECTORS];
#pragma GCC unroll 4
            for (int j = 0; j < MN_TILE_VECTORS; j++)
                bk[j] = v_load(b + j * VL);
#pragma GCC unroll 16
            for (int i = 0; i < rows; i++) {
                const mn_vec ak = v_splat(a[i / 3][i % 3 * a_row]);
#pragma GCC unroll 4
                for (int j = 0; j < MN_TILE_VECTORS; j++)
                    sum[i][j] = v_fma(ak, bk[j], sum[i][j]);
            }
            b += MN_TILE_COLUMNS;
#pragma GCC unroll 16
            for (int i = 0; i < rows; i += 3)
                a[i / 3] += a_col;
        }
    }
    *panel = b;
    return k;
}

/* The body of all tiles: every `const int` argument is a constant where it is inlined.
   partial: the last vector of a row of B is not wholly readable.  keep: write the panel.  gather: use b_offset. */
MN_INLINE void mn_tile_body(const mn_tile *t, const int rows, const int vectors, const int partial, const int keep,
                            const int gather)
{
    const int64_t a_row = t->a_row, a_col = t->a_col, b_row = t->b_row, c_row = t->c_row;
    const int last = vectors - 1;
    const int b_tail = (int)t->b_columns - last * VL, c_tail = (int)t->columns - last * VL;
    const int64_t *offset = t->b_offset;
    const mn_real *a[(MN_TILE_ROWS + 2) / 3], *b = t->b; /* one pointer for three rows: what addressing modes reach */
    mn_real *panel = t->panel, *c = t->c;
    mn_vec sum[MN_TILE_ROWS][MN_TILE_VECTORS];

#pragma GCC unroll 16
    for (int i = 0; i < rows; i += 3)
        a[i / 3] = t->a + i * a_row;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) /* on its way while the chains run */
        __builtin_prefetch(c + i * c_row);
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sum[i][j] = v_splat(0);
    if (t->resume) {
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
            for (int j = 0; j < last; j++)
                sum[i][j] = v_load(c + i * c_row + j * VL);
            sum[i][last] = c_tail >= VL ? v_load(c + i * c_row + last * VL)
                                        : v_load_partial(c + i * c_row + last * VL, c_tail);
        }
    }
    int64_t k = t->k;
    if (!partial && !keep && !gather && vectors == MN_TILE_VECTORS && rows > MN_TILE_ROWS / 2 &&
        b_row == MN_TILE_COLUMNS) { /* a panel; A in place or packed */
        if (a_col == 1)
            k = mn_tile_steps(sum, a, a_row, 1, &b, k, rows);
        else if (a_row == 1 && a_col == rows)
            k = mn_tile_steps(sum, a, 1, rows, &b, k, rows);
    }
    for (; k > 0; k--) {
        const mn_real *row = gather ? b + *offset++ : b;
        mn_vec bk[MN_TILE_VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++) {
            bk[j] = partial && j == last ? v_load_partial(row + j * VL, b_tail) : v_load(row + j * VL);
            if (keep)
                v_store(panel + j * VL, bk[j]);
        }
        if (keep && !gather) /* rows of a wide B lie in pages of their own, where no hardware looks ahead */
            __builtin_prefetch(row + MN_ROWS_AHEAD * b_row);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            const mn_vec ak = v_splat(a[i / 3][i % 3 * a_row]);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                sum[i][j] = v_fma(ak, bk[j], sum[i][j]);
        }
#pragma GCC unroll 16
        for (int i = 0; i < rows; i += 3)
            a[i / 3] += a_col;
        if (!gather)
            b += b_row;
        if (keep)
            panel += MN_TILE_COLUMNS;
    }
    const mn_epilogue *e = t->epilogue;
    if (e && e->bias && e->bias_col && e->activation <= MN_RELU) { /* the most frequent ones stay in registers */
        mn_vec bias[MN_TILE_VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            bias[j] = j < last || c_tail >= VL ? v_load(e->bias + j * VL) : v_load_partial(e->bias + j * VL, c_tail);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                sum[i][j] = sum[i][j] + bias[j];
        if (e->activation == MN_RELU) {
#pragma GCC unroll 16
            for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
                for (int j = 0; j < vectors; j++)
                    sum[i][j] = mn_activate(sum[i][j], MN_RELU);
        }
    } else if (e && e->bias && e->activation <= MN_RELU) {
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            const mn_vec bias = v_splat(e->bias[i * e->bias_row]);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                sum[i][j] = e->activation == MN_RELU ? mn_activate(sum[i][j] + bias, MN_RELU) : sum[i][j] + bias;
        }
    } else if (e) {
        mn_real finished[MN_TILE_ROWS * MN_TILE_COLUMNS];
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                v_store(finished + i * MN_TILE_COLUMNS + j * VL, sum[i][j]);
        mn_epilogue_run(e, finished, MN_TILE_COLUMNS, rows, t->columns, c, c_row);
        return;
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
#pragma GCC unroll 4
        for (int j = 0; j < last; j++)
            v_store(c + i * c_row + j * VL, sum[i][j]);
        if (c_tail >= VL)
            v_store(c + i * c_row + last * VL, sum[i][last]);
        else
            v_store_partial(c + i * c_row + last * VL, sum[i][last], c_tail);
    }
}

#define MN_TILE_OF(ROWS, VECTORS, PARTIAL)                                                                          \
    (t->b_offset ? t->panel ? mn_tile_body(t, ROWS, VECTORS, PARTIAL, 1, 1)                                         \
                            : mn_tile_body(t, ROWS, VECTORS, PARTIAL, 0, 1)                                         \
     : t->panel  ? mn_tile_body(t, ROWS, VECTORS, PARTIAL, 1, 0)                                                    \
                 : mn_tile_body(t, ROWS, VECTORS, PARTIAL, 0, 0))

#define MN_TILE_WIDTH(ROWS, VECTORS)                                                                                \
    (t->b_columns < VECTORS * VL ? MN_TILE_OF(ROWS, VECTORS, 1) : MN_TILE_OF(ROWS, VECTORS, 0))

#define MN_TILE(ROWS)                                                                                               \
    static __attribute__((noinline)) void mn_tile_##ROWS(const mn_tile *t)                                          \
    {                                                                                                               \
        if (MN_TILE_VECTORS >= 4 && t->columns > 3 * VL)                                                            \
            MN_TILE_WIDTH(ROWS, 4);                                                                                 \
        else if (MN_TILE_VECTORS >= 3 && t->columns > 2 * VL)                                                       \
            MN_TILE_WIDTH(ROWS, 3);                                                                                 \
        else if (t->columns > VL)                                                                                   \
            MN_TILE_WIDTH(ROWS, 2);                                                                                 \
        else                                                                                                        \
            MN_TILE_WIDTH(ROWS, 1);                                                                                 \
    }

MN_TILE_LIST(MN_TILE)

#define MN_TILE_NAME(ROWS) mn_tile_##ROWS,
static void (*const mn_tile_of_rows[MN_TILE_ROWS + 1])(const mn_tile *) = {0, MN_TILE_LIST(MN_TILE_NAME)};

/* C = the product of one tile; rows is 1 … MN_TILE_ROWS. */
static inline void mn_tile_run(const mn_tile *t, int64_t rows)
{
    mn_tile_of_rows[rows](t);
}

/* One row of C over 8 (or 4) vectors of B: enough independent chains to hide the latency of a multiply-add, and
   whole cache lines of B, so that a matrix streams from the second-level cache at its full width.  Where rows of B are
   short, some are fetched ahead (784x128 from that cache: 5.8 us, before 6.4); where they are long, that would be other
   pages, and of lines that are wanted late (1024x1024: 116 us, without 88). */
MN_INLINE void mn_strip_body(const mn_tile *t, const int vectors, const int gather, const int ahead)
{
    const int64_t a_col = t->a_col, b_row = t->b_row;
    const int64_t *offset = t->b_offset;
    const mn_real *a = t->a, *b = t->b;
    mn_vec sum[MN_STRIP_VECTORS];

#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++)
        sum[j] = t->resume ? v_load(t->c + j * VL) : v_splat(0);
    for (int64_t k = t->k; k > 0; k--) {
        const mn_real *row = gather ? b + *offset++ : b;
        const mn_vec ak = v_splat(*a);
        if (ahead)
#pragma GCC unroll 8
            for (int j = 0; j < vectors * MN_VECTOR_BYTES; j += 64)
                __builtin_prefetch((const char *)(row + MN_ROWS_AHEAD * b_row) + j);
#pragma GCC unroll 8
        for (int j = 0; j < vectors; j++)
            sum[j] = v_fma(ak, v_load(row + j * VL), sum[j]);
        a += a_col;
        if (!gather)
            b += b_row;
    }
#pragma GCC unroll 8
    for (int j = 0; j < vectors; j++)
        v_store(t->c + j * VL, sum[j]);
    if (t->epilogue)
        mn_epilogue_run(t->epilogue, t->c, 0, 1, vectors * VL, t->c, 0);
}

/* C = one row times B in place, over MN_STRIP_COLUMNS columns, and over half as many. */
static __attribute__((noinline)) void mn_strip_run(const mn_tile *t)
{
    t->b_offset                    ? mn_strip_body(t, MN_STRIP_VECTORS, 1, 0)
    : t->b_row <= MN_SHORT_ROW     ? mn_strip_body(t, MN_STRIP_VECTORS, 0, 1)
                                   : mn_strip_body(t, MN_STRIP_VECTORS, 0, 0);
}

static __attribute__((noinline)) void mn_half_strip_run(const mn_tile *t)
{
    t->b_offset                    ? mn_strip_body(t, MN_STRIP_VECTORS / 2, 1, 0)
    : t->b_row <= MN_SHORT_ROW     ? mn_strip_body(t, MN_STRIP_VECTORS / 2, 0, 1)
                                   : mn_strip_body(t, MN_STRIP_VECTORS / 2, 0, 0);
}

/* The body of mn_long_rows_run: `rows` rows of B from end to end, C starting from itself or from zero. */
MN_INLINE void mn_long_rows_body(const mn_tile *t, int64_t k, const int rows)
{
    const int64_t b_row = t->b_row, columns = t->columns;
    const int resume = t->resume || k > 0;
    const mn_real *a = t->a + k * t->a_col, *b = t->b + k * b_row;
    mn_real *c = t->c;
    mn_vec ak[MN_LONG_ROWS];
    int64_t n = 0;

#pragma GCC unroll 8
    for (int r = 0; r < rows; r++)
        ak[r] = v_splat(a[r * t->a_col]);
    for (; n + 2 * VL <= columns; n += 2 * VL) {
        mn_vec sum[2];
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++)
            sum[j] = resume ? v_load(c + n + j * VL) : v_splat(0);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
#pragma GCC unroll 2
            for (int j = 0; j < 2; j++)
                sum[j] = v_fma(ak[r], v_load(b + r * b_row + n + j * VL), sum[j]);
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++)
            v_store(c + n + j * VL, sum[j]);
    }
    for (; n < columns; n += VL) {
        const int lanes = columns - n < VL ? (int)(columns - n) : VL;
        mn_vec sum = resume ? v_load_partial(c + n, lanes) : v_splat(0);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            sum = v_fma(ak[r], v_load_partial(b + r * b_row + n, lanes), sum);
        v_store_partial(c + n, sum, lanes);
    }
}

/* C = one row times a wide B in place, over any number of columns, without an epilogue; k is at least MN_LONG_ROWS.  So many
   rows are read at a time, each as one stream, while C stays near (4096x4096 from memory: 17 GB/s, by strips 12). */
static __attribute__((noinline, unused)) void mn_long_rows_run(const mn_tile *t)
{
    int64_t k = 0;
    for (; k + MN_LONG_ROWS <= t->k; k += MN_LONG_ROWS)
        mn_long_rows_body(t, k, MN_LONG_ROWS);
    for (; k < t->k; k++)
        mn_long_rows_body(t, k, 1);
}

/* Dot products of one image with shifted copies of another, lane by lane:

       sum[t][lane] += sum over i, and j = lane mod VL, of x[offset[t] + i * x_row + j] * y[i * y_row + j]

   for rows i and columns j of y.  Nothing outside the columns is read. */
typedef struct {
    const mn_real *x, *y;
    const int64_t *offset;
    int64_t x_row, y_row;
    int64_t rows, columns;
    mn_real *sum; /* VL lanes for each t */
} mn_dots;

#define MN_DOTS 9

MN_INLINE void mn_dots_body(const mn_dots *d, const int count)
{
    const int tail = (int)(d->columns % VL);
    const int64_t whole = d->columns - tail;
    const int64_t *offset = d->offset;
    mn_vec sum[MN_DOTS];

#pragma GCC unroll 9
    for (int t = 0; t < count; t++)
        sum[t] = v_load(d->sum + t * VL);
    for (int64_t i = 0; i < d->rows; i++) {
        const mn_real *x = d->x + i * d->x_row, *y = d->y + i * d->y_row;
        for (int64_t j = 0; j < whole; j += VL) {
            const mn_vec v = v_load(y + j);
#pragma GCC unroll 9
            for (int t = 0; t < count; t++)
                sum[t] = v_fma(v, v_load(x + offset[t] + j), sum[t]);
        }
        if (tail) {
            const mn_vec v = v_load_partial(y + whole, tail);
#pragma GCC unroll 9
            for (int t = 0; t < count; t++)
                sum[t] = v_fma(v, v_load_partial(x + offset[t] + whole, tail), sum[t]);
        }
    }
#pragma GCC unroll 9
    for (int t = 0; t < count; t++)
        v_store(d->sum + t * VL, sum[t]);
}

/* count: 1 … MN_DOTS shifts. */
static __attribute__((noinline)) void mn_dots_run(const mn_dots *d, int64_t count)
{
    switch (count) {
    case 9:
        mn_dots_body(d, 9);
        return;
    case 3:
        mn_dots_body(d, 3);
        return;
    case 1:
        mn_dots_body(d, 1);
        return;
    default: { /* what is left of 5x5 and other windows, by threes and ones */
        mn_dots part = *d;
        while (count > 0) {
            const int step = count >= 3 ? 3 : 1;
            mn_dots_run(&part, step);
            part.offset += step;
            part.sum += step * VL;
            count -= step;
        }
    }
    }
}

/* target[j][i] = source[i][j], rows and columns up to VL, in registers.  Writes whole vectors: `columns` rows of VL
   elements, zero beyond `rows`. */
MN_INLINE void mn_transpose_block(const mn_real *source, int64_t source_row, int64_t rows, int64_t columns,
                                  mn_real *target, int64_t target_row)
{
    mn_vec r[VL];
    if (rows == VL && columns == VL) {
        v_load_transposed(source, source_row, r);
#pragma GCC unroll 16
        for (int j = 0; j < VL; j++)
            v_store(target + j * target_row, r[j]);
        return;
    }
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++)
        r[i] = i < rows ? v_load_partial(source + i * source_row, (int)columns) : v_splat(0);
    v_transpose(r);
#pragma GCC unroll 16
    for (int j = 0; j < VL; j++)
        if (j < columns)
            v_store(target + j * target_row, r[j]);
}

/* A transposed matrix of any size: target[k][i] = source[i][k] for `rows` sources of `columns` elements.  Whole
   vectors are written, so up to VL - 1 elements behind each target row are spoilt; rows of the target may overlap
   there (target_row may be as small as `rows`), because blocks run backwards over i and forwards over k. */
static __attribute__((noinline)) void mn_transpose(const mn_real *source, int64_t source_row, int64_t rows,
                                                   int64_t columns, mn_real *target, int64_t target_row)
{
    for (int64_t i = (rows - 1) / VL * VL; i >= 0; i -= VL) {
        const int64_t height = rows - i < VL ? rows - i : VL;
        for (int64_t k = 0; k < columns; k += VL) {
            const int64_t width = columns - k < VL ? columns - k : VL;
            mn_transpose_block(source + i * source_row + k, source_row, height, width, target + k * target_row + i,
                               target_row);
        }
    }
}

/* Panels of B, each MN_TILE_COLUMNS wide and k rows long, from rows read in one run: target[panel][k][column], columns
   zero-padded to whole panels. */
static __attribute__((noinline)) void mn_pack_panels(const mn_real *b, int64_t b_row, int64_t k, int64_t columns,
                                                     mn_real *target)
{
    const int64_t whole = columns / MN_TILE_COLUMNS * MN_TILE_COLUMNS;
    for (int64_t row = 0; row < k; row++, b += b_row, target += MN_TILE_COLUMNS) {
        mn_real *panel = target;
        int64_t n = 0;
        for (; n < whole; n += MN_TILE_COLUMNS, panel += k * MN_TILE_COLUMNS) {
            __builtin_prefetch(b + n + MN_ROWS_AHEAD * b_row);
#pragma GCC unroll 4
            for (int j = 0; j < MN_TILE_VECTORS; j++)
                v_store(panel + j * VL, v_load(b + n + j * VL));
        }
        for (int j = 0; n < columns && j < MN_TILE_VECTORS; j++) {
            const int64_t left = columns - n - j * VL;
            v_store(panel + j * VL, left <= 0 ? v_splat(0) : v_load_partial(b + n + j * VL, left < VL ? (int)left : VL));
        }
    }
}

/* The body of mn_copy_rows: whole vectors are stored, the next row overwrites what is too much; the last is exact. */
MN_INLINE void mn_copy_rows_body(const mn_real *source, int64_t source_row, const int rows, int64_t columns,
                                 mn_real *target)
{
    for (int64_t k = 1; k < columns; k++, source += source_row, target += rows) {
        __builtin_prefetch(source + MN_ROWS_AHEAD * source_row);
#pragma GCC unroll 4
        for (int i = 0; i < rows; i += VL)
            v_store(target + i, rows - i < VL ? v_load_partial(source + i, rows - i) : v_load(source + i));
    }
    __builtin_prefetch(source + MN_ROWS_AHEAD * source_row);
#pragma GCC unroll 4
    for (int i = 0; i < rows; i += VL) {
        if (rows - i < VL)
            v_store_partial(target + i, v_load_partial(source + i, rows - i), rows - i);
        else
            v_store(target + i, v_load(source + i));
    }
}

/* target[k][i] = source[k][i] for i < rows <= MN_TILE_ROWS, target rows without gaps; spoils VL - 1 elements behind. */
static __attribute__((noinline)) void mn_copy_rows(const mn_real *source, int64_t source_row, int64_t rows,
                                                   int64_t columns, mn_real *target)
{
    switch (rows) {
    case 6:
        mn_copy_rows_body(source, source_row, 6, columns, target);
        return;
    case 5:
        mn_copy_rows_body(source, source_row, 5, columns, target);
        return;
    case 4:
        mn_copy_rows_body(source, source_row, 4, columns, target);
        return;
    default:
        mn_copy_rows_body(source, source_row, (int)rows, columns, target);
    }
}

#endif
