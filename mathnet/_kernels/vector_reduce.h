/* Reductions over vectors: sum, max, min, prod, in an order of combination that depends on the number of elements only.

   A run of up to MN_BLOCK elements goes to four accumulators, vector by vector in turn; they are combined as
   (0∘1)∘(2∘3), then lane i with lane i + half, again and again.  Longer runs are cut into blocks, blocks into pieces of
   MN_PIECE elements, both combined from left to right.  Rows are combined from top to bottom. */
#ifndef MN_VECTOR_REDUCE_H
#define MN_VECTOR_REDUCE_H

#include "vm_program.h"

#define MN_BLOCK (2048 / (int)sizeof(mn_real)) /* elements of a register of the elementwise machine */
#define MN_PIECE 16384                         /* elements of a run that one chunk sums */
#define MN_ROW_PIECE 1024                      /* rows that one chunk sums */

enum { MN_NO_REDUCTION, MN_SUM, MN_MAX, MN_MIN, MN_PROD, MN_REDUCTION_COUNT };

typedef struct {
    void (*start)(void *accumulator, int64_t n);                          /* n neutral elements */
    void (*run)(void *result, const void *from, int64_t n);               /* n <= MN_BLOCK elements to one */
    void (*combine)(void *accumulator, const void *value, int64_t n);     /* accumulator[i] ∘= value[i] */
    void (*rows)(void *accumulator, const void *rows, int64_t count, int64_t stride, int64_t n);
} mn_reduction;

#define MN_REDUCTION(name, neutral, pair)                                                                             \
    MN_INLINE mn_vec v_pair_##name(mn_vec a, mn_vec b)                                                                \
    {                                                                                                                 \
        return pair;                                                                                                  \
    }                                                                                                                 \
    static void start_##name(void *accumulator, int64_t n)                                                            \
    {                                                                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                               \
            ((mn_real *)accumulator)[i] = (mn_real)(neutral);                                                         \
    }                                                                                                                 \
    static void run_##name(void *result, const void *from, int64_t n)                                                 \
    {                                                                                                                 \
        const mn_real *p = from;                                                                                      \
        mn_vec sum[4];                                                                                                \
        for (int k = 0; k < 4; k++)                                                                                   \
            sum[k] = v_splat((mn_real)(neutral));                                                                     \
        int64_t i = 0;                                                                                                \
        for (; i + 4 * VL <= n; i += 4 * VL)                                                                          \
            _Pragma("GCC unroll 4") for (int k = 0; k < 4; k++) sum[k] = v_pair_##name(sum[k], v_load(p + i + k * VL)); \
        _Pragma("GCC unroll 4") for (int k = 0; k < 4; k++, i += VL)                                                  \
        {                                                                                                             \
            if (i + VL <= n)                                                                                          \
                sum[k] = v_pair_##name(sum[k], v_load(p + i));                                                        \
            else if (i < n)                                                                                           \
                sum[k] = v_pair_##name(sum[k], v_load_partial_or(p + i, (int)(n - i), (mn_real)(neutral)));           \
        }                                                                                                             \
        mn_vec all = v_pair_##name(v_pair_##name(sum[0], sum[1]), v_pair_##name(sum[2], sum[3]));                     \
        _Pragma("GCC unroll 8") for (int half = VL / 2; half > 0; half /= 2) all =                                    \
            v_pair_##name(all, v_upper(all, half));                                                                   \
        *(mn_real *)result = all[0];                                                                                  \
    }                                                                                                                 \
    static void rows_##name(void *accumulator, const void *rows, int64_t count, int64_t stride, int64_t n)            \
    {                                                                                                                 \
        mn_real *to = accumulator;                                                                                    \
        const mn_real *from = rows;                                                                                   \
        int64_t i = 0;                                                                                                \
        for (; i + 4 * VL <= n; i += 4 * VL) {                                                                        \
            mn_vec a = v_load(to + i), b = v_load(to + i + VL);                                                       \
            mn_vec c = v_load(to + i + 2 * VL), d = v_load(to + i + 3 * VL);                                          \
            for (int64_t row = 0; row < count; row++) {                                                               \
                const mn_real *p = from + row * stride + i;                                                           \
                a = v_pair_##name(a, v_load(p)), b = v_pair_##name(b, v_load(p + VL));                                \
                c = v_pair_##name(c, v_load(p + 2 * VL)), d = v_pair_##name(d, v_load(p + 3 * VL));                   \
            }                                                                                                         \
            v_store(to + i, a), v_store(to + i + VL, b);                                                              \
            v_store(to + i + 2 * VL, c), v_store(to + i + 3 * VL, d);                                                 \
        }                                                                                                             \
        for (; i + VL <= n; i += VL) {                                                                                \
            mn_vec a = v_load(to + i);                                                                                \
            for (int64_t row = 0; row < count; row++)                                                                 \
                a = v_pair_##name(a, v_load(from + row * stride + i));                                                \
            v_store(to + i, a);                                                                                       \
        }                                                                                                             \
        if (i < n) {                                                                                                  \
            int rest = (int)(n - i);                                                                                  \
            mn_vec a = v_load_partial(to + i, rest);                                                                  \
            for (int64_t row = 0; row < count; row++)                                                                 \
                a = v_pair_##name(a, v_load_partial(from + row * stride + i, rest));                                  \
            v_store_partial(to + i, a, rest);                                                                         \
        }                                                                                                             \
    }                                                                                                                 \
    static void combine_##name(void *accumulator, const void *value, int64_t n)                                       \
    {                                                                                                                 \
        if (n == 1) {                                                                                                 \
            mn_vec a = v_splat(*(mn_real *)accumulator), b = v_splat(*(const mn_real *)value);                        \
            *(mn_real *)accumulator = v_pair_##name(a, b)[0];                                                         \
        } else                                                                                                        \
            rows_##name(accumulator, value, 1, 0, n);                                                                 \
    }

