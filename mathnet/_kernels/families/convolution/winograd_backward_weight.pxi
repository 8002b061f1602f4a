# Gradient of a convolution by its kernels: the adjoint of the algorithm in winograd.pxi.
#
#   V[point][tile][c]  = transformed input, as there       D[point][tile][o] = the adjoint transform of dy
#   M[point][o][c]     = sum over tiles of D * V           dw = the adjoint transform of M
#
# Chunks take a group of images, a piece of the outputs and a piece of the input channels.  M is one chain over the tiles of
# a group of images; the gradients of the groups are added in order, in a second stage.  Where the tiles are few, there is one block of
# all: a first stage makes its V, and chunks of the second take all input channels.
#
# Outputs are taken a few at a time, so that their D and M stay in the second-level cache while V passes by.

cdef extern from "winograd_weights.h":
    void winograd_weight_gradient "mn_winograd_weight_gradient"(const real *points, int64_t point_stride, int64_t taps,
                                                                int phases, int rows, int columns, int64_t lanes,
                                                                real *dw) noexcept nogil

cdef extern from "winograd_products.h":
    ctypedef struct gradient_product_t "mn_gradient_product":
        int64_t tiles, outputs, channels
        const real *d
        int64_t d_row
        const real *v
        int64_t v_row
        real *m
        int64_t m_row, resume
    void run_gradient_product "mn_gradient_product_run"(const gradient_product_t *p) noexcept nogil

cdef enum:
    POINT_ELEMENTS = 1 << 14        # tiles by channels of V in a block, where that gives more than MINIMAL_TILES
    MINIMAL_TILES = 128
    GROUP_TILES = 96                # tiles of a group of images at which the transform of M costs some per cent
    PIECE_CHANNELS = 256            # input channels of a piece
    STEP_BYTES = 1 << 12            # outputs by channels of M that stay in the second-level cache, for one point
    STEP_CHANNELS = 128             # of them
    SUMMED_ELEMENTS = 1 << 13       # of a chunk that adds the gradients of the groups of images
    PIECE_OUTPUTS_OF_WEIGHT = 64    # the fewest outputs worth transforming the input again


