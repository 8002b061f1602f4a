# Gradient of a convolution by its input, as a convolution of dy for each phase of the stride (see conv2d.pxi).
#
# Row y of dx and row oy of dy meet in tap ky when y + pad_top = oy * stride_h + ky * dilation_h.  Rows of one phase,
# y + pad_top = i * stride_h + phase, meet only the taps of that phase, in row oy = i - ky * dilation_h // stride_h:
# a convolution with stride 1 over i.  The same holds along x.

# One phase along one axis: the rows (or columns) i of dx that exist.
ctypedef struct phase_t:
    int64_t begin, end


cdef inline phase_t phase_range(int64_t phase, int64_t size, int64_t pad, int64_t stride) noexcept nogil:
    cdef phase_t r
    r.begin = (pad - phase + stride - 1) // stride if phase < pad else 0
    r.end = (size - 1 + pad - phase) // stride + 1 if phase < size + pad else 0
    return r


# The padded band of dy: [channel][row][pitch], row r of the band that starts at i is oy = i + r - halo_h.
ctypedef struct gradient_band_t:
    int64_t rows, columns       # i and j over all phases
    int64_t halo_h, halo_w
    int64_t pitch
    int64_t channel


cdef gradient_band_t band_of_dy(const conv2d_t *d, int64_t rows) noexcept nogil:
    cdef gradient_band_t b
    b.rows = (d.h - 1 + d.pad_top) // d.stride_h + 1 if d.h > 0 else 0
    b.columns = (d.w - 1 + d.pad_left) // d.stride_w + 1 if d.w > 0 else 0
    b.halo_h = (d.kh - 1) * d.dilation_h // d.stride_h
    b.halo_w = (d.kw - 1) * d.dilation_w // d.stride_w
    b.pitch = b.columns + b.halo_w
    b.channel = (rows + b.halo_h) * b.pitch
    return b


cdef units_t backward_input_units(const conv2d_t *d) noexcept nogil:
    cdef gradient_band_t b = band_of_dy(d, 1)
    cdef int64_t o = d.o // d.groups
    return cut_units(d, d.c // d.groups, o * d.kh * d.kw, b.rows, b.columns,
                     0 if is_pointwise(d) else o * b.pitch, b.halo_h, True)


cdef int64_t scattered_elements(const conv2d_t *d, int64_t m) noexcept nogil:
    """Scratch for results on their way to rows with a stride."""
    return 0 if d.stride_h == 1 and d.stride_w == 1 else m * WINDOW_PANELS * TILE_COLUMNS


cdef void conv2d_backward_input_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef units_t u
    cdef gradient_band_t b
    cdef int64_t o, taps
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if not conv2d_is_valid(d):
        return
    u, o, taps = backward_input_units(d), d.o // d.groups, d.kh * d.kw
    b = band_of_dy(d, u.rows)
    out.chunks = u.chunks
    out.scratch = 8 * (o + 1) * taps + <int64_t>sizeof(real) * (
        panels_elements() + u.m * o * taps + scattered_elements(d, u.m)
        + (0 if is_pointwise(d) else o * b.channel + 2 * TILE_COLUMNS))
    out.work = conv2d_work(d)


cdef int64_t phase_taps(const conv2d_t *d, int64_t phase_h, int64_t phase_w, int64_t *tap) noexcept nogil:
    """The taps ky * kw + kx of a phase, in order; returns how many."""
    cdef int64_t ky, kx, count = 0
    for ky in range(d.kh):
        if ky * d.dilation_h % d.stride_h == phase_h:
            for kx in range(d.kw):
                if kx * d.dilation_w % d.stride_w == phase_w:
                    tap[count] = ky * d.kw + kx
                    count += 1
    return count


