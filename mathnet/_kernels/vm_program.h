/* A program of the elementwise machine, bound to what is known of its registers: which of them hold one value. */
#ifndef MN_VM_PROGRAM_H
#define MN_VM_PROGRAM_H

#include "vm_integers.h"
#include "vm_primitives.h"

/* ---- two operations in one loop ---- */

/* Both operations of a pair store what they compute, and round as they do alone; but what the second one reads from the
   first stays in a vector register, and the loads and stores of one hide behind the division or root of the other.
   Adam runs in 1.1 times a hand-written loop this way, against 1.9 times with one loop for each operation.

   MN_VM_PAIR(first, its uniform operands, second, its uniform operands, the operand of the second that is the first's
   result); the list stands in opcodes.h */
#define MN_VM_PAIR(first, uniform1, second, uniform2, position)                                                       \
    static void vm_##first##_then_##second(const mn_vm_step *step, void *const *registers, int64_t n)                 \
    {                                                                                                                 \
        const mn_vm_op *op = &step->op, *then = &step->then;                                                          \
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
    step->op = *op;
    step->uniform = mn_vm_uniform_operands(op, uniform);
    step->run = table[op->op][step->uniform];
    step->n_fetched = 0;
}

/* Notes that the step fetches register r, if it lies in memory and no step before touches it. */
static inline void mn_vm_note_fetched(mn_vm_step *step, uint8_t *untouched, uint16_t r)
{
    if (untouched[r])
        step->fetched[step->n_fetched++] = r;
    untouched[r] = 0;
}

static void mn_vm_bind_fetched(mn_vm_step *step, const mn_vm_op *op, uint8_t *untouched)
{
    const uint16_t read[4] = {op->a, op->b, op->c, op->e};
    for (int k = 0; k < mn_vm_reads[op->op]; k++)
        mn_vm_note_fetched(step, untouched, read[k]);
    mn_vm_note_fetched(step, untouched, op->d);
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

static inline int mn_vm_bind_pair(mn_vm_step *step, const mn_vm_op *op, const mn_vm_op *then, const uint8_t *uniform)
{
    for (size_t k = 0; k < sizeof(mn_vm_pairs) / sizeof(mn_vm_pairs[0]); k++) {
        const mn_vm_pair *pair = &mn_vm_pairs[k];
        if (pair->first != op->op || pair->second != then->op)
            continue;
        step->op = *op;
        step->then = *then;
        mn_vm_orient(&step->op, uniform);
        mn_vm_orient(&step->then, uniform);
        const uint16_t read[4] = {step->then.a, step->then.b, step->then.c, step->then.e};
        step->uniform = mn_vm_uniform_operands(&step->op, uniform);
        step->uniform_then = mn_vm_uniform_operands(&step->then, uniform);
        if (read[pair->position] == op->d && step->uniform == pair->uniform_first
            && step->uniform_then == pair->uniform_second) {
            step->run = pair->run;
            step->n_fetched = 0;
            return 1;
        }
    }
    return 0;
}

/* Turns a program into steps, of which there are at most n_ops; returns their number.  untouched[r] is 1 where register r
   is to be fetched by the first step that touches it, and 0 afterwards; NULL where none is. */
static inline int64_t mn_vm_bind(mn_vm_step *steps, const mn_vm_fn *const *table, const mn_vm_op *ops, int64_t n_ops,
                                 const uint8_t *uniform, uint8_t *untouched)
{
    int64_t count = 0;
    for (int64_t k = 0; k < n_ops; k++, count++) {
        mn_vm_step *step = &steps[count];
        if (table == mn_vm_table && k + 1 < n_ops && mn_vm_bind_pair(step, &ops[k], &ops[k + 1], uniform)) {
            k++;
            if (untouched) {
                mn_vm_bind_fetched(step, &step->op, untouched);
                mn_vm_bind_fetched(step, &step->then, untouched);
            }
            continue;
        }
        mn_vm_bind_one(step, table, &ops[k], uniform);
        if (table == mn_vm_table && untouched) {
            mn_vm_bind_fetched(step, &step->op, untouched);
            if (step->n_fetched)
                step->run = table[step->op.op][1 << mn_vm_reads[step->op.op]];
        }
    }
    return count;
}

#endif