ctypedef struct winograd_weight_t:
    winograd_t g                    # n: images of a group of images; o, outputs, pieces: as there
    int64_t images                  # in all
    int64_t image_groups
    int64_t channels, channel_pieces    # input channels of a piece
    int64_t step                    # outputs of which D is made at a time
    int64_t width                   # channels of M that are made at a time
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
    if u.image_groups == 1:
        cut_blocks(&u.g, tiles)
        cut_pieces(&u.g, u.g.groups, PIECE_OUTPUTS, True)
    if u.image_groups == 1 and u.g.blocks == 1 and u.g.shared_points:
        u.channel_pieces, u.channels = 1, chunk_count(u.g.c, VL) * VL
    else:
        wanted = POINT_ELEMENTS // u.channels
        wanted = wanted if wanted > MINIMAL_TILES else MINIMAL_TILES
        cut_blocks(&u.g, wanted * POINTS_2D // products_of_tile(&u.g))
        cut_pieces(&u.g, u.g.groups * u.channel_pieces * u.image_groups, PIECE_OUTPUTS_OF_WEIGHT, False)
    u.width = at_most(u.channels, STEP_CHANNELS)
    u.step = STEP_BYTES // <int64_t>sizeof(real) // u.width // TILE_COLUMNS * TILE_COLUMNS
    u.step = at_most(u.step if u.step > TILE_COLUMNS else TILE_COLUMNS, u.g.outputs)
    u.chunks = u.g.groups * u.channel_pieces * u.image_groups * u.g.pieces
    return u


# Where a worker keeps what it computes, in elements of scratch.
ctypedef struct weight_scratch_t:
    int64_t v_tile                  # V[point][tile][c]; in shared memory, if that holds it
    int64_t[36] v
    int64_t v_elements
    int64_t d_tile                  # D[point][tile][o] of one step
    int64_t[36] d
    int64_t m, m_row, m_point       # M[point][o][c] of one step and width, or of the whole piece where there are several blocks
    int64_t window, elements


cdef weight_scratch_t weight_scratch(const winograd_weight_t *u) noexcept nogil:
    cdef weight_scratch_t s
    cdef const winograd_t *g = &u.g
    cdef planes_t inputs = input_planes(g, NULL)
    cdef planes_t gradients = gradient_planes(g, NULL)
    cdef int64_t point, v, window
    s.v_tile, s.d_tile = padded_row(u.channels), padded_row(u.step)
    s.v_elements = place_points(g, s.v_tile, s.v)
    v = 0 if g.shared_points else s.v_elements
    s.m = v + place_points(g, s.d_tile, s.d)
    for point in range(POINTS_2D):
        s.d[point] += v
    s.m_row = chunk_count(u.width if g.blocks == 1 else u.channels, VL) * VL
    s.m_point = point_distance((u.step if g.blocks == 1 else g.outputs) * s.m_row)
    s.window = s.m + POINTS_2D * s.m_point
    window = window_elements(g, &gradients)
    s.elements = window_elements(g, &inputs)
    s.elements = s.window + (window if window > s.elements else s.elements)
    return s


cdef void multiply_gradients(const winograd_t *g, const weight_scratch_t *s, const block_t *b, bint resume, int64_t outputs,
                             int64_t channels, const real *v, const real *scratch, real *m) noexcept nogil:
    """M (+)= D' V for every point that tiles have.  v: the first of the channels."""
    cdef gradient_product_t p
    cdef int64_t point
    p.outputs, p.channels = outputs, chunk_count(channels, VL) * VL
    p.d_row, p.v_row, p.m_row, p.resume = s.d_tile, s.v_tile, s.m_row, resume
    for point in range(POINTS_2D):
        if not has_places(g, point):
            continue
        p.tiles = b.rows[point // POINTS] * b.columns[point % POINTS]
        p.d = scratch + s.d[point]
        p.v = v + s.v[point]
        p.m = m + point * s.m_point
        run_gradient_product(&p)


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
    if u.g.shared_points:
        out.finish, out.chunks = out.chunks, u.g.groups * chunk_count(u.g.c, TRANSFORMED_CHANNELS)
        out.shared = u.g.groups * s.v_elements * <int64_t>sizeof(real)
    elif u.image_groups > 1:
        out.shared = u.image_groups * d.o * u.g.c * d.kh * d.kw * <int64_t>sizeof(real)
        out.finish = chunk_count(d.o * u.g.c * d.kh * d.kw, SUMMED_ELEMENTS)


cdef void weight_chunk(const winograd_weight_t *u, const real *x, const real *dy, real *dw, int64_t chunk, const real *shared,
                       real *scratch) noexcept nogil:
    """The gradient by one piece of the outputs and one of the input channels, of one group of images.

    x, dy, dw: of all, or dw of the group of images; shared: [group] V, or NULL.
    """
    cdef winograd_t g = u.g
    cdef weight_scratch_t s = weight_scratch(u)
    cdef int64_t taps_2d = g.taps * g.taps
    cdef int64_t image = chunk % u.image_groups * g.n, piece = chunk // u.image_groups % g.pieces
    cdef int64_t c = chunk // (u.image_groups * g.pieces) % u.channel_pieces * u.channels
    cdef int64_t group = chunk // (u.image_groups * g.pieces * u.channel_pieces)
    cdef int64_t first = piece * g.outputs, last = at_most(first + g.outputs, g.o), channels = at_most(g.c - c, u.channels)
    cdef int64_t index, o, outputs, i, j, k, width
    cdef int rows = most_points(&g, &g.ys), columns = most_points(&g, &g.xs)
    cdef const real *v = scratch
    cdef real *m
    cdef planes_t inputs
    cdef planes_t gradients
    cdef block_t block
    dw += (group * g.o * g.c + c) * taps_2d
    g.n = at_most(u.images - image, g.n)            # the last group may be smaller
    if g.n <= 0:
        for o in range(first, last):
            fill_row(dw + o * g.c * taps_2d, channels * taps_2d, 0)
        return
    if shared != NULL:
        v = shared + group * s.v_elements
    inputs = input_planes(&g, x + (image * g.groups * g.c + group * g.c + c) * g.h * g.w)
    inputs.channels = channels
    for index in range(g.blocks):
        block = block_of(&g, index)
        if shared == NULL:
            transform_planes(&g, &inputs, &block, scratch, s.v, s.v_tile, scratch + s.window)
        o = first
        while o < last:
            outputs = at_most(last - o, u.step)
            gradients = gradient_planes(&g, dy + (image * g.groups * g.o + group * g.o + o) * g.out_h * g.out_w)
            gradients.channels = outputs
            transform_planes(&g, &gradients, &block, scratch, s.d, s.d_tile, scratch + s.window)
            k = 0
            while k < channels:
                width = at_most(channels - k, u.width)
                m = scratch + s.m + ((o - first) * s.m_row + k if g.blocks > 1 else 0)
                multiply_gradients(&g, &s, &block, index > 0, outputs, width, v + k, scratch, m)
                if index == g.blocks - 1:
                    for i in range(outputs):
                        j = 0
                        while j < width:
                            winograd_weight_gradient(m + i * s.m_row + j, s.m_point, g.taps, g.phases, rows, columns,
                                                     at_most(width - j, VL), dw + ((o + i) * g.c + k + j) * taps_2d)
                            j += VL
                k += u.width
            o += u.step


cdef int winograd_backward_weight(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dw = the gradient of sum(y * dy) by the weights; bias and activation of the descriptor play no part.

    Operands: x (n, c, h, w), dy (n, o, out_h, out_w)  IN; dw (o, c/groups, kh, kw)  OUT; with several groups of
    images: their gradients (groups, o, c/groups, kh, kw)  SHARED; with few tiles: V of each group of channels  SHARED.
    """
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef winograd_weight_t u = winograd_weight_of(d)
    cdef const real *x = <const real *>operands[0]
    cdef const real *dy = <const real *>operands[1]
    cdef real *dw = <real *>operands[2]
    cdef real *shared
    cdef weight_scratch_t s
    cdef planes_t inputs
    cdef block_t block
    cdef int64_t runs, c, group, n = d.o * u.g.c * d.kh * d.kw
    if u.g.shared_points:
        shared = <real *>operands[3]
        runs = chunk_count(u.g.c, TRANSFORMED_CHANNELS)
        if chunk >= u.g.groups * runs:
            weight_chunk(&u, x, dy, dw, chunk - u.g.groups * runs, shared, <real *>scratch)
            return MN_OK
        s = weight_scratch(&u)
        group, c = chunk // runs, chunk % runs * TRANSFORMED_CHANNELS
        block = block_of(&u.g, 0)
        inputs = input_planes(&u.g, x + (group * u.g.c + c) * d.h * d.w)
        inputs.channels = at_most(u.g.c - c, TRANSFORMED_CHANNELS)
        transform_planes(&u.g, &inputs, &block, shared + group * s.v_elements + c, s.v, s.v_tile, <real *>scratch + s.window)
    elif chunk >= u.chunks:
        c = (chunk - u.chunks) * SUMMED_ELEMENTS
        sum_some_of_parts(<const real *>operands[3], u.image_groups, n, c, at_most(c + SUMMED_ELEMENTS, n), dw)
    else:
        if u.image_groups > 1:
            dw = <real *>operands[3] + chunk % u.image_groups * n
        weight_chunk(&u, x, dy, dw, chunk, NULL, <real *>scratch)
    return MN_OK
