# Attention, softmax(Q Kᵀ·scale + mask) V, in blocks of queries and keys: what both directions need.
#
# The matrix of scores never exists: a block of ATTENTION_QUERIES x ATTENTION_KEYS of it lives in scratch (16 KB in
# float32), and the softmax over a row is carried from block to block as the largest score so far and the sum of
# exponentials above it (Rabe and Staats, Self-attention Does Not Need O(n²) Memory, 2021; Dao et al., FlashAttention,
# 2022).  Backward computes the scores again.
#
# Rows of one head lie as far apart as all heads are wide, a power of two more often than not: a block that is read
# several times would fight for a few sets of the first-level cache, so its rows are copied side by side.
#
# Blocks of keys begin at multiples of ATTENTION_KEYS, and vectors of a block are summed by their place in it, so the
# bits of a query's result depend on its keys alone: not on the queries beside it, nor on keys that it must not see.

cdef enum:
    ATTENTION_QUERIES = 64
    ATTENTION_KEYS = 64

    NO_MASK = 0
    ALLOWED = 1             # bytes, nonzero where a query may see a key
    ADDED = 2               # reals

ctypedef struct attention_t:
    int64_t batch
    int64_t heads           # of queries
    int64_t groups          # heads of keys and values: each serves heads // groups neighbouring heads of queries
    int64_t queries
    int64_t keys
    int64_t width           # features of queries and keys
    int64_t value_width
    int64_t[3] q            # strides over batch, heads, queries; features are contiguous
    int64_t[3] k            # over batch, groups, keys
    int64_t[3] v
    int64_t mask_kind
    int64_t[4] mask         # strides over batch, heads, queries, keys
    int64_t causal          # query i sees keys 0 … i
    double scale


cdef inline bint attention_valid(const attention_t *d) noexcept nogil:
    return (d.batch >= 0 and d.heads > 0 and d.groups > 0 and d.heads % d.groups == 0 and d.queries >= 0 and d.keys >= 0
            and d.width >= 0 and d.value_width >= 0 and NO_MASK <= d.mask_kind <= ADDED)


cdef inline int64_t attention_keys_seen(const attention_t *d, int64_t last_query) noexcept nogil:
    return at_most(d.keys, last_query + 1) if d.causal else d.keys


cdef inline int64_t whole_vectors(int64_t n) noexcept nogil:
    return (n + VL - 1) // VL * VL


cdef inline void copy_block(const real *source, int64_t source_row, int64_t rows, int64_t columns, real *target) noexcept nogil:
    """target (rows, columns rounded up to whole vectors)."""
    cdef int64_t i, j, whole = columns // VL * VL
    for i in range(rows):       # rows are short: a call for each takes as long as the copy
        j = 0
        while j < whole:
            v_store(target + j, v_load(source + j))
            j += VL
        if whole < columns:
            v_store(target + whole, v_load_lanes(source + whole, <int>(columns - whole)))
        source += source_row
        target += whole_vectors(columns)


cdef inline void attention_product(
    int64_t m, int64_t n, int64_t k, const real *a, int64_t a_row, int64_t a_col, const real *b, int64_t b_row, int64_t b_col,
    real *c, int64_t c_row, bint resume, real *scratch
) noexcept nogil:
    """C (m, n) = A·B, or C + A·B when resuming."""
    cdef product_t p
    p.m, p.n, p.k = m, n, k
    p.a, p.a_row, p.a_col = a, a_row, a_col
    p.b, p.b_row, p.b_col = b, b_row, b_col
    p.c, p.c_row = c, c_row
    p.resume = resume
    p.pack_a = False
    p.epilogue.bias = NULL
    p.epilogue.bias_row = p.epilogue.bias_col = 0
    p.epilogue.activation = NO_ACTIVATION
    multiply_tiles(&p, scratch)


cdef void mask_row(const attention_t *d, real *s, const void *mask, int64_t at, int64_t n) noexcept nogil:
    """The scores of n keys with the mask applied; at: of the first key in the mask."""
    cdef const uint8_t *allowed = <const uint8_t *>mask + at
    cdef const real *added = <const real *>mask + at
    cdef int64_t step = d.mask[3], j
    if d.mask_kind == ADDED:
        if step == 1:
            for j in range(n):
                s[j] += added[j]
        else:
            for j in range(n):
                s[j] += added[j * step]
    elif step == 1:
        for j in range(n):
            s[j] = s[j] if allowed[j] else <real>-INFINITY
    else:
        for j in range(n):
            s[j] = s[j] if allowed[j * step] else <real>-INFINITY


cdef void attention_scores(
    const attention_t *d, int64_t b, int64_t h, int64_t i0, int64_t rows, int64_t j0, int64_t columns,
    const real *q, int64_t q_row, const real *k, int64_t k_row, const void *mask, real *s, real *scratch
) noexcept nogil:
    """s (rows, ATTENTION_KEYS): scaled and masked scores of queries i0 … at q and keys j0 … at k; -inf where nothing is to be seen and
    behind the last column."""
    cdef int64_t i, j, seen
    cdef real *row
    cdef vec scale = v_splat(<real>d.scale)
    attention_product(rows, columns, d.width, q, q_row, 1, k, 1, k_row, s, ATTENTION_KEYS, False, scratch)
    for i in range(rows):
        row = s + i * ATTENTION_KEYS
        seen = at_most(columns, i0 + i + 1 - j0) if d.causal else columns
        if seen < 0:
            seen = 0
        j = 0
        while j < seen:         # whole vectors: what lies behind is overwritten below
            v_store(row + j, v_load(row + j) * scale)
            j += VL
        if d.mask_kind != NO_MASK:
            mask_row(d, row, mask, b * d.mask[0] + h * d.mask[1] + (i0 + i) * d.mask[2] + j0 * d.mask[3], seen)
        for j in range(seen, ATTENTION_KEYS):
            row[j] = -INFINITY


cdef int add_attention(const char *name, mn_kernel fn, mn_sizes_fn sizes) except -1:
    cdef attention_t d
    add_kernel(name, fn, sizes, &d, sizeof(d), 0)
    add_integers("batch", &d.batch, 1)
    add_integers("heads", &d.heads, 1)
    add_integers("groups", &d.groups, 1)
    add_integers("queries", &d.queries, 1)
    add_integers("keys", &d.keys, 1)
    add_integers("width", &d.width, 1)
    add_integers("value_width", &d.value_width, 1)
    add_integers("q", d.q, 3)
    add_integers("k", d.k, 3)
    add_integers("v", d.v, 3)
    add_integers("mask_kind", &d.mask_kind, 1)
    add_integers("mask", d.mask, 4)
    add_integers("causal", &d.causal, 1)
    add_doubles("scale", &d.scale, 1)
    return 0
