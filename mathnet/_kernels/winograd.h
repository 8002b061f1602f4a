/* Winograd's minimal filtering for kernels of 3 or 5 taps (Lavin and Gray, Fast Algorithms for Convolutional Neural
   Networks, 2016), over the vector types of simd.h.

   Along one axis, 4 outputs of a filter of 3 taps, or 2 of one of 5, are a polynomial product taken at 6 points: 0, p, -p,
   q, -q and infinity.

       y = A' (G w * B' x)         x: 6 inputs, w: 3 or 5 taps, y: 4 or 2 outputs, *: point by point

   p = sqrt(1/2) and q = sqrt(2) halve the error of the usual 1 and 2; p*q = 1 and q = 2p make the transforms short.
   A small tile has one output less, 3 or 1; it takes 5 inputs and leaves the point -q out.  The smallest one, with 2
   outputs of 3 taps, takes 4 inputs and leaves q out as well.  Their B' is scaled by (point + q), or (point^2 - 2), which is
   what the missing points add to the denominators in G: all tiles share one G, hence the same transformed weights.
   B' depends on the inputs alone, A' on the outputs.  (With p out in place of q the smallest tile would have the same
   error: turned round, the one is the other.)

   Points stand in an array of MN_POINTS; smaller tiles leave the places of what they lack untouched (mn_has_point).  In
   two dimensions the transforms act on columns, then on rows: point (i, j) is number i * MN_POINTS + j.  The lanes are
   channels. */
#ifndef MN_WINOGRAD_H
#define MN_WINOGRAD_H

#include "simd.h"
#include "tile.h"

#define MN_POINTS 6
#define MN_POINTS_2D (MN_POINTS * MN_POINTS)
#define MN_LINES 9 /* the most rows of an image that a tile takes */
#define MN_MOST_TAPS 5
#define MN_MOST_OUTPUTS 4

#define MN_P ((mn_real)0.70710678118654752440)
#define MN_Q ((mn_real)1.41421356237309504880)
#define MN_THIRD_P ((mn_real)(-2.0 / 3.0)) /* 1 / product of (p - other points) */
#define MN_SIXTH_Q ((mn_real)(1.0 / 6.0))  /* the same of q */

/* ---- along one axis; the numbers of inputs, taps and outputs are constants where these are inlined ---- */

/* Outputs of a large tile: 4 or 2. */
MN_INLINE int mn_large_tile(const int taps)
{
    return MN_POINTS + 1 - taps;
}

/* Whether a tile of 6, 5 or 4 points has the one at `place`: -q, then q are left out, infinity stays last. */
MN_INLINE int mn_has_point(const int points, const int place)
{
    return place < points - 1 || place == MN_POINTS - 1;
}

/* o = B' d: 6, 5 or 4 inputs to as many points. */
MN_INLINE void mn_points_of_inputs(const int inputs, const mn_vec *d, mn_vec *o)
{
    const mn_vec p = v_splat(MN_P), q = v_splat(MN_Q), half = v_splat((mn_real)0.5), two = v_splat(2);
    const mn_vec h = v_fnma(half, d[1], d[3]);
    if (inputs == MN_POINTS) {
        const mn_vec even_p = v_fnma(two, d[2], d[4]), odd_p = v_fnma(two, d[1], d[3]);
        const mn_vec even_q = v_fnma(half, d[2], d[4]), five_halves = v_splat((mn_real)2.5);
        o[0] = v_fnma(five_halves, d[2], d[0] + d[4]);
        o[1] = v_fma(p, odd_p, even_p);
        o[2] = v_fnma(p, odd_p, even_p);
        o[3] = v_fma(q, h, even_q);
        o[4] = v_fnma(q, h, even_q);
        o[5] = v_fnma(five_halves, d[3], d[1] + d[5]);
    } else if (inputs == 5) {
        const mn_vec e = d[2] * (mn_real)-1.5;
        o[0] = v_fma(q, h, v_fnma(two, d[2], d[0]));
        o[1] = v_fma(v_splat(3 * MN_P), d[3] - d[1], e);
        o[2] = v_fma(p, d[3] + d[1], e);
        o[3] = h * (2 * MN_Q);
        o[5] = v_fnma(q, h, v_fnma(half, d[2], d[4]));
    } else {
        const mn_vec even = d[2] * (mn_real)-1.5, odd = d[1] * (mn_real)(-1.5 * MN_P);
        o[0] = v_fnma(two, d[2], d[0]);
        o[1] = even + odd;
        o[2] = even - odd;
        o[5] = h;
    }
}

