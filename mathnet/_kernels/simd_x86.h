/* SSE2, AVX2 and AVX-512: what simd.h leaves to the instruction set.  Included by simd.h alone.

   A function defined here announces itself by a macro of its own name; simd.h fills in the others. */
#ifndef MN_SIMD_X86_H
#define MN_SIMD_X86_H

/* MN_X86(min) is _mm512_min_ps, _mm256_min_ps, _mm_min_pd, …; MN_X86_VEC is the type they work on. */
#define MN_PASTE_(prefix, stem, suffix) prefix##stem##suffix
#define MN_PASTE(prefix, stem, suffix) MN_PASTE_(prefix, stem, suffix)
#if MN_VECTOR_BYTES == 64
#define MN_X86_PREFIX _mm512_
#define MN_X86_TYPE __m512
#define MN_X86_INTEGERS __m512i
#elif MN_VECTOR_BYTES == 32
#define MN_X86_PREFIX _mm256_
#define MN_X86_TYPE __m256
#define MN_X86_INTEGERS __m256i
#else
#define MN_X86_PREFIX _mm_
#define MN_X86_TYPE __m128
#define MN_X86_INTEGERS __m128i
#endif
#ifdef MN_REAL_IS_DOUBLE
#define MN_X86_SUFFIX _pd
#define MN_X86_VEC MN_PASTE(MN_X86_TYPE, d, )
#else
#define MN_X86_SUFFIX _ps
#define MN_X86_VEC MN_X86_TYPE
#endif
#define MN_X86(stem) MN_PASTE(MN_X86_PREFIX, stem, MN_X86_SUFFIX)

/* ---- every width ---- */

#define v_splat v_splat
MN_INLINE mn_vec v_splat(mn_real x)
{
    return (mn_vec)MN_X86(set1)(x);
}

#define v_min v_min
MN_INLINE mn_vec v_min(mn_vec a, mn_vec b)
{
    return (mn_vec)MN_X86(min)((MN_X86_VEC)a, (MN_X86_VEC)b);
}

#define v_max v_max
MN_INLINE mn_vec v_max(mn_vec a, mn_vec b)
{
    return (mn_vec)MN_X86(max)((MN_X86_VEC)a, (MN_X86_VEC)b);
}

#define v_sqrt v_sqrt
MN_INLINE mn_vec v_sqrt(mn_vec a)
{
    return (mn_vec)MN_X86(sqrt)((MN_X86_VEC)a);
}

#define v_multiply_words v_multiply_words
MN_INLINE mn_wordvec v_multiply_words(mn_wordvec a, uint32_t b)
{
    const mn_wordvec factor = (mn_wordvec){0} + b;
    return (mn_wordvec)MN_PASTE(MN_X86_PREFIX, mul, _epu32)((MN_X86_INTEGERS)a, (MN_X86_INTEGERS)factor);
}

#ifdef __FMA__
#define MN_HAS_FMA 1

#define v_fma v_fma
MN_INLINE mn_vec v_fma(mn_vec a, mn_vec b, mn_vec c)
{
    return (mn_vec)MN_X86(fmadd)((MN_X86_VEC)a, (MN_X86_VEC)b, (MN_X86_VEC)c);
}

#define v_fnma v_fnma
MN_INLINE mn_vec v_fnma(mn_vec a, mn_vec b, mn_vec c)
{
    return (mn_vec)MN_X86(fnmadd)((MN_X86_VEC)a, (MN_X86_VEC)b, (MN_X86_VEC)c);
}
#endif

#if MN_VECTOR_BYTES == 64

/* ---- AVX-512 (F, DQ, BW, VL) ---- */

#ifdef MN_REAL_IS_DOUBLE
#define MN_LANES(n) ((__mmask8)(0xFFu >> (8 - (n))))
#else
#define MN_LANES(n) ((__mmask16)(0xFFFFu >> (16 - (n))))
#endif

#define v_load_partial v_load_partial
MN_INLINE mn_vec v_load_partial(const mn_real *p, int n)
{
    return (mn_vec)MN_X86(maskz_loadu)(MN_LANES(n), p);
}

