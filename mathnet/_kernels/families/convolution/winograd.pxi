# Convolution with kernels of 3x3 and 5x5 by Winograd's minimal filtering: forward and backward input.
#
#   V[point][tile][c]  = transformed input           M[point][tile][o] = sum over c of V[point][tile][c] * U[point][c][o]
#   U[point][c][o]     = transformed weights         y = the transform of M
#
# With 3x3 kernels and stride 1 a tile of 4x4 outputs takes 36 products instead of 144 (winograd.h), with stride 2, by phases,
# 81 (winograd_phases.h); with 5x5 kernels a tile of 2x2 outputs takes the same 36 instead of 100.  Sizes that these tiles do
# not divide end with smaller ones, which share the weights: 14 = 4+4+3+3, 7 = 4+3, 5 = 3+2; 7 = 2+2+2+1 for 5x5.  Pictures of up
# to 2x2 are one tile of 16 products, and only the weights of its points are made.
# At 64 channels and 56x56 pixels an AVX2 core delivers 230 GFLOP/s, counted as direct arithmetic, of a peak of 97.
#
# Work goes in blocks of some hundred tiles: V of a block for all channels, then, for every two vectors of output
# channels, their U, the products and the output, so that nothing outgrows the caches.  Where there are few blocks, threads
# share the outputs of each: a first stage makes V, a second one the rest.  Every element of M is one chain
# over c, and tiles never share an image: the bits of an example do not depend on the batch or on the cut into blocks.
#
# A tile mixes its inputs, so NaN and infinity reach every output of the tiles that see them, the latter perhaps as NaN.

cdef extern from "winograd_weights.h":
    void winograd_weights "mn_winograd_weights"(const real *w, int64_t count, int64_t taps, int phases, int rotated,
                                                int rows, int columns, real *points, int64_t point_stride,
                                                int64_t step) noexcept nogil
    void taps_of_kernels "mn_taps_of_kernels"(const real *w, int64_t taps_2d, int64_t lanes, real *taps) noexcept nogil
    void planes_of_pixels "mn_planes_of_pixels"(real *pixels, int64_t count, int64_t channels, const real *bias,
                                                int64_t activation, real *plane, int64_t plane_stride) noexcept nogil

cdef extern from "winograd_products.h":
    ctypedef struct point_product_t "mn_point_product":
        int64_t tiles, k
        const real *v
        int64_t v_row
        const real *u
        real *m
        int64_t vectors, resume
        const real *next_v
        const real *next_u
    void run_point_product "mn_point_product_run"(const point_product_t *p) noexcept nogil

cdef enum:
    BLOCK_TILES = 96                # tiles of a block
    LARGE_BLOCK_TILES = 256         # the same where there are more weights than LARGE_WEIGHTS, as each block transforms them
    LARGE_WEIGHTS = 1 << 15
    PHASE_BLOCK_TILES = 56          # the same by phases, where a tile has more points; twice as many with many weights
    PHASE_POINTS_2D = 81            # products of a tile by phases
    WINOGRAD_PIECES = 4             # chunks that are worth transforming the input again for some of the outputs
    SHARING_PIECES = 8              # chunks where it is transformed once for all of them
    SHARED_ELEMENTS = 1 << 23       # of V, the most for that
    TRANSFORMED_CHANNELS = 64       # of a chunk that makes V
    SHARING_PRODUCTS = 1 << 19      # of a chunk, where it is: 6 us
    PIECE_OUTPUTS = 32              # the fewest outputs of such a piece
    TAPS_AT_ONCE = 32               # kernels by VL that are transposed at a time


cdef inline int64_t products_of_tile(const winograd_t *g) noexcept nogil:
    return PHASE_POINTS_2D if g.phases else POINTS_2D


cdef void cut_outputs(winograd_t *g) noexcept nogil:
    """Blocks, and pieces of the output channels where there are few blocks."""
    if g.phases:
        cut_blocks(g, PHASE_BLOCK_TILES if g.c * g.o <= LARGE_WEIGHTS else 2 * PHASE_BLOCK_TILES)
    else:
        cut_blocks(g, BLOCK_TILES if g.c * g.o <= LARGE_WEIGHTS else LARGE_BLOCK_TILES)
    cut_pieces(g, g.groups * g.blocks, PIECE_OUTPUTS, True)


