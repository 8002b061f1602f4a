/* Rarer elementary functions over vectors: exp2, log2, sinh, cosh, tan, arcsin, arccos, arctan, erfc, gaussian.

   As in vector_math.h: within 4 units in the last place over the whole domain, the special values of IEEE 754, no lane
   depends on another.  The polynomials are Chebyshev interpolations in 50 digits, lowest power first. */
#ifndef MN_VECTOR_MATH_RARE_H
#define MN_VECTOR_MATH_RARE_H

#include "vector_math.h"

#ifdef MN_REAL_IS_DOUBLE
#define MN_ERFC_ZERO 28.0 /* erfc is 0 from here on */
#define MN_GAUSSIAN_ZERO 39.0
#define MN_EXP2_HIGH 1025.0
#define MN_EXP2_LOW -1100.0
#define MN_PI_HALF 0x1.921fb54442d18p0 /* and MN_PI_HALF_LOW: what it rounds away */
#define MN_PI_HALF_LOW 0x1.1a62633145c07p-54
/* MN_ERFC_SCALE·erfc(x)·e^(x^2)·(1 + 2x) - 1 in q = (x - 4)/(x + 4), 0 <= x <= 28: 2^-56 */
#define MN_ERFC_SCALE 0x1.9f3fbefec7e59p-1 /* near 0.811, so that the largest coefficient nearly vanishes */
static const mn_real mn_erfc_rest[] = {
    1.7293799230077995e-11, -0.11323736382558942, 0.012473408751229086, 0.05522897311371702,
    -0.08194603896788334, 0.07602044288942622, -0.05379613009872776, 0.03014408978728731, -0.013136900393775366,
    0.004081094628818724, -0.0006145793523263432, -0.00016160283568819803, 0.00012215964335593625,
    -1.9791780905506635e-05, -9.103676864399388e-06, 4.637396530089208e-06, 2.444052656022577e-07,
    -6.773440999629436e-07, 5.085768031504355e-08, 9.355222556608255e-08, -6.257460794452949e-09,
    -1.108762691520074e-08, -1.4765750817341665e-09};
/* (atan(z)/z - 1)/z^2 in z^2, |z| <= tan(pi/8): 2^-53 */
static const mn_real mn_atan_tail[] = {
    -0.3333333333333333, 0.1999999999999548, -0.14285714284657894, 0.11111111014561013, -0.09090904549884611,
    0.0769218253511664, -0.06664502215671353, 0.05858068756860806, -0.05085030492807691, 0.03921955253246738,
    -0.01916206891580967};
/* (asin(s)/s - 1)/s^2 in s^2, |s| <= 1/2: 2^-53.5 */
static const mn_real mn_asin_tail[] = {
    0.16666666666666669, 0.07499999999998425, 0.04464285714637338, 0.030381944137085216, 0.0223721730020056,
    0.0173523912659092, 0.013971235301124917, 0.011478952690254089, 0.010324318288763578,
    0.005450878187643824, 0.017419357965078285, -0.0148814093931001, 0.02877844261277394};
#else
#define MN_ERFC_ZERO 10.5f /* erfc is 0 from here on */
#define MN_GAUSSIAN_ZERO 14.5f
#define MN_EXP2_HIGH 129.0f
#define MN_EXP2_LOW -152.0f
#define MN_PI_HALF 0x1.921fb6p0f /* and MN_PI_HALF_LOW: what it rounds away */
#define MN_PI_HALF_LOW -0x1.777a5cp-25f
/* MN_ERFC_SCALE·erfc(x)·e^(x^2)·(1 + 2x) - 1 in q = (x - 4)/(x + 4), 0 <= x <= 10.2: 2^-30 */
#define MN_ERFC_SCALE 0x1.9cc8120000000p-1f /* near 0.811, so that the largest coefficient nearly vanishes */
static const mn_real mn_erfc_rest[] = {
    -0.0059421798f, -0.112564505f, 0.0123992951f, 0.0549015081f, -0.081458531f, 0.075557969f, -0.0534939316f,
    0.0300180651f, -0.0129171132f, 0.00404786026f, -0.00093727342f, -0.000524555065f};
/* (atan(z)/z - 1)/z^2 in z^2, |z| <= tan(pi/8): 2^-24.3 */
static const mn_real mn_atan_tail[] = {
    -0.333333313f, 0.199995384f, -0.142638966f, 0.107430995f, -0.06449835f};
/* (asin(s)/s - 1)/s^2 in s^2, |s| <= 1/2: 2^-25.4 */
static const mn_real mn_asin_tail[] = {
    0.166666657f, 0.0750009492f, 0.0445993207f, 0.0311017279f, 0.017143717f, 0.0337007269f};
#endif

/* 2^x: x = n + r with |r| <= 1/2, both exact */
MN_INLINE mn_vec v_exp2(mn_vec x)
{
    x = v_min(v_splat(MN_EXP2_HIGH), v_max(v_splat(MN_EXP2_LOW), x));
    mn_vec n = (x + MN_ROUNDING_SHIFT) - MN_ROUNDING_SHIFT;
    return v_scale_by_power(v_exp_reduced((x - n) * MN_LN2), n);
}

/* exact at the powers of two */
MN_INLINE mn_vec v_log2(mn_vec x)
{
    mn_vec n, y = v_log_parts(x, &n);
    return v_log_limits(x, v_fma(y, v_splat(MN_LOG2_E), n));
}

/* e^x/2, which overflows where cosh does, for x >= 0 */
MN_INLINE mn_vec v_half_exp(mn_vec x)
{
    mn_vec n, shifted;
    mn_vec r = v_reduce_by_ln2(v_min(v_splat(MN_EXP_HIGH + 1), x), &n, &shifted);
    return v_scale_by_power(v_exp_reduced(r), n - 1);
}

