# Gradient by the weights for few input channels (see direct.pxi): vectors along the pixels, one sum for each lane, and
# the lanes added at the end.

# Units: a group of channels, a group of images; chunks are runs of units.
ctypedef struct direct_weight_units_t:
    int64_t images, image_groups
    int64_t rows, bands
    int64_t units, per_chunk, chunks


cdef direct_weight_units_t direct_backward_weight_units(const conv2d_t *d) noexcept nogil:
    cdef direct_weight_units_t u
    cdef direct_units_t cut = direct_forward_units(d)
    cdef int64_t wanted = at_most(1 + <int64_t>(direct_work(d) / DIRECT_WORK), 2 * WEIGHT_GROUPS)
    u.rows, u.bands = cut.rows, cut.bands
    u.image_groups = at_most(at_most(d.n, WEIGHT_GROUPS), chunk_count(wanted, d.groups)) if d.n > 0 else 1
    u.images = chunk_count(d.n, u.image_groups)
    u.image_groups = chunk_count(d.n, u.images)
    u.units = d.groups * u.image_groups
    u.per_chunk = chunk_count(u.units, wanted)
    u.chunks = chunk_count(u.units, u.per_chunk)
    return u


cdef void direct_backward_weight_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef direct_weight_units_t u
    cdef copied_t p
    cdef int64_t k
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if not conv2d_is_valid(d):
        return
    u = direct_backward_weight_units(d)
    p = planes_of_x(d, u.rows)
    k = p.channels * d.kh * d.kw
    out.chunks = u.chunks
    out.scratch = 8 * k + <int64_t>sizeof(real) * (copied_elements(&p) + d.o // d.groups * k * VL)
    if u.image_groups > 1:
        out.shared = u.image_groups * d.o * k * <int64_t>sizeof(real)
        out.finish = 1
    out.work = direct_work(d)


cdef int direct_backward_weight(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """conv2d_backward_weight with vectors along the pixels: the same operands."""
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef direct_weight_units_t u = direct_backward_weight_units(d)
    cdef copied_t p = planes_of_x(d, u.rows)
    cdef int64_t filters = d.o // d.groups, k = p.channels * d.kh * d.kw, unit = chunk * u.per_chunk
    cdef int64_t last = at_most(unit + u.per_chunk, u.units), group, part, image, band, i
    cdef int64_t *offset = <int64_t *>scratch
    cdef real *copy = <real *>(offset + k)
    cdef real *sums = copy + copied_elements(&p)
    cdef correlation_t block
    cdef real *dw
    if chunk == u.chunks:
        sum_parts(<const real *>operands[3], u.image_groups, d.o * k, <real *>operands[2])
        return MN_OK
    tap_offsets(d, &p, offset)
    clear_copy(&p, copy)
    block.x, block.offset, block.x_row = copy, offset, d.stride_h * p.pitch
    block.y_filter, block.y_row, block.columns = d.out_h * d.out_w, d.out_w, d.out_w
    block.sum, block.sum_row = sums, k * VL
    while unit < last:
        group, part = unit // u.image_groups, unit % u.image_groups
        fill_row(sums, filters * k * VL, 0)
        for image in range(part * u.images, at_most((part + 1) * u.images, d.n)):
            for band in range(u.bands):
                copy_planes(&p, <const real *>operands[0] + (image * d.groups + group) * p.channels * d.h * d.w, d.h,
                            d.w, band * u.rows * d.stride_h - p.above, u.bands > 1, copy)
                block.rows = at_most(d.out_h - band * u.rows, u.rows)
                block.y = (<const real *>operands[1] + (image * d.o + group * filters) * d.out_h * d.out_w
                           + band * u.rows * d.out_w)
                run_correlation(&block, filters, k)
        dw = <real *>operands[3 if u.image_groups > 1 else 2] + part * d.o * k + group * filters * k
        for i in range(filters * k):
            dw[i] = v_hsum(v_load(sums + i * VL))
        unit += 1
    return MN_OK


cdef int register_direct() except -1:
    cdef conv2d_t d
    add_kernel("direct_forward", direct_forward, direct_forward_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    add_kernel("direct_backward_input", direct_backward_input, direct_backward_input_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    add_kernel("direct_backward_weight", direct_backward_weight, direct_backward_weight_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    return 0