cdef void cut_pieces(winograd_t *g, int64_t others, int64_t least, bint share) noexcept nogil:
    """Pieces of at least `least` outputs, where there are few `others`: chunks that cannot.  share: V may be."""
    cdef int64_t[36] at
    cdef int64_t products = products_of_tile(g) * g.groups * g.c * g.o * all_tiles(g), wanted
    g.pieces, g.shared_points = 1, False
    share = share and g.groups * g.blocks * place_points(g, padded_row(g.c), at) <= SHARED_ELEMENTS
    wanted = products // (SHARING_PRODUCTS if share else PIECE_PRODUCTS)
    if others < at_most(wanted, WINOGRAD_PIECES) and 2 * least <= g.o:
        g.shared_points = share
        wanted = at_most(wanted, SHARING_PIECES if share else WINOGRAD_PIECES)
        while others * g.pieces < wanted and 2 * g.pieces * least <= g.o:
            g.pieces *= 2
    g.outputs = chunk_count(chunk_count(g.o, g.pieces), TILE_COLUMNS) * TILE_COLUMNS
    g.pieces = chunk_count(g.o, g.outputs)


cdef winograd_t winograd_forward_of(const conv2d_t *d) noexcept nogil:
    cdef winograd_t g
    g.n, g.groups = d.n, d.groups
    g.c, g.h, g.w = d.c // d.groups, d.h, d.w
    g.o, g.out_h, g.out_w = d.o // d.groups, d.out_h, d.out_w
    g.top, g.left = d.pad_top, d.pad_left
    g.taps, g.step_h, g.step_w = d.kh, d.dilation_h, d.dilation_w
    g.phases, g.apart, g.single_top, g.single_left = d.stride_h == 2, False, 1, 1
    cut_outputs(&g)
    return g


cdef winograd_t winograd_backward_input_of(const conv2d_t *d) noexcept nogil:
    """dx as a correlation of dy with the kernels turned by half a turn.

    By phases, of two rows of dx in a tile, one meets the pair of taps in rows i - 1 and i of dy, the other the single tap in
    row i.  The single one comes first where the padding is odd.
    """
    cdef winograd_t g
    g.n, g.groups = d.n, d.groups
    g.c, g.h, g.w = d.o // d.groups, d.out_h, d.out_w
    g.o, g.out_h, g.out_w = d.c // d.groups, d.h, d.w
    g.taps, g.step_h, g.step_w = d.kh, d.dilation_h, d.dilation_w
    g.phases = g.apart = d.stride_h == 2
    if g.apart:
        g.top, g.left = 1 - (d.pad_top + 1) // 2, 1 - (d.pad_left + 1) // 2
        g.single_top, g.single_left = 1 - d.pad_top % 2, 1 - d.pad_left % 2
    else:
        g.top, g.left = d.dilation_h * (g.taps - 1) - d.pad_top, d.dilation_w * (g.taps - 1) - d.pad_left
        g.single_top = g.single_left = 0
    cut_outputs(&g)
    return g


cdef bint is_winograd(const conv2d_t *d) noexcept nogil:
    """Kernels of 3x3 or 5x5 with stride 1 and any dilation, or of 3x3 with stride 2."""
    if not conv2d_is_valid(d) or d.kh != d.kw or d.stride_h != d.stride_w:
        return False
    if d.stride_h == 2:
        if d.kh != 3 or d.dilation_h > 1 or d.dilation_w > 1:
            return False
    elif d.stride_h != 1 or (d.kh != 3 and d.kh != 5):
        return False
    return d.c > 0 and d.h > 0 and d.w > 0 and d.out_h > 0 and d.out_w > 0


