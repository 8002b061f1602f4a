# A recurrence backward through time: from the gradients of outputs and last states to those of the first states and of
# everything that the steps read.
#
# The gradients of the weights are sums over steps and rows.  They are added up block by block, while the gradients of
# the gates are still in the second-level cache, so that these need no memory beyond a block; each chunk has sums of its
# own, which are added at the end in the order of the chunks.

cdef enum:
    MOST_SUMS = 8               # chunks with sums of their own

ctypedef struct recurrent_backward_t:
    recurrence_t over
    int64_t given_outputs       # gradients of the outputs are given
    int64_t given_h             # gradients of the last h are given
    int64_t given_c             # gradients of the last c are given
    int64_t wanted_x            # gradients of the inputs are wanted
    int64_t wanted_kernel
    int64_t wanted_recurrent


# The sums of a chunk: rows of `row` numbers.
ctypedef struct weight_sums_t:
    int64_t row
    real *bias                  # (width)
    real *kernel                # (F, G·units), or NULL
    real *recurrent             # (units, G·units), or NULL


cdef int64_t backward_chunks(const recurrence_t *d) noexcept nogil:
    """As many groups as have sums of their own; these take no more memory than the gates that were kept."""
    cdef int64_t depth = d.features + d.units, limit = d.n * d.steps // depth if depth > 0 else 1
    limit = at_most(limit if limit > 2 else 2, MOST_SUMS)
    return chunk_count(group_count(d), chunk_count(group_count(d), limit))