#define v_store_partial v_store_partial
MN_INLINE void v_store_partial(mn_real *p, mn_vec v, int n)
{
    MN_X86(mask_storeu)(p, MN_LANES(n), (MN_X86_VEC)v);
}

#define v_select v_select
MN_INLINE mn_vec v_select(mn_ivec mask, mn_vec a, mn_vec b)
{
    return (mn_vec)_mm512_ternarylogic_epi32((__m512i)mask, (__m512i)a, (__m512i)b, 0xCA);
}

#define v_any v_any
MN_INLINE int v_any(mn_ivec mask)
{
    return _mm512_test_epi32_mask((__m512i)mask, (__m512i)mask) != 0;
}

#define v_round v_round
MN_INLINE mn_vec v_round(mn_vec a)
{
    return (mn_vec)MN_X86(roundscale)((MN_X86_VEC)a, (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#define v_floor v_floor
MN_INLINE mn_vec v_floor(mn_vec a)
{
    return (mn_vec)MN_X86(roundscale)((MN_X86_VEC)a, (_MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC));
}

#else

/* ---- SSE2 and AVX2 ---- */

#define v_any v_any
MN_INLINE int v_any(mn_ivec mask)
{
    return MN_X86(movemask)((MN_X86_VEC)mask) != 0;
}

#ifdef __SSE4_1__
#define v_select v_select
MN_INLINE mn_vec v_select(mn_ivec mask, mn_vec a, mn_vec b)
{
    return (mn_vec)MN_X86(blendv)((MN_X86_VEC)b, (MN_X86_VEC)a, (MN_X86_VEC)mask);
}

#define v_round v_round
MN_INLINE mn_vec v_round(mn_vec a)
{
    return (mn_vec)MN_X86(round)((MN_X86_VEC)a, (_MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}

#define v_floor v_floor
MN_INLINE mn_vec v_floor(mn_vec a)
{
    return (mn_vec)MN_X86(floor)((MN_X86_VEC)a);
}
#endif

#endif

#if MN_VECTOR_BYTES == 32

/* ---- AVX2 ---- */

#define v_load_partial v_load_partial
MN_INLINE mn_vec v_load_partial(const mn_real *p, int n)
{
    return (mn_vec)MN_X86(maskload)(p, (__m256i)v_first_lanes(n));
}

/* Halves of two vectors are loaded so that no lane crosses from one half of a register to the other. */
#define v_load_pairs v_load_pairs
MN_INLINE void v_load_pairs(const mn_real *p, mn_vec *even, mn_vec *odd)
{
#ifdef MN_REAL_IS_DOUBLE
    const __m256d low = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p)), _mm_loadu_pd(p + 4), 1);
    const __m256d high = _mm256_insertf128_pd(_mm256_castpd128_pd256(_mm_loadu_pd(p + 2)), _mm_loadu_pd(p + 6), 1);
    *even = (mn_vec)_mm256_unpacklo_pd(low, high);
    *odd = (mn_vec)_mm256_unpackhi_pd(low, high);
#else
    const __m256 low = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p)), _mm_loadu_ps(p + 8), 1);
    const __m256 high = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + 4)), _mm_loadu_ps(p + 12), 1);
    *even = (mn_vec)_mm256_shuffle_ps(low, high, 0x88);
    *odd = (mn_vec)_mm256_shuffle_ps(low, high, 0xDD);
#endif
}

/* In halves, because a masked store is microcode on AMD (some 15 cycles) and is not forwarded to a load that
   follows. */
#define v_store_partial v_store_partial
MN_INLINE void v_store_partial(mn_real *p, mn_vec v, int n)
{
    if (n >= VL) {
        v_store(p, v);
        return;
    }
#ifdef MN_REAL_IS_DOUBLE
    __m128d half = _mm256_castpd256_pd128((__m256d)v);
    if (n & 2) {
        _mm_storeu_pd(p, half);
        p += 2;
        half = _mm256_extractf128_pd((__m256d)v, 1);
    }
    if (n & 1)
        _mm_store_sd(p, half);
#else
    __m128 half = _mm256_castps256_ps128((__m256)v);
    if (n & 4) {
        _mm_storeu_ps(p, half);
        p += 4;
        half = _mm256_extractf128_ps((__m256)v, 1);
    }
    if (n & 2) {
        _mm_storel_pi((__m64 *)p, half);
        p += 2;
        half = _mm_movehl_ps(half, half);
    }
    if (n & 1)
        _mm_store_ss(p, half);
#endif
}

