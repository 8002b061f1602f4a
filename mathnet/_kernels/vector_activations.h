/* Activations over vectors, each together with its slope: gelu, silu, elu.  A caller that wants one of the two leaves the
   other to the compiler, which drops what only that needs.

   The values are within 4 units in the last place over the whole domain, denormal ones too, but for silu where σ(x) itself is
   denormal.  A slope is within 4 units of its larger summand (5 without fused multiply-add).  No lane depends on another. */
#ifndef MN_VECTOR_ACTIVATIONS_H
#define MN_VECTOR_ACTIVATIONS_H

#include "vector_math.h"

/* The left tail of the normal distribution is Φ(-t) = e^(-t²/2)·N(t)/(√(2π)·t·N(t) + M(t)) with positive M and N, so no digits
   are lost where Φ is tiny.  Where t is large the errors of M hardly count, and those of t·N cancel in t·Φ(-t).
   The polynomial for a part of the exponential is small by MN_DENORMAL_SCALE, as much as v_gelu's powers of two are large. */
#define MN_SMALL(x) ((x) * MN_DENORMAL_SCALE)
#ifdef MN_REAL_IS_DOUBLE
#define MN_TAIL_END 39.0 /* t·e^(-t²/2) is 0 from here on */
/* M and N on 0 <= t <= 39, exact at 0: 2^-57 of Φ.  The last of M stands for what MN_ROOT_2_PI lacks. */
static const mn_real mn_tail_rest[] = {
    1.7533055271057059, 2.171935243188369, 1.375778767883784, 0.5657297686754844, 0.16401721966233174,
    0.034510839737848846, 0.005255809780292521, 0.0005593428844330321, 3.7953752305135e-05, 1.2660009074727173e-06,
    -9.838626208609555e-21};
static const mn_real mn_tail_numerator[] = {
    0.8766527635528529, 1.4852212184476907, 1.2445349534851282,
    0.6677691585829498, 0.25191213428196363, 0.06953605415412902,
    0.014211094984764847, 0.00212704741818876, 0.00022415564907397843,
    1.5141356486794776e-05, 5.050612890573345e-07};
/* e^(-r/2) on |r| <= 0.7, from the fit of e^r in vector_math.h */
static const mn_real mn_half_power[] = {
    MN_SMALL(1.0), MN_SMALL(-0.5), MN_SMALL(0.12500000000000017), MN_SMALL(-0.020833333333333353),
    MN_SMALL(0.002604166666660373), MN_SMALL(-0.00026041666666615535), MN_SMALL(2.1701388960980172e-05),
    MN_SMALL(-1.550099210766365e-06), MN_SMALL(9.688086374709735e-08), MN_SMALL(-5.382271991412534e-09),
    MN_SMALL(2.6980173865376173e-10), MN_SMALL(-1.2262220206235197e-11)};
#else
#define MN_TAIL_END 15.0f /* t·e^(-t²/2) is 0 from here on */
/* On 0 <= t <= 15, exact at 0: 2^-25.7 of Φ */
static const mn_real mn_tail_rest[] = {1.67753661f, 0.770308375f, 0.193058193f, 0.0203005522f, 1.96073097e-06f};
static const mn_real mn_tail_numerator[] = {0.838768303f, 0.767153442f, 0.331328809f, 0.0763174668f, 0.00813479349f};
static const mn_real mn_half_power[] = {
    MN_SMALL(1.0f), MN_SMALL(-0.5f), MN_SMALL(0.125f), MN_SMALL(-0.0208331737f), MN_SMALL(0.00260414187f),
    MN_SMALL(-0.000261475531f), MN_SMALL(2.17926047e-05f)}; /* e^(-r/2) on |r| <= 0.7 */
#endif
#define MN_ROOT_2_PI ((mn_real)2.5066282746310005)
#define MN_1_OVER_ROOT_2_PI ((mn_real)0.3989422804014327)

/* x·Φ(x) and Φ(x) + x·φ(x), of which t = |x| gives max(x, 0) - t·Φ(-t) and, for x < 0, Φ(-t) - t·φ(t), for x >= 0 1 minus
   that.  0 at -inf. */
