/* A program of the elementwise machine, bound to what is known of its registers: which of them hold one value. */
#ifndef MN_VM_PROGRAM_H
#define MN_VM_PROGRAM_H

#include "vm_chains.h"
#include "vm_integers.h"
#include "vm_primitives.h"

/* ---- two operations in one loop ---- */

/* Both operations of a pair store what they compute, and round as they do alone; but what the second one reads from the
   first stays in a vector register, and the loads and stores of one hide behind the division or root of the other.

   MN_VM_PAIR(first, its uniform operands, second, its uniform operands, the operand of the second that is the first's
   result); the list stands in opcodes.h */
#define MN_VM_PAIR(first, uniform1, second, uniform2, position)                                                       \
    static void vm_##first##_then_##second(const mn_vm_step *step, void *const *registers, int64_t n)                 \
    {                                                                                                                 \
        const mn_vm_op *op = step->op, *then = step->op + 1;                                                            \
        const mn_vec imm = v_splat((mn_real)op->immediate), imm2 = v_splat((mn_real)then->immediate);                 \
        mn_real *d = registers[op->d], *d2 = registers[then->d];                                                      \
        const mn_real *in[8] = {registers[op->a],   registers[op->b],   registers[op->c],   registers[op->e],         \
                                registers[then->a], registers[then->b], registers[then->c], registers[then->e]};      \
        const int streams = MN_VM_STREAMS(first, uniform1)                                                            \
                            | (MN_VM_STREAMS(second, uniform2) & ~(1 << (position))) << 4;                            \
        mn_vec v[8];                                                                                                  \
        _Pragma("GCC unroll 8") for (int k = 0; k < 8; k++) v[k] = v_load(in[k]);                                     \
        for (int64_t i = 0; i < n;) {                                                                                 \
            const int64_t end = step->n_fetched ? vm_fetch(step, registers, i, n) : n;                                \
            for (; i + VL < end; i += 2 * VL) {                                                                       \
                MN_VM_PAIR_AT(first, second, position, i)                                                             \
                MN_VM_PAIR_AT(first, second, position, i + VL)                                                        \
            }                                                                                                         \
            if (i < end) {                                                                                            \
                MN_VM_PAIR_AT(first, second, position, i)                                                             \
                i += VL;                                                                                              \
            }                                                                                                         \
        }                                                                                                             \
    }