#define v_transpose v_transpose
MN_INLINE void v_transpose(mn_vec *r)
{
#ifdef MN_REAL_IS_DOUBLE
    __m256d t0 = _mm256_unpacklo_pd((__m256d)r[0], (__m256d)r[1]), t1 = _mm256_unpackhi_pd((__m256d)r[0], (__m256d)r[1]);
    __m256d t2 = _mm256_unpacklo_pd((__m256d)r[2], (__m256d)r[3]), t3 = _mm256_unpackhi_pd((__m256d)r[2], (__m256d)r[3]);
    r[0] = (mn_vec)_mm256_permute2f128_pd(t0, t2, 0x20);
    r[1] = (mn_vec)_mm256_permute2f128_pd(t1, t3, 0x20);
    r[2] = (mn_vec)_mm256_permute2f128_pd(t0, t2, 0x31);
    r[3] = (mn_vec)_mm256_permute2f128_pd(t1, t3, 0x31);
#else
    __m256 t[8], u[8];
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        t[2 * i] = _mm256_unpacklo_ps((__m256)r[2 * i], (__m256)r[2 * i + 1]);
        t[2 * i + 1] = _mm256_unpackhi_ps((__m256)r[2 * i], (__m256)r[2 * i + 1]);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
        u[i] = _mm256_shuffle_ps(t[i], t[i + 2], 0x44);
        u[i + 1] = _mm256_shuffle_ps(t[i], t[i + 2], 0xEE);
        u[i + 2] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0x44);
        u[i + 3] = _mm256_shuffle_ps(t[i + 1], t[i + 3], 0xEE);
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        r[i] = (mn_vec)_mm256_permute2f128_ps(u[i], u[i + 4], 0x20);
        r[i + 4] = (mn_vec)_mm256_permute2f128_ps(u[i], u[i + 4], 0x31);
    }
#endif
}

#ifndef MN_REAL_IS_DOUBLE
#define v_load_transposed v_load_transposed
MN_INLINE void v_load_transposed(const mn_real *source, int64_t row, mn_vec *r)
{
    /* The upper half of each register is filled by the load, which saves the eight slowest of 24 shuffles. */
#pragma GCC unroll 2
    for (int half = 0; half < 2; half++) {
        __m256 q[4], t[4];
        const mn_real *p = source + 4 * half;
#pragma GCC unroll 4
        for (int i = 0; i < 4; i++)
            q[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_loadu_ps(p + i * row)),
                                        _mm_loadu_ps(p + (i + 4) * row), 1);
        t[0] = _mm256_unpacklo_ps(q[0], q[1]);
        t[1] = _mm256_unpackhi_ps(q[0], q[1]);
        t[2] = _mm256_unpacklo_ps(q[2], q[3]);
        t[3] = _mm256_unpackhi_ps(q[2], q[3]);
        r[4 * half] = (mn_vec)_mm256_shuffle_ps(t[0], t[2], 0x44);
        r[4 * half + 1] = (mn_vec)_mm256_shuffle_ps(t[0], t[2], 0xEE);
        r[4 * half + 2] = (mn_vec)_mm256_shuffle_ps(t[1], t[3], 0x44);
        r[4 * half + 3] = (mn_vec)_mm256_shuffle_ps(t[1], t[3], 0xEE);
    }
}

#define v_store_bytes v_store_bytes
MN_INLINE void v_store_bytes(uint8_t *p, mn_ivec v)
{
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(words, words));
}

#define v_load_bytes v_load_bytes
MN_INLINE mn_ivec v_load_bytes(const uint8_t *p)
{
    return (mn_ivec)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
}
#endif

#endif

#endif
