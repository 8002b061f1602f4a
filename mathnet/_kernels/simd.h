/* Vectors of real numbers, one width per instruction set.

   mn_real   float, or double when MN_REAL_IS_DOUBLE is defined
   mn_vec    VL reals; + - * / and unary - work on it, also with a scalar on one side
   mn_ivec   VL integers of the same width; & | ^ ~ + - << >> work on it; as a mask each lane is 0 or -1

   All results are lane by lane and the same for every lane, so a tail may run on padded lanes.  This header and the
   simd_*.h that it includes are the only files with intrinsics and vector attributes.  Each simd_*.h serves one family
   of processors; what it leaves out is portable code below, which needs nothing but the compiler's vector types. */
#ifndef MN_SIMD_H
#define MN_SIMD_H

#include <stdint.h>
#include <string.h>

/* MN_EMULATED_AVX512: the intrinsics come from elsewhere, to run the code on any machine (for tests). */
#if defined(__AVX512F__) || defined(MN_EMULATED_AVX512)
#define MN_VECTOR_BYTES 64
#elif defined(__AVX2__)
#define MN_VECTOR_BYTES 32
#else
#define MN_VECTOR_BYTES 16
#endif

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
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

typedef uint64_t mn_wordvec __attribute__((vector_size(MN_VECTOR_BYTES)));

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

#if defined(__SSE2__)
#include "simd_x86.h"
#elif defined(__aarch64__)
#include "simd_arm.h"
#endif

/* The first n lanes (0 <= n <= VL) from memory, 0 in the others; reads nothing beyond them. */
#ifndef v_load_partial
MN_INLINE mn_vec v_load_partial(const mn_real *p, int n)
{
    mn_vec v = {0};
    for (int i = 0; i < VL; i++)
        if (i < n)
            v[i] = p[i];
    return v;
}
#endif

/* Stores the first n lanes (0 <= n <= VL); writes nothing beyond them. */
#ifndef v_store_partial
MN_INLINE void v_store_partial(mn_real *p, mn_vec v, int n)
{
    for (int i = 0; i < VL; i++)
        if (i < n)
            p[i] = v[i];
}
#endif

/* ---- whole vectors ---- */

#ifndef v_splat
MN_INLINE mn_vec v_splat(mn_real x)
{
    mn_vec v;
    for (int i = 0; i < VL; i++)
        v[i] = x;
    return v;
}
#endif

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
#ifndef v_select
MN_INLINE mn_vec v_select(mn_ivec mask, mn_vec a, mn_vec b)
{
    return (mn_vec)(((mn_ivec)a & mask) | ((mn_ivec)b & ~mask));
}
#endif

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

#ifndef v_any
MN_INLINE int v_any(mn_ivec mask)
{
    mn_int any = 0;
    for (int i = 0; i < VL; i++)
        any |= mask[i];
    return any != 0;
}
#endif

/* ---- arithmetic ---- */

/* a*b + c, rounded once where the instruction set has it, else twice: explicit, so bits never depend on the compiler. */
#ifndef v_fma
MN_INLINE mn_vec v_fma(mn_vec a, mn_vec b, mn_vec c)
{
    return a * b + c;
}
#endif

/* c - a*b */
#ifndef v_fnma
MN_INLINE mn_vec v_fnma(mn_vec a, mn_vec b, mn_vec c)
{
    return c - a * b;
}
#endif

/* a < b ? a : b: where a or b is NaN the result is b */
#ifndef v_min
MN_INLINE mn_vec v_min(mn_vec a, mn_vec b)
{
    return v_select(v_lt(a, b), a, b);
}
#endif

/* a > b ? a : b: where a or b is NaN the result is b */
#ifndef v_max
MN_INLINE mn_vec v_max(mn_vec a, mn_vec b)
{
    return v_select(v_gt(a, b), a, b);
}
#endif

#ifndef v_sqrt
MN_INLINE mn_vec v_sqrt(mn_vec a)
{
    for (int i = 0; i < VL; i++)
        a[i] = sizeof(mn_real) == 8 ? __builtin_sqrt(a[i]) : __builtin_sqrtf((float)a[i]);
    return a;
}
#endif

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

/* The products of the lower 32 bits of each lane; the upper 32 bits of a do not matter. */
#ifndef v_multiply_words
MN_INLINE mn_wordvec v_multiply_words(mn_wordvec a, uint32_t b)
{
    return (a & 0xFFFFFFFFu) * b;
}
#endif

/* ---- rounding and conversion ---- */

/* To the nearest integer, ties to even; keeps -0, ±inf and NaN. */
#ifndef v_round
MN_INLINE mn_vec v_round(mn_vec a)
{
    const mn_real shift = (mn_real)((mn_int)1 << MN_MANTISSA_BITS); /* from here on every number is an integer */
    mn_vec size = v_abs(a);
    return v_select(v_lt(size, v_splat(shift)), v_copysign((size + shift) - shift, a), a);
}
#endif

#ifndef v_floor
MN_INLINE mn_vec v_floor(mn_vec a)
{
    mn_vec nearest = v_round(a);
    return v_copysign(nearest - v_and(v_gt(nearest, a), v_splat(1)), a);
}
#endif

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

