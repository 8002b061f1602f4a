# What a step does behind its products: gates, new states, outputs; and the same backwards.
#
# Every number of a row is computed alone, with the vector functions of the elementwise machine.

cdef extern from "vector_math.h":
    vec v_tanh(vec x) noexcept nogil
    vec v_sigmoid(vec x) noexcept nogil


# One step, rows side by side.
ctypedef struct step_t:
    int64_t rows, units, width
    real *gates                 # (rows, width): products IN, gates OUT
    const real *bias            # (G·units)
    const real *recurrent_bias  # (3·units), for GRU_AFTER_CELL
    const real *h               # (rows, units): the state before  IN
    const real *c
    real *h_after               # (rows, units): the state after  OUT; may be the same memory
    real *c_after
    real *y                     # row i at y + i * y_row  OUT, or NULL
    int64_t y_row
    const uint8_t *counts       # whether the step counts in row i: counts[i * counts_row], or NULL
    int64_t counts_row
    real *reset                 # (rows, units): r·h, for GRU_BEFORE_CELL


# One step backwards.
ctypedef struct step_back_t:
    int64_t rows, units, width
    const real *gates           # (rows, width): as the forward pass left them  IN
    const real *h               # (rows, units): the state before  IN
    const real *c
    const real *c_after
    const real *dy              # row i at dy + i * dy_row  IN, or NULL
    int64_t dy_row
    const uint8_t *counts
    int64_t counts_row
    real *dh                    # (rows, units): gradient of the state after IN, of the state before (but for products) OUT
    real *dc
    real *d_gates               # (rows, width), d_row apart: gradients of what the products gave  OUT
    int64_t d_row
    real *d_reset               # (rows, units): gradient of r·h IN; r·h OUT, for GRU_BEFORE_CELL
    real *sums                  # (width): += the rows of d_gates


cdef inline vec one_minus_square(vec y) noexcept nogil:
    return v_fnma(y, y, v_splat(1))


cdef inline vec logistic_slope(vec y) noexcept nogil:
    return v_fnma(y, y, y)


cdef inline vec blend(vec z, vec h, vec n) noexcept nogil:
    """(1 - z)·n + z·h"""
    return v_fma(z, h - n, n)


# ---- forward ----

cdef inline void step_lanes(int cell, bint second, const step_t *s, int64_t i, int64_t j, int lanes) noexcept nogil:
    """Units j … j + lanes - 1 of row i; second: the part of GRU_BEFORE_CELL behind its second product."""
    cdef int64_t u = s.units
    cdef int64_t at = i * u + j
    cdef real *z = s.gates + i * s.width + j
    cdef const real *b = s.bias + j
    cdef vec first, update, candidate, output, cell_state, h
    first = v_load_lanes(z, lanes) + v_load_lanes(b, lanes)
    if cell == TANH_CELL or cell == RELU_CELL:
        h = v_tanh(first) if cell == TANH_CELL else v_max(v_splat(0), first)
        v_store_lanes(z, h, lanes)
    elif cell == LSTM_CELL:
        first = v_sigmoid(first)
        update = v_sigmoid(v_load_lanes(z + u, lanes) + v_load_lanes(b + u, lanes))
        candidate = v_tanh(v_load_lanes(z + 2 * u, lanes) + v_load_lanes(b + 2 * u, lanes))
        output = v_sigmoid(v_load_lanes(z + 3 * u, lanes) + v_load_lanes(b + 3 * u, lanes))
        cell_state = v_fma(update, v_load_lanes(s.c + at, lanes), first * candidate)
        v_store_lanes(z, first, lanes)
        v_store_lanes(z + u, update, lanes)
        v_store_lanes(z + 2 * u, candidate, lanes)
        v_store_lanes(z + 3 * u, output, lanes)
        v_store_lanes(s.c_after + at, cell_state, lanes)
        h = output * v_tanh(cell_state)
    elif cell == GRU_AFTER_CELL:
        first = v_sigmoid(first + v_load_lanes(s.recurrent_bias + j, lanes))
        update = v_sigmoid(v_load_lanes(z + u, lanes) + v_load_lanes(b + u, lanes)
                           + v_load_lanes(s.recurrent_bias + u + j, lanes))
        output = v_load_lanes(z + 3 * u, lanes) + v_load_lanes(s.recurrent_bias + 2 * u + j, lanes)
        candidate = v_tanh(v_fma(first, output, v_load_lanes(z + 2 * u, lanes) + v_load_lanes(b + 2 * u, lanes)))
        v_store_lanes(z, first, lanes)
        v_store_lanes(z + u, update, lanes)
        v_store_lanes(z + 2 * u, candidate, lanes)
        v_store_lanes(z + 3 * u, output, lanes)
        h = blend(update, v_load_lanes(s.h + at, lanes), candidate)
    elif not second:
        first = v_sigmoid(first)
        update = v_sigmoid(v_load_lanes(z + u, lanes) + v_load_lanes(b + u, lanes))
        v_store_lanes(z, first, lanes)
        v_store_lanes(z + u, update, lanes)
        v_store_lanes(s.reset + at, first * v_load_lanes(s.h + at, lanes), lanes)
        return
    else:
        update = v_load_lanes(z + u, lanes)
        candidate = v_tanh(v_load_lanes(z + 2 * u, lanes) + v_load_lanes(b + 2 * u, lanes))
        v_store_lanes(z + 2 * u, candidate, lanes)
        h = blend(update, v_load_lanes(s.h + at, lanes), candidate)
    v_store_lanes(s.h_after + at, h, lanes)
    if s.y != NULL:
        v_store_lanes(s.y + i * s.y_row + j, h, lanes)


