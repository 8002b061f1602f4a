/* Elementary functions over vectors: exp, expm1, log, log1p, tanh, sigmoid, softplus, erf, sin, cos, pow.

   Every one is within 4 units in the last place for float and double, with and without FMA, over its whole domain,
   and gives what IEEE 754 and NumPy give for ±0, ±inf, NaN and denormals (results round into denormals gradually;
   a plan that flushes them sets the processor's mode).  No lane depends on another.

   The polynomials are near-minimax fits (iteratively reweighted least squares in 60 digits); the comment beside each
   names the function, the interval and the largest weighted error.  Coefficients stand lowest power first. */
#ifndef MN_VECTOR_MATH_H
#define MN_VECTOR_MATH_H

#include <math.h>

#include "simd.h"

#ifdef MN_REAL_IS_DOUBLE
#define MN_MIN_NORMAL 0x1p-1022
#define MN_LN2_HIGH 0x1.62e42fee00000p-1 /* 32 bits: times an exponent it is exact */
#define MN_LN2_LOW 0x1.a39ef35793c76p-33
#define MN_EXP_HIGH 710.0  /* exp overflows before */
#define MN_EXP_LOW -746.0  /* exp is 0 after */
#define MN_EXPM1_LOW -40.0 /* expm1 is -1 after */
#define MN_TANH_HIGH 20.0  /* tanh is 1 after */
#define MN_SIGMOID_ONE 40.0 /* sigmoid is 1 after */
#define MN_ERF_HIGH 6.0    /* erf is 1 after */
#define MN_DENORMAL_SHIFT 128
#define MN_DENORMAL_SCALE 0x1p-128
#define MN_TRIG_LIMIT 0x1p20
/* (e^r - 1 - r)/r^2 on |r| <= 0.35: 2^-55.5 of r */
static const mn_real mn_exp_tail[] = {
    0.5000000000000007, 0.16666666666666682, 0.04166666666656597, 0.008333333333316971, 0.001388888893502731,
    0.00019841269897809472, 2.4801501119256922e-05, 2.7557232596032174e-06, 2.76276980381452e-07,
    2.5113026982369684e-08};
/* (log(1+f)/t - 1)/t^2 in t^2, t = 2f/(2+f), on -1/3 <= f <= 1/3: 2^-55.9 of t^2 */
static const mn_real mn_log_tail[] = {
    0.08333333333334086, 0.01249999999880017, 0.0022321429216128562, 0.00043402613928374714, 8.880060906865028e-05,
    1.8615710759764436e-05, 4.690515429228124e-06};
/* (sin(r)/r - 1)/r^2 and (cos(r) - 1 + r^2/2)/r^4 in r^2, |r| <= pi/4: 2^-57.9 and 2^-64.1 */
static const mn_real mn_sin_tail[] = {
    -0.1666666666666663, 0.008333333333321882, -0.00019841269829360314, 2.7557313530171726e-06,
    -2.5050731897025005e-08, 1.5895229152092825e-10};
static const mn_real mn_cos_tail[] = {
    0.041666666666666595, -0.0013888888888873524, 2.48015872890786e-05, -2.755731422810867e-07, 2.087570545189696e-09,
    -1.1358681152134935e-11};
/* erf(x)/x - 1 in x^2, |x| <= 1: 2^-62.8 */
static const mn_real mn_erf_near[] = {
    0.12837916709551257, -0.3761263890318375, 0.11283791670954858, -0.026866170645072945, 0.00522397762478138,
    -0.0008548326978772278, 0.00012055331038012314, -1.4925593533899482e-05, 1.646097325319762e-06,
    -1.6350029864833244e-07, 1.465791111694408e-08, -1.1365786815205475e-09, 5.945465799045802e-11};
/* -log(erfc(1+t)), 0 <= t <= 5: 2^-57.1 of 1 */
static const mn_real mn_erf_far[] = {
    1.8496055099332482, 2.6389675142347757, 0.8431072563594154, 0.041561098025019824, -0.010033825178460392,
    0.001977901211541331, -0.00023731641720494903, -2.6296375864543025e-05, 2.7199068140754603e-05,
    -9.671510185168442e-06, 2.1320743420680453e-06, -2.0491056559219973e-07, -5.79593070435417e-08,
    3.337150326398024e-08, -8.51360294568824e-09, 1.3182153018171462e-09, -1.1923612342326474e-10,
    4.8609774541907146e-12};
