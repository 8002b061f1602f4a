/* Winograd's minimal filtering along the rows of an image alone, over the vector types of simd.h (see winograd.h).

   4 outputs of a filter of `taps` taps, 3 or 4, are a polynomial product at taps + 3 points.

       y = A' (G w * B' x)         x: taps + 3 inputs, w: taps, y: 4 outputs, *: point by point

   3 taps have the points of winograd.h.  4 taps have 0, 1/2, -1/2, 1, -1, -2 and infinity, of all short numbers those
   with about the smallest error: 2 to 2.5 times that of direct sums.  The lanes are tiles where the input is transformed, filters
   elsewhere. */
#ifndef MN_ROW_WINOGRAD_H
#define MN_ROW_WINOGRAD_H

#include "winograd.h"

#define MN_ROW_OUTPUTS 4
#define MN_ROW_POINTS 7 /* at most */

/* ---- 4 taps along one axis ---- */

/* o = B' d: 7 inputs to points.  s is d times (x + 2), the factor of the point that has no opposite. */
MN_INLINE void mn_seven_points_of_input(const mn_vec *d, mn_vec *o)
{
    const mn_vec half = v_splat((mn_real)0.5), quarter = v_splat((mn_real)0.25), two = v_splat(2);
    const mn_vec five_quarters = v_splat((mn_real)1.25);
    mn_vec s[6];
#pragma GCC unroll 6
    for (int i = 0; i < 6; i++)
        s[i] = v_fma(two, d[i], d[i + 1]);
    const mn_vec low_half = s[3] - s[1], high_half = s[4] - s[2];
    const mn_vec low_one = v_fnma(quarter, s[1], s[3]), high_one = v_fnma(quarter, s[2], s[4]);
    o[0] = v_fma(quarter, s[0], v_fnma(five_quarters, s[2], s[4]));
    o[1] = v_fma(half, low_half, high_half);
    o[2] = v_fnma(half, low_half, high_half);
    o[3] = high_one + low_one;
    o[4] = high_one - low_one;
    o[5] = v_fma(quarter, d[1], v_fnma(five_quarters, d[3], d[5]));
    o[6] = v_fma(quarter, s[1], v_fnma(five_quarters, s[3], s[5]));
}

/* o = G w: 4 taps to points; the divisors are the products of the differences to the other points. */
MN_INLINE void mn_seven_points_of_taps(const mn_vec *w, mn_vec *o)
{
    const mn_vec half = v_splat((mn_real)0.5), quarter = v_splat((mn_real)0.25), four = v_splat(4);
    const mn_vec even_half = v_fma(quarter, w[2], w[0]), odd_half = v_fma(quarter, w[3], w[1]) * half;
    const mn_vec even_one = w[0] + w[2], odd_one = w[1] + w[3];
    const mn_vec even_two = v_fma(four, w[2], w[0]), odd_two = v_fma(four, w[3], w[1]);
    o[0] = w[0] + w[0];
    o[1] = (even_half + odd_half) * (mn_real)(-16.0 / 15.0);
    o[2] = (even_half - odd_half) * (mn_real)(-16.0 / 9.0);
    o[3] = (even_one + odd_one) * (mn_real)(2.0 / 9.0);
    o[4] = (even_one - odd_one) * (mn_real)(2.0 / 3.0);
    o[5] = v_fnma(v_splat(2), odd_two, even_two) * (mn_real)(-2.0 / 45.0);
    o[6] = w[3];
}

/* o = A' d: points to 4 outputs. */
MN_INLINE void mn_outputs_of_seven_points(const mn_vec *d, mn_vec *o)
{
    const mn_vec sum_half = d[1] + d[2], odd_half = d[1] - d[2], sum_one = d[3] + d[4], odd_one = d[3] - d[4];
    o[0] = d[0] + sum_half + (sum_one + d[5]);
    o[1] = v_fma(v_splat((mn_real)0.5), odd_half, v_fnma(v_splat(2), d[5], odd_one));
    o[2] = v_fma(v_splat((mn_real)0.25), sum_half, v_fma(v_splat(4), d[5], sum_one));
    o[3] = v_fma(v_splat((mn_real)0.125), odd_half, v_fnma(v_splat(8), d[5], odd_one)) + d[6];
}

/* ---- rows ---- */

MN_INLINE void mn_row_input_body(const int taps, const mn_real *const *inputs, int64_t tiles, mn_real *point,
                                 int64_t point_stride)
{
    for (int64_t t = 0; t < tiles; t += VL) {
        mn_vec d[MN_ROW_POINTS], o[MN_ROW_POINTS];
#pragma GCC unroll 7
        for (int j = 0; j < taps + 3; j++)
            d[j] = v_load(inputs[j] + t);
        if (taps == 4)
            mn_seven_points_of_input(d, o);
        else
            mn_points_of_inputs(6, d, o);
#pragma GCC unroll 7
        for (int j = 0; j < taps + 3; j++)
            v_store(point + j * point_stride + t, o[j]);
    }
}

/* point[i][t] = (B' d)[i], d[j] = inputs[j][t]; t goes to the next multiple of VL. */
static __attribute__((noinline)) void mn_row_input(int64_t taps, const mn_real *const *inputs, int64_t tiles,
                                                   mn_real *point, int64_t point_stride)
{
    taps == 4 ? mn_row_input_body(4, inputs, tiles, point, point_stride)
              : mn_row_input_body(3, inputs, tiles, point, point_stride);
}

/* point[i] = (G w)[i] for VL filters, whose tap j is at w[j]. */
static __attribute__((noinline)) void mn_row_weights(int64_t taps, const mn_real *const *w, mn_real *point,
                                                     int64_t point_stride)
{
    mn_vec d[4], o[MN_ROW_POINTS];
    for (int j = 0; j < taps; j++)
        d[j] = v_load(w[j]);
    if (taps == 4)
        mn_seven_points_of_taps(d, o);
    else
        mn_points_of_taps(3, d, o);
    for (int j = 0; j < taps + 3; j++)
        v_store(point + j * point_stride, o[j]);
}

MN_INLINE void mn_row_output_body(const int taps, const mn_real *point, int64_t point_stride, int64_t tile, int64_t tiles,
                                  mn_real *pixels)
{
    for (int64_t t = 0; t < tiles; t++, point += tile, pixels += MN_ROW_OUTPUTS * VL) {
        mn_vec d[MN_ROW_POINTS], o[MN_ROW_OUTPUTS];
#pragma GCC unroll 7
        for (int j = 0; j < taps + 3; j++)
            d[j] = v_load(point + j * point_stride);
        if (taps == 4)
            mn_outputs_of_seven_points(d, o);
        else
            mn_outputs_of_points(MN_POINTS, 4, d, o);
#pragma GCC unroll 4
        for (int j = 0; j < MN_ROW_OUTPUTS; j++)
            v_store(pixels + j * VL, o[j]);
    }
}

/* pixels[4 t + j] = (A' d)[j], d[i] = point[i][t]: VL filters per pixel; tiles are `tile` elements apart. */
static __attribute__((noinline)) void mn_row_output(int64_t taps, const mn_real *point, int64_t point_stride, int64_t tile,
                                                    int64_t tiles, mn_real *pixels)
{
    taps == 4 ? mn_row_output_body(4, point, point_stride, tile, tiles, pixels)
              : mn_row_output_body(3, point, point_stride, tile, tiles, pixels);
}

#endif
