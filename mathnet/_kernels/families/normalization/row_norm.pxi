# Layer, RMS, group and instance normalisation: contiguous rows of n elements, each brought to mean 0 and variance 1.
#
# A row is a sequence of runs of `run` elements, each with one weight and one bias; the parameters of neighbouring rows
# follow each other and begin anew after `period` rows:
#
#     layer norm      period 1, run 1                 RMS norm: the same without the mean
#     group norm      period groups, run spatial
#     instance norm   period channels, run n
#
# Forward reads a row three times and backward twice while it is in the first-level cache, so memory is passed once.
# (512, 128) in float32 on one AVX2 core: forward 23 us, forward and backward 53 us (as separate instructions 127 and 280).

ctypedef struct row_norm_t:
    int64_t rows
    int64_t n
    int64_t run
    int64_t period
    int64_t centred         # subtract the mean
    int64_t weight          # an operand (period·n / run)
    int64_t bias
    double eps

cdef enum:
    NORM_PARTIALS = 32      # chunks that sum the gradients of the parameters


cdef inline int64_t row_norm_parameters(const row_norm_t *d) noexcept nogil:
    return d.period * (d.n // d.run)


cdef inline bint row_norm_valid(const row_norm_t *d) noexcept nogil:
    return d.rows >= 0 and d.n > 0 and d.run > 0 and d.period > 0 and d.n % d.run == 0


cdef inline int64_t row_norm_rows_per_chunk(const row_norm_t *d, bint backward) noexcept nogil:
    """As many as fill NORM_CHUNK; in backward no more than NORM_PARTIALS chunks, as each sums gradients of its own."""
    cdef int64_t rows = chunk_count(NORM_CHUNK, d.n)
    cdef int64_t least = chunk_count(d.rows, NORM_PARTIALS)
    return least if backward and rows < least else rows


cdef void row_norm_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const row_norm_t *d = <const row_norm_t *>descriptor
    out.chunks = chunk_count(d.rows, row_norm_rows_per_chunk(d, False)) if row_norm_valid(d) else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 20 + 0.06 * <double>(d.rows * d.n * <int64_t>sizeof(real)) + 10 * <double>d.rows


cdef void row_norm_backward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const row_norm_t *d = <const row_norm_t *>descriptor
    out.scratch = out.shared = out.finish = 0
    if not row_norm_valid(d):
        out.chunks = -1
        return
    out.chunks = chunk_count(d.rows, row_norm_rows_per_chunk(d, True))
    if d.weight or d.bias:
        out.shared = out.chunks * 2 * row_norm_parameters(d) * <int64_t>sizeof(real)
        out.finish = 1
    out.work = 20 + 0.12 * <double>(d.rows * d.n * <int64_t>sizeof(real)) + 10 * <double>d.rows


cdef inline void scale_run(real *y, const real *x, int64_t n, real m, real scale, real shift) noexcept nogil:
    """y = (x - m)·scale + shift."""
    cdef vec M = v_splat(m), S = v_splat(scale), B = v_splat(shift)
    cdef int64_t i = 0
    while i + VL <= n:
        v_store(y + i, v_fma(v_load(x + i) - M, S, B))
        i += VL
    if i < n:
        v_store_partial(y + i, v_fma(v_load_partial(x + i, <int>(n - i)) - M, S, B), <int>(n - i))


cdef inline vec norm_affine(vec x, vec m, vec scale, const real *w, const real *b, int lanes) noexcept nogil:
    """(x - m)·scale·w + b; NULL stands for no weight, no bias."""
    x = (x - m) * scale
    if w == NULL:
        return x if b == NULL else x + v_load_lanes(b, lanes)
    return v_fma(x, v_load_lanes(w, lanes), v_splat(0) if b == NULL else v_load_lanes(b, lanes))


cdef inline void norm_affine_run(real *y, const real *x, const real *w, const real *b, int64_t n, real m, real scale) noexcept nogil:
    cdef vec M = v_splat(m), S = v_splat(scale)
    cdef int64_t i = 0
    while i + VL <= n:
        v_store(y + i, norm_affine(v_load(x + i), M, S, w + i if w != NULL else NULL, b + i if b != NULL else NULL, VL))
        i += VL
    if i < n:
        v_store_partial(y + i, norm_affine(
            v_load_partial(x + i, <int>(n - i)), M, S, w + i if w != NULL else NULL, b + i if b != NULL else NULL,
            <int>(n - i)), <int>(n - i))


cdef int row_norm_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = (x - mean) / sqrt(variance + eps)·weight + bias; without `centred` the mean counts as 0.

    Operands: x (rows, n) IN, weight IN, bias IN (each if there is one), y (rows, n) OUT, mean (rows) OUT (if centred),
    variance (rows) OUT.
    """
    cdef const row_norm_t *d = <const row_norm_t *>descriptor
    cdef int64_t per_chunk = row_norm_rows_per_chunk(d, False), n = d.n, parameters = n // d.run
    cdef int64_t row = chunk * per_chunk, j, at
    cdef int next = 1
    cdef const real *x = <const real *>operands[0]
    cdef const real *weight = NULL
    cdef const real *bias = NULL
    cdef const real *w
    cdef const real *b
    cdef real *y
    cdef real *means = NULL
    cdef real *variances
    cdef real m = 0, variance, scale
    if d.weight:
        weight = <const real *>operands[next]
        next += 1
    if d.bias:
        bias = <const real *>operands[next]
        next += 1
    y = <real *>operands[next]
    if d.centred:
        next += 1
        means = <real *>operands[next]
    variances = <real *>operands[next + 1]
    for row in range(row, row + at_most(d.rows - row, per_chunk)):
        if d.centred:
            m = sum_run(PLAIN, x + row * n, n, 0) / <real>n
            means[row] = m
        variance = sum_run(SQUARES, x + row * n, n, m) / <real>n
        variances[row] = variance
        scale = 1 / root_of(variance + <real>d.eps)
        at = row % d.period * parameters
        w = weight + at if d.weight else NULL
        b = bias + at if d.bias else NULL
        if d.run == 1:
            norm_affine_run(y + row * n, x + row * n, w, b, n, m, scale)
            continue
        for j in range(parameters):
            at = row * n + j * d.run
            scale_run(y + at, x + at, d.run, m, scale * w[j] if d.weight else scale, b[j] if d.bias else 0)
    return MN_OK


cdef inline void differentiate_run(real *dx, const real *dy, const real *x, int64_t n, real m, real p, real q, real r) noexcept nogil:
    """dx = dy·p + (x - m)·q + r."""
    cdef vec M = v_splat(m), P = v_splat(p), Q = v_splat(q), R = v_splat(r)
    cdef int64_t i = 0
    cdef int lanes
    while i + VL <= n:
        v_store(dx + i, v_fma(v_load(dy + i), P, v_fma(v_load(x + i) - M, Q, R)))
        i += VL
    if i < n:
        lanes = <int>(n - i)
        v_store_partial(dx + i, v_fma(
            v_load_partial(dy + i, lanes), P, v_fma(v_load_partial(x + i, lanes) - M, Q, R)), lanes)


cdef inline void sum_weighted_lanes(
    vec x, vec dy, vec w, real *dw, real *db, vec *total, vec *product, int lanes
) noexcept nogil:
    """Of one vector: x is normalised; dw, db may be NULL."""
    cdef vec g = dy * w
    total[0] = total[0] + g
    product[0] = v_fma(g, x, product[0])
    if dw != NULL:
        v_store_lanes(dw, v_fma(dy, x, v_load_lanes(dw, lanes)), lanes)
    if db != NULL:
        v_store_lanes(db, v_load_lanes(db, lanes) + dy, lanes)


cdef void row_gradient(
    real *dx, const real *dy, const real *x, const real *w, real *dw, real *db, int64_t n, real m, real scale, bint centred
) noexcept nogil:
    """One row with a weight for each element: dw += dy·x̂, db += dy, dx = scale·(g - mean g - x̂·mean(g·x̂)), g = dy·w."""
    cdef vec M = v_splat(m), S = v_splat(scale), one = v_splat(1)
    cdef vec t0 = v_splat(0), t1 = t0, p0 = t0, p1 = t0, T, P, g
    cdef int64_t i = 0
    cdef int lanes
    while i + 2 * VL <= n:
        sum_weighted_lanes((v_load(x + i) - M) * S, v_load(dy + i), v_load(w + i) if w != NULL else one,
                           dw + i if dw != NULL else NULL, db + i if db != NULL else NULL, &t0, &p0, VL)
        i += VL
        sum_weighted_lanes((v_load(x + i) - M) * S, v_load(dy + i), v_load(w + i) if w != NULL else one,
                           dw + i if dw != NULL else NULL, db + i if db != NULL else NULL, &t1, &p1, VL)
        i += VL
    while i < n:
        lanes = <int>at_most(n - i, VL)
        g = v_load_lanes(dy + i, lanes)
        sum_weighted_lanes((v_load_lanes(x + i, lanes) - M) * S, g, v_load_lanes(w + i, lanes) if w != NULL else one,
                           dw + i if dw != NULL else NULL, db + i if db != NULL else NULL, &t0, &p0, lanes)
        i += VL
    T = v_splat(v_hsum(t0 + t1) / <real>n if centred else 0)
    P = v_splat(v_hsum(p0 + p1) / <real>n)
    i = 0
    while i < n:
        lanes = <int>at_most(n - i, VL)
        g = v_load_lanes(dy + i, lanes)
        if w != NULL:
            g = g * v_load_lanes(w + i, lanes)
        v_store_lanes(dx + i, S * v_fnma((v_load_lanes(x + i, lanes) - M) * S, P, g - T), lanes)
        i += VL


cdef void runs_gradient(
    const row_norm_t *d, real *dx, const real *dy, const real *x, const real *w, real *dw, real *db, real m, real scale
) noexcept nogil:
    """One row with a weight for each run."""
    cdef sums_t s
    cdef real total = 0, product = 0, factor = 1
    cdef int64_t j
    for j in range(d.n // d.run):
        start_sums(&s)
        add_run(WITH_PRODUCTS, &s, x + j * d.run, dy + j * d.run, d.run, m)
        gather_sums(&s)
        if w != NULL:
            factor = w[j]
        total += factor * s.total_first
        product += factor * s.total_second
        if dw != NULL:
            dw[j] += s.total_second * scale
        if db != NULL:
            db[j] += s.total_first
    total = -scale * (total / <real>d.n) if d.centred else 0
    product = -scale * scale * scale * (product / <real>d.n)
    for j in range(d.n // d.run):
        if w != NULL:
            factor = w[j]
        differentiate_run(dx + j * d.run, dy + j * d.run, x + j * d.run, d.run, m, scale * factor, product, total)


cdef int row_norm_backward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """The gradients of x, weight and bias.

    Operands: dy (rows, n) IN, x (rows, n) IN, weight IN (if there is one), mean (rows) IN (if centred), variance (rows) IN,
    dx (rows, n) OUT, dweight OUT, dbias OUT (each if there is one), and shared sums of each chunk.
    """
    cdef const row_norm_t *d = <const row_norm_t *>descriptor
    cdef int64_t per_chunk = row_norm_rows_per_chunk(d, True), n = d.n, parameters = row_norm_parameters(d)
    cdef int64_t row = chunk * per_chunk, chunks = chunk_count(d.rows, per_chunk), at, i, j
    cdef int next = 2
    cdef const real *dy = <const real *>operands[0]
    cdef const real *x = <const real *>operands[1]
    cdef const real *weight = NULL
    cdef const real *means = NULL
    cdef const real *variances
    cdef real *dx
    cdef real *dw = NULL
    cdef real *db = NULL
    cdef real *sums
    cdef real m = 0, scale, total
    if d.weight:
        weight = <const real *>operands[next]
        next += 1
    if d.centred:
        means = <const real *>operands[next]
        next += 1
    variances = <const real *>operands[next]
    dx = <real *>operands[next + 1]
    next += 2
    if d.weight:
        dw = <real *>operands[next]
        next += 1
    if d.bias:
        db = <real *>operands[next]
        next += 1
    sums = <real *>operands[next] if d.weight or d.bias else NULL
    if chunk == chunks:         # all sums are there: add them up
        for i in range(2):
            if (dw if i == 0 else db) == NULL:
                continue
            for j in range(parameters):
                total = sums[i * parameters + j]
                for at in range(1, chunks):
                    total += sums[(2 * at + i) * parameters + j]
                (dw if i == 0 else db)[j] = total
        return MN_OK
    if sums != NULL:
        sums += 2 * chunk * parameters
        memset(sums, 0, <size_t>(2 * parameters) * sizeof(real))
    for row in range(row, row + at_most(d.rows - row, per_chunk)):
        if d.centred:
            m = means[row]
        scale = 1 / root_of(variances[row] + <real>d.eps)
        at = row % d.period * (n // d.run)
        if d.run == 1:
            row_gradient(dx + row * n, dy + row * n, x + row * n, weight + at if d.weight else NULL,
                         sums + at if d.weight else NULL, sums + parameters + at if d.bias else NULL,
                         n, m, scale, d.centred != 0)
        else:
            runs_gradient(d, dx + row * n, dy + row * n, x + row * n, weight + at if d.weight else NULL,
                          sums + at if d.weight else NULL, sums + parameters + at if d.bias else NULL, m, scale)
    return MN_OK


cdef int add_row_norm(const char *name, mn_kernel fn, mn_sizes_fn sizes) except -1:
    cdef row_norm_t d
    add_kernel(name, fn, sizes, &d, sizeof(d), 0)
    add_integers("rows", &d.rows, 1)
    add_integers("n", &d.n, 1)
    add_integers("run", &d.run, 1)
    add_integers("period", &d.period, 1)
    add_integers("centred", &d.centred, 1)
    add_integers("weight", &d.weight, 1)
    add_integers("bias", &d.bias, 1)
    add_doubles("eps", &d.eps, 1)
    return 0


cdef int register_row_norm() except -1:
    add_row_norm("row_norm_forward", row_norm_forward, row_norm_forward_sizes)
    add_row_norm("row_norm_backward", row_norm_backward, row_norm_backward_sizes)
    return 0
