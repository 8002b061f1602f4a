# Running sums, products and linear recurrences along the middle axis of dense arrays [outer, n, inner], in the order of the axis
# or against it.  Each column is one chain from its first element, so its bits depend on that column alone.

ctypedef struct cumulative_t:
    int64_t outer
    int64_t n
    int64_t inner
    int64_t kind        # 0 sum, 1 product, 2 linear recurrence
    int64_t reverse     # 1: from the last element to the first
    int64_t integer     # 1: the elements are int64, for kinds 0 and 1

cdef enum:
    CUMULATIVE_CHUNK = 16384        # elements of a chunk, at least
    CUMULATIVE_COLUMNS = 256        # columns that a unit walks side by side


cdef inline int64_t cumulative_units(const cumulative_t *d) noexcept nogil:
    return d.outer * chunk_count(d.inner, CUMULATIVE_COLUMNS) if d.n > 0 and d.inner > 0 else 0


cdef inline int64_t cumulative_units_per_chunk(const cumulative_t *d) noexcept nogil:
    cdef int64_t elements = d.n * at_most(d.inner, CUMULATIVE_COLUMNS)
    return CUMULATIVE_CHUNK // elements if 0 < elements < CUMULATIVE_CHUNK else 1


cdef void cumulative_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const cumulative_t *d = <const cumulative_t *>descriptor
    cdef bint valid = d.outer >= 0 and d.n >= 0 and d.inner >= 0 and 0 <= d.kind <= 2 and not (d.integer and d.kind == 2)
    out.chunks = chunk_count(cumulative_units(d), cumulative_units_per_chunk(d)) if valid else -1
    out.scratch = out.shared = out.finish = 0
    # one chain alone waits for each result: four cycles an element
    out.work = 10 + (1.2 if d.inner == 1 else 0.1) * <double>(d.outer * d.n * d.inner)


cdef void run_chain(int64_t kind, const real *x, const real *b, real *y, int64_t n, int64_t step) noexcept nogil:
    """One column; x, b and y stand at its first element in the order of the walk."""
    cdef real value = 1 if kind == 1 else 0
    cdef int64_t i
    for i in range(n):
        if kind == 0:
            value = value + x[i * step]
        elif kind == 1:
            value = value * x[i * step]
        else:
            value = value * x[i * step] + b[i * step]
        y[i * step] = value


cdef void run_chains(int64_t kind, const real *x, const real *b, real *y, int64_t n, int64_t step, int64_t columns) noexcept nogil:
    """Columns side by side, as whole vectors."""
    cdef int64_t column = 0, i
    cdef int lanes
    cdef vec value, given
    cdef real start = 1 if kind == 1 else 0
    while column < columns:
        lanes = <int>at_most(columns - column, VL)
        value = v_splat(start)
        for i in range(n):
            given = v_load_lanes(x + i * step + column, lanes)
            if kind == 0:
                value = value + given
            elif kind == 1:
                value = value * given
            else:
                value = value * given + v_load_lanes(b + i * step + column, lanes)
            v_store_lanes(y + i * step + column, value, lanes)
        column += VL


cdef void run_integer_chains(int64_t kind, const int64_t *x, int64_t *y, int64_t n, int64_t step, int64_t columns) noexcept nogil:
    """Sums and products of integers wrap around."""
    cdef uint64_t value
    cdef int64_t column, i
    for column in range(columns):
        value = <uint64_t>kind
        for i in range(n):
            if kind == 0:
                value = value + <uint64_t>x[i * step + column]
            else:
                value = value * <uint64_t>x[i * step + column]
            y[i * step + column] = <int64_t>value


cdef int cumulative(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y[k] = x[0] ∘ … ∘ x[k] along the middle axis; kind 2: y[k] = x[k]·y[k-1] + b[k], with y[-1] = 0.

    Operands: x (outer, n, inner) IN, [b (outer, n, inner) IN for kind 2], y (outer, n, inner) OUT.
    """
    cdef const cumulative_t *d = <const cumulative_t *>descriptor
    cdef int64_t blocks = chunk_count(d.inner, CUMULATIVE_COLUMNS)
    cdef int64_t begin = chunk * cumulative_units_per_chunk(d)
    cdef int64_t end = begin + at_most(cumulative_units(d) - begin, cumulative_units_per_chunk(d))
    cdef int64_t step = -d.inner if d.reverse else d.inner
    cdef int64_t unit, first, column, columns
    cdef const real *x
    cdef const real *b
    cdef real *y
    for unit in range(begin, end):
        column = unit % blocks * CUMULATIVE_COLUMNS
        columns = at_most(d.inner - column, CUMULATIVE_COLUMNS)
        first = unit // blocks * d.n * d.inner + column + ((d.n - 1) * d.inner if d.reverse else 0)
        x = <const real *>operands[0] + first
        b = <const real *>operands[1] + first
        y = <real *>operands[1 + (d.kind == 2)] + first
        if d.integer:
            run_integer_chains(d.kind, <const int64_t *>operands[0] + first, <int64_t *>operands[1] + first, d.n, step, columns)
        elif d.inner == 1:
            run_chain(d.kind, x, b, y, d.n, step)
        else:
            run_chains(d.kind, x, b, y, d.n, step, columns)
    return MN_OK


cdef int register_cumulative() except -1:
    cdef cumulative_t d
    add_kernel("cumulative", cumulative, cumulative_sizes, &d, sizeof(d), 0)
    add_integers("outer", &d.outer, 1)
    add_integers("n", &d.n, 1)
    add_integers("inner", &d.inner, 1)
    add_integers("kind", &d.kind, 1)
    add_integers("reverse", &d.reverse, 1)
    add_integers("integer", &d.integer, 1)
    return 0
