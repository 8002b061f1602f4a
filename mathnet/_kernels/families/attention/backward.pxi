# Attention, backward: one chunk is one head of keys and values with all heads of queries that it serves.
#
# With P = softmax(S), S = Q Kᵀ·scale + mask:  dV = Pᵀ dY,  dP = dY Vᵀ,  dS = P∘(dP - Σ dY∘Y)·scale,  dQ = dS K,
# dK = dSᵀ Q.  Sums go over heads, then over queries (dK, dV), and over keys (dQ), always from the first to the last.
#
# Blocks of q, k, v and dY are copied side by side.  They, P and dS are more than the first-level cache holds, but half as
# many queries at a time would leave it chains of half the length and turn the keys twice (T 64, width 32: 12 % slower).

cdef void attention_backward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const attention_t *d = <const attention_t *>descriptor
    out.shared = out.finish = 0
    if not attention_valid(d):
        out.chunks = -1
        return
    out.chunks = d.batch * d.groups if d.batch > 0 else 1
    out.scratch = product_scratch(0) + <int64_t>sizeof(real) * (
        2 * ATTENTION_QUERIES * ATTENTION_KEYS + VL
        + (ATTENTION_QUERIES + ATTENTION_KEYS) * (whole_vectors(d.width) + whole_vectors(d.value_width)))
    out.work = 20 + <double>(d.batch * d.heads * d.queries * d.keys) * (
        0.8 + 0.018 * <double>((d.width + d.value_width) * <int64_t>sizeof(real)))


cdef inline void scores_to_gradients(real *s, real *dp, real largest, real factor, real along, real scale) noexcept nogil:
    """Over one row of a block: s = P = e^(s - largest)·factor, dp = dS = P·(dP - along)·scale.

    Behind the last key dP is whatever scratch holds, and P is 0: such places are read by no product.
    """
    cdef vec shift = v_splat(largest), f = v_splat(factor), D = v_splat(along), c = v_splat(scale), p
    cdef int64_t j = 0
    while j < ATTENTION_KEYS:
        p = v_exp_nonpositive(v_load(s + j) - shift) * f
        v_store(s + j, p)
        v_store(dp + j, p * (v_load(dp + j) - D) * c)
        j += VL


