/* Functions of statistics and of the gamma family, one number at a time in double: the float table rounds the result.

   erfinv        2 ulp
   sinc          derivatives of sin(πx)/(πx) up to the order MN_SINC_ORDERS: 1e-13 of the largest value of that order
   polygamma     derivatives of log Γ, from digamma (order 0) to MN_POLYGAMMA_ORDERS: 1e-14 of the value plus 1e-15
   gammainc(c)   1e-13 of the value, for a > 1e6 plus 1e-12
   betainc       1e-13 of the value, growing like eps·(a + b) where a + b is beyond 1e3 */
#ifndef MN_SPECIAL_FUNCTIONS_H
#define MN_SPECIAL_FUNCTIONS_H

#include <math.h>
#include <stdint.h>

#define MN_PI 3.141592653589793
#define MN_POLYGAMMA_ORDERS 20
#define MN_SINC_ORDERS 8
#define MN_SERIES_END 1e-17 /* terms below this part of the sum no longer count */
#define MN_SERIES_TERMS (1 << 20)

#if defined(__APPLE__)
extern double lgamma_r(double x, int *sign);
#endif

/* lgamma itself writes a variable that threads would share */
static inline double mn_lgamma(double x)
{
    int sign;
    return lgamma_r(x, &sign);
}

/* Winitzki's approximation (2 in 1000), then Halley's iteration, each step of which triples the digits.
   Beyond |x| = 1/2 the residual is that of erfc, so that 1 - x keeps its digits. */
static inline double mn_erfinv(double x)
{
    const double size = fabs(x), slope_at_0 = 0.8862269254527580; /* √π/2 */
    if (!(size < 1))
        return size == 1 ? copysign(INFINITY, x) : NAN;
    if (size < 1e-9)
        return x * slope_at_0;
    const double a = 0.147;
    const double log = size < 0.5 ? log1p(-size * size) : log1p(-size) + log1p(size);
    const double half = 2 / (MN_PI * a) + log / 2;
    double y = sqrt(-log / a / (sqrt(half * half - log / a) + half));
    for (int step = 0; step < 3; step++) {
        double residual = size < 0.5 ? erf(y) - size : (1 - size) - erfc(y);
        double newton = residual * slope_at_0 * exp(y * y);
        y -= newton / (1 + newton * y);
        if (fabs(newton) < 1e-6 * y)
            break;
    }
    return copysign(y, x);
}

/* The derivative of that order of f(t) = sin(t)/t, times π^order, at t = πx.
   From t·f = sin t follows t·f⁽ⁿ⁾ = sin⁽ⁿ⁾ t - n·f⁽ⁿ⁻¹⁾, which is stable beyond t = n; the power series serves before. */
static inline double mn_sinc(double x, int order)
{
    const double turned = x - 2 * rint(x / 2); /* exact: sin(πx) = sin(π·turned) */
    const double sine = sin(MN_PI * turned), cosine = cos(MN_PI * turned);
    const double t = MN_PI * x;
    double value, scale = 1;
    if (fabs(t) > order + 1) {
        const double derivative_of_sine[] = {sine, cosine, -sine, -cosine};
        value = sine / t;
        for (int n = 1; n <= order; n++)
            value = (derivative_of_sine[n & 3] - n * value) / t;
    } else {
        /* term k is (-1)^k t^(2k - order) / ((2k + 1)·(2k - order)!) */
        int k = (order + 1) / 2;
        double power = (order & 1) ? t : 1;
        if (k & 1)
            power = -power;
        value = 0;
        for (; k < 60; k++) {
            double term = power / (2 * k + 1);
            value += term;
            if (fabs(term) < MN_SERIES_END * fabs(value))
                break;
            power *= -t * t / ((2.0 * k + 2 - order) * (2.0 * k + 1 - order));
        }
    }
    for (int n = 0; n < order; n++)
        scale *= MN_PI;
    return x - x == 0 ? scale * value : NAN;
}

/* dⁿ cot(u)/duⁿ as a polynomial in c = cot u: its derivative in u is -(1 + c²) times that in c */
static inline double mn_cotangent_derivative(double c, int order)
{
    double polynomial[MN_POLYGAMMA_ORDERS + 3] = {0, 1}, next[MN_POLYGAMMA_ORDERS + 3];
    for (int n = 0; n < order; n++) {
        for (int i = 0; i <= n + 2; i++) {
            double once = i <= n ? (i + 1) * polynomial[i + 1] : 0, twice = i >= 2 ? (i - 1) * polynomial[i - 1] : 0;
            next[i] = -(once + twice);
        }
        for (int i = 0; i <= n + 2; i++)
            polynomial[i] = next[i];
    }
    double value = 0;
    for (int i = order + 1; i >= 0; i--)
        value = value * c + polynomial[i];
    return value;
}

