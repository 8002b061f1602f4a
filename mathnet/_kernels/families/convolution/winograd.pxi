# Convolution with 3x3 kernels, stride 1, by Winograd's minimal filtering (winograd.h): forward and backward input.
#
#   V[point][tile][c]  = transformed input           M[point][tile][o] = sum over c of V[point][tile][c] * U[point][c][o]
#   U[point][c][o]     = transformed weights         y = the transform of M
#
# A tile of 4x4 outputs takes 36 products instead of 144.  Sizes that 4 does not divide end with tiles of 3, which
# share the weights: 14 = 4+4+3+3, 7 = 4+3.  At 64 channels and 56x56 pixels an AVX2 core delivers 250 GFLOP/s, counted as
# direct arithmetic.
#
# Work goes in blocks of some hundred tiles: V of a block for all channels, then, for every two vectors of output
# channels, their U, the 36 products and the output, so that nothing outgrows the caches.  Every element of M is one chain
# over c, and tiles never share an image: the bits of an example do not depend on the batch or on the cut into blocks.
#
# A tile mixes its inputs, so NaN and infinity reach every output of the tiles that see them, the latter perhaps as NaN.

cdef extern from "winograd.h":
    enum:
        POINTS "MN_POINTS"
        MISSING_POINT "MN_MISSING"
        POINTS_2D "MN_POINTS_2D"
        TAPS "MN_TAPS"
        TAPS_2D "MN_TAPS_2D"
    ctypedef struct tile_row_t "mn_tile_row":
        int64_t fours, threes
        int64_t begin, end
        const real **line
        real *columns
        real **point
        int64_t tile
    void winograd_input "mn_winograd_input"(const tile_row_t *r, int64_t height) noexcept nogil
    void winograd_gradient "mn_winograd_gradient"(const tile_row_t *r, int64_t height) noexcept nogil
    void winograd_output "mn_winograd_output"(const tile_row_t *r, int64_t height, real *y, int64_t y_row) noexcept nogil
    void winograd_weights "mn_winograd_weights"(const real *taps, int64_t count, int rotated, real *points,
                                                int64_t point_stride, int64_t step) noexcept nogil
    void taps_of_kernels "mn_taps_of_kernels"(const real *w, int64_t lanes, real *taps) noexcept nogil
    void finish_pixels "mn_finish_pixels"(real *pixels, int64_t count, const real *bias,
                                          int64_t activation) noexcept nogil
    void planes_of_pixels "mn_planes_of_pixels"(const real *pixels, int64_t count, int64_t channels, real *plane,
                                                int64_t plane_stride) noexcept nogil

cdef enum:
    BLOCK_TILES = 96                # tiles of a block
    LARGE_BLOCK_TILES = 256         # the same where there are more weights than LARGE_WEIGHTS, as each block transforms them
    LARGE_WEIGHTS = 1 << 15
    SEGMENT_TILES = 128             # tiles of a row beyond which rows are cut
    WINOGRAD_PIECES = 4             # chunks that are worth transforming the input again for some of the outputs
    PIECE_OUTPUTS = 32              # the fewest outputs of such a piece
    TAPS_AT_ONCE = 32               # kernels by VL that are transposed at a time
    LINE_BYTES = 64


# The tiles along one axis: first those of 4 outputs, then those of 3.
ctypedef struct tiles_t:
    int64_t fours, threes


# A correlation with 3x3 kernels: y[o][i] = sum over c and taps t of x[c][i + t - (top, left)] * w[o][c][t].
ctypedef struct winograd_t:
    int64_t n, groups
    int64_t c, h, w                 # x (n, groups * c, h, w)
    int64_t o, out_h, out_w         # y (n, groups * o, out_h, out_w)
    int64_t top, left               # may be negative
    tiles_t ys, xs
    int64_t segment, segments       # tiles of a piece of a row of tiles
    int64_t rows, blocks            # rows of tiles of a block; more than one only where rows are not cut
    int64_t outputs, pieces         # output channels of a piece


cdef tiles_t cut_tiles(int64_t size) noexcept nogil:
    """The tiles with the fewest points that cover `size` outputs."""
    cdef tiles_t t, best
    cdef int64_t threes
    best.fours, best.threes = chunk_count(size, 4), 0
    for threes in range(1, 4):
        t.threes = threes
        t.fours = (size - 3 * threes + 3) // 4 if size > 3 * threes else 0
        if 6 * t.fours + 5 * t.threes < 6 * best.fours + 5 * best.threes:
            best = t
    return best


