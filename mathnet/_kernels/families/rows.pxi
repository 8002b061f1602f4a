# Rows by index: gather_rows and its transpose scatter_add_rows (embeddings and their gradients), put_rows, and wrap_index, which
# makes indices of them.

ctypedef struct gather_t:
    int64_t rows        # of the table
    int64_t width
    int64_t n           # indices
    int64_t itemsize    # bytes of an element: any type is moved as it is

ctypedef struct scatter_t:
    int64_t rows
    int64_t width
    int64_t n

ctypedef struct put_t:
    int64_t rows
    int64_t width
    int64_t n
    int64_t itemsize

ctypedef struct wrap_t:
    int64_t size        # of the axis
    int64_t n           # indices

cdef enum:
    ROWS_CHUNK = 16384          # elements
    SCATTER_COLUMNS = 256       # columns of the table that one chunk adds up or puts


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


cdef void put_rows_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const put_t *d = <const put_t *>descriptor
    cdef bint valid = d.rows >= 0 and d.width >= 0 and d.n >= 0 and d.itemsize > 0
    out.chunks = chunk_count(d.width, SCATTER_COLUMNS) if valid else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 10 + 0.06 * <double>((d.rows + d.n) * d.width * d.itemsize) + 4 * <double>d.n


cdef int put_rows(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y = table, then y[indices[i]] = values[i] for i = 0, 1, …, so that the last one stays; for elements of any type.

    Operands: table (rows, width) IN, values (n, width) IN, indices (n) int64 IN, y (rows, width) OUT; y may be the table itself.
    Fails with MN_INDEX_OUT_OF_RANGE, the position and the index.
    """
    cdef const put_t *d = <const put_t *>descriptor
    cdef const char *table = <const char *>operands[0]
    cdef const char *values = <const char *>operands[1]
    cdef const int64_t *indices = <const int64_t *>operands[2]
    cdef char *y = <char *>operands[3]
    cdef int64_t start = <int64_t>chunk * SCATTER_COLUMNS * d.itemsize
    cdef int64_t row_bytes = d.width * d.itemsize
    cdef size_t part = <size_t>(at_most(d.width - <int64_t>chunk * SCATTER_COLUMNS, SCATTER_COLUMNS) * d.itemsize)
    cdef int64_t i
    if y != table:
        if <int64_t>part == row_bytes:
            memcpy(y, table, <size_t>(d.rows * row_bytes))
        else:
            for i in range(d.rows):
                memcpy(y + i * row_bytes + start, table + i * row_bytes + start, part)
    for i in range(d.n):
        if indices[i] < 0 or indices[i] >= d.rows:
            return mn_fail(scratch, MN_INDEX_OUT_OF_RANGE, i, <double>indices[i])
        memcpy(y + indices[i] * row_bytes + start, values + i * row_bytes + start, part)
    return MN_OK


cdef void wrap_index_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const wrap_t *d = <const wrap_t *>descriptor
    out.chunks = chunk_count(d.n, ROWS_CHUNK) if d.size >= 0 and d.n >= 0 else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 10 + 0.8 * <double>d.n


cdef int wrap_index(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y[i] = indices[i], or indices[i] + size where that is negative: Python's counting from the end.

    Operands: indices (n) int64 IN, y (n) int64 OUT.  Fails with MN_INDEX_OUT_OF_RANGE, the position and the index.
    """
    cdef const wrap_t *d = <const wrap_t *>descriptor
    cdef const int64_t *indices = <const int64_t *>operands[0]
    cdef int64_t *y = <int64_t *>operands[1]
    cdef int64_t begin = <int64_t>chunk * ROWS_CHUNK
    cdef int64_t i, index
    for i in range(begin, begin + at_most(d.n - begin, ROWS_CHUNK)):
        index = indices[i]
        if index < -d.size or index >= d.size:
            return mn_fail(scratch, MN_INDEX_OUT_OF_RANGE, i, <double>index)
        y[i] = index + d.size if index < 0 else index
    return MN_OK


cdef int register_rows() except -1:
    cdef gather_t gather
    cdef scatter_t scatter
    cdef put_t put
    cdef wrap_t wrap
    add_kernel("gather_rows", gather_rows, gather_rows_sizes, &gather, sizeof(gather), 0)
    add_integers("rows", &gather.rows, 1)
    add_integers("width", &gather.width, 1)
    add_integers("n", &gather.n, 1)
    add_integers("itemsize", &gather.itemsize, 1)
    add_kernel("scatter_add_rows", scatter_add_rows, scatter_add_rows_sizes, &scatter, sizeof(scatter), 0)
    add_integers("rows", &scatter.rows, 1)
    add_integers("width", &scatter.width, 1)
    add_integers("n", &scatter.n, 1)
    add_kernel("put_rows", put_rows, put_rows_sizes, &put, sizeof(put), 0)
    add_integers("rows", &put.rows, 1)
    add_integers("width", &put.width, 1)
    add_integers("n", &put.n, 1)
    add_integers("itemsize", &put.itemsize, 1)
    add_kernel("wrap_index", wrap_index, wrap_index_sizes, &wrap, sizeof(wrap), 0)
    add_integers("size", &wrap.size, 1)
    add_integers("n", &wrap.n, 1)
    return 0
