/* Vectors of real numbers, one width per instruction set: the only file with intrinsics and vector attributes.

   mn_real   float, or double when MN_REAL_IS_DOUBLE is defined
   mn_vec    VL reals; + - * / and unary - work on it, also with a scalar on one side
   mn_ivec   VL integers of the same width; & | ^ ~ + - << >> work on it; as a mask each lane is 0 or -1

   All results are lane by lane and the same for every lane, so a tail may run on padded lanes.  A new instruction
   set adds its section below: everything it leaves out falls back to portable code. */
#ifndef MN_SIMD_H
#define MN_SIMD_H

#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__AVX2__)
#define MN_VECTOR_BYTES 32
#else
#define MN_VECTOR_BYTES 16
#endif

#if defined(__FMA__)
#define MN_HAS_FMA 1
#endif

#ifdef MN_REAL_IS_DOUBLE
typedef double mn_real;
typedef int64_t mn_int;
typedef uint64_t mn_uint;
#define MN_REAL_NAME "float64"
#define VL (MN_VECTOR_BYTES / 8)
#define MN_REAL_CODE 1
#define MN_MANTISSA_BITS 52
#define MN_EXPONENT_BIAS 1023
#define MN_SIGN_BIT INT64_MIN
#else
typedef float mn_real;
typedef int32_t mn_int;
typedef uint32_t mn_uint;
#define MN_REAL_NAME "float32"
#define VL (MN_VECTOR_BYTES / 4)
#define MN_REAL_CODE 0
#define MN_MANTISSA_BITS 23
#define MN_EXPONENT_BIAS 127
#define MN_SIGN_BIT INT32_MIN
#endif

#define MN_INLINE static inline __attribute__((always_inline, unused))

typedef mn_real mn_vec __attribute__((vector_size(MN_VECTOR_BYTES)));
typedef mn_int mn_ivec __attribute__((vector_size(MN_VECTOR_BYTES)));
typedef mn_uint mn_uvec __attribute__((vector_size(MN_VECTOR_BYTES)));
/* The same without alignment, for loads and stores; may_alias because memory is shared by all storage types. */
typedef mn_real mn_vec_in_memory
    __attribute__((vector_size(MN_VECTOR_BYTES), aligned(sizeof(mn_real)), may_alias));
typedef mn_int mn_ivec_in_memory
    __attribute__((vector_size(MN_VECTOR_BYTES), aligned(sizeof(mn_real)), may_alias));

/* MN_X86(min) is _mm256_min_ps, _mm_min_pd, … */
#define MN_PASTE_(prefix, stem, suffix) prefix##stem##suffix
#define MN_PASTE(prefix, stem, suffix) MN_PASTE_(prefix, stem, suffix)
#if defined(__AVX2__)
#define MN_X86_PREFIX _mm256_
#ifdef MN_REAL_IS_DOUBLE
#define MN_X86_VEC __m256d
#else
#define MN_X86_VEC __m256
#endif
#else
#define MN_X86_PREFIX _mm_
#ifdef MN_REAL_IS_DOUBLE
#define MN_X86_VEC __m128d
#else
#define MN_X86_VEC __m128
#endif
#endif
#ifdef MN_REAL_IS_DOUBLE
#define MN_X86_SUFFIX _pd
#else
#define MN_X86_SUFFIX _ps
#endif
#define MN_X86(stem) MN_PASTE(MN_X86_PREFIX, stem, MN_X86_SUFFIX)

/* ---- memory ---- */

MN_INLINE mn_vec v_load(const mn_real *p)
{
    return (mn_vec) * (const mn_vec_in_memory *)p;
}

MN_INLINE void v_store(mn_real *p, mn_vec v)
{
    *(mn_vec_in_memory *)p = (mn_vec_in_memory)v;
}

/* Asks for the cache line at p, which need not be mapped. */
MN_INLINE void v_prefetch(const mn_real *p)
{
    __builtin_prefetch(p, 0, 3);
}

