# A recurrence backward through time: from the gradients of outputs and last states to those of what the products gave,
# of the first states, the biases and, if wanted, the inputs.  The gradients of the weights are products over all steps
# and rows, for which rows are left in the order of the walk; they are instructions of their own.

ctypedef struct recurrent_backward_t:
    recurrence_t over
    int64_t given_outputs       # gradients of the outputs are given
    int64_t given_h             # gradients of the last h are given
    int64_t given_c             # gradients of the last c are given
    int64_t wanted_x            # gradients of the inputs are wanted


cdef void recurrent_backward_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const recurrent_backward_t *f = <const recurrent_backward_t *>descriptor
    cdef const recurrence_t *d = &f.over
    cdef int64_t width
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if not recurrence_valid(d):
        return
    width = gates_width(d)
    out.chunks = recurrence_chunks(d)
    out.finish = 1
    out.shared = <int64_t>sizeof(real) * out.chunks * aligned(width)
    out.scratch = product_scratch(0) + 64 + <int64_t>sizeof(real) * (
        recurrent_scratch(d, True)
        + (factor_scratch(d, input_gates(d) * d.units, d.features) if f.wanted_x else 0))
    out.work = 50 + <double>(d.n * d.steps) * sizeof(real) * (
        <double>(width * (d.units + (d.features if f.wanted_x else 0))) / 170 + 0.1 * <double>width)


