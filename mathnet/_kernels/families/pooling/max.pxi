# Maxima of windows.  They keep a byte per output: the place ky*kw + kx of the chosen element in its window.  Equal elements:
# the first; NaN wins over every number, the last NaN over the others (as PyTorch).

cdef extern from "pooling.h":
    void max_windows "mn_max_windows"(const pool_row_t *r, real *values, integer *places) noexcept nogil
    void max_rows "mn_max_rows"(int64_t n, const real **rows, int64_t places, int64_t place, int64_t kw, int64_t results,
                                real *y, uint8_t *offsets) noexcept nogil


cdef void max_pool2d_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const pool_t *d = <const pool_t *>descriptor
    pool_sizes(d, out)
    if out.chunks > 0 and not is_halving(d):
        out.scratch = forward_scratch(d)
    if d.kh * d.kw > 255:
        out.chunks = -1


cdef int max_pool2d_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = max over each window, and where it was.

    Operands: x (planes, h, w)  IN; y (planes, out_h, out_w), offsets (planes, out_h, out_w) uint8  OUT.
    """
    cdef const pool_t *d = <const pool_t *>descriptor
    cdef int64_t plane = chunk * planes_per_chunk(d), end = at_most(plane + planes_per_chunk(d), d.planes)
    cdef const real *x
    cdef int64_t results = d.out_h * d.out_w
    while plane < end:
        x = <const real *>operands[0] + plane * d.h * d.w
        if is_halving(d):
            max_plane_halving(d, x, <real *>operands[1] + plane * results, <uint8_t *>operands[2] + plane * results)
        else:
            max_plane(d, x, <real *>operands[1] + plane * results, <uint8_t *>operands[2] + plane * results,
                      scratch)
        plane += 1
    return MN_OK


cdef void max_plane(const pool_t *d, const real *x, real *y, uint8_t *offsets, void *scratch) noexcept nogil:
    cdef pool_rows_t g = pool_rows_of(d)
    cdef int64_t results = pool_width(d), oy, ox, r, top, y0, y1, ready = 0
    cdef real *rows = <real *>scratch                   # the last kh rows of x: maxima and, behind them, their places
    cdef integer *first = <integer *>(rows + 2 * d.kh * results)
    cdef real *copies = <real *>(first + results)
    cdef int64_t *taps = <int64_t *>(copies + copies_elements(&g))
    cdef ring_t ring = ring_of(rows, d.kh, 2 * results, <const real **>(taps + d.kw))
    for ox in range(results):       # the first kx inside x: the place when all elements are -inf
        first[ox] = d.pad_left - ox * d.stride_w if ox * d.stride_w < d.pad_left else 0
    prepare_rows(d, -INFINITY, copies, taps, &g)
    g.left.first = g.right.first = first
    for oy in range(d.out_h):
        top = oy * d.stride_h - d.pad_top
        y0, y1 = top if top > 0 else 0, at_most(top + d.kh, d.h)
        for r in range(y0 if y0 > ready else ready, y1):
            max_along_row(d, x + r * d.w, &g, next_row(&ring), results)
        ready = y1
        max_rows(y1 - y0, last_rows(&ring, y1 - y0), results, (y0 - top) * d.kw, d.kw, d.out_w, y, offsets)
        y += d.out_w
        offsets += d.out_w


cdef inline void max_along_row(const pool_t *d, const real *x, pool_rows_t *g, real *row, int64_t results) noexcept nogil:
    cdef integer *places = <integer *>(row + results)
    take_row(d, x, g)
    max_windows(&g.in_place, row, places)
    if g.left.end > 0:
        max_windows(&g.left, row, places)
    if g.right.begin < g.right.end:
        max_windows(&g.right, row, places)


# ---- 2x2 windows side by side ----

cdef inline void store_places(uint8_t *p, vec places, int n) noexcept nogil:
    """n <= VL places as bytes."""
    cdef uint8_t[64] bytes
    if n == VL:
        v_store_bytes(p, v_to_int(places))
    else:
        v_store_bytes(bytes, v_to_int(places))
        memcpy(p, bytes, <size_t>n)


cdef inline ivec exceeds(vec a, vec b) noexcept nogil:
    """Whether a replaces the maximum so far, b."""
    return v_gt(a, b) | v_isnan(a)


cdef void max_plane_halving(const pool_t *d, const real *x, real *y, uint8_t *offsets) noexcept nogil:
    cdef int64_t oy, block, ox
    cdef int n = <int>at_most(d.out_w, VL)
    cdef const real *row
    cdef vec a, b, top, bottom, top_place, bottom_place
    cdef ivec better
    for oy in range(d.out_h):
        for block in range(chunk_count(d.out_w, VL)):
            ox = at_most(block * VL, d.out_w - n)       # the last vector overlaps the one before
            row = x + 2 * oy * d.w + 2 * ox
            load_pairs(row, n, &a, &b)
            better = exceeds(b, a)
            top, top_place = v_select(better, b, a), v_and(better, v_splat(1))
            load_pairs(row + d.w, n, &a, &b)
            better = exceeds(b, a)
            bottom, bottom_place = v_select(better, b, a), v_and(better, v_splat(1)) + v_splat(2)
            better = exceeds(bottom, top)
            store_values(y + ox, v_select(better, bottom, top), n)
            store_places(offsets + ox, v_select(better, bottom_place, top_place), n)
        y += d.out_w
        offsets += d.out_w
