/* Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a counter and a key of 32-bit
   words to four random words, for eight counters at once. */
#ifndef MN_PHILOX_H
#define MN_PHILOX_H

#include "simd.h"

#define MN_PHILOX_LANES 8
#define MN_PHILOX_VECTORS (MN_PHILOX_LANES * 8 / MN_VECTOR_BYTES)

typedef struct {
    uint32_t word[4][MN_PHILOX_LANES];
} mn_philox;

/* Each word stands in the lower half of a 64-bit lane; what the upper half holds never reaches a result. */
static void mn_philox_rounds(mn_philox *x, uint32_t key0, uint32_t key1)
{
    mn_wordvec v[4][MN_PHILOX_VECTORS];
    for (int w = 0; w < 4; w++)
        for (int i = 0; i < MN_PHILOX_LANES; i++)
            ((uint64_t *)v[w])[i] = x->word[w][i];
    for (int round = 0; round < 10; round++) {
#pragma GCC unroll 4
        for (int i = 0; i < MN_PHILOX_VECTORS; i++) {
            mn_wordvec p = v_multiply_words(v[0][i], 0xD2511F53u), q = v_multiply_words(v[2][i], 0xCD9E8D57u);
            v[0][i] = (q >> 32) ^ v[1][i] ^ key0;
            v[1][i] = q;
            v[2][i] = (p >> 32) ^ v[3][i] ^ key1;
            v[3][i] = p;
        }
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
    for (int w = 0; w < 4; w++)
        for (int i = 0; i < MN_PHILOX_LANES; i++)
            x->word[w][i] = (uint32_t)((uint64_t *)v[w])[i];
}

/* What all elements of one draw share. */
typedef struct {
    uint32_t key0, key1, step, index;
} mn_draw;

static inline mn_draw mn_draw_of(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index)
{
    mn_philox x;
    for (int i = 0; i < MN_PHILOX_LANES; i++) {
        x.word[0][i] = (uint32_t)stream, x.word[1][i] = (uint32_t)(stream >> 32);
        x.word[2][i] = (uint32_t)(step >> 32), x.word[3][i] = (uint32_t)(index >> 32);
    }
    mn_philox_rounds(&x, (uint32_t)seed, (uint32_t)(seed >> 32));
    return (mn_draw){x.word[0][0], x.word[1][0], (uint32_t)step, (uint32_t)index};
}

/* The 32 words of elements 32·group … 32·group + 31, in order: element e is word e/8 of counter 8·group + e%8.
   half: 0 for the upper, 1 for the lower 32 bits of each element. */
static inline void mn_draw_words(const mn_draw *draw, uint64_t group, uint32_t half, mn_philox *x)
{
    for (int i = 0; i < MN_PHILOX_LANES; i++) {
        uint64_t counter = group * MN_PHILOX_LANES + (uint64_t)i;
        x->word[0][i] = (uint32_t)counter;
        x->word[1][i] = (uint32_t)(counter >> 32) | half << 31;
        x->word[2][i] = draw->step;
        x->word[3][i] = draw->index;
    }
    mn_philox_rounds(x, draw->key0, draw->key1);
}

#endif