/* pi/2 in pieces: the product of a piece but the last with a quadrant number below the limit is exact */
static const mn_real mn_half_pi[] = {0x1.921fb544p0, 0x1.0b4611a6p-34, 0x1.3198a2ep-69, 0x1.b839a252049c1p-104};
/* ((atanh(s)/s - 1)/s^2 - 1/3)/s^2 in s^2, |s| <= 1/5: 2^-69 of s^4 */
static const mn_real mn_atanh_rest[] = {
    0.19999999999999857, 0.14285714285790818, 0.11111111095232236, 0.0909091079872411, 0.07692201517836053,
    0.06670623769519442, 0.057954042630686174, 0.0629049493046254};
#define MN_THIRD 0x1.5555555555555p-2
#define MN_THIRD_LOW 0x1.5555555555555p-56
#else
#define MN_MIN_NORMAL 0x1p-126f
#define MN_LN2_HIGH 0x1.62e4p-1f
#define MN_LN2_LOW 0x1.7f7d1cp-20f
#define MN_EXP_HIGH 89.0f
#define MN_EXP_LOW -104.0f
#define MN_EXPM1_LOW -20.0f
#define MN_TANH_HIGH 9.1f
#define MN_SIGMOID_ONE 20.0f
#define MN_ERF_HIGH 4.0f
#define MN_DENORMAL_SHIFT 64
#define MN_DENORMAL_SCALE 0x1p-64f
#define MN_TRIG_LIMIT 3200.0f
static const mn_real mn_exp_tail[] = {5.0e-01f, 1.6666539e-01f, 4.166627e-02f, 8.367217e-03f, 1.3947267e-03f}; /* 2^-26 */
static const mn_real mn_log_tail[] = {8.3333686e-02f, 1.248676e-02f, 2.3722036e-03f};                          /* 2^-28 */
static const mn_real mn_sin_tail[] = {-1.6666655e-01f, 8.332152e-03f, -1.9513775e-04f};                        /* 2^-28 */
static const mn_real mn_cos_tail[] = {4.1666646e-02f, -1.3887347e-03f, 2.4435807e-05f};                        /* 2^-33 */
static const mn_real mn_erf_near[] = {                                                                         /* 2^-29 */
    0.1283791671f, -3.7612626e-01f, 1.12835854e-01f, -2.6853818e-02f, 5.18834e-03f, -8.0103055e-04f, 7.854243e-05f};
static const mn_real mn_erf_far[] = { /* to t = 3: 2^-29.9 */
    1.8496056e+00f, 2.6389668e+00f, 8.4311837e-01f, 4.1500658e-02f, -9.890805e-03f, 1.8260474e-03f, -1.855276e-04f};
static const mn_real mn_half_pi[] = {0x1.92p0f, 0x1.fb4p-12f, 0x1.444p-24f, 0x1.68c234p-39f};
static const mn_real mn_atanh_rest[] = {2.0000197e-01f, 1.4262746e-01f, 1.1937699e-01f}; /* 2^-34.5 */
#define MN_THIRD 0x1.555556p-2f
#define MN_THIRD_LOW -0x1.555556p-27f
#endif

#define MN_LOG2_E ((mn_real)1.4426950408889634)
#define MN_LN2 ((mn_real)0.6931471805599453)
#define MN_TWO_OVER_PI ((mn_real)0.6366197723675814)

/* Horner's rule; coefficients is one of the arrays above */
#define v_polynomial(x, coefficients) \
    v_horner(x, coefficients, (int)(sizeof(coefficients) / sizeof((coefficients)[0])))

MN_INLINE mn_vec v_horner(mn_vec x, const mn_real *coefficients, int count)
{
    mn_vec sum = v_splat(coefficients[count - 1]);
#pragma GCC unroll 20
    for (int i = count - 2; i >= 0; i--)
        sum = v_fma(sum, x, v_splat(coefficients[i]));
    return sum;
}

/* ---- exponential family ---- */

