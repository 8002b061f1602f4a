/* Activations over vectors, each together with its slope: gelu, silu, elu.  A caller that wants one of the two leaves the
   other to the compiler, which drops what only that needs.

   The values are within 4 units in the last place over the whole domain, those that round to denormals too.  A slope is
   within 4 units of its larger summand.  No lane depends on another. */
#ifndef MN_VECTOR_ACTIVATIONS_H
#define MN_VECTOR_ACTIVATIONS_H

#include "vector_math.h"

/* The left tail of the normal distribution is Φ(-t) = e^(-t²/2)·R(t) with R(t) = N(t)/(√(2π)·t·N(t) + M(t)), which keeps all
   digits where Φ is tiny.  The divisor adds positive numbers; rounding errors of N and M hardly count where t is large.
   N is small by MN_DENORMAL_SCALE, as much as v_gelu's powers of two are large. */
#define MN_SMALL(x) ((x) * MN_DENORMAL_SCALE)
#ifdef MN_REAL_IS_DOUBLE
#define MN_TAIL_END 39.0 /* t·e^(-t²/2) is 0 from here on */
/* M and N: of degrees 9 and 10 on 0 <= t <= 39: 2^-57.8 of R */
static const mn_real mn_tail_rest[] = {
    1.937426241616469, 2.400017720922349, 1.5202540837003335, 0.6251390202966148, 0.18124123864215383,
    0.038134943108691005, 0.005807740654358429, 0.0006180814271149367, 4.1939407905232276e-05, 1.3989480681650488e-06};
static const mn_real mn_tail_numerator[] = {
    MN_SMALL(0.9687131208082345), MN_SMALL(1.6411894668331009), MN_SMALL(1.3752278996526823),
    MN_SMALL(0.7378939216124176), MN_SMALL(0.27836630410055346), MN_SMALL(0.07683827717070281),
    MN_SMALL(0.015703451520533342), MN_SMALL(0.0023504160692199827), MN_SMALL(0.00024769501379454405),
    MN_SMALL(1.67314030199925e-05), MN_SMALL(5.580995325210803e-07)};
/* (e^(-r/2) - 1)/r on |r| <= 0.7, from the fit of e^r in vector_math.h */
static const mn_real mn_half_power[] = {
    -0.5, 0.12500000000000017, -0.020833333333333353, 0.002604166666660373, -0.00026041666666615535,
    2.1701388960980172e-05, -1.550099210766365e-06, 9.688086374709735e-08, -5.382271991412534e-09,
    2.6980173865376173e-10, -1.2262220206235197e-11};
#else
#define MN_TAIL_END 15.0f /* t·e^(-t²/2) is 0 from here on */
/* M and N: of degrees (4, 4) on 0 <= t <= 15, exact at 0: 2^-25.7 of R */
static const mn_real mn_tail_rest[] = {1.81736374f, 0.834515631f, 0.209150091f, 0.0219926555f, 2.12416307e-06f};
static const mn_real mn_tail_numerator[] = {
    MN_SMALL(0.90868187f), MN_SMALL(0.831097722f), MN_SMALL(0.358945936f), MN_SMALL(0.0826787278f),
    MN_SMALL(0.00881284941f)};
static const mn_real mn_half_power[] = {
    -0.5f, 0.125f, -0.0208331737f, 0.00260414187f, -0.000261475531f, 2.17926047e-05f}; /* (e^(-r/2) - 1)/r on |r| <= 0.7 */
#endif
#define MN_ROOT_2_PI ((mn_real)2.5066282746310002)
#define MN_1_OVER_ROOT_2_PI ((mn_real)0.3989422804014327)

/* x·Φ(x) and Φ(x) + x·φ(x), of which t = |x| gives max(x, 0) - t·Φ(-t) and, for x < 0, Φ(-t) - t·φ(t), for x >= 0 1 minus
   that.  0 at -inf. */
MN_INLINE mn_vec v_gelu(mn_vec x, mn_vec *slope)
{
    const mn_vec t = v_min(v_splat(MN_TAIL_END), v_abs(x));
    mn_vec low, square = v_exact_product(t, t, &low);

    /* t² = n·2·ln2 + r: e^(-t²/2) is 2^-n·(1 + power) */
    const mn_vec shifted = v_fma(square, v_splat(MN_LOG2_E / 2), v_splat(MN_ROUNDING_SHIFT));
    const mn_vec n = shifted - MN_ROUNDING_SHIFT;
    const mn_vec r = v_fnma(n, v_splat(2 * MN_LN2_HIGH), square) + v_fnma(n, v_splat(2 * MN_LN2_LOW), low);
    const mn_vec power = r * v_polynomial(r, mn_half_power);
    const mn_uint one = (mn_uint)(MN_EXPONENT_BIAS + MN_DENORMAL_SHIFT) << MN_MANTISSA_BITS;
    const mn_vec scale = (mn_vec)(one - ((mn_uvec)shifted << MN_MANTISSA_BITS));

    const mn_vec numerator = v_polynomial(t, mn_tail_numerator);
    const mn_vec large = t * (MN_ROOT_2_PI / MN_DENORMAL_SCALE);
    const mn_vec ratio = numerator / v_fma(large, numerator, v_polynomial(t, mn_tail_rest));

    const mn_vec steep = v_fnma(t, v_splat(MN_SMALL(MN_1_OVER_ROOT_2_PI)), ratio) * scale;
    const mn_vec left = v_fma(steep, power, steep);
    *slope = v_select(v_lt(x, v_splat(0)), left, 1 - left);

    const mn_vec flat = t * scale * ratio;
    return v_fnma(flat, power, v_max(v_splat(0), x) - flat);
}

/* x·σ(x) and σ(x)·(1 + x·(1 - σ(x))) */
MN_INLINE mn_vec v_silu(mn_vec x, mn_vec *slope)
{
    const mn_vec gate = v_sigmoid(x), y = gate * x;
    *slope = v_fma(gate, x - y, gate);
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
