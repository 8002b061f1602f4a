# Convolution with Winograd's minimal filtering along the rows alone (row_winograd.h): forward, for layers with few input
# channels and wide kernels, where transforms in two dimensions would cost more than they save.
#
# A row of a kernel is cut into parts, sequences of up to 3 or 4 taps that are a stride apart.  All parts are taken at the
# same points, where their products add up:
#
#   V[point][row of x][c][part][tile]   transformed input           M[point][tile][o] = sum over k of V[point][k][tile] * U[point][k][o]
#   U[point][k][o]                      transformed weights         y = the transform of M
#
# k = (ky, c, part).  Each row of x is transformed once; the rows that a row of y sees follow each other in V, so its
# matrix stands there as it is.  7 taps with stride 2 are two parts of 4 and 3: 4 outputs take 14 products in place of 28.
#
# Every element of M is one chain over k, and tiles never share a row: the bits of an example do not depend on the batch or
# on the cut into blocks.  NaN and infinity reach every output of the tiles that see them, the latter perhaps as NaN.

cdef extern from "row_winograd.h":
    enum:
        ROW_OUTPUTS "MN_ROW_OUTPUTS"
        ROW_POINTS "MN_ROW_POINTS"
    void row_input "mn_row_input"(int64_t taps, const real **inputs, int64_t tiles, real *point,
                                  int64_t point_stride) noexcept nogil
    void row_weights "mn_row_weights"(int64_t taps, const real **w, real *point, int64_t point_stride) noexcept nogil
    void row_output "mn_row_output"(int64_t taps, const real *point, int64_t point_stride, int64_t tile, int64_t tiles,
                                    real *pixels) noexcept nogil

cdef enum:
    ROW_SEGMENT_TILES = 64          # tiles of a row beyond which rows are cut
    ROW_BLOCK_BYTES = 1 << 18       # V of a block stays in the second-level cache
    ROW_CHUNKS = 8                  # chunks that are worth transforming the rows between two blocks twice


# How a layer is cut, and where a worker keeps what it computes, in elements of scratch.
ctypedef struct row_winograd_t:
    int64_t c, o                    # channels of a group
    int64_t taps, parts             # of a part; parts of a row of a kernel
    int64_t points
    int64_t tiles, segment, segments
    int64_t rows, bands             # rows of y of a block
    int64_t pitch                   # elements of a row of tiles
    int64_t row                     # elements of a row of x in V
    int64_t v_point, u_point, m_point
    int64_t line                    # elements of a padded row of x, all of whose positions are whole
    int64_t positions               # of a tile in it
    int64_t width                   # elements of a row of positions
    int64_t u, m, pixels, x, phases, lanes, elements


cdef bint is_row_winograd(const conv2d_t *d) noexcept nogil:
    return (
        conv2d_is_valid(d) and d.dilation_h == 1 and d.dilation_w == 1 and d.c > 0 and d.h > 0 and d.w > 0
        and d.out_h > 0 and d.out_w > 0)


cdef inline int64_t parts_of_row(const conv2d_t *d, int64_t taps) noexcept nogil:
    return at_most(d.stride_w, d.kw) * chunk_count(chunk_count(d.kw, d.stride_w), taps)


cdef inline int64_t start_of_part(const conv2d_t *d, const row_winograd_t *g, int64_t part) noexcept nogil:
    """The first tap of a part; the next is a stride further."""
    cdef int64_t phases = at_most(d.stride_w, d.kw)
    return part % phases + part // phases * g.taps * d.stride_w


