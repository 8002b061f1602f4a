/* The matrix products of Winograd convolution, one for each point.

   V has a row for each tile of the picture, U one for each channel; a panel of U has MN_TILE_COLUMNS columns.  Register tiles
   are those of tile.h, with the same chains. */
#ifndef MN_WINOGRAD_PRODUCTS_H
#define MN_WINOGRAD_PRODUCTS_H

#include "tile.h"

#define MN_LINE (64 / (int)sizeof(mn_real)) /* elements of a cache line */

/* ---- M[tile][o] = sum over channels of V[tile][channel] * U[channel][o] ----

   V and U come from the second- or third-level cache in many runs, each too short for the hardware to look ahead.  So a
   register tile fetches the rows of the next one and its share of the next panel: 15 to 60 % faster. */

typedef struct {
    int64_t tiles, k;   /* rows of V, and channels */
    const mn_real *v;
    int64_t v_row;
    const mn_real *u;   /* a panel: rows MN_TILE_COLUMNS apart */
    mn_real *m;         /* rows MN_TILE_COLUMNS apart */
    int64_t vectors;    /* of a row of the panel that are wanted: 1 or MN_TILE_VECTORS */
    int64_t resume;     /* start from M instead of zero */
    const mn_real *next_v, *next_u; /* of the product that follows */
} mn_point_product;

MN_INLINE void mn_point_rows_body(const mn_point_product *p, int64_t tile, const mn_real *ahead, const mn_real *panel,
                                  int64_t panel_lines, const int rows, const int vectors)
{
    const int64_t v_row = p->v_row;
    const mn_real *v[(MN_TILE_ROWS + 2) / 3], *u = p->u; /* one pointer for three rows: what addressing modes reach */
    mn_real *m = p->m + tile * MN_TILE_COLUMNS;
    mn_vec sum[MN_TILE_ROWS][MN_TILE_VECTORS];

#pragma GCC unroll 16
    for (int i = 0; i < rows; i += 3)
        v[i / 3] = p->v + (tile + i) * v_row;
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        __builtin_prefetch(m + i * MN_TILE_COLUMNS);
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sum[i][j] = p->resume ? v_load(m + i * MN_TILE_COLUMNS + j * VL) : v_splat(0);
    }
    for (int64_t left = p->k; left > 0; left -= MN_LINE, ahead += MN_LINE) {
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++)
            __builtin_prefetch(ahead + i * v_row);
        for (int64_t i = 0; i < panel_lines; i++, panel += MN_LINE)
            __builtin_prefetch(panel);
        const int run = left < MN_LINE ? (int)left : MN_LINE;
#pragma GCC unroll 4
        for (int k = 0; k < run; k++, u += MN_TILE_COLUMNS) {
            mn_vec uk[MN_TILE_VECTORS];
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                uk[j] = v_load(u + j * VL);
#pragma GCC unroll 16
            for (int i = 0; i < rows; i++) {
                const mn_vec vk = v_splat(v[i / 3][i % 3 * v_row]);
#pragma GCC unroll 4
                for (int j = 0; j < vectors; j++)
                    sum[i][j] = v_fma(vk, uk[j], sum[i][j]);
            }
#pragma GCC unroll 16
            for (int i = 0; i < rows; i += 3)
                v[i / 3]++;
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            v_store(m + i * MN_TILE_COLUMNS + j * VL, sum[i][j]);
}

#define MN_POINT_ROWS(ROWS)                                                                                          \
    static __attribute__((noinline)) void mn_point_rows_##ROWS(const mn_point_product *p, int64_t tile,               \
                                                               const mn_real *ahead, const mn_real *panel,            \
                                                               int64_t panel_lines)                                   \
    {                                                                                                                 \
        if (p->vectors > 1)                                                                                           \
            mn_point_rows_body(p, tile, ahead, panel, panel_lines, ROWS, MN_TILE_VECTORS);                            \
        else                                                                                                          \
            mn_point_rows_body(p, tile, ahead, panel, panel_lines, ROWS, 1);                                          \
    }

MN_TILE_LIST(MN_POINT_ROWS)

#define MN_POINT_ROWS_NAME(ROWS) mn_point_rows_##ROWS,
static void (*const mn_point_rows[MN_TILE_ROWS + 1])(const mn_point_product *, int64_t, const mn_real *, const mn_real *,
                                                     int64_t) = {0, MN_TILE_LIST(MN_POINT_ROWS_NAME)};

