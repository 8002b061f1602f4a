/* The operations of the elementwise machine (opcodes.h): each runs over whole vectors of the registers a, b, c, e and
   writes register d, which may be one of them.  n is a multiple of VL; nothing lies beyond. */
#ifndef MN_VM_PRIMITIVES_H
#define MN_VM_PRIMITIVES_H

#include "opcodes.h"
#include "special_functions.h"
#include "vector_activations.h"
#include "vector_math_rare.h"

typedef struct mn_vm_step mn_vm_step;

/* Runs one step of a bound program (vm_program.h) over n elements. */
typedef void (*mn_vm_fn)(const mn_vm_step *step, void *const *registers, int64_t n);

#define MN_VM_LINKS 6

/* The operations that run in one loop, mostly one.  uniform: bit k where operand k of a, b, c, e holds one value, in its
   first VL lanes only.  slotless: no result but the outputs is stored.  fetched: registers that lie in memory and that this
   step is the first to touch, if the memory is more than the caches hold. */
struct mn_vm_step {
    mn_vm_fn run;
    mn_vm_op op[MN_VM_LINKS];
    int count;
    uint8_t uniform, slotless;
    uint16_t n_fetched, fetched[5 * MN_VM_LINKS];
};

#define MN_FETCH_BYTES 256
#define MN_FETCH_AHEAD 2048 /* a block */

/* Begins a strip of a step's loop at element i: asks for the same strip of the next block of each fetched register, since
   the processor's own prefetcher loses the thread where a block ends.  Returns where the strip ends.  What is written is
   fetched too: a store that waits for its line holds up all behind it. */
static __attribute__((noinline)) int64_t vm_fetch(const mn_vm_step *step, void *const *registers, int64_t i, int64_t n)
{
    const int64_t end = i + MN_FETCH_BYTES / (int64_t)sizeof(mn_real);
    for (int k = 0; k < step->n_fetched; k++) {
        const char *at = (const char *)((const mn_real *)registers[step->fetched[k]] + i) + MN_FETCH_AHEAD;
        for (int line = 0; line < MN_FETCH_BYTES; line += 64)
            v_prefetch((const mn_real *)(at + line));
    }
    return end < n ? end : n;
}

/* NumPy's minimum and maximum: NaN where either is */
MN_INLINE mn_vec v_min_or_nan(mn_vec a, mn_vec b)
{
    return v_select(v_isnan(a), a, v_min(a, b));
}

MN_INLINE mn_vec v_max_or_nan(mn_vec a, mn_vec b)
{
    return v_select(v_isnan(a), a, v_max(a, b));
}

MN_INLINE mn_vec v_truth(mn_ivec mask)
{
    return v_and(mask, v_splat(1));
}

/* 1, -1, 0 or NaN */
MN_INLINE mn_vec v_sign(mn_vec x)
{
    mn_vec sign = v_truth(v_gt(x, v_splat(0))) - v_truth(v_lt(x, v_splat(0)));
    return v_select(v_isnan(x), x, sign);
}

/* x, y, z, w stand for a vector of a, b, c, e; imm for the immediate in every lane.  There is one loop for every
   combination of uniform operands: those stay in a vector register, which halves the loads of a typical update. */
