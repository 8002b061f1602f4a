# Means of windows, padding counted or not, and their transpose.

cdef extern from "pooling.h":
    void sum_windows "mn_sum_windows"(const pool_row_t *r, real *sums) noexcept nogil
    void mean_rows "mn_mean_rows"(int64_t n, const real **sums, real count, const real *counts, int64_t results,
                                  real *y) noexcept nogil
    void spread_row "mn_spread_row"(const pool_spread_t *s, const real *shares) noexcept nogil
    void add_rows "mn_add_rows"(int64_t n, const real **rows, int64_t columns, real *dx) noexcept nogil


cdef void avg_pool2d_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const pool_t *d = <const pool_t *>descriptor
    pool_sizes(d, out)
    if out.chunks > 0 and not is_halving(d):
        out.scratch = forward_scratch(d)


cdef inline int64_t window_extent(int64_t start, int64_t k, int64_t size, int64_t pad_after, bint padding) noexcept nogil:
    """Places along one axis that count for a window starting at `start`: those inside x, or inside x and its padding."""
    if padding:
        return at_most(k, size + pad_after - start)
    return at_most(start + k, size) - (start if start > 0 else 0)


cdef int avg_pool2d_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = sum over each window / its number of places, padding counted or not.

    Operands: x (planes, h, w)  IN; y (planes, out_h, out_w)  OUT.
    """
    cdef const pool_t *d = <const pool_t *>descriptor
    cdef int64_t plane = chunk * planes_per_chunk(d), end = at_most(plane + planes_per_chunk(d), d.planes)
    while plane < end:
        if is_halving(d):
            average_plane_halving(d, <const real *>operands[0] + plane * d.h * d.w,
                                  <real *>operands[1] + plane * d.out_h * d.out_w)
        else:
            average_plane(d, <const real *>operands[0] + plane * d.h * d.w,
                          <real *>operands[1] + plane * d.out_h * d.out_w, scratch)
        plane += 1
    return MN_OK


cdef void average_plane_halving(const pool_t *d, const real *x, real *y) noexcept nogil:
    cdef int64_t oy, block, ox
    cdef int n = <int>at_most(d.out_w, VL)
    cdef vec a, b, e, f
    for oy in range(d.out_h):
        for block in range(chunk_count(d.out_w, VL)):
            ox = at_most(block * VL, d.out_w - n)       # the last vector overlaps the one before
            load_pairs(x + 2 * oy * d.w + 2 * ox, n, &a, &b)
            load_pairs(x + (2 * oy + 1) * d.w + 2 * ox, n, &e, &f)
            store_values(y + ox, ((a + b) + (e + f)) * v_splat(0.25), n)
        y += d.out_w


cdef void count_columns(const pool_t *d, real *counts) noexcept nogil:
    cdef int64_t ox
    for ox in range(pool_width(d)):
        counts[ox] = <real>window_extent(ox * d.stride_w - d.pad_left, d.kw, d.w, d.pad_right,
                                         d.count_include_pad != 0) if ox < d.out_w else 1


cdef void average_plane(const pool_t *d, const real *x, real *y, void *scratch) noexcept nogil:
    cdef pool_rows_t g = pool_rows_of(d)
    cdef int64_t results = pool_width(d), oy, r, top, y0, y1, ready = 0
    cdef real *rows = <real *>scratch                   # the last kh rows of x: sums
    cdef real *counts = rows + d.kh * results
    cdef real *copies = counts + results
    cdef int64_t *taps = <int64_t *>(copies + copies_elements(&g))
    cdef ring_t ring = ring_of(rows, d.kh, results, <const real **>(taps + d.kw))
    count_columns(d, counts)
    prepare_rows(d, 0, copies, taps, &g)
    for oy in range(d.out_h):
        top = oy * d.stride_h - d.pad_top
        y0, y1 = top if top > 0 else 0, at_most(top + d.kh, d.h)
        for r in range(y0 if y0 > ready else ready, y1):
            sum_along_row(d, x + r * d.w, &g, next_row(&ring))
        ready = y1
        mean_rows(y1 - y0, last_rows(&ring, y1 - y0),
                  <real>window_extent(top, d.kh, d.h, d.pad_bottom, d.count_include_pad != 0), counts, d.out_w, y)
        y += d.out_w


cdef inline void sum_along_row(const pool_t *d, const real *x, pool_rows_t *g, real *sums) noexcept nogil:
    take_row(d, x, g)
    sum_windows(&g.in_place, sums)
    if g.left.end > 0:
        sum_windows(&g.left, sums)
    if g.right.begin < g.right.end:
        sum_windows(&g.right, sums)


# ---- backward ----

# Rows of dy, each with room on both sides for windows that do not exist: window ox of a row at row + ahead + ox.
ctypedef struct pool_columns_t:
    int64_t rows                    # that see one row of x
    int64_t width
    int64_t ahead
    int64_t step, odd, shift        # of the columns of x, see pooling.h


cdef pool_columns_t pool_columns_of(const pool_t *d) noexcept nogil:
    cdef pool_columns_t g
    g.step, g.odd, g.shift = d.stride_w, d.pad_left % d.stride_w, d.pad_left // d.stride_w
    g.rows = chunk_count(d.kh, d.stride_h)
    g.ahead = (d.kw - 1) // d.stride_w
    g.width = row_distance(g.ahead + g.shift + 1 + chunk_count(chunk_count(d.w, g.step), VL) * VL)
    return g


# Rows of windows that reach a row of x: begin … end - 1.
ctypedef struct reach_t:
    int64_t begin, end


cdef inline void move_to_row(const pool_t *d, int64_t y, reach_t *reach) noexcept nogil:
    """From any row before to row y of x."""
    while reach.begin * d.stride_h + d.kh <= y + d.pad_top:
        reach.begin += 1
    while reach.end < d.out_h and reach.end * d.stride_h <= y + d.pad_top:
        reach.end += 1


# In scratch: a ring of rows of shares spread over the columns of x, one row of shares with room for windows that do not
# exist, counts of the columns, and two pointers to each row of windows that sees an element.
ctypedef struct spread_t:
    pool_columns_t windows
    int64_t columns             # elements of a spread row, with room for whole vectors


cdef spread_t spread_of(const pool_t *d) noexcept nogil:
    cdef spread_t g
    g.windows = pool_columns_of(d)
    g.columns = row_distance(d.w)
    return g


cdef void avg_pool2d_backward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const pool_t *d = <const pool_t *>descriptor
    cdef spread_t g
    pool_sizes(d, out)
    if out.chunks > 0 and not is_halving(d):
        g = spread_of(d)
        out.scratch = 16 * g.windows.rows + <int64_t>sizeof(real) * (
            pool_width(d) + g.windows.width + g.windows.rows * g.columns)


cdef int avg_pool2d_backward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dx = the sum of dy / places over the windows that hold the element, in the order of the windows.

    Operands: dy (planes, out_h, out_w)  IN; dx (planes, h, w)  OUT.
    """
    cdef const pool_t *d = <const pool_t *>descriptor
    cdef int64_t plane = chunk * planes_per_chunk(d), end = at_most(plane + planes_per_chunk(d), d.planes)
    while plane < end:
        if is_halving(d):
            spread_plane_halving(d, <const real *>operands[0] + plane * d.out_h * d.out_w,
                                 <real *>operands[1] + plane * d.h * d.w)
        else:
            spread_plane(d, <const real *>operands[0] + plane * d.out_h * d.out_w,
                         <real *>operands[1] + plane * d.h * d.w, scratch)
        plane += 1
    return MN_OK


