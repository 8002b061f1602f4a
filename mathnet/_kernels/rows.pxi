# Rows by index: gather_rows and its transpose scatter_add_rows (embeddings and their gradients).

ctypedef struct gather_t:
    int64_t rows        # of the table
    int64_t width
    int64_t n           # indices
    int64_t itemsize    # bytes of an element: any type is moved as it is

ctypedef struct scatter_t:
    int64_t rows
    int64_t width
    int64_t n

cdef enum:
    ROWS_CHUNK = 16384          # elements
    SCATTER_COLUMNS = 256       # columns of the table that one chunk adds up


cdef inline int64_t gather_rows_per_chunk(const gather_t *d) noexcept nogil:
    return ROWS_CHUNK // d.width if 0 < d.width < ROWS_CHUNK else 1


cdef void gather_rows_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const gather_t *d = <const gather_t *>descriptor
    cdef bint valid = d.rows >= 0 and d.width >= 0 and d.n >= 0 and d.itemsize > 0
    out.chunks = chunk_count(d.n, gather_rows_per_chunk(d)) if valid else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 10 + <double>d.n * (4 + 0.06 * <double>(d.width * d.itemsize))


cdef int gather_rows(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y[i] = table[indices[i]], for elements of any type.

    Operands: table (rows, width) IN, indices (n) int64 IN, y (n, width) OUT.
    Fails with MN_INDEX_OUT_OF_RANGE, the position and the index.
    """
    cdef const gather_t *d = <const gather_t *>descriptor
    cdef const int64_t *indices = <const int64_t *>operands[1]
    cdef int64_t begin = chunk * gather_rows_per_chunk(d)
    cdef int64_t row_bytes = d.width * d.itemsize
    cdef int64_t i
    for i in range(begin, begin + at_most(d.n - begin, gather_rows_per_chunk(d))):
        if indices[i] < 0 or indices[i] >= d.rows:
            return mn_fail(scratch, MN_INDEX_OUT_OF_RANGE, i, <double>indices[i])
        memcpy(<char *>operands[2] + i * row_bytes, <const char *>operands[0] + indices[i] * row_bytes, <size_t>row_bytes)
    return MN_OK


cdef void scatter_add_rows_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const scatter_t *d = <const scatter_t *>descriptor
    out.chunks = chunk_count(d.width, SCATTER_COLUMNS) if d.rows >= 0 and d.width >= 0 and d.n >= 0 else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 10 + 0.06 * <double>((d.rows + d.n) * d.width * <int64_t>sizeof(real)) + 4 * <double>d.n


cdef int scatter_add_rows(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = 0, then y[indices[i]] += dy[i] for i = 0, 1, …: a chunk does some columns of every row, so the order never varies.

    Operands: dy (n, width) IN, indices (n) int64 IN, y (rows, width) OUT.
    Fails with MN_INDEX_OUT_OF_RANGE, the position and the index.
    """
    cdef const scatter_t *d = <const scatter_t *>descriptor
    cdef const int64_t *indices = <const int64_t *>operands[1]
    cdef int64_t column = chunk * SCATTER_COLUMNS
    cdef int64_t columns = at_most(d.width - column, SCATTER_COLUMNS)
    cdef real *y = <real *>operands[2] + column
    cdef real *target
    cdef const real *source
    cdef int64_t row, i, j
    cdef int lanes
    if columns == d.width:
        memset(y, 0, <size_t>(d.rows * d.width) * sizeof(real))
    else:
        for row in range(d.rows):
            memset(y + row * d.width, 0, <size_t>columns * sizeof(real))
    for i in range(d.n):
        if indices[i] < 0 or indices[i] >= d.rows:
            return mn_fail(scratch, MN_INDEX_OUT_OF_RANGE, i, <double>indices[i])
        target = y + indices[i] * d.width
        source = <const real *>operands[0] + i * d.width + column
        j = 0
        while j < columns:
            lanes = <int>at_most(columns - j, VL)
            v_store_lanes(target + j, v_load_lanes(target + j, lanes) + v_load_lanes(source + j, lanes), lanes)
            j += VL
    return MN_OK


cdef int register_rows() except -1:
    cdef gather_t gather
    cdef scatter_t scatter
    add_kernel("gather_rows", gather_rows, gather_rows_sizes, &gather, sizeof(gather), 0)
    add_integers("rows", &gather.rows, 1)
    add_integers("width", &gather.width, 1)
    add_integers("n", &gather.n, 1)
    add_integers("itemsize", &gather.itemsize, 1)
    add_kernel("scatter_add_rows", scatter_add_rows, scatter_add_rows_sizes, &scatter, sizeof(scatter), 0)
    add_integers("rows", &scatter.rows, 1)
    add_integers("width", &scatter.width, 1)
    add_integers("n", &scatter.n, 1)
    return 0
