/* Winograd's minimal filtering for kernels of 3 taps and stride 2, by phases (see winograd.h).

   Along one axis, taps 0 and 2 of the kernel meet every second input, a pair of taps with stride 1; tap 1, single, meets
   those between.

       y[i] = w0 x[2i] + w2 x[2i + 2]  +  w1 x[2i + 1]

   4 outputs of the pair are a polynomial product at 5 points, 0, p, -p, q and infinity; the single tap is multiplied as it
   is.  A tile of 4x4 outputs takes 81 products in place of 144.  A tile of 3 leaves q out.  The denominators of
   G are those of winograd.h, which the missing points -q, or q and -q, put into B'.

   Places 0 … 4 are the points of the pair, place MN_SINGLE holds a row (column) for each output of the tile.  The gradient
   by the input is of the same kind: of each two rows, one is a sum over the pair of taps, the other belongs to the
   single one. */
#ifndef MN_WINOGRAD_PHASES_H
#define MN_WINOGRAD_PHASES_H

#include "winograd.h"

#define MN_PAIR_POINTS 5
#define MN_PAIR_MISSING 3
#define MN_SINGLE 5

/* ---- along one axis ---- */

/* o = B' d: m + 1 inputs to points. */
MN_INLINE void mn_pair_of_input(const int m, const mn_vec *d, mn_vec *o)
{
    mn_vec points[MN_POINTS]; /* of a tile of 3 taps and one output less */
    mn_points_of_inputs(m + 1, d, points);
    o[0] = points[0];
    o[1] = points[1];
    o[2] = points[2];
    if (m == 4)
        o[3] = points[3];
    o[4] = points[5];
}

/* o = A' d: points to m outputs. */
MN_INLINE void mn_outputs_of_pair(const int m, const mn_vec *d, mn_vec *o)
{
    const mn_vec sum = d[1] + d[2], odd = d[1] - d[2], half = v_splat((mn_real)0.5);
    if (m == 4) {
        o[0] = d[0] + sum + d[3];
        o[1] = v_fma(v_splat(MN_Q), d[3], odd * MN_P);
        o[2] = v_fma(v_splat(2), d[3], half * sum);
        o[3] = v_fma(v_splat(2 * MN_Q), d[3], v_fma(v_splat(MN_P / 2), odd, d[4]));
    } else {
        o[0] = d[0] + sum;
        o[1] = odd * MN_P;
        o[2] = v_fma(half, sum, d[4]);
    }
}

/* o = A y: the adjoint. */
MN_INLINE void mn_pair_of_gradient(const int m, const mn_vec *y, mn_vec *o)
{
    const mn_vec p = v_splat(MN_P), half = v_splat((mn_real)0.5), two = v_splat(2);
    const mn_vec even = v_fma(half, y[2], y[0]), odd = m == 4 ? v_fma(half, y[3], y[1]) : y[1];
    o[0] = y[0];
    o[1] = v_fma(p, odd, even);
    o[2] = v_fnma(p, odd, even);
    if (m == 4)
        o[3] = v_fma(v_splat(MN_Q), v_fma(two, y[3], y[1]), v_fma(two, y[2], y[0]));
    o[4] = y[m - 1];
}

/* o = G w, and the single tap: 3 taps to 6 places. */
MN_INLINE void mn_places_of_taps(const mn_vec *w, mn_vec *o)
{
    const mn_vec even = w[0] * MN_THIRD_P, odd = w[2] * (MN_THIRD_P * MN_P);
    o[0] = w[0];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = v_fma(v_splat(MN_SIXTH_Q * MN_Q), w[2], w[0] * MN_SIXTH_Q);
    o[4] = w[2];
    o[MN_SINGLE] = w[1];
}

/* o = G' d: the adjoint. */
MN_INLINE void mn_gradients_of_places(const mn_vec *d, mn_vec *o)
{
    const mn_vec sum = (d[1] + d[2]) * MN_THIRD_P, odd = (d[1] - d[2]) * (MN_THIRD_P * MN_P);
    o[0] = v_fma(v_splat(MN_SIXTH_Q), d[3], d[0] + sum);
    o[1] = d[MN_SINGLE];
    o[2] = v_fma(v_splat(MN_SIXTH_Q * MN_Q), d[3], odd + d[4]);
}

