# 2-D convolution as implicit matrix products: any stride, padding, dilation and number of groups, NCHW throughout.
#
#   forward           y[o][p]  = sum over k = (c, ky, kx) of w[o][k] * X[k][p]          p: the pixels of y
#   backward input    dx[c][p] = sum over k = (o, ky, kx) of w'[c][k] * DY[k][p]        for each phase of the stride
#   backward weight   dw[o][k] = sum over (n, p) of dy[o][p] * X[k][p]
#
# The matrices X and DY are never stored: a copy of a band of rows, padded and split by the phase of the stride
# (phase_rows.pxi), holds row k of the matrix at a fixed distance offset[k], with the pixels of an output row side by
# side.  Panels of 16 pixels are cut from it; each serves all rows of weights from the first-level cache.
# A 1x1 convolution with stride 1 needs no copy.
#
# Every element is one chain of multiply-adds over k (tile.h), the same in any batch and for any cut into chunks.
# Gradients of weights are chains over the pixels of a fixed group of images, the groups added in order at the end.

cdef enum:
    WINDOW_K = 256              # rows of a panel: 16 KB with AVX2
    WINDOW_PANELS = 4           # panels side by side, so that weights come from memory once per 64 pixels
    BAND_BYTES = 1 << 18        # a padded band stays in the second-level cache
    PACKED_WEIGHTS = 1 << 18    # elements of weights that one chunk packs
    WEIGHT_PIXELS = 512         # pixels per chunk that make packing weights worth while
    CONV_CHUNKS = 64            # at most
    WEIGHT_GROUPS = 8           # groups of images with gradients of their own


ctypedef struct conv2d_t:
    int64_t n, c, h, w              # x (n, c, h, w)
    int64_t o, kh, kw               # weights (o, c / groups, kh, kw)
    int64_t stride_h, stride_w
    int64_t pad_top, pad_bottom, pad_left, pad_right
    int64_t dilation_h, dilation_w
    int64_t groups
    int64_t out_h, out_w            # y (n, o, out_h, out_w)
    int64_t bias, activation        # forward only


# The implicit matrix: element (k, pixel (i, j)) at source[offset[k] + i * pitch + j].
ctypedef struct windows_t:
    const real *source
    const int64_t *offset
    int64_t k
    int64_t pitch
    int64_t columns             # pixels of a row
    bint exact                  # nothing behind a run of pixels may be read (source is an operand)


# Weights as the left matrix: rows of `row` elements as they are, or packed tile by tile (row = 0).
ctypedef struct weights_t:
    const real *data
    int64_t row


# Units of work: a piece of output channels of a group, an image, a band of rows; chunks are runs of units.
ctypedef struct units_t:
    int64_t m, m_pieces         # channels of a piece
    int64_t rows, bands         # rows of a band
    int64_t units, per_chunk, chunks


cdef bint conv2d_is_valid(const conv2d_t *d) noexcept nogil:
    return (
        d.n >= 0 and d.groups > 0 and d.c >= 0 and d.o >= 0 and d.c % d.groups == 0 and d.o % d.groups == 0
        and d.h >= 0 and d.w >= 0 and d.kh > 0 and d.kw > 0 and d.out_h >= 0 and d.out_w >= 0
        and d.stride_h > 0 and d.stride_w > 0 and d.dilation_h > 0 and d.dilation_w > 0
        and d.pad_top >= 0 and d.pad_bottom >= 0 and d.pad_left >= 0 and d.pad_right >= 0
        and 0 <= d.activation < ACTIVATIONS
        and (d.out_h - 1) * d.stride_h + (d.kh - 1) * d.dilation_h < d.h + d.pad_top + d.pad_bottom
        and (d.out_w - 1) * d.stride_w + (d.kw - 1) * d.dilation_w < d.w + d.pad_left + d.pad_right)


cdef bint is_pointwise(const conv2d_t *d) noexcept nogil:
    """1x1, stride 1, no padding: the image itself is the matrix."""
    return (
        d.kh == 1 and d.kw == 1 and d.stride_h == 1 and d.stride_w == 1 and d.pad_top == 0 and d.pad_left == 0
        and d.out_h == d.h and d.out_w == d.w)


