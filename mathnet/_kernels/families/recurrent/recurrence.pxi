# What the two passes over a recurrence share: the descriptor, how rows are cut into chunks, and products with weights
# that stay the same in every step.
#
# The examples of a batch never meet between the first step and the last, so a group of them goes through all
# steps without waiting for anybody.  16 rows are enough to hide the latency of multiply-adds and to read the weights
# from the second-level cache at a quarter of its width; their number depends on the sizes alone.
#
# What is kept lies in the order of the walk: group of rows after group, step after step, the rows of the group side by
# side ("walked" below).  So a step is dense, and several steps are the rows of one product.

cdef enum:
    GROUP_ROWS = 16             # examples that walk together
    FEWEST_ROWS = 4             # of a group, when a batch is shared by two threads
    BLOCK_ROWS = 64             # rows of some steps that are multiplied at once
    PACKED_STEPS = 4            # from here on packing the weights pays
    STEP_K = 256                # rows of a panel that are used in one go: half of the first-level cache

# How a step makes the new state; in `gates` each is one row of `width` numbers for a row of the batch.
cdef enum:
    TANH_CELL = 0               # [h]
    RELU_CELL = 1               # [h]
    LSTM_CELL = 2               # [i, f, g, o]
    GRU_AFTER_CELL = 3          # [r, z, n, h·Rn + dn]: reset after the product
    GRU_BEFORE_CELL = 4         # [r, z, n]: reset before the product
    CELLS = 5


ctypedef struct recurrence_t:
    int64_t n                   # examples
    int64_t steps
    int64_t features
    int64_t units
    int64_t cell
    int64_t reverse             # from the last step to the first
    int64_t masked              # an operand says which steps count


# A group of examples on its walk.
ctypedef struct walk_t:
    int64_t row, rows           # the examples row … row + rows - 1
    int64_t first               # their first row in walked memory


# The right-hand factor of a product that comes back in every step.
ctypedef struct factor_t:
    int64_t k, columns
    const real *b               # element (k, j) at b[k * b_row + j * b_col]
    int64_t b_row, b_col
    const real *panels          # the same, as panels of TILE_COLUMNS columns one after the other; or NULL


cdef inline int64_t input_gates(const recurrence_t *d) noexcept nogil:
    """G: the weights of the inputs have G·units columns."""
    return 4 if d.cell == LSTM_CELL else 1 if d.cell <= RELU_CELL else 3


cdef inline int64_t gates_width(const recurrence_t *d) noexcept nogil:
    """Numbers in a row of gates."""
    return d.units * (4 if d.cell == GRU_AFTER_CELL else input_gates(d))


cdef inline bint is_gru(const recurrence_t *d) noexcept nogil:
    return d.cell == GRU_AFTER_CELL or d.cell == GRU_BEFORE_CELL


cdef int64_t group_count(const recurrence_t *d) noexcept nogil:
    cdef int64_t groups = chunk_count(d.n, GROUP_ROWS)
    return 2 if groups == 1 and d.n >= 2 * FEWEST_ROWS else groups


cdef int64_t group_rows(const recurrence_t *d) noexcept nogil:
    """Rows of a group; the last may have fewer."""
    return chunk_count(d.n, group_count(d))


cdef walk_t walk_of(const recurrence_t *d, int64_t group) noexcept nogil:
    cdef walk_t w
    cdef int64_t rows = group_rows(d)
    w.row = group * rows
    w.rows = at_most(d.n - w.row, rows)
    w.first = w.row * d.steps
    return w


