# softmax and log-softmax over the middle axis of [outer, axis, inner], forward and backward.
#
# Where inner is 1 a row is contiguous and a vector holds neighbours on the axis; otherwise a vector holds VL columns,
# each going down the axis on its own.  A row of exponentials takes e^(x - max), so it never overflows.

cdef extern from "vector_math.h":
    vec v_exp_nonpositive(vec x) noexcept nogil
    vec v_exp(vec x) noexcept nogil
    vec v_log(vec x) noexcept nogil

cdef enum:
    SOFTMAX_CHUNK = 8192        # elements

ctypedef struct softmax_t:
    int64_t outer
    int64_t axis
    int64_t inner


# ---- contiguous rows ----

cdef real largest_of_row(const real *x, int64_t n) noexcept nogil:
    cdef vec a = v_splat(-INFINITY)
    cdef vec b = a
    cdef int64_t i = 0
    while i + 2 * VL <= n:
        a = v_max(a, v_load(x + i))
        b = v_max(b, v_load(x + i + VL))
        i += 2 * VL
    if i + VL <= n:
        a = v_max(a, v_load(x + i))
        i += VL
    if i < n:
        b = v_max(b, v_load_partial_or(x + i, <int>(n - i), -INFINITY))
    return v_hmax(v_max(a, b))


cdef real exp_row(real *y, const real *x, int64_t n, real largest) noexcept nogil:
    """y = e^(x - largest), and its sum; y may be NULL."""
    cdef vec a = v_splat(0)
    cdef vec b = a
    cdef vec shift = v_splat(largest)
    cdef vec e, f
    cdef int64_t i = 0
    while i + 2 * VL <= n:
        e = v_exp_nonpositive(v_load(x + i) - shift)
        f = v_exp_nonpositive(v_load(x + i + VL) - shift)
        if y != NULL:
            v_store(y + i, e)
            v_store(y + i + VL, f)
        a = a + e
        b = b + f
        i += 2 * VL
    if i + VL <= n:
        e = v_exp_nonpositive(v_load(x + i) - shift)
        if y != NULL:
            v_store(y + i, e)
        a = a + e
        i += VL
    if i < n:       # e^-inf = 0 in the lanes beyond
        e = v_exp_nonpositive(v_load_partial_or(x + i, <int>(n - i), -INFINITY) - shift)
        if y != NULL:
            v_store_partial(y + i, e, <int>(n - i))
        b = b + e
    return v_hsum(a + b)


cdef real dot_row(const real *x, const real *y, int64_t n) noexcept nogil:
    """Σ x·y."""
    cdef vec a = v_splat(0)
    cdef vec b = a
    cdef int64_t i = 0
    while i + 2 * VL <= n:
        a = v_fma(v_load(x + i), v_load(y + i), a)
        b = v_fma(v_load(x + i + VL), v_load(y + i + VL), b)
        i += 2 * VL
    if i + VL <= n:
        a = v_fma(v_load(x + i), v_load(y + i), a)
        i += VL
    if i < n:
        b = v_fma(v_load_partial(x + i, <int>(n - i)), v_load_partial(y + i, <int>(n - i)), b)
    return v_hsum(a + b)


cdef real sum_row(const real *x, int64_t n) noexcept nogil:
    cdef vec a = v_splat(0)
    cdef vec b = a
    cdef int64_t i = 0
    while i + 2 * VL <= n:
        a = a + v_load(x + i)
        b = b + v_load(x + i + VL)
        i += 2 * VL
    if i + VL <= n:
        a = a + v_load(x + i)
        i += VL
    if i < n:
        b = b + v_load_partial(x + i, <int>(n - i))
    return v_hsum(a + b)


cdef inline real log_of(real x) noexcept nogil:
    cdef real lanes[16]
    v_store(lanes, v_log(v_splat(x)))
    return lanes[0]


# What is done to every vector of a row once its sums are known.
ctypedef enum row_map_t:
    TIMES           # x·p
    MINUS_BOTH      # (x - p) - q
    SOFTMAX_GRAD    # y·(x - p)
    LOG_SOFTMAX_GRAD        # x - e^y·p
    WEIGHTED_DIFFERENCE     # (x·p - y)·q

cdef inline vec mapped(row_map_t kind, vec x, vec y, vec p, vec q) noexcept nogil:
    if kind == TIMES:
        return x * p
    if kind == MINUS_BOTH:
        return (x - p) - q
    if kind == SOFTMAX_GRAD:
        return y * (x - p)
    if kind == WEIGHTED_DIFFERENCE:
        return (x * p - y) * q
    return v_fnma(v_exp(y), p, x)


cdef inline void map_row(row_map_t kind, real *out, const real *x, const real *y, int64_t n, real p, real q) noexcept nogil:
    cdef vec P = v_splat(p)
    cdef vec Q = v_splat(q)
    cdef int64_t i = 0
    while i + VL <= n:
        v_store(out + i, mapped(kind, v_load(x + i), v_load(y + i), P, Q))
        i += VL
    if i < n:
        v_store_partial(out + i, mapped(kind, v_load_partial(x + i, <int>(n - i)), v_load_partial(y + i, <int>(n - i)), P, Q), <int>(n - i))


# ---- columns: up to VL side by side, n rows at a distance ----

cdef vec largest_of_columns(const real *x, int64_t n, int64_t stride, int lanes) noexcept nogil:
    cdef vec largest = v_splat(-INFINITY)
    cdef int64_t i
    for i in range(n):
        largest = v_max(largest, v_load_lanes(x + i * stride, lanes))
    return largest


