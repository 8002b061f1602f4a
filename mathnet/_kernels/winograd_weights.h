/* The weights of Winograd convolution, for stride 1 (winograd.h) and for stride 2 by phases (winograd_phases.h). */
#ifndef MN_WINOGRAD_WEIGHTS_H
#define MN_WINOGRAD_WEIGHTS_H

#include "winograd_phases.h"

/* point[i] = G w G' for one vector of kernels: taps[t] at taps + t * VL, rotated by half a turn when asked.  Points are
   `point_stride` elements apart. */
MN_INLINE void mn_weight_points(const mn_real *taps, const int phases, const int rotated, mn_real *points, int64_t point_stride)
{
    mn_vec half[MN_POINTS][MN_TAPS];
#pragma GCC unroll 3
    for (int j = 0; j < MN_TAPS; j++) {
        mn_vec w[MN_TAPS], o[MN_POINTS];
#pragma GCC unroll 3
        for (int i = 0; i < MN_TAPS; i++) {
            const int tap = i * MN_TAPS + j;
            w[i] = v_load(taps + (rotated ? MN_TAPS_2D - 1 - tap : tap) * VL);
        }
        phases ? mn_places_of_taps(w, o) : mn_points_of_taps(w, o);
#pragma GCC unroll 6
        for (int i = 0; i < MN_POINTS; i++)
            half[i][j] = o[i];
    }
#pragma GCC unroll 6
    for (int i = 0; i < MN_POINTS; i++) {
        mn_vec o[MN_POINTS];
        phases ? mn_places_of_taps(half[i], o) : mn_points_of_taps(half[i], o);
#pragma GCC unroll 6
        for (int j = 0; j < MN_POINTS; j++)
            v_store(points + (i * MN_POINTS + j) * point_stride, o[j]);
    }
}

/* `count` vectors of kernels, one after the other in `taps`; the points of the next one are `step` elements further. */
static __attribute__((noinline)) void mn_winograd_weights(const mn_real *taps, int64_t count, int phases, int rotated,
                                                          mn_real *points, int64_t point_stride, int64_t step)
{
    for (int64_t k = 0; k < count; k++, taps += MN_TAPS_2D * VL, points += step)
        if (phases)
            rotated ? mn_weight_points(taps, 1, 1, points, point_stride)
                    : mn_weight_points(taps, 1, 0, points, point_stride);
        else
            rotated ? mn_weight_points(taps, 0, 1, points, point_stride)
                    : mn_weight_points(taps, 0, 0, points, point_stride);
}

/* dw = G' point G for VL kernels that follow each other in memory, of which `lanes` exist. */
MN_INLINE void mn_weight_gradient(const int phases, const mn_real *points, int64_t point_stride, int64_t lanes, mn_real *dw)
{
    enum { WHOLE = MN_TAPS_2D / VL * VL };
    mn_vec half[MN_TAPS][MN_POINTS], taps[MN_TAPS_2D];
    mn_real rest[MN_TAPS_2D * VL];
#pragma GCC unroll 6
    for (int j = 0; j < MN_POINTS; j++) {
        mn_vec d[MN_POINTS], o[MN_TAPS];
#pragma GCC unroll 6
        for (int i = 0; i < MN_POINTS; i++)
            d[i] = v_load(points + (i * MN_POINTS + j) * point_stride);
        phases ? mn_gradients_of_places(d, o) : mn_gradients_of_points(d, o);
#pragma GCC unroll 3
        for (int i = 0; i < MN_TAPS; i++)
            half[i][j] = o[i];
    }
#pragma GCC unroll 3
    for (int i = 0; i < MN_TAPS; i++)
        phases ? mn_gradients_of_places(half[i], taps + i * MN_TAPS)
               : mn_gradients_of_points(half[i], taps + i * MN_TAPS);
#pragma GCC unroll 9
    for (int t = WHOLE; t < MN_TAPS_2D; t++)
        v_store(rest + t * VL, taps[t]);
#pragma GCC unroll 4
    for (int t = 0; t < WHOLE; t += VL)
        v_transpose(taps + t);
#pragma GCC unroll 16
    for (int lane = 0; lane < VL; lane++)
        if (lane < lanes) {
#pragma GCC unroll 4
            for (int t = 0; t < WHOLE; t += VL)
                v_store(dw + lane * MN_TAPS_2D + t, taps[t + lane]);
            for (int t = WHOLE; t < MN_TAPS_2D; t++)
                dw[lane * MN_TAPS_2D + t] = rest[t * VL + lane];
        }
}

static __attribute__((noinline)) void mn_winograd_weight_gradient(const mn_real *points, int64_t point_stride, int phases,
                                                                  int64_t lanes, mn_real *dw)
{
    phases ? mn_weight_gradient(1, points, point_stride, lanes, dw)
           : mn_weight_gradient(0, points, point_stride, lanes, dw);
}

#endif