MN_INLINE mn_ivec v_first_lanes(int n) /* -1 in the first n lanes, 0 in the others */
{
    mn_ivec lane;
    for (int i = 0; i < VL; i++)
        lane[i] = i;
    return lane < (mn_ivec){0} + (mn_int)n;
}

/* The first n lanes (0 <= n <= VL) from memory, 0 in the others; reads nothing beyond them. */
MN_INLINE mn_vec v_load_partial(const mn_real *p, int n)
{
#if defined(__AVX2__) && defined(MN_REAL_IS_DOUBLE)
    return (mn_vec)_mm256_maskload_pd(p, (__m256i)v_first_lanes(n));
#elif defined(__AVX2__)
    return (mn_vec)_mm256_maskload_ps(p, (__m256i)v_first_lanes(n));
#else
    mn_vec v = {0};
    for (int i = 0; i < VL; i++)
        if (i < n)
            v[i] = p[i];
    return v;
#endif
}

/* Stores the first n lanes (0 <= n <= VL); writes nothing beyond them.  In halves, because a masked store is
   microcode on AMD (some 15 cycles) and is not forwarded to a load that follows. */
MN_INLINE void v_store_partial(mn_real *p, mn_vec v, int n)
{
#if defined(__AVX2__) && defined(MN_REAL_IS_DOUBLE)
    if (n >= 4) {
        v_store(p, v);
        return;
    }
    __m128d half = _mm256_castpd256_pd128((__m256d)v);
    if (n & 2) {
        _mm_storeu_pd(p, half);
        p += 2;
        half = _mm256_extractf128_pd((__m256d)v, 1);
    }
    if (n & 1)
        _mm_store_sd(p, half);
#elif defined(__AVX2__)
    if (n >= 8) {
        v_store(p, v);
        return;
    }
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
#else
    for (int i = 0; i < VL; i++)
        if (i < n)
            p[i] = v[i];
#endif
}

/* ---- whole vectors ---- */

MN_INLINE mn_vec v_splat(mn_real x)
{
#if defined(__SSE2__)
    return (mn_vec)MN_X86(set1)(x);
#else
    mn_vec v;
    for (int i = 0; i < VL; i++)
        v[i] = x;
    return v;
#endif
}

MN_INLINE mn_ivec v_isplat(mn_int x)
{
    return (mn_ivec){0} + x;
}

MN_INLINE mn_vec v_from_bits(mn_ivec bits)
{
    return (mn_vec)bits;
}

MN_INLINE mn_ivec v_bits(mn_vec v)
{
    return (mn_ivec)v;
}

/* ---- masks ---- */

MN_INLINE mn_ivec v_lt(mn_vec a, mn_vec b) { return (mn_ivec)(a < b); }
MN_INLINE mn_ivec v_le(mn_vec a, mn_vec b) { return (mn_ivec)(a <= b); }
MN_INLINE mn_ivec v_eq(mn_vec a, mn_vec b) { return (mn_ivec)(a == b); }
MN_INLINE mn_ivec v_ne(mn_vec a, mn_vec b) { return (mn_ivec)(a != b); }
MN_INLINE mn_ivec v_gt(mn_vec a, mn_vec b) { return (mn_ivec)(a > b); }
MN_INLINE mn_ivec v_ge(mn_vec a, mn_vec b) { return (mn_ivec)(a >= b); }
MN_INLINE mn_ivec v_isnan(mn_vec a) { return (mn_ivec)(a != a); }

/* mask ? a : b, lane by lane */
MN_INLINE mn_vec v_select(mn_ivec mask, mn_vec a, mn_vec b)
{
#if defined(__AVX2__)
    return (mn_vec)MN_X86(blendv)((MN_X86_VEC)b, (MN_X86_VEC)a, (MN_X86_VEC)mask);
#else
    return (mn_vec)(((mn_ivec)a & mask) | ((mn_ivec)b & ~mask));
#endif
}

/* The first n lanes from memory as v_load_partial does, missing in the others */
MN_INLINE mn_vec v_load_partial_or(const mn_real *p, int n, mn_real missing)
{
    return v_select(v_first_lanes(n), v_load_partial(p, n), v_splat(missing));
}