MN_INLINE mn_vec v_cosh(mn_vec x)
{
    mn_vec half = v_half_exp(v_abs(x));
    return half + (mn_real)0.25 / half;
}

/* below 1 (t + t/(t+1))/2 with t = e^|x| - 1, beyond from e^|x|/2 */
MN_INLINE mn_vec v_sinh(mn_vec x)
{
    mn_vec size = v_abs(x);
    mn_vec t = v_expm1(v_min(v_splat(1), size));
    mn_vec near = (t + t / (t + 1)) * (mn_real)0.5;
    mn_vec half = v_half_exp(size);
    return v_copysign(v_select(v_lt(size, v_splat(1)), near, half - (mn_real)0.25 / half), x);
}

MN_INLINE mn_vec v_tan(mn_vec x)
{
    return v_sin(x) / v_cos(x);
}

/* s + s^3·tail(s^2) = asin s for |s| <= 1/2 */
MN_INLINE mn_vec v_asin_reduced(mn_vec s)
{
    mn_vec square = s * s;
    return v_fma(s * square, v_polynomial(square, mn_asin_tail), s);
}

/* asin x = pi/2 - 2·asin √((1-x)/2) */
MN_INLINE mn_vec v_arcsin(mn_vec x)
{
    mn_vec size = v_abs(x);
    mn_ivec near = v_lt(size, v_splat((mn_real)0.5));
    mn_vec s = v_asin_reduced(v_select(near, size, v_sqrt((1 - size) * (mn_real)0.5)));
    mn_vec far = MN_PI_HALF - (s + s - MN_PI_HALF_LOW);
    return v_copysign(v_select(near, s, far), x);
}

MN_INLINE mn_vec v_arccos(mn_vec x)
{
    mn_vec size = v_abs(x);
    mn_ivec near = v_lt(size, v_splat((mn_real)0.5));
    mn_vec s = v_asin_reduced(v_select(near, x, v_sqrt((1 - size) * (mn_real)0.5)));
    mn_vec inner = MN_PI_HALF - (s - MN_PI_HALF_LOW);
    mn_vec outer = v_select(v_lt(x, v_splat(0)), 2 * MN_PI_HALF - (s + s - 2 * MN_PI_HALF_LOW), s + s);
    return v_select(near, inner, outer);
}

/* |x| is moved to |z| <= tan(pi/8) by atan x = pi/4 + atan((x-1)/(x+1)) or pi/2 - atan(1/x) */
MN_INLINE mn_vec v_arctan(mn_vec x)
{
    mn_vec size = v_abs(x);
    mn_ivec middle = v_gt(size, v_splat((mn_real)0.4142135623730950));
    mn_ivec far = v_gt(size, v_splat((mn_real)2.414213562373095));
    mn_vec z = v_select(middle, v_select(far, v_splat(-1), size - 1) / v_select(far, size, size + 1), size);
    mn_vec turn = v_select(far, v_splat(2), v_and(middle, v_splat(1))); /* eighths of a circle */
    mn_vec square = z * z;
    mn_vec low = v_fma(z * square, v_polynomial(square, mn_atan_tail), turn * (MN_PI_HALF_LOW / 2));
    return v_copysign(turn * (MN_PI_HALF / 2) + (z + low), x);
}

/* e^-(square + low) for square >= 0 */
MN_INLINE mn_vec v_exp_of_minus(mn_vec square, mn_vec low)
{
    mn_vec n, shifted;
    const mn_vec exponent = v_max(v_splat(MN_EXP_LOW), v_neg(square));
    v_reduce_by_ln2(exponent, &n, &shifted);
    const mn_vec r = v_fnma(n, v_splat(MN_LN2_HIGH), exponent) - v_fma(n, v_splat(MN_LN2_LOW), low);
    return v_exp_reduced(r) * v_power_of_two(shifted, MN_DENORMAL_SHIFT) * MN_DENORMAL_SCALE;
}

/* e^(-x^2/2) with all digits far out */
MN_INLINE mn_vec v_gaussian(mn_vec x)
{
    mn_vec size = v_min(v_splat(MN_GAUSSIAN_ZERO), v_abs(x));
    mn_vec low, square = v_exact_product(size, size * (mn_real)0.5, &low);
    return v_exp_of_minus(square, low);
}

/* erfc(x) for x >= 0, from x, scaled = (1 + 2x)·MN_ERFC_SCALE and power = e^(-x^2).  The largest term of
   power·(1 + rest) is added last, unrounded, which spares one rounding. */
MN_INLINE mn_vec v_erfc_tail(mn_vec x, mn_vec scaled, mn_vec power)
{
    mn_vec rest = v_polynomial((x - 4) / (x + 4), mn_erfc_rest);
    return v_fma(power, rest, power) / scaled;
}

/* |x| < 1/2: 1 - erf(x); else the tail, and 2 minus that for x < 0 */
MN_INLINE mn_vec v_erfc(mn_vec x)
{
    mn_vec size = v_min(v_splat(MN_ERFC_ZERO), v_abs(x));
    mn_vec low, square = v_exact_product(size, size, &low);
    mn_vec scaled = v_fma(size, v_splat(2 * MN_ERFC_SCALE), v_splat(MN_ERFC_SCALE));
    mn_vec tail = v_erfc_tail(size, scaled, v_exp_of_minus(square, low));
    mn_vec far = v_select(v_lt(x, v_splat(0)), 2 - tail, tail);
    mn_vec near = 1 - v_fma(x, v_polynomial(x * x, mn_erf_near), x);
    return v_select(v_lt(v_abs(x), v_splat((mn_real)0.5)), near, far);
}

#endif