/* x = n·ln2 + r, |r| <= ln2/2.  *shifted carries n in its low bits, for v_power_of_two. */
MN_INLINE mn_vec v_reduce_by_ln2(mn_vec x, mn_vec *n, mn_vec *shifted)
{
    *shifted = v_fma(x, v_splat(MN_LOG2_E), v_splat(MN_ROUNDING_SHIFT));
    *n = *shifted - MN_ROUNDING_SHIFT;
    return v_fnma(*n, v_splat(MN_LN2_LOW), v_fnma(*n, v_splat(MN_LN2_HIGH), x));
}

/* 2^(n + offset), which must be a normal number; n as left by adding MN_ROUNDING_SHIFT */
MN_INLINE mn_vec v_power_of_two(mn_vec shifted, int offset)
{
    mn_uvec exponent = ((mn_uvec)shifted << MN_MANTISSA_BITS);
    return (mn_vec)(exponent + ((mn_uint)(MN_EXPONENT_BIAS + offset) << MN_MANTISSA_BITS));
}

/* e^r - 1 for |r| <= ln2/2 */
MN_INLINE mn_vec v_expm1_reduced(mn_vec r)
{
    return v_fma(v_polynomial(r, mn_exp_tail), r * r, r);
}

MN_INLINE mn_vec v_exp_reduced(mn_vec r)
{
    mn_vec slope = v_fma(v_polynomial(r, mn_exp_tail), r, v_splat(1));
    return v_fma(slope, r, v_splat(1));
}

/* e^x·2^n for n as in v_power_of_two, in two steps, so that overflow and underflow are gradual */
MN_INLINE mn_vec v_scale_by_power(mn_vec x, mn_vec n)
{
    mn_vec half = v_fma(n, v_splat((mn_real)0.5), v_splat(MN_ROUNDING_SHIFT));
    mn_vec rest = (n - (half - MN_ROUNDING_SHIFT)) + MN_ROUNDING_SHIFT;
    return x * v_power_of_two(half, 0) * v_power_of_two(rest, 0);
}

MN_INLINE mn_vec v_exp(mn_vec x)
{
    mn_vec n, shifted;
    x = v_min(v_splat(MN_EXP_HIGH), v_max(v_splat(MN_EXP_LOW), x));
    mn_vec r = v_reduce_by_ln2(x, &n, &shifted);
    return v_scale_by_power(v_exp_reduced(r), n);
}

/* e^x for x <= 0 (or NaN): one multiplication less */
MN_INLINE mn_vec v_exp_nonpositive(mn_vec x)
{
    mn_vec n, shifted;
    mn_vec r = v_reduce_by_ln2(v_max(v_splat(MN_EXP_LOW), x), &n, &shifted);
    return v_exp_reduced(r) * v_power_of_two(shifted, MN_DENORMAL_SHIFT) * MN_DENORMAL_SCALE;
}

MN_INLINE mn_vec v_expm1(mn_vec x)
{
    mn_vec n, shifted;
    mn_vec limited = v_min(v_splat(MN_EXP_HIGH), v_max(v_splat(MN_EXPM1_LOW), x));
    mn_vec r = v_reduce_by_ln2(limited, &n, &shifted);
    mn_vec half_scale = v_power_of_two(shifted, -1); /* half, because 2^n itself may overflow */
    mn_vec half = v_fma(v_expm1_reduced(r), half_scale, half_scale - (mn_real)0.5);
    return v_select(v_lt(v_abs(x), v_splat(MN_MIN_NORMAL * 4)), x, half + half);
}

/* tanh|x| = t/(t + 2) with t = e^(2|x|) - 1 */
MN_INLINE mn_vec v_tanh(mn_vec x)
{
    mn_vec n, shifted;
    mn_vec size = v_min(v_splat(MN_TANH_HIGH), v_abs(x));
    mn_vec r = v_reduce_by_ln2(size + size, &n, &shifted);
    mn_vec scale = v_power_of_two(shifted, 0);
    mn_vec t = v_fma(v_expm1_reduced(r), scale, scale - 1);
    return v_copysign(t / (t + 2), x);
}

/* 1/(1 + e^-x) as s/(e^-x·s + s): with a small s the power of two stays a normal number, and so does the divisor, while
   the quotient rounds once, into denormals too */
