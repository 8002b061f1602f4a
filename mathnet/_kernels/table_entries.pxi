# What every kernel family needs: the vector type, and how to enter a kernel into the table.
#
#     cdef struct fill_t:
#         int64_t n
#     cdef int register_fill() except -1:
#         cdef fill_t d
#         add_kernel("fill", fill_run, fill_sizes, &d, sizeof(d), 0)
#         add_integers("n", &d.n, 1)

from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

cdef extern from "simd.h":
    ctypedef double real "mn_real"      # float or double: never rely on the width Cython sees
    ctypedef double vec "mn_vec"        # arithmetic operators work; comparisons and selection are functions
    ctypedef int64_t ivec "mn_ivec"
    const int VL
    const char *MN_REAL_NAME
    const int MN_REAL_CODE
    vec v_load(const real *p) noexcept nogil
    void v_store(real *p, vec v) noexcept nogil
    vec v_load_partial(const real *p, int n) noexcept nogil
    vec v_load_partial_or(const real *p, int n, real missing) noexcept nogil
    void v_store_partial(real *p, vec v, int n) noexcept nogil
    vec v_splat(real x) noexcept nogil
    vec v_fma(vec a, vec b, vec c) noexcept nogil
    vec v_fnma(vec a, vec b, vec c) noexcept nogil
    vec v_min(vec a, vec b) noexcept nogil
    vec v_max(vec a, vec b) noexcept nogil
    vec v_sqrt(vec a) noexcept nogil
    vec v_abs(vec a) noexcept nogil
    vec v_neg(vec a) noexcept nogil
    vec v_select(ivec mask, vec a, vec b) noexcept nogil
    vec v_and(ivec mask, vec a) noexcept nogil
    bint v_any(ivec mask) noexcept nogil
    ivec v_lt(vec a, vec b) noexcept nogil
    ivec v_le(vec a, vec b) noexcept nogil
    ivec v_eq(vec a, vec b) noexcept nogil
    ivec v_ne(vec a, vec b) noexcept nogil
    ivec v_gt(vec a, vec b) noexcept nogil
    ivec v_ge(vec a, vec b) noexcept nogil
    ivec v_isnan(vec a) noexcept nogil
    vec v_floor(vec a) noexcept nogil
    real v_hsum(vec v) noexcept nogil
    real v_hmax(vec v) noexcept nogil
    void v_transpose(vec *r) noexcept nogil

cdef extern from "abi.h":
    ctypedef void *operand_t "void *const"
    ctypedef struct mn_sizes:
        int64_t chunks
        int64_t scratch
        int64_t shared
        int64_t finish
        double work
    ctypedef struct mn_field:
        const char *name
        int64_t offset
        int64_t count
        char kind
    ctypedef int (*mn_kernel)(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil
    ctypedef void (*mn_sizes_fn)(const void *descriptor, mn_sizes *out) noexcept nogil
    ctypedef struct mn_entry:
        const char *name
        mn_kernel fn
        mn_sizes_fn sizes
        const mn_field *fields
        int64_t n_fields
        int64_t descriptor_size
        int64_t tail_item
    ctypedef struct mn_table:
        int64_t abi_version
        const char *isa
        const char *real
        int64_t n_entries
        const mn_entry *entries
    int MN_ABI_VERSION
    const char *MN_CAPSULE_NAME
    int MN_OK, MN_INDEX_OUT_OF_RANGE, MN_NAN, MN_NOT_FINITE, MN_ZERO_WEIGHT
    int MN_FLOAT32, MN_FLOAT64, MN_INT64, MN_BOOL, MN_INT32, MN_UINT64, MN_DRAWN
    int mn_fail(void *scratch, int code, int64_t position, double value) noexcept nogil

cdef extern from "layout.h":
    uint64_t mn_layout()

cdef extern from *:
    """
    #define MN_MAX_ENTRIES 96
    #define MN_MAX_FIELDS 1024
    """
    const int MN_MAX_ENTRIES
    const int MN_MAX_FIELDS
    const char *MN_ISA_NAME

cdef mn_entry[96] ENTRIES
cdef mn_field[1024] FIELDS
cdef mn_table TABLE
cdef int64_t field_count = 0
cdef const char *open_descriptor = NULL     # the descriptor whose fields are being entered


cdef int add_kernel(const char *name, mn_kernel fn, mn_sizes_fn sizes, void *descriptor,
                    int64_t descriptor_size, int64_t tail_item) except -1:
    """Opens a new entry; descriptor is any instance of its struct, against which field offsets are taken."""
    global open_descriptor
    if TABLE.n_entries == MN_MAX_ENTRIES:
        raise RuntimeError("kernel table is full: raise MN_MAX_ENTRIES")
    cdef mn_entry *entry = &ENTRIES[TABLE.n_entries]
    TABLE.n_entries += 1
    entry.name = name
    entry.fn = fn
    entry.sizes = sizes
    entry.fields = &FIELDS[field_count]
    entry.n_fields = 0
    entry.descriptor_size = descriptor_size
    entry.tail_item = tail_item
    open_descriptor = <const char *>descriptor
    return 0


cdef int add_field(const char *name, const void *field, int64_t count, char kind) except -1:
    global field_count
    if field_count == MN_MAX_FIELDS:
        raise RuntimeError("kernel table is full: raise MN_MAX_FIELDS")
    FIELDS[field_count].name = name
    FIELDS[field_count].offset = <const char *>field - open_descriptor
    FIELDS[field_count].count = count
    FIELDS[field_count].kind = kind
    field_count += 1
    ENTRIES[TABLE.n_entries - 1].n_fields += 1
    return 0


cdef int add_integers(const char *name, const int64_t *field, int64_t count) except -1:
    """A field of the open entry: count int64 values."""
    return add_field(name, field, count, b"q")


cdef int add_unsigned(const char *name, const uint64_t *field, int64_t count) except -1:
    """A field of the open entry: count uint64 values."""
    return add_field(name, field, count, b"Q")


cdef int add_doubles(const char *name, const double *field, int64_t count) except -1:
    """A field of the open entry: count double values."""
    return add_field(name, field, count, b"d")


cdef publish_table():
    TABLE.abi_version = MN_ABI_VERSION
    TABLE.isa = MN_ISA_NAME
    TABLE.real = MN_REAL_NAME
    TABLE.entries = ENTRIES
    return PyCapsule_New(&TABLE, MN_CAPSULE_NAME, NULL)


cdef inline int64_t chunk_count(int64_t items, int64_t per_chunk) noexcept nogil:
    """How many chunks of per_chunk items cover them: at least one."""
    return (items + per_chunk - 1) // per_chunk if items > 0 else 1


cdef inline vec v_load_lanes(const real *p, int lanes) noexcept nogil:
    """Up to VL elements, 0 in the lanes beyond: a whole vector costs only a comparison more than v_load."""
    return v_load(p) if lanes == VL else v_load_partial(p, lanes)


cdef inline void v_store_lanes(real *p, vec v, int lanes) noexcept nogil:
    if lanes == VL:
        v_store(p, v)
    else:
        v_store_partial(p, v, lanes)


cdef inline int64_t at_most(int64_t a, int64_t limit) noexcept nogil:
    return a if a < limit else limit