cdef double conv2d_work(const conv2d_t *d) noexcept nogil:
    """Nanoseconds: 85 % of the peak, and the copies."""
    cdef double k = <double>(d.c // d.groups * d.kh * d.kw), pixels = <double>(d.n * d.out_h * d.out_w)
    return 200 + sizeof(real) * (<double>d.o * k * pixels / 170 + (k * d.groups + <double>d.o) * pixels / 40)


cdef units_t cut_units(const conv2d_t *d, int64_t m, int64_t k, int64_t rows, int64_t columns, int64_t row_elements,
                       int64_t halo, bint packed) noexcept nogil:
    """Cuts groups of m channels by n images by `rows` rows; row_elements: of the padded copy, per row."""
    cdef units_t u
    cdef int64_t budget = BAND_BYTES // <int64_t>sizeof(real), others = d.n * d.groups, wanted
    cdef int64_t products = m * k * rows * columns * others
    u.rows = rows
    if row_elements > 0:
        u.rows = at_most(rows, budget // row_elements - halo)
        if u.rows < halo + 2:
            u.rows = at_most(rows, halo + 2)
    u.bands = chunk_count(rows, u.rows) if u.rows > 0 else 1
    u.m_pieces = 1
    if packed and m * k > PACKED_WEIGHTS:
        u.m_pieces = chunk_count(m * k, PACKED_WEIGHTS)
    wanted = at_most(products // PIECE_PRODUCTS, 8)     # enough for some threads when there are few images
    if others > 0:
        while others * u.bands * u.m_pieces < wanted and u.bands * 2 * (halo + 2) <= rows:
            u.bands *= 2
    u.rows = chunk_count(rows, u.bands)
    u.bands = chunk_count(rows, u.rows) if rows > 0 else 1
    u.per_chunk = 1
    if packed and u.rows * columns > 0:                 # units that share packed weights stay together
        u.per_chunk = at_most(chunk_count(WEIGHT_PIXELS, u.rows * columns), d.n * u.bands)
    while others * u.bands * u.m_pieces < wanted * u.per_chunk and u.m_pieces * 2 * 8 * TILE_ROWS <= m:
        u.m_pieces *= 2
    u.m = chunk_count(chunk_count(m, u.m_pieces), TILE_ROWS) * TILE_ROWS
    u.m_pieces = chunk_count(m, u.m)
    u.units = others * u.bands * u.m_pieces
    wanted = chunk_count(u.units, at_most(chunk_count(products, PIECE_PRODUCTS), CONV_CHUNKS))
    if u.per_chunk < wanted:
        u.per_chunk = wanted
    u.chunks = chunk_count(u.units, u.per_chunk)
    return u


# ---- panels of the implicit matrix, and products with them ----

cdef inline void copy_vectors(const windows_t *b, int64_t k0, int64_t k, const int64_t *source, const int64_t *target,
                              int64_t vectors, real *panel) noexcept nogil:
    cdef int64_t row, v
    cdef const real *from_row
    for row in range(k):
        from_row = b.source + b.offset[k0 + row]
        for v in range(vectors):
            v_store(panel + target[v], v_load(from_row + source[v]))
        panel += TILE_COLUMNS


cdef void pack_windows(const windows_t *b, int64_t k0, int64_t k, int64_t pixel, int64_t count,
                       real *panel) noexcept nogil:
    """panel[i][j] = B[k0 + i][pixel + j] for j < count <= TILE_COLUMNS.

    The runs of pixels are the same in every row: they are cut into vectors once.  Each vector is copied whole; what
    spills over is overwritten by the next vector or the next row.
    """
    cdef int64_t[64] source
    cdef int64_t[64] target
    cdef int64_t vectors = 0, j = 0, run, y = pixel // b.columns, x = pixel % b.columns
    while j < count:
        source[vectors], target[vectors] = y * b.pitch + x, j
        vectors += 1
        run = at_most(VL, b.columns - x)
        j, x = j + run, x + run
        if x == b.columns:
            y, x = y + 1, 0
    if vectors == 2:                # the common counts, unrolled by the compiler
        copy_vectors(b, k0, k, source, target, 2, panel)
    elif vectors == 3:
        copy_vectors(b, k0, k, source, target, 3, panel)
    elif vectors == 4:
        copy_vectors(b, k0, k, source, target, 4, panel)
    else:
        copy_vectors(b, k0, k, source, target, vectors, panel)


cdef void multiply_windows(const weights_t *a, int64_t m, const windows_t *b, int64_t pixels, real *c, int64_t c_row,
                           const epilogue_t *epilogue, real *panels) noexcept nogil:
    """C (m, pixels) = epilogue(A·B) for the first `pixels` columns of the implicit matrix.

    panels: scratch of WINDOW_PANELS panels of WINDOW_K rows, and VL elements.
    """
    multiply_window_run(a, m, b, 0, pixels, c, c_row, epilogue, panels)


cdef void multiply_window_run(const weights_t *a, int64_t m, const windows_t *b, int64_t first, int64_t pixels,
                              real *c, int64_t c_row, const epilogue_t *epilogue, real *panels) noexcept nogil:
    """The columns first … pixels - 1 of the product, to c[row * c_row + column - first]."""
    cdef tile_t t
    cdef epilogue_t finish
    cdef int64_t p0 = first, p1, p, k0, m0, rows
    cdef real *panel
    cdef bint last
    t.c_row = c_row
    t.epilogue = NULL
    if epilogue != NULL:
        finish = epilogue[0]
    while p0 < pixels:
        p1 = at_most(p0 + WINDOW_PANELS * TILE_COLUMNS, pixels)
        k0 = 0
        while True:
            t.k = at_most(b.k - k0, WINDOW_K)
            t.resume = k0 > 0
            last = k0 + WINDOW_K >= b.k
            m0 = 0
            while m0 < m:
                rows = tile_rows(m - m0)
                if a.row:
                    t.a, t.a_row, t.a_col = a.data + m0 * a.row + k0, a.row, 1
                else:
                    t.a, t.a_row, t.a_col = a.data + m0 * b.k + k0 * rows, 1, rows
                if last and epilogue != NULL:
                    t.epilogue = &finish
                    if epilogue.bias != NULL:
                        finish.bias = epilogue.bias + m0
                else:
                    t.epilogue = NULL
                p, panel = p0, panels
                while p < p1:
                    t.columns = at_most(p1 - p, TILE_COLUMNS)
                    t.c = c + m0 * c_row + p - first
                    t.b, t.b_row, t.b_offset, t.b_columns = panel, TILE_COLUMNS, NULL, TILE_COLUMNS
                    t.panel = NULL
                    if m0 == 0:
                        if p % b.columns + t.columns <= b.columns:      # one run: the first tile cuts the panel
                            t.b = b.source + p // b.columns * b.pitch + p % b.columns
                            t.b_offset = b.offset + k0
                            t.b_columns = t.columns if b.exact else TILE_COLUMNS
                            t.panel = panel if m > TILE_ROWS else NULL
                        else:
                            pack_windows(b, k0, t.k, p, t.columns, panel)
                    run_tile(&t, rows)
                    p += TILE_COLUMNS
                    panel += WINDOW_K * TILE_COLUMNS
                m0 += rows
            k0 += WINDOW_K
            if last:
                break
        p0 = p1


cdef int64_t panels_elements() noexcept nogil:
    return WINDOW_PANELS * WINDOW_K * TILE_COLUMNS + VL


# ---- the padded band of x, for forward and backward weight ----

ctypedef struct band_t:
    int64_t pitch               # elements from one output row to the next
    int64_t width               # of one phase of a row
    int64_t halo                # rows beyond those of the output
    int64_t phase               # elements of one vertical phase
    int64_t channel             # elements of a channel: stride_h phases


cdef band_t band_of_x(const conv2d_t *d, int64_t rows) noexcept nogil:
    """Layout of a band for `rows` output rows: [channel][phase_h][row][phase_w][width]."""
    cdef band_t b
    b.width = d.out_w + (d.kw - 1) * d.dilation_w // d.stride_w
    b.pitch = b.width * d.stride_w
    b.halo = (d.kh - 1) * d.dilation_h // d.stride_h
    b.phase = (rows + b.halo) * b.pitch
    b.channel = d.stride_h * b.phase
    return b


cdef void copy_band_of_x(const conv2d_t *d, const band_t *b, const real *x, int64_t channels, int64_t row,
                         int64_t rows, real *target) noexcept nogil:
    """The band of output rows row … row + rows - 1 from `channels` planes of x."""
    cdef int64_t channel, phase, r, y
    for channel in range(channels):
        for phase in range(d.stride_h):
            for r in range(rows + b.halo):
                y = (row + r) * d.stride_h + phase - d.pad_top
                if 0 <= y < d.h:
                    split_row(x + (channel * d.h + y) * d.w, d.w, d.pad_left, d.stride_w, 0,
                              target + channel * b.channel + phase * b.phase + r * b.pitch, b.width)
                else:
                    fill_row(target + channel * b.channel + phase * b.phase + r * b.pitch, b.pitch, 0)


cdef void window_offsets(const conv2d_t *d, const band_t *b, int64_t first, int64_t count, int64_t *offset) noexcept nogil:
    """Offsets of the rows k = (c, ky, kx) first … first + count - 1, from the channel of the first."""
    cdef int64_t taps = d.kh * d.kw, k, c, ky, kx
    for k in range(first, first + count):
        c, ky, kx = k // taps - first // taps, k % taps // d.kw * d.dilation_h, k % d.kw * d.dilation_w
        offset[k - first] = (c * b.channel + ky % d.stride_h * b.phase + ky // d.stride_h * b.pitch
                             + kx % d.stride_w * b.width + kx // d.stride_w)


cdef int64_t band_elements(const band_t *b, int64_t channels) noexcept nogil:
    """Elements of a band, with room for vectors that start at its last pixel."""
    return channels * b.channel + 2 * TILE_COLUMNS


# ---- forward ----

cdef units_t forward_units(const conv2d_t *d) noexcept nogil:
    cdef band_t b = band_of_x(d, 1)
    cdef int64_t c = d.c // d.groups
    return cut_units(d, d.o // d.groups, c * d.kh * d.kw, d.out_h, d.out_w,
                     0 if is_pointwise(d) else c * d.stride_h * b.pitch, b.halo, False)


cdef void conv2d_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef units_t u
    cdef band_t b
    cdef int64_t c
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if not conv2d_is_valid(d):
        return
    u, c = forward_units(d), d.c // d.groups
    b = band_of_x(d, u.rows)
    out.chunks = u.chunks
    out.scratch = 8 * c * d.kh * d.kw + <int64_t>sizeof(real) * (
        panels_elements() + (0 if is_pointwise(d) else band_elements(&b, c)))
    out.work = conv2d_work(d)


cdef int conv2d_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = activation(x * w + bias), cross-correlation as in PyTorch.

    Operands: x (n, c, h, w), w (o, c/groups, kh, kw), [bias (o)]  IN; y (n, o, out_h, out_w)  OUT.
    """
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef units_t u = forward_units(d)
    cdef int64_t c = d.c // d.groups, o = d.o // d.groups, k = c * d.kh * d.kw
    cdef int64_t unit, last, image, group, m, row, rows
    cdef int64_t *offset = <int64_t *>scratch
    cdef real *panels = <real *>(offset + k)
    cdef real *copy = panels + panels_elements()
    cdef bint pointwise = is_pointwise(d)
    cdef band_t band = band_of_x(d, u.rows)
    cdef windows_t b
    cdef weights_t a
    cdef epilogue_t epilogue
    cdef const real *x
    b.offset, b.k, b.pitch, b.columns, b.exact = offset, k, band.pitch, d.out_w, pointwise
    if pointwise:
        for row in range(k):
            offset[row] = row * d.h * d.w
        b.columns = d.h * d.w
    else:
        window_offsets(d, &band, 0, k, offset)
    a.row = k
    epilogue.bias_row, epilogue.bias_col, epilogue.activation = 1, 0, d.activation
    unit = chunk * u.per_chunk
    last = at_most(unit + u.per_chunk, u.units)
    while unit < last:
        row = unit % u.bands * u.rows
        rows = at_most(d.out_h - row, u.rows)
        image = unit // u.bands % d.n
        m = unit // (u.bands * d.n) % u.m_pieces * u.m
        group = unit // (u.bands * d.n * u.m_pieces)
        x = <const real *>operands[0] + (image * d.c + group * c) * d.h * d.w
        if pointwise:
            b.source = x + row * d.w
        else:
            copy_band_of_x(d, &band, x, c, row, rows, copy)
            b.source = copy
        a.data = <const real *>operands[1] + (group * o + m) * k
        epilogue.bias = <const real *>operands[2] + group * o + m if d.bias else NULL
        multiply_windows(
            &a, at_most(o - m, u.m), &b, rows * d.out_w,
            <real *>operands[2 + d.bias] + ((image * d.o + group * o + m) * d.out_h + row) * d.out_w,
            d.out_h * d.out_w, &epilogue if d.bias or d.activation else NULL, panels)
        unit += 1
    return MN_OK


# ---- backward input ----
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
    while p0 < pixels:
        p1 = at_most(p0 + width, pixels)
        multiply_window_run(a, m, b, p0, p1, results, width, NULL, panels)
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
                    multiply_windows(&a, m, &b, pixels, dx + (ys.begin - d.pad_top) * d.w, d.h * d.w, NULL, panels)
                else:
                    multiply_phase(d, &a, m, &b, (ys.end - ys.begin) * b.columns,
                                   dx + (ys.begin * d.stride_h + phase_h - d.pad_top) * d.w
                                   + xs.begin * d.stride_w + phase_w - d.pad_left, panels, results)
        packed = piece
        unit += 1
    return MN_OK


# ---- backward weight ----

# Units: a group of channels, a piece of the columns k = (c, ky, kx), a group of images; chunks are runs of units.
ctypedef struct weight_units_t:
    int64_t columns, column_pieces
    int64_t images, image_groups
    int64_t rows, bands
    int64_t units, per_chunk, chunks


cdef int64_t channels_of_columns(const conv2d_t *d, int64_t columns) noexcept nogil:
    """The most input channels that a piece of so many columns touches."""
    return at_most(columns // (d.kh * d.kw) + 2, d.c // d.groups)


cdef weight_units_t backward_weight_units(const conv2d_t *d) noexcept nogil:
    cdef weight_units_t u
    cdef band_t b = band_of_x(d, 1)
    cdef int64_t k = d.c // d.groups * d.kh * d.kw, row_elements, wanted
    cdef int64_t products = d.o * k * d.n * d.out_h * d.out_w
    wanted = at_most(products // PIECE_PRODUCTS, 2 * WEIGHT_GROUPS)
    u.column_pieces = 1
    while d.groups * u.column_pieces < wanted and u.column_pieces * 8 * TILE_COLUMNS <= k:
        u.column_pieces *= 2
    u.columns = chunk_count(chunk_count(k, u.column_pieces), TILE_COLUMNS) * TILE_COLUMNS
    u.column_pieces = chunk_count(k, u.columns)
    u.image_groups = 1
    if d.groups * u.column_pieces < wanted and d.n > 0:
        u.image_groups = at_most(at_most(d.n, WEIGHT_GROUPS), chunk_count(wanted, d.groups * u.column_pieces))
    u.images = chunk_count(d.n, u.image_groups)
    u.image_groups = chunk_count(d.n, u.images)
    row_elements = channels_of_columns(d, u.columns) * d.stride_h * b.pitch
    u.rows = d.out_h
    if row_elements > 0:
        u.rows = at_most(d.out_h, BAND_BYTES // <int64_t>sizeof(real) // row_elements - b.halo)
        u.rows = u.rows if u.rows >= b.halo + 2 else at_most(d.out_h, b.halo + 2)
    u.bands = chunk_count(d.out_h, u.rows) if u.rows > 0 else 1
    u.units = d.groups * u.column_pieces * u.image_groups
    u.per_chunk = chunk_count(u.units, wanted if wanted > 0 else 1)
    u.chunks = chunk_count(u.units, u.per_chunk)
    return u


cdef void conv2d_backward_weight_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef weight_units_t u
    cdef band_t b
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if not conv2d_is_valid(d):
        return
    u = backward_weight_units(d)
    b = band_of_x(d, u.rows)
    out.chunks = u.chunks
    out.scratch = 8 * u.columns + <int64_t>sizeof(real) * (
        2 * WINDOW_K * TILE_COLUMNS + 2 * VL
        + (0 if is_pointwise(d) else band_elements(&b, channels_of_columns(d, u.columns))))
    if u.image_groups > 1:
        out.shared = u.image_groups * d.o * (d.c // d.groups) * d.kh * d.kw * <int64_t>sizeof(real)
        out.finish = 1
    out.work = conv2d_work(d)


cdef void gather_pixels(const windows_t *b, int64_t k, int64_t columns, int64_t pixel, int64_t count, real *rows,
                        real *panel) noexcept nogil:
    """panel[p][j] = B[k + j][pixel + p]: `columns` rows of the implicit matrix, transposed.  rows: scratch for them."""
    cdef int64_t j, i, x, t, run, placed
    cdef const real *source
    for j in range(columns):
        i, x, placed = pixel // b.columns, pixel % b.columns, 0
        while placed < count:
            source = b.source + b.offset[k + j] + i * b.pitch + x
            run = at_most(b.columns - x, count - placed)
            t = 0
            while t < run:
                v_store(rows + j * WINDOW_K + placed + t, v_load(source + t))
                t += VL
            placed += run
            i, x = i + 1, 0
    transpose_into(rows, WINDOW_K, columns, count, panel, TILE_COLUMNS)


cdef void add_weight_gradient(const conv2d_t *d, const windows_t *b, int64_t columns, const real *dy, int64_t pixels,
                              bint resume, real *dw, real *scratch) noexcept nogil:
    """dw[o][k] (+)= sum over the pixels of a band of dy[o][p] * B[k][p], for `columns` columns k.

    scratch: a panel, and the rows it is transposed from.
    """
    cdef tile_t t
    cdef int64_t p0 = 0, k, m0, rows, m = d.o // d.groups
    cdef real *gathered = scratch + WINDOW_K * TILE_COLUMNS
    t.a_row, t.a_col, t.b_row, t.b_offset = d.out_h * d.out_w, 1, TILE_COLUMNS, NULL
    t.b, t.b_columns, t.panel, t.epilogue = scratch, TILE_COLUMNS, NULL, NULL
    t.c_row = d.c // d.groups * d.kh * d.kw
    while True:
        t.k = at_most(pixels - p0, WINDOW_K)
        t.resume = resume or p0 > 0
        k = 0
        while k < columns:
            t.columns = at_most(columns - k, TILE_COLUMNS)
            if b.exact:
                transpose_into(b.source + b.offset[k] + p0, d.h * d.w, t.columns, t.k, scratch, TILE_COLUMNS)
            else:
                gather_pixels(b, k, t.columns, p0, t.k, gathered, scratch)
            m0 = 0
            while m0 < m:
                rows = tile_rows(m - m0)
                t.a = dy + m0 * t.a_row + p0
                t.c = dw + m0 * t.c_row + k
                run_tile(&t, rows)
                m0 += rows
            k += TILE_COLUMNS
        p0 += WINDOW_K
        if p0 >= pixels:
            break


cdef int conv2d_backward_weight(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dw = the gradient of sum(y * dy) by the weights; bias and activation of the descriptor play no part.

    Operands: x (n, c, h, w), dy (n, o, out_h, out_w)  IN; dw (o, c/groups, kh, kw)  OUT; with several groups of
    images: their gradients (groups, o, c/groups, kh, kw)  SHARED.
    """
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef weight_units_t u = backward_weight_units(d)
    cdef int64_t c = d.c // d.groups, o = d.o // d.groups, taps = d.kh * d.kw, k = c * taps
    cdef int64_t unit, last, group, first, columns, image, images, row, rows, channel, i
    cdef int64_t *offset = <int64_t *>scratch
    cdef real *panel = <real *>(offset + u.columns)
    cdef real *copy = panel + 2 * WINDOW_K * TILE_COLUMNS + 2 * VL
    cdef bint pointwise = is_pointwise(d)
    cdef band_t band = band_of_x(d, u.rows)
    cdef windows_t b
    cdef const real *x
    cdef const real *dy
    cdef real *dw
    if chunk == u.chunks:
        sum_parts(<const real *>operands[3], u.image_groups, d.o * k, <real *>operands[2])
        return MN_OK
    b.offset, b.pitch, b.columns, b.exact = offset, band.pitch, d.out_w, pointwise
    unit = chunk * u.per_chunk
    last = at_most(unit + u.per_chunk, u.units)
    while unit < last:
        image = unit % u.image_groups * u.images
        images = at_most(image + u.images, d.n)
        first = unit // u.image_groups % u.column_pieces * u.columns
        columns = at_most(k - first, u.columns)
        group = unit // (u.image_groups * u.column_pieces)
        channel = first // taps
        dw = <real *>operands[2]
        if u.image_groups > 1:
            dw = <real *>operands[3] + unit % u.image_groups * d.o * k
        dw += group * o * k + first
        if pointwise:
            for i in range(columns):
                offset[i] = i * d.h * d.w
        else:
            window_offsets(d, &band, first, columns, offset)
        if image >= images or d.out_h * d.out_w == 0:       # no pixels at all
            for i in range(o):
                fill_row(dw + i * k, columns, 0)
        for i in range(image, images if columns > 0 else image):
            x = <const real *>operands[0] + (i * d.c + group * c + channel) * d.h * d.w
            dy = <const real *>operands[1] + (i * d.o + group * o) * d.out_h * d.out_w
            for row in range(u.bands):
                rows = at_most(d.out_h - row * u.rows, u.rows)
                if pointwise:
                    b.source = x + row * u.rows * d.w
                else:
                    copy_band_of_x(d, &band, x, (first + columns - 1) // taps - channel + 1, row * u.rows, rows, copy)
                    b.source = copy
                add_weight_gradient(d, &b, columns, dy + row * u.rows * d.out_w, rows * d.out_w,
                                    i > image or row > 0, dw, panel)
        unit += 1
    return MN_OK


cdef void sum_parts(const real *parts, int64_t count, int64_t n, real *total) noexcept nogil:
    """total (n) = parts[0] + parts[1] + … in this order."""
    cdef int64_t i = 0, part, lanes
    cdef vec v
    while i < n:
        lanes = at_most(n - i, VL)
        v = v_load_partial(parts + i, <int>lanes)
        for part in range(1, count):
            v = v + v_load_partial(parts + part * n + i, <int>lanes)
        v_store_partial(total + i, v, <int>lanes)
        i += VL


cdef int add_conv2d_fields(const conv2d_t *d) except -1:
    add_integers("n", &d.n, 1)
    add_integers("c", &d.c, 1)
    add_integers("h", &d.h, 1)
    add_integers("w", &d.w, 1)
    add_integers("o", &d.o, 1)
    add_integers("kh", &d.kh, 1)
    add_integers("kw", &d.kw, 1)
    add_integers("stride_h", &d.stride_h, 1)
    add_integers("stride_w", &d.stride_w, 1)
    add_integers("pad_top", &d.pad_top, 1)
    add_integers("pad_bottom", &d.pad_bottom, 1)
    add_integers("pad_left", &d.pad_left, 1)
    add_integers("pad_right", &d.pad_right, 1)
    add_integers("dilation_h", &d.dilation_h, 1)
    add_integers("dilation_w", &d.dilation_w, 1)
    add_integers("groups", &d.groups, 1)
    add_integers("out_h", &d.out_h, 1)
    add_integers("out_w", &d.out_w, 1)
    add_integers("bias", &d.bias, 1)
    add_integers("activation", &d.activation, 1)
    return 0


cdef int register_conv2d() except -1:
    cdef conv2d_t d
    add_kernel("conv2d_forward", conv2d_forward, conv2d_forward_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    add_kernel("conv2d_backward_input", conv2d_backward_input, conv2d_backward_input_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    add_kernel("conv2d_backward_weight", conv2d_backward_weight, conv2d_backward_weight_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    return 0
