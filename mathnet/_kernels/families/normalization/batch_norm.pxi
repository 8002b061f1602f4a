# Batch normalisation in training: x is [outer, channels, inner], and each channel is brought to mean 0 and variance 1.
#
# Where inner is 1 the channels lie side by side: a vector holds VL of them, and a chunk takes BATCH_COLUMNS.  Otherwise
# a chunk takes whole channels, each of outer runs.  Either way a chunk owns its channels: no sums are shared, and three
# passes over a channel find it in the second-level cache (32x56x56 floats are 400 KB), so memory is passed once.

ctypedef struct batch_norm_t:
    int64_t outer
    int64_t channels
    int64_t inner
    int64_t weight          # an operand (channels)
    int64_t bias
    int64_t activation      # of tile.h, applied to y
    double eps

cdef enum:
    BATCH_COLUMNS = 64
    BATCH_ROWS = 512        # rows that one sum of a column takes before it is added to the total


cdef inline int64_t batch_norm_channels_per_chunk(const batch_norm_t *d) noexcept nogil:
    if d.inner == 1:
        return BATCH_COLUMNS
    return chunk_count(NORM_CHUNK, d.outer * d.inner)


cdef inline void batch_norm_sizes(const void *descriptor, mn_sizes *out, double cost) noexcept nogil:
    cdef const batch_norm_t *d = <const batch_norm_t *>descriptor
    cdef bint valid = d.outer > 0 and d.channels >= 0 and d.inner > 0 and 0 <= d.activation < ACTIVATIONS
    out.chunks = chunk_count(d.channels, batch_norm_channels_per_chunk(d)) if valid else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 20 + cost * <double>(d.outer * d.channels * d.inner * <int64_t>sizeof(real))


cdef void batch_norm_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    batch_norm_sizes(descriptor, out, 0.08)


cdef void batch_norm_backward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    batch_norm_sizes(descriptor, out, 0.12)


cdef extern from "tile.h":
    vec activate "mn_activate"(vec v, int activation) noexcept nogil
    int RELU "MN_RELU"
    int TANH "MN_TANH"
    int SIGMOID "MN_SIGMOID"


# ---- a channel of many runs ----

cdef inline void write_run(real *y, const real *x, int64_t n, real m, real scale, real shift, int activation) noexcept nogil:
    """y = activation((x - m)·scale + shift)."""
    cdef vec M = v_splat(m), S = v_splat(scale), B = v_splat(shift)
    cdef int64_t i = 0
    while i + VL <= n:
        v_store(y + i, activate(v_fma(v_load(x + i) - M, S, B), activation))
        i += VL
    if i < n:
        v_store_partial(y + i, activate(v_fma(v_load_partial(x + i, <int>(n - i)) - M, S, B), activation), <int>(n - i))


cdef real sum_channel(norm_sum_t kind, const batch_norm_t *d, const real *x, real m) noexcept nogil:
    cdef sums_t s
    cdef int64_t o
    start_sums(&s)
    if kind == PLAIN:
        for o in range(d.outer):
            add_run(PLAIN, &s, x + o * d.channels * d.inner, x, d.inner, 0)
    else:
        for o in range(d.outer):
            add_run(SQUARES, &s, x + o * d.channels * d.inner, x, d.inner, m)
    gather_sums(&s)
    return s.total_first


cdef void write_channel(const batch_norm_t *d, real *y, const real *x, real m, real scale, real shift) noexcept nogil:
    cdef int64_t o, at, distance = d.channels * d.inner
    for o in range(d.outer):
        at = o * distance
        if d.activation == NO_ACTIVATION:
            write_run(y + at, x + at, d.inner, m, scale, shift, NO_ACTIVATION)
        elif d.activation == RELU:
            write_run(y + at, x + at, d.inner, m, scale, shift, RELU)
        elif d.activation == TANH:
            write_run(y + at, x + at, d.inner, m, scale, shift, TANH)
        else:
            write_run(y + at, x + at, d.inner, m, scale, shift, SIGMOID)