static __attribute__((noinline)) void mn_point_product_run(const mn_point_product *p)
{
    const int64_t steps = (p->tiles + MN_TILE_ROWS - 1) / MN_TILE_ROWS * ((p->k + MN_LINE - 1) / MN_LINE);
    const int64_t lines = (p->k * MN_TILE_COLUMNS + MN_LINE - 1) / MN_LINE; /* of the next panel */
    const int64_t each = steps ? (lines + steps - 1) / steps : 0, of_tile = each * ((p->k + MN_LINE - 1) / MN_LINE);
    int64_t fetched = 0;
    for (int64_t tile = 0; tile < p->tiles;) {
        const int64_t rows = mn_tile_rows(p->tiles - tile), end = tile + rows;
        const mn_real *ahead = end < p->tiles ? p->v + end * p->v_row : p->next_v;
        mn_point_rows[rows](p, tile, ahead, p->next_u + fetched * MN_LINE, fetched < lines ? each : 0);
        fetched += of_tile;
        tile = end;
    }
}

/* ---- M[o][c] = sum over tiles of D[tile][o] * V[tile][c] ---- */

typedef struct {
    int64_t tiles;
    int64_t outputs, channels; /* channels: whole vectors */
    const mn_real *d;
    int64_t d_row;
    const mn_real *v;
    int64_t v_row;
    mn_real *m;
    int64_t m_row;
    int64_t resume;
} mn_gradient_product;

MN_INLINE void mn_gradient_rows_body(const mn_gradient_product *p, int64_t o, int64_t c, const int rows, const int vectors)
{
    const int64_t d_row = p->d_row, v_row = p->v_row, m_row = p->m_row;
    const mn_real *d = p->d + o, *v = p->v + c;
    mn_real *m = p->m + o * m_row + c;
    mn_vec sum[MN_TILE_ROWS][MN_TILE_VECTORS];

#pragma GCC unroll 16
    for (int i = 0; i < rows; i++) {
        __builtin_prefetch(m + i * m_row);
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            sum[i][j] = p->resume ? v_load(m + i * m_row + j * VL) : v_splat(0);
    }
#pragma GCC unroll 2
    for (int64_t t = 0; t < p->tiles; t++, d += d_row, v += v_row) {
        mn_vec vt[MN_TILE_VECTORS];
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            vt[j] = v_load(v + j * VL);
#pragma GCC unroll 16
        for (int i = 0; i < rows; i++) {
            const mn_vec dt = v_splat(d[i]);
#pragma GCC unroll 4
            for (int j = 0; j < vectors; j++)
                sum[i][j] = v_fma(dt, vt[j], sum[i][j]);
        }
    }
#pragma GCC unroll 16
    for (int i = 0; i < rows; i++)
#pragma GCC unroll 4
        for (int j = 0; j < vectors; j++)
            v_store(m + i * m_row + j * VL, sum[i][j]);
}

#define MN_GRADIENT_ROWS(ROWS)                                                                                        \
    static __attribute__((noinline)) void mn_gradient_rows_##ROWS(const mn_gradient_product *p, int64_t o, int64_t c) \
    {                                                                                                                 \
        const int64_t left = p->channels - c;                                                                         \
        if (MN_TILE_VECTORS >= 4 && left > 3 * VL)                                                                    \
            mn_gradient_rows_body(p, o, c, ROWS, 4);                                                                  \
        else if (MN_TILE_VECTORS >= 3 && left > 2 * VL)                                                               \
            mn_gradient_rows_body(p, o, c, ROWS, 3);                                                                  \
        else if (left > VL)                                                                                           \
            mn_gradient_rows_body(p, o, c, ROWS, 2);                                                                  \
        else                                                                                                          \
            mn_gradient_rows_body(p, o, c, ROWS, 1);                                                                  \
    }

MN_TILE_LIST(MN_GRADIENT_ROWS)

#define MN_GRADIENT_ROWS_NAME(ROWS) mn_gradient_rows_##ROWS,
static void (*const mn_gradient_rows[MN_TILE_ROWS + 1])(const mn_gradient_product *, int64_t, int64_t) = {
    0, MN_TILE_LIST(MN_GRADIENT_ROWS_NAME)};

static __attribute__((noinline)) void mn_gradient_product_run(const mn_gradient_product *p)
{
    for (int64_t c = 0; c < p->channels; c += MN_TILE_COLUMNS)
        for (int64_t o = 0; o < p->outputs;) {
            const int64_t rows = mn_tile_rows(p->outputs - o);
            mn_gradient_rows[rows](p, o, c);
            o += rows;
        }
}

#endif