cdef row_winograd_t row_winograd_of(const conv2d_t *d) noexcept nogil:
    cdef row_winograd_t g
    cdef int64_t others, rows
    g.c, g.o = d.c // d.groups, d.o // d.groups
    g.taps = 4 if 7 * parts_of_row(d, 4) < 6 * parts_of_row(d, 3) else 3
    g.parts, g.points = parts_of_row(d, g.taps), g.taps + ROW_OUTPUTS - 1
    g.tiles = chunk_count(d.out_w, ROW_OUTPUTS)
    g.segment = chunk_count(g.tiles, chunk_count(g.tiles, ROW_SEGMENT_TILES))
    g.segments = chunk_count(g.tiles, g.segment)
    g.pitch = chunk_count(g.segment, VL) * VL
    g.row = g.c * g.parts * g.pitch
    others = d.n * d.groups * g.segments
    rows = ROW_BLOCK_BYTES // <int64_t>sizeof(real) // (g.points * g.row)       # of x
    rows = (rows - d.kh) // d.stride_h + 1 if rows > d.kh else 1
    g.bands = chunk_count(d.out_h, rows)
    if others > 0:
        while others * g.bands < ROW_CHUNKS and 2 * g.bands * d.kh <= d.out_h * d.stride_h:
            g.bands *= 2
    g.rows = chunk_count(d.out_h, g.bands)
    g.bands = chunk_count(d.out_h, g.rows)
    g.positions = ROW_OUTPUTS * d.stride_w
    g.width = g.pitch + (start_of_part(d, &g, g.parts - 1) + (g.points - 1) * d.stride_w) // g.positions + 1
    g.width = chunk_count(g.width, VL) * VL
    g.line = g.width * g.positions
    g.v_point = point_distance(((g.rows - 1) * d.stride_h + d.kh) * g.row)
    g.u_point = point_distance(d.kh * g.c * g.parts * TILE_COLUMNS)
    g.m_point = point_distance(g.segment * TILE_COLUMNS)
    g.u = g.points * g.v_point
    g.m = g.u + g.points * g.u_point
    g.pixels = g.m + g.points * g.m_point
    g.x = g.pixels + g.segment * ROW_OUTPUTS * VL
    g.phases = g.x + g.line
    g.lanes = g.phases + g.line
    g.elements = g.lanes + (d.kh * d.kw + 2) * VL
    return g


cdef void row_winograd_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef row_winograd_t g
    cdef double tiles
    reject(out)
    if not is_row_winograd(d):
        return
    g = row_winograd_of(d)
    out.chunks = d.n * d.groups * g.segments * g.bands
    out.scratch = g.elements * <int64_t>sizeof(real)
    tiles = <double>d.n * d.groups * d.out_h * g.tiles      # products at 80 % of the peak, and the transforms
    out.work = 200 + sizeof(real) * tiles * g.points * (
        <double>d.kh * g.c * g.parts * g.o / 160 + <double>g.o / 20 + <double>d.stride_h * g.c * g.parts / 10)


cdef void transform_rows(const conv2d_t *d, const row_winograd_t *g, const real *x, int64_t first, int64_t rows,
                         int64_t tile, real *scratch) noexcept nogil:
    """V of `rows` rows of x (c, h, w) from row `first` on, which may lie outside x, for a segment from `tile` on."""
    cdef const real *inputs[7]
    cdef int64_t row, c, part, j, at, begin, end, skipped
    cdef real *line = scratch + g.x
    cdef real *phases = scratch + g.phases
    cdef real *v
    begin = d.pad_left - tile * g.positions                 # of x in the line
    skipped = -begin if begin < 0 else 0
    begin = at_most(begin + skipped, g.line)
    end = begin + at_most(d.w - skipped, g.line - begin) if d.w > skipped else begin
    fill_row(line, begin, 0)
    fill_row(line + end, g.line - end, 0)
    for row in range(rows):
        v = scratch + row * g.row
        if not 0 <= first + row < d.h:
            for j in range(g.points):
                fill_row(v + j * g.v_point, g.row, 0)
            continue
        for c in range(g.c):
            memcpy(line + begin, x + (c * d.h + first + row) * d.w + skipped, (end - begin) * sizeof(real))
            transpose_into(line, g.positions, g.width, g.positions, phases, g.width)
            for part in range(g.parts):
                for j in range(g.points):
                    at = start_of_part(d, g, part) + j * d.stride_w
                    inputs[j] = phases + at % g.positions * g.width + at // g.positions
                row_input(g.taps, inputs, g.segment, v, g.v_point)
                v += g.pitch


cdef void transform_kernel_rows(const conv2d_t *d, const row_winograd_t *g, const real *w, int64_t outputs,
                                real *scratch) noexcept nogil:
    """U of up to TILE_COLUMNS filters w (outputs, c, kh, kw); zero in the columns of a vector beyond the last."""
    cdef const real *taps[4]
    cdef int64_t half = 0, c, ky, part, j, tap
    cdef real *lanes = scratch + g.lanes
    cdef real *zero = lanes + (d.kh * d.kw + 1) * VL
    v_store(zero, v_splat(0))
    while half < outputs:                                   # the products skip a vector without outputs
        for c in range(g.c):
            transpose_into(w + (half * g.c + c) * d.kh * d.kw, g.c * d.kh * d.kw, at_most(outputs - half, VL),
                           d.kh * d.kw, lanes, VL)
            for ky in range(d.kh):
                for part in range(g.parts):
                    for j in range(g.taps):
                        tap = start_of_part(d, g, part) + j * d.stride_w
                        taps[j] = lanes + (ky * d.kw + tap) * VL if tap < d.kw else zero
                    row_weights(g.taps, taps,
                                scratch + g.u + ((ky * g.c + c) * g.parts + part) * TILE_COLUMNS + half, g.u_point)
        half += VL


