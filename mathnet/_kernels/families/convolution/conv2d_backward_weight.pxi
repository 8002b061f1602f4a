# Gradient of a convolution by its weights, as a product over pixels (see conv2d.pxi).
#
# Panels of the implicit matrix are transposed in registers; with few output channels, vectors run along the pixels
# instead (dot products, summed over the lanes at the end).

cdef extern from "tile.h":
    enum:
        DOTS "MN_DOTS"
    ctypedef struct dots_t "mn_dots":
        const real *x
        const real *y
        const int64_t *offset
        int64_t x_row, y_row
        int64_t rows, columns
        real *sum
    void run_dots "mn_dots_run"(const dots_t *d, int64_t count) noexcept nogil

cdef enum:
    WEIGHT_GROUPS = 8           # groups of images with gradients of their own
    FEW_CHANNELS = 3            # output channels of a group up to which gradients are dot products


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


cdef int64_t weight_scratch_elements(const conv2d_t *d, int64_t columns) noexcept nogil:
    """A panel and the rows it is transposed from; or the lanes of dot products."""
    if d.o // d.groups <= FEW_CHANNELS:
        return d.o // d.groups * columns * VL
    return 2 * WINDOW_K * TILE_COLUMNS + 2 * VL


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
        weight_scratch_elements(d, u.columns)
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


cdef void add_weight_dots(const conv2d_t *d, const windows_t *b, int64_t columns, const real *dy, int64_t rows,
                          real *sums) noexcept nogil:
    """The same for few output channels, vectors along the pixels: sums[o][k][lane] += the products of a band."""
    cdef dots_t dots
    cdef int64_t o, k
    dots.x, dots.x_row, dots.y_row = b.source, b.pitch, d.out_w
    dots.rows, dots.columns = rows, d.out_w
    if b.exact:                                 # rows follow each other without a gap
        dots.rows, dots.columns = 1, rows * d.out_w
    for o in range(d.o // d.groups):
        dots.y = dy + o * d.out_h * d.out_w
        k = 0
        while k < columns:
            dots.offset, dots.sum = b.offset + k, sums + (o * columns + k) * VL
            run_dots(&dots, at_most(columns - k, DOTS))
            k += DOTS


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
    cdef real *panel = <real *>(offset + u.columns)     # or sums of dot products
    cdef real *copy = panel + weight_scratch_elements(d, u.columns)
    cdef bint pointwise = is_pointwise(d), dots = o <= FEW_CHANNELS
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
        if dots:
            fill_row(panel, o * columns * VL, 0)
        elif image >= images or d.out_h * d.out_w == 0:     # no pixels at all
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
                if dots:
                    add_weight_dots(d, &b, columns, dy + row * u.rows * d.out_w, rows, panel)
                else:
                    add_weight_gradient(d, &b, columns, dy + row * u.rows * d.out_w, rows * d.out_w,
                                        i > image or row > 0, dw, panel)
        if dots:
            for row in range(o):
                for i in range(columns):
                    dw[row * k + i] = v_hsum(v_load(panel + (row * columns + i) * VL))
        unit += 1
    return MN_OK


cdef void sum_parts(const real *parts, int64_t count, int64_t n, real *total) noexcept nogil:
    """total (n) = parts[0] + parts[1] + … in this order."""
    sum_some_of_parts(parts, count, n, 0, n, total)


cdef void sum_some_of_parts(const real *parts, int64_t count, int64_t n, int64_t first, int64_t last,
                            real *total) noexcept nogil:
    """The same for elements `first` … `last` - 1."""
    cdef int64_t i = first, part, lanes
    cdef vec v
    while i < last:
        lanes = at_most(last - i, VL)
        v = v_load_partial(parts + i, <int>lanes)
        for part in range(1, count):
            v = v + v_load_partial(parts + part * n + i, <int>lanes)
        v_store_partial(total + i, v, <int>lanes)
        i += VL
