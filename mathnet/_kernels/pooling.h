/* Windows that slide along rows: maxima with their places, sums, and the transpose of the sums, over the vector types
   of simd.h.

   A vector holds the results of VL windows side by side, or elements of a picture that are `step` apart.  Windows are
   reduced in two passes: each row of x along itself, then the rows of a window below each other.

   Rows of x       tap kx of window ox is row[step ox + kx], where step 2 separates pairs in registers, or
                   row[taps[kx] + ox] in a row that is split by the phases of a stride
   Rows of dx      element step i + phase lies under the taps kx = p, p + step, … of the windows i + shift, i + shift - 1, …

   Where a body is inlined, constants unroll the usual windows; the order of summation is the same in all of them.
   Pointers are held in local variables there, because what is stored might be a pointer for all that the compiler knows. */
#ifndef MN_POOLING_H
#define MN_POOLING_H

#include "simd.h"

MN_INLINE mn_ivec mn_load_places(const mn_int *p)
{
    return (mn_ivec) * (const mn_ivec_in_memory *)p;
}

MN_INLINE void mn_store_places(mn_int *p, mn_ivec v)
{
    *(mn_ivec_in_memory *)p = (mn_ivec_in_memory)v;
}

/* The first result of a block of VL; the last block overlaps the one before. */
MN_INLINE int64_t mn_pool_block(int64_t block, int64_t results)
{
    const int64_t last = results > VL ? results - VL : 0;
    return block * VL < last ? block * VL : last;
}

MN_INLINE void mn_pool_store(mn_real *y, mn_vec v, int64_t lanes)
{
    if (lanes >= VL)
        v_store(y, v);
    else
        v_store_partial(y, v, (int)lanes);
}

MN_INLINE void mn_pool_store_bytes(uint8_t *p, mn_ivec v, int64_t lanes)
{
    uint8_t bytes[VL];
    if (lanes >= VL) {
        v_store_bytes(p, v);
        return;
    }
    v_store_bytes(bytes, v);
    memcpy(p, bytes, (size_t)lanes);
}

/* ---- rows of x ---- */

/* Blocks begin … end - 1 of a row; a block whose first result is ox reads from x + step * ox on. */
typedef struct {
    const mn_real *x;
    int64_t step;          /* 1 or 2 */
    int64_t kw;
    const int64_t *taps;   /* NULL: tap kx lies kx elements behind the first; else step is 1 */
    int64_t begin, end;
    int64_t results;       /* of the whole row */
    const mn_int *first;   /* of padded rows: where no element exceeds -inf, its place; or NULL for 0 */
} mn_pool_row;

enum { MN_APART, MN_SPLIT }; /* how the taps lie: kx apart, or as the table says */

/* candidate takes the place of the maximum so far: NaN wins over every number, the last NaN over the others. */
MN_INLINE void mn_pool_larger(mn_vec candidate, mn_ivec its_place, mn_vec *value, mn_ivec *place)
{
    const mn_ivec larger = v_gt(candidate, *value) | v_isnan(candidate);
    *value = v_select(larger, candidate, *value);
    *place = (mn_ivec)v_select(larger, (mn_vec)its_place, (mn_vec)*place);
}

