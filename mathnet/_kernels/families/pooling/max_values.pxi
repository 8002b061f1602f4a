# Maximum pooling where nobody asks for the places of the maxima, as in inference: the values of max_pool2d_forward
# (max.pxi), bit for bit.  2x2 windows with stride 2 take a third of the time: there are no places to compute, and rows
# that do not fill vectors (7 or 14 outputs) run into the next one, whose results come later, instead of being masked.

cdef inline vec larger(vec a, vec b) noexcept nogil:
    """The maximum after a, where b is that so far: what exceeds() selects."""
    return v_select(v_isnan(a), a, v_max(a, b))


cdef inline vec largest_of_four(const real *row, int64_t w, int n) noexcept nogil:
    """The maxima of n <= VL windows that begin at `row`, w elements above their second row."""
    cdef vec a, b, top
    load_pairs(row, n, &a, &b)
    top = larger(b, a)
    load_pairs(row + w, n, &a, &b)
    return larger(larger(b, a), top)


cdef void largest_halving(const pool_t *d, const real *x, real *y) noexcept nogil:
    cdef int64_t oy, ox, w = d.w, out_w = d.out_w
    cdef int64_t left = d.h * w, results = d.out_h * out_w      # elements of the plane from this row on
    cdef int n = <int>at_most(out_w, VL)
    for oy in range(d.out_h):
        ox = 0
        while ox < out_w:
            if ox + VL <= results and w + 2 * (ox + VL) <= left:
                v_store(y + ox, largest_of_four(x + 2 * ox, w, VL))
            else:                               # the end of the plane: the last vector overlaps the one before
                ox = at_most(ox, out_w - n)
                store_values(y + ox, largest_of_four(x + 2 * ox, w, n), n)
            ox += VL
        x += 2 * w
        y += out_w
        left -= 2 * w
        results -= out_w


cdef inline int64_t bytes_of_places(const pool_t *d) noexcept nogil:
    """Of the places of a plane in scratch, which nobody reads: whole cache lines."""
    return chunk_count(d.out_h * d.out_w, 64) * 64


cdef void max_pool2d_values_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const pool_t *d = <const pool_t *>descriptor
    max_pool2d_forward_sizes(descriptor, out)
    if out.chunks < 0:
        return
    if is_halving(d):
        out.work = 20 + 0.1 * <double>(d.planes * d.h * d.w)
    else:
        out.scratch += bytes_of_places(d)


cdef int max_pool2d_values(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = max over each window.

    Operands: x (planes, h, w)  IN; y (planes, out_h, out_w)  OUT.
    """
    cdef const pool_t *d = <const pool_t *>descriptor
    cdef int64_t plane = chunk * planes_per_chunk(d), end = at_most(plane + planes_per_chunk(d), d.planes)
    cdef int64_t results = d.out_h * d.out_w
    cdef const real *x
    cdef real *y
    while plane < end:
        x, y = <const real *>operands[0] + plane * d.h * d.w, <real *>operands[1] + plane * results
        if is_halving(d):
            largest_halving(d, x, y)
        else:
            max_plane(d, x, y, <uint8_t *>scratch, <char *>scratch + bytes_of_places(d))
        plane += 1
    return MN_OK


cdef int register_max_pool_values() except -1:
    cdef pool_t d
    add_kernel("max_pool2d_values", max_pool2d_values, max_pool2d_values_sizes, &d, sizeof(d), 0)
    add_pool_fields(&d)
    return 0