MN_REDUCTION(sum, 0, a + b)
MN_REDUCTION(max, -INFINITY, v_max_or_nan(a, b))
MN_REDUCTION(min, INFINITY, v_min_or_nan(a, b))
MN_REDUCTION(prod, 1, a *b)

#define MN_REDUCTION_ENTRY(name) {start_##name, run_##name, combine_##name, rows_##name}
static const mn_reduction mn_reductions[MN_REDUCTION_COUNT] = {
    {0}, MN_REDUCTION_ENTRY(sum), MN_REDUCTION_ENTRY(max), MN_REDUCTION_ENTRY(min), MN_REDUCTION_ENTRY(prod)};

/* The same over int64, for the elementwise machine on integers; the order does not matter. */
#define MN_INTEGER_REDUCTION(name, neutral, pair)                                                                     \
    static void start_i64_##name(void *accumulator, int64_t n)                                                        \
    {                                                                                                                 \
        for (int64_t i = 0; i < n; i++)                                                                               \
            ((int64_t *)accumulator)[i] = neutral;                                                                    \
    }                                                                                                                 \
    static void rows_i64_##name(void *accumulator, const void *rows, int64_t count, int64_t stride, int64_t n)        \
    {                                                                                                                 \
        for (int64_t row = 0; row < count; row++)                                                                     \
            for (int64_t i = 0; i < n; i++) {                                                                         \
                int64_t a = ((int64_t *)accumulator)[i], b = ((const int64_t *)rows)[row * stride + i];               \
                ((int64_t *)accumulator)[i] = pair;                                                                   \
            }                                                                                                         \
    }                                                                                                                 \
    static void combine_i64_##name(void *accumulator, const void *value, int64_t n)                                   \
    {                                                                                                                 \
        rows_i64_##name(accumulator, value, 1, 0, n);                                                                 \
    }                                                                                                                 \
    static void run_i64_##name(void *result, const void *from, int64_t n)                                             \
    {                                                                                                                 \
        start_i64_##name(result, 1);                                                                                  \
        rows_i64_##name(result, from, n, 1, 1);                                                                       \
    }

MN_INTEGER_REDUCTION(sum, 0, MN_WRAP((uint64_t)a + (uint64_t)b))
MN_INTEGER_REDUCTION(max, INT64_MIN, a > b ? a : b)
MN_INTEGER_REDUCTION(min, INT64_MAX, a < b ? a : b)
MN_INTEGER_REDUCTION(prod, 1, MN_WRAP((uint64_t)a * (uint64_t)b))

static const mn_reduction mn_integer_reductions[MN_REDUCTION_COUNT] = {
    {0}, MN_REDUCTION_ENTRY(i64_sum), MN_REDUCTION_ENTRY(i64_max), MN_REDUCTION_ENTRY(i64_min),
    MN_REDUCTION_ENTRY(i64_prod)};

#endif
