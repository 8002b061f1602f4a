# Tiles of Winograd convolution (winograd.pxi): how outputs are cut, and where the points of a tile stand.
#
# Along each axis outputs are cut into large tiles, then small ones with one output less, then perhaps one with two less.  A
# tile has six places (winograd.h, winograd_phases.h): points, of which smaller tiles lack one or two, and with phases a
# place that holds one row for every output of the tile.  A pair of places, one for each axis, makes a matrix of its own,
# [tile][channel].
#
# A kernel dilated by d sees every d-th pixel: outputs fall apart into lattices, those of the rows a, a + d, a + 2d, …, and in
# them a convolution is an ordinary one.  All lattices of a picture are cut alike, as the first one, which is the largest.
# Lattices of rows are like images, one after the other; a row of tiles has the tiles of all lattices of columns, so that
# whole runs of pixels are turned between planes and lanes.

cdef extern from "winograd_weights.h":
    enum:
        POINTS "MN_POINTS"
        POINTS_2D "MN_POINTS_2D"
        PAIR_MISSING "MN_PAIR_MISSING"
        SINGLE "MN_SINGLE"
        LINES "MN_LINES"
    ctypedef struct tile_row_t "mn_tile_row":
        int64_t large, small, smallest
        int64_t begin, end
        const real **line
        int64_t pixel
        real *columns
        real **point
        int64_t tile
        int64_t single_top, single_left
        int64_t *single_row
    int has_point "mn_has_point"(int points, int place) noexcept nogil
    void winograd_input "mn_winograd_input"(const tile_row_t *r, int64_t taps, int64_t height) noexcept nogil
    void winograd_gradient "mn_winograd_gradient"(const tile_row_t *r, int64_t taps, int64_t height) noexcept nogil
    void winograd_output "mn_winograd_output"(const tile_row_t *r, int64_t taps, int64_t height, real *y,
                                              int64_t y_row) noexcept nogil
    void phases_input "mn_phases_input"(const tile_row_t *r, int64_t height, int64_t step) noexcept nogil
    void phases_gradient "mn_phases_gradient"(const tile_row_t *r, int64_t height) noexcept nogil
    void phases_output "mn_phases_output"(const tile_row_t *r, int64_t height, int64_t apart, real *y,
                                          int64_t y_row) noexcept nogil

cdef enum:
    SEGMENT_TILES = 128             # tiles of a row beyond which rows are cut
    LINE_BYTES = 64


# The tiles along one axis of a lattice: first the large ones, then those with one output less, then those with two less.
ctypedef struct tiles_t:
    int64_t outputs                 # of a large tile
    int64_t large, small, smallest


# A correlation with kernels of taps x taps: y[o][i] = sum over c and taps t of
# x[c][stride * i + step * t - (top, left)] * w[o][c][t]; or, apart, the transpose of one with stride 2, whose tiles hold
# pairs of rows and columns of y.  With phases there is one lattice.
ctypedef struct winograd_t:
    int64_t n, groups
    int64_t c, h, w                 # x (n, groups * c, h, w)
    int64_t o, out_h, out_w         # y (n, groups * o, out_h, out_w)
    int64_t top, left               # may be negative
    int64_t taps
    int64_t step_h, step_w          # from one tap to the next
    bint phases, apart
    int64_t single_top, single_left     # where the single tap's rows and columns are
    int64_t lattices_h, lattices_w
    tiles_t ys, xs
    int64_t segment, segments       # tiles of a piece of a row of tiles, in each lattice
    int64_t rows, blocks            # rows of tiles of a block; more than one only where rows are not cut
    int64_t outputs, pieces         # output channels of a piece
    bint shared_points              # V is made once, in the first stage, for all pieces


# A block: rows of tiles, counted over the lattices of all images, or a segment of one row.
ctypedef struct block_t:
    int64_t first, last             # rows
    int64_t large, small, smallest  # tiles of a row in one lattice
    int64_t column, outputs         # the first output of these tiles, and how many they have
    int64_t[6] rows                 # rows and columns of each place
    int64_t[6] columns
    int64_t[6] lattice              # columns of one lattice


