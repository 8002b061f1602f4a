/* Operations of the elementwise machine: X(name, registers it reads, nanoseconds per float on one AVX2 core).
   ISA-neutral: the machine and the Python side (mathnet._kernels.OPCODES) both count them from this list. */
#ifndef MN_OPCODES_H
#define MN_OPCODES_H

#include <stdint.h>

/* One operation of a program, as it stands behind the descriptor: the code, the registers, the immediate. */
typedef struct {
    uint16_t op, d, a, b, c, e, pad[2];
    double immediate;
} mn_vm_op;

#define MN_OPCODES(X) \
    /* plain */ \
    X(constant, 0, 0.05f) /* imm */ \
    X(copy, 1, 0.05f) X(add, 2, 0.05f) X(sub, 2, 0.05f) X(mul, 2, 0.05f) X(div, 2, 0.13f) X(neg, 1, 0.05f) \
    X(abs, 1, 0.05f) X(sign, 1, 0.05f) \
    X(sqrt, 1, 0.2f) X(rsqrt, 1, 0.3f) X(reciprocal, 1, 0.13f) X(square, 1, 0.05f) \
    X(exp, 1, 0.43f) X(expm1, 1, 0.4f) X(log, 1, 0.62f) X(log1p, 1, 0.75f) X(tanh, 1, 0.5f) \
    X(sigmoid, 1, 0.52f) X(softplus, 1, 0.97f) X(relu, 1, 0.05f) X(erf, 1, 1.1f) \
    X(sin, 1, 0.6f) X(cos, 1, 0.6f) X(floor, 1, 0.05f) X(ceil, 1, 0.05f) X(round, 1, 0.05f) \
    X(pow, 2, 3.5f) X(min, 2, 0.05f) X(max, 2, 0.05f) X(floor_divide, 2, 3.0f) X(remainder, 2, 3.0f) \
    X(exp2, 1, 0.25f) X(log2, 1, 0.35f) X(sinh, 1, 0.6f) X(cosh, 1, 0.4f) X(tan, 1, 0.6f) X(arcsin, 1, 0.4f) \
    X(arccos, 1, 0.4f) X(arctan, 1, 0.4f) X(erfc, 1, 1.2f) X(gaussian, 1, 0.45f) \
    X(trunc, 1, 0.05f) X(copysign, 2, 0.05f) \
    /* one number at a time, in double */ \
    X(log10, 1, 8.0f) X(cbrt, 1, 12.0f) X(hypot, 2, 8.0f) X(arctan2, 2, 15.0f) X(arcsinh, 1, 15.0f) \
    X(arccosh, 1, 15.0f) X(arctanh, 1, 15.0f) X(fmod, 2, 10.0f) X(lgamma, 1, 30.0f) X(erfinv, 1, 80.0f) \
    X(gammainc, 2, 150.0f) X(gammaincc, 2, 150.0f) X(betainc, 3, 300.0f) \
    X(polygamma, 1, 150.0f) X(sinc, 1, 40.0f) /* imm: the order of the derivative */ \
    /* conditions: 1 or 0 */ \
    X(lt, 2, 0.05f) X(le, 2, 0.05f) X(gt, 2, 0.05f) X(ge, 2, 0.05f) X(eq, 2, 0.05f) X(ne, 2, 0.05f) \
    X(logical_and, 2, 0.05f) X(logical_or, 2, 0.05f) X(logical_not, 1, 0.05f) X(isnan, 1, 0.05f) \
    X(isfinite, 1, 0.05f) \
    X(select, 3, 0.05f) /* a != 0 ? b : c */ \
    /* with the immediate */ \
    X(add_imm, 1, 0.05f) X(mul_imm, 1, 0.05f) X(rsub_imm, 1, 0.05f) X(div_imm, 1, 0.13f) \
    X(rdiv_imm, 1, 0.13f) X(pow_imm, 1, 3.5f) X(max_imm, 1, 0.05f) X(min_imm, 1, 0.05f) \
    X(lt_imm, 1, 0.05f) X(le_imm, 1, 0.05f) X(gt_imm, 1, 0.05f) X(ge_imm, 1, 0.05f) X(eq_imm, 1, 0.05f) \
    X(ne_imm, 1, 0.05f) \
    /* several steps at once */ \
    X(fma, 3, 0.05f)              /* a*b + c */ \
    X(fnma, 3, 0.05f)             /* c - a*b */ \
    X(fma_imm, 2, 0.05f)          /* a*imm + b */ \
    X(sigmoid_scaled, 1, 0.52f)   /* sigmoid(imm*a) */ \
    X(one_minus_square, 1, 0.05f) /* 1 - a*a */ \
    X(dsigmoid, 1, 0.05f)         /* a - a*a */ \
    X(relu_mask, 2, 0.05f)        /* b > 0 ? a : 0 */ \
    X(mul3, 2, 0.05f)             /* a*b*imm */ \
    /* plain operations in one pass, each rounded */ \
    X(mul_add, 3, 0.06f)          /* a*b + c */ \
    X(mul_sub, 3, 0.06f)          /* a*b - c */ \
    X(sub_mul, 3, 0.06f)          /* c - a*b */ \
    X(mul_mul, 3, 0.06f)          /* a*b*c */ \
    X(mul_div, 3, 0.14f)          /* a*b/c */ \
    X(sqrt_mul_add, 3, 0.21f)     /* sqrt(a)*b + c */ \
    X(mul_add_mul, 4, 0.08f)      /* a*b + c*e */ \
    X(mul_add_square_mul, 4, 0.08f) /* a*b + c*c*e */ \
    X(sub_mul_div, 4, 0.14f)      /* e - a*b/c */ \
    X(mul_imm_add, 2, 0.05f)      /* a*imm + b */ \
    X(mul_imm_mul, 2, 0.05f)      /* a*imm*b */ \
    X(sigmoid_mul, 2, 0.55f)      /* sigmoid(a)*b */ \
    X(sigmoid_scaled_mul, 2, 0.55f) /* sigmoid(imm*a)*b */ \
    /* activations, and their derivatives by a */ \
    X(gelu, 1, 0.75f) X(gelu_slope, 1, 0.8f) \
    X(silu, 1, 0.55f) X(silu_slope, 1, 0.6f) \
    X(elu, 2, 0.45f) X(elu_slope, 2, 0.45f)         /* b: alpha */ \
    X(elu_imm, 1, 0.45f) X(elu_imm_slope, 1, 0.45f) /* imm: alpha */

/* Functions and their slopes, which share most of their work and run in one loop where they follow each other over the
   same operands: X(function, slope). */
#define MN_VM_SLOPES(X) \
    X(gelu, gelu_slope) X(silu, silu_slope) X(elu, elu_slope) X(elu_imm, elu_imm_slope)

/* Operations that run in one loop where they follow each other and the second reads the first's result (vm_program.h):
   X(first, its uniform operands, second, its uniform operands, the operand that is read).
   A second moment and its root; a first moment and the step; the same without corrections; momentum and the step. */
#define MN_VM_PAIRS(X) \
    X(mul_add_square_mul, 9, sqrt_mul_add, 6, 0) \
    X(mul_add_mul, 5, sub_mul_div, 1, 1) \
    X(mul_add_square_mul, 9, sqrt, 0, 0) \
    X(add, 2, div, 0, 1) \
    X(mul_add, 1, sub_mul, 1, 1)

enum {
#define X(name, reads, cost) MN_OP_##name,
    MN_OPCODES(X)
#undef X
    MN_OPCODE_COUNT
};

#endif
