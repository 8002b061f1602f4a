"""Kernels of the smooth maximum and of its derivative, for float32 and float64.

The module offers nothing but `__tables__`, the capsules that mn.KernelOp reads.
"""

from libc.math cimport exp, expf, fabs, fabsf, log1p, log1pf
from libc.stdint cimport int64_t
from mathnet_kernel cimport (
    MN_OK,
    mn_add_doubles,
    mn_add_integers,
    mn_add_kernel,
    mn_capsule,
    mn_operand,
    mn_sizes,
    mn_table_builder,
)

ctypedef fused real:
    float
    double

ctypedef struct smooth_t:
    int64_t n
    double sharpness

# Elements of one chunk.  Where chunks end depends on n alone, so results do not depend on the number of threads.
cdef enum:
    CHUNK = 8192


cdef void sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const smooth_t *d = <const smooth_t *>descriptor
    out.chunks = (d.n + CHUNK - 1) // CHUNK if d.n >= 0 and d.sharpness > 0 else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 10.0 * <double>d.n


cdef inline real e_to(real x) noexcept nogil:
    return expf(x) if real is float else exp(x)


cdef inline real magnitude(real x) noexcept nogil:
    return fabsf(x) if real is float else fabs(x)


cdef inline real log_of_one_and(real x) noexcept nogil:
    return log1pf(x) if real is float else log1p(x)


cdef inline void maximum(const smooth_t *d, const real *x, const real *y, real *out, int chunk) noexcept nogil:
    cdef int64_t i, first = <int64_t>chunk * CHUNK
    cdef real s = <real>d.sharpness, larger
    for i in range(first, min(first + CHUNK, d.n)):
        larger = x[i] if x[i] > y[i] or x[i] != x[i] else y[i]  # a NaN stays one
        if x[i] == y[i]:  # infinities too, whose difference would be NaN
            out[i] = larger + log_of_one_and(<real>1) / s
        else:
            out[i] = larger + log_of_one_and(e_to(-s * magnitude(x[i] - y[i]))) / s


cdef inline void derivative(
    const smooth_t *d, const real *g, const real *x, const real *y, real *by_x, real *by_y, int chunk
) noexcept nogil:
    cdef int64_t i, first = <int64_t>chunk * CHUNK
    cdef real s = <real>d.sharpness, small, one = 1
    for i in range(first, min(first + CHUNK, d.n)):
        small = e_to(-s * magnitude(x[i] - y[i])) if x[i] != y[i] else one
        small = small / (one + small)   # the share of the smaller operand
        by_x[i] = g[i] * (one - small if x[i] > y[i] else small)
        by_y[i] = g[i] * (small if x[i] > y[i] else one - small)


cdef int maximum_f32(const void *d, mn_operand *at, int chunk, void *scratch) noexcept nogil:
    """Operands: x, y (n) IN, the result (n) OUT."""
    maximum(<const smooth_t *>d, <const float *>at[0], <const float *>at[1], <float *>at[2], chunk)
    return MN_OK


cdef int maximum_f64(const void *d, mn_operand *at, int chunk, void *scratch) noexcept nogil:
    maximum(<const smooth_t *>d, <const double *>at[0], <const double *>at[1], <double *>at[2], chunk)
    return MN_OK


cdef int derivative_f32(const void *d, mn_operand *at, int chunk, void *scratch) noexcept nogil:
    """Operands: g, x, y (n) IN, the cotangents of x and y (n) OUT."""
    derivative(
        <const smooth_t *>d, <const float *>at[0], <const float *>at[1], <const float *>at[2],
        <float *>at[3], <float *>at[4], chunk
    )
    return MN_OK


cdef int derivative_f64(const void *d, mn_operand *at, int chunk, void *scratch) noexcept nogil:
    derivative(
        <const smooth_t *>d, <const double *>at[0], <const double *>at[1], <const double *>at[2],
        <double *>at[3], <double *>at[4], chunk
    )
    return MN_OK


cdef mn_table_builder float32_table, float64_table
cdef smooth_t layout    # offsets of the fields are taken against it

mn_add_kernel(&float32_table, "smooth_maximum", maximum_f32, sizes, &layout, sizeof(layout))
mn_add_integers(&float32_table, "n", &layout.n, 1)
mn_add_doubles(&float32_table, "sharpness", &layout.sharpness, 1)
mn_add_kernel(&float32_table, "smooth_maximum_derivative", derivative_f32, sizes, &layout, sizeof(layout))
mn_add_integers(&float32_table, "n", &layout.n, 1)
mn_add_doubles(&float32_table, "sharpness", &layout.sharpness, 1)

mn_add_kernel(&float64_table, "smooth_maximum", maximum_f64, sizes, &layout, sizeof(layout))
mn_add_integers(&float64_table, "n", &layout.n, 1)
mn_add_doubles(&float64_table, "sharpness", &layout.sharpness, 1)
mn_add_kernel(&float64_table, "smooth_maximum_derivative", derivative_f64, sizes, &layout, sizeof(layout))
mn_add_integers(&float64_table, "n", &layout.n, 1)
mn_add_doubles(&float64_table, "sharpness", &layout.sharpness, 1)

__tables__ = (mn_capsule(&float32_table, "float32", "baseline"), mn_capsule(&float64_table, "float64", "baseline"))
