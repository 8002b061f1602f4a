# The matrix product: C = activation(A·B + bias), any strides, batched.
#
# Every element of C is one chain of multiply-adds over k = 0 … K-1 (tile.h), on every path below, so the bits of a
# row do not depend on the batch it stands in, on the strides, or on how the work is cut.  Blocks of K resume the
# chain from C; the bias is added when the chain is complete, then the activation is applied: the bits of a fused and
# of an unfused plan are the same.
#
# Paths, chosen by sizes and strides only (AVX2, float32, against a peak of 97 GFLOP/s):
#   one row         strips of 8 vectors of B, read in place in blocks of 64 rows (784x128 from L2: 5.8 us); a B wider than 8
#                   strips eight rows at a time from end to end (4096x4096: 17 GB/s); where B is contiguous along K,
#                   groups of its columns transposed in registers (matrix_vector.h: 10 us)
#   up to 6 rows    one tile high: B is used once, so it is read in place
#   more rows       the first tile of a panel of B writes the panel down while it computes, the others read it from
#                   the first-level cache: packing costs two stores per 12 multiply-adds (M=32, K=784, N=128: 92)
#   64 rows and up  four panels are packed together, so that wide rows of B are read in runs (768^3: 87, before 68)
#   packed A        in groups of up to 6 rows, where A is transposed and wanted for 8 panels, and where its rows lie whole
#                   pages apart, so that they would fight for one set of the first-level cache (1024^3: 78, before 59)
# A transposed B is turned into panels by register transposes.

cdef extern from "tile.h":
    enum:
        TILE_ROWS "MN_TILE_ROWS"
        TILE_COLUMNS "MN_TILE_COLUMNS"
        STRIP_COLUMNS "MN_STRIP_COLUMNS"
        PANEL_K "MN_PANEL_ROWS"
        LONG_ROWS "MN_LONG_ROWS"
        ACTIVATIONS "MN_ACTIVATIONS"
        NO_ACTIVATION "MN_NO_ACTIVATION"
    ctypedef struct epilogue_t "mn_epilogue":
        const real *bias
        int64_t bias_row, bias_col
        int64_t activation
    ctypedef struct tile_t "mn_tile":
        int64_t k
        const real *a
        int64_t a_row, a_col
        const real *b
        int64_t b_row
        const int64_t *b_offset
        int64_t b_columns
        real *c
        int64_t c_row
        int64_t columns
        real *panel
        int64_t resume
        const epilogue_t *epilogue
    int64_t tile_rows "mn_tile_rows"(int64_t left) noexcept nogil
    void run_tile "mn_tile_run"(const tile_t *t, int64_t rows) noexcept nogil
    void run_strip "mn_strip_run"(const tile_t *t) noexcept nogil
    void run_half_strip "mn_half_strip_run"(const tile_t *t) noexcept nogil
    void run_long_rows "mn_long_rows_run"(const tile_t *t) noexcept nogil
    void transpose_into "mn_transpose"(const real *source, int64_t source_row, int64_t rows, int64_t columns,
                                       real *target, int64_t target_row) noexcept nogil
    void pack_panels "mn_pack_panels"(const real *b, int64_t b_row, int64_t k, int64_t columns, real *target) noexcept nogil
    void copy_rows_into "mn_copy_rows"(const real *source, int64_t source_row, int64_t rows, int64_t columns,
                                       real *target) noexcept nogil


cdef extern from "matrix_vector.h":
    ctypedef struct matrix_vector_t "mn_matrix_vector":
        int64_t rows, k
        const real *a
        int64_t a_row
        const real *x
        int64_t x_step
        real *y
        int64_t resume
    void run_matrix_vector "mn_matrix_vector_run"(const matrix_vector_t *p) noexcept nogil
    void run_epilogue "mn_epilogue_run"(const epilogue_t *e, const real *x, int64_t x_row, int64_t rows,
                                        int64_t columns, real *y, int64_t y_row) noexcept nogil