cdef void multiply_row_points(const conv2d_t *d, const row_winograd_t *g, int64_t row, int64_t tiles, int64_t outputs,
                              real *scratch) noexcept nogil:
    """M of one row of y, the `row`-th of a block."""
    cdef tile_t t
    cdef int64_t point, tile, rows, k, last = d.kh * g.c * g.parts
    t.a_row, t.a_col, t.b_row, t.b_offset, t.b_columns = 1, g.pitch, TILE_COLUMNS, NULL, TILE_COLUMNS
    t.c_row, t.panel, t.epilogue = TILE_COLUMNS, NULL, NULL
    t.columns = at_most(chunk_count(outputs, VL) * VL, TILE_COLUMNS)
    for point in range(g.points):
        k = 0
        while k < last:
            t.k, t.resume = at_most(last - k, PANEL_K), k > 0
            t.b = scratch + g.u + point * g.u_point + k * TILE_COLUMNS
            tile = 0
            while tile < tiles:
                rows = tile_rows(tiles - tile)
                t.a = scratch + point * g.v_point + row * d.stride_h * g.row + k * g.pitch + tile
                t.c = scratch + g.m + point * g.m_point + tile * TILE_COLUMNS
                run_tile(&t, rows)
                tile += rows
            k += PANEL_K


cdef int row_winograd_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = activation(x * w + bias), any kernel and stride, no dilation.

    Operands: x (n, c, h, w), w (o, c/groups, kh, kw), [bias (o)]  IN; y (n, o, out_h, out_w)  OUT.
    """
    cdef const conv2d_t *d = <const conv2d_t *>descriptor
    cdef row_winograd_t g = row_winograd_of(d)
    cdef real *memory = <real *>scratch
    cdef real *pixels = memory + g.pixels
    cdef real *bias = memory + g.lanes
    cdef real *y
    cdef int64_t first = chunk % g.bands * g.rows, tile = chunk // g.bands % g.segments * g.segment
    cdef int64_t image = chunk // (g.bands * g.segments), group = image % d.groups      # of all groups of all images
    cdef int64_t last = at_most(first + g.rows, d.out_h), tiles = at_most(g.segment, g.tiles - tile)
    cdef int64_t o = 0, outputs, half, lanes, row, columns = at_most(tiles * ROW_OUTPUTS, d.out_w - tile * ROW_OUTPUTS)
    transform_rows(d, &g, <const real *>operands[0] + image * g.c * d.h * d.w, first * d.stride_h - d.pad_top,
                   (last - 1 - first) * d.stride_h + d.kh, tile, memory)
    while o < g.o:
        outputs = at_most(g.o - o, TILE_COLUMNS)
        transform_kernel_rows(d, &g, <const real *>operands[1] + (group * g.o + o) * g.c * d.kh * d.kw, outputs, memory)
        for row in range(first, last):
            multiply_row_points(d, &g, row - first, tiles, outputs, memory)
            half = 0
            while half < outputs:
                lanes = at_most(outputs - half, VL)
                row_output(g.taps, memory + g.m + half, g.m_point, TILE_COLUMNS, tiles, pixels)
                if d.bias:
                    v_store(bias, v_load_partial(<const real *>operands[2] + group * g.o + o + half, <int>lanes))
                y = <real *>operands[2 + d.bias] + ((image * g.o + o + half) * d.out_h + row) * d.out_w
                planes_of_pixels(pixels, columns, lanes, bias if d.bias else NULL, d.activation, y + tile * ROW_OUTPUTS,
                                 d.out_h * d.out_w)
                half += VL
        o += TILE_COLUMNS
    return MN_OK


cdef int register_row_winograd() except -1:
    cdef conv2d_t d
    add_kernel("row_winograd_forward", row_winograd_forward, row_winograd_forward_sizes, &d, sizeof(d), 0)
    add_conv2d_fields(&d)
    return 0