#define MN_VM_OP(name, reads, expression)                                                                             \
    MN_INLINE mn_vec vm_value_##name(mn_vec x, mn_vec y, mn_vec z, mn_vec w, mn_vec imm)                              \
    {                                                                                                                 \
        (void)x, (void)y, (void)z, (void)w, (void)imm;                                                                \
        return (expression);                                                                                          \
    }                                                                                                                 \
    MN_INLINE void vm_loop_##name(const mn_vm_step *step, void *const *registers, int64_t n, const int uniform)       \
    {                                                                                                                 \
        const mn_vm_op *op = step->op;                                                                                \
        const mn_vec imm = v_splat((mn_real)op->immediate);                                                           \
        mn_real *d = registers[op->d];                                                                                \
        const mn_real *a = registers[op->a], *b = registers[op->b], *c = registers[op->c], *e = registers[op->e];     \
        mn_vec x = v_load(a), y = v_load(b), z = v_load(c), w = v_load(e);                                            \
        _Pragma("GCC unroll 2") for (int64_t i = 0; i < n; i += VL)                                                   \
        {                                                                                                             \
            if (reads > 0 && !(uniform & 1))                                                                          \
                x = v_load(a + i);                                                                                    \
            if (reads > 1 && !(uniform & 2))                                                                          \
                y = v_load(b + i);                                                                                    \
            if (reads > 2 && !(uniform & 4))                                                                          \
                z = v_load(c + i);                                                                                    \
            if (reads > 3 && !(uniform & 8))                                                                          \
                w = v_load(e + i);                                                                                    \
            v_store(d + i, vm_value_##name(x, y, z, w, imm));                                                         \
        }                                                                                                             \
    }                                                                                                                 \
    static void vm_fetching_##name(const mn_vm_step *step, void *const *registers, int64_t n)                         \
    {                                                                                                                 \
        const mn_vm_op *op = step->op;                                                                                \
        const mn_vec imm = v_splat((mn_real)op->immediate);                                                           \
        const int uniform = step->uniform;                                                                            \
        const int64_t step_a = !(uniform & 1), step_b = !(uniform & 2), step_c = !(uniform & 4),                      \
                      step_e = !(uniform & 8);                                                                        \
        mn_real *d = registers[op->d];                                                                                \
        const mn_real *a = registers[op->a], *b = registers[op->b], *c = registers[op->c], *e = registers[op->e];     \
        mn_vec x = v_load(a), y = v_load(b), z = v_load(c), w = v_load(e);                                            \
        for (int64_t i = 0; i < n;) {                                                                                 \
            const int64_t end = vm_fetch(step, registers, i, n);                                                      \
            for (; i < end; i += VL) {                                                                                \
                if (reads > 0)                                                                                        \
                    x = v_load(a + i * step_a);                                                                       \
                if (reads > 1)                                                                                        \
                    y = v_load(b + i * step_b);                                                                       \
                if (reads > 2)                                                                                        \
                    z = v_load(c + i * step_c);                                                                       \
                if (reads > 3)                                                                                        \
                    w = v_load(e + i * step_e);                                                                       \
                v_store(d + i, vm_value_##name(x, y, z, w, imm));                                                     \
            }                                                                                                         \
        }                                                                                                             \
    }                                                                                                                 \
    MN_VM_LOOPS_##reads(name)

#define MN_VM_LOOP(name, uniform)                                                                                     \
    static void vm_##name##_##uniform(const mn_vm_step *step, void *const *registers, int64_t n)                      \
    {                                                                                                                 \
        vm_loop_##name(step, registers, n, uniform);                                                                  \
    }
/* vm_name[uniform mask], and behind those the loop of a step that fetches */
#define MN_VM_LOOPS_0(name) MN_VM_LOOP(name, 0) static const mn_vm_fn vm_##name[] = {vm_##name##_0, vm_fetching_##name};
#define MN_VM_LOOPS_1(name)                                                                                           \
    MN_VM_LOOP(name, 0)                                                                                               \
    MN_VM_LOOP(name, 1) static const mn_vm_fn vm_##name[] = {vm_##name##_0, vm_##name##_1, vm_fetching_##name};
#define MN_VM_LOOPS_2(name)                                                                                           \
    MN_VM_LOOP(name, 0)                                                                                               \
    MN_VM_LOOP(name, 1)                                                                                               \
    MN_VM_LOOP(name, 2)                                                                                               \
    MN_VM_LOOP(name, 3)                                                                                               \
    static const mn_vm_fn vm_##name[] = {vm_##name##_0, vm_##name##_1, vm_##name##_2, vm_##name##_3,                  \
                                         vm_fetching_##name};
#define MN_VM_LOOPS_3(name)                                                                                           \
    MN_VM_LOOP(name, 0)                                                                                               \
    MN_VM_LOOP(name, 1)                                                                                               \
    MN_VM_LOOP(name, 2)                                                                                               \
    MN_VM_LOOP(name, 3)                                                                                               \
    MN_VM_LOOP(name, 4)                                                                                               \
    MN_VM_LOOP(name, 5)                                                                                               \
    MN_VM_LOOP(name, 6)                                                                                               \
    MN_VM_LOOP(name, 7)                                                                                               \
    static const mn_vm_fn vm_##name[] = {vm_##name##_0, vm_##name##_1, vm_##name##_2, vm_##name##_3,                  \
                                         vm_##name##_4, vm_##name##_5, vm_##name##_6, vm_##name##_7,                  \
                                         vm_fetching_##name};
#define MN_VM_LOOPS_4(name)                                                                                           \
    MN_VM_LOOP(name, 0)                                                                                               \
    MN_VM_LOOP(name, 1)                                                                                               \
    MN_VM_LOOP(name, 2)                                                                                               \
    MN_VM_LOOP(name, 3)                                                                                               \
    MN_VM_LOOP(name, 4)                                                                                               \
    MN_VM_LOOP(name, 5)                                                                                               \
    MN_VM_LOOP(name, 6)                                                                                               \
    MN_VM_LOOP(name, 7)                                                                                               \
    MN_VM_LOOP(name, 8)                                                                                               \
    MN_VM_LOOP(name, 9)                                                                                               \
    MN_VM_LOOP(name, 10)                                                                                              \
    MN_VM_LOOP(name, 11)                                                                                              \
    MN_VM_LOOP(name, 12)                                                                                              \
    MN_VM_LOOP(name, 13)                                                                                              \
    MN_VM_LOOP(name, 14)                                                                                              \
    MN_VM_LOOP(name, 15)                                                                                              \
    static const mn_vm_fn vm_##name[] = {vm_##name##_0,  vm_##name##_1,  vm_##name##_2,  vm_##name##_3,               \
                                         vm_##name##_4,  vm_##name##_5,  vm_##name##_6,  vm_##name##_7,               \
                                         vm_##name##_8,  vm_##name##_9,  vm_##name##_10, vm_##name##_11,              \
                                         vm_##name##_12, vm_##name##_13, vm_##name##_14, vm_##name##_15,              \
                                         vm_fetching_##name};

MN_VM_OP(constant, 0, imm)
MN_VM_OP(copy, 1, x)
MN_VM_OP(add, 2, x + y)
MN_VM_OP(sub, 2, x - y)
MN_VM_OP(mul, 2, x *y)
MN_VM_OP(div, 2, x / y)
MN_VM_OP(neg, 1, v_neg(x))
MN_VM_OP(abs, 1, v_abs(x))
MN_VM_OP(sign, 1, v_sign(x))
MN_VM_OP(sqrt, 1, v_sqrt(x))
MN_VM_OP(rsqrt, 1, 1 / v_sqrt(x))
MN_VM_OP(reciprocal, 1, 1 / x)
MN_VM_OP(square, 1, x *x)
MN_VM_OP(exp, 1, v_exp(x))
MN_VM_OP(expm1, 1, v_expm1(x))
MN_VM_OP(log, 1, v_log(x))
MN_VM_OP(log1p, 1, v_log1p(x))
MN_VM_OP(tanh, 1, v_tanh(x))
MN_VM_OP(sigmoid, 1, v_sigmoid(x))
MN_VM_OP(softplus, 1, v_softplus(x))
MN_VM_OP(relu, 1, v_max(v_splat(0), x))
MN_VM_OP(erf, 1, v_erf(x))
MN_VM_OP(sin, 1, v_sin(x))
MN_VM_OP(cos, 1, v_cos(x))
MN_VM_OP(exp2, 1, v_exp2(x))
MN_VM_OP(log2, 1, v_log2(x))
MN_VM_OP(sinh, 1, v_sinh(x))
MN_VM_OP(cosh, 1, v_cosh(x))
MN_VM_OP(tan, 1, v_tan(x))
MN_VM_OP(arcsin, 1, v_arcsin(x))
MN_VM_OP(arccos, 1, v_arccos(x))
MN_VM_OP(arctan, 1, v_arctan(x))
MN_VM_OP(erfc, 1, v_erfc(x))
MN_VM_OP(gaussian, 1, v_gaussian(x))
MN_VM_OP(trunc, 1, v_copysign(v_floor(v_abs(x)), x))
MN_VM_OP(copysign, 2, v_copysign(x, y))
MN_VM_OP(floor, 1, v_floor(x))
MN_VM_OP(ceil, 1, v_ceil(x))
MN_VM_OP(round, 1, v_round(x))
MN_VM_OP(pow, 2, v_pow(x, y))
MN_VM_OP(min, 2, v_min_or_nan(x, y))
MN_VM_OP(max, 2, v_max_or_nan(x, y))
MN_VM_OP(lt, 2, v_truth(v_lt(x, y)))
MN_VM_OP(le, 2, v_truth(v_le(x, y)))
MN_VM_OP(gt, 2, v_truth(v_gt(x, y)))
MN_VM_OP(ge, 2, v_truth(v_ge(x, y)))
MN_VM_OP(eq, 2, v_truth(v_eq(x, y)))
MN_VM_OP(ne, 2, v_truth(v_ne(x, y)))
MN_VM_OP(logical_and, 2, v_truth(v_ne(x, v_splat(0)) & v_ne(y, v_splat(0))))
MN_VM_OP(logical_or, 2, v_truth(v_ne(x, v_splat(0)) | v_ne(y, v_splat(0))))
MN_VM_OP(logical_not, 1, v_truth(v_eq(x, v_splat(0))))
MN_VM_OP(isnan, 1, v_truth(v_isnan(x)))
MN_VM_OP(isfinite, 1, v_truth(v_lt(v_abs(x), v_splat((mn_real)INFINITY))))
MN_VM_OP(select, 3, v_select(v_ne(x, v_splat(0)), y, z))
MN_VM_OP(add_imm, 1, x + imm)
MN_VM_OP(mul_imm, 1, x *imm)
MN_VM_OP(rsub_imm, 1, imm - x)
MN_VM_OP(div_imm, 1, x / imm)
MN_VM_OP(rdiv_imm, 1, imm / x)
MN_VM_OP(pow_imm, 1, v_pow(x, imm))
MN_VM_OP(max_imm, 1, v_max_or_nan(x, imm))
MN_VM_OP(min_imm, 1, v_min_or_nan(x, imm))
MN_VM_OP(lt_imm, 1, v_truth(v_lt(x, imm)))
MN_VM_OP(le_imm, 1, v_truth(v_le(x, imm)))
MN_VM_OP(gt_imm, 1, v_truth(v_gt(x, imm)))
MN_VM_OP(ge_imm, 1, v_truth(v_ge(x, imm)))
MN_VM_OP(eq_imm, 1, v_truth(v_eq(x, imm)))
MN_VM_OP(ne_imm, 1, v_truth(v_ne(x, imm)))
MN_VM_OP(fma, 3, v_fma(x, y, z))
MN_VM_OP(fnma, 3, v_fnma(x, y, z))
MN_VM_OP(fma_imm, 2, v_fma(x, imm, y))
MN_VM_OP(sigmoid_scaled, 1, v_sigmoid(x *imm))
MN_VM_OP(one_minus_square, 1, v_fnma(x, x, v_splat(1)))
MN_VM_OP(dsigmoid, 1, v_fnma(x, x, x))
MN_VM_OP(relu_mask, 2, v_and(v_gt(y, v_splat(0)), x))
MN_VM_OP(mul3, 2, x *y *imm)
/* The compiler does not contract (-ffp-contract=off): these round like the two operations that they stand for. */
MN_VM_OP(mul_add, 3, x *y + z)
MN_VM_OP(mul_sub, 3, x *y - z)
MN_VM_OP(sub_mul, 3, z - x * y)
MN_VM_OP(mul_mul, 3, x *y *z)
MN_VM_OP(mul_div, 3, x *y / z)
MN_VM_OP(sqrt_mul_add, 3, v_sqrt(x) * y + z)
MN_VM_OP(mul_imm_add, 2, x *imm + y)
MN_VM_OP(mul_imm_mul, 2, x *imm *y)
MN_VM_OP(mul_add_mul, 4, x *y + z * w)
MN_VM_OP(mul_add_square_mul, 4, x *y + z * z * w)
MN_VM_OP(sub_mul_div, 4, w - x * y / z)
MN_VM_OP(sigmoid_mul, 2, v_sigmoid(x) * y)
MN_VM_OP(sigmoid_scaled_mul, 2, v_sigmoid(x *imm) * y)

/* A function and its slope from one expression, which sets `slope`: two operations, and a loop that stores both. */
#define MN_VM_WITH_SLOPE(name, reads, expression)                                                                     \
    MN_INLINE mn_vec vm_both_##name(mn_vec x, mn_vec y, mn_vec imm, mn_vec *slope)                                    \
    {                                                                                                                 \
        (void)x, (void)y, (void)imm;                                                                                  \
        return (expression);                                                                                          \
    }                                                                                                                 \
    MN_VM_OP(name, reads, vm_both_##name(x, y, imm, &w))                                                              \
    MN_VM_OP(name##_slope, reads, (vm_both_##name(x, y, imm, &w), w))                                                 \
    static void vm_##name##_and_slope(const mn_vm_step *step, void *const *registers, int64_t n)                      \
    {                                                                                                                 \
        const mn_vec imm = v_splat((mn_real)step->op[0].immediate);                                                   \
        mn_real *d = registers[step->op[0].d], *d2 = registers[step->op[1].d];                                        \
        const mn_real *a = registers[step->op[0].a], *b = registers[step->op[0].b];                                   \
        for (int64_t i = 0; i < n;) {                                                                                 \
            const int64_t end = step->n_fetched ? vm_fetch(step, registers, i, n) : n;                                \
            for (; i < end; i += VL) {                                                                                \
                mn_vec slope, x = v_load(a + i);                                                                      \
                v_store(d + i, vm_both_##name(x, reads > 1 ? v_load(b + i) : x, imm, &slope));                        \
                v_store(d2 + i, slope);                                                                               \
            }                                                                                                         \
        }                                                                                                             \
    }

MN_VM_WITH_SLOPE(gelu, 1, v_gelu(x, slope))
MN_VM_WITH_SLOPE(silu, 1, v_silu(x, slope))
MN_VM_WITH_SLOPE(elu, 2, v_elu(x, y, slope))
MN_VM_WITH_SLOPE(elu_imm, 1, v_elu(x, imm, slope))

/* Functions that are computed one number at a time, in double, by the C library or special_functions.h */
#define MN_VM_SCALAR_OP(name, expression)                                                                             \
    static void vm_scalar_##name(const mn_vm_step *step, void *const *registers, int64_t n)                           \
    {                                                                                                                 \
        const mn_vm_op *op = step->op;                                                                                \
        const int order = (int)op->immediate;                                                                         \
        mn_real *d = registers[op->d]; /* never a uniform register */                                                 \
        const mn_real *a = registers[op->a], *b = registers[op->b], *c = registers[op->c];                            \
        const int64_t step_a = !(step->uniform & 1), step_b = !(step->uniform & 2), step_c = !(step->uniform & 4);    \
        (void)order;                                                                                                  \
        for (int64_t i = 0; i < n; i++) {                                                                             \
            double x = a[i * step_a], y = b[i * step_b], z = c[i * step_c];                                           \
            (void)x, (void)y, (void)z;                                                                                \
            d[i] = (mn_real)(expression);                                                                             \
        }                                                                                                             \
    }                                                                                                                 \
    static const mn_vm_fn vm_##name[] = {vm_scalar_##name, vm_scalar_##name, vm_scalar_##name, vm_scalar_##name,      \
                                         vm_scalar_##name, vm_scalar_##name, vm_scalar_##name, vm_scalar_##name,      \
                                         vm_scalar_##name};

MN_VM_SCALAR_OP(log10, log10(x))
MN_VM_SCALAR_OP(cbrt, cbrt(x))
MN_VM_SCALAR_OP(hypot, hypot(x, y))
MN_VM_SCALAR_OP(arctan2, atan2(x, y))
MN_VM_SCALAR_OP(arcsinh, asinh(x))
MN_VM_SCALAR_OP(arccosh, acosh(x))
MN_VM_SCALAR_OP(arctanh, atanh(x))
MN_VM_SCALAR_OP(fmod, fmod(x, y))
MN_VM_SCALAR_OP(lgamma, mn_lgamma(x))
MN_VM_SCALAR_OP(erfinv, mn_erfinv(x))
MN_VM_SCALAR_OP(gammainc, mn_incomplete_gamma(x, y, 0))
MN_VM_SCALAR_OP(gammaincc, mn_incomplete_gamma(x, y, 1))
MN_VM_SCALAR_OP(betainc, mn_betainc(x, y, z))
MN_VM_SCALAR_OP(polygamma, mn_polygamma(x, order))
MN_VM_SCALAR_OP(sinc, mn_sinc(x, order))

/* Integers only (see mn_vm_integer_table). */
#define vm_floor_divide NULL
#define vm_remainder NULL

/* The loops of every operation, by uniform mask, and the one that fetches; NULL where there is none. */
static const mn_vm_fn *const mn_vm_table[MN_OPCODE_COUNT] = {
#define X(name, reads, cost) vm_##name,
    MN_OPCODES(X)
#undef X
};

/* Rough nanoseconds per float element of each operation, for mn_sizes.work. */
static const float mn_vm_cost[MN_OPCODE_COUNT] = {
#define X(name, reads, cost) cost,
    MN_OPCODES(X)
#undef X
};

static const uint8_t mn_vm_reads[MN_OPCODE_COUNT] = {
#define X(name, reads, cost) reads,
    MN_OPCODES(X)
#undef X
};

#endif
