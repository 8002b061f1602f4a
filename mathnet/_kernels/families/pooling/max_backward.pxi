# The transposes of the maximum over windows, by x and of that again.  The gradient by x clears a plane and adds dy to the
# chosen elements in the order of the windows.  To gather instead, each element as the sum over the windows that see it,
# took longer for 3x3 windows at stride 2 (0.7 for 0.5 ns an element in the cache) and for rows shorter than 40.

cdef void max_pool2d_places_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const pool_t *d = <const pool_t *>descriptor
    pool_sizes(d, out)
    if d.kh * d.kw > 255:
        out.chunks = -1


cdef int max_pool2d_backward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dx = the sum of dy over the windows that chose the element, in the order of the windows.

    Operands: dy (planes, out_h, out_w), offsets (planes, out_h, out_w) uint8  IN; dx (planes, h, w)  OUT.
    """
    cdef const pool_t *d = <const pool_t *>descriptor
    cdef int64_t plane = chunk * planes_per_chunk(d), end = at_most(plane + planes_per_chunk(d), d.planes)
    cdef int64_t results = d.out_h * d.out_w
    cdef const real *dy
    cdef const uint8_t *offsets
    cdef real *dx
    while plane < end:
        dy, offsets = <const real *>operands[0] + plane * results, <const uint8_t *>operands[1] + plane * results
        dx = <real *>operands[2] + plane * d.h * d.w
        if is_halving(d):
            scatter_plane_halving(d, dy, offsets, dx)
        else:
            scatter_plane(d, dy, offsets, dx)
        plane += 1
    return MN_OK


cdef void place_table(const pool_t *d, int64_t *steps) noexcept nogil:
    """Elements from the first element of a window to each of its places."""
    cdef int64_t ky, kx
    for ky in range(d.kh):
        for kx in range(d.kw):
            steps[ky * d.kw + kx] = ky * d.w + kx


cdef void scatter_plane(const pool_t *d, const real *dy, const uint8_t *offsets, real *dx) noexcept nogil:
    cdef int64_t[256] steps
    cdef int64_t oy, ox
    cdef real *window
    place_table(d, steps)
    memset(dx, 0, <size_t>(d.h * d.w) * sizeof(real))
    for oy in range(d.out_h):
        window = dx + (oy * d.stride_h - d.pad_top) * d.w - d.pad_left
        for ox in range(d.out_w):
            window[steps[offsets[ox]]] += dy[ox]
            window += d.stride_w
        dy += d.out_w
        offsets += d.out_w


cdef inline vec load_places(const uint8_t *p, int n) noexcept nogil:
    cdef uint8_t[64] bytes
    if n == VL:
        return v_from_int(v_load_bytes(p))
    memcpy(bytes, p, <size_t>n)
    memset(bytes + n, 0, <size_t>(VL - n))
    return v_from_int(v_load_bytes(bytes))


cdef void scatter_plane_halving(const pool_t *d, const real *dy, const uint8_t *offsets, real *dx) noexcept nogil:
    cdef int64_t oy, block, ox, used = 2 * d.out_w
    cdef int n = <int>at_most(d.out_w, VL)
    cdef real *row
    cdef vec value, place
    for oy in range(d.out_h):
        row = dx + 2 * oy * d.w
        for block in range(chunk_count(d.out_w, VL)):
            ox = at_most(block * VL, d.out_w - n)       # the last vector overlaps the one before
            value = v_load(dy + ox) if n == VL else v_load_partial(dy + ox, n)
            place = load_places(offsets + ox, n)
            store_pairs(row + 2 * ox, v_and(v_eq(place, v_splat(0)), value), v_and(v_eq(place, v_splat(1)), value),
                        2 * n)
            store_pairs(row + d.w + 2 * ox, v_and(v_eq(place, v_splat(2)), value), v_and(v_eq(place, v_splat(3)), value),
                        2 * n)
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


cdef int register_max_pool() except -1:
    cdef pool_t d
    add_kernel("max_pool2d_forward", max_pool2d_forward, max_pool2d_forward_sizes, &d, sizeof(d), 0)
    add_pool_fields(&d)
    add_kernel("max_pool2d_backward", max_pool2d_backward, max_pool2d_places_sizes, &d, sizeof(d), 0)
    add_pool_fields(&d)
    add_kernel("max_pool2d_gather", max_pool2d_gather, max_pool2d_places_sizes, &d, sizeof(d), 0)
    add_pool_fields(&d)
    return 0
