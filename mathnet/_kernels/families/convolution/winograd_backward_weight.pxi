# Gradient of a convolution by its kernels: the adjoint of the algorithm in winograd.pxi.
#
#   V[point][tile][c]  = transformed input, as there       D[point][tile][o] = the adjoint transform of dy
#   M[point][o][c]     = sum over tiles of D * V           dw = the adjoint transform of M
#
# Chunks take a group of images, a piece of the outputs and a piece of the input channels.  M is one chain over the tiles of
# a group of images; the gradients of the groups are added in order at the end.

cdef extern from "winograd_weights.h":
    void winograd_weight_gradient "mn_winograd_weight_gradient"(const real *points, int64_t point_stride, int64_t taps,
                                                                int phases, int64_t lanes, real *dw) noexcept nogil

cdef enum:
    POINT_ELEMENTS = 1 << 14        # tiles by channels of V in a block, where that gives more than MINIMAL_TILES
    MINIMAL_TILES = 128
    GROUP_TILES = 96                # tiles of a group of images at which the transform of M costs some per cent
    PIECE_CHANNELS = 256            # input channels of a piece
    STEP_ELEMENTS = 1 << 12         # outputs by channels of M that stay in the second-level cache
    PIECE_OUTPUTS_OF_WEIGHT = 64    # the fewest outputs worth transforming the input again


ctypedef struct winograd_weight_t:
    winograd_t g                    # n: images of a group of images; o, outputs, pieces: as there
    int64_t images                  # in all
    int64_t image_groups
    int64_t channels, channel_pieces    # input channels of a piece
    int64_t step                    # outputs of which D is made at a time
    int64_t chunks