MN_INLINE void mn_max_windows_body(const mn_pool_row *r, const int step, const int layout, const int64_t kw,
                                   const int padded, mn_real *values, mn_int *places)
{
    const mn_real *row = r->x;
    const int64_t *taps = r->taps, results = r->results, end = r->end;
    const mn_int *first = r->first;
    for (int64_t b = r->begin; b < end; b++) {
        const int64_t ox = mn_pool_block(b, results);
        const mn_real *x = row + step * ox;
        mn_vec even, odd, value = v_splat(-__builtin_inff());
        mn_ivec place = padded ? mn_load_places(first + ox) : v_isplat(0);
        int64_t kx = 0;
        if (!padded && step == 2) {
            v_load_pairs(x, &value, &odd);
            if (kw > 1)
                mn_pool_larger(odd, v_isplat(1), &value, &place);
            kx = kw > 1 ? 2 : 1;
        } else if (!padded) {
            value = v_load(x + (layout == MN_SPLIT ? taps[0] : 0));
            kx = 1;
        }
        if (step == 2) {
#pragma GCC unroll 2
            for (; kx + 1 < kw; kx += 2) {
                v_load_pairs(x + kx, &even, &odd);
                mn_pool_larger(even, v_isplat((mn_int)kx), &value, &place);
                mn_pool_larger(odd, v_isplat((mn_int)kx + 1), &value, &place);
            }
            if (kx < kw && kx > 0) { /* the pair that ends here: nothing is read beyond the last tap */
                v_load_pairs(x + kx - 1, &even, &odd);
                mn_pool_larger(odd, v_isplat((mn_int)kx), &value, &place);
            } else if (kx < kw) {
                v_load_pairs(x, &even, &odd);
                mn_pool_larger(even, v_isplat(0), &value, &place);
            }
        } else {
#pragma GCC unroll 3
            for (; kx < kw; kx++)
                mn_pool_larger(v_load(x + (layout == MN_SPLIT ? taps[kx] : kx)), v_isplat((mn_int)kx), &value, &place);
        }
        v_store(values + ox, value);
        mn_store_places(places + ox, place);
    }
}

/* The maximum of each window along the row, and its tap. */
static __attribute__((noinline)) void mn_max_windows(const mn_pool_row *r, mn_real *values, mn_int *places)
{
    const int64_t kw = r->kw;
    if (r->taps)
        r->first ? mn_max_windows_body(r, 1, MN_SPLIT, kw, 1, values, places)
                 : mn_max_windows_body(r, 1, MN_SPLIT, kw, 0, values, places);
    else if (r->step == 2)
        r->first && kw == 3 ? mn_max_windows_body(r, 2, MN_APART, 3, 1, values, places)
        : r->first          ? mn_max_windows_body(r, 2, MN_APART, kw, 1, values, places)
        : kw == 3           ? mn_max_windows_body(r, 2, MN_APART, 3, 0, values, places)
                            : mn_max_windows_body(r, 2, MN_APART, kw, 0, values, places);
    else
        r->first  ? mn_max_windows_body(r, 1, MN_APART, kw, 1, values, places)
        : kw == 3 ? mn_max_windows_body(r, 1, MN_APART, 3, 0, values, places)
                  : mn_max_windows_body(r, 1, MN_APART, kw, 0, values, places);
}

MN_INLINE void mn_sum_windows_body(const mn_pool_row *r, const int step, const int layout, const int64_t kw, mn_real *sums)
{
    const mn_real *row = r->x;
    const int64_t *taps = r->taps, results = r->results, end = r->end;
    for (int64_t b = r->begin; b < end; b++) {
        const int64_t ox = mn_pool_block(b, results);
        const mn_real *x = row + step * ox;
        mn_vec even, odd, sum;
        int64_t kx = step;
        if (step == 2) {
            v_load_pairs(x, &sum, &odd);
            if (kw > 1)
                sum = sum + odd;
#pragma GCC unroll 2
            for (; kx + 1 < kw; kx += 2) {
                v_load_pairs(x + kx, &even, &odd);
                sum = sum + even;
                sum = sum + odd;
            }
            if (kx < kw) {
                v_load_pairs(x + kx - 1, &even, &odd);
                sum = sum + odd;
            }
        } else {
            sum = v_load(x + (layout == MN_SPLIT ? taps[0] : 0));
#pragma GCC unroll 3
            for (; kx < kw; kx++)
                sum = sum + v_load(x + (layout == MN_SPLIT ? taps[kx] : kx));
        }
        v_store(sums + ox, sum);
    }
}

/* The sum of each window along the row. */
static __attribute__((noinline)) void mn_sum_windows(const mn_pool_row *r, mn_real *sums)
{
    if (r->taps)
        mn_sum_windows_body(r, 1, MN_SPLIT, r->kw, sums);
    else if (r->step == 2)
        r->kw == 3 ? mn_sum_windows_body(r, 2, MN_APART, 3, sums) : mn_sum_windows_body(r, 2, MN_APART, r->kw, sums);
    else
        r->kw == 3 ? mn_sum_windows_body(r, 1, MN_APART, 3, sums) : mn_sum_windows_body(r, 1, MN_APART, r->kw, sums);
}

