# Gradient by the input for few input channels (see direct.pxi): the planes of dy, and for each phase of the stride the
# taps that belong to it (see conv2d_backward_input.pxi).

cdef copied_t planes_of_dy(const conv2d_t *d, int64_t rows) noexcept nogil:
    """The copy for `rows` rows i of the phases of dx; row r of the band that starts at i is oy = i + r - above."""
    cdef copied_t p
    p.channels = d.o // d.groups
    p.stride = 1
    p.left = (d.kw - 1) * d.dilation_w // d.stride_w
    p.above = (d.kh - 1) * d.dilation_h // d.stride_h
    p.width = p.pitch = ((d.w - 1 + d.pad_left) // d.stride_w + 1 if d.w > 0 else 0) + p.left
    p.rows = rows + p.above
    p.channel = p.rows * p.pitch
    return p


cdef direct_units_t direct_backward_input_units(const conv2d_t *d) noexcept nogil:
    cdef copied_t p = planes_of_dy(d, 1)
    return cut_planes(d, (d.h - 1 + d.pad_top) // d.stride_h + 1 if d.h > 0 else 0, p.channels * p.pitch, p.above)


cdef int64_t phases_elements(const conv2d_t *d, const copied_t *p, int64_t rows) noexcept nogil:
    """Scratch for the horizontal phases of rows on their way to dx."""
    return d.stride_w * rows * p.width + 2 * VL if d.stride_w > 1 else 0


cdef void direct_backward_input_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef direct_units_t u
    cdef copied_t p
    cdef int64_t k
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if not conv2d_is_valid(d):
        return
    u = direct_backward_input_units(d)
    p = planes_of_dy(d, u.rows)
    k = (p.channels + 1) * d.kh * d.kw + d.stride_h * d.stride_w
    out.chunks = u.chunks
    out.scratch = 8 * k + <int64_t>sizeof(real) * (
        copied_elements(&p) + p.channels * d.kh * d.kw + phases_elements(d, &p, u.rows))
    out.work = direct_work(d)


cdef void join_phases(const real *phases, int64_t phase, int64_t pad, int64_t stride, int64_t n, real *x) noexcept nogil:
    """x[i] = phases[q % stride][q // stride] for q = i + pad, i < n; phases are `phase` elements apart."""
    cdef int64_t i = 0, q
    if stride == 2:
        if pad % 2 and n > 0:
            x[0], i = phases[phase + pad // 2], 1
        while i + 2 * VL <= n:
            q = (i + pad) // 2
            v_store_pairs(x + i, v_load(phases + q), v_load(phases + phase + q))
            i += 2 * VL
        if i < n and n > 2 * VL:                        # the tail once more with what is there already
            i = n - 2 * VL
            i -= (i + pad) % 2
            q = (i + pad) // 2
            v_store_pairs(x + i, v_load(phases + q), v_load(phases + phase + q))
            i += 2 * VL
    while i < n:
        q = i + pad
        x[i] = phases[q % stride * phase + q // stride]
        i += 1


cdef int direct_backward_input(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """conv2d_backward_input, one input channel at a time: the same operands, the same chains of products."""
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef direct_units_t u = direct_backward_input_units(d)
    cdef copied_t p = planes_of_dy(d, u.rows)
    cdef int64_t channels = d.c // d.groups, taps = d.kh * d.kw, unit = chunk * u.per_chunk
    cdef int64_t last = at_most(unit + u.per_chunk, u.units)
    cdef int64_t row, plane, group, c, phase_h, phase_w, first, count, k, t, y
    cdef int64_t *tap = <int64_t *>scratch              # of the phases, one after the other
    cdef int64_t *counts = tap + taps
    cdef int64_t *offset = counts + d.stride_h * d.stride_w
    cdef real *weights = <real *>(offset + p.channels * taps)
    cdef real *copy = weights + p.channels * taps
    cdef real *phases = copy + copied_elements(&p)
    cdef const real *w
    cdef phase_t ys
    cdef direct_t block
    cdef real *dx
    first = 0
    for phase_h in range(d.stride_h):
        for phase_w in range(d.stride_w):
            count = phase_taps(d, phase_h, phase_w, tap + first)
            counts[phase_h * d.stride_w + phase_w] = count
            for k in range(p.channels):
                for t in range(first, first + count):
                    offset[first * p.channels + k * count + t - first] = (
                        k * p.channel + (p.above - tap[t] // d.kw * d.dilation_h // d.stride_h) * p.pitch
                        + p.left - tap[t] % d.kw * d.dilation_w // d.stride_w)
            first += count
    clear_copy(&p, copy)
    block.epilogue, block.x_row = NULL, p.pitch
    while unit < last:
        row = unit % u.bands * u.rows
        plane = unit // u.bands                         # image and group
        group = plane % d.groups
        copy_planes(&p, <const real *>operands[0] + plane * p.channels * d.out_h * d.out_w, d.out_h, d.out_w,
                    row - p.above, u.bands > 1, copy)
        for c in range(channels):
            w = <const real *>operands[1] + (group * p.channels * channels + c) * taps
            dx = <real *>operands[2] + (plane * channels + c) * d.h * d.w
            first = 0
            for phase_h in range(d.stride_h):
                ys = phase_range(phase_h, d.h, d.pad_top, d.stride_h)
                ys.begin = ys.begin if ys.begin > row else row
                ys.end = at_most(ys.end, row + u.rows)
                y = ys.begin * d.stride_h + phase_h - d.pad_top
                block.rows = ys.end - ys.begin if ys.end > ys.begin else 0
                for phase_w in range(d.stride_w):
                    count = counts[phase_h * d.stride_w + phase_w]
                    block.offset = offset + first * p.channels
                    block.w = w
                    if channels > 1 or count < taps:
                        for k in range(p.channels):
                            for t in range(count):
                                weights[k * count + t] = w[k * channels * taps + tap[first + t]]
                        block.w = weights
                    block.taps = p.channels * count
                    first += count
                    if d.stride_w == 1:
                        block.x = copy + (ys.begin - row) * p.pitch + d.pad_left
                        block.y, block.y_row, block.columns = dx + y * d.w, d.stride_h * d.w, d.w
                    else:
                        block.x = copy + (ys.begin - row) * p.pitch
                        block.y = phases + phase_w * u.rows * p.width
                        block.y_row, block.columns = p.width, p.width - p.left
                    run_direct(&block)
                if d.stride_w > 1:
                    for k in range(block.rows):
                        join_phases(phases + k * p.width, u.rows * p.width, d.pad_left, d.stride_w, d.w,
                                    dx + (y + k * d.stride_h) * d.w)
        unit += 1
    return MN_OK