/* x^-n for n >= 0 */
static inline double mn_reciprocal_power(double x, int n)
{
    const double reciprocal = 1 / x;
    double power = 1;
    for (int i = 0; i < n; i++)
        power *= reciprocal;
    return power;
}

/* (-1)^(n+1)·n!·Σ 1/(x+j)^(n+1) for n > 0: by recurrence to x >= 10 + n, then the asymptotic series of Bernoulli numbers */
static inline double mn_polygamma_of_positive(double x, int order)
{
    static const double bernoulli[] = {1.0 / 6,  -1.0 / 30,      1.0 / 42, -1.0 / 30,      5.0 / 66,
                                       -691.0 / 2730, 7.0 / 6, -3617.0 / 510, 43867.0 / 798, -174611.0 / 330};
    double before = 0, factorial = 1; /* (order - 1)! */
    for (int i = 2; i < order; i++)
        factorial *= i;
    while (x < 10 + order) {
        before += mn_reciprocal_power(x, order + 1);
        x += 1;
    }
    const double full = order > 0 ? factorial * order : 1; /* order! */
    double value = order > 0 ? factorial * mn_reciprocal_power(x, order) : -log(x);
    value += full / 2 * mn_reciprocal_power(x, order + 1) + full * before;
    double term = full * (order + 1) / 2 * mn_reciprocal_power(x, order + 2);
    for (int k = 1; k <= 10; k++) {
        value += bernoulli[k - 1] * term;
        term *= (2.0 * k + order) * (2.0 * k + order + 1) / ((2.0 * k + 1) * (2.0 * k + 2)) / x / x;
    }
    return order & 1 ? value : -value;
}

static inline double mn_polygamma(double x, int order)
{
    if (x > 0)
        return x < INFINITY ? mn_polygamma_of_positive(x, order) : order > 0 ? (order & 1 ? 0.0 : -0.0) : x;
    if (x == 0)
        return order & 1 ? INFINITY : copysign(INFINITY, -x);
    if (!(x > -INFINITY))
        return NAN;
    const double offset = x - rint(x); /* exact */
    if (offset == 0)
        return order & 1 ? INFINITY : NAN; /* poles; those of even order change their sign */
    double reflected = mn_polygamma_of_positive(1 - x, order), scale = MN_PI;
    for (int n = 0; n < order; n++)
        scale *= MN_PI;
    return (order & 1 ? -reflected : reflected) - scale * mn_cotangent_derivative(1 / tan(MN_PI * offset), order);
}

/* log(1 + t) - t */
static inline double mn_log1p_minus(double t)
{
    if (t < -0.5 || t > 1)
        return log1p(t) - t;
    const double r = t / (2 + t), square = r * r; /* log(1 + t) = 2·atanh(r), 2r - t = -r·t */
    double sum = 0;
    for (int k = 20; k >= 0; k--)
        sum = sum * square + 2.0 / (2 * k + 3);
    return r * (square * sum - t);
}

/* log(ratio) - (ratio - 1), for a ratio that is given beside its distance from 1 */
static inline double mn_log_minus(double ratio, double distance)
{
    return distance < -0.5 ? log(ratio) - distance : mn_log1p_minus(distance);
}

/* log Γ(a+1) - log(√(2πa)·(a/e)^a): what Stirling's formula misses */
static inline double mn_stirling_error(double a)
{
    if (a < 10)
        return mn_lgamma(a + 1) - (a + 0.5) * log(a) + a - 0.9189385332046727;
    const double s = 1 / (a * a);
    return (1.0 / 12 - s * (1.0 / 360 - s * (1.0 / 1260 - s * (1.0 / 1680 - s * (1.0 / 1188 - s * (691.0 / 360360 - s / 156)))))) / a;
}

