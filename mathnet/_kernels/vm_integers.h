/* The operations of the elementwise machine over int64: plain loops, which the compiler vectorises; no register is uniform. */
#ifndef MN_VM_INTEGERS_H
#define MN_VM_INTEGERS_H

#include "vm_primitives.h"

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

static inline int64_t mn_fmod(int64_t x, int64_t y)
{
    return y == 0 || y == -1 ? 0 : x % y;
}

/* Sums wrap around as NumPy's do. */
#define MN_WRAP(expression) ((int64_t)(expression))
#define MN_VM_INTEGER_OP(name, expression)                                                                            \
    static void vm_integer_##name(const mn_vm_step *step, void *const *registers, int64_t n)                          \
    {                                                                                                                 \
        const mn_vm_op *op = step->op;                                                                                \
        const int64_t imm = (int64_t)op->immediate;                                                                   \
        int64_t *d = registers[op->d];                                                                                \
        const int64_t *a = registers[op->a], *b = registers[op->b], *c = registers[op->c];                            \
        (void)imm;                                                                                                    \
        for (int64_t i = 0; i < n; i++) {                                                                             \
            int64_t x = a[i], y = b[i], z = c[i];                                                                     \
            (void)x, (void)y, (void)z;                                                                                \
            d[i] = (expression);                                                                                      \
        }                                                                                                             \
    }                                                                                                                 \
    static const mn_vm_fn vm_i64_##name[] = {vm_integer_##name};

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
MN_VM_INTEGER_OP(fmod, mn_fmod(x, y))
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

static const mn_vm_fn *const mn_vm_integer_table[MN_OPCODE_COUNT] = {
#define MN_VM_ENTRY(name) [MN_OP_##name] = vm_i64_##name
    MN_VM_ENTRY(constant),    MN_VM_ENTRY(copy),       MN_VM_ENTRY(add),         MN_VM_ENTRY(sub),
    MN_VM_ENTRY(mul),         MN_VM_ENTRY(neg),        MN_VM_ENTRY(abs),         MN_VM_ENTRY(sign),
    MN_VM_ENTRY(square),      MN_VM_ENTRY(min),        MN_VM_ENTRY(max),         MN_VM_ENTRY(floor_divide),
    MN_VM_ENTRY(remainder),   MN_VM_ENTRY(lt),         MN_VM_ENTRY(le),          MN_VM_ENTRY(gt),
    MN_VM_ENTRY(ge),          MN_VM_ENTRY(eq),         MN_VM_ENTRY(ne),          MN_VM_ENTRY(logical_and),
    MN_VM_ENTRY(logical_or),  MN_VM_ENTRY(logical_not), MN_VM_ENTRY(select),     MN_VM_ENTRY(add_imm),
    MN_VM_ENTRY(mul_imm),     MN_VM_ENTRY(rsub_imm),   MN_VM_ENTRY(max_imm),     MN_VM_ENTRY(min_imm),
    MN_VM_ENTRY(lt_imm),      MN_VM_ENTRY(le_imm),     MN_VM_ENTRY(gt_imm),      MN_VM_ENTRY(ge_imm),
    MN_VM_ENTRY(eq_imm),      MN_VM_ENTRY(ne_imm),      MN_VM_ENTRY(fmod),
#undef MN_VM_ENTRY
};

#endif