#define MN_VM_PAIR_AT(first, second, position, at)                                                                    \
    {                                                                                                                 \
        _Pragma("GCC unroll 4") for (int k = 0; k < 4; k++) if (streams >> k & 1) v[k] = v_load(in[k] + (at));        \
        const mn_vec value = vm_value_##first(v[0], v[1], v[2], v[3], imm);                                           \
        v_store(d + (at), value);                                                                                     \
        v[4 + (position)] = value;                                                                                    \
        _Pragma("GCC unroll 4") for (int k = 4; k < 8; k++) if (streams >> k & 1) v[k] = v_load(in[k] + (at));        \
        v_store(d2 + (at), vm_value_##second(v[4], v[5], v[6], v[7], imm2));                                          \
    }

/* the operands that are no single values, as a mask */
#define MN_VM_STREAMS(name, uniform) (((1 << MN_VM_READS_##name) - 1) & ~(uniform))

enum {
#define X(name, reads, cost) MN_VM_READS_##name = reads,
    MN_OPCODES(X)
#undef X
};

MN_VM_PAIRS(MN_VM_PAIR)

typedef struct {
    uint16_t first, second;
    uint8_t uniform_first, uniform_second, position;
    mn_vm_fn run;
} mn_vm_pair;

static const mn_vm_pair mn_vm_pairs[] = {
#define X(first, uniform1, second, uniform2, position) \
    {MN_OP_##first, MN_OP_##second, uniform1, uniform2, position, vm_##first##_then_##second},
    MN_VM_PAIRS(X)
#undef X
};

/* ---- a function and its slope in one loop ---- */

typedef struct {
    uint16_t function, slope;
    mn_vm_fn run;
} mn_vm_function_and_slope;

static const mn_vm_function_and_slope mn_vm_slopes[] = {
#define X(function, slope) {MN_OP_##function, MN_OP_##slope, vm_##function##_and_slope},
    MN_VM_SLOPES(X)
#undef X
};

/* ---- binding ---- */

/* Products whose factors may change places: bit 0 a*b, bit 1 c*e */
static const uint8_t mn_vm_commutes[MN_OPCODE_COUNT] = {
    [MN_OP_add] = 1,     [MN_OP_mul] = 1,     [MN_OP_mul_add] = 1,     [MN_OP_mul_sub] = 1,
    [MN_OP_sub_mul] = 1, [MN_OP_mul_div] = 1, [MN_OP_mul_add_mul] = 3, [MN_OP_mul_add_square_mul] = 1,
    [MN_OP_sub_mul_div] = 1,
};

MN_INLINE void mn_vm_swap(uint16_t *x, uint16_t *y)
{
    uint16_t swapped = *x;
    *x = *y;
    *y = swapped;
}

MN_INLINE uint8_t mn_vm_uniform_operands(const mn_vm_op *op, const uint8_t *uniform)
{
    int mask = uniform[op->a] | uniform[op->b] << 1 | uniform[op->c] << 2 | uniform[op->e] << 3;
    return (uint8_t)(mask & ((1 << mn_vm_reads[op->op]) - 1));
}

/* Binds one operation; uniform[r] is 1 where register r holds one value, in its first VL lanes only. */
MN_INLINE void mn_vm_bind_one(mn_vm_step *step, const mn_vm_fn *const *table, const mn_vm_op *op, const uint8_t *uniform)
{
    step->op[0] = *op;
    step->uniform = mn_vm_uniform_operands(op, uniform);
    step->run = table[op->op][step->uniform];
    step->count = 1;
    step->slotless = 0;
    step->n_fetched = 0;
}

static inline int mn_vm_reads_register(const mn_vm_op *op, uint16_t r)
{
    const uint16_t read[4] = {op->a, op->b, op->c, op->e};
    for (int j = 0; j < mn_vm_reads[op->op]; j++)
        if (read[j] == r)
            return 1;
    return 0;
}

/* Notes which registers the step fetches: those in memory that no step before touches. */
static inline void mn_vm_bind_fetched(mn_vm_step *step, uint8_t *untouched)
{
    for (int k = 0; k < step->count; k++) {
        const mn_vm_op *op = &step->op[k];
        const uint16_t touched[5] = {op->d, op->a, op->b, op->c, op->e};
        for (int j = 0; j < 1 + mn_vm_reads[op->op]; j++) {
            if (untouched[touched[j]])
                step->fetched[step->n_fetched++] = touched[j];
            untouched[touched[j]] = 0;
        }
    }
}

/* The uniform factor of a product first; of a sum, last. */
static inline void mn_vm_orient(mn_vm_op *op, const uint8_t *uniform)
{
    const int products = mn_vm_commutes[op->op];
    if ((products & 1) && uniform[op->a] != uniform[op->b] && (op->op == MN_OP_add) == uniform[op->a])
        mn_vm_swap(&op->a, &op->b);
    if ((products & 2) && uniform[op->e] && !uniform[op->c])
        mn_vm_swap(&op->c, &op->e);
}

/* Whether the chain stands at the head of the program; the step then has its operations, factors in order. */
static inline int mn_vm_match_chain(mn_vm_step *step, const mn_vm_chain *chain, const mn_vm_op *ops, int64_t n_ops,
                                    const uint8_t *uniform, int64_t n_operands)
{
    if (n_ops < chain->count)
        return 0;
    for (int k = 0; k < chain->count; k++) {
        const mn_vm_link *link = &chain->link[k];
        if (ops[k].op != link->op)
            return 0;
        step->op[k] = ops[k];
        mn_vm_orient(&step->op[k], uniform);
        if (mn_vm_uniform_operands(&step->op[k], uniform) != link->uniform)
            return 0;
        const uint16_t read[4] = {step->op[k].a, step->op[k].b, step->op[k].c, step->op[k].e};
        for (int j = 0; j < mn_vm_reads[link->op]; j++) {
            int writer = k; /* the last link before that writes what is read, from 1 */
            while (writer > 0 && step->op[writer - 1].d != read[j])
                writer--;
            if (writer != link->from[j])
                return 0;
        }
    }
    for (int k = 0; k < chain->count; k++) {
        if (chain->link[k].kept)
            continue;
        if (ops[k].d < n_operands)
            return 0;
        for (int64_t after = chain->count; after < n_ops; after++)
            if (mn_vm_reads_register(&ops[after], ops[k].d))
                return 0;
    }
    return 1;
}

static inline int mn_vm_bind_chain(mn_vm_step *step, const mn_vm_op *ops, int64_t n_ops, const uint8_t *uniform,
                                   int64_t n_operands)
{
    for (size_t k = 0; k < sizeof(mn_vm_chains) / sizeof(mn_vm_chains[0]); k++) {
        if (mn_vm_match_chain(step, mn_vm_chains[k].chain, ops, n_ops, uniform, n_operands)) {
            step->run = mn_vm_chains[k].run;
            step->count = mn_vm_chains[k].chain->count;
            step->slotless = 1;
            return 1;
        }
    }
    return 0;
}

/* Where the function's result replaces an operand, the slope that follows is that of another number. */
static inline int mn_vm_bind_slope(mn_vm_step *step, const mn_vm_op *ops, int64_t n_ops, const uint8_t *uniform)
{
    for (size_t k = 0; n_ops > 1 && k < sizeof(mn_vm_slopes) / sizeof(mn_vm_slopes[0]); k++) {
        const mn_vm_op *op = &ops[0], *then = &ops[1];
        if (mn_vm_slopes[k].function != op->op || mn_vm_slopes[k].slope != then->op || op->a != then->a
            || (mn_vm_reads[op->op] > 1 && op->b != then->b) || op->immediate != then->immediate
            || mn_vm_reads_register(op, op->d) || mn_vm_uniform_operands(op, uniform))
            continue;
        step->op[0] = *op;
        step->op[1] = *then;
        step->run = mn_vm_slopes[k].run;
        step->count = 2;
        step->slotless = 0;
        return 1;
    }
    return 0;
}

static inline int mn_vm_bind_pair(mn_vm_step *step, const mn_vm_op *ops, int64_t n_ops, const uint8_t *uniform)
{
    for (size_t k = 0; n_ops > 1 && k < sizeof(mn_vm_pairs) / sizeof(mn_vm_pairs[0]); k++) {
        const mn_vm_pair *pair = &mn_vm_pairs[k];
        if (pair->first != ops[0].op || pair->second != ops[1].op)
            continue;
        step->op[0] = ops[0];
        step->op[1] = ops[1];
        mn_vm_orient(&step->op[0], uniform);
        mn_vm_orient(&step->op[1], uniform);
        const uint16_t read[4] = {step->op[1].a, step->op[1].b, step->op[1].c, step->op[1].e};
        if (read[pair->position] == ops[0].d && mn_vm_uniform_operands(&step->op[0], uniform) == pair->uniform_first
            && mn_vm_uniform_operands(&step->op[1], uniform) == pair->uniform_second) {
            step->run = pair->run;
            step->count = 2;
            step->slotless = 0;
            return 1;
        }
    }
    return 0;
}

/* Turns a program into steps, of which there are at most n_ops; returns their number.  Registers below n_operands are
   inputs and outputs.  untouched[r] is 1 where register r is to be fetched by the first step that touches it, and 0
   afterwards; NULL where none is. */
static inline int64_t mn_vm_bind(mn_vm_step *steps, const mn_vm_fn *const *table, const mn_vm_op *ops, int64_t n_ops,
                                 int64_t n_operands, const uint8_t *uniform, uint8_t *untouched)
{
    const int real = table == mn_vm_table;
    int64_t count = 0;
    for (int64_t k = 0; k < n_ops; count++) {
        mn_vm_step *step = &steps[count];
        step->n_fetched = 0;
        if (!real || (!mn_vm_bind_chain(step, ops + k, n_ops - k, uniform, n_operands)
                      && !mn_vm_bind_slope(step, ops + k, n_ops - k, uniform)
                      && !mn_vm_bind_pair(step, ops + k, n_ops - k, uniform)))
            mn_vm_bind_one(step, table, &ops[k], uniform);
        k += step->count;
        if (real && untouched) {
            mn_vm_bind_fetched(step, untouched);
            if (step->n_fetched && step->count == 1)
                step->run = table[step->op[0].op][1 << mn_vm_reads[step->op[0].op]];
        }
    }
    return count;
}

#endif
