/* The AVX-512 intrinsics of simd_x86.h on a machine that has AVX2 and FMA: SIMDe's, and here what it lacks or rounds
   twice.  Compiling a table with this file included first runs the very code of the AVX-512 table. */
#ifndef MN_AVX512_EMULATED_H
#define MN_AVX512_EMULATED_H

#define MN_EMULATED_AVX512 1

#define SIMDE_ENABLE_NATIVE_ALIASES
#include <string.h>

#include <immintrin.h>
#include <simde/x86/avx512.h>

#define MN_EMULATED static inline __attribute__((always_inline, unused))

/* Lanes without their bit are neither read nor written. */
#define MN_EMULATED_MASKED(SUFFIX, REAL, VECTOR, MASK, LANES)                                                           \
    MN_EMULATED VECTOR mn_emulated_maskz_loadu_##SUFFIX(MASK mask, const REAL *p)                                       \
    {                                                                                                                   \
        REAL lanes[LANES] __attribute__((aligned(64))) = {0};                                                           \
        for (int i = 0; i < LANES; i++)                                                                                 \
            if (mask >> i & 1)                                                                                          \
                lanes[i] = p[i];                                                                                        \
        return *(const VECTOR *)lanes;                                                                                  \
    }                                                                                                                   \
    MN_EMULATED void mn_emulated_mask_storeu_##SUFFIX(REAL *p, MASK mask, VECTOR v)                                     \
    {                                                                                                                   \
        REAL lanes[LANES] __attribute__((aligned(64)));                                                                 \
        *(VECTOR *)lanes = v;                                                                                           \
        for (int i = 0; i < LANES; i++)                                                                                 \
            if (mask >> i & 1)                                                                                          \
                p[i] = lanes[i];                                                                                        \
    }

MN_EMULATED_MASKED(ps, float, __m512, __mmask16, 16)
MN_EMULATED_MASKED(pd, double, __m512d, __mmask8, 8)
#undef _mm512_maskz_loadu_ps
#undef _mm512_maskz_loadu_pd
#undef _mm512_mask_storeu_ps
#undef _mm512_mask_storeu_pd
#define _mm512_maskz_loadu_ps mn_emulated_maskz_loadu_ps
#define _mm512_maskz_loadu_pd mn_emulated_maskz_loadu_pd
#define _mm512_mask_storeu_ps mn_emulated_mask_storeu_ps
#define _mm512_mask_storeu_pd mn_emulated_mask_storeu_pd

/* SIMDe multiplies, then adds; the instructions round once. */
#define MN_EMULATED_FUSED(NAME, VECTOR, HALF)                                                                           \
    MN_EMULATED VECTOR mn_emulated_##NAME(VECTOR a, VECTOR b, VECTOR c)                                                 \
    {                                                                                                                   \
        HALF x[2], y[2], z[2];                                                                                          \
        memcpy(x, &a, 64), memcpy(y, &b, 64), memcpy(z, &c, 64);                                                        \
        for (int i = 0; i < 2; i++)                                                                                     \
            z[i] = _mm256_##NAME(x[i], y[i], z[i]);                                                                     \
        memcpy(&c, z, 64);                                                                                              \
        return c;                                                                                                       \
    }

MN_EMULATED_FUSED(fmadd_ps, __m512, __m256)
MN_EMULATED_FUSED(fmadd_pd, __m512d, __m256d)
MN_EMULATED_FUSED(fnmadd_ps, __m512, __m256)
MN_EMULATED_FUSED(fnmadd_pd, __m512d, __m256d)
#undef _mm512_fmadd_ps
#undef _mm512_fmadd_pd
#undef _mm512_fnmadd_ps
#undef _mm512_fnmadd_pd
#define _mm512_fmadd_ps mn_emulated_fmadd_ps
#define _mm512_fmadd_pd mn_emulated_fmadd_pd
#define _mm512_fnmadd_ps mn_emulated_fnmadd_ps
#define _mm512_fnmadd_pd mn_emulated_fnmadd_pd

#endif