cdef int recurrent_backward_run(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """Gradients, from the last step of the walk to the first.

    Operands: x (N, T, F), kernel (F, G·U), recurrent kernel (U, G·U), states before each step, gates, [cells] as the
    forward pass kept them, [counts (N, T) bool], [dy (N, T, U)], [dh (N, U)], [dc (N, U)]  IN; dh (N, U), [dc (N, U)]
    of the states before the first step, d bias (G·U), [d recurrent bias (3·U), for GRU_AFTER_CELL]; in the order of
    the walk the gradients of the products (T·N, width), the inputs (T·N, F), [r·h (T·N, U), for GRU_BEFORE_CELL];
    [dx (N, T, F)]  OUT; then the sums over the rows of each chunk.
    """
    cdef const recurrent_backward_t *f = <const recurrent_backward_t *>descriptor
    cdef const recurrence_t *d = &f.over
    cdef int64_t u = d.units, width = gates_width(d), columns = input_gates(d) * d.units
    cdef int64_t slot = 5, s, at, count
    cdef bint lstm = d.cell == LSTM_CELL
    cdef walk_t w
    cdef const real *recurrent = <const real *>operands[2]
    cdef const real *states = <const real *>operands[3]
    cdef const real *gates = <const real *>operands[4]
    cdef const real *cells = NULL
    cdef const real *dy = NULL
    cdef const real *dh = NULL
    cdef const real *dc = NULL
    cdef const uint8_t *counts = NULL
    cdef real *d_bias
    cdef real *d_recurrent_bias = NULL
    cdef real *d_gates
    cdef real *walked
    cdef real *reset = NULL
    cdef real *dx = NULL
    cdef real *sums
    cdef real *memory = <real *>scratch
    cdef real *spare
    cdef factor_t whole, candidate, by_inputs
    cdef step_back_t t
    if lstm:
        cells = <const real *>operands[slot]
        slot += 1
    if d.masked:
        counts = <const uint8_t *>operands[slot]
        slot += 1
    if f.given_outputs:
        dy = <const real *>operands[slot]
        slot += 1
    if f.given_h:
        dh = <const real *>operands[slot]
        slot += 1
    if f.given_c:
        dc = <const real *>operands[slot]
        slot += 1
    t.dh = <real *>operands[slot]
    t.dc = NULL
    slot += 1
    if lstm:
        t.dc = <real *>operands[slot]
        slot += 1
    d_bias = <real *>operands[slot]
    slot += 1
    if d.cell == GRU_AFTER_CELL:
        d_recurrent_bias = <real *>operands[slot]
        slot += 1
    d_gates, walked = <real *>operands[slot], <real *>operands[slot + 1]
    slot += 2
    if d.cell == GRU_BEFORE_CELL:
        reset = <real *>operands[slot]
        slot += 1
    if f.wanted_x:
        dx = <real *>operands[slot]
        slot += 1
    sums = <real *>operands[slot]
    if chunk == recurrence_chunks(d):
        finish_bias(d, sums, d_bias, d_recurrent_bias)
        return MN_OK

    w = walk_of(d, chunk)
    t.sums = sums + chunk * aligned(width)
    memset(t.sums, 0, <size_t>width * sizeof(real))
    if w.rows <= 0 or u == 0:
        return MN_OK
    count = w.rows * u
    t.rows, t.units, t.width = w.rows, u, width
    walk_rows(d, &w, <const real *>operands[0], counts, 0, d.steps, walked + w.first * d.features)
    t.dh += w.row * u
    start_gradient(t.dh, dh, w.row * u, count)
    if lstm:
        t.dc += w.row * u
        start_gradient(t.dc, dc, w.row * u, count)

    spare = take(&memory, product_scratch(0) // <int64_t>sizeof(real))
    whole = factor_in_place(recurrent, 1, columns, 2 * u if is_gru(d) else columns, u)
    pack_factor(&whole, d, w.rows, &memory)
    if is_gru(d):
        candidate = factor_in_place(recurrent + 2 * u, 1, columns, u, u)
        pack_factor(&candidate, d, w.rows, &memory)
    if f.wanted_x:
        by_inputs = factor_in_place(<const real *>operands[1], 1, columns, columns, d.features)
        pack_factor(&by_inputs, d, w.rows, &memory)
    t.dy_row, t.counts_row = d.steps * u, d.steps
    s = d.steps - 1
    while s >= 0:
        at = position_of(d, s)
        t.gates = gates + (w.first + s * w.rows) * width
        t.d_gates = d_gates + (w.first + s * w.rows) * width
        t.h = states + (w.first + s * w.rows) * u
        t.c = t.c_after = NULL
        if lstm:
            t.c = cells + (w.first + w.row) * u + s * count
            t.c_after = t.c + count
        t.dy = NULL
        if dy != NULL:
            t.dy = dy + (w.row * d.steps + at) * u
        t.counts = NULL
        if counts != NULL:
            t.counts = counts + w.row * d.steps + at
        run_step_back(d.cell, False, &t)
        if d.cell == GRU_BEFORE_CELL:
            t.d_reset = reset + (w.first + s * w.rows) * u
            step_product(&candidate, t.d_gates + 2 * u, width, w.rows, t.d_reset, u, False, spare)
            run_step_back(d.cell, True, &t)
        step_product(&whole, t.d_gates, width, w.rows, t.dh, u, True, spare)
        if d.cell == GRU_AFTER_CELL:
            step_product(&candidate, t.d_gates + 3 * u, width, w.rows, t.dh, u, True, spare)
        if f.wanted_x:
            step_product(&by_inputs, t.d_gates, width, w.rows, dx + (w.row * d.steps + at) * d.features,
                         d.steps * d.features, False, spare)
        s -= 1
    return MN_OK


cdef void start_gradient(real *target, const real *given, int64_t first, int64_t count) noexcept nogil:
    """The gradient of a last state: as given, else 0."""
    if given == NULL:
        memset(target, 0, <size_t>count * sizeof(real))
    else:
        memcpy(target, given + first, <size_t>count * sizeof(real))


cdef void finish_bias(const recurrence_t *d, real *sums, real *d_bias, real *d_recurrent_bias) noexcept nogil:
    """The sums of the chunks, added in their order; GRU_AFTER_CELL: its third bias stands behind the third gate."""
    cdef int64_t chunk, j, u = d.units, width = gates_width(d)
    for chunk in range(1, recurrence_chunks(d)):
        for j in range(width):
            sums[j] += sums[chunk * aligned(width) + j]
    memcpy(d_bias, sums, <size_t>(input_gates(d) * u) * sizeof(real))
    if d_recurrent_bias != NULL:
        memcpy(d_recurrent_bias, sums, <size_t>(2 * u) * sizeof(real))
        memcpy(d_recurrent_bias + 2 * u, sums + 3 * u, <size_t>u * sizeof(real))


cdef int register_recurrent_backward() except -1:
    cdef recurrent_backward_t d
    add_kernel("recurrent_backward", recurrent_backward_run, recurrent_backward_sizes, &d, sizeof(d), 0)
    add_recurrence_fields(&d.over)
    add_integers("given_outputs", &d.given_outputs, 1)
    add_integers("given_h", &d.given_h, 1)
    add_integers("given_c", &d.given_c, 1)
    add_integers("wanted_x", &d.wanted_x, 1)
    return 0
