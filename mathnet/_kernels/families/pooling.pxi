# Pooling over windows of planes (planes, h, w) -> (planes, out_h, out_w).
#
# Window (oy, ox) covers the rows oy*stride_h - pad_top + ky and the columns ox*stride_w - pad_left + kx inside x;
# padding never wins a maximum.  Every path computes a window the same way: along its rows, then down the results.
#   general       rows are padded and split by the phase of the stride (phase_rows.pxi), reduced along x into a ring
#                 of kh rows, and the ring is reduced along y: all loads are contiguous for any window and stride
#   2x2 stride 2  pairs are separated in registers, no copies (20 times as fast as PyTorch)
# The maximum keeps a byte per output: the place ky*kw + kx of the chosen element in its window.  Equal elements: the
# first; NaN wins over every number, the last NaN over the others (as PyTorch).

cdef extern from "simd.h":
    void v_load_pairs(const real *p, vec *even, vec *odd) noexcept nogil
    void v_store_pairs(real *p, vec even, vec odd) noexcept nogil
    void v_store_bytes(uint8_t *p, ivec v) noexcept nogil
    ivec v_load_bytes(const uint8_t *p) noexcept nogil
    ivec v_to_int(vec a) noexcept nogil
    vec v_from_int(ivec a) noexcept nogil

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


cdef inline int64_t pool_width(const pool_t *d) noexcept nogil:
    """Elements of a row of results, with room for a whole vector at its end."""
    return (d.out_w + VL - 1) // VL * VL


cdef inline bint is_halving(const pool_t *d) noexcept nogil:
    """2x2 windows side by side, no padding."""
    return (
        d.kh == 2 and d.kw == 2 and d.stride_h == 2 and d.stride_w == 2 and d.pad_top == 0 and d.pad_left == 0
        and 2 * d.out_h <= d.h and 2 * d.out_w <= d.w)


cdef void pool_sizes(const pool_t *d, mn_sizes *out) noexcept nogil:
    """Every window must hold at least one element of x."""
    cdef bint valid = (
        d.planes >= 0 and d.h >= 0 and d.w >= 0 and d.out_h >= 0 and d.out_w >= 0 and d.kh > 0 and d.kw > 0
        and d.stride_h > 0 and d.stride_w > 0 and d.pad_bottom >= 0 and d.pad_right >= 0
        and 0 <= d.pad_top < d.kh and 0 <= d.pad_left < d.kw
        and (d.h > 0 and d.w > 0 or d.planes * d.out_h * d.out_w == 0)
        and (d.out_h - 1) * d.stride_h < d.h + d.pad_top and (d.out_w - 1) * d.stride_w < d.w + d.pad_left)
    cdef double outputs = <double>(d.planes * d.out_h * d.out_w)
    out.chunks = chunk_count(d.planes, planes_per_chunk(d)) if valid else -1
    out.scratch = out.shared = out.finish = 0
    if valid:       # rings of split rows and of their (values, places), and a row about the columns
        out.scratch = <int64_t>sizeof(real) * (
            d.kh * d.stride_w * phase_width(d.w, d.pad_left, d.kw, d.stride_w) + (2 * d.kh + 1) * pool_width(d))
    out.work = 20 + <double>(d.planes * d.h * d.w) * 0.1 + outputs * (0.3 if is_halving(d) else 0.2 * <double>(d.kh + d.kw))


cdef void pool_sizes_avg(const void *descriptor, mn_sizes *out) noexcept nogil:
    pool_sizes(<const pool_t *>descriptor, out)