/* mask ? a : 0 */
MN_INLINE mn_vec v_and(mn_ivec mask, mn_vec a)
{
    return (mn_vec)((mn_ivec)a & mask);
}

MN_INLINE int v_any(mn_ivec mask)
{
#if defined(__SSE2__)
    return MN_X86(movemask)((MN_X86_VEC)mask) != 0;
#else
    mn_int any = 0;
    for (int i = 0; i < VL; i++)
        any |= mask[i];
    return any != 0;
#endif
}

/* ---- arithmetic ---- */

/* a*b + c, rounded once where the instruction set has it, else twice: explicit, so bits never depend on the compiler. */
MN_INLINE mn_vec v_fma(mn_vec a, mn_vec b, mn_vec c)
{
#if defined(MN_HAS_FMA)
    return (mn_vec)MN_X86(fmadd)((MN_X86_VEC)a, (MN_X86_VEC)b, (MN_X86_VEC)c);
#else
    return a * b + c;
#endif
}

/* c - a*b */
MN_INLINE mn_vec v_fnma(mn_vec a, mn_vec b, mn_vec c)
{
#if defined(MN_HAS_FMA)
    return (mn_vec)MN_X86(fnmadd)((MN_X86_VEC)a, (MN_X86_VEC)b, (MN_X86_VEC)c);
#else
    return c - a * b;
#endif
}

/* a < b ? a : b: where a or b is NaN the result is b */
MN_INLINE mn_vec v_min(mn_vec a, mn_vec b)
{
#if defined(__SSE2__)
    return (mn_vec)MN_X86(min)((MN_X86_VEC)a, (MN_X86_VEC)b);
#else
    return v_select(v_lt(a, b), a, b);
#endif
}

/* a > b ? a : b: where a or b is NaN the result is b */
MN_INLINE mn_vec v_max(mn_vec a, mn_vec b)
{
#if defined(__SSE2__)
    return (mn_vec)MN_X86(max)((MN_X86_VEC)a, (MN_X86_VEC)b);
#else
    return v_select(v_gt(a, b), a, b);
#endif
}

MN_INLINE mn_vec v_sqrt(mn_vec a)
{
#if defined(__SSE2__)
    return (mn_vec)MN_X86(sqrt)((MN_X86_VEC)a);
#else
    for (int i = 0; i < VL; i++)
        a[i] = sizeof(mn_real) == 8 ? __builtin_sqrt(a[i]) : __builtin_sqrtf((float)a[i]);
    return a;
#endif
}

MN_INLINE mn_vec v_abs(mn_vec a)
{
    return (mn_vec)((mn_ivec)a & ~MN_SIGN_BIT);
}

MN_INLINE mn_vec v_neg(mn_vec a)
{
    return (mn_vec)((mn_ivec)a ^ MN_SIGN_BIT);
}

/* the magnitude of a with the sign of b */
MN_INLINE mn_vec v_copysign(mn_vec a, mn_vec b)
{
    return (mn_vec)(((mn_ivec)a & ~MN_SIGN_BIT) | ((mn_ivec)b & MN_SIGN_BIT));
}

/* ---- 64-bit words, for random numbers: the same in both real types ---- */

typedef uint64_t mn_wordvec __attribute__((vector_size(MN_VECTOR_BYTES)));

/* The products of the lower 32 bits of each lane; the upper 32 bits of a do not matter. */
MN_INLINE mn_wordvec v_multiply_words(mn_wordvec a, uint32_t b)
{
#if defined(__AVX2__)
    return (mn_wordvec)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(b));
#elif defined(__SSE2__)
    return (mn_wordvec)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(b));
#else
    return (a & 0xFFFFFFFFu) * b;
#endif
}

/* ---- rounding and conversion ---- */

