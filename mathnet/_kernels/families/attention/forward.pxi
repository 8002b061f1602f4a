# Attention, forward: one chunk is one block of queries of one head.

cdef inline int64_t attention_query_blocks(const attention_t *d) noexcept nogil:
    return chunk_count(d.queries, ATTENTION_QUERIES)


cdef void attention_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const attention_t *d = <const attention_t *>descriptor
    out.shared = out.finish = 0
    if not attention_valid(d):
        out.chunks = -1
        return
    out.chunks = d.batch * d.heads * attention_query_blocks(d) if d.batch > 0 else 1
    out.scratch = product_scratch(0) + <int64_t>sizeof(real) * (
        ATTENTION_QUERIES * (ATTENTION_KEYS + whole_vectors(d.width)) + VL)
    out.work = 20 + <double>(d.batch * d.heads * d.queries * d.keys) * (
        0.5 + 0.007 * <double>((d.width + d.value_width) * <int64_t>sizeof(real)))


cdef inline void scale_row(real *y, int64_t n, real factor) noexcept nogil:
    cdef int64_t j = 0
    cdef int lanes
    while j < n:
        lanes = <int>at_most(n - j, VL)
        v_store_lanes(y + j, v_load_lanes(y + j, lanes) * v_splat(factor), lanes)
        j += VL


cdef inline real scores_to_weights(real *s, real largest) noexcept nogil:
    """s = e^(s - largest) over one row of a block; its sum.  -inf gives 0."""
    cdef vec shift = v_splat(largest), a = v_splat(0), b = a, e
    cdef int64_t j = 0
    while j < ATTENTION_KEYS:
        e = v_exp_nonpositive(v_load(s + j) - shift)
        v_store(s + j, e)
        a = a + e
        e = v_exp_nonpositive(v_load(s + j + VL) - shift)
        v_store(s + j + VL, e)
        b = b + e
        j += 2 * VL
    return v_hsum(a + b)


cdef inline real exp_of(real x) noexcept nogil:
    cdef real lanes[16]
    v_store(lanes, v_exp_nonpositive(v_splat(x)))
    return lanes[0]


cdef int attention_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = softmax(Q Kᵀ·scale + mask) V; a query that may see nothing gives zeros.

    Operands: q (batch, heads, queries, width) IN, k (batch, groups, keys, width) IN, v (batch, groups, keys, value_width) IN,
    mask IN (if there is one), y (batch, queries, heads, value_width) OUT, and of each query the largest score and
    1 / Σ e^(score - largest) (batch, heads, queries, 2) OUT, for backward.
    """
    cdef const attention_t *d = <const attention_t *>descriptor
    cdef int64_t blocks = attention_query_blocks(d)
    cdef int64_t i0 = chunk % blocks * ATTENTION_QUERIES, h = chunk // blocks % d.heads, b = chunk // blocks // d.heads
    cdef int64_t rows = at_most(d.queries - i0, ATTENTION_QUERIES), i, j0 = 0, columns, seen
    cdef int64_t y_row = d.heads * d.value_width
    cdef const real *q = <const real *>operands[0]
    cdef const real *k = <const real *>operands[1]
    cdef const real *v = <const real *>operands[2]
    cdef const void *mask = <const void *>operands[3]
    cdef real *y
    cdef real *statistics
    cdef real *s = <real *>scratch
    cdef real *own_q = s + ATTENTION_QUERIES * ATTENTION_KEYS
    cdef int64_t own_w = whole_vectors(d.width)
    cdef real *panels = own_q + ATTENTION_QUERIES * own_w
    cdef real largest[64]
    cdef real total[64]
    cdef real before, factor
    if d.batch == 0 or rows <= 0:
        return MN_OK
    y = <real *>operands[3 + (d.mask_kind != NO_MASK)] + ((b * d.queries + i0) * d.heads + h) * d.value_width
    statistics = <real *>operands[4 + (d.mask_kind != NO_MASK)] + 2 * ((b * d.heads + h) * d.queries + i0)
    k += b * d.k[0] + h // (d.heads // d.groups) * d.k[1]
    v += b * d.v[0] + h // (d.heads // d.groups) * d.v[1]
    copy_block(q + b * d.q[0] + h * d.q[1] + i0 * d.q[2], d.q[2], rows, d.width, own_q)
    for i in range(rows):
        largest[i] = -INFINITY
        total[i] = 0
    seen = attention_keys_seen(d, i0 + rows - 1)
    if seen <= 0:
        for i in range(rows):
            memset(y + i * y_row, 0, <size_t>d.value_width * sizeof(real))
    while j0 < seen:
        columns = at_most(seen - j0, ATTENTION_KEYS)
        attention_scores(d, b, h, i0, rows, j0, columns, own_q, own_w, k + j0 * d.k[2], d.k[2], mask, s, panels)
        for i in range(rows):
            before = largest[i]
            factor = largest_of_row(s + i * ATTENTION_KEYS, ATTENTION_KEYS)
            if factor > before:
                largest[i] = factor
            factor = scores_to_weights(s + i * ATTENTION_KEYS, largest[i] if largest[i] > <real>-INFINITY else 0)
            if largest[i] > before and j0 > 0:
                before = exp_of(before - largest[i])
                total[i] *= before
                scale_row(y + i * y_row, d.value_width, before)
            total[i] += factor
        attention_product(rows, d.value_width, columns, s, ATTENTION_KEYS, 1, v + j0 * d.v[2], d.v[2], 1, y, y_row, j0 > 0, panels)
        j0 += ATTENTION_KEYS
    for i in range(rows):
        factor = 1 / total[i] if total[i] != 0 else 0
        scale_row(y + i * y_row, d.value_width, factor)
        statistics[2 * i] = largest[i] if largest[i] > <real>-INFINITY else 0
        statistics[2 * i + 1] = factor
    return MN_OK