cdef inline int64_t odd_lines(int64_t count) noexcept nogil:
    """count, rounded up to an odd number of cache lines: rows under each other fall into different sets of a cache."""
    cdef int64_t line = 64 // <int64_t>sizeof(real)
    return ((count + line - 1) // line | 1) * line


cdef int64_t sums_size(const recurrent_backward_t *f) noexcept nogil:
    """Numbers in the sums of a chunk."""
    cdef int64_t rows = (f.over.features if f.wanted_kernel else 0) + (f.over.units if f.wanted_recurrent else 0)
    return odd_lines(gates_width(&f.over)) * (1 + rows)


cdef weight_sums_t sums_of(const recurrent_backward_t *f, real *shared, int64_t chunk) noexcept nogil:
    cdef weight_sums_t s
    s.row = odd_lines(gates_width(&f.over))
    s.bias = shared + chunk * sums_size(f)
    s.kernel = s.recurrent = NULL
    if f.wanted_kernel:
        s.kernel = s.bias + s.row
    if f.wanted_recurrent:
        s.recurrent = s.bias + s.row * (1 + (f.over.features if f.wanted_kernel else 0))
    return s


cdef void recurrent_backward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const recurrent_backward_t *f = <const recurrent_backward_t *>descriptor
    cdef const recurrence_t *d = &f.over
    cdef int64_t width, rows, depth
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if not recurrence_valid(d):
        return
    width = gates_width(d)
    rows = block_steps(d) * group_rows(d)
    depth = d.units + (d.features if f.wanted_x else 0) + (d.features if f.wanted_kernel else 0) + (
        d.units if f.wanted_recurrent else 0)
    out.chunks = backward_chunks(d)
    out.finish = 1
    out.shared = <int64_t>sizeof(real) * out.chunks * sums_size(f)
    out.scratch = product_scratch(0) + <int64_t>sizeof(real) * (
        aligned(rows * odd_lines(width)) + aligned(rows * d.features)
        + (aligned(rows * d.units) if d.cell == GRU_BEFORE_CELL else 0) + recurrent_scratch(d, True)
        + (factor_scratch(d, input_gates(d) * d.units, d.features) if f.wanted_x else 0)) + 64
    out.work = 50 + <double>(d.n * d.steps) * sizeof(real) * (<double>(width * depth) / 170 + 0.1 * <double>width)


# All that a chunk needs, unpacked from the operands.
ctypedef struct way_back_t:
    const real *x
    const real *kernel
    const real *recurrent
    const real *states
    const real *gates
    const real *cells
    const uint8_t *counts
    const real *dy
    const real *dh
    const real *dc
    real *dh_first
    real *dc_first
    real *d_bias
    real *d_recurrent_bias
    real *d_kernel
    real *d_recurrent
    real *dx
    real *sums
    factor_t whole, candidate, by_inputs
    real *spare                 # for products
    real *block                 # gradients of the gates of some steps, rows of odd_lines(width)
    real *inputs                # their inputs
    real *reset                 # their r·h


cdef way_back_t way_back_of(const recurrent_backward_t *f, operand_t *operands) noexcept nogil:
    cdef way_back_t b
    cdef const recurrence_t *d = &f.over
    cdef int64_t slot = 5
    cdef bint lstm = d.cell == LSTM_CELL
    memset(&b, 0, sizeof(b))
    b.x, b.kernel = <const real *>operands[0], <const real *>operands[1]
    b.recurrent, b.states, b.gates = <const real *>operands[2], <const real *>operands[3], <const real *>operands[4]
    if lstm:
        b.cells = <const real *>operands[slot]
        slot += 1
    if d.masked:
        b.counts = <const uint8_t *>operands[slot]
        slot += 1
    if f.given_outputs:
        b.dy = <const real *>operands[slot]
        slot += 1
    if f.given_h:
        b.dh = <const real *>operands[slot]
        slot += 1
    if f.given_c:
        b.dc = <const real *>operands[slot]
        slot += 1
    b.dh_first = <real *>operands[slot]
    slot += 1
    if lstm:
        b.dc_first = <real *>operands[slot]
        slot += 1
    b.d_bias = <real *>operands[slot]
    slot += 1
    if d.cell == GRU_AFTER_CELL:
        b.d_recurrent_bias = <real *>operands[slot]
        slot += 1
    if f.wanted_kernel:
        b.d_kernel = <real *>operands[slot]
        slot += 1
    if f.wanted_recurrent:
        b.d_recurrent = <real *>operands[slot]
        slot += 1
    if f.wanted_x:
        b.dx = <real *>operands[slot]
        slot += 1
    b.sums = <real *>operands[slot]
    return b


cdef int recurrent_backward_run(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """Gradients, from the last step of the walk to the first.

    Operands: x (N, T, F), kernel (F, G·U), recurrent kernel (U, G·U), states before each step, gates, [cells] as the
    forward pass kept them, [counts (N, T) bool], [dy (N, T, U)], [dh (N, U)], [dc (N, U)]  IN; dh (N, U), [dc (N, U)]
    of the states before the first step, d bias (G·U), [d recurrent bias (3·U), for GRU_AFTER_CELL], [d kernel],
    [d recurrent kernel], [dx (N, T, F)]  OUT; then the sums of the chunks.
    """
    cdef const recurrent_backward_t *f = <const recurrent_backward_t *>descriptor
    cdef const recurrence_t *d = &f.over
    cdef way_back_t b = way_back_of(f, operands)
    cdef int64_t u = d.units, columns = input_gates(d) * u, rows = block_steps(d) * group_rows(d)
    cdef int64_t chunks = backward_chunks(d), groups = chunk_count(group_count(d), chunks), group
    cdef real *memory = <real *>scratch
    cdef walk_t w
    cdef weight_sums_t sums
    cdef bint empty = True
    if chunk == chunks:
        finish_sums(f, &b, chunks)
        return MN_OK
    sums = sums_of(f, b.sums, chunk)
    b.spare = take(&memory, product_scratch(0) // <int64_t>sizeof(real))
    b.block = take(&memory, rows * sums.row)
    b.inputs = take(&memory, rows * d.features)
    if d.cell == GRU_BEFORE_CELL:
        b.reset = take(&memory, rows * u)
    b.whole = factor_in_place(b.recurrent, 1, columns, 2 * u if is_gru(d) else columns, u)
    pack_factor(&b.whole, d, group_rows(d), &memory)
    if is_gru(d):
        b.candidate = factor_in_place(b.recurrent + 2 * u, 1, columns, u, u)
        pack_factor(&b.candidate, d, group_rows(d), &memory)
    if f.wanted_x:
        b.by_inputs = factor_in_place(b.kernel, 1, columns, columns, d.features)
        pack_factor(&b.by_inputs, d, group_rows(d), &memory)
    memset(sums.bias, 0, <size_t>sums.row * sizeof(real))
    for group in range(chunk * groups, at_most((chunk + 1) * groups, group_count(d))):
        w = walk_of(d, group)
        if w.rows > 0 and u > 0:
            walk_back(d, &b, &w, &sums, empty)
            empty = d.steps == 0
    if empty:
        memset(sums.bias, 0, <size_t>sums_size(f) * sizeof(real))
    return MN_OK


cdef void walk_back(const recurrence_t *d, const way_back_t *b, const walk_t *w, const weight_sums_t *sums,
                    bint first) noexcept nogil:
    """A group of rows from the last step to the first; with first the sums of the weights begin."""
    cdef int64_t u = d.units, width = gates_width(d), rows = w.rows, count = rows * u
    cdef int64_t end = d.steps, begin, s, at
    cdef step_back_t t
    memset(&t, 0, sizeof(t))
    t.rows, t.units, t.width, t.d_row = rows, u, width, sums.row
    t.sums = sums.bias
    t.dy_row, t.counts_row = d.steps * u, d.steps
    t.dh = b.dh_first + w.row * u
    start_gradient(t.dh, b.dh, w.row * u, count)
    if b.dc_first != NULL:
        t.dc = b.dc_first + w.row * u
        start_gradient(t.dc, b.dc, w.row * u, count)
    while end > 0:
        begin = (end - 1) // block_steps(d) * block_steps(d)
        s = end - 1
        while s >= begin:
            at = w.row * d.steps + position_of(d, s)
            t.gates = b.gates + (w.first + s * rows) * width
            t.d_gates = b.block + (s - begin) * rows * t.d_row
            t.h = b.states + (w.first + s * rows) * u
            if b.cells != NULL:
                t.c = b.cells + (w.first + w.row) * u + s * count
                t.c_after = t.c + count
            if b.dy != NULL:
                t.dy = b.dy + at * u
            if b.counts != NULL:
                t.counts = b.counts + at
            run_step_back(d.cell, False, &t)
            if d.cell == GRU_BEFORE_CELL:
                t.d_reset = b.reset + (s - begin) * count
                step_product(&b.candidate, t.d_gates + 2 * u, t.d_row, rows, t.d_reset, u, False, b.spare)
                run_step_back(d.cell, True, &t)
            step_product(&b.whole, t.d_gates, t.d_row, rows, t.dh, u, True, b.spare)
            if d.cell == GRU_AFTER_CELL:
                step_product(&b.candidate, t.d_gates + 3 * u, t.d_row, rows, t.dh, u, True, b.spare)
            if b.dx != NULL:
                step_product(&b.by_inputs, t.d_gates, t.d_row, rows, b.dx + at * d.features, d.steps * d.features,
                             False, b.spare)
            s -= 1
        add_products(d, b, w, sums, begin, end - begin, not first)
        first = False
        end = begin


cdef void add_products(const recurrence_t *d, const way_back_t *b, const walk_t *w, const weight_sums_t *sums,
                       int64_t step, int64_t steps, bint resume) noexcept nogil:
    """The gradients of the weights += those of some steps, whose gates' gradients stand in the block."""
    cdef int64_t u = d.units, rows = steps * w.rows
    cdef const real *states = b.states + (w.first + step * w.rows) * u
    if sums.kernel != NULL:
        walk_rows(d, w, b.x, b.counts, step, steps, b.inputs)
        add_product(b, sums.row, b.inputs, d.features, rows, 0, sums.kernel, input_gates(d) * u, resume)
    if sums.recurrent == NULL:
        return
    if not is_gru(d):
        add_product(b, sums.row, states, u, rows, 0, sums.recurrent, input_gates(d) * u, resume)
        return
    add_product(b, sums.row, states, u, rows, 0, sums.recurrent, 2 * u, resume)
    if d.cell == GRU_AFTER_CELL:        # the candidate's own product has a gradient of its own
        add_product(b, sums.row, states, u, rows, 3 * u, sums.recurrent + 2 * u, u, resume)
    else:
        add_product(b, sums.row, b.reset, u, rows, 2 * u, sums.recurrent + 2 * u, u, resume)


cdef void add_product(const way_back_t *b, int64_t row, const real *a, int64_t m, int64_t rows, int64_t column, real *c,
                      int64_t columns, bint resume) noexcept nogil:
    """C (m, columns) = [C +] AᵀD: A (rows, m), D the block's columns from `column` on."""
    cdef product_t p
    if m == 0:
        return
    p.m, p.n, p.k = m, columns, rows
    p.a, p.a_row, p.a_col = a, 1, m
    p.b, p.b_row, p.b_col = b.block + column, row, 1
    p.c, p.c_row, p.resume = c, row, resume
    p.epilogue.bias, p.epilogue.activation = NULL, NO_ACTIVATION
    p.pack_a = False
    multiply(&p, b.spare)


cdef void start_gradient(real *target, const real *given, int64_t first, int64_t count) noexcept nogil:
    """The gradient of a last state: as given, else 0."""
    if given == NULL:
        memset(target, 0, <size_t>count * sizeof(real))
    else:
        memcpy(target, given + first, <size_t>count * sizeof(real))


cdef void finish_sums(const recurrent_backward_t *f, const way_back_t *b, int64_t chunks) noexcept nogil:
    """The sums of all chunks, added in their order; GRU_AFTER_CELL: its third bias stands behind the third gate."""
    cdef const recurrence_t *d = &f.over
    cdef int64_t i, u = d.units, columns = input_gates(d) * u, size = sums_size(f)
    cdef weight_sums_t s = sums_of(f, b.sums, 0)
    add_chunks(b.d_bias, s.bias, columns, chunks, size)
    if b.d_recurrent_bias != NULL:
        add_chunks(b.d_recurrent_bias, s.bias, 2 * u, chunks, size)
        add_chunks(b.d_recurrent_bias + 2 * u, s.bias + 3 * u, u, chunks, size)
    if b.d_kernel != NULL:
        for i in range(d.features):
            add_chunks(b.d_kernel + i * columns, s.kernel + i * s.row, columns, chunks, size)
    if b.d_recurrent != NULL:
        for i in range(u):
            add_chunks(b.d_recurrent + i * columns, s.recurrent + i * s.row, columns, chunks, size)


cdef void add_chunks(real *target, const real *sums, int64_t n, int64_t chunks, int64_t size) noexcept nogil:
    """target = the sum of n numbers over chunks that are `size` apart."""
    cdef int64_t i = 0, chunk
    cdef int lanes
    cdef vec total
    while i < n:
        lanes = <int>at_most(n - i, VL)
        total = v_load_lanes(sums + i, lanes)
        for chunk in range(1, chunks):
            total = total + v_load_lanes(sums + chunk * size + i, lanes)
        v_store_lanes(target + i, total, lanes)
        i += VL


cdef int register_recurrent_backward() except -1:
    cdef recurrent_backward_t d
    add_kernel("recurrent_backward", recurrent_backward_run, recurrent_backward_sizes, &d, sizeof(d), 0)
    add_recurrence_fields(&d.over)
    add_integers("given_outputs", &d.given_outputs, 1)
    add_integers("given_h", &d.given_h, 1)
    add_integers("given_c", &d.given_c, 1)
    add_integers("wanted_x", &d.wanted_x, 1)
    add_integers("wanted_kernel", &d.wanted_kernel, 1)
    add_integers("wanted_recurrent", &d.wanted_recurrent, 1)
    return 0