/* P(a, x) for large a: the first term of Temme's uniform expansion, DLMF 8.12.3 */
static inline double mn_gammainc_large(double a, double x, int upper)
{
    const double mu = (x - a) / a, half_square = -mn_log1p_minus(mu); /* η²/2 */
    const double eta = copysign(sqrt(2 * half_square), mu);
    double c = -1.0 / 3 + eta * (1.0 / 12 - eta * (2.0 / 135 - eta * (1.0 / 864 + eta / 2835)));
    if (fabs(eta) > 0.01)
        c = 1 / mu - 1 / eta;
    const double side = upper ? 1 : -1;
    return 0.5 * erfc(side * eta * sqrt(a / 2)) + side * exp(-a * half_square) / sqrt(2 * MN_PI * a) * c;
}

/* The regularised incomplete gamma functions, P(a, x) or (upper) Q(a, x) = 1 - P(a, x): the power series of P below x = a + 1, the
   continued fraction of Q (Lentz's algorithm) above.  Both need some 10·√a terms near x = a. */
static inline double mn_incomplete_gamma(double a, double x, int upper)
{
    if (!(a >= 0 && x >= 0) || (a == 0 && x == 0) || (a == INFINITY && x == INFINITY))
        return NAN;
    if (x == 0 || a == INFINITY)
        return upper;
    if (x == INFINITY || a == 0)
        return !upper;
    if (a > 1e6)
        return mn_gammainc_large(a, x, upper);
    const double front = a < 10 ? pow(x, a) * exp(-x) / tgamma(a + 1) /* x^a·e^(-x)/Γ(a+1) */
                                : exp(a * mn_log_minus(x / a, (x - a) / a) - mn_stirling_error(a)) / sqrt(2 * MN_PI * a);
    if (front == 0)
        return (x < a) == upper;
    if (x < a + 1) {
        double term = 1, sum = 1;
        for (int n = 1; n < MN_SERIES_TERMS && term > MN_SERIES_END * sum; n++) {
            term *= x / (a + n);
            sum += term;
        }
        const double lower = fmin(front * sum, 1);
        return upper ? 1 - lower : lower;
    }
    double b = x + 1 - a, c = INFINITY, d = 1 / b, fraction = d;
    for (int n = 1; n < MN_SERIES_TERMS; n++) {
        const double numerator = -n * (n - a);
        b += 2;
        d = 1 / (numerator * d + b);
        c = b + numerator / c;
        fraction *= c * d;
        if (fabs(c * d - 1) < 1e-16)
            break;
    }
    const double rest = front * a * fraction;
    return upper ? rest : 1 - rest;
}

/* x^a·y^b/B(a, b) for x + y = 1; Loader's saddle point form (2000), in which large terms do not cancel */
static inline double mn_beta_density(double a, double b, double x, double y)
{
    if (a < 10 && b < 10)
        return pow(x, a) * pow(y, b) * (tgamma(a + b) / tgamma(a) / tgamma(b));
    const double sum = a + b, excess = x * b - y * a;
    const double exponent = a * mn_log_minus(x * sum / a, excess / a) + b * mn_log_minus(y * sum / b, -excess / b);
    const double correction = mn_stirling_error(sum) - mn_stirling_error(a) - mn_stirling_error(b);
    return exp(exponent + correction) * sqrt(a / sum * b / (2 * MN_PI));
}

/* The continued fraction of I_x(a, b), DLMF 8.17.22, by Lentz's algorithm: some √max(a, b) terms below the mean */
static inline double mn_beta_fraction(double a, double b, double x)
{
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    d = 1 / (fabs(d) < tiny ? tiny : d);
    double fraction = d;
    for (int m = 1; m < MN_SERIES_TERMS; m++) {
        const double even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
        d = 1 + even * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + even / c;
        c = fabs(c) < tiny ? tiny : c;
        fraction *= d * c;
        const double odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
        d = 1 + odd * d;
        d = 1 / (fabs(d) < tiny ? tiny : d);
        c = 1 + odd / c;
        c = fabs(c) < tiny ? tiny : c;
        fraction *= d * c;
        if (fabs(d * c - 1) < 1e-16)
            break;
    }
    return fraction;
}

/* The regularised incomplete beta function I_x(a, b) */
static inline double mn_betainc(double a, double b, double x)
{
    if (!(a > 0 && a < INFINITY && b > 0 && b < INFINITY && x >= 0 && x <= 1))
        return NAN;
    if (x == 0 || x == 1)
        return x;
    const double y = 1 - x, density = mn_beta_density(a, b, x, y);
    if (x <= (a + 1) / (a + b + 2))
        return fmin(density * mn_beta_fraction(a, b, x) / a, 1);
    return fmax(1 - density * mn_beta_fraction(b, a, y) / b, 0);
}

#endif