cdef inline void step_rows(int cell, bint second, const step_t *s) noexcept nogil:
    cdef int64_t i, j, u = s.units
    for i in range(s.rows):
        if s.counts != NULL and not s.counts[i * s.counts_row]:
            hold_row(cell, second, s, i)
            continue
        j = 0
        while j + VL <= u:
            step_lanes(cell, second, s, i, j, VL)
            j += VL
        if j < u:
            step_lanes(cell, second, s, i, j, <int>(u - j))


cdef void hold_row(int cell, bint second, const step_t *s, int64_t i) noexcept nogil:
    """A step that does not count: the states stay, the output is 0."""
    cdef int64_t at = i * s.units
    cdef size_t size = <size_t>s.units * sizeof(real)
    if cell == GRU_BEFORE_CELL and not second:
        memset(s.reset + at, 0, size)
        return
    if s.h_after != s.h:
        memcpy(s.h_after + at, s.h + at, size)
    if cell == LSTM_CELL and s.c_after != s.c:
        memcpy(s.c_after + at, s.c + at, size)
    if s.y != NULL:
        memset(s.y + i * s.y_row, 0, size)


cdef void run_step(int64_t cell, bint second, const step_t *s) noexcept nogil:
    if cell == TANH_CELL:
        step_rows(TANH_CELL, False, s)
    elif cell == RELU_CELL:
        step_rows(RELU_CELL, False, s)
    elif cell == LSTM_CELL:
        step_rows(LSTM_CELL, False, s)
    elif cell == GRU_AFTER_CELL:
        step_rows(GRU_AFTER_CELL, False, s)
    elif second:
        step_rows(GRU_BEFORE_CELL, True, s)
    else:
        step_rows(GRU_BEFORE_CELL, False, s)


# ---- backward ----

cdef inline void put_gradient(const step_back_t *s, int64_t i, int64_t column, vec value, int lanes) noexcept nogil:
    v_store_lanes(s.d_gates + i * s.d_row + column, value, lanes)
    v_store_lanes(s.sums + column, v_load_lanes(s.sums + column, lanes) + value, lanes)