/* To the nearest integer, ties to even; keeps -0, ±inf and NaN. */
MN_INLINE mn_vec v_round(mn_vec a)
{
#if defined(__SSE4_1__)
    return (mn_vec)MN_X86(round)((MN_X86_VEC)a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
#else
    const mn_real shift = (mn_real)((mn_int)1 << MN_MANTISSA_BITS); /* from here on every number is an integer */
    mn_vec size = v_abs(a);
    return v_select(v_lt(size, v_splat(shift)), v_copysign((size + shift) - shift, a), a);
#endif
}

MN_INLINE mn_vec v_floor(mn_vec a)
{
#if defined(__SSE4_1__)
    return (mn_vec)MN_X86(floor)((MN_X86_VEC)a);
#else
    mn_vec nearest = v_round(a);
    return v_copysign(nearest - v_and(v_gt(nearest, a), v_splat(1)), a);
#endif
}

MN_INLINE mn_vec v_ceil(mn_vec a)
{
    return v_neg(v_floor(v_neg(a)));
}

/* 1.5·2^m: added to |x| < 2^(m-1) it leaves round(x) in the low bits */
#define MN_ROUNDING_SHIFT ((mn_real)((mn_int)3 << (MN_MANTISSA_BITS - 1)))

/* An integral a as integers; |a| <= 2^31 - 128 for float, < 2^51 for double. */
MN_INLINE mn_ivec v_to_int(mn_vec a)
{
#ifdef MN_REAL_IS_DOUBLE
    return (mn_ivec)(a + MN_ROUNDING_SHIFT) - (mn_ivec)v_splat(MN_ROUNDING_SHIFT);
#else
    return __builtin_convertvector(a, mn_ivec);
#endif
}

/* Integers as reals; |a| < 2^51 for double. */
MN_INLINE mn_vec v_from_int(mn_ivec a)
{
#ifdef MN_REAL_IS_DOUBLE
    return (mn_vec)(a + (mn_ivec)v_splat(MN_ROUNDING_SHIFT)) - MN_ROUNDING_SHIFT;
#else
    return __builtin_convertvector(a, mn_vec);
#endif
}

/* ---- across lanes ---- */

/* Lane i of the result is lane i + half of v, for i < half; the other lanes are unspecified.  half is a constant. */
MN_INLINE mn_vec v_upper(mn_vec v, int half)
{
#if defined(__has_builtin) && __has_builtin(__builtin_shufflevector) && VL == 8
    if (half == 4)
        return __builtin_shufflevector(v, v, 4, 5, 6, 7, 4, 5, 6, 7);
    if (half == 2)
        return __builtin_shufflevector(v, v, 2, 3, 2, 3, 6, 7, 6, 7);
    return __builtin_shufflevector(v, v, 1, 1, 3, 3, 5, 5, 7, 7);
#elif defined(__has_builtin) && __has_builtin(__builtin_shufflevector) && VL == 4
    if (half == 2)
        return __builtin_shufflevector(v, v, 2, 3, 2, 3);
    return __builtin_shufflevector(v, v, 1, 1, 3, 3);
#else
    mn_vec upper = v;
    for (int i = 0; i < half; i++)
        upper[i] = v[i + half];
    return upper;
#endif
}

/* The sum of all lanes: lower half + upper half, again and again. */
MN_INLINE mn_real v_hsum(mn_vec v)
{
#pragma GCC unroll 8
    for (int half = VL / 2; half > 0; half /= 2)
        v += v_upper(v, half);
    return v[0];
}

/* The largest of all lanes; where one is NaN, it or another lane. */
MN_INLINE mn_real v_hmax(mn_vec v)
{
#pragma GCC unroll 8
    for (int half = VL / 2; half > 0; half /= 2)
        v = v_max(v, v_upper(v, half));
    return v[0];
}

/* Transposes VL vectors of VL lanes in place. */
MN_INLINE void v_transpose(mn_vec r[VL])
{
#if defined(__AVX2__) && !defined(MN_REAL_IS_DOUBLE)
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
#elif defined(__AVX2__)
    __m256d t0 = _mm256_unpacklo_pd((__m256d)r[0], (__m256d)r[1]), t1 = _mm256_unpackhi_pd((__m256d)r[0], (__m256d)r[1]);
    __m256d t2 = _mm256_unpacklo_pd((__m256d)r[2], (__m256d)r[3]), t3 = _mm256_unpackhi_pd((__m256d)r[2], (__m256d)r[3]);
    r[0] = (mn_vec)_mm256_permute2f128_pd(t0, t2, 0x20);
    r[1] = (mn_vec)_mm256_permute2f128_pd(t1, t3, 0x20);
    r[2] = (mn_vec)_mm256_permute2f128_pd(t0, t2, 0x31);
    r[3] = (mn_vec)_mm256_permute2f128_pd(t1, t3, 0x31);
#elif defined(__SSE2__) && !defined(MN_REAL_IS_DOUBLE)
    _MM_TRANSPOSE4_PS(r[0], r[1], r[2], r[3]);
#elif defined(__SSE2__)
    __m128d low = _mm_unpacklo_pd((__m128d)r[0], (__m128d)r[1]);
    r[1] = (mn_vec)_mm_unpackhi_pd((__m128d)r[0], (__m128d)r[1]);
    r[0] = (mn_vec)low;
#else
    for (int i = 0; i < VL; i++)
        for (int j = 0; j < i; j++) {
            mn_real swap = r[i][j];
            r[i][j] = r[j][i];
            r[j][i] = swap;
        }
#endif
}

/* r[j] lane i = source[i * row + j]: VL rows of VL elements, transposed as they come from memory. */
MN_INLINE void v_load_transposed(const mn_real *source, int64_t row, mn_vec r[VL])
{
#if defined(__AVX2__) && !defined(MN_REAL_IS_DOUBLE)
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
#else
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++)
        r[i] = v_load(source + i * row);
    v_transpose(r);
#endif
}

