/* y = y0 + A·x for a matrix whose rows are contiguous along k, over the vector types of simd.h.

   Each element of y is one chain of multiply-adds over k (tile.h), so the lanes of a vector cannot share a chain: VL rows
   at a time are transposed in registers, and lane i of a sum is the chain of row i.  Two such groups run side by side,
   because a multiply-add waits four cycles for the one before it (128x784 from the second-level cache: 40 GB/s, against
   25 of one group).  Where rows lie whole pages apart, all rows of a group fall into one set of the first-level cache,
   which holds one group: there they run one by one (4096x4096: 18 GB/s against 13). */
#ifndef MN_MATRIX_VECTOR_H
#define MN_MATRIX_VECTOR_H

#include "simd.h"

#define MN_ROW_GROUPS 2
#define MN_PAGE_ELEMENTS (4096 / (int)sizeof(mn_real))

typedef struct {
    int64_t rows, k;
    const mn_real *a; /* element (i, k) at a[i * a_row + k] */
    int64_t a_row;
    const mn_real *x; /* element k at x[k * x_step] */
    int64_t x_step;
    mn_real *y;       /* rows elements without gaps */
    int64_t resume;   /* start from y instead of zero */
} mn_matrix_vector;

/* sum += A[0 … rows][0 … width]·x for width <= VL; rows beyond the last count as zero. */
MN_INLINE mn_vec mn_group_step(mn_vec sum, const mn_real *a, int64_t a_row, int rows, const mn_real *x, int64_t x_step,
                               int width)
{
    mn_vec r[VL];
    if (rows == VL && width == VL) {
        v_load_transposed(a, a_row, r);
    } else {
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++)
            r[i] = i < rows ? v_load_partial(a + i * a_row, width) : v_splat(0);
        v_transpose(r);
    }
#pragma GCC unroll 16
    for (int j = 0; j < VL; j++)
        if (j < width)
            sum = v_fma(r[j], v_splat(x[j * x_step]), sum);
    return sum;
}

/* The rows from `first` on: `groups` groups of VL rows, or one group of fewer. */
MN_INLINE void mn_groups_run(const mn_matrix_vector *p, int64_t first, const int groups, const int rows)
{
    const int64_t a_row = p->a_row, x_step = p->x_step;
    const mn_real *a = p->a + first * a_row, *x = p->x;
    mn_vec sum[MN_ROW_GROUPS];
    int64_t k = 0;
#pragma GCC unroll 2
    for (int g = 0; g < groups; g++)
        sum[g] = p->resume ? v_load_partial(p->y + first + g * VL, rows) : v_splat(0);
    for (; k + VL <= p->k; k += VL)
#pragma GCC unroll 2
        for (int g = 0; g < groups; g++)
            sum[g] = mn_group_step(sum[g], a + g * VL * a_row + k, a_row, rows, x + k * x_step, x_step, VL);
    if (k < p->k)
#pragma GCC unroll 2
        for (int g = 0; g < groups; g++)
            sum[g] = mn_group_step(sum[g], a + g * VL * a_row + k, a_row, rows, x + k * x_step, x_step,
                                   (int)(p->k - k));
#pragma GCC unroll 2
    for (int g = 0; g < groups; g++)
        v_store_partial(p->y + first + g * VL, sum[g], rows);
}

static __attribute__((noinline, unused)) void mn_matrix_vector_run(const mn_matrix_vector *p)
{
    int64_t first = 0;
    if (p->a_row % MN_PAGE_ELEMENTS)
        for (; first + MN_ROW_GROUPS * VL <= p->rows; first += MN_ROW_GROUPS * VL)
            mn_groups_run(p, first, MN_ROW_GROUPS, VL);
    for (; first + VL <= p->rows; first += VL)
        mn_groups_run(p, first, 1, VL);
    if (first < p->rows)
        mn_groups_run(p, first, 1, (int)(p->rows - first));
}

#endif