cdef inline void step_back_lanes(int cell, bint second, const step_back_t *s, int64_t i, int64_t j,
                                 int lanes) noexcept nogil:
    cdef int64_t u = s.units
    cdef int64_t at = i * u + j
    cdef const real *gates = s.gates + i * s.width + j
    cdef vec first = v_load_lanes(gates, lanes)
    cdef vec update, candidate, output, squashed, d, dh, h
    if cell == GRU_BEFORE_CELL and second:
        d = v_load_lanes(s.d_reset + at, lanes)
        h = v_load_lanes(s.h + at, lanes)
        put_gradient(s, i, j, d * h * logistic_slope(first), lanes)
        v_store_lanes(s.dh + at, v_fma(d, first, v_load_lanes(s.dh + at, lanes)), lanes)
        v_store_lanes(s.d_reset + at, first * h, lanes)
        return
    dh = v_load_lanes(s.dh + at, lanes)
    if s.dy != NULL:
        dh = dh + v_load_lanes(s.dy + i * s.dy_row + j, lanes)
    if cell == TANH_CELL:
        put_gradient(s, i, j, dh * one_minus_square(first), lanes)
        v_store_lanes(s.dh + at, v_splat(0), lanes)
    elif cell == RELU_CELL:
        put_gradient(s, i, j, v_and(v_gt(first, v_splat(0)), dh), lanes)
        v_store_lanes(s.dh + at, v_splat(0), lanes)
    elif cell == LSTM_CELL:
        update = v_load_lanes(gates + u, lanes)
        candidate = v_load_lanes(gates + 2 * u, lanes)
        output = v_load_lanes(gates + 3 * u, lanes)
        squashed = v_tanh(v_load_lanes(s.c_after + at, lanes))
        d = v_fma(dh * output, one_minus_square(squashed), v_load_lanes(s.dc + at, lanes))
        put_gradient(s, i, j, d * candidate * logistic_slope(first), lanes)
        put_gradient(s, i, u + j, d * v_load_lanes(s.c + at, lanes) * logistic_slope(update), lanes)
        put_gradient(s, i, 2 * u + j, d * first * one_minus_square(candidate), lanes)
        put_gradient(s, i, 3 * u + j, dh * squashed * logistic_slope(output), lanes)
        v_store_lanes(s.dc + at, d * update, lanes)
        v_store_lanes(s.dh + at, v_splat(0), lanes)
    else:
        update = v_load_lanes(gates + u, lanes)
        candidate = v_load_lanes(gates + 2 * u, lanes)
        h = v_load_lanes(s.h + at, lanes)
        d = (dh - dh * update) * one_minus_square(candidate)
        put_gradient(s, i, u + j, dh * (h - candidate) * logistic_slope(update), lanes)
        put_gradient(s, i, 2 * u + j, d, lanes)
        if cell == GRU_AFTER_CELL:
            output = v_load_lanes(gates + 3 * u, lanes)
            put_gradient(s, i, j, d * output * logistic_slope(first), lanes)
            put_gradient(s, i, 3 * u + j, d * first, lanes)
        v_store_lanes(s.dh + at, dh * update, lanes)


cdef inline void step_back_rows(int cell, bint second, const step_back_t *s) noexcept nogil:
    cdef int64_t i, j, u = s.units
    for i in range(s.rows):
        if s.counts != NULL and not s.counts[i * s.counts_row]:
            if second:
                memset(s.d_reset + i * u, 0, <size_t>u * sizeof(real))
            else:
                memset(s.d_gates + i * s.d_row, 0, <size_t>s.width * sizeof(real))
            continue
        j = 0
        while j + VL <= u:
            step_back_lanes(cell, second, s, i, j, VL)
            j += VL
        if j < u:
            step_back_lanes(cell, second, s, i, j, <int>(u - j))


cdef void run_step_back(int64_t cell, bint second, const step_back_t *s) noexcept nogil:
    if cell == TANH_CELL:
        step_back_rows(TANH_CELL, False, s)
    elif cell == RELU_CELL:
        step_back_rows(RELU_CELL, False, s)
    elif cell == LSTM_CELL:
        step_back_rows(LSTM_CELL, False, s)
    elif cell == GRU_AFTER_CELL:
        step_back_rows(GRU_AFTER_CELL, False, s)
    elif second:
        step_back_rows(GRU_BEFORE_CELL, True, s)
    else:
        step_back_rows(GRU_BEFORE_CELL, False, s)
