/* Faults that the sanitizers must find: built with them, called by sanitizer_faults.py. */
#include "tile.h"

/* Signed overflow for n = 2^31 - 1. */
int planted_overflow(int n)
{
    return n + 1;
}

/* A tile that takes its B to be as wide as a tile, whatever it is. */
float planted_wide_tile(const float *b)
{
    float c[MN_TILE_COLUMNS], one = 1;
    const mn_tile tile = {.k = 1, .a = &one, .b = b, .b_columns = MN_TILE_COLUMNS, .c = c, .columns = MN_TILE_COLUMNS};
    mn_tile_run(&tile, 1);
    return c[0];
}