cdef void differentiate_channel(
    const batch_norm_t *d, real *dx, const real *dy, const real *x, real w, real *dw, real *db, real m, real scale
) noexcept nogil:
    """Sums over one channel, then dx = w·scale·(dy - mean dy - x̂·mean(dy·x̂)); dw, db may be NULL."""
    cdef sums_t s
    cdef int64_t o, at, distance = d.channels * d.inner
    cdef real count = <real>(d.outer * d.inner)
    cdef real factor = w * scale
    start_sums(&s)
    for o in range(d.outer):
        add_run(WITH_PRODUCTS, &s, x + o * distance, dy + o * distance, d.inner, m)
    gather_sums(&s)
    if dw != NULL:
        dw[0] = s.total_second * scale
    if db != NULL:
        db[0] = s.total_first
    for o in range(d.outer):
        at = o * distance
        differentiate_run(dx + at, dy + at, x + at, d.inner, m, factor,
                          -factor * scale * scale * (s.total_second / count), -factor * (s.total_first / count))


# ---- channels side by side: up to four vectors of them ----

cdef inline void sum_columns(norm_sum_t kind, const real *x, const real *y, int64_t rows, int64_t distance, int64_t columns,
                             const vec *m, vec *first, vec *second) noexcept nogil:
    """Sums down each of up to 4·VL columns; second only for WITH_PRODUCTS."""
    cdef vec[4] a
    cdef vec[4] b
    cdef int64_t row = 0, end
    cdef int k, lanes
    for k in range(4):
        first[k] = second[k] = v_splat(0)
    while row < rows:
        end = row + at_most(rows - row, BATCH_ROWS)
        for k in range(4):
            a[k] = b[k] = v_splat(0)
        if columns == 4 * VL:
            for row in range(row, end):
                for k in range(4):
                    sum_term(kind, v_load(x + row * distance + k * VL), v_load(y + row * distance + k * VL), m[k], &a[k], &b[k])
        else:
            for row in range(row, end):
                k = 0
                while k * VL < columns:
                    lanes = <int>at_most(columns - k * VL, VL)
                    sum_term(kind, v_load_lanes(x + row * distance + k * VL, lanes),
                             v_load_lanes(y + row * distance + k * VL, lanes), m[k], &a[k], &b[k])
                    k += 1
        row = end
        for k in range(4):
            first[k] = first[k] + a[k]
            second[k] = second[k] + b[k]


cdef inline void load_columns(vec *to, const real *p, int64_t columns, real missing) noexcept nogil:
    """Up to 4·VL numbers; `missing` where p is NULL and in the lanes beyond."""
    cdef int k
    for k in range(4):
        to[k] = v_splat(missing)
        if p != NULL and k * VL < columns:
            to[k] = v_load_partial_or(p + k * VL, <int>at_most(columns - k * VL, VL), missing)


cdef inline void store_columns(real *p, const vec *values, int64_t columns) noexcept nogil:
    cdef int k = 0
    while k * VL < columns:
        v_store_lanes(p + k * VL, values[k], <int>at_most(columns - k * VL, VL))
        k += 1


cdef inline void write_columns(real *y, const real *x, int64_t rows, int64_t distance, int64_t columns,
                               const vec *m, const vec *scale, const vec *shift, int activation) noexcept nogil:
    cdef int64_t row
    cdef int k, lanes
    for row in range(rows):
        k = 0
        while k * VL < columns:
            lanes = <int>at_most(columns - k * VL, VL)
            v_store_lanes(y + row * distance + k * VL, activate(
                v_fma(v_load_lanes(x + row * distance + k * VL, lanes) - m[k], scale[k], shift[k]), activation), lanes)
            k += 1