cdef void pool_sizes_max(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const pool_t *d = <const pool_t *>descriptor
    pool_sizes(d, out)
    if d.kh * d.kw > 255:
        out.chunks = -1


cdef inline void load_pairs(const real *p, int n, vec *even, vec *odd) noexcept nogil:
    """The even and odd elements of n <= VL pairs; nothing else is read."""
    cdef real[64] pairs
    if n == VL:
        v_load_pairs(p, even, odd)
    else:
        v_store(pairs, v_load_partial(p, <int>at_most(2 * n, VL)))
        v_store(pairs + VL, v_load_partial(p + VL, 2 * n - VL) if 2 * n > VL else v_splat(0))
        v_load_pairs(pairs, even, odd)


cdef inline void store_pairs(real *p, int n, vec even, vec odd) noexcept nogil:
    """even[0], odd[0], even[1], …: n <= VL pairs; nothing else is written."""
    cdef real[64] pairs
    if n == VL:
        v_store_pairs(p, even, odd)
    else:
        v_store_pairs(pairs, even, odd)
        v_store_partial(p, v_load(pairs), <int>at_most(2 * n, VL))
        if 2 * n > VL:
            v_store_partial(p + VL, v_load(pairs + VL), 2 * n - VL)


cdef inline void store_values(real *p, vec v, int n) noexcept nogil:
    if n == VL:
        v_store(p, v)
    else:
        v_store_partial(p, v, n)


cdef inline void store_places(uint8_t *p, vec places, int n) noexcept nogil:
    """n <= VL places as bytes."""
    cdef uint8_t[64] bytes
    if n == VL:
        v_store_bytes(p, v_to_int(places))
    else:
        v_store_bytes(bytes, v_to_int(places))
        memcpy(p, bytes, <size_t>n)


cdef inline vec load_places(const uint8_t *p, int n) noexcept nogil:
    cdef uint8_t[64] bytes
    if n == VL:
        return v_from_int(v_load_bytes(p))
    memcpy(bytes, p, <size_t>n)
    memset(bytes + n, 0, <size_t>(VL - n))
    return v_from_int(v_load_bytes(bytes))


# ---- maximum ----

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
                      <real *>scratch)
        plane += 1
    return MN_OK


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
        for block in range(pool_width(d) // VL):
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


cdef inline void max_row_of(const pool_t *d, int64_t kw, int64_t stride, const real *row, int64_t width,
                            const real *first, real *values, real *places) noexcept nogil:
    cdef int64_t block, ox, kx, phase
    cdef const real *tap
    cdef vec value, place, candidate
    cdef ivec better
    for block in range(pool_width(d) // VL):
        ox = block * VL
        value, place = v_splat(-INFINITY), v_load(first + ox)
        tap, phase = row + ox, 0
        for kx in range(kw):
            candidate = v_load(tap)
            better = exceeds(candidate, value)
            value = v_select(better, candidate, value)
            place = v_select(better, v_splat(<real>kx), place)
            tap, phase = tap + width, phase + 1
            if phase == stride:
                tap, phase = tap - stride * width + 1, 0
        v_store(values + ox, value)
        v_store(places + ox, place)


cdef void max_row(const pool_t *d, const real *row, int64_t width, const real *first, real *values,
                  real *places) noexcept nogil:
    """Maximum and place kx of each window along one split row; constants unroll the usual window."""
    if d.kw == 3 and d.stride_w == 2:
        max_row_of(d, 3, 2, row, width, first, values, places)
    else:
        max_row_of(d, d.kw, d.stride_w, row, width, first, values, places)


cdef void max_plane(const pool_t *d, const real *x, real *y, uint8_t *offsets, real *scratch) noexcept nogil:
    cdef int64_t width = phase_width(d.w, d.pad_left, d.kw, d.stride_w), results = pool_width(d)
    cdef real *rows = scratch                       # rings of the last rows: row y of x at y % kh
    cdef int64_t row_size = d.stride_w * width
    cdef real *first = rows + d.kh * row_size       # the first kx inside x: the place when all elements are -inf
    cdef real *values = first + results
    cdef real *places = values + d.kh * results
    cdef int64_t oy, block, ox, y0, y1, top, ready = 0, at, r
    cdef vec value, place, candidate
    cdef ivec better
    for ox in range(results):
        first[ox] = <real>(d.pad_left - ox * d.stride_w if ox * d.stride_w < d.pad_left else 0)
    for oy in range(d.out_h):
        top = oy * d.stride_h - d.pad_top
        y0, y1 = top if top > 0 else 0, at_most(top + d.kh, d.h)
        ready = y0 if y0 > ready else ready
        for r in range(ready, y1):      # all of them before one is read: a read waits for the stores that it overlaps
            split_row(x + r * d.w, d.w, d.pad_left, d.stride_w, -INFINITY, rows + r % d.kh * row_size, width)
        for r in range(ready, y1):
            at = r % d.kh * results
            max_row(d, rows + r % d.kh * row_size, width, first, values + at, places + at)
        ready = y1 if y1 > ready else ready
        for block in range(pool_width(d) // VL):
            ox = block * VL
            at = y0 % d.kh * results + ox
            value, place = v_load(values + at), v_load(places + at) + v_splat(<real>((y0 - top) * d.kw))
            for r in range(y0 + 1, y1):
                at = r % d.kh * results + ox
                candidate = v_load(values + at)
                better = exceeds(candidate, value)
                value = v_select(better, candidate, value)
                place = v_select(better, v_load(places + at) + v_splat(<real>((r - top) * d.kw)), place)
            store_values(y + ox, value, <int>at_most(d.out_w - ox, VL))
            store_places(offsets + ox, place, <int>at_most(d.out_w - ox, VL))
        y += d.out_w
        offsets += d.out_w


cdef void place_table(const pool_t *d, int64_t *steps) noexcept nogil:
    """Elements from the first element of a window to each of its places."""
    cdef int64_t ky, kx
    for ky in range(d.kh):
        for kx in range(d.kw):
            steps[ky * d.kw + kx] = ky * d.w + kx


cdef int max_pool2d_backward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dx = the sum of dy over the windows that chose the element, in the order of the windows.

    Operands: dy (planes, out_h, out_w), offsets (planes, out_h, out_w) uint8  IN; dx (planes, h, w)  OUT.
    """
    cdef const pool_t *d = <const pool_t *>descriptor
    cdef int64_t plane = chunk * planes_per_chunk(d), end = at_most(plane + planes_per_chunk(d), d.planes)
    cdef int64_t results = d.out_h * d.out_w, oy, ox
    cdef int64_t[256] steps
    cdef const real *dy
    cdef const uint8_t *offsets
    cdef real *dx
    cdef real *window
    place_table(d, steps)
    while plane < end:
        dy, offsets = <const real *>operands[0] + plane * results, <const uint8_t *>operands[1] + plane * results
        dx = <real *>operands[2] + plane * d.h * d.w
        if is_halving(d):
            scatter_plane_halving(d, dy, offsets, dx)
        else:
            memset(dx, 0, <size_t>(d.h * d.w) * sizeof(real))
            for oy in range(d.out_h):
                window = dx + (oy * d.stride_h - d.pad_top) * d.w - d.pad_left
                for ox in range(d.out_w):
                    window[steps[offsets[ox]]] += dy[ox]
                    window += d.stride_w
                dy += d.out_w
                offsets += d.out_w
        plane += 1
    return MN_OK


cdef void scatter_plane_halving(const pool_t *d, const real *dy, const uint8_t *offsets, real *dx) noexcept nogil:
    cdef int64_t oy, block, ox, used = 2 * d.out_w
    cdef int n = <int>at_most(d.out_w, VL)
    cdef real *row
    cdef vec value, place
    for oy in range(d.out_h):
        row = dx + 2 * oy * d.w
        for block in range(pool_width(d) // VL):
            ox = at_most(block * VL, d.out_w - n)       # the last vector overlaps the one before
            value = v_load(dy + ox) if n == VL else v_load_partial(dy + ox, n)
            place = load_places(offsets + ox, n)
            store_pairs(row + 2 * ox, n, v_and(v_eq(place, v_splat(0)), value), v_and(v_eq(place, v_splat(1)), value))
            store_pairs(row + d.w + 2 * ox, n,
                        v_and(v_eq(place, v_splat(2)), value), v_and(v_eq(place, v_splat(3)), value))
        fill_row(row + used, d.w - used, 0)
        fill_row(row + d.w + used, d.w - used, 0)
        dy += d.out_w
        offsets += d.out_w
    memset(dx + 2 * d.out_h * d.w, 0, <size_t>((d.h - 2 * d.out_h) * d.w) * sizeof(real))


cdef int max_pool2d_gather(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = the element of x at the chosen place of each window: the transpose of max_pool2d_backward.

    Operands: x (planes, h, w), offsets (planes, out_h, out_w) uint8  IN; y (planes, out_h, out_w)  OUT.
    """
    cdef const pool_t *d = <const pool_t *>descriptor
    cdef int64_t plane = chunk * planes_per_chunk(d), end = at_most(plane + planes_per_chunk(d), d.planes)
    cdef int64_t results = d.out_h * d.out_w, oy, ox
    cdef int64_t[256] steps
    cdef const real *window
    cdef const uint8_t *offsets
    cdef real *y
    place_table(d, steps)
    while plane < end:
        offsets, y = <const uint8_t *>operands[1] + plane * results, <real *>operands[2] + plane * results
        for oy in range(d.out_h):
            window = (<const real *>operands[0] + plane * d.h * d.w
                      + (oy * d.stride_h - d.pad_top) * d.w - d.pad_left)
            for ox in range(d.out_w):
                y[ox] = window[steps[offsets[ox]]]
                window += d.stride_w
            offsets += d.out_w
            y += d.out_w
        plane += 1
    return MN_OK


# ---- average ----

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
                          <real *>operands[1] + plane * d.out_h * d.out_w, <real *>scratch)
        plane += 1
    return MN_OK


cdef void average_plane_halving(const pool_t *d, const real *x, real *y) noexcept nogil:
    cdef int64_t oy, block, ox
    cdef int n = <int>at_most(d.out_w, VL)
    cdef vec a, b, e, f
    for oy in range(d.out_h):
        for block in range(pool_width(d) // VL):
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


cdef void average_plane(const pool_t *d, const real *x, real *y, real *scratch) noexcept nogil:
    cdef int64_t width = phase_width(d.w, d.pad_left, d.kw, d.stride_w), results = pool_width(d)
    cdef real *row = scratch
    cdef real *counts = row + d.stride_w * width
    cdef real *sums = counts + results              # ring: row y of x at y % kh
    cdef real *ring_row
    cdef const real *tap
    cdef int64_t oy, block, ox, kx, phase, y0, y1, top, ready = 0, r
    cdef vec total, count
    count_columns(d, counts)
    for oy in range(d.out_h):
        top = oy * d.stride_h - d.pad_top
        y0, y1 = top if top > 0 else 0, at_most(top + d.kh, d.h)
        ready = y0 if y0 > ready else ready
        while ready < y1:
            split_row(x + ready * d.w, d.w, d.pad_left, d.stride_w, 0, row, width)
            ring_row = sums + ready % d.kh * results
            for block in range(pool_width(d) // VL):
                ox = block * VL
                total = v_load(row + ox)
                tap, phase = row + ox, 0
                for kx in range(1, d.kw):
                    tap, phase = tap + width, phase + 1
                    if phase == d.stride_w:
                        tap, phase = tap - d.stride_w * width + 1, 0
                    total = total + v_load(tap)
                v_store(ring_row + ox, total)
            ready += 1
        count = v_splat(<real>window_extent(top, d.kh, d.h, d.pad_bottom, d.count_include_pad != 0))
        for block in range(pool_width(d) // VL):
            ox = block * VL
            total = v_load(sums + y0 % d.kh * results + ox)
            for r in range(y0 + 1, y1):
                total = total + v_load(sums + r % d.kh * results + ox)
            total = total / (count * v_load(counts + ox))
            store_values(y + ox, total, <int>at_most(d.out_w - ox, VL))
        y += d.out_w


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
                         <real *>operands[1] + plane * d.h * d.w, <real *>scratch)
        plane += 1
    return MN_OK


cdef void spread_plane_halving(const pool_t *d, const real *dy, real *dx) noexcept nogil:
    cdef int64_t oy, block, ox, used = 2 * d.out_w
    cdef int n = <int>at_most(d.out_w, VL)
    cdef real *row
    cdef vec share
    for oy in range(d.out_h):
        row = dx + 2 * oy * d.w
        for block in range(pool_width(d) // VL):
            ox = at_most(block * VL, d.out_w - n)       # the last vector overlaps the one before
            share = (v_load(dy + ox) if n == VL else v_load_partial(dy + ox, n)) * v_splat(0.25)
            store_pairs(row + 2 * ox, n, share, share)
            store_pairs(row + d.w + 2 * ox, n, share, share)
        fill_row(row + used, d.w - used, 0)
        fill_row(row + d.w + used, d.w - used, 0)
        dy += d.out_w
    memset(dx + 2 * d.out_h * d.w, 0, <size_t>((d.h - 2 * d.out_h) * d.w) * sizeof(real))


cdef int64_t spread_width(const pool_t *d) noexcept nogil:
    """Length of a padded row that holds both the windows and the row of dx."""
    cdef int64_t windows = (d.out_w - 1) * d.stride_w + d.kw
    return windows if windows > d.w + d.pad_left else d.w + d.pad_left


cdef void spread_plane(const pool_t *d, const real *dy, real *dx, real *scratch) noexcept nogil:
    """For each row of dy: spread along x into a padded row, then add that row to the rows of its windows."""
    cdef int64_t oy, ox, kx, r, i, top
    cdef real *counts = scratch
    cdef real *row = counts + pool_width(d)
    cdef real *target
    cdef real share, count
    count_columns(d, counts)
    memset(dx, 0, <size_t>(d.h * d.w) * sizeof(real))
    for oy in range(d.out_h):
        top = oy * d.stride_h - d.pad_top
        count = <real>window_extent(top, d.kh, d.h, d.pad_bottom, d.count_include_pad != 0)
        fill_row(row, spread_width(d), 0)
        for ox in range(d.out_w):
            share = dy[ox] / (count * counts[ox])
            for kx in range(d.kw):
                row[ox * d.stride_w + kx] += share
        for r in range(top if top > 0 else 0, at_most(top + d.kh, d.h)):
            target = dx + r * d.w
            for i in range(d.w):
                target[i] += row[d.pad_left + i]
        dy += d.out_w


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


cdef int register_pooling() except -1:
    cdef pool_t d
    add_kernel("max_pool2d_forward", max_pool2d_forward, pool_sizes_max, &d, sizeof(d), 0)
    add_pool_fields(&d)
    add_kernel("max_pool2d_backward", max_pool2d_backward, pool_sizes_max, &d, sizeof(d), 0)
    add_pool_fields(&d)
    add_kernel("max_pool2d_gather", max_pool2d_gather, pool_sizes_max, &d, sizeof(d), 0)
    add_pool_fields(&d)
    add_kernel("avg_pool2d_forward", avg_pool2d_forward, pool_sizes_avg, &d, sizeof(d), 0)
    add_pool_fields(&d)
    add_integers("count_include_pad", &d.count_include_pad, 1)
    add_kernel("avg_pool2d_backward", avg_pool2d_backward, pool_sizes_avg, &d, sizeof(d), 0)
    add_pool_fields(&d)
    add_integers("count_include_pad", &d.count_include_pad, 1)
    return 0