/* ---- pairs and bytes in memory ---- */

#if VL == 8
#define MN_EVEN 0, 2, 4, 6, 8, 10, 12, 14
#define MN_ODD 1, 3, 5, 7, 9, 11, 13, 15
#define MN_ZIP_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define MN_ZIP_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif VL == 4
#define MN_EVEN 0, 2, 4, 6
#define MN_ODD 1, 3, 5, 7
#define MN_ZIP_LOW 0, 4, 1, 5
#define MN_ZIP_HIGH 2, 6, 3, 7
#elif VL == 2
#define MN_EVEN 0, 2
#define MN_ODD 1, 3
#define MN_ZIP_LOW 0, 2
#define MN_ZIP_HIGH 1, 3
#endif

/* Of 2*VL elements: those at even places, and those at odd places. */
MN_INLINE void v_load_pairs(const mn_real *p, mn_vec *even, mn_vec *odd)
{
    const mn_vec low = v_load(p), high = v_load(p + VL);
    *even = __builtin_shufflevector(low, high, MN_EVEN);
    *odd = __builtin_shufflevector(low, high, MN_ODD);
}

/* even[0], odd[0], even[1], odd[1], … */
MN_INLINE void v_store_pairs(mn_real *p, mn_vec even, mn_vec odd)
{
    v_store(p, __builtin_shufflevector(even, odd, MN_ZIP_LOW));
    v_store(p + VL, __builtin_shufflevector(even, odd, MN_ZIP_HIGH));
}

/* VL integers 0 … 255 as bytes. */
MN_INLINE void v_store_bytes(uint8_t *p, mn_ivec v)
{
#if defined(__AVX2__) && !defined(MN_REAL_IS_DOUBLE)
    __m128i words = _mm_packs_epi32(_mm256_castsi256_si128((__m256i)v), _mm256_extracti128_si256((__m256i)v, 1));
    _mm_storel_epi64((__m128i *)p, _mm_packus_epi16(words, words));
#else
    for (int i = 0; i < VL; i++)
        p[i] = (uint8_t)v[i];
#endif
}

/* VL bytes as integers. */
MN_INLINE mn_ivec v_load_bytes(const uint8_t *p)
{
#if defined(__AVX2__) && !defined(MN_REAL_IS_DOUBLE)
    return (mn_ivec)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p));
#else
    mn_ivec v;
    for (int i = 0; i < VL; i++)
        v[i] = p[i];
    return v;
#endif
}

#endif
