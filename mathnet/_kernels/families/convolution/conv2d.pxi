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

cdef extern from *:
    void prefetch "__builtin_prefetch"(const void *address) noexcept nogil

cdef enum:
    CACHE_LINE = 64
    WINDOW_K = 256              # rows of a panel: 16 KB with AVX2
    LEAST_CHANNELS = 48         # of the output in a piece
    WINDOW_PANELS = 4           # panels side by side, so that weights come from memory once per 64 pixels
    BAND_BYTES = 1 << 18        # a padded band stays in the second-level cache
    PACKED_WEIGHTS = 1 << 18    # elements of weights that one chunk packs
    WEIGHT_PIXELS = 512         # pixels per chunk that make packing weights worth while
    CONV_CHUNKS = 64            # at most


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
    while others * u.bands * u.m_pieces < wanted * u.per_chunk and u.m_pieces * 2 * LEAST_CHANNELS <= m:
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


# Rows of the implicit matrix on their way to the first-level cache while other rows are multiplied.
ctypedef struct ahead_t:
    const real *source
    const int64_t *offset
    int64_t rows, done
    int64_t share               # rows for each tile


cdef ahead_t rows_ahead(const windows_t *b, int64_t k, int64_t pixel, int64_t pixels, int64_t tiles) noexcept nogil:
    """The block after row k and pixel, in shares for so many tiles: the planes of a picture lie too far apart for the
    processor to guess them.  Nothing where the block is a copy, which is near already, or where no tile follows."""
    cdef ahead_t a
    a.done = a.rows = a.share = 0
    a.source, a.offset = b.source + pixel, b.offset + k
    if b.exact and pixel < pixels and tiles > 0:
        a.rows = at_most(b.k - k, WINDOW_K)
        a.share = chunk_count(a.rows, tiles)
    return a


cdef inline void fetch_share(ahead_t *a) noexcept nogil:
    cdef int64_t last = at_most(a.done + a.share, a.rows), column
    while a.done < last:
        column = 0
        while column < WINDOW_PANELS * TILE_COLUMNS:
            prefetch(a.source + a.offset[a.done] + column)
            column += CACHE_LINE // <int64_t>sizeof(real)
        a.done += 1


cdef void multiply_windows(const weights_t *a, int64_t m, const windows_t *b, int64_t first, int64_t pixels,
                           real *c, int64_t c_row, const epilogue_t *epilogue, real *panels) noexcept nogil:
    """Columns first … pixels - 1 of epilogue(A·B) for the implicit matrix B, to c[row * c_row + column - first].

    panels: scratch of panels_elements() elements.
    """
    if m == 1 and not b.exact:
        multiply_window_row(a, b, first, pixels, c, epilogue)
        return
    cdef tile_t t
    cdef epilogue_t finish
    cdef int64_t p0 = first, p1, p, k0, m0, rows, tiles
    cdef real *panel
    cdef ahead_t ahead
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
            tiles = (chunk_count(m, TILE_ROWS) - 1) * chunk_count(p1 - p0, TILE_COLUMNS)
            if last:
                ahead = rows_ahead(b, 0, p1, pixels, tiles)
            else:
                ahead = rows_ahead(b, k0 + WINDOW_K, p0, pixels, tiles)
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
                    else:
                        fetch_share(&ahead)
                    run_tile(&t, rows)
                    p += TILE_COLUMNS
                    panel += WINDOW_K * TILE_COLUMNS
                m0 += rows
            k0 += WINDOW_K
            if last:
                break
        p0 = p1


cdef void multiply_window_row(const weights_t *a, const windows_t *b, int64_t first, int64_t pixels, real *c,
                              const epilogue_t *epilogue) noexcept nogil:
    """One row of weights (a depthwise convolution): strips of pixels straight from the copy, no panels."""
    cdef tile_t t
    cdef int64_t p = first, x, run
    t.k, t.resume, t.epilogue = b.k, 0, epilogue
    t.a, t.a_row, t.a_col, t.c_row = a.data, 0, 1, 0
    t.b_row, t.b_offset, t.b_columns, t.panel = 0, b.offset, TILE_COLUMNS, NULL
    while p < pixels:
        x = p % b.columns
        run = at_most(b.columns - x, pixels - p)
        t.b, t.c = b.source + p // b.columns * b.pitch + x, c + p - first
        if run >= STRIP_COLUMNS:
            run_strip(&t)
            p += STRIP_COLUMNS
        elif run >= STRIP_COLUMNS // 2:
            run_half_strip(&t)
            p += STRIP_COLUMNS // 2
        else:
            t.columns = at_most(run, TILE_COLUMNS)
            run_tile(&t, 1)
            p += t.columns


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


cdef inline bint is_phase_of_taps(int64_t phase, int64_t taps, int64_t dilation, int64_t stride) noexcept nogil:
    """Whether any tap lies in this phase of the stride."""
    cdef int64_t tap
    for tap in range(taps):
        if tap * dilation % stride == phase:
            return True
    return False


cdef void copy_band_of_x(const conv2d_t *d, const band_t *b, const real *x, int64_t channels, int64_t row,
                         int64_t rows, real *target) noexcept nogil:
    """The band of output rows row … row + rows - 1 from `channels` planes of x."""
    cdef int64_t channel, phase, r, y
    for channel in range(channels):
        for phase in range(d.stride_h):
            if not is_phase_of_taps(phase, d.kh, d.dilation_h, d.stride_h):
                continue
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
            &a, at_most(o - m, u.m), &b, 0, rows * d.out_w,
            <real *>operands[2 + d.bias] + ((image * d.o + group * o + m) * d.out_h + row) * d.out_w,
            d.out_h * d.out_w, &epilogue if d.bias or d.activation else NULL, panels)
        unit += 1
    return MN_OK


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