cdef inline void differentiate_columns(real *dx, const real *dy, const real *x, int64_t rows, int64_t distance, int64_t columns,
                                       const vec *m, const vec *p, const vec *q, const vec *r) noexcept nogil:
    """dx = dy·p + (x - m)·q + r."""
    cdef int64_t row
    cdef int k, lanes
    for row in range(rows):
        k = 0
        while k * VL < columns:
            lanes = <int>at_most(columns - k * VL, VL)
            v_store_lanes(dx + row * distance + k * VL, v_fma(
                v_load_lanes(dy + row * distance + k * VL, lanes), p[k],
                v_fma(v_load_lanes(x + row * distance + k * VL, lanes) - m[k], q[k], r[k])), lanes)
            k += 1


cdef void normalize_columns(const batch_norm_t *d, real *y, const real *x, const real *w, const real *b,
                            real *mean, real *variance, int64_t columns) noexcept nogil:
    cdef vec[4] m
    cdef vec[4] v
    cdef vec[4] unused
    cdef vec[4] scale
    cdef vec[4] shift
    cdef vec count = v_splat(<real>d.outer)
    cdef int k
    for k in range(4):
        m[k] = v_splat(0)
    sum_columns(PLAIN, x, x, d.outer, d.channels, columns, m, v, unused)
    for k in range(4):
        m[k] = v[k] / count
    sum_columns(SQUARES, x, x, d.outer, d.channels, columns, m, v, unused)
    load_columns(scale, w, columns, 1)
    load_columns(shift, b, columns, 0)
    for k in range(4):
        v[k] = v[k] / count
        scale[k] = scale[k] / v_sqrt(v[k] + v_splat(<real>d.eps))
    store_columns(mean, m, columns)
    store_columns(variance, v, columns)
    if d.activation == NO_ACTIVATION:
        write_columns(y, x, d.outer, d.channels, columns, m, scale, shift, NO_ACTIVATION)
    elif d.activation == RELU:
        write_columns(y, x, d.outer, d.channels, columns, m, scale, shift, RELU)
    elif d.activation == TANH:
        write_columns(y, x, d.outer, d.channels, columns, m, scale, shift, TANH)
    else:
        write_columns(y, x, d.outer, d.channels, columns, m, scale, shift, SIGMOID)


cdef void gradient_of_columns(const batch_norm_t *d, real *dx, const real *dy, const real *x, const real *w,
                              const real *mean, const real *variance, real *dw, real *db, int64_t columns) noexcept nogil:
    cdef vec[4] m
    cdef vec[4] p
    cdef vec[4] q
    cdef vec[4] r
    cdef vec[4] scale
    cdef vec count = v_splat(<real>d.outer)
    cdef int k
    load_columns(m, mean, columns, 0)
    load_columns(scale, variance, columns, 1)
    load_columns(p, w, columns, 1)
    sum_columns(WITH_PRODUCTS, x, dy, d.outer, d.channels, columns, m, r, q)
    if db != NULL:
        store_columns(db, r, columns)
    for k in range(4):
        scale[k] = v_splat(1) / v_sqrt(scale[k] + v_splat(<real>d.eps))
        q[k] = q[k] * scale[k]
    if dw != NULL:
        store_columns(dw, q, columns)
    for k in range(4):
        p[k] = p[k] * scale[k]
        q[k] = v_neg(p[k] * scale[k] * (q[k] / count))
        r[k] = v_neg(p[k] * (r[k] / count))
    differentiate_columns(dx, dy, x, d.outer, d.channels, columns, m, p, q, r)


# ---- the kernels ----

cdef inline const real *after(const real *p, int64_t at) noexcept nogil:
    """p + at, or NULL for NULL."""
    return p + at if p != NULL else NULL


