# Pooling over windows of planes (planes, h, w) -> (planes, out_h, out_w); the inner loops are in pooling.h.
#
# Window (oy, ox) covers the rows oy*stride_h - pad_top + ky and the columns ox*stride_w - pad_left + kx inside x;
# padding never wins a maximum.  Every path computes a window the same way: along its rows, then down the results.
#   general       each row of x is reduced along x once, into a ring of kh rows, and the ring along y.  Blocks of windows
#                 read the row in place where they lie inside it and stride_w <= 2; others read a padded copy, split by
#                 the phase of the stride beyond 2 (phase_rows.pxi)
#   2x2 stride 2  both rows of a window are reduced in registers (max.pxi, average.pxi)

cdef extern from "simd.h":
    void v_load_pairs(const real *p, vec *even, vec *odd) noexcept nogil
    void v_store_pairs(real *p, vec even, vec odd) noexcept nogil
    void v_store_bytes(uint8_t *p, ivec v) noexcept nogil
    ivec v_load_bytes(const uint8_t *p) noexcept nogil
    ivec v_to_int(vec a) noexcept nogil
    vec v_from_int(ivec a) noexcept nogil

cdef extern from "pooling.h":
    ctypedef struct pool_row_t "mn_pool_row":
        const real *x
        int64_t step, kw
        const int64_t *taps
        int64_t begin, end, results
        const integer *first
    ctypedef struct pool_spread_t "mn_pool_spread":
        int64_t step, odd, kw, columns
        real *dx
    int64_t pool_block "mn_pool_block"(int64_t block, int64_t results) noexcept nogil
    void store_pairs "mn_pool_store_pairs"(real *p, vec even, vec odd, int64_t left) noexcept nogil

cdef enum:
    POOL_CHUNK = 32768      # elements of x per chunk, in whole planes


ctypedef struct pool_t:
    int64_t planes, h, w
    int64_t kh, kw
    int64_t stride_h, stride_w
    int64_t pad_top, pad_bottom, pad_left, pad_right
    int64_t out_h, out_w
    int64_t count_include_pad       # average only: padding counts as zeros of the window


cdef inline int64_t planes_per_chunk(const pool_t *d) noexcept nogil:
    cdef int64_t plane = d.h * d.w
    return POOL_CHUNK // plane if 0 < plane < POOL_CHUNK else 1