cdef void spread_plane_halving(const pool_t *d, const real *dy, real *dx) noexcept nogil:
    cdef int64_t oy, block, ox, used = 2 * d.out_w
    cdef int n = <int>at_most(d.out_w, VL)
    cdef real *row
    cdef vec share
    for oy in range(d.out_h):
        row = dx + 2 * oy * d.w
        for block in range(chunk_count(d.out_w, VL)):
            ox = at_most(block * VL, d.out_w - n)       # the last vector overlaps the one before
            share = (v_load(dy + ox) if n == VL else v_load_partial(dy + ox, n)) * v_splat(0.25)
            store_pairs(row + 2 * ox, share, share, 2 * n)
            store_pairs(row + d.w + 2 * ox, share, share, 2 * n)
        fill_row(row + used, d.w - used, 0)
        fill_row(row + d.w + used, d.w - used, 0)
        dy += d.out_w
    memset(dx + 2 * d.out_h * d.w, 0, <size_t>((d.h - 2 * d.out_h) * d.w) * sizeof(real))


cdef void spread_plane(const pool_t *d, const real *dy, real *dx, void *scratch) noexcept nogil:
    """Each row of dy is spread along x once; a row of dx is the sum of the rows of windows that hold it."""
    cdef spread_t g = spread_of(d)
    cdef real *rows = <real *>scratch
    cdef real *shares = rows + g.windows.rows * g.columns
    cdef real *counts = shares + g.windows.width
    cdef ring_t ring = ring_of(rows, g.windows.rows, g.columns, <const real **>(counts + pool_width(d)))
    cdef reach_t reach
    cdef int64_t y, oy, ready = 0
    reach.begin = reach.end = 0
    count_columns(d, counts)
    fill_row(shares, g.windows.width, 0)
    for y in range(d.h):
        move_to_row(d, y, &reach)
        for oy in range(reach.begin if reach.begin > ready else ready, reach.end):
            spread_along_row(d, &g.windows, dy + oy * d.out_w, oy, counts, shares, next_row(&ring))
        ready = reach.end
        if reach.begin < reach.end:
            add_rows(reach.end - reach.begin, last_rows(&ring, reach.end - reach.begin), d.w, dx)
        else:
            fill_row(dx, d.w, 0)
        dx += d.w


