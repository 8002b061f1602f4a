/* The rate of fused multiply-adds that a core reaches with everything in registers: twelve independent chains of vectors.
   Compiled by machine.py for the processor at hand; part of no installation. */
#if defined(__AVX512F__)
#define LANES 16
#elif defined(__AVX__)
#define LANES 8
#else
#define LANES 4
#endif
#define CHAINS 12
typedef float vec __attribute__((vector_size(4 * LANES)));

/* Multiply-adds done. */
double multiply_add(long rounds) {
    vec sum[CHAINS], scale, step;
    for (int lane = 0; lane < LANES; lane++) {
        scale[lane] = 0.999f;
        step[lane] = 0.001f;
    }
#pragma GCC unroll 12
    for (int chain = 0; chain < CHAINS; chain++) sum[chain] = step * (float)chain;
    for (long round = 0; round < rounds; round++) {
#pragma GCC unroll 12
        for (int chain = 0; chain < CHAINS; chain++) sum[chain] = sum[chain] * scale + step;
    }
    vec total = sum[0];
#pragma GCC unroll 12
    for (int chain = 1; chain < CHAINS; chain++) total += sum[chain];
    volatile float kept = total[0];
    (void)kept;
    return (double)rounds * CHAINS * LANES;
}