cdef inline int64_t row_distance(int64_t elements) noexcept nogil:
    """Elements from one row of whole vectors to the next: an odd number of vectors, so never a multiple of a page, at
    which stores and loads of different rows would be taken for the same."""
    return ((elements + VL - 1) // VL | 1) * VL


cdef inline int64_t pool_width(const pool_t *d) noexcept nogil:
    """Elements of a row of results, with room for a whole vector at its end."""
    return row_distance(d.out_w)


cdef inline bint is_halving(const pool_t *d) noexcept nogil:
    """2x2 windows side by side, no padding."""
    return (
        d.kh == 2 and d.kw == 2 and d.stride_h == 2 and d.stride_w == 2 and d.pad_top == 0 and d.pad_left == 0
        and 2 * d.out_h <= d.h and 2 * d.out_w <= d.w)


cdef bint pool_is_valid(const pool_t *d) noexcept nogil:
    """Every window must hold at least one element of x."""
    return (
        d.planes >= 0 and d.h >= 0 and d.w >= 0 and d.out_h >= 0 and d.out_w >= 0 and d.kh > 0 and d.kw > 0
        and d.stride_h > 0 and d.stride_w > 0 and d.pad_bottom >= 0 and d.pad_right >= 0
        and 0 <= d.pad_top < d.kh and 0 <= d.pad_left < d.kw
        and (d.h > 0 and d.w > 0 or d.planes * d.out_h * d.out_w == 0)
        and (d.out_h - 1) * d.stride_h < d.h + d.pad_top and (d.out_w - 1) * d.stride_w < d.w + d.pad_left)


cdef void pool_sizes(const pool_t *d, mn_sizes *out) noexcept nogil:
    """Everything but scratch."""
    cdef double outputs = <double>(d.planes * d.out_h * d.out_w)
    out.chunks = chunk_count(d.planes, planes_per_chunk(d)) if pool_is_valid(d) else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 20 + <double>(d.planes * d.h * d.w) * 0.1 + outputs * (0.3 if is_halving(d) else 0.2 * <double>(d.kh + d.kw))


# ---- 2x2 windows side by side ----

cdef inline void load_pairs(const real *p, int n, vec *even, vec *odd) noexcept nogil:
    """The even and odd elements of n <= VL pairs; nothing else is read."""
    cdef real[64] pairs
    if n == VL:
        v_load_pairs(p, even, odd)
    else:
        v_store(pairs, v_load_partial(p, <int>at_most(2 * n, VL)))
        v_store(pairs + VL, v_load_partial(p + VL, 2 * n - VL) if 2 * n > VL else v_splat(0))
        v_load_pairs(pairs, even, odd)


cdef inline void store_values(real *p, vec v, int n) noexcept nogil:
    if n == VL:
        v_store(p, v)
    else:
        v_store_partial(p, v, n)


# ---- the last rows ----

# A ring of rows in memory, and twice the pointers to them, so that those of the last n rows always follow each other.
ctypedef struct ring_t:
    const real **pointers           # 2 * rows
    int64_t rows
    int64_t next                    # where the next row goes


cdef inline ring_t ring_of(real *memory, int64_t rows, int64_t distance, const real **pointers) noexcept nogil:
    cdef ring_t ring
    cdef int64_t i
    ring.pointers, ring.rows, ring.next = pointers, rows, 0
    for i in range(rows):
        pointers[i] = pointers[rows + i] = memory + i * distance
    return ring


cdef inline real *next_row(ring_t *ring) noexcept nogil:
    cdef real *row = <real *>ring.pointers[ring.next]
    ring.next = ring.next + 1 if ring.next + 1 < ring.rows else 0
    return row


cdef inline const real **last_rows(const ring_t *ring, int64_t n) noexcept nogil:
    """The last n <= ring.rows rows, the oldest first."""
    return ring.pointers + (ring.next - n if ring.next >= n else ring.next - n + ring.rows)


# ---- rows of x under windows of any size ----

# The elements of x, from column `source` on, that blocks outside the row or apart from each other read from a copy.
ctypedef struct copied_blocks_t:
    real *copy
    int64_t source, before, count   # count elements follow after `before` that are outside


# How the blocks of a row of windows read a row of x: in place, those before and after from a copy each.
ctypedef struct pool_rows_t:
    pool_row_t in_place, left, right
    copied_blocks_t copied_left, copied_right
    int64_t phases, width           # of a copy, and elements of each
    real fill


cdef inline int64_t first_column(const pool_t *d, int64_t block) noexcept nogil:
    """The column of x, perhaps outside, where a block begins to read."""
    return pool_block(block, d.out_w) * d.stride_w - d.pad_left


cdef int64_t copied_columns(const pool_t *d, int64_t begin, int64_t end) noexcept nogil:
    """How many columns the blocks begin … end - 1 read, with stride_w <= 2: pairs are read whole."""
    cdef int64_t windows = pool_block(end - 1, d.out_w) - pool_block(begin, d.out_w) + VL
    return windows + d.kw - 1 if d.stride_w == 1 else 2 * windows + (d.kw - 2 if d.kw > 2 else 0)


cdef pool_rows_t pool_rows_of(const pool_t *d) noexcept nogil:
    """All but pointers."""
    cdef pool_rows_t g
    cdef int64_t blocks = chunk_count(d.out_w, VL) if d.out_w > 0 else 0, begin = 0, end = 0, right
    g.phases = d.stride_w if d.stride_w > 2 else 1
    g.width = d.out_w + VL + (d.kw - 1) // d.stride_w
    if g.phases == 1:
        end = blocks
        while begin < blocks and first_column(d, begin) < 0:
            begin += 1
        while end > begin and first_column(d, end - 1) + copied_columns(d, end - 1, end) > d.w:
            end -= 1
        g.width = copied_columns(d, 0, begin) if begin > 0 else 0
        right = copied_columns(d, end, blocks) if end < blocks else 0
        g.width = g.width if g.width > right else right
    g.width = row_distance(g.width)
    g.in_place.begin, g.in_place.end, g.left.begin, g.left.end = begin, end, 0, begin
    g.right.begin, g.right.end = end, blocks
    return g


cdef int64_t copies_elements(const pool_rows_t *g) noexcept nogil:
    return 2 * g.phases * g.width


cdef void copy_blocks(const pool_t *d, const pool_rows_t *g, int64_t begin, int64_t end, real *copy, const int64_t *taps,
                      copied_blocks_t *c, pool_row_t *r) noexcept nogil:
    """The blocks begin … end - 1 read from a copy, which is cleared here once: every row has the same padding."""
    cdef int64_t first = first_column(d, begin), columns = g.phases * g.width
    c.copy = copy
    c.source = first if first > 0 else 0
    c.before = c.source - first
    if g.phases == 1:
        columns = copied_columns(d, begin, end)
        fill_row(copy, g.width, g.fill)
    c.count = at_most(columns - c.before, d.w - c.source)
    r.step = 2 if d.stride_w == 2 else 1
    r.x, r.taps = copy - r.step * pool_block(begin, d.out_w), taps if g.phases > 1 else NULL
    r.kw, r.results, r.first, r.begin, r.end = d.kw, d.out_w, NULL, begin, end


cdef void prepare_rows(const pool_t *d, real fill, real *copies, int64_t *taps, pool_rows_t *g) noexcept nogil:
    """Sets the pointers; taps: kw elements, where the taps of a window lie in a row split by phases."""
    cdef int64_t kx
    for kx in range(d.kw):
        taps[kx] = kx % g.phases * g.width + kx // g.phases
    g.fill = fill
    if g.left.end > 0:
        copy_blocks(d, g, 0, g.left.end, copies, taps, &g.copied_left, &g.left)
    if g.right.begin < g.right.end:
        copy_blocks(d, g, g.right.begin, g.right.end, copies + g.phases * g.width, taps, &g.copied_right, &g.right)
    g.in_place.step, g.in_place.kw, g.in_place.taps = 2 if d.stride_w == 2 else 1, d.kw, NULL
    g.in_place.results, g.in_place.first = d.out_w, NULL


cdef inline void copy_row_of_blocks(const pool_rows_t *g, const copied_blocks_t *c, const real *x) noexcept nogil:
    if g.phases == 1:
        copy_inside(x + c.source, c.count, c.copy + c.before)
    else:
        split_row(x + c.source, c.count, c.before, g.phases, g.fill, c.copy, g.width)


cdef inline void take_row(const pool_t *d, const real *x, pool_rows_t *g) noexcept nogil:
    """The row that is read next.  Blocks in place come first: reading a copy waits for its stores."""
    if g.left.end > 0:
        copy_row_of_blocks(g, &g.copied_left, x)
    if g.right.begin < g.right.end:
        copy_row_of_blocks(g, &g.copied_right, x)
    g.in_place.x = x - d.pad_left


cdef int64_t forward_scratch(const pool_t *d) noexcept nogil:
    """Bytes: two rings, a row about the columns, two copies; the taps, and two pointers to each row of a window."""
    cdef pool_rows_t g = pool_rows_of(d)
    return 8 * (d.kw + 2 * d.kh) + <int64_t>sizeof(real) * (copies_elements(&g) + (2 * d.kh + 1) * pool_width(d))


cdef int add_pool_fields(const pool_t *d) except -1:
    add_integers("planes", &d.planes, 1)
    add_integers("h", &d.h, 1)
    add_integers("w", &d.w, 1)
    add_integers("kh", &d.kh, 1)
    add_integers("kw", &d.kw, 1)
    add_integers("stride_h", &d.stride_h, 1)
    add_integers("stride_w", &d.stride_w, 1)
    add_integers("pad_top", &d.pad_top, 1)
    add_integers("pad_bottom", &d.pad_bottom, 1)
    add_integers("pad_left", &d.pad_left, 1)
    add_integers("pad_right", &d.pad_right, 1)
    add_integers("out_h", &d.out_h, 1)
    add_integers("out_w", &d.out_w, 1)
    return 0
