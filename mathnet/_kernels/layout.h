/* One number over what separately compiled modules must agree on: the operations of the elementwise machine in their order,
   the items of its programs, the structs and codes of abi.h.  A module that was compiled from another version of them would
   compute something else without a word; by this number it is refused (mathnet/_kernels/__init__.py). */
#ifndef MN_LAYOUT_H
#define MN_LAYOUT_H

#include <stddef.h>

#include "abi.h"
#include "opcodes.h"

static const char mn_operation_list[] =
#define X(name, reads, cost) #name " " #reads "\n"
    MN_OPCODES(X)
#undef X
#define X(first, uniform_first, second, uniform_second, operand) #first " " #second "\n"
    MN_VM_PAIRS(X)
#undef X
#define X(function, slope) #function " " #slope "\n"
    MN_VM_SLOPES(X)
#undef X
    ;

static const int64_t mn_positions[] = {
    MN_ABI_VERSION, MN_FAULT_BYTES,
    /* codes */
    MN_OK, MN_INDEX_OUT_OF_RANGE, MN_NAN, MN_NOT_FINITE, MN_ZERO_WEIGHT, MN_HOST_ERROR, MN_INTERRUPTED, MN_STEPS_EXHAUSTED,
    MN_FLOAT32, MN_FLOAT64, MN_INT64, MN_BOOL, MN_INT32, MN_UINT64,
    /* structs: their size, and where each field lies */
    sizeof(mn_vm_op), offsetof(mn_vm_op, op), offsetof(mn_vm_op, d), offsetof(mn_vm_op, a), offsetof(mn_vm_op, b),
    offsetof(mn_vm_op, c), offsetof(mn_vm_op, e), offsetof(mn_vm_op, immediate),
    sizeof(mn_sizes), offsetof(mn_sizes, chunks), offsetof(mn_sizes, scratch), offsetof(mn_sizes, shared),
    offsetof(mn_sizes, finish), offsetof(mn_sizes, work),
    sizeof(mn_field), offsetof(mn_field, name), offsetof(mn_field, offset), offsetof(mn_field, count), offsetof(mn_field, kind),
    sizeof(mn_entry), offsetof(mn_entry, name), offsetof(mn_entry, fn), offsetof(mn_entry, sizes), offsetof(mn_entry, fields),
    offsetof(mn_entry, n_fields), offsetof(mn_entry, descriptor_size), offsetof(mn_entry, tail_item),
    sizeof(mn_table), offsetof(mn_table, abi_version), offsetof(mn_table, isa), offsetof(mn_table, real),
    offsetof(mn_table, n_entries), offsetof(mn_table, entries),
    sizeof(mn_fault), offsetof(mn_fault, position), offsetof(mn_fault, value),
};

/* Fowler, Noll and Vo's hash, FNV-1a */
static inline uint64_t mn_hash(uint64_t hash, const void *data, size_t nbytes)
{
    for (size_t i = 0; i < nbytes; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return hash;
}

static inline uint64_t mn_layout(void)
{
    const uint64_t hash = mn_hash(0xcbf29ce484222325u, mn_operation_list, sizeof(mn_operation_list));
    return mn_hash(hash, mn_positions, sizeof(mn_positions));
}

#endif
