# Convolutions with too few channels on one side for a matrix product, above all depthwise ones, with any multiplier.
#
#   forward           y[o] = sum over (c, ky, kx) of w[o][c][ky][kx] * x[c] shifted
#   backward input    the same over dy, for each phase of the stride (see conv2d_backward_input.pxi)
#   backward weight   dw[o][c][ky][kx] = sum over (n, pixels) of dy[o] * x[c] shifted
#
# A band of rows of each plane is copied, padded and split by the horizontal phase of the stride, so that every tap
# reads whole vectors at a fixed distance; blocks of outputs stay in registers (direct.h).  The border of the copy is
# the same for every plane: it is cleared once in a chunk, and only what lies inside the plane is written again.
# Costs next to a row of the implicit matrix product: no panel, and a plane of 28x28 is copied in 0.3 us.

cdef extern from "direct.h":
    enum:
        DIRECT_VECTORS "MN_DIRECT_VECTORS"
    ctypedef struct direct_t "mn_direct":
        int64_t taps
        const real *w
        const real *x
        const int64_t *offset
        int64_t x_row
        real *y
        int64_t y_row
        int64_t rows, columns
        const epilogue_t *epilogue
    ctypedef struct correlation_t "mn_correlation":
        const real *x
        const int64_t *offset
        int64_t x_row
        const real *y
        int64_t y_filter, y_row
        int64_t rows, columns
        real *sum
        int64_t sum_row
    void run_direct "mn_direct_run"(const direct_t *d) noexcept nogil
    void run_correlation "mn_correlation_run"(const correlation_t *d, int64_t filters, int64_t taps) noexcept nogil

cdef enum:
    DIRECT_BAND = 1 << 13           # elements of a copied band: the first-level cache with AVX2 and float32
    DIRECT_ROWS = 8                 # rows of a band, at least: the halo must not dominate
    DIRECT_WORK = 20000             # nanoseconds that are worth a chunk


# The copy: [channel][row][phase][width].
ctypedef struct copied_t:
    int64_t channels
    int64_t width               # of one phase of a row
    int64_t pitch               # of a row: all phases
    int64_t channel             # elements of a channel
    int64_t rows
    int64_t left, above         # zeros before the first column (phase 0 … of the padded row) and the first row
    int64_t stride              # number of phases


# Units of work: one group of channels in one image, a band of rows; chunks are runs of units.
ctypedef struct direct_units_t:
    int64_t rows, bands         # rows of a band
    int64_t units, per_chunk, chunks