# Where a worker keeps what it computes, in elements of scratch.
ctypedef struct winograd_scratch_t:
    int64_t v_tile                  # V[point][tile][c]; of one block in shared memory, where that holds it
    int64_t[36] v
    int64_t v_elements
    int64_t[36] m                   # M[point][tile][TILE_COLUMNS]
    int64_t u, u_point              # U[point][c][TILE_COLUMNS]
    int64_t window                  # scratch of transform_planes; then rows of pixels of the output
    int64_t taps, bias, elements


cdef winograd_scratch_t winograd_scratch(const winograd_t *g) noexcept nogil:
    cdef winograd_scratch_t s
    cdef planes_t planes = input_planes(g, NULL)
    cdef int64_t point, m, window = window_elements(g, &planes), side = g.xs.outputs * (2 if g.apart else 1)
    cdef int64_t output = side * side * g.lattices_w * g.segment * VL
    s.v_tile = padded_row(g.c)
    s.v_elements = place_points(g, s.v_tile, s.v)
    m = 0 if g.shared_points else s.v_elements
    s.u = m + place_points(g, TILE_COLUMNS, s.m)
    for point in range(POINTS_2D):
        s.m[point] += m
    s.u_point = point_distance(g.c * TILE_COLUMNS)
    s.window = s.u + POINTS_2D * s.u_point
    s.taps = s.window + (window if window > output else output)
    s.bias = s.taps + g.taps * g.taps * TAPS_AT_ONCE * VL
    s.elements = s.bias + TILE_COLUMNS
    return s


cdef double winograd_work(const winograd_t *g) noexcept nogil:
    """Nanoseconds: the products at 85 % of the peak, the transforms of tiles, and of the weights in each block."""
    cdef double tiles = <double>all_tiles(g) * g.groups * products_of_tile(g) / POINTS_2D
    return 200 + sizeof(real) * (
        tiles * (POINTS_2D * <double>g.c * g.o / 160 + 2.0 * (g.c + g.o)) + <double>g.blocks * g.groups * g.c * g.o * (g.taps + 6) / 18)


cdef void winograd_sizes(const winograd_t *g, mn_sizes *out) noexcept nogil:
    cdef winograd_scratch_t s = winograd_scratch(g)
    out.chunks = g.groups * g.blocks * g.pieces
    out.scratch = s.elements * <int64_t>sizeof(real)
    out.shared = out.finish = 0
    out.work = winograd_work(g)
    if g.shared_points:
        out.finish, out.chunks = out.chunks, g.groups * g.blocks * chunk_count(g.c, TRANSFORMED_CHANNELS)
        out.shared = g.groups * g.blocks * s.v_elements * <int64_t>sizeof(real)


cdef void reject(mn_sizes *out) noexcept nogil:
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0


# ---- U ----

cdef void transform_weights(const real *w, int64_t o, int64_t c, int64_t taps, bint phases, bint transposed, int rows,
                            int columns, int64_t first, int64_t outputs, real *kernels, real *u,
                            int64_t u_point) noexcept nogil:
    """U[point][k][TILE_COLUMNS] of `outputs` outputs from `first` on, zero in the columns beyond, for tiles of rows x columns points.

    w (o, c, taps, taps)  IN: k are the channels c; or transposed, with rotated kernels: outputs are c and k are the channels
    o.  kernels: scratch.
    """
    cdef int64_t half = 0, lanes, k, at_once, i, taps_2d = taps * taps
    while half < TILE_COLUMNS:
        lanes = at_most(outputs - half, VL)
        if lanes <= 0:
            break               # the products skip a vector without outputs
        k = 0
        while k < (o if transposed else c):
            at_once = at_most((o if transposed else c) - k, TAPS_AT_ONCE)
            if transposed:
                for i in range(at_once):
                    taps_of_kernels(w + ((k + i) * c + first + half) * taps_2d, taps_2d, lanes, kernels + i * taps_2d * VL)
            else:
                transpose_into(w + ((first + half) * c + k) * taps_2d, c * taps_2d, lanes, at_once * taps_2d, kernels, VL)
            winograd_weights(kernels, at_once, taps, phases, transposed, rows, columns, u + k * TILE_COLUMNS + half,
                             u_point, TILE_COLUMNS)
            k += at_once
        half += VL