cdef int attention_backward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """The gradients of queries, keys and values.

    Operands: dy (batch, queries, heads, value_width) IN, q, k, v, mask as in forward IN, y like dy IN,
    statistics of forward (batch, heads, queries, 2) IN, dq (batch, queries, heads, width) OUT,
    dk (batch, keys, groups, width) OUT, dv (batch, keys, groups, value_width) OUT.
    """
    cdef const attention_t *d = <const attention_t *>descriptor
    cdef int masked = d.mask_kind != NO_MASK
    cdef int64_t g = chunk % d.groups, b = chunk // d.groups, per_group = d.heads // d.groups
    cdef int64_t E = d.value_width, W = d.width, i, i0, j, j0, h, rows, columns, at
    cdef int64_t y_row = d.heads * E, q_row = d.heads * W, k_row = d.groups * W, v_row = d.groups * E
    cdef const real *q = <const real *>operands[1]
    cdef const real *k = <const real *>operands[2]
    cdef const real *v = <const real *>operands[3]
    cdef const void *mask = <const void *>operands[4]
    cdef const real *dy
    cdef const real *y
    cdef const real *statistics
    cdef real *dq
    cdef real *dk
    cdef real *dv
    cdef real *s = <real *>scratch
    cdef real *ds = s + ATTENTION_QUERIES * ATTENTION_KEYS
    cdef real *own_q = ds + ATTENTION_QUERIES * ATTENTION_KEYS
    cdef int64_t own_w = whole_vectors(W), own_e = whole_vectors(E)
    cdef real *own_dy = own_q + ATTENTION_QUERIES * own_w
    cdef real *own_k = own_dy + ATTENTION_QUERIES * own_e
    cdef real *own_v = own_k + ATTENTION_KEYS * own_w
    cdef real *panels = own_v + ATTENTION_KEYS * own_e
    cdef bint everywhere = d.queries > 0 and d.keys > 0 and not d.causal, resume
    if d.batch == 0:
        return MN_OK
    dk = <real *>operands[7 + masked] + (b * d.keys * d.groups + g) * W
    dv = <real *>operands[8 + masked] + (b * d.keys * d.groups + g) * E
    if not everywhere:      # some queries or keys take part in no product, or in no first one
        for j in range(d.keys):
            memset(dk + j * k_row, 0, <size_t>W * sizeof(real))
            memset(dv + j * v_row, 0, <size_t>E * sizeof(real))
        for h in range(g * per_group, (g + 1) * per_group):
            dq = <real *>operands[6 + masked] + (b * d.queries * d.heads + h) * W
            for i in range(d.queries):
                memset(dq + i * q_row, 0, <size_t>W * sizeof(real))
    j0 = 0
    while j0 < d.keys:
        columns = at_most(d.keys - j0, ATTENTION_KEYS)
        copy_block(k + b * d.k[0] + g * d.k[1] + j0 * d.k[2], d.k[2], columns, W, own_k)
        copy_block(v + b * d.v[0] + g * d.v[1] + j0 * d.v[2], d.v[2], columns, E, own_v)
        for h in range(g * per_group, (g + 1) * per_group):
            i0 = j0 // ATTENTION_QUERIES * ATTENTION_QUERIES if d.causal else 0
            while i0 < d.queries:
                rows = at_most(d.queries - i0, ATTENTION_QUERIES)
                columns = at_most(attention_keys_seen(d, i0 + rows - 1) - j0, ATTENTION_KEYS)
                at = ((b * d.queries + i0) * d.heads + h) * E
                dy, y = <const real *>operands[0] + at, <const real *>operands[4 + masked] + at
                statistics = <const real *>operands[5 + masked] + 2 * ((b * d.heads + h) * d.queries + i0)
                dq = <real *>operands[6 + masked] + ((b * d.queries + i0) * d.heads + h) * W
                if columns > 0:
                    copy_block(q + b * d.q[0] + h * d.q[1] + i0 * d.q[2], d.q[2], rows, W, own_q)
                    copy_block(dy, y_row, rows, E, own_dy)
                    attention_scores(
                        d, b, h, i0, rows, j0, columns, own_q, own_w, own_k, own_w, mask, s, panels)
                    attention_product(
                        rows, columns, E, own_dy, own_e, 1, own_v, 1, own_e, ds, ATTENTION_KEYS, False, panels)
                    for i in range(rows):
                        scores_to_gradients(
                            s + i * ATTENTION_KEYS, ds + i * ATTENTION_KEYS, statistics[2 * i], statistics[2 * i + 1],
                            dot_row(own_dy + i * own_e, y + i * y_row, E), <real>d.scale)
                    resume = not (everywhere and i0 == 0 and h == g * per_group)
                    attention_product(
                        columns, E, rows, s, 1, ATTENTION_KEYS, own_dy, own_e, 1, dv + j0 * v_row, v_row, resume, panels)
                    attention_product(
                        columns, W, rows, ds, 1, ATTENTION_KEYS, own_q, own_w, 1, dk + j0 * k_row, k_row, resume, panels)
                    attention_product(
                        rows, W, columns, ds, ATTENTION_KEYS, 1, own_k, own_w, 1, dq, q_row, not (everywhere and j0 == 0), panels)
                i0 += ATTENTION_QUERIES
        j0 += ATTENTION_KEYS
    return MN_OK


cdef int register_attention() except -1:
    add_attention("attention_forward", attention_forward, attention_forward_sizes)
    add_attention("attention_backward", attention_backward, attention_backward_sizes)
    return 0
