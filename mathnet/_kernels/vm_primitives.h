/* The operations of the elementwise machine (opcodes.h): each runs over whole vectors of the registers a, b, c and
   writes register d, which may be one of them.  n is a multiple of VL; nothing lies beyond. */
#ifndef MN_VM_PRIMITIVES_H
#define MN_VM_PRIMITIVES_H

#include "opcodes.h"
#include "vector_math.h"

/* One operation of a program, as it stands behind the descriptor. */
typedef struct {
    uint16_t op, d, a, b, c, e, pad[2];
    double immediate;
} mn_vm_op;

typedef void (*mn_vm_fn)(void *d, const void *a, const void *b, const void *c, const void *e, double immediate,
                         int64_t n);

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

/* x, y, z, w stand for a vector of a, b, c, e; imm for the immediate in every lane; i for the position */
#define MN_VM_OP(name, expression)                                                                                    \
    static void vm_##name(void *d, const void *a, const void *b, const void *c, const void *e, double immediate,      \
                          int64_t n)                                                                                  \
    {                                                                                                                 \
        const mn_vec imm = v_splat((mn_real)immediate);                                                               \
        (void)imm;                                                                                                    \
        _Pragma("GCC unroll 2") for (int64_t i = 0; i < n; i += VL)                                                   \
        {                                                                                                             \
            mn_vec x = v_load((const mn_real *)a + i), y = v_load((const mn_real *)b + i);                            \
            mn_vec z = v_load((const mn_real *)c + i), w = v_load((const mn_real *)e + i);                            \
            (void)x, (void)y, (void)z, (void)w;                                                                       \
            v_store((mn_real *)d + i, (expression));                                                                  \
        }                                                                                                             \
    }

MN_VM_OP(constant, imm)
MN_VM_OP(copy, x)
MN_VM_OP(add, x + y)
MN_VM_OP(sub, x - y)
MN_VM_OP(mul, x *y)
MN_VM_OP(div, x / y)
MN_VM_OP(neg, v_neg(x))
MN_VM_OP(abs, v_abs(x))
MN_VM_OP(sign, v_sign(x))
MN_VM_OP(sqrt, v_sqrt(x))
MN_VM_OP(rsqrt, 1 / v_sqrt(x))
MN_VM_OP(reciprocal, 1 / x)
MN_VM_OP(square, x *x)
MN_VM_OP(exp, v_exp(x))
MN_VM_OP(expm1, v_expm1(x))
MN_VM_OP(log, v_log(x))
MN_VM_OP(log1p, v_log1p(x))
MN_VM_OP(tanh, v_tanh(x))
MN_VM_OP(sigmoid, v_sigmoid(x))
MN_VM_OP(softplus, v_softplus(x))
MN_VM_OP(relu, v_max(v_splat(0), x))
MN_VM_OP(erf, v_erf(x))
MN_VM_OP(sin, v_sin(x))
MN_VM_OP(cos, v_cos(x))
MN_VM_OP(floor, v_floor(x))
MN_VM_OP(ceil, v_ceil(x))
MN_VM_OP(round, v_round(x))
MN_VM_OP(pow, v_pow(x, y))
MN_VM_OP(min, v_min_or_nan(x, y))
MN_VM_OP(max, v_max_or_nan(x, y))
MN_VM_OP(lt, v_truth(v_lt(x, y)))
MN_VM_OP(le, v_truth(v_le(x, y)))
MN_VM_OP(gt, v_truth(v_gt(x, y)))
MN_VM_OP(ge, v_truth(v_ge(x, y)))
MN_VM_OP(eq, v_truth(v_eq(x, y)))
MN_VM_OP(ne, v_truth(v_ne(x, y)))
MN_VM_OP(logical_and, v_truth(v_ne(x, v_splat(0)) & v_ne(y, v_splat(0))))
MN_VM_OP(logical_or, v_truth(v_ne(x, v_splat(0)) | v_ne(y, v_splat(0))))
MN_VM_OP(logical_not, v_truth(v_eq(x, v_splat(0))))
MN_VM_OP(isnan, v_truth(v_isnan(x)))
MN_VM_OP(isfinite, v_truth(v_lt(v_abs(x), v_splat((mn_real)INFINITY))))
MN_VM_OP(select, v_select(v_ne(x, v_splat(0)), y, z))
MN_VM_OP(add_imm, x + imm)
MN_VM_OP(mul_imm, x *imm)
MN_VM_OP(rsub_imm, imm - x)
MN_VM_OP(div_imm, x / imm)
MN_VM_OP(rdiv_imm, imm / x)
MN_VM_OP(pow_imm, v_pow(x, imm))
MN_VM_OP(max_imm, v_max_or_nan(x, imm))
MN_VM_OP(min_imm, v_min_or_nan(x, imm))
MN_VM_OP(lt_imm, v_truth(v_lt(x, imm)))
MN_VM_OP(le_imm, v_truth(v_le(x, imm)))
MN_VM_OP(gt_imm, v_truth(v_gt(x, imm)))
MN_VM_OP(ge_imm, v_truth(v_ge(x, imm)))
MN_VM_OP(eq_imm, v_truth(v_eq(x, imm)))
MN_VM_OP(ne_imm, v_truth(v_ne(x, imm)))
MN_VM_OP(fma, v_fma(x, y, z))
MN_VM_OP(fnma, v_fnma(x, y, z))
MN_VM_OP(fma_imm, v_fma(x, imm, y))
MN_VM_OP(sigmoid_scaled, v_sigmoid(x *imm))
MN_VM_OP(one_minus_square, v_fnma(x, x, v_splat(1)))
MN_VM_OP(dsigmoid, v_fnma(x, x, x))
MN_VM_OP(relu_mask, v_and(v_gt(y, v_splat(0)), x))
MN_VM_OP(mul3, x *y *imm)
/* The compiler does not contract (-ffp-contract=off): these round like the two operations that they stand for. */
MN_VM_OP(mul_add, x *y + z)
MN_VM_OP(mul_sub, x *y - z)
MN_VM_OP(sub_mul, z - x * y)
MN_VM_OP(mul_mul, x *y *z)
MN_VM_OP(mul_div, x *y / z)
MN_VM_OP(sqrt_mul_add, v_sqrt(x) * y + z)
MN_VM_OP(mul_imm_add, x *imm + y)
MN_VM_OP(mul_imm_mul, x *imm *y)
MN_VM_OP(mul_add_mul, x *y + z * w)
MN_VM_OP(mul_add_square_mul, x *y + z * z * w)
MN_VM_OP(sub_mul_div, w - x * y / z)
MN_VM_OP(sigmoid_mul, v_sigmoid(x) * y)
MN_VM_OP(sigmoid_scaled_mul, v_sigmoid(x *imm) * y)