cdef enum:
    PACKED_K = 256          # rows of a panel of B beside packed A; at most PANEL_K, which fills the first-level cache
    SLAB_PANELS = 4         # panels that are packed together, so that rows of B are read in runs of 256 bytes
    SLAB_ROWS = 64          # rows of A, and
    SLAB_K = 64             # rows of B from which that pays
    STRIP_K = 64            # rows of B that one row of A visits before the next strip: keeps the reads sequential
    WIDE_STRIPS = 8         # from more strips than these on, rows of B are read from end to end
    PIECE_ROWS = 192        # a piece of A (rows x PACKED_K) stays in the second-level cache
    PIECE_PANELS = 32
    PIECE_PRODUCTS = 1 << 20    # multiply-adds that are worth a chunk of their own: 12 us
    PIECES_WANTED = 8
    LEAST_ROWS = 96         # of a piece, where columns can be cut instead
    PACKING_K = 8           # rows of a transposed A that are packed at a time, all along: they stay in the first-level cache
    PACKING_PIECES = 4      # a transposed A is packed by every piece that reads it: fewer, of more
    PACKING_PRODUCTS = 4 << 20  # multiply-adds, but two where there are as many as two pieces of another product have
    PACKED_PANELS = 8       # of B that a piece needs for packing A to pay
    ROW_PIECES = 4          # of the product of a matrix and a vector
    VECTOR_PRODUCTS = 1 << 17   # of such a product, where pieces of the matrix are runs of memory: 8 us


ctypedef struct gemm_t:
    int64_t m, n, k
    int64_t a_row, a_col, b_row, b_col, c_row
    int64_t batch               # matrices: the product of batch_shape
    int64_t[3] a_batch          # strides over the batch axes, 0 = the same matrix
    int64_t[3] b_batch
    int64_t[3] c_batch
    int64_t[3] batch_shape      # row-major; 0 counts as 1
    int64_t accumulate          # the chains start from C
    int64_t bias                # an operand (n) follows b
    int64_t activation


# One product of matrices (or a piece of it), ready to run.
ctypedef struct product_t:
    int64_t m, n, k
    const real *a               # A (m, k)  IN
    int64_t a_row, a_col
    const real *b               # B (k, n)  IN
    int64_t b_row, b_col
    real *c                     # C (m, n)  OUT, IN when resuming
    int64_t c_row
    int64_t resume
    epilogue_t epilogue         # bias (n) with bias_col = 1, or (m) with bias_row = 1, or NULL
    bint pack_a


# How one matrix of the batch is cut, and how many matrices make a chunk: a function of the descriptor only.
ctypedef struct pieces_t:
    int64_t rows, columns               # of a piece
    int64_t row_pieces, column_pieces
    int64_t matrices                    # per chunk, when a matrix is one piece
    int64_t chunks
    bint pack_a


cdef inline int64_t piece_products(const gemm_t *d) noexcept nogil:
    """Multiply-adds that are worth a chunk of their own.  A matrix that meets one vector is read once: where it is contiguous
    along k, pieces read it as the whole does; rows along n would be read in shorter runs."""
    cdef bint runs = d.m == 1 and d.b_row == 1 and d.n > 1 or d.n == 1 and d.a_col == 1 and d.m > 1
    return VECTOR_PRODUCTS if runs and d.batch == 1 else PIECE_PRODUCTS


