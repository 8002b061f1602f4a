# A recurrence forward: for every step one product of the states with their weights, then the gates.
#
# The products of a block of inputs come first, for some steps at once: with few rows that is several times faster than
# a product for each step, with many it costs nothing.  The chain of an element then goes on with the states, so it is
# the chain over [x, h] with stacked weights.

ctypedef struct recurrent_forward_t:
    recurrence_t over
    int64_t sequences           # all outputs are wanted
    int64_t keep                # states, gates and cells are kept for the backward pass


cdef void recurrent_forward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const recurrent_forward_t *f = <const recurrent_forward_t *>descriptor
    cdef const recurrence_t *d = &f.over
    cdef int64_t rows, width, block
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if not recurrence_valid(d):
        return
    rows, width = group_rows(d), gates_width(d)
    block = block_steps(d) * rows
    out.chunks = group_count(d)
    out.scratch = product_scratch(0) + 64 + <int64_t>sizeof(real) * (
        aligned(block * d.features) + (0 if f.keep else aligned(block * width))
        + (aligned(rows * d.units) if d.cell == GRU_BEFORE_CELL else 0) + recurrent_scratch(d, False))
    out.work = 50 + <double>(d.n * d.steps) * sizeof(real) * (
        <double>(width * (d.features + d.units)) / 170 + 0.1 * <double>width)


cdef int recurrent_forward_run(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """h, c of every step, from x and the states before the first.

    Operands: x (N, T, F), kernel (F, G·U), recurrent kernel (U, G·U), bias (G·U), [recurrent bias (3·U), for
    GRU_AFTER_CELL], h (N, U), [c (N, U), for LSTM_CELL], [counts (N, T) bool]  IN; [y (N, T, U), with sequences],
    h (N, U), [c (N, U)]  OUT; and with keep, in the order of the walk: states before each step (T·N, U), gates
    (T·N, width), [cells (T·N + N, U): before each step of a group, and after its last]  OUT.
    """
    cdef const recurrent_forward_t *f = <const recurrent_forward_t *>descriptor
    cdef const recurrence_t *d = &f.over
    cdef walk_t w = walk_of(d, chunk)
    cdef int64_t u = d.units, width = gates_width(d), columns = input_gates(d) * d.units, rows = w.rows
    cdef int64_t slot = 4, step = 0, block, s, at, count
    cdef bint lstm = d.cell == LSTM_CELL
    cdef const real *x = <const real *>operands[0]
    cdef const real *recurrent = <const real *>operands[2]
    cdef const real *h
    cdef const real *c = NULL
    cdef const uint8_t *counts = NULL
    cdef real *y = NULL
    cdef real *h_last
    cdef real *c_last = NULL
    cdef real *states = NULL
    cdef real *gates = NULL
    cdef real *cells = NULL
    cdef real *memory = <real *>scratch
    cdef real *spare
    cdef real *inputs
    cdef factor_t whole, candidate, by_inputs
    cdef step_t t
    if rows <= 0 or u == 0:
        return MN_OK
    count = rows * u
    t.rows, t.units, t.width = rows, u, width
    t.bias = <const real *>operands[3]
    t.recurrent_bias = NULL
    if d.cell == GRU_AFTER_CELL:
        t.recurrent_bias = <const real *>operands[slot]
        slot += 1
    h = <const real *>operands[slot] + w.row * u
    slot += 1
    if lstm:
        c = <const real *>operands[slot] + w.row * u
        slot += 1
    if d.masked:
        counts = <const uint8_t *>operands[slot]
        slot += 1
    if f.sequences:
        y = <real *>operands[slot]
        slot += 1
    h_last = <real *>operands[slot] + w.row * u
    slot += 1
    if lstm:
        c_last = <real *>operands[slot] + w.row * u
        slot += 1

    spare = take(&memory, product_scratch(0) // <int64_t>sizeof(real))
    block = block_steps(d)
    inputs = take(&memory, block * rows * d.features)
    t.reset = take(&memory, count) if d.cell == GRU_BEFORE_CELL else NULL
    if f.keep:
        states = <real *>operands[slot] + w.first * u
        gates = <real *>operands[slot + 1] + w.first * width
        if lstm:
            cells = <real *>operands[slot + 2] + (w.first + w.row) * u
            memcpy(cells, c, <size_t>count * sizeof(real))
    else:
        gates = take(&memory, block * rows * width)
    by_inputs = factor_in_place(<const real *>operands[1], columns, 1, d.features, columns)
    whole = factor_in_place(recurrent, columns, 1, u, 2 * u if is_gru(d) else columns)
    pack_factor(&whole, d, rows, &memory)
    if is_gru(d):
        candidate = factor_in_place(recurrent + 2 * u, columns, 1, u, u)
        pack_factor(&candidate, d, rows, &memory)

    # The states after a step are written where the next one reads them: into the results, or into what is kept.
    t.h = h_last
    if f.keep and d.steps > 0:
        t.h = states
    memcpy(<void *>t.h, h, <size_t>count * sizeof(real))
    t.c = cells if f.keep else c_last
    if lstm and not f.keep:
        memcpy(c_last, c, <size_t>count * sizeof(real))
    t.y_row, t.counts_row = d.steps * u, d.steps
    while step < d.steps:
        block = at_most(block, d.steps - step)
        walk_rows(d, &w, x, counts, step, block, inputs)
        t.gates = gates + (step * rows * width if f.keep else 0)
        step_product(&by_inputs, inputs, d.features, block * rows, t.gates, width, False, spare)
        for s in range(step, step + block):
            at = position_of(d, s)
            t.h_after, t.c_after = <real *>t.h, <real *>t.c
            if f.keep:
                t.h_after = states + (s + 1) * count if s + 1 < d.steps else h_last
                t.c_after = cells + (s + 1) * count
            t.y = NULL
            if f.sequences:
                t.y = y + (w.row * d.steps + at) * u
            t.counts = NULL
            if counts != NULL:
                t.counts = counts + w.row * d.steps + at
            step_product(&whole, t.h, u, rows, t.gates, width, True, spare)
            if d.cell == GRU_AFTER_CELL:
                step_product(&candidate, t.h, u, rows, t.gates + 3 * u, width, False, spare)
            elif d.cell == GRU_BEFORE_CELL:
                run_step(d.cell, False, &t)
                step_product(&candidate, t.reset, u, rows, t.gates + 2 * u, width, True, spare)
            run_step(d.cell, d.cell == GRU_BEFORE_CELL, &t)
            t.h, t.c = t.h_after, t.c_after
            t.gates += rows * width
        step += block
    if lstm and f.keep:
        memcpy(c_last, cells + d.steps * count, <size_t>count * sizeof(real))
    return MN_OK


cdef int add_recurrence_fields(const recurrence_t *d) except -1:
    add_integers("n", &d.n, 1)
    add_integers("steps", &d.steps, 1)
    add_integers("features", &d.features, 1)
    add_integers("units", &d.units, 1)
    add_integers("cell", &d.cell, 1)
    add_integers("reverse", &d.reverse, 1)
    add_integers("masked", &d.masked, 1)
    return 0


cdef int register_recurrent_forward() except -1:
    cdef recurrent_forward_t d
    add_kernel("recurrent_forward", recurrent_forward_run, recurrent_forward_sizes, &d, sizeof(d), 0)
    add_recurrence_fields(&d.over)
    add_integers("sequences", &d.sequences, 1)
    add_integers("keep", &d.keep, 1)
    return 0