MN_INLINE mn_vec v_sigmoid(mn_vec x)
{
    const mn_vec s = v_splat(MN_DENORMAL_SCALE);
    mn_vec n, shifted;
    mn_vec opposite = v_min(v_splat(-MN_EXP_LOW), v_max(v_splat(-MN_SIGMOID_ONE), v_neg(x)));
    mn_vec r = v_reduce_by_ln2(opposite, &n, &shifted);
    return s / v_fma(v_exp_reduced(r), v_power_of_two(shifted, -MN_DENORMAL_SHIFT), s);
}

/* ---- logarithm family ---- */

/* log(1 + f) for -1/3 <= f <= 1/3: t = 2f/(2+f), log = t + t^3·tail(t^2) = f - t·(f/2 - t^2·tail(t^2)) */
MN_INLINE mn_vec v_log1p_reduced(mn_vec f)
{
    mn_vec half = f * (mn_real)0.5;
    mn_vec t = f / (half + 1);
    mn_vec square = t * t;
    return v_fnma(t, v_fnma(square, v_polynomial(square, mn_log_tail), half), f);
}

/* The n with x·2^-n in [2/3, 4/3), for normal x > 0; *mantissa receives x·2^-n */
MN_INLINE mn_ivec v_split_exponent(mn_vec x, mn_vec *mantissa)
{
    const mn_int bias = (mn_int)MN_EXPONENT_BIAS << MN_MANTISSA_BITS;
    mn_ivec from_two_thirds = (mn_ivec)x - ((mn_ivec)v_splat((mn_real)2 / 3) - bias);
    mn_ivec n = (mn_ivec)((mn_uvec)from_two_thirds >> MN_MANTISSA_BITS) - (mn_int)MN_EXPONENT_BIAS;
    *mantissa = (mn_vec)((mn_uvec)x - ((mn_uvec)n << MN_MANTISSA_BITS));
    return n;
}

/* log(x) = n·ln2 + result for x > 0 */
MN_INLINE mn_vec v_log_parts(mn_vec x, mn_vec *n)
{
    mn_ivec denormal = v_lt(x, v_splat(MN_MIN_NORMAL));
    const mn_real lift = (mn_real)((mn_int)1 << MN_MANTISSA_BITS);
    mn_vec mantissa;
    mn_ivec exponent = v_split_exponent(v_select(denormal, x * lift, x), &mantissa);
    *n = v_from_int(exponent - (denormal & MN_MANTISSA_BITS));
    return v_log1p_reduced(mantissa - 1);
}

/* y, a logarithm of x, where 0 < x < inf; elsewhere the limits of every logarithm */
MN_INLINE mn_vec v_log_limits(mn_vec x, mn_vec y)
{
    y = v_select(v_lt(x, v_splat((mn_real)INFINITY)), y, x);      /* inf, NaN */
    y = v_select(v_eq(x, v_splat(0)), v_splat(-(mn_real)INFINITY), y);
    return v_select(v_lt(x, v_splat(0)), v_splat((mn_real)NAN), y);
}

MN_INLINE mn_vec v_log(mn_vec x)
{
    mn_vec n, y = v_log_parts(x, &n);
    return v_log_limits(x, v_fma(n, v_splat(MN_LN2_HIGH), v_fma(n, v_splat(MN_LN2_LOW), y)));
}

MN_INLINE mn_vec v_log1p(mn_vec x)
{
    const mn_real exact = (mn_real)((mn_int)4 << MN_MANTISSA_BITS); /* from here on 1 + x is x */
    mn_vec mantissa;
    mn_ivec exponent = v_split_exponent(x + 1, &mantissa);
    mn_uvec scale_bits = (mn_uvec)((mn_int)MN_EXPONENT_BIAS - exponent) << MN_MANTISSA_BITS;
    mn_vec scale = (mn_vec)scale_bits; /* 2^-n: x·2^-n + (2^-n - 1) keeps what 1 + x rounds away */
    mn_vec f = v_select(v_lt(x, v_splat(exact)), v_fma(x, scale, scale - 1), mantissa - 1);
    mn_vec n = v_from_int(exponent);
    mn_vec y = v_log1p_reduced(f);
    y = v_fma(n, v_splat(MN_LN2_HIGH), v_fma(n, v_splat(MN_LN2_LOW), y));
    y = v_select(v_lt(x, v_splat((mn_real)INFINITY)), y, x);
    y = v_select(v_eq(x, v_splat(-1)), v_splat(-(mn_real)INFINITY), y);
    y = v_select(v_lt(v_abs(x), v_splat(MN_MIN_NORMAL)), x, y); /* keeps -0 */
    return v_select(v_lt(x, v_splat(-1)), v_splat((mn_real)NAN), y);
}

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|) */
MN_INLINE mn_vec v_softplus(mn_vec x)
{
    mn_vec e = v_exp_nonpositive(v_neg(v_abs(x)));
    mn_ivec large = v_gt(e, v_splat((mn_real)1 / 3)); /* then 1 + e = 2·(1 + (e-1)/2) */
    mn_vec f = v_select(large, v_fma(e, v_splat((mn_real)0.5), v_splat((mn_real)-0.5)), e);
    return v_max(v_splat(0), x) + (v_log1p_reduced(f) + v_and(large, v_splat(MN_LN2)));
}