/* ---- rows of windows: n rows below each other, n > 0 ---- */

#define MN_HELD_ROWS 3

/* Up to MN_HELD_ROWS pointers in local variables, where `held` is n; 0: n is not known. */
MN_INLINE const mn_real *const *mn_hold_rows(const int held, const mn_real *const *rows, const mn_real **local)
{
#pragma GCC unroll 3
    for (int i = 0; i < held; i++)
        local[i] = rows[i];
    return held ? local : rows;
}

/* f(held) for the number of rows that is usual; the others with 0. */
#define MN_BY_ROWS(n, f) ((n) == 1 ? f(1) : (n) == 2 ? f(2) : (n) == 3 ? f(3) : f(0))

MN_INLINE void mn_max_rows_body(const int held, int64_t n, const mn_real *const *pointers, int64_t places, int64_t place,
                                int64_t kw, int64_t results, mn_real *y, uint8_t *offsets)
{
    const mn_real *local[MN_HELD_ROWS], *const *rows = mn_hold_rows(held, pointers, local);
    n = held ? held : n;
    for (int64_t b = 0; b * VL < results; b++) {
        const int64_t ox = mn_pool_block(b, results);
        mn_vec value = v_load(rows[0] + ox);
        mn_ivec chosen = mn_load_places((const mn_int *)(rows[0] + places) + ox) + (mn_int)place;
#pragma GCC unroll 3
        for (int64_t i = 1; i < n; i++)
            mn_pool_larger(v_load(rows[i] + ox),
                           mn_load_places((const mn_int *)(rows[i] + places) + ox) + (mn_int)(place + i * kw), &value,
                           &chosen);
        mn_pool_store(y + ox, value, results);
        mn_pool_store_bytes(offsets + ox, chosen, results);
    }
}

/* y and the places of the maxima.  A row: maxima, and `places` elements behind them their taps, as integers of the same
   width; place: that of the first row's first tap. */
static __attribute__((noinline)) void mn_max_rows(int64_t n, const mn_real *const *rows, int64_t places, int64_t place,
                                                  int64_t kw, int64_t results, mn_real *y, uint8_t *offsets)
{
#define MN_BODY(held) mn_max_rows_body(held, n, rows, places, place, kw, results, y, offsets)
    MN_BY_ROWS(n, MN_BODY);
#undef MN_BODY
}

MN_INLINE void mn_mean_rows_body(const int held, int64_t n, const mn_real *const *pointers, mn_real count,
                                 const mn_real *counts, int64_t results, mn_real *y)
{
    const mn_real *local[MN_HELD_ROWS], *const *rows = mn_hold_rows(held, pointers, local);
    n = held ? held : n;
    for (int64_t b = 0; b * VL < results; b++) {
        const int64_t ox = mn_pool_block(b, results);
        mn_vec sum = v_load(rows[0] + ox);
#pragma GCC unroll 3
        for (int64_t i = 1; i < n; i++)
            sum = sum + v_load(rows[i] + ox);
        mn_pool_store(y + ox, sum / (v_splat(count) * v_load(counts + ox)), results);
    }
}

/* y = the sum of the rows / (count * counts) */
static __attribute__((noinline)) void mn_mean_rows(int64_t n, const mn_real *const *rows, mn_real count,
                                                   const mn_real *counts, int64_t results, mn_real *y)
{
#define MN_BODY(held) mn_mean_rows_body(held, n, rows, count, counts, results, y)
    MN_BY_ROWS(n, MN_BODY);
#undef MN_BODY
}

/* ---- rows of dx ---- */

/* The first `left` of 2 VL elements even[0], odd[0], even[1], … */
MN_INLINE void mn_pool_store_pairs(mn_real *p, mn_vec even, mn_vec odd, int64_t left)
{
    mn_real pairs[2 * VL];
    if (left >= 2 * VL) {
        v_store_pairs(p, even, odd);
        return;
    }
    v_store_pairs(pairs, even, odd);
    mn_pool_store(p, v_load(pairs), left);
    if (left > VL)
        v_store_partial(p + VL, v_load(pairs + VL), (int)(left - VL));
}