cdef void pack_phase_weights(const conv2d_t *d, const real *w, int64_t m, const int64_t *tap, int64_t taps,
                             real *target) noexcept nogil:
    """Weights of m input channels as left matrix over k = (o, tap), tile by tile.  w (o, c/groups, kh, kw) from the first channel."""
    cdef int64_t c = d.c // d.groups, all_taps = d.kh * d.kw, m0 = 0, rows, o, t, i
    cdef const real *source
    while m0 < m:
        rows = tile_rows(m - m0)
        for o in range(d.o // d.groups):
            for t in range(taps):
                source = w + (o * c + m0) * all_taps + tap[t]
                for i in range(rows):
                    target[i] = source[i * all_taps]
                target += rows
        m0 += rows


cdef void copy_band_of_dy(const conv2d_t *d, const gradient_band_t *b, const real *dy, int64_t row, int64_t rows,
                          real *target) noexcept nogil:
    cdef int64_t channel, r, oy
    for channel in range(d.o // d.groups):
        for r in range(rows + b.halo_h):
            oy = row + r - b.halo_h
            if 0 <= oy < d.out_h:
                split_row(dy + (channel * d.out_h + oy) * d.out_w, d.out_w, b.halo_w, 1, 0,
                          target + channel * b.channel + r * b.pitch, b.pitch)
            else:
                fill_row(target + channel * b.channel + r * b.pitch, b.pitch, 0)


cdef void multiply_phase(const conv2d_t *d, const weights_t *a, int64_t m, const windows_t *b, int64_t pixels,
                         real *dx, real *panels, real *results) noexcept nogil:
    """One phase of dx: dx points to its first element, the next ones are stride_w and stride_h apart."""
    cdef int64_t p0 = 0, p1, p, channel, run, i, j, width = WINDOW_PANELS * TILE_COLUMNS
    cdef const real *source
    cdef real *target
    if b.k == 0:            # a phase without taps
        for channel in range(m):
            for i in range(pixels // b.columns):
                target = dx + channel * d.h * d.w + i * d.stride_h * d.w
                for j in range(b.columns):
                    target[j * d.stride_w] = 0
        return
    while p0 < pixels:
        p1 = at_most(p0 + width, pixels)
        multiply_windows(a, m, b, p0, p1, results, width, NULL, panels)
        for channel in range(m):
            p = p0
            while p < p1:
                i, j = p // b.columns, p % b.columns
                run = at_most(b.columns - j, p1 - p)
                source = results + channel * width + p - p0
                target = dx + channel * d.h * d.w + i * d.stride_h * d.w + j * d.stride_w
                for j in range(run):
                    target[j * d.stride_w] = source[j]
                p += run
        p0 = p1


cdef int conv2d_backward_input(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dx = the transpose of the convolution, applied to dy; bias and activation of the descriptor play no part.

    Operands: dy (n, o, out_h, out_w), w (o, c/groups, kh, kw)  IN; dx (n, c, h, w)  OUT.
    """
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef units_t u = backward_input_units(d)
    cdef int64_t c = d.c // d.groups, o = d.o // d.groups, taps = d.kh * d.kw
    cdef int64_t unit, last, image, group, m, row, rows, phase_h, phase_w, count, k, t, first, piece, pixels, packed = -1
    cdef int64_t *tap = <int64_t *>scratch
    cdef int64_t *offset = tap + taps
    cdef real *panels = <real *>(offset + o * taps)
    cdef real *weights = panels + panels_elements()
    cdef real *results = weights + u.m * o * taps
    cdef real *copy = results + scattered_elements(d, u.m)
    cdef bint pointwise = is_pointwise(d), dense = d.stride_h == 1 and d.stride_w == 1
    cdef gradient_band_t band = band_of_dy(d, u.rows)
    cdef phase_t ys, xs
    cdef windows_t b
    cdef weights_t a
    cdef const real *dy
    cdef const real *source
    cdef real *dx
    b.exact = pointwise
    a.row = 0
    unit = chunk * u.per_chunk
    last = at_most(unit + u.per_chunk, u.units)
    while unit < last:
        row = unit % u.bands * u.rows
        rows = at_most(band.rows - row, u.rows)
        image = unit // u.bands % d.n
        piece = unit // (u.bands * d.n)
        m, group = piece % u.m_pieces * u.m, piece // u.m_pieces
        dy = <const real *>operands[0] + (image * d.o + group * o) * d.out_h * d.out_w
        dx = <real *>operands[2] + (image * d.c + group * c + m) * d.h * d.w
        if pointwise:
            source, b.pitch = dy + row * d.out_w, d.out_w
        else:
            copy_band_of_dy(d, &band, dy, row, rows, copy)
            source, b.pitch = copy, band.pitch
        m = at_most(c - m, u.m)
        first = 0                                       # index of the phase's first k among all
        for phase_h in range(d.stride_h):
            for phase_w in range(d.stride_w):
                count = phase_taps(d, phase_h, phase_w, tap)
                if packed != piece:
                    pack_phase_weights(
                        d, <const real *>operands[1] + (group * o * c + piece % u.m_pieces * u.m) * taps, m, tap,
                        count, weights + first * m)
                    for k in range(o * count):
                        t = tap[k % count]
                        offset[first + k] = k // count * d.h * d.w if pointwise else (
                            k // count * band.channel + (band.halo_h - t // d.kw * d.dilation_h // d.stride_h) * band.pitch
                            + band.halo_w - t % d.kw * d.dilation_w // d.stride_w)
                ys = phase_range(phase_h, d.h, d.pad_top, d.stride_h)
                xs = phase_range(phase_w, d.w, d.pad_left, d.stride_w)
                ys.begin = ys.begin if ys.begin > row else row
                ys.end = at_most(ys.end, row + rows)
                b.k, b.offset, b.columns = o * count, offset + first, xs.end - xs.begin
                b.source = source + (ys.begin - row) * b.pitch + xs.begin
                a.data = weights + first * m
                first += o * count
                if ys.end <= ys.begin or b.columns <= 0:
                    continue
                if dense:
                    pixels = (ys.end - ys.begin) * b.columns
                    if pointwise:                       # rows follow each other without a gap
                        b.columns = pixels
                    multiply_windows(&a, m, &b, 0, pixels, dx + (ys.begin - d.pad_top) * d.w, d.h * d.w, NULL, panels)
                else:
                    multiply_phase(d, &a, m, &b, (ys.end - ys.begin) * b.columns,
                                   dx + (ys.begin * d.stride_h + phase_h - d.pad_top) * d.w
                                   + xs.begin * d.stride_w + phase_w - d.pad_left, panels, results)
        packed = piece
        unit += 1
    return MN_OK