/* Integers only (see mn_vm_integer_table). */
#define vm_floor_divide NULL
#define vm_remainder NULL

static const mn_vm_fn mn_vm_table[MN_OPCODE_COUNT] = {
#define X(name, reads, cost) vm_##name,
    MN_OPCODES(X)
#undef X
};

/* ---- the same over int64: plain loops, which the compiler vectorises ---- */

static inline int64_t mn_floor_divide(int64_t x, int64_t y) /* NumPy: 0 for a zero divisor */
{
    if (y == 0)
        return 0;
    if (y == -1)
        return (int64_t)(0 - (uint64_t)x);
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}

static inline int64_t mn_remainder(int64_t x, int64_t y)
{
    if (y == 0 || y == -1)
        return 0;
    int64_t rest = x % y;
    return rest + (rest != 0 && (rest < 0) != (y < 0) ? y : 0);
}

/* Sums wrap around as NumPy's do. */
#define MN_WRAP(expression) ((int64_t)(expression))
#define MN_VM_INTEGER_OP(name, expression)                                                                            \
    static void vm_i64_##name(void *d, const void *a, const void *b, const void *c, const void *e, double immediate,  \
                              int64_t n)                                                                              \
    {                                                                                                                 \
        const int64_t imm = (int64_t)immediate;                                                                       \
        (void)imm, (void)e;                                                                                           \
        for (int64_t i = 0; i < n; i++) {                                                                             \
            int64_t x = ((const int64_t *)a)[i], y = ((const int64_t *)b)[i], z = ((const int64_t *)c)[i];            \
            (void)x, (void)y, (void)z;                                                                                \
            ((int64_t *)d)[i] = (expression);                                                                         \
        }                                                                                                             \
    }

