/* Operations of the elementwise machine: X(name, how many registers it reads).  ISA-neutral: both the machine
   and the Python side (mathnet._kernels.OPCODES) count them from this list. */
#ifndef MN_OPCODES_H
#define MN_OPCODES_H

#define MN_OPCODES(X)                                                                                                  \
    /* plain */                                                                                                        \
    X(constant, 0) /* imm */                                                                                           \
    X(copy, 1) X(add, 2) X(sub, 2) X(mul, 2) X(div, 2) X(neg, 1) X(abs, 1) X(sign, 1)                                  \
    X(sqrt, 1) X(rsqrt, 1) X(reciprocal, 1) X(square, 1)                                                               \
    X(exp, 1) X(expm1, 1) X(log, 1) X(log1p, 1) X(tanh, 1) X(sigmoid, 1) X(softplus, 1) X(relu, 1) X(erf, 1)           \
    X(sin, 1) X(cos, 1) X(floor, 1) X(ceil, 1) X(round, 1)                                                             \
    X(pow, 2) X(min, 2) X(max, 2) X(floor_divide, 2) X(remainder, 2)                                                   \
    /* conditions: 1 or 0 */                                                                                           \
    X(lt, 2) X(le, 2) X(gt, 2) X(ge, 2) X(eq, 2) X(ne, 2)                                                              \
    X(logical_and, 2) X(logical_or, 2) X(logical_not, 1) X(isnan, 1) X(isfinite, 1)                                    \
    X(select, 3) /* a != 0 ? b : c */                                                                                  \
    /* with the immediate */                                                                                           \
    X(add_imm, 1) X(mul_imm, 1) X(rsub_imm, 1) X(div_imm, 1) X(rdiv_imm, 1) X(pow_imm, 1) X(max_imm, 1) X(min_imm, 1)  \
    X(lt_imm, 1) X(le_imm, 1) X(gt_imm, 1) X(ge_imm, 1) X(eq_imm, 1) X(ne_imm, 1)                                      \
    /* several steps at once */                                                                                        \
    X(fma, 3)              /* a*b + c */                                                                               \
    X(fnma, 3)             /* c - a*b */                                                                               \
    X(fma_imm, 2)          /* a*imm + b */                                                                             \
    X(sigmoid_scaled, 1)   /* sigmoid(imm*a) */                                                                        \
    X(one_minus_square, 1) /* 1 - a*a */                                                                               \
    X(dsigmoid, 1)         /* a - a*a */                                                                               \
    X(relu_mask, 2)        /* b > 0 ? a : 0 */                                                                         \
    X(mul3, 2)             /* a*b*imm */

enum {
#define X(name, reads) MN_OP_##name,
    MN_OPCODES(X)
#undef X
    MN_OPCODE_COUNT
};

#endif