/* o = A' d: points to m outputs. */
MN_INLINE void mn_outputs_of_points(const int points, const int m, const mn_vec *d, mn_vec *o)
{
    const mn_vec p = v_splat(MN_P), q = v_splat(MN_Q), half = v_splat((mn_real)0.5), two = v_splat(2);
    const mn_vec sum_p = d[1] + d[2], odd_p = d[1] - d[2];
    if (points == 4) {
        o[0] = d[0] + sum_p;
        o[1] = v_fma(p, odd_p, d[5]);
        return;
    }
    const mn_vec sum_q = points == 6 ? d[3] + d[4] : d[3], odd_q = points == 6 ? d[3] - d[4] : d[3];
    o[0] = d[0] + sum_p + sum_q;
    if (m == 1)
        o[0] = o[0] + d[5];
    if (m > 1)
        o[1] = v_fma(q, odd_q, m == 2 ? v_fma(p, odd_p, d[5]) : p * odd_p);
    if (m > 2)
        o[2] = v_fma(two, sum_q, m == 3 ? v_fma(half, sum_p, d[5]) : half * sum_p);
    if (m > 3)
        o[3] = v_fma(v_splat(2 * MN_Q), odd_q, v_fma(v_splat(MN_P / 2), odd_p, d[5]));
}

/* o = A y: the adjoint, m gradients of outputs to points. */
MN_INLINE void mn_points_of_gradient(const int points, const int m, const mn_vec *y, mn_vec *o)
{
    const mn_vec p = v_splat(MN_P), q = v_splat(MN_Q), half = v_splat((mn_real)0.5), two = v_splat(2);
    const mn_vec even_p = m > 2 ? v_fma(half, y[2], y[0]) : y[0], even_q = m > 2 ? v_fma(two, y[2], y[0]) : y[0];
    o[0] = y[0];
    o[5] = y[m - 1];
    if (m == 1) {
        o[1] = o[2] = o[3] = y[0];
        return;
    }
    const mn_vec odd_p = m > 3 ? v_fma(half, y[3], y[1]) : y[1], odd_q = m > 3 ? v_fma(two, y[3], y[1]) : y[1];
    o[1] = v_fma(p, odd_p, even_p);
    o[2] = v_fnma(p, odd_p, even_p);
    if (points > 4)
        o[3] = v_fma(q, odd_q, even_q);
    if (points > 5)
        o[4] = v_fnma(q, odd_q, even_q);
}

/* o = G w: 3 or 5 taps to 6 points. */
MN_INLINE void mn_points_of_taps(const int taps, const mn_vec *w, mn_vec *o)
{
    const mn_vec half = v_splat((mn_real)0.5), two = v_splat(2);
    mn_vec even_p = w[2], even_q = w[2], odd_p = w[1], odd_q = w[1];
    if (taps == 5) {
        even_p = v_fma(half, w[4], even_p);
        even_q = v_fma(two, w[4], even_q);
        odd_p = v_fma(half, w[3], odd_p);
        odd_q = v_fma(two, w[3], odd_q);
    }
    even_p = v_fma(half, even_p, w[0]) * MN_THIRD_P;
    even_q = v_fma(two, even_q, w[0]) * MN_SIXTH_Q;
    odd_p = odd_p * (MN_THIRD_P * MN_P);
    odd_q = odd_q * (MN_SIXTH_Q * MN_Q);
    o[0] = w[0];
    o[1] = even_p + odd_p;
    o[2] = even_p - odd_p;
    o[3] = even_q + odd_q;
    o[4] = even_q - odd_q;
    o[5] = w[taps - 1];
}