cdef inline int64_t tile_begin(const tiles_t *t, int64_t tile) noexcept nogil:
    """The first output of a tile."""
    return 4 * tile - (tile - t.fours if tile > t.fours else 0)


cdef inline int64_t fours_of_segment(const winograd_t *g, int64_t segment) noexcept nogil:
    cdef int64_t first = segment * g.segment
    return at_most(g.xs.fours - first, g.segment) if g.xs.fours > first else 0


cdef inline int64_t tiles_of_segment(const winograd_t *g, int64_t segment) noexcept nogil:
    return at_most(g.xs.fours + g.xs.threes - segment * g.segment, g.segment)


cdef inline int64_t tall_rows_before(const winograd_t *g, int64_t row) noexcept nogil:
    """How many of the first rows of tiles, counted over all images, are 4 pixels high."""
    cdef int64_t rows = g.ys.fours + g.ys.threes
    return row // rows * g.ys.fours + at_most(row % rows, g.ys.fours)


cdef void cut_blocks(winograd_t *g, int64_t wanted) noexcept nogil:
    """Tiles of a correlation whose sizes are set, and blocks of about `wanted` tiles."""
    cdef int64_t tiles, rows
    g.ys, g.xs = cut_tiles(g.out_h), cut_tiles(g.out_w)
    tiles, rows = g.xs.fours + g.xs.threes, g.n * (g.ys.fours + g.ys.threes)
    g.segments = chunk_count(tiles, SEGMENT_TILES)
    g.segment = chunk_count(tiles, g.segments)
    g.segments = chunk_count(tiles, g.segment)
    g.rows, g.blocks = 1, rows * g.segments
    if g.segments == 1:
        g.blocks = chunk_count(rows, wanted // tiles if wanted > tiles else 1)
        g.rows = chunk_count(rows, g.blocks)
        g.blocks = chunk_count(rows, g.rows)


cdef inline int64_t all_tiles(const winograd_t *g) noexcept nogil:
    return g.n * (g.ys.fours + g.ys.threes) * (g.xs.fours + g.xs.threes)


cdef void cut_outputs(winograd_t *g) noexcept nogil:
    """Blocks, and pieces of the output channels where there are few blocks."""
    cdef int64_t wanted
    cut_blocks(g, LARGE_BLOCK_TILES if g.c * g.o > LARGE_WEIGHTS else BLOCK_TILES)
    wanted = at_most(POINTS_2D * g.groups * g.c * g.o * all_tiles(g) // PIECE_PRODUCTS, WINOGRAD_PIECES)
    g.pieces = 1
    while g.groups * g.blocks * g.pieces < wanted and 2 * g.pieces * PIECE_OUTPUTS <= g.o:
        g.pieces *= 2
    g.outputs = chunk_count(chunk_count(g.o, g.pieces), TILE_COLUMNS) * TILE_COLUMNS
    g.pieces = chunk_count(g.o, g.outputs)


cdef winograd_t winograd_forward_of(const conv2d_t *d) noexcept nogil:
    cdef winograd_t g
    g.n, g.groups = d.n, d.groups
    g.c, g.h, g.w = d.c // d.groups, d.h, d.w
    g.o, g.out_h, g.out_w = d.o // d.groups, d.out_h, d.out_w
    g.top, g.left = d.pad_top, d.pad_left
    cut_outputs(&g)
    return g


cdef winograd_t winograd_backward_input_of(const conv2d_t *d) noexcept nogil:
    """dx as a correlation of dy with the kernels turned by half a turn."""
    cdef winograd_t g
    g.n, g.groups = d.n, d.groups
    g.c, g.h, g.w = d.o // d.groups, d.out_h, d.out_w
    g.o, g.out_h, g.out_w = d.c // d.groups, d.h, d.w
    g.top, g.left = TAPS - 1 - d.pad_top, TAPS - 1 - d.pad_left
    cut_outputs(&g)
    return g


cdef bint is_winograd(const conv2d_t *d) noexcept nogil:
    return (
        conv2d_is_valid(d) and d.kh == TAPS and d.kw == TAPS and d.stride_h == 1 and d.stride_w == 1
        and d.dilation_h == 1 and d.dilation_w == 1 and d.c > 0 and d.h > 0 and d.w > 0 and d.out_h > 0 and d.out_w > 0)


# ---- scratch memory ----

cdef inline int64_t padded_row(int64_t channels) noexcept nogil:
    """Elements from one tile to the next: an odd number of cache lines, so that tiles spread over the sets of a cache."""
    cdef int64_t line = LINE_BYTES // <int64_t>sizeof(real)
    return (chunk_count(channels, line) | 1) * line


cdef inline int64_t point_distance(int64_t elements) noexcept nogil:
    """Elements from one point to the next: never a multiple of a page, at which writes to all points would collide."""
    cdef int64_t line = LINE_BYTES // <int64_t>sizeof(real)
    return (chunk_count(elements, 4 * line) * 4 + 1) * line


# Where a worker keeps what it computes, in elements of scratch.
ctypedef struct winograd_scratch_t:
    int64_t v_tile, v_point         # V[point][tile][c]
    int64_t m_point                 # M[point][tile][TILE_COLUMNS]
    int64_t u_point                 # U[point][c][TILE_COLUMNS]
    int64_t m, u, columns, pixels, zeros, taps, bias, elements


cdef inline int64_t pixels_elements(const winograd_t *g, int64_t h, int64_t w) noexcept nogil:
    """Rows of an image (h, w) that one block wants, for the channels of a cache line."""
    return (at_most(4 * g.rows + TAPS - 1, h) * at_most(4 * g.segment + TAPS - 1, w)
            * (LINE_BYTES // <int64_t>sizeof(real)))


cdef winograd_scratch_t winograd_scratch(const winograd_t *g) noexcept nogil:
    cdef winograd_scratch_t s
    cdef int64_t tiles = g.rows * g.segment, pixels
    s.v_tile = padded_row(g.c)
    s.v_point = point_distance(tiles * s.v_tile)
    s.m_point = point_distance(tiles * TILE_COLUMNS)
    s.u_point = point_distance(g.c * TILE_COLUMNS)
    s.m = POINTS_2D * s.v_point
    s.u = s.m + POINTS_2D * s.m_point
    s.columns = s.u + POINTS_2D * s.u_point
    s.pixels = s.columns + POINTS * (4 * g.segment + TAPS - 1) * VL
    pixels = pixels_elements(g, g.h, g.w)           # serves the output too
    s.zeros = s.pixels + (pixels if pixels > 16 * g.segment * VL else 16 * g.segment * VL)
    s.taps = s.zeros + at_most(4 * g.segment + TAPS - 1, g.w) * VL
    s.bias = s.taps + TAPS_2D * TAPS_AT_ONCE * VL
    s.elements = s.bias + TILE_COLUMNS
    return s


cdef void winograd_sizes(const winograd_t *g, mn_sizes *out) noexcept nogil:
    cdef winograd_scratch_t s = winograd_scratch(g)
    cdef double tiles = <double>all_tiles(g) * g.groups
    out.chunks = g.groups * g.blocks * g.pieces
    out.scratch = s.elements * <int64_t>sizeof(real)
    out.shared = out.finish = 0
    # nanoseconds: the products at 85 % of the peak, the transforms of tiles, and of weights per block
    out.work = 200 + sizeof(real) * (
        tiles * (POINTS_2D * <double>g.c * g.o / 160 + 2.0 * (g.c + g.o)) + <double>g.blocks * g.groups * g.c * g.o / 2)


cdef void reject(mn_sizes *out) noexcept nogil:
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0


# ---- V ----

cdef void pixels_of_planes(const real *x, int64_t h, int64_t w, int64_t channels, int64_t row, int64_t rows,
                           int64_t column, int64_t columns, real *pixels) noexcept nogil:
    """pixels[row][column][VL channels] from planes (channels, h, w), channels up to VL."""
    cdef int64_t r
    x += row * w + column
    if columns == w:
        transpose_into(x, h * w, channels, rows * w, pixels, VL)
        return
    for r in range(rows):
        transpose_into(x + r * w, h * w, channels, columns, pixels + r * columns * VL, VL)


cdef void set_tile_row(const winograd_t *g, int64_t block, int64_t row, real *points, int64_t point_stride,
                       int64_t tile, tile_row_t *r) noexcept nogil:
    """The tiles of row `row` of a block, and their places among its points."""
    cdef int64_t segment = block % g.segments, first = block // g.segments * g.rows
    cdef int64_t tiles = tiles_of_segment(g, segment), i, j, tall
    r.fours = fours_of_segment(g, segment)
    r.threes = tiles - r.fours
    r.tile = tile
    tall = tall_rows_before(g, first + row) - tall_rows_before(g, first)
    for i in range(POINTS):
        for j in range(POINTS):
            r.point[i * POINTS + j] = (points + (i * POINTS + j) * point_stride
                                       + (tall if i == MISSING_POINT else row)
                                       * (r.fours if j == MISSING_POINT else tiles) * tile)


cdef inline int64_t tiles_of_point(const winograd_t *g, int64_t block, int64_t point) noexcept nogil:
    """How many tiles of a block have this point."""
    cdef int64_t segment = block % g.segments, first = block // g.segments * g.rows
    cdef int64_t last = at_most(first + g.rows, g.n * (g.ys.fours + g.ys.threes)), rows = last - first
    if point // POINTS == MISSING_POINT:
        rows = tall_rows_before(g, last) - tall_rows_before(g, first)
    return rows * (fours_of_segment(g, segment) if point % POINTS == MISSING_POINT else tiles_of_segment(g, segment))


# What is transformed to points: channels of the images of a correlation, or of the gradients of its outputs.
ctypedef struct planes_t:
    const real *x                   # the first channel of the first image
    int64_t channels
    int64_t image                   # elements from one image to the next
    int64_t h, w
    int64_t top, left               # output i sees rows from i - top on
    bint gradient                   # tiles do not overlap


cdef void transform_planes(const winograd_t *g, const planes_t *p, int64_t block, real *points, int64_t point_stride,
                           int64_t tile, real *columns, real *pixels, real *zeros) noexcept nogil:
    """points[point][tile][channel] of a block.  columns, pixels, zeros: scratch."""
    cdef int64_t rows_of_image = g.ys.fours + g.ys.threes, at_once = LINE_BYTES // <int64_t>sizeof(real)
    cdef int64_t segment = block % g.segments, first = block // g.segments * g.rows
    cdef int64_t last = at_most(first + g.rows, g.n * rows_of_image), overlap = 0 if p.gradient else TAPS - 1
    cdef int64_t c0 = 0, c, row, end, ty, y, y_end, line, i, left, x_begin, x_end, width
    cdef real *of_channels
    cdef tile_row_t r
    set_tile_row(g, block, 0, points, point_stride, tile, &r)
    left = p.left - tile_begin(&g.xs, segment * g.segment)          # columns of the first tile before the image
    x_begin = -left if left < 0 else 0
    x_end = at_most(4 * r.fours + 3 * r.threes + overlap - left, p.w)
    width = x_end - x_begin if x_end > x_begin else 0
    r.columns = columns
    r.begin = x_begin + left if width > 0 else 0
    r.end = r.begin + width
    fill_row(zeros, width * VL, 0)
    while c0 < p.channels:
        row = first
        while row < last:                           # image by image
            ty = row % rows_of_image
            end = at_most(row + rows_of_image - ty, last)
            y = tile_begin(&g.ys, ty) - p.top
            y_end = at_most(tile_begin(&g.ys, ty + end - row) + overlap - p.top, p.h)
            y = y if y > 0 else 0
            c = c0
            while c < p.channels and c < c0 + at_once and y < y_end and width > 0:
                pixels_of_planes(p.x + row // rows_of_image * p.image + c * p.h * p.w, p.h, p.w,
                                 at_most(p.channels - c, VL), y, y_end - y, x_begin, width,
                                 pixels + (c - c0) * (y_end - y) * width)
                c += VL
            while row < end:
                c = c0
                while c < p.channels and c < c0 + at_once:
                    of_channels = pixels + (c - c0) * (y_end - y) * width
                    for i in range(POINTS):
                        line = tile_begin(&g.ys, ty) - p.top + i
                        r.line[i] = of_channels + (line - y) * width * VL if y <= line < y_end else zeros
                    set_tile_row(g, block, row - first, points + c, point_stride, tile, &r)
                    if p.gradient:
                        winograd_gradient(&r, 4 if ty < g.ys.fours else 3)
                    else:
                        winograd_input(&r, 4 if ty < g.ys.fours else 3)
                    c += VL
                row += 1
                ty += 1
        c0 += at_once


cdef planes_t input_planes(const winograd_t *g, const real *x) noexcept nogil:
    """All channels of a group of x (n, groups * c, h, w), which points to the first of them."""
    cdef planes_t p
    p.x, p.channels, p.image = x, g.c, g.groups * g.c * g.h * g.w
    p.h, p.w, p.top, p.left, p.gradient = g.h, g.w, g.top, g.left, False
    return p


# ---- U ----

cdef void transform_weights(const real *w, int64_t o, int64_t c, bint transposed, int64_t first, int64_t outputs,
                            real *taps, real *u, int64_t u_point) noexcept nogil:
    """U[point][k][TILE_COLUMNS] of `outputs` outputs from `first` on, zero in the columns beyond.

    w (o, c, 3, 3)  IN: k are the channels c; or transposed, with rotated kernels: outputs are c and k are the channels o.
    taps: scratch.
    """
    cdef int64_t half = 0, lanes, k, at_once, i
    while half < TILE_COLUMNS:
        lanes = at_most(outputs - half, VL)
        if lanes <= 0:
            break               # the products skip a vector without outputs
        k = 0
        while k < (o if transposed else c):
            at_once = at_most((o if transposed else c) - k, TAPS_AT_ONCE)
            if transposed:
                for i in range(at_once):
                    taps_of_kernels(w + ((k + i) * c + first + half) * TAPS_2D, lanes, taps + i * TAPS_2D * VL)
            else:
                transpose_into(w + ((first + half) * c + k) * TAPS_2D, c * TAPS_2D, lanes, at_once * TAPS_2D, taps, VL)
            winograd_weights(taps, at_once, transposed, u + k * TILE_COLUMNS + half, u_point, TILE_COLUMNS)
            k += at_once
        half += VL


# ---- M and y ----

cdef void multiply_points(const winograd_t *g, const winograd_scratch_t *s, int64_t block, int64_t outputs,
                          const real *v, const real *u, real *m) noexcept nogil:
    """M = V U for every point of a block."""
    cdef tile_t t
    cdef int64_t point, tile, tiles, rows, k
    t.a_row, t.a_col, t.b_row, t.b_offset, t.b_columns = s.v_tile, 1, TILE_COLUMNS, NULL, TILE_COLUMNS
    t.c_row, t.panel, t.epilogue = TILE_COLUMNS, NULL, NULL
    t.columns = TILE_COLUMNS if outputs > VL else VL
    for point in range(POINTS_2D):
        tiles = tiles_of_point(g, block, point)
        k = 0
        while k < g.c:
            t.k, t.resume = at_most(g.c - k, PANEL_K), k > 0
            t.b = u + point * s.u_point + k * TILE_COLUMNS
            tile = 0
            while tile < tiles:
                rows = tile_rows(tiles - tile)
                t.a = v + point * s.v_point + tile * s.v_tile + k
                t.c = m + point * s.m_point + tile * TILE_COLUMNS
                run_tile(&t, rows)
                tile += rows
            k += PANEL_K


cdef void transform_output(const winograd_t *g, const winograd_scratch_t *s, int64_t block, int64_t outputs,
                           const real *bias, int64_t activation, real *y, real *scratch) noexcept nogil:
    """Up to TILE_COLUMNS output channels of a block, to y (n, groups * o, out_h, out_w) from the first of them on."""
    cdef int64_t rows_of_image = g.ys.fours + g.ys.threes
    cdef int64_t segment = block % g.segments, first = block // g.segments * g.rows
    cdef int64_t last = at_most(first + g.rows, g.n * rows_of_image)
    cdef int64_t half = 0, row, ty, height, lanes, i, column, columns, width
    cdef real *pixels = scratch + s.pixels
    cdef real *lane_bias = scratch + s.bias
    cdef real *plane
    cdef tile_row_t r
    column = tile_begin(&g.xs, segment * g.segment)
    while half < outputs:
        lanes = at_most(outputs - half, VL)
        if bias != NULL:
            v_store(lane_bias, v_load_partial(bias + half, <int>lanes))
        for row in range(first, last):
            ty = row % rows_of_image
            set_tile_row(g, block, row - first, scratch + s.m + half, s.m_point, TILE_COLUMNS, &r)
            width = 4 * r.fours + 3 * r.threes
            columns = at_most(g.out_w - column, width)
            winograd_output(&r, 4 if ty < g.ys.fours else 3, pixels, width * VL)
            height = at_most(g.out_h - tile_begin(&g.ys, ty), 4 if ty < g.ys.fours else 3)
            if bias != NULL or activation != NO_ACTIVATION:
                finish_pixels(pixels, height * width, lane_bias if bias != NULL else NULL, activation)
            plane = y + ((row // rows_of_image * g.groups * g.o + half) * g.out_h + tile_begin(&g.ys, ty)) * g.out_w + column
            if width == g.out_w:
                planes_of_pixels(pixels, height * width, lanes, plane, g.out_h * g.out_w)
            else:
                for i in range(height):
                    planes_of_pixels(pixels + i * width * VL, columns, lanes, plane + i * g.out_w, g.out_h * g.out_w)
        half += VL


cdef void winograd_chunk(const winograd_t *g, bint transposed, const real *x, const real *w, const real *bias,
                         int64_t activation, real *y, int64_t chunk, real *scratch) noexcept nogil:
    """One piece of the outputs of one block of tiles of one group."""
    cdef winograd_scratch_t s = winograd_scratch(g)
    cdef planes_t planes
    cdef int64_t block = chunk % g.blocks, piece = chunk // g.blocks % g.pieces, group = chunk // (g.blocks * g.pieces)
    cdef int64_t o = piece * g.outputs, last = at_most(o + g.outputs, g.o), outputs
    planes = input_planes(g, x + group * g.c * g.h * g.w)
    transform_planes(g, &planes, block, scratch, s.v_point, s.v_tile, scratch + s.columns, scratch + s.pixels,
                     scratch + s.zeros)
    w += group * g.o * g.c * TAPS_2D
    while o < last:
        outputs = at_most(last - o, TILE_COLUMNS)
        transform_weights(w, g.c if transposed else g.o, g.o if transposed else g.c, transposed, o, outputs,
                          scratch + s.taps, scratch + s.u, s.u_point)
        multiply_points(g, &s, block, outputs, scratch, scratch + s.u, scratch + s.m)
        transform_output(g, &s, block, outputs, bias + group * g.o + o if bias != NULL else NULL, activation,
                         y + (group * g.o + o) * g.out_h * g.out_w, scratch)
        o += TILE_COLUMNS


cdef void winograd_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_t g
    reject(out)
    if is_winograd(d):
        g = winograd_forward_of(d)
        winograd_sizes(&g, out)


cdef int winograd_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = activation(x * w + bias) with 3x3 kernels and stride 1.

    Operands: x (n, c, h, w), w (o, c/groups, 3, 3), [bias (o)]  IN; y (n, o, out_h, out_w)  OUT.
    """
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_t g = winograd_forward_of(d)
    winograd_chunk(&g, False, <const real *>operands[0], <const real *>operands[1],
                   <const real *>operands[2] if d.bias else NULL, d.activation, <real *>operands[2 + d.bias], chunk,
                   <real *>scratch)
    return MN_OK


cdef void winograd_backward_input_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_t g
    reject(out)
    if is_winograd(d):
        g = winograd_backward_input_of(d)
        winograd_sizes(&g, out)


cdef int winograd_backward_input(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dx = the transpose of the convolution, applied to dy; bias and activation of the descriptor play no part.

    Operands: dy (n, o, out_h, out_w), w (o, c/groups, 3, 3)  IN; dx (n, c, h, w)  OUT.
    """
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_t g = winograd_backward_input_of(d)
    winograd_chunk(&g, True, <const real *>operands[0], <const real *>operands[1], NULL, NO_ACTIVATION,
                   <real *>operands[2], chunk, <real *>scratch)
    return MN_OK


cdef int register_winograd() except -1:
    cdef conv2d_t d
    add_kernel("winograd_forward", winograd_forward, winograd_forward_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    add_kernel("winograd_backward_input", winograd_backward_input, winograd_backward_input_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    add_kernel("winograd_backward_weight", winograd_backward_weight, winograd_backward_weight_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    return 0