cdef winograd_weight_t winograd_weight_of(const conv2d_t *d) noexcept nogil:
    cdef winograd_weight_t u
    cdef int64_t wanted, tiles, products
    u.g = winograd_forward_of(d)
    u.images = d.n
    tiles = all_tiles(&u.g)
    products = products_of_tile(&u.g) * u.g.groups * u.g.c * u.g.o * tiles
    u.channel_pieces = chunk_count(u.g.c, PIECE_CHANNELS)
    u.channels = chunk_count(chunk_count(u.g.c, u.channel_pieces), VL) * VL
    u.channel_pieces = chunk_count(u.g.c, u.channels)
    wanted = at_most(products // PIECE_PRODUCTS, WEIGHT_GROUPS)
    u.image_groups = 1
    if d.n > 0 and u.g.groups * u.channel_pieces < wanted and tiles >= 2 * GROUP_TILES:
        u.image_groups = at_most(at_most(tiles // GROUP_TILES, d.n), chunk_count(wanted, u.g.groups * u.channel_pieces))
    u.g.n = chunk_count(d.n, u.image_groups)
    u.image_groups = chunk_count(d.n, u.g.n)
    wanted = at_most(wanted, WINOGRAD_PIECES)
    u.g.pieces = 1
    while (u.g.groups * u.channel_pieces * u.image_groups * u.g.pieces < wanted
           and 2 * u.g.pieces * PIECE_OUTPUTS_OF_WEIGHT <= u.g.o):
        u.g.pieces *= 2
    u.g.outputs = chunk_count(chunk_count(u.g.o, u.g.pieces), TILE_COLUMNS) * TILE_COLUMNS
    u.g.pieces = chunk_count(u.g.o, u.g.outputs)
    u.step = STEP_ELEMENTS // u.channels // TILE_COLUMNS * TILE_COLUMNS
    u.step = at_most(u.step if u.step > TILE_COLUMNS else TILE_COLUMNS, u.g.outputs)
    wanted = POINT_ELEMENTS // u.channels
    wanted = wanted if wanted > MINIMAL_TILES else MINIMAL_TILES
    cut_blocks(&u.g, wanted * POINTS_2D // products_of_tile(&u.g))
    u.chunks = u.g.groups * u.channel_pieces * u.image_groups * u.g.pieces
    return u


# Where a worker keeps what it computes, in elements of scratch.
ctypedef struct weight_scratch_t:
    int64_t v_tile                  # V[point][tile][c]
    int64_t[36] v
    int64_t d_tile                  # D[point][tile][o] of one step
    int64_t[36] d
    int64_t m, m_row, m_point       # M[point][o][c] of one step, or of the whole piece where there are several blocks
    int64_t window, elements


cdef weight_scratch_t weight_scratch(const winograd_weight_t *u) noexcept nogil:
    cdef weight_scratch_t s
    cdef const winograd_t *g = &u.g
    cdef planes_t inputs = input_planes(g, NULL)
    cdef planes_t gradients = gradient_planes(g, NULL)
    cdef int64_t point, v, window
    s.v_tile, s.d_tile = padded_row(u.channels), padded_row(u.step)
    v = place_points(g, s.v_tile, s.v)
    s.m = v + place_points(g, s.d_tile, s.d)
    for point in range(POINTS_2D):
        s.d[point] += v
    s.m_row = chunk_count(u.channels, VL) * VL
    s.m_point = point_distance((u.step if g.blocks == 1 else g.outputs) * s.m_row)
    s.window = s.m + POINTS_2D * s.m_point
    window = window_elements(g, &gradients)
    s.elements = window_elements(g, &inputs)
    s.elements = s.window + (window if window > s.elements else s.elements)
    return s


cdef void multiply_gradients(const weight_scratch_t *s, const block_t *b, bint resume, int64_t outputs, int64_t channels,
                             const real *scratch, real *m) noexcept nogil:
    """M (+)= D' V for every point of a block."""
    cdef tile_t t
    cdef int64_t point, c, o, rows
    t.a_row, t.a_col, t.b_row, t.b_offset, t.c_row = 1, s.d_tile, s.v_tile, NULL, s.m_row
    t.panel, t.epilogue, t.resume = NULL, NULL, resume
    channels = chunk_count(channels, VL) * VL
    for point in range(POINTS_2D):
        t.k = b.rows[point // POINTS] * b.columns[point % POINTS]
        c = 0
        while c < channels:
            t.columns = at_most(channels - c, TILE_COLUMNS)
            t.b_columns = t.columns
            t.b = scratch + s.v[point] + c
            o = 0
            while o < outputs:
                rows = tile_rows(outputs - o)
                t.a = scratch + s.d[point] + o
                t.c = m + point * s.m_point + o * s.m_row + c
                run_tile(&t, rows)
                o += rows
            c += TILE_COLUMNS


cdef void winograd_backward_weight_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_weight_t u
    cdef weight_scratch_t s
    reject(out)
    if not is_winograd(d):
        return
    u = winograd_weight_of(d)
    s = weight_scratch(&u)
    out.work = winograd_work(&u.g) * u.image_groups
    out.chunks = u.chunks
    out.scratch = s.elements * <int64_t>sizeof(real)
    if u.image_groups > 1:
        out.shared = u.image_groups * d.o * u.g.c * d.kh * d.kw * <int64_t>sizeof(real)
        out.finish = 1


cdef int winograd_backward_weight(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dw = the gradient of sum(y * dy) by the weights; bias and activation of the descriptor play no part.

    Operands: x (n, c, h, w), dy (n, o, out_h, out_w)  IN; dw (o, c/groups, kh, kw)  OUT; with several groups of
    images: their gradients (groups, o, c/groups, kh, kw)  SHARED.
    """
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_weight_t u = winograd_weight_of(d)
    cdef winograd_t *g = &u.g
    cdef weight_scratch_t s = weight_scratch(&u)
    cdef int64_t image_group = chunk % u.image_groups, piece = chunk // u.image_groups % g.pieces
    cdef int64_t taps_2d = d.kh * d.kw
    cdef int64_t c = chunk // (u.image_groups * g.pieces) % u.channel_pieces * u.channels
    cdef int64_t group = chunk // (u.image_groups * g.pieces * u.channel_pieces)
    cdef int64_t first = piece * g.outputs, last = at_most(first + g.outputs, g.o), image = image_group * g.n
    cdef int64_t index, o, outputs, channels = at_most(g.c - c, u.channels), i, j
    cdef real *points = <real *>scratch
    cdef real *m
    cdef real *dw = <real *>operands[2]
    cdef planes_t inputs
    cdef planes_t gradients
    cdef block_t block
    if chunk == u.chunks:
        sum_parts(<const real *>operands[3], u.image_groups, d.o * g.c * taps_2d, dw)
        return MN_OK
    if u.image_groups > 1:
        dw = <real *>operands[3] + image_group * d.o * g.c * taps_2d
    dw += (group * g.o * g.c + c) * taps_2d
    inputs = input_planes(g, <const real *>operands[0] + (image * d.c + group * g.c + c) * g.h * g.w)
    inputs.channels = channels
    g.n = at_most(u.images - image, g.n)            # the last group may be smaller
    if g.n <= 0:
        for o in range(first, last):
            fill_row(dw + o * g.c * taps_2d, channels * taps_2d, 0)
        return MN_OK
    for index in range(g.blocks):
        block = block_of(g, index)
        transform_planes(g, &inputs, &block, points, s.v, s.v_tile, points + s.window)
        o = first
        while o < last:
            outputs = at_most(last - o, u.step)
            gradients = gradient_planes(
                g, <const real *>operands[1] + (image * d.o + group * g.o + o) * g.out_h * g.out_w)
            gradients.channels = outputs
            transform_planes(g, &gradients, &block, points, s.d, s.d_tile, points + s.window)
            m = points + s.m + ((o - first) * s.m_row if g.blocks > 1 else 0)
            multiply_gradients(&s, &block, index > 0, outputs, channels, points, m)
            if index == g.blocks - 1:
                for i in range(outputs):
                    j = 0
                    while j < channels:
                        winograd_weight_gradient(m + i * s.m_row + j, s.m_point, g.taps, g.phases, at_most(channels - j, VL),
                                                 dw + ((o + i) * g.c + j) * taps_2d)
                        j += VL
            o += u.step
    return MN_OK