cdef inline int64_t points_of(const tiles_t *t, bint phases) noexcept nogil:
    """Products along one axis: 6, 5 and 4 for a large tile, a small and the smallest; with phases 5 + 4 and 4 + 3."""
    return 9 * t.large + 7 * t.small if phases else 6 * t.large + 5 * t.small + 4 * t.smallest


cdef tiles_t cut_tiles(int64_t size, int64_t taps, bint phases) noexcept nogil:
    """The tiles with the fewest products that cover `size` outputs.  The smallest, of 3 taps, ends sizes of 1, 2 and 5."""
    cdef tiles_t t, best
    cdef int64_t small, smallest, covered
    t.outputs = best.outputs = POINTS + 1 - taps
    best.large, best.small, best.smallest = chunk_count(size, t.outputs), 0, 0
    for smallest in range(2 if taps == 3 and not phases else 1):
        for small in range(t.outputs):
            t.small, t.smallest = small, smallest
            covered = (t.outputs - 1) * small + (t.outputs - 2) * smallest
            t.large = chunk_count(size - covered, t.outputs) if size > covered else 0
            if points_of(&t, phases) < points_of(&best, phases):
                best = t
    return best


cdef inline int64_t tile_count(const tiles_t *t) noexcept nogil:
    return t.large + t.small + t.smallest


cdef inline int64_t tile_outputs(const tiles_t *t, int64_t tile) noexcept nogil:
    return t.outputs - (tile >= t.large) - (tile >= t.large + t.small)


cdef inline int64_t tile_begin(const tiles_t *t, int64_t tile) noexcept nogil:
    """The first output of a tile."""
    cdef int64_t large = at_most(tile, t.large), others = at_most(tile, t.large + t.small)
    return t.outputs * tile - (tile - large) - (tile - others)


cdef inline int most_points(const winograd_t *g, const tiles_t *t) noexcept nogil:
    """Points of the first tile along an axis; the others have no points but those."""
    return POINTS if g.phases else <int>(tile_outputs(t, 0) + g.taps - 1)