MN_INLINE mn_vec v_gelu(mn_vec x, mn_vec *slope)
{
    const mn_vec t = v_min(v_splat(MN_TAIL_END), v_abs(x));
    mn_vec low, square = v_exact_product(t, t, &low);

    /* t² = n·2·ln2 + r: e^(-t²/2) is scale·power */
    const mn_vec shifted = v_fma(square, v_splat(MN_LOG2_E / 2), v_splat(MN_ROUNDING_SHIFT));
    const mn_vec n = shifted - MN_ROUNDING_SHIFT;
    const mn_vec r = v_fnma(n, v_splat(2 * MN_LN2_HIGH), square) + v_fnma(n, v_splat(2 * MN_LN2_LOW), low);
    const mn_vec power = v_polynomial(r, mn_half_power);
    const mn_uint one = (mn_uint)(MN_EXPONENT_BIAS + MN_DENORMAL_SHIFT) << MN_MANTISSA_BITS;
    const mn_vec scale = (mn_vec)(one - ((mn_uvec)shifted << MN_MANTISSA_BITS));

    const mn_vec numerator = v_polynomial(t, mn_tail_numerator), product = t * numerator;
    const mn_vec divisor = v_fma(product, v_splat(MN_ROOT_2_PI), v_polynomial(t, mn_tail_rest));

    /* the power last, which rounds once what is denormal */
    const mn_vec left = v_fnma(t, v_splat(MN_1_OVER_ROOT_2_PI), numerator / divisor) * scale * power;
    *slope = v_select(v_lt(x, v_splat(0)), left, 1 - left);
    return v_fnma(product / divisor * scale, power, v_max(v_splat(0), x));
}

#ifdef MN_REAL_IS_DOUBLE
#define MN_LOWEST -0x1.fffffffffffffp+1023
#else
#define MN_LOWEST -0x1.fffffep+127f
#endif

/* x·σ(x) and σ(x) + x·σ(x)·(1 - σ(x)), with the operations of v_sigmoid; 1 - σ(x) is e^-x·σ(x), so no digits are lost where
   σ(x) is near 1 */
MN_INLINE mn_vec v_silu(mn_vec x, mn_vec *slope)
{
    const mn_vec s = v_splat(MN_DENORMAL_SCALE);
    mn_vec n, shifted;
    const mn_real end = 2 * MN_SIGMOID_ONE; /* the slope is 1 after */
    const mn_vec opposite = v_min(v_splat(-MN_EXP_LOW), v_max(v_splat(-end), v_neg(x)));
    const mn_vec power = v_exp_reduced(v_reduce_by_ln2(opposite, &n, &shifted));
    const mn_vec scale = v_power_of_two(shifted, -MN_DENORMAL_SHIFT);
    const mn_vec divisor = v_fma(power, scale, s);
    const mn_vec gate = s / divisor, y = gate * v_max(v_splat(MN_LOWEST), x); /* -0 at -∞, where gate is 0 */
    *slope = v_fma(v_min(v_splat(end), y), power * scale / divisor, gate);
    return y;
}

/* x where it is >= 0, else alpha·(e^x - 1); 1 where x > 0, else alpha·e^x */
MN_INLINE mn_vec v_elu(mn_vec x, mn_vec alpha, mn_vec *slope)
{
    mn_vec n, shifted;
    const mn_vec r = v_reduce_by_ln2(v_max(v_splat(MN_EXP_LOW), v_min(v_splat(0), x)), &n, &shifted);
    const mn_vec large = v_power_of_two(shifted, MN_DENORMAL_SHIFT), scale = large * MN_DENORMAL_SCALE;
    const mn_vec rest = v_polynomial(r, mn_exp_tail);
    const mn_vec power = v_fma(v_fma(rest, r, v_splat(1)), r, v_splat(1)); /* e^r */
    const mn_vec power_less_1 = v_fma(rest, r * r, r);
    *slope = v_select(v_gt(x, v_splat(0)), v_splat(1), alpha * (power * large * MN_DENORMAL_SCALE));
    return v_select(v_lt(x, v_splat(0)), alpha * v_fma(power_less_1, scale, scale - 1), x);
}

#endif
