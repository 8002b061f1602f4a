/* The weights of Winograd convolution, for stride 1 with 3 or 5 taps (winograd.h) and for
   stride 2 by phases (winograd_phases.h). */
#ifndef MN_WINOGRAD_WEIGHTS_H
#define MN_WINOGRAD_WEIGHTS_H

#include "winograd_phases.h"

/* point[i] = G w G' for one vector of kernels: w[t] at w + t * VL, rotated by half a turn when asked.  Points are
   `point_stride` elements apart; those that tiles of `rows` by `columns` points lack are left as they are. */
MN_INLINE void mn_weight_points(const mn_real *w, const int taps, const int phases, const int rotated, const int rows,
                                const int columns, mn_real *points, int64_t point_stride)
{
    mn_vec half[MN_POINTS][MN_MOST_TAPS];
#pragma GCC unroll 5
    for (int j = 0; j < taps; j++) {
        mn_vec column[MN_MOST_TAPS], o[MN_POINTS];
#pragma GCC unroll 5
        for (int i = 0; i < taps; i++) {
            const int tap = i * taps + j;
            column[i] = v_load(w + (rotated ? taps * taps - 1 - tap : tap) * VL);
        }
        phases ? mn_places_of_taps(column, o) : mn_points_of_taps(taps, column, o);
#pragma GCC unroll 6
        for (int i = 0; i < MN_POINTS; i++)
            half[i][j] = o[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < MN_POINTS; i++) {
        mn_vec o[MN_POINTS];
        if (!mn_has_point(rows, i))
            continue;
        phases ? mn_places_of_taps(half[i], o) : mn_points_of_taps(taps, half[i], o);
#pragma GCC unroll 6
        for (int j = 0; j < MN_POINTS; j++)
            if (mn_has_point(columns, j))
                v_store(points + (i * MN_POINTS + j) * point_stride, o[j]);
    }
}

MN_INLINE void mn_points_of_kernels(const mn_real *w, int64_t count, const int taps, const int phases, const int rotated,
                                    const int rows, const int columns, mn_real *points, int64_t point_stride, int64_t step)
{
    for (int64_t k = 0; k < count; k++, w += taps * taps * VL, points += step)
        mn_weight_points(w, taps, phases, rotated, rows, columns, points, point_stride);
}

/* `count` vectors of kernels, one after the other in `w`; the points of the next one are `step` elements further.
   rows, columns: points of the largest tile along each axis; by phases 6. */
static __attribute__((noinline)) void mn_winograd_weights(const mn_real *w, int64_t count, int64_t taps, int phases,
                                                          int rotated, int rows, int columns, mn_real *points,
                                                          int64_t point_stride, int64_t step)
{
    if (phases)
        rotated ? mn_points_of_kernels(w, count, 3, 1, 1, 6, 6, points, point_stride, step)
                : mn_points_of_kernels(w, count, 3, 1, 0, 6, 6, points, point_stride, step);
    else if (taps == 5)
        rotated ? mn_points_of_kernels(w, count, 5, 0, 1, rows, columns, points, point_stride, step)
                : mn_points_of_kernels(w, count, 5, 0, 0, rows, columns, points, point_stride, step);
    else if (rows == 4 && columns == 4)
        rotated ? mn_points_of_kernels(w, count, 3, 0, 1, 4, 4, points, point_stride, step)
                : mn_points_of_kernels(w, count, 3, 0, 0, 4, 4, points, point_stride, step);
    else
        rotated ? mn_points_of_kernels(w, count, 3, 0, 1, rows, columns, points, point_stride, step)
                : mn_points_of_kernels(w, count, 3, 0, 0, rows, columns, points, point_stride, step);
}

/* dw = G' point G for VL kernels that follow each other in memory, of which `lanes` exist; points that tiles of `rows` by
   `columns` points lack are not read. */
MN_INLINE void mn_weight_gradient(const int taps, const int phases, const int rows, const int columns,
                                  const mn_real *points, int64_t point_stride, int64_t lanes, mn_real *dw)
{
    const int all = taps * taps, whole = all / VL * VL;
    mn_vec half[MN_MOST_TAPS][MN_POINTS], gradient[MN_MOST_TAPS * MN_MOST_TAPS];
    mn_real rest[VL * VL];
#pragma GCC unroll 6
    for (int j = 0; j < MN_POINTS; j++) {
        mn_vec d[MN_POINTS], o[MN_MOST_TAPS];
#pragma GCC unroll 6
        for (int i = 0; i < MN_POINTS; i++)
            d[i] = mn_has_point(rows, i) && mn_has_point(columns, j) ? v_load(points + (i * MN_POINTS + j) * point_stride)
                                                                     : v_splat(0);
        phases ? mn_gradients_of_places(d, o) : mn_gradients_of_points(taps, d, o);
#pragma GCC unroll 5
        for (int i = 0; i < taps; i++)
            half[i][j] = o[i];
    }
#pragma GCC unroll 5
    for (int i = 0; i < taps; i++)
        phases ? mn_gradients_of_places(half[i], gradient + i * taps)
               : mn_gradients_of_points(taps, half[i], gradient + i * taps);
#pragma GCC unroll 16
    for (int t = whole; t < all; t++)
        v_store(rest + (t - whole) * VL, gradient[t]);
#pragma GCC unroll 12
    for (int t = 0; t < whole; t += VL)
        v_transpose(gradient + t);
#pragma GCC unroll 16
    for (int lane = 0; lane < VL; lane++)
        if (lane < lanes) {
#pragma GCC unroll 12
            for (int t = 0; t < whole; t += VL)
                v_store(dw + lane * all + t, gradient[t + lane]);
            for (int t = whole; t < all; t++)
                dw[lane * all + t] = rest[(t - whole) * VL + lane];
        }
}

static __attribute__((noinline)) void mn_winograd_weight_gradient(const mn_real *points, int64_t point_stride, int64_t taps,
                                                                  int phases, int rows, int columns, int64_t lanes,
                                                                  mn_real *dw)
{
    if (phases)
        mn_weight_gradient(3, 1, 6, 6, points, point_stride, lanes, dw);
    else if (taps == 5)
        mn_weight_gradient(5, 0, rows, columns, points, point_stride, lanes, dw);
    else if (rows == 4 && columns == 4)
        mn_weight_gradient(3, 0, 4, 4, points, point_stride, lanes, dw);
    else
        mn_weight_gradient(3, 0, rows, columns, points, point_stride, lanes, dw);
}

#endif