# ---- M and y ----

cdef void multiply_points(const winograd_t *g, const winograd_scratch_t *s, const block_t *b, int64_t outputs,
                          const real *u, int64_t u_point, const real *points, real *scratch) noexcept nogil:
    """M = V U for every point of the tiles of a block.  u: [point][c][TILE_COLUMNS], u_point elements from one point to the next."""
    cdef point_product_t p
    cdef int64_t point = 0, k = 0, next_point, next_k
    p.v_row, p.vectors = s.v_tile, TILE_COLUMNS // VL if outputs > VL else 1
    while point < POINTS_2D:
        next_point, next_k = point, k + PANEL_K
        if next_k >= g.c:
            next_point, next_k = point + 1, 0
            while next_point < POINTS_2D and not has_places(g, next_point):
                next_point += 1
        p.tiles = b.rows[point // POINTS] * b.columns[point % POINTS]
        p.k, p.resume = at_most(g.c - k, PANEL_K), k > 0
        p.v = points + s.v[point] + k
        p.u = u + point * u_point + k * TILE_COLUMNS
        p.m = scratch + s.m[point]
        p.next_v = points + s.v[next_point % POINTS_2D] + next_k
        p.next_u = u + next_point * u_point + next_k * TILE_COLUMNS
        run_point_product(&p)
        point, k = next_point, next_k


cdef void transform_output(const winograd_t *g, const winograd_scratch_t *s, const block_t *b, int64_t outputs,
                           const real *bias, int64_t activation, real *y, real *scratch) noexcept nogil:
    """Up to TILE_COLUMNS output channels of a block, to y (n, groups * o, out_h, out_w) from the first of them on."""
    cdef int64_t half = 0, row, rows, ty, first, height, lanes, i, columns, picture, lattice, size = 2 if g.apart else 1
    cdef int64_t width = g.lattices_w * size * b.outputs, column = g.step_w * size * b.column
    cdef real *pixels = scratch + s.window
    cdef real *lane_bias = scratch + s.bias
    cdef real *plane
    cdef const real *added
    cdef tile_row_t r
    columns = at_most(g.out_w - column, width)
    r.single_top, r.single_left, r.pixel = g.single_top, g.single_left, g.lattices_w * VL
    while half < outputs:
        if bias != NULL:
            v_store(lane_bias + half, v_load_partial(bias + half, <int>at_most(outputs - half, VL)))
        half += VL
    for row in range(b.first, b.last):
        picture, ty = row // rows_of_lattice(g), row % rows_of_lattice(g)
        height = tile_outputs(&g.ys, ty)
        first = g.step_h * size * tile_begin(&g.ys, ty) + picture % g.lattices_h
        rows = at_most(first_from(g.out_h - first, g.step_h), size * height)
        half = 0
        while half < outputs:               # within a row: the vectors of a panel share the cache lines of M
            lanes = at_most(outputs - half, VL)
            for lattice in range(g.lattices_w):
                set_tile_row(g, b, row, lattice, scratch + half, s.m, TILE_COLUMNS, &r)
                if g.phases:
                    phases_output(&r, height, g.apart, pixels, width * VL)
                else:
                    winograd_output(&r, g.taps, height, pixels + lattice * VL, width * VL)
            added = lane_bias + half if bias != NULL else NULL
            plane = y + ((picture // g.lattices_h * g.groups * g.o + half) * g.out_h + first) * g.out_w + column
            if width == g.out_w and g.step_h == 1:
                planes_of_pixels(pixels, rows * width, lanes, added, activation, plane, g.out_h * g.out_w)
            else:
                for i in range(rows):
                    planes_of_pixels(pixels + i * width * VL, columns, lanes, added, activation,
                                     plane + i * g.step_h * g.out_w, g.out_h * g.out_w)
            half += VL


cdef enum:
    AS_IS, TRANSPOSED, PREPARED         # weights: w; w of the transpose; what winograd_weights made of w


cdef void transform_channels(const winograd_t *g, const real *x, int64_t chunk, real *points, real *scratch) noexcept nogil:
    """The first stage: V of some channels of one block of one group.  points: [group][block] V of a block."""
    cdef winograd_scratch_t s = winograd_scratch(g)
    cdef int64_t runs = chunk_count(g.c, TRANSFORMED_CHANNELS), c = chunk % runs * TRANSFORMED_CHANNELS, place = chunk // runs
    cdef block_t block = block_of(g, place % g.blocks)
    cdef planes_t planes = input_planes(g, x + (place // g.blocks * g.c + c) * g.h * g.w)
    planes.channels = at_most(g.c - c, TRANSFORMED_CHANNELS)
    transform_planes(g, &planes, &block, points + place * s.v_elements + c, s.v, s.v_tile, scratch + s.window)


cdef void winograd_chunk(const winograd_t *g, int weights, const real *x, const real *w, const real *bias,
                         int64_t activation, real *y, real *shared, int64_t chunk, real *scratch) noexcept nogil:
    """One piece of the outputs of one block of tiles of one group; or, before that, its share of V in `shared`."""
    cdef int64_t transforming = g.groups * g.blocks * chunk_count(g.c, TRANSFORMED_CHANNELS) if g.shared_points else 0
    cdef winograd_scratch_t s
    cdef block_t block
    cdef planes_t planes
    cdef int64_t piece, group, index, o, last, outputs, u_point
    cdef const real *points = scratch
    cdef const real *u
    if chunk < transforming:
        transform_channels(g, x, chunk, shared, scratch)
        return
    s = winograd_scratch(g)
    chunk -= transforming
    index, piece, group = chunk % g.blocks, chunk // g.blocks % g.pieces, chunk // (g.blocks * g.pieces)
    block = block_of(g, index)
    if g.shared_points:
        points = shared + (group * g.blocks + index) * s.v_elements
    else:
        planes = input_planes(g, x + group * g.c * g.h * g.w)
        transform_planes(g, &planes, &block, scratch, s.v, s.v_tile, scratch + s.window)
    o, u, u_point = piece * g.outputs, scratch + s.u, s.u_point
    last = at_most(o + g.outputs, g.o)
    while o < last:
        outputs = at_most(last - o, TILE_COLUMNS)
        if weights == PREPARED:
            u_point = g.c * TILE_COLUMNS
            u = w + (group * chunk_count(g.o, TILE_COLUMNS) + o // TILE_COLUMNS) * POINTS_2D * u_point
        elif weights == TRANSPOSED:
            transform_weights(w + group * g.o * g.c * g.taps * g.taps, g.c, g.o, g.taps, g.phases, True, most_points(g, &g.ys),
                              most_points(g, &g.xs), o, outputs, scratch + s.taps, scratch + s.u, s.u_point)
        else:
            transform_weights(w + group * g.o * g.c * g.taps * g.taps, g.o, g.c, g.taps, g.phases, False, most_points(g, &g.ys),
                              most_points(g, &g.xs), o, outputs, scratch + s.taps, scratch + s.u, s.u_point)
        multiply_points(g, &s, &block, outputs, u, u_point, points, scratch)
        transform_output(g, &s, &block, outputs, bias + group * g.o + o if bias != NULL else NULL, activation,
                         y + (group * g.o + o) * g.out_h * g.out_w, scratch)
        o += TILE_COLUMNS


cdef void winograd_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_t g
    reject(out)
    if is_winograd(d):
        g = winograd_forward_of(d)
        winograd_sizes(&g, out)


cdef int winograd_forward_with(int weights, const void *descriptor, operand_t *operands, int chunk,
                               void *scratch) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_t g = winograd_forward_of(d)
    winograd_chunk(&g, weights, <const real *>operands[0], <const real *>operands[1],
                   <const real *>operands[2] if d.bias else NULL, d.activation, <real *>operands[2 + d.bias],
                   <real *>operands[3 + d.bias] if g.shared_points else NULL, chunk, <real *>scratch)
    return MN_OK


cdef int winograd_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = activation(x * w + bias) with the kernels that is_winograd names.

    Operands: x (n, c, h, w), w (o, c/groups, kh, kw), [bias (o)]  IN; y (n, o, out_h, out_w)  OUT; with few blocks: V of
    all of them  SHARED.
    """
    return winograd_forward_with(AS_IS, descriptor, operands, chunk, scratch)


cdef int winograd_forward_prepared(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """The same with the result of winograd_weights in place of w."""
    return winograd_forward_with(PREPARED, descriptor, operands, chunk, scratch)


cdef void winograd_backward_input_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_t g
    reject(out)
    if is_winograd(d):
        g = winograd_backward_input_of(d)
        winograd_sizes(&g, out)


cdef int winograd_backward_input(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dx = the transpose of the convolution, applied to dy; bias and activation of the descriptor play no part.

    Operands: dy (n, o, out_h, out_w), w (o, c/groups, kh, kw)  IN; dx (n, c, h, w)  OUT; with few blocks: V of all of
    them  SHARED.
    """
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_t g = winograd_backward_input_of(d)
    winograd_chunk(&g, TRANSPOSED, <const real *>operands[0], <const real *>operands[1], NULL, NO_ACTIVATION,
                   <real *>operands[2], <real *>operands[3] if g.shared_points else NULL, chunk, <real *>scratch)
    return MN_OK


# ---- weights of frozen models ----

ctypedef struct winograd_weights_t:
    int64_t groups, o, c            # w (o, c, taps, taps): c is that of a group
    int64_t taps, stride
    int64_t width                   # columns of a panel; must be what multiply_points reads


cdef void winograd_weights_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const winograd_weights_t *d = <const winograd_weights_t *>descriptor
    reject(out)
    if d.width != TILE_COLUMNS or d.groups <= 0 or d.o < 0 or d.c <= 0 or d.o % d.groups != 0:
        return
    if not (d.taps == 3 and d.stride == 2) and not ((d.taps == 3 or d.taps == 5) and d.stride == 1):
        return
    out.chunks = d.groups * chunk_count(d.o // d.groups, TILE_COLUMNS)
    out.scratch = d.taps * d.taps * TAPS_AT_ONCE * VL * <int64_t>sizeof(real)
    out.work = 100 + <double>d.o * d.c * sizeof(real)


cdef int winograd_weights_run(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """U: transformed weights in panels of `width` outputs, zero in the columns beyond the last.

    Operands: w (o, c, taps, taps)  IN; u (groups * panels, 36, c, width)  OUT.
    """
    cdef const winograd_weights_t *d = <const winograd_weights_t *>descriptor
    cdef int64_t o = d.o // d.groups, panels = chunk_count(o, TILE_COLUMNS), first = chunk % panels * TILE_COLUMNS
    cdef const real *w = <const real *>operands[0] + chunk // panels * o * d.c * d.taps * d.taps
    cdef real *u = <real *>operands[1] + chunk * POINTS_2D * d.c * TILE_COLUMNS
    fill_row(u, POINTS_2D * d.c * TILE_COLUMNS, 0)
    transform_weights(w, o, d.c, d.taps, d.stride == 2, False, POINTS, POINTS, first, at_most(o - first, TILE_COLUMNS),
                      <real *>scratch, u, d.c * TILE_COLUMNS)
    return MN_OK


cdef int register_winograd() except -1:
    cdef conv2d_t d
    cdef winograd_weights_t weights
    add_kernel("winograd_forward", winograd_forward, winograd_forward_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    add_kernel("winograd_forward_prepared", winograd_forward_prepared, winograd_forward_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    add_kernel("winograd_weights", winograd_weights_run, winograd_weights_sizes, &weights, sizeof(weights), 0)
    add_integers("groups", &weights.groups, 1)
    add_integers("o", &weights.o, 1)
    add_integers("c", &weights.c, 1)
    add_integers("taps", &weights.taps, 1)
    add_integers("stride", &weights.stride, 1)
    add_integers("width", &weights.width, 1)
    add_kernel("winograd_backward_input", winograd_backward_input, winograd_backward_input_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    add_kernel("winograd_backward_weight", winograd_backward_weight, winograd_backward_weight_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    return 0
