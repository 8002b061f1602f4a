/* The contract between kernels and whoever runs them.  Knows no instruction set, no real type and no Python;
   compiled plugins include it to offer kernels of their own.

   A kernel is a function over one chunk of one instruction.  It gets an immutable descriptor (a plain struct of
   64-bit fields), pointers to its operands, and private scratch memory.  It allocates nothing and does no I/O. */
#ifndef MN_ABI_H
#define MN_ABI_H

#include <stdint.h>

#define MN_ABI_VERSION 1
#define MN_CAPSULE_NAME "mathnet.kernels"

/* What a kernel returns. */
enum {
    MN_OK = 0,
    MN_INDEX_OUT_OF_RANGE = 1, /* position: which index, value: the index */
    MN_NAN = 2,                /* position: which element */
    MN_NOT_FINITE = 3,         /* position: which element, value: the element */
    MN_ZERO_WEIGHT = 4,        /* a mean over weights that sum to zero */
    MN_HOST_ERROR = 5,         /* a host instruction raised */
    MN_INTERRUPTED = 6,        /* a signal arrived */
    MN_STEPS_EXHAUSTED = 7     /* a loop would go on; position: how many steps it has made */
};

/* Storage types in descriptors. */
enum { MN_FLOAT32 = 0, MN_FLOAT64 = 1, MN_INT64 = 2, MN_BOOL = 3, MN_INT32 = 4, MN_UINT64 = 5 };

/* Of elementwise programs only: an input whose elements are drawn as they are read (drawn.pxi). */
enum { MN_DRAWN = 6 };

/* One chunk of one instruction.  operands: inputs first, then outputs, then, if sizes asked for it, the shared
   buffer.  scratch: private to the worker, 64-byte aligned.  Returns MN_OK or another code from above. */
typedef int (*mn_kernel)(const void *descriptor, void *const *operands, int chunk, void *scratch);

typedef struct {
    int64_t chunks;  /* independent pieces: a function of the descriptor only, never of threads;
                        negative: the descriptor is not valid */
    int64_t scratch; /* bytes of private scratch per worker */
    int64_t shared;  /* bytes shared by all chunks: if > 0 appended as last operand, 64-byte aligned, not cleared */
    int64_t finish;  /* pieces of a second stage, which begins when all chunks are done: calls with chunk == chunks,
                        chunks + 1, … in any order; 1 where it combines the chunks in fixed order */
    double work;     /* rough cost of the whole instruction in nanoseconds on one AVX2 core */
} mn_sizes;

typedef void (*mn_sizes_fn)(const void *descriptor, mn_sizes *out);

/* A field of a descriptor: count values of 8 bytes at offset; kind 'q' int64, 'Q' uint64, 'd' double. */
typedef struct {
    const char *name;
    int64_t offset;
    int64_t count;
    char kind;
} mn_field;

/* A kernel.  tail_item: bytes of one item of the array that follows the descriptor, whose length is the field
   "n_ops"; 0 for none. */
typedef struct {
    const char *name;
    mn_kernel fn;
    mn_sizes_fn sizes;
    const mn_field *fields;
    int64_t n_fields;
    int64_t descriptor_size;
    int64_t tail_item;
} mn_entry;

/* What the capsule `__table__` of a kernel module (MN_CAPSULE_NAME) points to. */
typedef struct {
    int64_t abi_version;
    const char *isa;
    const char *real;
    int64_t n_entries;
    const mn_entry *entries;
} mn_table;

/* Where and why a kernel failed.  Stands in the MN_FAULT_BYTES directly before scratch. */
typedef struct {
    int64_t position;
    double value;
} mn_fault;

#define MN_FAULT_BYTES 64

static inline mn_fault *mn_fault_of(void *scratch)
{
    return (mn_fault *)((char *)scratch - MN_FAULT_BYTES);
}

/* Writes the fault and returns code: `return mn_fail(scratch, MN_INDEX_OUT_OF_RANGE, row, label)`. */
static inline int mn_fail(void *scratch, int code, int64_t position, double value)
{
    mn_fault *fault = mn_fault_of(scratch);
    fault->position = position;
    fault->value = value;
    return code;
}

#endif