/* MN_SHUFFLE(a, b, lane, s): lane(0, s), lane(1, s), … are the numbers of lanes of a and, from VL on, of b. */
#if VL == 16
#define MN_EACH_LANE(f, s)                                                                                           \
    f(0, s), f(1, s), f(2, s), f(3, s), f(4, s), f(5, s), f(6, s), f(7, s), f(8, s), f(9, s), f(10, s), f(11, s),    \
        f(12, s), f(13, s), f(14, s), f(15, s)
#elif VL == 8
#define MN_EACH_LANE(f, s) f(0, s), f(1, s), f(2, s), f(3, s), f(4, s), f(5, s), f(6, s), f(7, s)
#elif VL == 4
#define MN_EACH_LANE(f, s) f(0, s), f(1, s), f(2, s), f(3, s)
#else
#define MN_EACH_LANE(f, s) f(0, s), f(1, s)
#endif
#define MN_SHUFFLE(a, b, lane, s) __builtin_shufflevector(a, b, MN_EACH_LANE(lane, s))

#define MN_UPPER_LANE(i, half) ((i) | (half))
#define MN_EVEN_LANE(i, s) (2 * (i))
#define MN_ODD_LANE(i, s) (2 * (i) + 1)
#define MN_ZIP_LANE(i, first) (((i) & 1 ? VL : 0) + (i) / 2 + (first))
#define MN_KEEP_LOW_LANE(i, step) ((i) & (step) ? VL + (i) - (step) : (i))
#define MN_KEEP_HIGH_LANE(i, step) ((i) & (step) ? VL + (i) : (i) + (step))

/* Lane i of the result is lane i + half of v, for i < half; the other lanes are unspecified.  half is a constant. */
MN_INLINE mn_vec v_upper(mn_vec v, int half)
{
    (void)half; /* where 1 is the only one */
#if VL > 8
    if (half == 8)
        return MN_SHUFFLE(v, v, MN_UPPER_LANE, 8);
#endif
#if VL > 4
    if (half == 4)
        return MN_SHUFFLE(v, v, MN_UPPER_LANE, 4);
#endif
#if VL > 2
    if (half == 2)
        return MN_SHUFFLE(v, v, MN_UPPER_LANE, 2);
#endif
    return MN_SHUFFLE(v, v, MN_UPPER_LANE, 1);
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

/* Transposes VL vectors of VL lanes in place: blocks of 1, 2, 4, … lanes off the diagonal change places. */
#ifndef v_transpose
#define MN_EXCHANGE(step)                                                                                            \
    _Pragma("GCC unroll 16") for (int i = 0; i < VL; i++) if (!(i & (step)))                                         \
    {                                                                                                                \
        const mn_vec low = r[i], high = r[i + (step)];                                                               \
        r[i] = MN_SHUFFLE(low, high, MN_KEEP_LOW_LANE, step);                                                        \
        r[i + (step)] = MN_SHUFFLE(low, high, MN_KEEP_HIGH_LANE, step);                                              \
    }

MN_INLINE void v_transpose(mn_vec *r)
{
    MN_EXCHANGE(1)
#if VL > 2
    MN_EXCHANGE(2)
#endif
#if VL > 4
    MN_EXCHANGE(4)
#endif
#if VL > 8
    MN_EXCHANGE(8)
#endif
}
#endif

/* r[j] lane i = source[i * row + j]: VL rows of VL elements, transposed as they come from memory. */
#ifndef v_load_transposed
MN_INLINE void v_load_transposed(const mn_real *source, int64_t row, mn_vec *r)
{
#pragma GCC unroll 16
    for (int i = 0; i < VL; i++)
        r[i] = v_load(source + i * row);
    v_transpose(r);
}
#endif

/* ---- pairs and bytes in memory ---- */

/* Of 2*VL elements: those at even places, and those at odd places. */
#ifndef v_load_pairs
MN_INLINE void v_load_pairs(const mn_real *p, mn_vec *even, mn_vec *odd)
{
    const mn_vec low = v_load(p), high = v_load(p + VL);
    *even = MN_SHUFFLE(low, high, MN_EVEN_LANE, );
    *odd = MN_SHUFFLE(low, high, MN_ODD_LANE, );
}
#endif

/* even[0], odd[0], even[1], odd[1], … */
MN_INLINE void v_store_pairs(mn_real *p, mn_vec even, mn_vec odd)
{
    v_store(p, MN_SHUFFLE(even, odd, MN_ZIP_LANE, 0));
    v_store(p + VL, MN_SHUFFLE(even, odd, MN_ZIP_LANE, VL / 2));
}

typedef uint8_t mn_bytes __attribute__((vector_size(VL)));

/* VL integers 0 … 255 as bytes. */
#ifndef v_store_bytes
MN_INLINE void v_store_bytes(uint8_t *p, mn_ivec v)
{
    const mn_bytes bytes = __builtin_convertvector(v, mn_bytes);
    memcpy(p, &bytes, VL);
}
#endif

/* VL bytes as integers. */
#ifndef v_load_bytes
MN_INLINE mn_ivec v_load_bytes(const uint8_t *p)
{
    mn_bytes bytes;
    memcpy(&bytes, p, VL);
    return __builtin_convertvector(bytes, mn_ivec);
}
#endif

#endif