MN_VM_INTEGER_OP(constant, imm)
MN_VM_INTEGER_OP(copy, x)
MN_VM_INTEGER_OP(add, MN_WRAP((uint64_t)x + (uint64_t)y))
MN_VM_INTEGER_OP(sub, MN_WRAP((uint64_t)x - (uint64_t)y))
MN_VM_INTEGER_OP(mul, MN_WRAP((uint64_t)x * (uint64_t)y))
MN_VM_INTEGER_OP(neg, MN_WRAP(0 - (uint64_t)x))
MN_VM_INTEGER_OP(abs, x < 0 ? MN_WRAP(0 - (uint64_t)x) : x)
MN_VM_INTEGER_OP(sign, (x > 0) - (x < 0))
MN_VM_INTEGER_OP(square, MN_WRAP((uint64_t)x * (uint64_t)x))
MN_VM_INTEGER_OP(min, x < y ? x : y)
MN_VM_INTEGER_OP(max, x > y ? x : y)
MN_VM_INTEGER_OP(floor_divide, mn_floor_divide(x, y))
MN_VM_INTEGER_OP(remainder, mn_remainder(x, y))
MN_VM_INTEGER_OP(lt, x < y)
MN_VM_INTEGER_OP(le, x <= y)
MN_VM_INTEGER_OP(gt, x > y)
MN_VM_INTEGER_OP(ge, x >= y)
MN_VM_INTEGER_OP(eq, x == y)
MN_VM_INTEGER_OP(ne, x != y)
MN_VM_INTEGER_OP(logical_and, x && y)
MN_VM_INTEGER_OP(logical_or, x || y)
MN_VM_INTEGER_OP(logical_not, !x)
MN_VM_INTEGER_OP(select, x ? y : z)
MN_VM_INTEGER_OP(add_imm, MN_WRAP((uint64_t)x + (uint64_t)imm))
MN_VM_INTEGER_OP(mul_imm, MN_WRAP((uint64_t)x * (uint64_t)imm))
MN_VM_INTEGER_OP(rsub_imm, MN_WRAP((uint64_t)imm - (uint64_t)x))
MN_VM_INTEGER_OP(max_imm, x > imm ? x : imm)
MN_VM_INTEGER_OP(min_imm, x < imm ? x : imm)
MN_VM_INTEGER_OP(lt_imm, x < imm)
MN_VM_INTEGER_OP(le_imm, x <= imm)
MN_VM_INTEGER_OP(gt_imm, x > imm)
MN_VM_INTEGER_OP(ge_imm, x >= imm)
MN_VM_INTEGER_OP(eq_imm, x == imm)
MN_VM_INTEGER_OP(ne_imm, x != imm)

static const mn_vm_fn mn_vm_integer_table[MN_OPCODE_COUNT] = {
#define MN_VM_ENTRY(name) [MN_OP_##name] = vm_i64_##name
    MN_VM_ENTRY(constant),    MN_VM_ENTRY(copy),       MN_VM_ENTRY(add),         MN_VM_ENTRY(sub),
    MN_VM_ENTRY(mul),         MN_VM_ENTRY(neg),        MN_VM_ENTRY(abs),         MN_VM_ENTRY(sign),
    MN_VM_ENTRY(square),      MN_VM_ENTRY(min),        MN_VM_ENTRY(max),         MN_VM_ENTRY(floor_divide),
    MN_VM_ENTRY(remainder),   MN_VM_ENTRY(lt),         MN_VM_ENTRY(le),          MN_VM_ENTRY(gt),
    MN_VM_ENTRY(ge),          MN_VM_ENTRY(eq),         MN_VM_ENTRY(ne),          MN_VM_ENTRY(logical_and),
    MN_VM_ENTRY(logical_or),  MN_VM_ENTRY(logical_not), MN_VM_ENTRY(select),     MN_VM_ENTRY(add_imm),
    MN_VM_ENTRY(mul_imm),     MN_VM_ENTRY(rsub_imm),   MN_VM_ENTRY(max_imm),     MN_VM_ENTRY(min_imm),
    MN_VM_ENTRY(lt_imm),      MN_VM_ENTRY(le_imm),     MN_VM_ENTRY(gt_imm),      MN_VM_ENTRY(ge_imm),
    MN_VM_ENTRY(eq_imm),      MN_VM_ENTRY(ne_imm),
#undef MN_VM_ENTRY
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