cdef int64_t block_steps(const recurrence_t *d) noexcept nogil:
    """Steps whose rows are multiplied at once."""
    cdef int64_t rows = group_rows(d)
    return at_most(d.steps, BLOCK_ROWS // rows if 0 < rows < BLOCK_ROWS else 1)


cdef inline int64_t position_of(const recurrence_t *d, int64_t step) noexcept nogil:
    """Where on the axis of the sequence a step of the walk is."""
    return d.steps - 1 - step if d.reverse else step


cdef bint recurrence_valid(const recurrence_t *d) noexcept nogil:
    return (d.n >= 0 and d.steps >= 0 and d.features >= 0 and d.units >= 0 and 0 <= d.cell < CELLS)


cdef inline int64_t whole_tiles(int64_t columns) noexcept nogil:
    return chunk_count(columns, TILE_COLUMNS) * TILE_COLUMNS


cdef inline real *take(real **memory, int64_t count) noexcept nogil:
    """The next count numbers of scratch memory, on a cache line."""
    cdef real *taken = memory[0]
    memory[0] += aligned(count)
    return taken


cdef inline int64_t aligned(int64_t count) noexcept nogil:
    """count, rounded up to whole cache lines."""
    cdef int64_t line = 64 // <int64_t>sizeof(real)
    return (count + line - 1) // line * line


# ---- products with the weights ----

cdef int64_t factor_scratch(const recurrence_t *d, int64_t k, int64_t columns) noexcept nogil:
    """Numbers that a packed factor takes; row by row or in panels."""
    return aligned(k * whole_tiles(columns)) if d.steps >= PACKED_STEPS else 0


cdef int64_t recurrent_scratch(const recurrence_t *d, bint transposed) noexcept nogil:
    """Numbers that the recurrent kernel takes, packed as its cell uses it."""
    cdef int64_t u = d.units, columns = 2 * u if is_gru(d) else input_gates(d) * u, numbers
    numbers = factor_scratch(d, columns, u) if transposed else factor_scratch(d, u, columns)
    return numbers + factor_scratch(d, u, u) if is_gru(d) else numbers


cdef factor_t factor_in_place(const real *b, int64_t b_row, int64_t b_col, int64_t k, int64_t columns) noexcept nogil:
    cdef factor_t f
    f.k, f.columns, f.b, f.b_row, f.b_col = k, columns, b, b_row, b_col
    f.panels = NULL
    return f


cdef void pack_factor(factor_t *f, const recurrence_t *d, int64_t rows, real **memory) noexcept nogil:
    """Makes f ready to be used in every step: panels for several rows, contiguous rows for one.

    Nothing is copied where that would not pay; the products have the same bits in all forms.
    """
    cdef int64_t n0 = 0, row, lane, columns = whole_tiles(f.columns)
    cdef real *packed
    if d.steps < PACKED_STEPS or (rows == 1 and f.b_col == 1):
        return
    packed = take(memory, f.k * columns)
    if rows == 1:
        gather_b(f.b, f.b_row, f.b_col, f.k, f.columns, packed, columns)
        f.b, f.b_row, f.b_col = packed, columns, 1
        return
    f.panels = packed
    while n0 < f.columns:
        columns = at_most(f.columns - n0, TILE_COLUMNS)
        if f.b_col != 1:
            gather_b(f.b + n0 * f.b_col, f.b_row, f.b_col, f.k, columns, packed, TILE_COLUMNS)
        else:
            for row in range(f.k):
                lane = 0
                while lane < columns:
                    v_store(packed + row * TILE_COLUMNS + lane,
                            v_load_lanes(f.b + row * f.b_row + n0 + lane, <int>at_most(columns - lane, VL)))
                    lane += VL
        packed += f.k * TILE_COLUMNS
        n0 += TILE_COLUMNS


cdef void step_product(const factor_t *f, const real *a, int64_t a_row, int64_t rows, real *c, int64_t c_row,
                       bint resume, real *scratch) noexcept nogil:
    """C = A·F, or with resume C + A·F: A (rows, k)  IN, C (rows, columns)  OUT; one chain over k for each element."""
    cdef product_t p
    cdef tile_t t
    cdef int64_t k0 = 0, n0, m0, tall
    if f.panels == NULL:
        p.m, p.n, p.k = rows, f.columns, f.k
        p.a, p.a_row, p.a_col = a, a_row, 1
        p.b, p.b_row, p.b_col = f.b, f.b_row, f.b_col
        p.c, p.c_row, p.resume = c, c_row, resume
        p.epilogue.bias, p.epilogue.activation = NULL, NO_ACTIVATION
        p.pack_a = False
        multiply(&p, scratch)
        return
    t.a_row, t.a_col, t.c_row = a_row, 1, c_row
    t.b_row = t.b_columns = TILE_COLUMNS
    t.b_offset = NULL
    t.panel = NULL
    t.epilogue = NULL
    while True:
        t.k = at_most(f.k - k0, STEP_K)
        t.resume = resume or k0 > 0
        n0 = 0
        while n0 < f.columns:
            t.columns = at_most(f.columns - n0, TILE_COLUMNS)
            t.b = f.panels + n0 * f.k + k0 * TILE_COLUMNS
            m0 = 0
            while m0 < rows:
                tall = tile_rows(rows - m0)
                t.a = a + m0 * a_row + k0
                t.c = c + m0 * c_row + n0
                run_tile(&t, tall)
                m0 += tall
            n0 += TILE_COLUMNS
        k0 += STEP_K
        if k0 >= f.k:
            break


cdef void walk_rows(const recurrence_t *d, const walk_t *w, const real *x, const uint8_t *counts, int64_t step,
                    int64_t steps, real *target) noexcept nogil:
    """Inputs (rows, T, F) in the order of the walk: target (steps, rows, F), zeros where a step does not count."""
    cdef int64_t s, i, at, f = d.features
    for s in range(step, step + steps):
        for i in range(w.row, w.row + w.rows):
            at = i * d.steps + position_of(d, s)
            if counts != NULL and not counts[at]:
                memset(target, 0, <size_t>f * sizeof(real))
            else:
                memcpy(target, x + at * f, <size_t>f * sizeof(real))
            target += f