cdef inline bint has_places(const winograd_t *g, int64_t point) noexcept nogil:
    """Whether any tile has the pair of places."""
    return (has_point(most_points(g, &g.ys), <int>(point // POINTS))
            and has_point(most_points(g, &g.xs), <int>(point % POINTS)))


cdef inline int64_t rows_of_lattice(const winograd_t *g) noexcept nogil:
    return tile_count(&g.ys)


cdef inline int64_t all_rows(const winograd_t *g) noexcept nogil:
    return g.n * g.lattices_h * rows_of_lattice(g)


cdef inline int64_t all_tiles(const winograd_t *g) noexcept nogil:
    return all_rows(g) * g.lattices_w * tile_count(&g.xs)


cdef inline int64_t even_blocks(int64_t blocks) noexcept nogil:
    """About as many, which 2 or 4 threads share fairly."""
    return blocks if blocks < 4 else (blocks + 2) // 4 * 4


cdef void cut_blocks(winograd_t *g, int64_t wanted) noexcept nogil:
    """Lattices and tiles of a correlation whose sizes are set, and blocks of about `wanted` tiles."""
    cdef int64_t tiles, rows
    g.lattices_h, g.lattices_w = at_most(g.step_h, g.out_h), at_most(g.step_w, g.out_w)
    g.ys = cut_tiles((g.out_h + 1) // 2 if g.apart else chunk_count(g.out_h, g.step_h), g.taps, g.phases)
    g.xs = cut_tiles((g.out_w + 1) // 2 if g.apart else chunk_count(g.out_w, g.step_w), g.taps, g.phases)
    tiles, rows = tile_count(&g.xs), all_rows(g)
    g.segments = chunk_count(g.lattices_w * tiles, SEGMENT_TILES)
    g.segment = chunk_count(tiles, g.segments)
    g.segments = chunk_count(tiles, g.segment)
    g.rows, g.blocks = 1, rows * g.segments
    tiles *= g.lattices_w
    if g.segments == 1:
        g.blocks = even_blocks(chunk_count(rows, wanted // tiles if wanted > tiles else 1))
        g.rows = chunk_count(rows, g.blocks)
        g.blocks = chunk_count(rows, g.rows)


cdef inline int64_t places_before(const tiles_t *t, bint phases, int64_t place, int64_t tile) noexcept nogil:
    """How many of one place the tiles before `tile` have."""
    if phases:
        if place == SINGLE:
            return tile_begin(t, tile)
        return at_most(tile, t.large) if place == PAIR_MISSING else tile
    if not has_point(POINTS - 2, <int>place):           # what the smallest lack, perhaps also what small ones lack
        return at_most(tile, t.large + t.small if has_point(POINTS - 1, <int>place) else t.large)
    return tile


cdef inline int64_t rows_before(const winograd_t *g, int64_t place, int64_t row) noexcept nogil:
    """The same for rows of tiles, counted over the lattices of all images."""
    cdef int64_t rows = rows_of_lattice(g)
    return (row // rows * places_before(&g.ys, g.phases, place, rows)
            + places_before(&g.ys, g.phases, place, row % rows))


cdef block_t block_of(const winograd_t *g, int64_t index) noexcept nogil:
    cdef block_t b
    cdef int64_t begin = index % g.segments * g.segment, place
    cdef int64_t end = at_most(begin + g.segment, tile_count(&g.xs)), others = g.xs.large + g.xs.small
    b.first = index // g.segments * g.rows
    b.last = at_most(b.first + g.rows, all_rows(g))
    b.large = at_most(end, g.xs.large) - at_most(begin, g.xs.large)
    b.small = at_most(end, others) - at_most(begin, others) - b.large
    b.smallest = end - begin - b.large - b.small
    b.column = tile_begin(&g.xs, begin)
    b.outputs = tile_begin(&g.xs, end) - b.column
    for place in range(POINTS):
        b.rows[place] = rows_before(g, place, b.last) - rows_before(g, place, b.first) if b.last > b.first else 0
        b.lattice[place] = (places_before(&g.xs, g.phases, place, end)
                            - places_before(&g.xs, g.phases, place, begin))
        b.columns[place] = g.lattices_w * b.lattice[place]
    return b


# ---- matrices of the points ----

cdef inline int64_t padded_row(int64_t channels) noexcept nogil:
    """Elements from one tile to the next: an odd number of cache lines, so that tiles spread over the sets of a cache."""
    cdef int64_t line = LINE_BYTES // <int64_t>sizeof(real)
    return (chunk_count(channels, line) | 1) * line


cdef inline int64_t point_distance(int64_t elements) noexcept nogil:
    """Elements from one point to the next: never a multiple of a page, at which writes to all points would collide."""
    cdef int64_t line = LINE_BYTES // <int64_t>sizeof(real)
    return (chunk_count(elements, 4 * line) * 4 + 1) * line


cdef int64_t place_points(const winograd_t *g, int64_t tile, int64_t *at) noexcept nogil:
    """Where the matrix of each point begins in memory for any block, with `tile` elements per tile; returns the size of all."""
    cdef int64_t i, j, rows, columns, elements = 0
    for i in range(POINTS):
        rows = 4 * g.rows if g.phases and i == SINGLE else g.rows
        for j in range(POINTS):
            columns = g.lattices_w * (4 * g.segment if g.phases and j == SINGLE else g.segment)
            at[i * POINTS + j] = elements
            elements += point_distance(rows * columns * tile)
    return elements


cdef void set_tile_row(const winograd_t *g, const block_t *b, int64_t row, int64_t lattice, real *points, const int64_t *at,
                       int64_t tile, tile_row_t *r) noexcept nogil:
    """The tiles of a row of a block in one lattice of columns, and their places in the matrices of the points."""
    cdef int64_t i, j, before
    r.large, r.small, r.smallest, r.tile = b.large, b.small, b.smallest, tile
    for i in range(POINTS):
        before = rows_before(g, i, row) - rows_before(g, i, b.first)
        r.single_row[i] = b.columns[i] * tile
        for j in range(POINTS):
            r.point[i * POINTS + j] = (points + at[i * POINTS + j]
                                       + (before * b.columns[j] + lattice * b.lattice[j]) * tile)


# ---- pixels to points ----

# What is transformed to points: channels of the images of a correlation, or of the gradients of its outputs.
ctypedef struct planes_t:
    const real *x                   # the first channel of the first image
    int64_t channels
    int64_t image                   # elements from one image to the next
    int64_t h, w
    int64_t top, left               # output i of a lattice sees its rows from step * i on, the image begins at row `top`
    int64_t step                    # a tile of m outputs takes step * m + overlap rows of a lattice
    int64_t overlap
    bint gradient


cdef planes_t input_planes(const winograd_t *g, const real *x) noexcept nogil:
    """All channels of a group of x (n, groups * c, h, w), which points to the first of them."""
    cdef planes_t p
    p.x, p.channels, p.image = x, g.c, g.groups * g.c * g.h * g.w
    p.h, p.w, p.top, p.left, p.gradient = g.h, g.w, g.top, g.left, False
    p.step = 2 if g.phases and not g.apart else 1
    p.overlap = 1 if g.phases else g.taps - 1
    return p


cdef planes_t gradient_planes(const winograd_t *g, const real *dy) noexcept nogil:
    """The same for the gradient dy (n, groups * o, out_h, out_w) of outputs."""
    cdef planes_t p
    p.x, p.channels, p.image = dy, g.o, g.groups * g.o * g.out_h * g.out_w
    p.h, p.w, p.top, p.left, p.gradient = g.out_h, g.out_w, 0, 0, True
    p.step, p.overlap = 1, 0
    return p


# Scratch for the way from pixels to points.
ctypedef struct window_t:
    real *pixels                    # rows of pixels, VL channels per pixel, for the channels of a cache line
    real *columns                   # LINES rows of a row of tiles of one lattice
    real *zeros                     # a row of pixels


cdef inline int64_t lattice_width(const winograd_t *g, const planes_t *p) noexcept nogil:
    return p.step * g.xs.outputs * g.segment + p.overlap


cdef inline int64_t window_width(const winograd_t *g, const planes_t *p) noexcept nogil:
    return at_most(g.step_w * lattice_width(g, p), p.w)


cdef int64_t window_elements(const winograd_t *g, const planes_t *p) noexcept nogil:
    cdef int64_t width = window_width(g, p)
    return (at_most(p.step * g.ys.outputs * g.rows + p.overlap, p.h) * width * (LINE_BYTES // <int64_t>sizeof(real))
            + (LINES * lattice_width(g, p) + width) * VL)


cdef window_t window_at(const winograd_t *g, const planes_t *p, real *scratch) noexcept nogil:
    cdef window_t window
    window.columns = scratch
    window.zeros = window.columns + LINES * lattice_width(g, p) * VL
    window.pixels = window.zeros + window_width(g, p) * VL
    return window


cdef void pixels_of_planes(const real *x, int64_t h, int64_t w, int64_t channels, int64_t row, int64_t rows, int64_t step,
                           int64_t column, int64_t columns, real *pixels) noexcept nogil:
    """pixels[row][column][VL channels] from every step-th row of planes (channels, h, w), channels up to VL."""
    cdef int64_t r
    x += row * w + column
    if columns == w and step == 1:
        transpose_into(x, h * w, channels, rows * w, pixels, VL)
        return
    for r in range(rows):
        transpose_into(x + r * step * w, h * w, channels, columns, pixels + r * columns * VL, VL)


cdef inline int64_t first_from(int64_t begin, int64_t step) noexcept nogil:
    """The least i >= 0 with step * i >= begin."""
    return chunk_count(begin, step) if begin > 0 else 0


cdef void transform_planes(const winograd_t *g, const planes_t *p, const block_t *b, real *points, const int64_t *at,
                           int64_t tile, real *scratch) noexcept nogil:
    """points[point][tile][channel] of a block.  scratch: window_elements()."""
    cdef int64_t at_once = LINE_BYTES // <int64_t>sizeof(real), rows = rows_of_lattice(g)
    cdef int64_t c0 = 0, c, row, end, ty, y, y_end, line, i, left, x_begin, x_end, width, height, picture, top, lattice
    cdef window_t window = window_at(g, p, scratch)
    cdef real *of_channels
    cdef int64_t from_x
    cdef tile_row_t r
    left = p.left - g.step_w * p.step * b.column        # columns of the first tile before the image
    x_begin = -left if left < 0 else 0
    x_end = at_most(g.step_w * (p.step * b.outputs + p.overlap) - left, p.w)
    width = x_end - x_begin if x_end > x_begin else 0
    r.columns, r.pixel = window.columns, g.step_w * VL
    r.single_top, r.single_left = 0, 0
    if not p.gradient:
        r.single_top, r.single_left = g.single_top, g.single_left
    fill_row(window.zeros, width * VL, 0)
    while c0 < p.channels:
        row = b.first
        while row < b.last:                             # lattice by lattice, of rows y: a, a + step_h, … of the image
            picture, ty = row // rows, row % rows
            top = p.top - picture % g.lattices_h        # image rows before row a
            end = at_most(row + rows - ty, b.last)
            y = first_from(top, g.step_h)
            if y < p.step * tile_begin(&g.ys, ty):
                y = p.step * tile_begin(&g.ys, ty)
            y_end = at_most(p.step * tile_begin(&g.ys, ty + end - row) + p.overlap, first_from(p.h + top, g.step_h))
            c = c0
            while c < p.channels and c < c0 + at_once and y < y_end and width > 0:
                pixels_of_planes(p.x + picture // g.lattices_h * p.image + c * p.h * p.w, p.h, p.w,
                                 at_most(p.channels - c, VL), g.step_h * y - top, y_end - y, g.step_h, x_begin, width,
                                 window.pixels + (c - c0) * (y_end - y) * width)
                c += VL
            while row < end:
                height = tile_outputs(&g.ys, ty)
                for lattice in range(g.lattices_w):
                    set_tile_row(g, b, row, lattice, points + c0, at, tile, &r)
                    r.begin = r.end = 0
                    if width > 0:
                        r.begin = first_from(x_begin + left - lattice, g.step_w)
                        r.end = first_from(x_end + left - lattice, g.step_w)
                    if r.end < r.begin:
                        r.end = r.begin
                    from_x = (g.step_w * r.begin + lattice - left - x_begin) * VL
                    c = c0
                    while c < p.channels and c < c0 + at_once:
                        of_channels = window.pixels + (c - c0) * (y_end - y) * width + from_x
                        for i in range(p.step * height + p.overlap):
                            line = p.step * tile_begin(&g.ys, ty) + i
                            r.line[i] = of_channels + (line - y) * width * VL if y <= line < y_end else window.zeros
                        if not g.phases:
                            if p.gradient:
                                winograd_gradient(&r, g.taps, height)
                            else:
                                winograd_input(&r, g.taps, height)
                        elif p.gradient:
                            phases_gradient(&r, height)
                        else:
                            phases_input(&r, height, p.step)
                        for i in range(POINTS_2D):
                            r.point[i] += VL
                        c += VL
                row += 1
                ty += 1
        c0 += at_once