/* A row of dx and the windows that see it: column step i + phase lies under tap (phase + odd) % step + j step of window
   i + (phase + odd) / step - j, for j = 0, 1, …: the order of windows is that of falling j. */
typedef struct {
    int64_t step;  /* 1 or 2 */
    int64_t odd;   /* with step 2: 0 or 1 */
    int64_t kw;
    int64_t columns;
    mn_real *dx;
} mn_pool_spread;

/* BODY(step, odd, kw) with constants for the usual windows. */
#define MN_BY_WINDOW(s, BODY)                                                                                        \
    ((s)->step == 2 && (s)->odd ? (s)->kw == 3 ? BODY(2, 1, 3) : BODY(2, 1, (s)->kw)                                 \
     : (s)->step == 2           ? (s)->kw == 3 ? BODY(2, 0, 3) : BODY(2, 0, (s)->kw)                                 \
     : (s)->kw == 3             ? BODY(1, 0, 3)                                                                      \
                                : BODY(1, 0, (s)->kw))

/* dx[0 … columns - 1], where ELEMENTS(phase) are those of columns step i + phase, step (i + 1) + phase, … */
#define MN_STORE_PHASES(ELEMENTS)                                                                                    \
    for (int64_t i = 0; i * step < columns; i += VL) {                                                               \
        if (step == 2)                                                                                               \
            mn_pool_store_pairs(dx + 2 * i, ELEMENTS(0), ELEMENTS(1), columns - 2 * i);                              \
        else                                                                                                         \
            mn_pool_store(dx + i, ELEMENTS(0), columns - i);                                                         \
    }

/* The sum of the shares over the windows of one row that hold the elements, in the order of the windows. */
MN_INLINE mn_vec mn_held(const int step, const int odd, const int phase, const int64_t kw, const mn_real *shares, int64_t i)
{
    const int64_t p = (phase + odd) % step, at = i + (phase + odd) / step;
    mn_vec sum = v_splat(0);
#pragma GCC unroll 3
    for (int64_t j = (kw - 1 - p + step) / step - 1; j >= 0; j--)
        sum = sum + v_load(shares + at - j);
    return sum;
}

MN_INLINE void mn_spread_row_body(const mn_pool_spread *s, const int step, const int odd, const int64_t kw,
                                  const mn_real *shares)
{
    const int64_t columns = s->columns;
    mn_real *dx = s->dx;
#define MN_ELEMENTS(phase) mn_held(step, odd, phase, kw, shares, i)
    MN_STORE_PHASES(MN_ELEMENTS)
#undef MN_ELEMENTS
}

/* One row of shares, 0 wherever a window lies outside, over the columns of its windows. */
static __attribute__((noinline)) void mn_spread_row(const mn_pool_spread *s, const mn_real *shares)
{
#define MN_BODY(step, odd, kw) mn_spread_row_body(s, step, odd, kw, shares)
    MN_BY_WINDOW(s, MN_BODY);
#undef MN_BODY
}

MN_INLINE void mn_add_rows_body(const int held, int64_t n, const mn_real *const *pointers, int64_t columns, mn_real *dx)
{
    const mn_real *local[MN_HELD_ROWS], *const *rows = mn_hold_rows(held, pointers, local);
    n = held ? held : n;
    for (int64_t i = 0; i < columns; i += VL) {
        mn_vec sum = v_load(rows[0] + i);
#pragma GCC unroll 3
        for (int64_t row = 1; row < n; row++)
            sum = sum + v_load(rows[row] + i);
        mn_pool_store(dx + i, sum, columns - i);
    }
}

/* dx = the sum of n > 0 rows */
static __attribute__((noinline)) void mn_add_rows(int64_t n, const mn_real *const *rows, int64_t columns, mn_real *dx)
{
#define MN_BODY(held) mn_add_rows_body(held, n, rows, columns, dx)
    MN_BY_ROWS(n, MN_BODY);
#undef MN_BODY
}

#endif