/* o = G' d: the adjoint, 6 points to the gradients of 3 or 5 taps. */
MN_INLINE void mn_gradients_of_points(const int taps, const mn_vec *d, mn_vec *o)
{
    const mn_vec half = v_splat((mn_real)0.5), two = v_splat(2);
    const mn_vec sum_p = (d[1] + d[2]) * MN_THIRD_P, odd_p = (d[1] - d[2]) * (MN_THIRD_P * MN_P);
    const mn_vec sum_q = (d[3] + d[4]) * MN_SIXTH_Q, odd_q = (d[3] - d[4]) * (MN_SIXTH_Q * MN_Q);
    o[0] = d[0] + sum_p + sum_q;
    o[1] = odd_p + odd_q;
    if (taps == 3) {
        o[2] = v_fma(two, sum_q, v_fma(half, sum_p, d[5]));
    } else {
        o[2] = v_fma(two, sum_q, half * sum_p);
        o[3] = v_fma(two, odd_q, half * odd_p);
        o[4] = v_fma(v_splat(4), sum_q, v_fma(v_splat((mn_real)0.25), sum_p, d[5]));
    }
}

/* ---- a row of tiles, VL channels at a time ---- */

/* Tiles side by side: first `large` ones, then `small` ones, then the `smallest`, of 3 taps. */
typedef struct {
    int64_t large, small, smallest;
    int64_t begin, end;             /* columns that exist; those before and behind are zero */
    const mn_real *line[MN_LINES];  /* rows of the image from column `begin` on: VL channels per pixel */
    int64_t pixel;                  /* elements from one pixel of a line to the next */
    mn_real *columns;               /* scratch: MN_LINES rows of pixels */
    mn_real *point[MN_POINTS_2D];   /* of the first tile; the next tile is `tile` elements further */
    int64_t tile;
    /* of winograd_phases.h: where the single tap's rows and columns begin, and elements from one of its rows to the next */
    int64_t single_top, single_left;
    int64_t single_row[MN_POINTS];
} mn_tile_row;

/* The two transforms of what goes in, with the same loops: of an image (gradient = 0), whose tiles overlap by taps - 1
   pixels, and of a gradient (gradient = 1).  height: rows of outputs of the tiles, m: columns. */
MN_INLINE void mn_points_of_pixels(const int gradient, const int taps, const int m, const mn_vec *d, mn_vec *o)
{
    if (gradient)
        mn_points_of_gradient(m + taps - 1, m, d, o);
    else
        mn_points_of_inputs(m + taps - 1, d, o);
}

MN_INLINE void mn_tile_row_tiles(const int gradient, const int taps, const int height, const int m, const mn_tile_row *r,
                                 const mn_real *columns, int64_t width, int64_t first, int64_t count)
{
    const int overlap = gradient ? 0 : taps - 1, rows = height + taps - 1, points = m + taps - 1;
    for (int64_t t = 0; t < count; t++, columns += m * VL)
#pragma GCC unroll 6
        for (int i = 0; i < MN_POINTS; i++) {
            mn_vec d[MN_POINTS], o[MN_POINTS];
            if (!mn_has_point(rows, i))
                continue;
#pragma GCC unroll 6
            for (int j = 0; j < m + overlap; j++)
                d[j] = v_load(columns + (i * width + j) * VL);
            mn_points_of_pixels(gradient, taps, m, d, o);
#pragma GCC unroll 6
            for (int j = 0; j < MN_POINTS; j++)
                if (mn_has_point(points, j))
                    v_store(r->point[i * MN_POINTS + j] + (first + t) * r->tile, o[j]);
        }
}

MN_INLINE void mn_tile_row_body(const int gradient, const int taps, const int height, const mn_tile_row *r)
{
    const int overlap = gradient ? 0 : taps - 1, m = mn_large_tile(taps), rows = height + taps - 1;
    const int64_t width = m * r->large + (m - 1) * r->small + (m - 2) * r->smallest + overlap;
    const mn_real *columns = r->columns;
    for (int i = 0; i < MN_POINTS; i++) {
        for (int64_t x = 0; x < r->begin; x++)
            v_store(r->columns + (i * width + x) * VL, v_splat(0));
        for (int64_t x = r->end; x < width; x++)
            v_store(r->columns + (i * width + x) * VL, v_splat(0));
    }
    for (int64_t x = 0; x < r->end - r->begin; x++) {
        mn_vec d[MN_POINTS], o[MN_POINTS];
#pragma GCC unroll 6
        for (int i = 0; i < height + overlap; i++)
            d[i] = v_load(r->line[i] + x * r->pixel);
        mn_points_of_pixels(gradient, taps, height, d, o);
#pragma GCC unroll 6
        for (int i = 0; i < MN_POINTS; i++)
            if (mn_has_point(rows, i))
                v_store(r->columns + (i * width + r->begin + x) * VL, o[i]);
    }
    mn_tile_row_tiles(gradient, taps, height, m, r, columns, width, 0, r->large);
    columns += m * r->large * VL;
    mn_tile_row_tiles(gradient, taps, height, m - 1, r, columns, width, r->large, r->small);
    columns += (m - 1) * r->small * VL;
    if (m > 2)
        mn_tile_row_tiles(gradient, taps, height, m - 2, r, columns, width, r->large + r->small, r->smallest);
}