/* ---- a row of tiles ---- */

/* Row i of the points of a row of tiles: the pair's first, then those of the single tap. */
#define MN_PHASE_ROWS (MN_PAIR_POINTS + 4)

/* One row of points of `count` tiles of m columns, from `columns`; step: from one pixel of a phase to the next. */
MN_INLINE void mn_phase_tiles(const int gradient, const int step, const int m, const mn_tile_row *r,
                              const mn_real *columns, mn_real *const *point, int64_t first, int64_t count)
{
    const int inputs = gradient ? m : m + 1;
    const mn_real *single = columns + r->single_left * VL;
    mn_real *pixel = point[MN_SINGLE] + (m == 4 ? 0 : r->large) * 4 * r->tile;
    for (int64_t t = first; t < first + count; t++, columns += step * m * VL, single += step * m * VL) {
        mn_vec d[MN_PAIR_POINTS], o[MN_PAIR_POINTS];
#pragma GCC unroll 5
        for (int j = 0; j < inputs; j++)
            d[j] = v_load(columns + step * j * VL);
        if (gradient)
            mn_pair_of_gradient(m, d, o);
        else
            mn_pair_of_input(m, d, o);
#pragma GCC unroll 5
        for (int j = 0; j < MN_PAIR_POINTS; j++)
            if (j != MN_PAIR_MISSING || m == 4)
                v_store(point[j] + t * r->tile, o[j]);
#pragma GCC unroll 4
        for (int j = 0; j < m; j++, pixel += r->tile)
            v_store(pixel, v_load(single + step * j * VL));
    }
}

MN_INLINE void mn_phase_row_body(const int gradient, const int step, const int height, const mn_tile_row *r)
{
    const int inputs = gradient ? height : height + 1;
    const int64_t width = step * (4 * r->large + 3 * r->small) + (gradient ? 0 : 1);
    for (int i = 0; i < MN_PAIR_POINTS + height; i++) {
        for (int64_t x = 0; x < r->begin; x++)
            v_store(r->columns + (i * width + x) * VL, v_splat(0));
        for (int64_t x = r->end; x < width; x++)
            v_store(r->columns + (i * width + x) * VL, v_splat(0));
    }
    for (int64_t x = 0; x < r->end - r->begin; x++) {
        mn_real *column = r->columns + (r->begin + x) * VL;
        mn_vec d[MN_PAIR_POINTS], o[MN_PAIR_POINTS];
#pragma GCC unroll 5
        for (int i = 0; i < inputs; i++)
            d[i] = v_load(r->line[step * i] + x * VL);
        if (gradient)
            mn_pair_of_gradient(height, d, o);
        else
            mn_pair_of_input(height, d, o);
#pragma GCC unroll 5
        for (int i = 0; i < MN_PAIR_POINTS; i++)
            if (i != MN_PAIR_MISSING || height == 4)
                v_store(column + i * width * VL, o[i]);
#pragma GCC unroll 4
        for (int i = 0; i < height; i++)
            v_store(column + (MN_PAIR_POINTS + i) * width * VL, v_load(r->line[r->single_top + step * i] + x * VL));
    }
    for (int i = 0; i < MN_PAIR_POINTS + height; i++) {
        const int place = i < MN_PAIR_POINTS ? i : MN_SINGLE;
        mn_real *point[MN_POINTS];
        if (i == MN_PAIR_MISSING && height == 3)
            continue;
        for (int j = 0; j < MN_POINTS; j++)
            point[j] = r->point[place * MN_POINTS + j] + (i - place) * r->single_row[j];
        const mn_real *columns = r->columns + i * width * VL;
        mn_phase_tiles(gradient, step, 4, r, columns, point, 0, r->large);
        mn_phase_tiles(gradient, step, 3, r, columns + step * 4 * r->large * VL, point, r->large, r->small);
    }
}

/* point = B' d B for every tile of a row, of an image whose phases alternate (step 2: single_top = single_left = 1) or of
   a gradient of outputs on its way to the input (step 1). */
static __attribute__((noinline)) void mn_phases_input(const mn_tile_row *r, int64_t height, int64_t step)
{
    if (step == 2)
        height == 4 ? mn_phase_row_body(0, 2, 4, r) : mn_phase_row_body(0, 2, 3, r);
    else
        height == 4 ? mn_phase_row_body(0, 1, 4, r) : mn_phase_row_body(0, 1, 3, r);
}