cdef int batch_norm_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = activation((x - mean) / sqrt(variance + eps)·weight + bias).

    Operands: x (outer, channels, inner) IN, weight (channels) IN, bias (channels) IN (each if there is one),
    y (outer, channels, inner) OUT, mean (channels) OUT, variance (channels) OUT.
    """
    cdef const batch_norm_t *d = <const batch_norm_t *>descriptor
    cdef int64_t per_chunk = batch_norm_channels_per_chunk(d)
    cdef int64_t c = chunk * per_chunk, end = c + at_most(d.channels - c, per_chunk), columns
    cdef int next = 1
    cdef const real *x = <const real *>operands[0]
    cdef const real *weight = NULL
    cdef const real *bias = NULL
    cdef real *y
    cdef real *means
    cdef real *variances
    cdef real m, scale, count = <real>(d.outer * d.inner)
    if d.weight:
        weight = <const real *>operands[next]
        next += 1
    if d.bias:
        bias = <const real *>operands[next]
        next += 1
    y, means, variances = <real *>operands[next], <real *>operands[next + 1], <real *>operands[next + 2]
    while c < end:
        if d.inner == 1:
            columns = at_most(end - c, 4 * VL)
            normalize_columns(d, y + c, x + c, after(weight, c), after(bias, c), means + c, variances + c, columns)
            c += columns
            continue
        m = sum_channel(PLAIN, d, x + c * d.inner, 0) / count
        means[c] = m
        variances[c] = sum_channel(SQUARES, d, x + c * d.inner, m) / count
        scale = 1 / root_of(variances[c] + <real>d.eps)
        if weight != NULL:
            scale *= weight[c]
        write_channel(d, y + c * d.inner, x + c * d.inner, m, scale, bias[c] if bias != NULL else 0)
        c += 1
    return MN_OK


cdef int batch_norm_backward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """The gradients of x, weight and bias (without the activation).

    Operands: dy (outer, channels, inner) IN, x (outer, channels, inner) IN, weight (channels) IN (if there is one),
    mean (channels) IN, variance (channels) IN, dx (outer, channels, inner) OUT, dweight (channels) OUT,
    dbias (channels) OUT (each if there is one).
    """
    cdef const batch_norm_t *d = <const batch_norm_t *>descriptor
    cdef int64_t per_chunk = batch_norm_channels_per_chunk(d)
    cdef int64_t c = chunk * per_chunk, end = c + at_most(d.channels - c, per_chunk), columns
    cdef int next = 2
    cdef const real *dy = <const real *>operands[0]
    cdef const real *x = <const real *>operands[1]
    cdef const real *weight = NULL
    cdef const real *means
    cdef const real *variances
    cdef real *dx
    cdef real *dw = NULL
    cdef real *db = NULL
    if d.weight:
        weight = <const real *>operands[next]
        next += 1
    means, variances, dx = <const real *>operands[next], <const real *>operands[next + 1], <real *>operands[next + 2]
    next += 3
    if d.weight:
        dw = <real *>operands[next]
        next += 1
    if d.bias:
        db = <real *>operands[next]
    while c < end:
        if d.inner == 1:
            columns = at_most(end - c, 4 * VL)
            gradient_of_columns(d, dx + c, dy + c, x + c, after(weight, c), means + c, variances + c,
                                <real *>after(dw, c), <real *>after(db, c), columns)
            c += columns
            continue
        differentiate_channel(
            d, dx + c * d.inner, dy + c * d.inner, x + c * d.inner, weight[c] if weight != NULL else 1,
            <real *>after(dw, c), <real *>after(db, c), means[c], 1 / root_of(variances[c] + <real>d.eps))
        c += 1
    return MN_OK


cdef int add_batch_norm(const char *name, mn_kernel fn, mn_sizes_fn sizes) except -1:
    cdef batch_norm_t d
    add_kernel(name, fn, sizes, &d, sizeof(d), 0)
    add_integers("outer", &d.outer, 1)
    add_integers("channels", &d.channels, 1)
    add_integers("inner", &d.inner, 1)
    add_integers("weight", &d.weight, 1)
    add_integers("bias", &d.bias, 1)
    add_integers("activation", &d.activation, 1)
    add_doubles("eps", &d.eps, 1)
    return 0


cdef int register_batch_norm() except -1:
    add_batch_norm("batch_norm_forward", batch_norm_forward, batch_norm_forward_sizes)
    add_batch_norm("batch_norm_backward", batch_norm_backward, batch_norm_backward_sizes)
    return 0