cdef inline void spread_along_row(const pool_t *d, const pool_columns_t *g, const real *dy, int64_t oy, const real *counts,
                                  real *shares, real *spread) noexcept nogil:
    """One row of windows: in vectors where they are at most two elements apart."""
    cdef pool_spread_t s
    cdef real *held = shares + g.ahead
    cdef int64_t ox, kx, column, block, n = at_most(d.out_w, VL)
    cdef vec count = v_splat(<real>window_extent(
        oy * d.stride_h - d.pad_top, d.kh, d.h, d.pad_bottom, d.count_include_pad != 0))
    for block in range(chunk_count(d.out_w, VL)):
        ox = pool_block(block, d.out_w)
        store_values(held + ox, v_load_partial(dy + ox, <int>n) / (count * v_load(counts + ox)), <int>n)
    if d.stride_w <= 2:
        s.step, s.odd, s.kw, s.columns, s.dx = g.step, g.odd, d.kw, d.w, spread
        spread_row(&s, held + g.shift)
        return
    fill_row(spread, d.w, 0)
    for ox in range(d.out_w):
        for kx in range(d.kw):
            column = ox * d.stride_w + kx - d.pad_left
            if 0 <= column < d.w:
                spread[column] += held[ox]


cdef int register_avg_pool() except -1:
    cdef pool_t d
    add_kernel("avg_pool2d_forward", avg_pool2d_forward, avg_pool2d_forward_sizes, &d, sizeof(d), 0)
    add_pool_fields(&d)
    add_integers("count_include_pad", &d.count_include_pad, 1)
    add_kernel("avg_pool2d_backward", avg_pool2d_backward, avg_pool2d_backward_sizes, &d, sizeof(d), 0)
    add_pool_fields(&d)
    add_integers("count_include_pad", &d.count_include_pad, 1)
    return 0