/* ---- error function ---- */

/* |x| < 1: x + x·P(x^2); else 1 - e^-Q(|x| - 1) */
MN_INLINE mn_vec v_erf(mn_vec x)
{
    mn_vec size = v_abs(x);
    mn_vec near = v_fma(x, v_polynomial(x * x, mn_erf_near), x);
    mn_vec far_exponent = v_polynomial(v_min(v_splat(MN_ERF_HIGH), size) - 1, mn_erf_far);
    mn_vec far = 1 - v_exp_nonpositive(v_neg(far_exponent));
    return v_select(v_lt(size, v_splat(1)), near, v_copysign(far, x));
}

/* ---- trigonometry ---- */

/* sin for quarter = 0, cos for quarter = 1: x = n·pi/2 + r in four exact pieces, then the polynomial of the quadrant.
   Beyond MN_TRIG_LIMIT the lane takes the C library, which reduces by all the digits of pi that it needs. */
MN_INLINE mn_vec v_sin_or_cos(mn_vec x, int quarter)
{
    mn_vec shifted = v_fma(x, v_splat(MN_TWO_OVER_PI), v_splat(MN_ROUNDING_SHIFT));
    mn_vec n = shifted - MN_ROUNDING_SHIFT;
    mn_vec r = x;
#pragma GCC unroll 4
    for (int piece = 0; piece < 4; piece++)
        r = v_fnma(n, v_splat(mn_half_pi[piece]), r);
    mn_vec square = r * r;
    mn_vec sine = v_fma(v_polynomial(square, mn_sin_tail), square * r, r);
    mn_vec cosine = v_fma(v_polynomial(square, mn_cos_tail), square * square, v_fma(square, v_splat((mn_real)-0.5), v_splat(1)));
    mn_ivec quadrant = (mn_ivec)shifted + (mn_int)quarter;
    mn_ivec odd = (quadrant & 1) != 0;
    mn_uvec sign = (mn_uvec)(quadrant & 2) << (sizeof(mn_real) * 8 - 2);
    mn_vec y = (mn_vec)((mn_uvec)v_select(odd, cosine, sine) ^ sign);
    if (quarter == 0)
        y = v_select(v_lt(v_abs(x), v_splat((mn_real)1e-8)), x, y); /* keeps -0 and denormals */
    mn_ivec large = v_gt(v_abs(x), v_splat(MN_TRIG_LIMIT));
    if (v_any(large))
        for (int i = 0; i < VL; i++)
            if (large[i])
                y[i] = (mn_real)(quarter ? cos((double)x[i]) : sin((double)x[i]));
    return y;
}

MN_INLINE mn_vec v_sin(mn_vec x) { return v_sin_or_cos(x, 0); }
MN_INLINE mn_vec v_cos(mn_vec x) { return v_sin_or_cos(x, 1); }

/* ---- power ---- */

/* a·b = product + *error, exactly unless it over- or underflows */
MN_INLINE mn_vec v_exact_product(mn_vec a, mn_vec b, mn_vec *error)
{
    mn_vec product = a * b;
#if defined(MN_HAS_FMA)
    *error = v_fma(a, b, -product);
#else
    const mn_ivec upper = v_isplat((mn_int)((mn_uint)-1 << ((MN_MANTISSA_BITS + 1 + 1) / 2))); /* halves of the mantissa */
    mn_vec a1 = (mn_vec)((mn_ivec)a & upper), a2 = a - a1;
    mn_vec b1 = (mn_vec)((mn_ivec)b & upper), b2 = b - b1;
    *error = (((a1 * b1 - product) + a1 * b2) + a2 * b1) + a2 * b2;
#endif
    return product;
}