MN_INLINE void mn_tile_row_points(const int gradient, const mn_tile_row *r, int64_t taps, int64_t height)
{
    if (taps == 5)
        height == 2 ? mn_tile_row_body(gradient, 5, 2, r) : mn_tile_row_body(gradient, 5, 1, r);
    else if (height == 4)
        mn_tile_row_body(gradient, 3, 4, r);
    else
        height == 3 ? mn_tile_row_body(gradient, 3, 3, r) : mn_tile_row_body(gradient, 3, 2, r);
}

/* point = B' d B for every tile of a row, of `height` rows of outputs. */
static __attribute__((noinline)) void mn_winograd_input(const mn_tile_row *r, int64_t taps, int64_t height)
{
    mn_tile_row_points(0, r, taps, height);
}

/* point = A d A' for every tile: d are gradients of outputs, lines as high as the tiles. */
static __attribute__((noinline)) void mn_winograd_gradient(const mn_tile_row *r, int64_t taps, int64_t height)
{
    mn_tile_row_points(1, r, taps, height);
}

MN_INLINE void mn_output_tiles(const int taps, const int height, const int m, const mn_tile_row *r, int64_t first,
                               int64_t count, mn_real *y, int64_t y_row)
{
    const int rows = height + taps - 1, points = m + taps - 1;
    const int64_t pixel = r->pixel;
    for (int64_t t = first; t < first + count; t++, y += m * pixel) {
        mn_vec half[MN_MOST_OUTPUTS][MN_POINTS];
#pragma GCC unroll 6
        for (int j = 0; j < MN_POINTS; j++) {
            mn_vec d[MN_POINTS], o[MN_MOST_OUTPUTS];
            if (!mn_has_point(points, j))
                continue;
#pragma GCC unroll 6
            for (int i = 0; i < MN_POINTS; i++)
                if (mn_has_point(rows, i))
                    d[i] = v_load(r->point[i * MN_POINTS + j] + t * r->tile);
            mn_outputs_of_points(rows, height, d, o);
#pragma GCC unroll 4
            for (int i = 0; i < height; i++)
                half[i][j] = o[i];
        }
#pragma GCC unroll 4
        for (int i = 0; i < height; i++) {
            mn_vec o[MN_MOST_OUTPUTS];
            mn_outputs_of_points(points, m, half[i], o);
#pragma GCC unroll 4
            for (int j = 0; j < m; j++)
                v_store(y + i * y_row + j * pixel, o[j]);
        }
    }
}

MN_INLINE void mn_output_row(const int taps, const int height, const mn_tile_row *r, mn_real *y, int64_t y_row)
{
    const int m = mn_large_tile(taps);
    mn_output_tiles(taps, height, m, r, 0, r->large, y, y_row);
    y += m * r->large * r->pixel;
    mn_output_tiles(taps, height, m - 1, r, r->large, r->small, y, y_row);
    y += (m - 1) * r->small * r->pixel;
    if (m > 2)
        mn_output_tiles(taps, height, m - 2, r, r->large + r->small, r->smallest, y, y_row);
}

/* y = A' point A: a row of tiles to `height` rows of pixels, VL channels per pixel; pixels are r->pixel elements apart,
   rows y_row. */
static __attribute__((noinline)) void mn_winograd_output(const mn_tile_row *r, int64_t taps, int64_t height, mn_real *y,
                                                         int64_t y_row)
{
    if (taps == 5)
        height == 2 ? mn_output_row(5, 2, r, y, y_row) : mn_output_row(5, 1, r, y, y_row);
    else if (height == 4)
        mn_output_row(3, 4, r, y, y_row);
    else
        height == 3 ? mn_output_row(3, 3, r, y, y_row) : mn_output_row(3, 2, r, y, y_row);
}