cdef void softmax_columns(real *y, const real *x, int64_t n, int64_t stride, int lanes, bint logarithm) noexcept nogil:
    cdef vec largest = largest_of_columns(x, n, stride, lanes)
    cdef vec total = v_splat(0)
    cdef vec e, factor
    cdef int64_t i
    for i in range(n):
        e = v_exp_nonpositive(v_load_lanes(x + i * stride, lanes) - largest)
        total = total + e
        if not logarithm:
            v_store_lanes(y + i * stride, e, lanes)
    factor = v_log(total) if logarithm else v_splat(1) / total
    for i in range(n):
        if logarithm:
            v_store_lanes(y + i * stride, (v_load_lanes(x + i * stride, lanes) - largest) - factor, lanes)
        else:
            v_store_lanes(y + i * stride, v_load_lanes(y + i * stride, lanes) * factor, lanes)


cdef void softmax_grad_columns(
    real *dx, const real *dy, const real *y, int64_t n, int64_t stride, int lanes, bint logarithm
) noexcept nogil:
    cdef vec total = v_splat(0)
    cdef vec a, b
    cdef int64_t i
    for i in range(n):
        a = v_load_lanes(dy + i * stride, lanes)
        total = total + a if logarithm else v_fma(a, v_load_lanes(y + i * stride, lanes), total)
    for i in range(n):
        a = v_load_lanes(dy + i * stride, lanes)
        b = v_load_lanes(y + i * stride, lanes)
        v_store_lanes(dx + i * stride, mapped(LOG_SOFTMAX_GRAD if logarithm else SOFTMAX_GRAD, a, b, total, total), lanes)


# ---- the kernels ----

cdef inline int64_t softmax_units(const softmax_t *d) noexcept nogil:
    """Rows, or groups of VL columns."""
    return d.outer * ((d.inner + VL - 1) // VL if d.inner != 1 else 1)


cdef inline int64_t softmax_units_per_chunk(const softmax_t *d) noexcept nogil:
    cdef int64_t elements = d.axis * (VL if d.inner != 1 else 1)
    return SOFTMAX_CHUNK // elements if 0 < elements < SOFTMAX_CHUNK else 1


cdef void softmax_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const softmax_t *d = <const softmax_t *>descriptor
    cdef bint valid = d.outer >= 0 and d.axis >= 0 and d.inner >= 0
    out.chunks = chunk_count(softmax_units(d), softmax_units_per_chunk(d)) if valid else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 20 + 0.15 * <double>(d.outer * d.axis * d.inner * <int64_t>sizeof(real))


cdef inline int softmax_chunk(const softmax_t *d, operand_t *operands, int chunk, bint backward, bint logarithm) noexcept nogil:
    cdef int64_t units = softmax_units(d), per_chunk = softmax_units_per_chunk(d)
    cdef int64_t groups = units // d.outer if d.outer > 0 else 1
    cdef int64_t unit, at, n = d.axis
    cdef int lanes
    cdef const real *x
    cdef const real *y
    cdef real *out
    cdef real largest
    if n == 0 or units == 0:
        return MN_OK
    unit = chunk * per_chunk
    for unit in range(unit, unit + at_most(units - unit, per_chunk)):
        at = unit // groups * n * d.inner + unit % groups * VL
        x = <const real *>operands[0] + at
        y = <const real *>operands[1] + at      # the output, in forward
        if d.inner != 1:
            lanes = <int>at_most(d.inner - unit % groups * VL, VL)
            if backward:
                softmax_grad_columns(<real *>operands[2] + at, x, y, n, d.inner, lanes, logarithm)
            else:
                softmax_columns(<real *>operands[1] + at, x, n, d.inner, lanes, logarithm)
        elif backward:
            out = <real *>operands[2] + at
            if logarithm:
                map_row(LOG_SOFTMAX_GRAD, out, x, y, n, sum_row(x, n), 0)
            else:
                map_row(SOFTMAX_GRAD, out, x, y, n, dot_row(x, y, n), 0)
        else:
            out = <real *>operands[1] + at
            largest = largest_of_row(x, n)
            if logarithm:
                map_row(MINUS_BOTH, out, x, x, n, largest, log_of(exp_row(NULL, x, n, largest)))
            else:
                map_row(TIMES, out, out, out, n, 1 / exp_row(out, x, n, largest), 0)
    return MN_OK


cdef int softmax_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = e^x / Σ e^x.  Operands: x (outer, axis, inner) IN, y OUT."""
    return softmax_chunk(<const softmax_t *>descriptor, operands, chunk, False, False)


cdef int log_softmax_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = x - log Σ e^x.  Operands: x (outer, axis, inner) IN, y OUT."""
    return softmax_chunk(<const softmax_t *>descriptor, operands, chunk, False, True)


cdef int softmax_backward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dx = y·(dy - Σ dy·y).  Operands: dy (outer, axis, inner) IN, y IN, dx OUT."""
    return softmax_chunk(<const softmax_t *>descriptor, operands, chunk, True, False)


cdef int log_softmax_backward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dx = dy - e^y·Σ dy.  Operands: dy (outer, axis, inner) IN, y IN, dx OUT."""
    return softmax_chunk(<const softmax_t *>descriptor, operands, chunk, True, True)


cdef int add_softmax(const char *name, mn_kernel fn) except -1:
    cdef softmax_t d
    add_kernel(name, fn, softmax_sizes, &d, sizeof(d), 0)
    add_integers("outer", &d.outer, 1)
    add_integers("axis", &d.axis, 1)
    add_integers("inner", &d.inner, 1)
    return 0


cdef int register_softmax() except -1:
    add_softmax("softmax_forward", softmax_forward)
    add_softmax("log_softmax_forward", log_softmax_forward)
    add_softmax("softmax_backward", softmax_backward)
    add_softmax("log_softmax_backward", log_softmax_backward)
    return 0