/* point = A d A' for every tile of a row (single_top = single_left = 0). */
static __attribute__((noinline)) void mn_phases_gradient(const mn_tile_row *r, int64_t height)
{
    height == 4 ? mn_phase_row_body(1, 1, 4, r) : mn_phase_row_body(1, 1, 3, r);
}

/* The outputs of the pair of taps, and what belongs to the single one: added where apart = 0; apart, two rows for one,
   where apart = 1, the single one at place `at` of the two. */
MN_INLINE void mn_join_phases(const int apart, const int m, int64_t at, const mn_vec *pair, const mn_vec *single, mn_vec *o)
{
    mn_vec sums[4];
    mn_outputs_of_pair(m, pair, sums);
#pragma GCC unroll 4
    for (int i = 0; i < m; i++)
        if (apart) {
            o[2 * i] = at ? sums[i] : single[i];
            o[2 * i + 1] = at ? single[i] : sums[i];
        } else
            o[i] = sums[i] + single[i];
}

MN_INLINE void mn_phase_output_tiles(const int apart, const int height, const int m, const mn_tile_row *r, int64_t first,
                                     int64_t count, mn_real *y, int64_t y_row)
{
    const int size = apart ? 2 : 1;
    for (int64_t t = 0; t < count; t++, y += size * m * VL) {
        mn_vec half[MN_PHASE_ROWS][8];
        for (int i = 0; i < MN_PAIR_POINTS + height; i++) {
            const int place = i < MN_PAIR_POINTS ? i : MN_SINGLE;
            mn_vec pair[MN_PAIR_POINTS], single[4];
            if (i == MN_PAIR_MISSING && height == 3)
                continue;
#pragma GCC unroll 5
            for (int j = 0; j < MN_PAIR_POINTS; j++)
                if (j != MN_PAIR_MISSING || m == 4)
                    pair[j] = v_load(r->point[place * MN_POINTS + j] + (i - place) * r->single_row[j]
                                     + (first + t) * r->tile);
#pragma GCC unroll 4
            for (int j = 0; j < m; j++)
                single[j] = v_load(r->point[place * MN_POINTS + MN_SINGLE] + (i - place) * r->single_row[MN_SINGLE]
                                   + (4 * first + m * t + j) * r->tile);
            mn_join_phases(apart, m, r->single_left, pair, single, half[i]);
        }
        for (int j = 0; j < size * m; j++) {
            mn_vec pair[MN_PAIR_POINTS], single[4], o[8];
#pragma GCC unroll 5
            for (int i = 0; i < MN_PAIR_POINTS; i++)
                if (i != MN_PAIR_MISSING || height == 4)
                    pair[i] = half[i][j];
#pragma GCC unroll 4
            for (int i = 0; i < height; i++)
                single[i] = half[MN_PAIR_POINTS + i][j];
            mn_join_phases(apart, height, r->single_top, pair, single, o);
#pragma GCC unroll 8
            for (int i = 0; i < size * height; i++)
                v_store(y + i * y_row + j * VL, o[i]);
        }
    }
}

MN_INLINE void mn_phase_output_row(const int apart, const int height, const mn_tile_row *r, mn_real *y, int64_t y_row)
{
    mn_phase_output_tiles(apart, height, 4, r, 0, r->large, y, y_row);
    mn_phase_output_tiles(apart, height, 3, r, r->large, r->small, y + (apart ? 2 : 1) * 4 * r->large * VL, y_row);
}

/* A row of tiles to rows of pixels, VL channels per pixel: `height` rows, or twice as many rows and columns with
   both phases of the gradient by the input, where apart is set. */
static __attribute__((noinline)) void mn_phases_output(const mn_tile_row *r, int64_t height, int64_t apart, mn_real *y,
                                                       int64_t y_row)
{
    if (apart)
        height == 4 ? mn_phase_output_row(1, 4, r, y, y_row) : mn_phase_output_row(1, 3, r, y, y_row);
    else
        height == 4 ? mn_phase_output_row(0, 4, r, y, y_row) : mn_phase_output_row(0, 3, r, y, y_row);
}

#endif
