# What a compiled plugin cimports: `from mathnet_kernel cimport …`, with mathnet.get_include() among the include paths of Cython and of the
# C compiler.  The contract itself is abi.h.

from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport int64_t

cdef extern from "table_builder.h" nogil:
    ctypedef void *mn_operand "void *const"
    ctypedef struct mn_sizes:
        int64_t chunks
        int64_t scratch
        int64_t shared
        int64_t finish
        double work
    ctypedef int (*mn_kernel)(const void *descriptor, mn_operand *operands, int chunk, void *scratch) noexcept nogil
    ctypedef void (*mn_sizes_fn)(const void *descriptor, mn_sizes *out) noexcept nogil
    ctypedef struct mn_table:
        int64_t abi_version
    ctypedef struct mn_table_builder:
        mn_table table
    int MN_OK, MN_INDEX_OUT_OF_RANGE, MN_NAN, MN_NOT_FINITE, MN_ZERO_WEIGHT
    int MN_ABI_VERSION
    const char *MN_CAPSULE_NAME
    int mn_fail(void *scratch, int code, int64_t position, double value)
    void mn_add_kernel(
        mn_table_builder *builder, const char *name, mn_kernel fn, mn_sizes_fn sizes, const void *descriptor, int64_t descriptor_size
    )
    void mn_add_integers(mn_table_builder *builder, const char *name, const int64_t *field, int64_t count)
    void mn_add_doubles(mn_table_builder *builder, const char *name, const double *field, int64_t count)
    mn_table *mn_built(mn_table_builder *builder, const char *real, const char *isa)


cdef inline object mn_capsule(mn_table_builder *builder, const char *real, const char *isa):
    """The capsule of the finished table."""
    cdef mn_table *table = mn_built(builder, real, isa)
    if table == NULL:
        raise ImportError("too many kernels or fields for one table: raise MN_BUILDER_ENTRIES or MN_BUILDER_FIELDS")
    return PyCapsule_New(table, MN_CAPSULE_NAME, NULL)