/* ---- weights ---- */

/* taps[t] = weights of tap t of `lanes` kernels of taps_2d taps that follow each other in memory; zero in the lanes
   beyond. */
static __attribute__((noinline)) void mn_taps_of_kernels(const mn_real *w, int64_t taps_2d, int64_t lanes, mn_real *taps)
{
    const int64_t whole = taps_2d / VL * VL;
    if (whole)
        mn_transpose(w, taps_2d, lanes, whole, taps, VL);
    for (int64_t t = whole; t < taps_2d; t++)
        for (int64_t lane = 0; lane < VL; lane++)
            taps[t * VL + lane] = lane < lanes ? w[lane * taps_2d + t] : 0;
}

/* ---- pixels with VL channels each, to and from planes ---- */

/* pixels = activation(pixels + bias), in place; bias: VL channels or NULL. */
static __attribute__((noinline)) void mn_finish_pixels(mn_real *pixels, int64_t count, const mn_real *bias,
                                                       int64_t activation)
{
    if (bias) {
        const mn_vec b = v_load(bias);
        for (int64_t x = 0; x < count; x++)
            v_store(pixels + x * VL, v_load(pixels + x * VL) + b);
    }
    switch (activation) {
    case MN_TANH:
        for (int64_t x = 0; x < count; x++)
            v_store(pixels + x * VL, mn_activate(v_load(pixels + x * VL), MN_TANH));
        break;
    case MN_SIGMOID:
        for (int64_t x = 0; x < count; x++)
            v_store(pixels + x * VL, mn_activate(v_load(pixels + x * VL), MN_SIGMOID));
        break;
    }
}

MN_INLINE void mn_planes_body(const mn_real *pixels, int64_t count, int64_t channels, const mn_real *bias,
                              const int activation, mn_real *plane, int64_t plane_stride)
{
    mn_vec r[VL];
    const mn_vec b = bias ? v_load(bias) : v_splat(0);
    for (int64_t x = 0; x < count; x += VL) {
        const int64_t left = count - x;
        const int64_t from = left >= VL || count < VL ? x : count - VL;
        const int whole = left >= VL || from != x;
#pragma GCC unroll 16
        for (int i = 0; i < VL; i++) {
            r[i] = whole || i < left ? v_load(pixels + (from + i) * VL) : v_splat(0);
            if (bias)
                r[i] = r[i] + b;
            r[i] = mn_activate(r[i], activation);
        }
        v_transpose(r);
        if (whole && channels == VL) {
#pragma GCC unroll 16
            for (int c = 0; c < VL; c++)
                v_store(plane + c * plane_stride + from, r[c]);
        } else {
            mn_real turned[VL * VL];
#pragma GCC unroll 16
            for (int c = 0; c < VL; c++)
                v_store(turned + c * VL, r[c]);
            for (int64_t c = 0; c < channels; c++)
                v_store_partial(plane + c * plane_stride + from, v_load(turned + c * VL), whole ? VL : (int)left);
        }
    }
}

/* plane[c][x] = activation(pixels[x][c] + bias[c]) for x < count and c < channels; writes nothing beyond, but may spoil
   pixels.  bias: VL channels or NULL.  The last vector of a long run overlaps the one before it. */
static __attribute__((noinline)) void mn_planes_of_pixels(mn_real *pixels, int64_t count, int64_t channels,
                                                          const mn_real *bias, int64_t activation, mn_real *plane,
                                                          int64_t plane_stride)
{
    if (activation > MN_RELU) { /* too long for a register per pixel */
        mn_finish_pixels(pixels, count, bias, activation);
        activation = MN_NO_ACTIVATION;
        bias = NULL;
    }
    if (activation == MN_RELU)
        bias ? mn_planes_body(pixels, count, channels, bias, MN_RELU, plane, plane_stride)
             : mn_planes_body(pixels, count, channels, NULL, MN_RELU, plane, plane_stride);
    else
        bias ? mn_planes_body(pixels, count, channels, bias, MN_NO_ACTIVATION, plane, plane_stride)
             : mn_planes_body(pixels, count, channels, NULL, MN_NO_ACTIVATION, plane, plane_stride);
}

#endif