cdef pieces_t gemm_pieces(const gemm_t *d) noexcept nogil:
    cdef pieces_t p
    cdef int64_t products = d.m * d.n * d.k, worth = piece_products(d), wanted
    p.rows, p.columns = d.m, d.n
    p.row_pieces = p.column_pieces = p.matrices = 1
    p.pack_a = False
    if products <= worth:
        if products > 0:
            p.matrices = worth // products
        p.chunks = chunk_count(d.batch, p.matrices)
        return p
    if d.m == 1 or d.n == 1:    # wide pieces: each visits every page of the matrix
        wanted = at_most(chunk_count(products, worth), ROW_PIECES)
    elif d.a_col == 1:
        wanted = at_most(products // PIECE_PRODUCTS, PIECES_WANTED)
    else:
        wanted = at_most(products // PACKING_PRODUCTS, PACKING_PIECES)
        if wanted < 2:
            wanted = at_most(products // PIECE_PRODUCTS, 2)
    p.row_pieces = chunk_count(d.m, PIECE_ROWS) if d.n > 1 else 1
    if p.row_pieces > 2:        # shared fairly by 2 and by 4 threads
        p.row_pieces = (p.row_pieces + 3) // 4 * 4
    p.column_pieces = chunk_count(d.n, PIECE_PANELS * TILE_COLUMNS) if d.m > 1 else 1
    while p.row_pieces * p.column_pieces < wanted:
        # a piece packs its own panels of B, and a transposed A that it reads: the fewer the pieces, the less is packed twice
        if d.m >= (2 * LEAST_ROWS if d.a_col == 1 else LEAST_ROWS) * p.row_pieces:
            p.row_pieces *= 2
        elif d.n >= 2 * TILE_COLUMNS * p.column_pieces:
            p.column_pieces *= 2
        else:
            break
    p.rows = chunk_count(d.m, p.row_pieces)
    p.columns = chunk_count(chunk_count(d.n, p.column_pieces), TILE_COLUMNS) * TILE_COLUMNS
    p.row_pieces = chunk_count(d.m, p.rows)
    p.column_pieces = chunk_count(d.n, p.columns)
    p.chunks = d.batch * p.row_pieces * p.column_pieces
    p.pack_a = p.rows > 2 * TILE_ROWS and (
        p.columns >= PACKED_PANELS * TILE_COLUMNS if d.a_col != 1
        else p.columns >= 12 * TILE_COLUMNS and d.k > PANEL_K and d.a_row * <int64_t>sizeof(real) % 4096 == 0)
    return p


cdef void gemm_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const gemm_t *d = <const gemm_t *>descriptor
    cdef pieces_t p
    cdef int64_t matrices = 1, axis, columns
    cdef bint valid = (
        d.m >= 0 and d.n >= 0 and d.k >= 0 and d.batch >= 0 and 0 <= d.activation < ACTIVATIONS
        and d.a_row >= 0 and d.a_col >= 0 and d.b_row >= 0 and d.b_col >= 0 and d.c_row >= 0)
    for axis in range(3):
        valid = valid and d.batch_shape[axis] >= 0
        matrices *= d.batch_shape[axis] if d.batch_shape[axis] else 1
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if not valid or (d.batch > 0 and matrices != d.batch):
        return
    p = gemm_pieces(d)
    out.chunks = p.chunks
    out.scratch = product_scratch(p.rows if p.pack_a else 0)
    # 95 % of the peak on whole vectors; a matrix that is used once comes at 80 bytes a nanosecond
    columns = chunk_count(d.n, VL) * VL
    out.work = 20 + <double>d.batch * sizeof(real) * (
        <double>(d.m * columns * d.k) / 192 + <double>(d.m * d.k + d.k * d.n + d.m * d.n) / 80)


cdef int gemm_run(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """C = activation(A·B + bias), or with accumulate activation(C + A·B + bias).

    Operands: a (m, k), b (k, n), [bias (n)]  IN; c (m, n)  OUT (IN and OUT with accumulate), column stride 1.
    """
    cdef const gemm_t *d = <const gemm_t *>descriptor
    cdef product_t p
    cdef pieces_t cut
    cdef int64_t first, last, piece, row, column
    p.k = d.k
    p.a_row, p.a_col, p.b_row, p.b_col, p.c_row = d.a_row, d.a_col, d.b_row, d.b_col, d.c_row
    p.resume = d.accumulate
    p.epilogue.activation = d.activation
    if d.batch == 1 and d.m * d.n * d.k <= piece_products(d):      # small: no planning
        p.m, p.n = d.m, d.n
        p.a, p.b, p.c = <const real *>operands[0], <const real *>operands[1], <real *>operands[2 + d.bias]
        p.epilogue.bias = <const real *>operands[2] if d.bias else NULL
        p.epilogue.bias_row, p.epilogue.bias_col = 0, 1
        p.pack_a = False
        multiply(&p, <real *>scratch)
        return MN_OK
    cut = gemm_pieces(d)
    p.pack_a = cut.pack_a
    piece = chunk % (cut.row_pieces * cut.column_pieces)
    first = chunk // (cut.row_pieces * cut.column_pieces) * cut.matrices
    last = at_most(first + cut.matrices, d.batch)
    row, column = piece // cut.column_pieces * cut.rows, piece % cut.column_pieces * cut.columns
    while first < last:
        p.m, p.n = at_most(d.m - row, cut.rows), at_most(d.n - column, cut.columns)
        p.a_row, p.a_col, p.b_row, p.b_col = d.a_row, d.a_col, d.b_row, d.b_col
        p.a = <const real *>operands[0] + batch_offset(d, d.a_batch, first) + row * d.a_row
        p.b = <const real *>operands[1] + batch_offset(d, d.b_batch, first) + column * d.b_col
        p.c = <real *>operands[2 + d.bias] + batch_offset(d, d.c_batch, first) + row * d.c_row + column
        p.epilogue.bias = <const real *>operands[2] + column if d.bias else NULL
        p.epilogue.bias_row, p.epilogue.bias_col = 0, 1
        multiply(&p, <real *>scratch)
        first += 1
    return MN_OK


cdef int64_t batch_offset(const gemm_t *d, const int64_t *stride, int64_t index) noexcept nogil:
    """Elements before matrix `index` (row-major over batch_shape) of an operand with these batch strides."""
    cdef int64_t axis = 2, size, offset = 0
    while axis >= 0:
        size = d.batch_shape[axis]
        if size > 1:
            offset += index % size * stride[axis]
            index //= size
        axis -= 1
    return offset


cdef int64_t product_scratch(int64_t packed_rows) noexcept nogil:
    """Bytes of scratch that multiply wants: a panel or strip of B, and packed rows of A."""
    return (SLAB_PANELS * PANEL_K * TILE_COLUMNS + packed_rows * PACKED_K + VL) * <int64_t>sizeof(real)


cdef void multiply(product_t *p, real *scratch) noexcept nogil:
    """Runs one product; p is left changed."""
    if p.n == 1 and p.m > TILE_ROWS and p.c_row == 1:       # a column is the transpose of a row
        p.a, p.b = p.b, p.a
        p.n, p.m = p.m, 1
        p.a_col, p.b_row, p.b_col = p.b_row, p.a_col, p.a_row
        p.epilogue.bias_row, p.epilogue.bias_col = p.epilogue.bias_col, p.epilogue.bias_row
    if p.m == 1 and p.b_row == 1 and p.n >= VL:
        multiply_vector(p)
    elif p.m == 1 and p.b_col == 1 and p.n > WIDE_STRIPS * STRIP_COLUMNS and p.k >= LONG_ROWS:
        multiply_long_row(p)
    elif p.m == 1 and p.n >= STRIP_COLUMNS // 2:
        multiply_row(p, scratch)
    else:
        multiply_tiles(p, scratch)


cdef void gather_b(const real *b, int64_t b_row, int64_t b_col, int64_t k, int64_t columns,
                   real *target, int64_t target_row) noexcept nogil:
    """target[k][j] = B[k][j] for a B whose rows are not contiguous; columns are zero-padded to whole vectors."""
    cdef int64_t i, j, padded = (columns + VL - 1) // VL * VL
    if b_row == 1:
        transpose_into(b, b_col, columns, k, target, target_row)
        return
    for i in range(k):
        for j in range(columns):
            target[j] = b[j * b_col]
        for j in range(columns, padded):
            target[j] = 0
        b += b_row
        target += target_row


cdef inline bint has_epilogue(const product_t *p) noexcept nogil:
    return p.epilogue.bias != NULL or p.epilogue.activation != NO_ACTIVATION


cdef void multiply_vector(const product_t *p) noexcept nogil:
    """m = 1 with a B that is contiguous along k: the product of its transpose and a vector."""
    cdef matrix_vector_t v
    v.rows, v.k = p.n, p.k
    v.a, v.a_row = p.b, p.b_col
    v.x, v.x_step = p.a, p.a_col
    v.y, v.resume = p.c, p.resume
    run_matrix_vector(&v)
    finish_row(p)


cdef void multiply_long_row(const product_t *p) noexcept nogil:
    """m = 1 with a wide B in place: several rows of B at a time, each from end to end."""
    cdef tile_t t
    t.k, t.columns, t.resume = p.k, p.n, p.resume
    t.a, t.a_col = p.a, p.a_col
    t.b, t.b_row = p.b, p.b_row
    t.c = p.c
    run_long_rows(&t)
    finish_row(p)


cdef void finish_row(const product_t *p) noexcept nogil:
    """The epilogue over the one row of C."""
    cdef epilogue_t epilogue = p.epilogue
    cdef real last[2 * 16]
    cdef int64_t whole = p.n // VL * VL
    if not has_epilogue(p):
        return
    run_epilogue(&epilogue, p.c, 0, 1, whole, p.c, 0)
    if whole < p.n:     # reads whole vectors
        memcpy(last, p.c + whole, (p.n - whole) * sizeof(real))
        if p.epilogue.bias != NULL:
            epilogue.bias = p.epilogue.bias + whole * p.epilogue.bias_col
        run_epilogue(&epilogue, last, 0, 1, p.n - whole, p.c + whole, 0)


cdef void multiply_row(const product_t *p, real *scratch) noexcept nogil:
    """m = 1: strips of B, in blocks of a few rows so that memory is read in long runs."""
    cdef tile_t t
    cdef epilogue_t epilogue = p.epilogue
    cdef bint in_place = p.b_col == 1
    cdef int64_t k0 = 0, n0, n1, strip = STRIP_COLUMNS, depth = STRIP_K
    if not in_place:        # B is contiguous along K: go deeper, over fewer columns
        strip, depth = STRIP_COLUMNS // 2, PANEL_K * TILE_COLUMNS // (STRIP_COLUMNS // 2)
    elif p.n <= STRIP_COLUMNS:      # no other strip to visit
        depth = p.k if p.k > 0 else 1
    t.a_row = t.c_row = 0
    t.a_col = p.a_col
    t.b_row = p.b_row
    t.b_offset = NULL
    t.panel = NULL
    t.epilogue = NULL
    while True:
        t.k = at_most(p.k - k0, depth)
        t.resume = p.resume or k0 > 0
        t.a = p.a + k0 * p.a_col
        if k0 + depth >= p.k and has_epilogue(p):
            t.epilogue = &epilogue
        n0 = 0
        while n0 < p.n:
            n1 = at_most(n0 + strip, p.n)
            t.b = p.b + k0 * p.b_row + n0 * p.b_col
            if not in_place:
                gather_b(t.b, p.b_row, p.b_col, t.k, n1 - n0, scratch, strip)
                t.b, t.b_row = scratch, strip
            while n0 < n1:
                t.c = p.c + n0
                if p.epilogue.bias != NULL:
                    epilogue.bias = p.epilogue.bias + n0 * p.epilogue.bias_col
                if n1 - n0 == STRIP_COLUMNS:
                    run_strip(&t)
                    t.columns = STRIP_COLUMNS
                elif n1 - n0 >= STRIP_COLUMNS // 2:
                    run_half_strip(&t)
                    t.columns = STRIP_COLUMNS // 2
                else:
                    t.columns = at_most(n1 - n0, TILE_COLUMNS)
                    t.b_columns = t.columns if in_place else TILE_COLUMNS
                    run_tile(&t, 1)
                n0 += t.columns
                t.b += t.columns
        k0 += depth
        if k0 >= p.k:
            break


cdef void multiply_tiles(const product_t *p, real *scratch) noexcept nogil:
    """For each block of K, panel after panel of B, tile after tile down the panel."""
    cdef tile_t t
    cdef epilogue_t epilogue = p.epilogue
    cdef int64_t k0 = 0, n0, m0, rows, depth = PACKED_K if p.pack_a else PANEL_K
    cdef real *packed_a = scratch + SLAB_PANELS * PANEL_K * TILE_COLUMNS
    cdef bint last, slabs = (
        p.b_col == 1 and p.k >= SLAB_K and p.m >= SLAB_ROWS and p.n >= SLAB_PANELS * TILE_COLUMNS)
    cdef int64_t slab
    t.a_row, t.a_col = p.a_row, p.a_col
    t.c_row = p.c_row
    t.b_offset = NULL
    while True:
        t.k = at_most(p.k - k0, depth)
        t.resume = p.resume or k0 > 0
        last = k0 + depth >= p.k
        t.epilogue = &epilogue if last and has_epilogue(p) else NULL
        if p.pack_a:
            pack_rows(p.a + k0 * p.a_col, p.a_row, p.a_col, p.m, t.k, packed_a)
        n0 = 0
        while n0 < p.n:
            t.columns = at_most(p.n - n0, TILE_COLUMNS)
            t.b = p.b + k0 * p.b_row + n0 * p.b_col
            t.b_row = p.b_row
            t.b_columns = t.columns
            t.panel = NULL
            if slabs:
                slab = n0 % (SLAB_PANELS * TILE_COLUMNS)
                if slab == 0:
                    pack_panels(t.b, p.b_row, t.k, at_most(p.n - n0, SLAB_PANELS * TILE_COLUMNS), scratch)
                t.b, t.b_row, t.b_columns = scratch + slab * t.k, TILE_COLUMNS, TILE_COLUMNS
            elif p.b_col != 1 and p.n > 1:
                gather_b(t.b, p.b_row, p.b_col, t.k, t.columns, scratch, TILE_COLUMNS)
                t.b, t.b_row, t.b_columns = scratch, TILE_COLUMNS, TILE_COLUMNS
            elif p.m > TILE_ROWS:
                t.panel = scratch
            m0 = 0
            while m0 < p.m:
                rows = tile_rows(p.m - m0)
                if p.pack_a:
                    t.a, t.a_row, t.a_col = packed_a + m0 * t.k, 1, rows
                else:
                    t.a = p.a + m0 * p.a_row + k0 * p.a_col
                t.c = p.c + m0 * p.c_row + n0
                if p.epilogue.bias != NULL:
                    epilogue.bias = p.epilogue.bias + m0 * p.epilogue.bias_row + n0 * p.epilogue.bias_col
                run_tile(&t, rows)
                if t.panel != NULL:
                    t.b, t.b_row, t.b_columns = scratch, TILE_COLUMNS, TILE_COLUMNS
                    t.panel = NULL
                m0 += rows
            n0 += TILE_COLUMNS
        k0 += depth
        if last:
            break


cdef void pack_rows(const real *a, int64_t a_row, int64_t a_col, int64_t m, int64_t k, real *target) noexcept nogil:
    """A in the order in which tiles read it: tile after tile, for each k the elements of its rows."""
    cdef int64_t m0, rows, i, j, k0 = 0, depth = PACKING_K if a_row == 1 else k
    cdef const real *source
    cdef real *tile
    while k0 < k:
        depth = at_most(k - k0, depth)
        m0 = 0
        while m0 < m:
            rows = tile_rows(m - m0)
            source = a + m0 * a_row + k0 * a_col
            tile = target + m0 * k + k0 * rows
            if a_row == 1:
                copy_rows_into(source, a_col, rows, depth, tile)
            elif a_col == 1:
                transpose_into(source, a_row, rows, k, tile, rows)
            else:
                for j in range(k):
                    for i in range(rows):
                        tile[j * rows + i] = source[i * a_row + j * a_col]
            m0 += rows
        k0 += depth


cdef int register_gemm() except -1:
    cdef gemm_t d
    add_kernel("gemm", gemm_run, gemm_sizes, &d, sizeof(d), 0)
    add_integers("m", &d.m, 1)
    add_integers("n", &d.n, 1)
    add_integers("k", &d.k, 1)
    add_integers("a_row", &d.a_row, 1)
    add_integers("a_col", &d.a_col, 1)
    add_integers("b_row", &d.b_row, 1)
    add_integers("b_col", &d.b_col, 1)
    add_integers("c_row", &d.c_row, 1)
    add_integers("batch", &d.batch, 1)
    add_integers("a_batch", d.a_batch, 3)
    add_integers("b_batch", d.b_batch, 3)
    add_integers("c_batch", d.c_batch, 3)
    add_integers("batch_shape", d.batch_shape, 3)
    add_integers("accumulate", &d.accumulate, 1)
    add_integers("bias", &d.bias, 1)
    add_integers("activation", &d.activation, 1)
    return 0