cdef double direct_work(const conv2d_t *d) noexcept nogil:
    """Nanoseconds: two multiply-adds of a vector in three cycles, and the planes once each."""
    cdef double taps = <double>(d.kh * d.kw), pixels = <double>(d.n * d.out_h * d.out_w)
    return 200 + (0.25 * taps * pixels * <double>d.o * <double>(d.c // d.groups) / VL
                  + 0.1 * sizeof(real) * (pixels * <double>d.o + <double>(d.n * d.c * d.h * d.w)))


cdef direct_units_t cut_planes(const conv2d_t *d, int64_t rows, int64_t row_elements, int64_t halo) noexcept nogil:
    """Cuts pictures of `rows` rows, of which the copy of a row has row_elements elements."""
    cdef direct_units_t u
    cdef int64_t budget = DIRECT_BAND // (row_elements if row_elements > 0 else 1) - halo
    u.rows = at_most(rows, budget if budget > DIRECT_ROWS else DIRECT_ROWS)
    u.bands = chunk_count(rows, u.rows) if rows > 0 else 1
    u.rows = chunk_count(rows, u.bands)
    u.bands = chunk_count(rows, u.rows)
    u.units = d.n * d.groups * u.bands
    u.per_chunk = chunk_count(u.units, at_most(1 + <int64_t>(direct_work(d) / DIRECT_WORK), CONV_CHUNKS))
    u.chunks = chunk_count(u.units, u.per_chunk)
    return u


cdef inline void copy_pairs_inside(const real *x, int64_t n, int64_t left, int64_t width, real *target) noexcept nogil:
    """copy_phases_inside for two phases."""
    cdef int64_t first = left % 2, begin = (left + 1) // 2, i = 0, pairs
    cdef vec even, odd
    if first and n > 0 and begin <= width:
        target[width + begin - 1] = x[0]
    pairs = at_most((n - first) // 2, width - begin)
    x += first
    target += begin
    while i + VL <= pairs:
        v_load_pairs(x + 2 * i, &even, &odd)
        v_store(target + i, even)
        v_store(target + width + i, odd)
        i += VL
    if i < pairs and pairs >= VL:
        i = pairs - VL
        v_load_pairs(x + 2 * i, &even, &odd)
        v_store(target + i, even)
        v_store(target + width + i, odd)
        i = pairs
    while i < pairs:
        target[i], target[width + i] = x[2 * i], x[2 * i + 1]
        i += 1
    if 2 * i + first < n and begin + i < width:
        target[i] = x[2 * i]


cdef inline void copy_phases_inside(const real *x, int64_t n, int64_t left, int64_t stride, int64_t width,
                                    real *target) noexcept nogil:
    """target[q % stride][q // stride] = x[i] for q = i + left, as far as a phase has width."""
    cdef int64_t i, phase = left % stride, place = left // stride
    for i in range(n):
        if place >= width:
            break
        target[phase * width + place] = x[i]
        phase += 1
        if phase == stride:
            phase, place = 0, place + 1


cdef void clear_copy(const copied_t *p, real *copy) noexcept nogil:
    fill_row(copy, p.channels * p.channel + DIRECT_VECTORS * VL, 0)


cdef int64_t copied_elements(const copied_t *p) noexcept nogil:
    """Elements of a copy, with room for the vectors that begin at its last pixel."""
    return p.channels * p.channel + DIRECT_VECTORS * VL


cdef void copy_planes(const copied_t *p, const real *x, int64_t h, int64_t w, int64_t first, bint stale,
                      real *copy) noexcept nogil:
    """Rows first … of the planes x (channels, h, w) into a cleared copy; stale: rows outside may hold other rows."""
    cdef int64_t channel, r, count = at_most(w, p.width - p.left)
    cdef int64_t begin = at_most(0 if first >= 0 else -first, p.rows), end = at_most(p.rows, h - first)
    cdef real *target
    end = end if end > begin else begin
    for channel in range(p.channels):
        target = copy + channel * p.channel
        if stale:
            fill_row(target, begin * p.pitch, 0)
            fill_row(target + end * p.pitch, (p.rows - end) * p.pitch, 0)
        for r in range(begin, end):
            if p.stride == 1:
                copy_inside(x + (channel * h + first + r) * w, count, target + r * p.pitch + p.left)
            elif p.stride == 2:
                copy_pairs_inside(x + (channel * h + first + r) * w, w, p.left, p.width, target + r * p.pitch)
            else:
                copy_phases_inside(
                    x + (channel * h + first + r) * w, w, p.left, p.stride, p.width, target + r * p.pitch)


# ---- forward ----

cdef copied_t planes_of_x(const conv2d_t *d, int64_t rows) noexcept nogil:
    """The copy for `rows` rows of y."""
    cdef copied_t p
    p.channels = d.c // d.groups
    p.stride = d.stride_w
    p.width = d.out_w + (d.kw - 1) * d.dilation_w // d.stride_w
    p.pitch = p.width * p.stride
    p.rows = (rows - 1) * d.stride_h + (d.kh - 1) * d.dilation_h + 1 if rows > 0 else 0
    p.channel = p.rows * p.pitch
    p.left, p.above = d.pad_left, d.pad_top
    return p


cdef void tap_offsets(const conv2d_t *d, const copied_t *p, int64_t *offset) noexcept nogil:
    """offset[c, ky, kx]: where the tap reads, from the place of the output."""
    cdef int64_t channel, ky, kx, i = 0
    for channel in range(p.channels):
        for ky in range(d.kh):
            for kx in range(d.kw):
                offset[i] = (channel * p.channel + ky * d.dilation_h * p.pitch
                             + kx * d.dilation_w % p.stride * p.width + kx * d.dilation_w // p.stride)
                i += 1


cdef direct_units_t direct_forward_units(const conv2d_t *d) noexcept nogil:
    cdef copied_t p = planes_of_x(d, 1)
    return cut_planes(d, d.out_h, p.channels * p.pitch * d.stride_h, (d.kh - 1) * d.dilation_h // d.stride_h)


cdef void direct_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef direct_units_t u
    cdef copied_t p
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if not conv2d_is_valid(d):
        return
    u = direct_forward_units(d)
    p = planes_of_x(d, u.rows)
    out.chunks = u.chunks
    out.scratch = 8 * p.channels * d.kh * d.kw + <int64_t>sizeof(real) * copied_elements(&p)
    out.work = direct_work(d)


cdef int direct_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """conv2d_forward, one output channel at a time: the same operands, the same chains of products."""
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef direct_units_t u = direct_forward_units(d)
    cdef copied_t p = planes_of_x(d, u.rows)
    cdef int64_t filters = d.o // d.groups, unit = chunk * u.per_chunk, last = at_most(unit + u.per_chunk, u.units)
    cdef int64_t row, plane, o
    cdef int64_t *offset = <int64_t *>scratch
    cdef real *copy = <real *>(offset + p.channels * d.kh * d.kw)
    cdef epilogue_t epilogue
    cdef direct_t block
    tap_offsets(d, &p, offset)
    clear_copy(&p, copy)
    epilogue.bias, epilogue.bias_row, epilogue.bias_col, epilogue.activation = NULL, 0, 0, d.activation
    block.taps, block.offset, block.x, block.x_row = p.channels * d.kh * d.kw, offset, copy, d.stride_h * p.pitch
    block.columns, block.y_row = d.out_w, d.out_w
    block.epilogue = &epilogue if d.bias or d.activation else NULL
    while unit < last:
        row = unit % u.bands * u.rows
        plane = unit // u.bands                         # image and group
        copy_planes(&p, <const real *>operands[0] + plane * p.channels * d.h * d.w, d.h, d.w,
                    row * d.stride_h - p.above, u.bands > 1, copy)
        block.rows = at_most(d.out_h - row, u.rows)
        for o in range(plane % d.groups * filters, (plane % d.groups + 1) * filters):
            block.w = <const real *>operands[1] + o * block.taps
            if d.bias:
                epilogue.bias = <const real *>operands[2] + o
            block.y = <real *>operands[2 + d.bias] + ((plane // d.groups * d.o + o) * d.out_h + row) * d.out_w
            run_direct(&block)
        unit += 1
    return MN_OK