/* a + b = sum + *error, exactly where |a| >= |b| */
MN_INLINE mn_vec v_exact_sum(mn_vec a, mn_vec b, mn_vec *error)
{
    mn_vec sum = a + b;
    *error = (a - sum) + b;
    return sum;
}

/* log(x) = result + *low for x > 0, some ten bits beyond the type's precision */
MN_INLINE mn_vec v_log_extended(mn_vec x, mn_vec *low)
{
    mn_ivec denormal = v_lt(x, v_splat(MN_MIN_NORMAL));
    mn_vec mantissa;
    mn_ivec exponent = v_split_exponent(v_select(denormal, x * (mn_real)((mn_int)1 << MN_MANTISSA_BITS), x), &mantissa);
    mn_vec n = v_from_int(exponent - (denormal & MN_MANTISSA_BITS));

    /* s = f/(2+f) as s + s_low */
    mn_vec f = mantissa - 1, divisor = f + 2, divisor_low = f - (divisor - 2);
    mn_vec s = f / divisor, back_low, back = v_exact_product(s, divisor, &back_low);
    mn_vec s_low = (((f - back) - back_low) - s * divisor_low) / divisor;

    /* q = atanh(s)/s - 1 = z·(1/3 + z·rest), z = s^2 */
    mn_vec z_low, z = v_exact_product(s, s, &z_low);
    z_low += 2 * s * s_low;
    mn_vec rest = z * v_polynomial(z, mn_atanh_rest);
    mn_vec w_low, w = v_exact_sum(v_splat(MN_THIRD), rest, &w_low);
    w_low += MN_THIRD_LOW;
    mn_vec q_low, q = v_exact_product(z, w, &q_low);
    q_low += z * w_low + z_low * w;

    /* 2s + 2s·q + n·ln2 */
    mn_vec t = s + s, t_low = s_low + s_low;
    mn_vec u_low, u = v_exact_product(t, q, &u_low);
    u_low += t * q_low + t_low * q;
    mn_vec log1p_low, log1p = v_exact_sum(t, u, &log1p_low);
    log1p_low += t_low + u_low;
    mn_vec sum_low, sum = v_exact_sum(n * MN_LN2_HIGH, log1p, &sum_low);
    sum_low += log1p_low + n * MN_LN2_LOW;
    return v_exact_sum(sum, sum_low, low);
}

/* |x|^y: e^(y·log|x|) with the product in two parts; the sign and the special values as IEEE 754 and NumPy have them */
MN_INLINE mn_vec v_pow(mn_vec x, mn_vec y)
{
    const mn_vec infinity = v_splat((mn_real)INFINITY), zero = v_splat(0), one = v_splat(1);
    mn_vec size = v_abs(x);

    mn_vec log_low, log = v_log_extended(size, &log_low);
    log = v_select(v_eq(size, zero), v_neg(infinity), v_select(v_eq(size, infinity), infinity, log));
    mn_vec low, product = v_exact_product(y, log, &low);
    low = v_fma(y, log_low, low);
    mn_ivec extreme = v_gt(v_abs(product), v_splat(2 * MN_EXP_HIGH));
    product = v_min(v_splat(MN_EXP_HIGH), v_max(v_splat(MN_EXP_LOW), product));

    mn_vec n, shifted;
    mn_vec r = v_reduce_by_ln2(product, &n, &shifted);
    r += v_select(extreme, zero, low);
    mn_vec power = v_scale_by_power(v_exp_reduced(r), n);
    power = v_select(v_eq(size, one), one, power);

    mn_ivec negative = (mn_ivec)x < 0; /* the sign bit: -0 too */
    mn_ivec integral = v_eq(v_floor(y), y);
    mn_vec half = y * (mn_real)0.5;
    mn_ivec odd = integral & v_ne(v_floor(half), half);
    power = v_select(negative & odd, v_neg(power), power);
    mn_ivec undefined = v_lt(x, zero) & v_lt(size, infinity) & ~integral;
    undefined |= v_isnan(x) | v_isnan(y);
    power = v_select(undefined, v_splat((mn_real)NAN), power);
    return v_select(v_eq(y, zero) | v_eq(x, one), one, power);
}

#endif
