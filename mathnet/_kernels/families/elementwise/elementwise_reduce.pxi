# Elementwise programs whose outputs are reduced over some axes.
#
# The result of an element depends on the reduced extents only: within a row (where the inner axis is reduced) blocks are
# combined from left to right to pieces of MN_PIECE elements, pieces to the row's value; rows are combined from top to bottom to
# pieces of MN_ROW_PIECE rows, those to the result.  A unit is one piece of one result (for a kept inner axis: of a
# block of neighbouring results); a chunk is a fixed number of units.  Where a result has several pieces they go to the shared
# buffer, [output][kept row][piece][column], and the finish call combines them.

ctypedef struct reduction_plan:
    int64_t columns             # results side by side in a kept row: the width, or 1 where the inner axis is reduced
    int64_t column_blocks       # parts of the width that are separate units
    int64_t row_pieces          # pieces of the reduced rows
    int64_t run_pieces          # pieces of the row, where it is all there is to reduce
    int64_t pieces              # of one result
    int64_t units
    int64_t units_per_chunk


cdef void plan_reduction(const machine *m, reduction_plan *p) noexcept nogil:
    cdef int64_t unit_elements
    p.columns = 1 if m.inner_reduced else m.width
    p.column_blocks = chunk_count(m.width, MN_BLOCK) if not m.inner_reduced and m.block_rows == 1 else 1
    p.row_pieces = chunk_count(m.reduced_rows, MN_ROW_PIECE)
    p.run_pieces = chunk_count(m.width, MN_PIECE) if m.inner_reduced and m.reduced_rows == 1 else 1
    p.pieces = p.row_pieces * p.run_pieces
    p.units = m.kept_rows * p.column_blocks * p.pieces
    unit_elements = m.reduced_rows * m.width // (p.column_blocks * p.pieces)
    p.units_per_chunk = MAP_CHUNK // unit_elements if 0 < unit_elements < MAP_CHUNK else 1
    if unit_elements == 0:
        p.units_per_chunk = p.units


cdef void reduction_sizes(const machine *m, mn_sizes *out) noexcept nogil:
    cdef reduction_plan p
    plan_reduction(m, &p)
    out.chunks = chunk_count(p.units, p.units_per_chunk)
    if p.pieces > 1:
        out.shared = m.d.n_outputs * m.kept_rows * p.pieces * p.columns * sizeof(real)
        out.finish = 1


cdef inline char *partial_result(
    const machine *m, const reduction_plan *p, operand_t *operands, int64_t output, int64_t kept, int64_t piece
) noexcept nogil:
    return <char *>operands[m.n_operands] + ((output * m.kept_rows + kept) * p.pieces + piece) * p.columns * sizeof(real)


cdef inline char *accumulator_of(const machine *m, int64_t output) noexcept nogil:
    return m.slots + (m.d.n_registers + output) * SLOT_BYTES


cdef void store_result(const machine *m, int64_t output, int64_t kept, int64_t column, int64_t columns, const void *values) noexcept nogil:
    cdef const vm_operand *o = &m.operand[m.n_inputs + output]
    cdef int64_t index[3]
    index_of_row(m, kept * m.reduced_rows if m.reduced_rows else kept, index)
    m.store(o.base + (offset_of(o, index) + column * o.step) * item_bytes(o.dtype), values, o.dtype, o.step, columns)


cdef void finish_unit(
    const machine *m, const reduction_plan *p, operand_t *operands, int64_t kept, int64_t piece, int64_t column, int64_t columns
) noexcept nogil:
    """Hands over the accumulators of a unit and clears them."""
    cdef int64_t output
    for output in range(m.d.n_outputs):
        if p.pieces > 1:
            memcpy(
                partial_result(m, p, operands, output, kept, piece) + column * sizeof(real),
                accumulator_of(m, output),
                <size_t>columns * sizeof(real),
            )
        else:
            store_result(m, output, kept, column, columns, accumulator_of(m, output))
        m.reduction.start(accumulator_of(m, output), columns)


cdef void add_row(machine *m, const int64_t *index, int64_t begin, int64_t end) noexcept nogil:
    """Reduces columns begin … end-1 of one row (begin at a piece) and combines them with the accumulators."""
    cdef int64_t column = begin, columns, output
    cdef real row_value[16]
    cdef real piece_value[16]
    cdef real block_value
    for output in range(m.d.n_outputs):
        m.reduction.start(&row_value[output], 1)
        m.reduction.start(&piece_value[output], 1)
    while column < end:
        columns = at_most(end - column, MN_BLOCK)
        run_block(m, index, column, 1, columns)
        column += columns
        for output in range(m.d.n_outputs):
            m.reduction.run(&block_value, m.registers[m.n_inputs + output], columns)
            m.reduction.combine(&piece_value[output], &block_value, 1)
            if column == end or column % MN_PIECE == 0:
                m.reduction.combine(&row_value[output], &piece_value[output], 1)
                m.reduction.start(&piece_value[output], 1)
    for output in range(m.d.n_outputs):
        m.reduction.combine(accumulator_of(m, output), &row_value[output], 1)


cdef void store_row_results(const machine *m, int64_t kept, int64_t rows) noexcept nogil:
    """Where one short row is all there is to reduce: the results of the rows in the block."""
    cdef int64_t output, i
    cdef real value[256]
    cdef real result[256]
    for output in range(m.d.n_outputs):
        for i in range(rows):
            m.reduction.run(&value[i], <char *>m.registers[m.n_inputs + output] + i * m.width * sizeof(real), m.width)
        m.reduction.start(result, rows)
        m.reduction.combine(result, value, rows)
        store_results(m, output, kept, rows, result)


cdef void store_results(const machine *m, int64_t output, int64_t kept, int64_t rows, const real *values) noexcept nogil:
    """Stores one result for each of some kept rows."""
    cdef const vm_operand *o = &m.operand[m.n_inputs + output]
    cdef int64_t index[3]
    cdef int64_t i
    if m.extent[0] == 1 and m.extent[1] == 1:
        m.store(o.base + kept * o.stride[2] * item_bytes(o.dtype), values, o.dtype, o.stride[2], rows)
        return
    for i in range(rows):
        index_of_row(m, kept + i, index)
        m.store(o.base + offset_of(o, index) * item_bytes(o.dtype), &values[i], o.dtype, 1, 1)


cdef void reduce_rows(machine *m, const reduction_plan *p, operand_t *operands, int64_t unit, int64_t unit_end) noexcept nogil:
    """Units that are whole rows following each other: blocks of several rows may span several units."""
    cdef int64_t kept = unit // p.row_pieces, piece = unit % p.row_pieces
    cdef int64_t row = kept * m.reduced_rows + piece * MN_ROW_PIECE
    cdef int64_t row_end = unit_end // p.row_pieces * m.reduced_rows + unit_end % p.row_pieces * MN_ROW_PIECE
    cdef int64_t left = at_most(m.reduced_rows - piece * MN_ROW_PIECE, MN_ROW_PIECE)    # rows of the unit to come
    cdef int64_t index[3]
    cdef int64_t rows, done, count, output, i
    cdef char *values
    cdef real value
    cdef bint whole_results = m.inner_reduced and m.reduced_rows == 1 and m.width <= MN_BLOCK
    while row < row_end:
        rows = at_most(row_end - row, m.block_rows)
        index_of_row(m, row, index)
        if m.width > MN_BLOCK:
            add_row(m, index, 0, m.width)
        else:
            run_block(m, index, 0, rows, m.width)
        if whole_results:
            store_row_results(m, kept, rows)
            kept += rows
            row += rows
            continue
        done = 0
        while done < rows:
            count = at_most(rows - done, left)
            if m.width <= MN_BLOCK:
                for output in range(m.d.n_outputs):
                    values = <char *>m.registers[m.n_inputs + output] + done * m.width * sizeof(real)
                    if not m.inner_reduced:
                        m.reduction.rows(accumulator_of(m, output), values, count, m.width, m.width)
                        continue
                    for i in range(count):
                        m.reduction.run(&value, values + i * m.width * sizeof(real), m.width)
                        m.reduction.combine(accumulator_of(m, output), &value, 1)
            done += count
            left -= count
            if left == 0:
                finish_unit(m, p, operands, kept, piece, 0, p.columns)
                piece += 1
                if piece == p.row_pieces:
                    piece = 0
                    kept += 1
                left = at_most(m.reduced_rows - piece * MN_ROW_PIECE, MN_ROW_PIECE)
        row += rows


cdef void reduce_run_piece(machine *m, const reduction_plan *p, operand_t *operands, int64_t unit) noexcept nogil:
    """A unit that is a piece of a long row."""
    cdef int64_t kept = unit // p.run_pieces, piece = unit % p.run_pieces
    cdef int64_t index[3]
    index_of_row(m, kept, index)
    add_row(m, index, piece * MN_PIECE, piece * MN_PIECE + at_most(m.width - piece * MN_PIECE, MN_PIECE))
    finish_unit(m, p, operands, kept, piece, 0, 1)


cdef void reduce_column_block(machine *m, const reduction_plan *p, operand_t *operands, int64_t unit) noexcept nogil:
    """A unit that is a block of columns in a piece of the reduced rows."""
    cdef int64_t piece = unit % p.row_pieces
    cdef int64_t column = unit // p.row_pieces % p.column_blocks * MN_BLOCK
    cdef int64_t kept = unit // p.row_pieces // p.column_blocks
    cdef int64_t columns = at_most(m.width - column, MN_BLOCK)
    cdef int64_t begin = piece * MN_ROW_PIECE
    cdef int64_t row, output
    cdef int64_t index[3]
    for row in range(begin, begin + at_most(m.reduced_rows - begin, MN_ROW_PIECE)):
        index_of_row(m, kept * m.reduced_rows + row, index)
        run_block(m, index, column, 1, columns)
        for output in range(m.d.n_outputs):
            m.reduction.rows(accumulator_of(m, output), m.registers[m.n_inputs + output], 1, 0, columns)
    finish_unit(m, p, operands, kept, piece, column, columns)


cdef void combine_pieces(machine *m, const reduction_plan *p, operand_t *operands) noexcept nogil:
    """The finish call: the pieces of every result, from left to right."""
    cdef int64_t output, kept, column, columns
    cdef char *accumulator
    for output in range(m.d.n_outputs):
        accumulator = accumulator_of(m, output)
        for kept in range(m.kept_rows):
            column = 0
            while column < p.columns:
                columns = at_most(p.columns - column, MN_BLOCK)
                m.reduction.start(accumulator, columns)
                m.reduction.rows(
                    accumulator,
                    partial_result(m, p, operands, output, kept, 0) + column * sizeof(real),
                    p.pieces,
                    p.columns,
                    columns,
                )
                store_result(m, output, kept, column, columns, accumulator)
                column += columns


cdef void run_reduction(machine *m, operand_t *operands, int64_t chunk) noexcept nogil:
    cdef reduction_plan p
    cdef int64_t unit, unit_end, output
    plan_reduction(m, &p)
    if p.units == 0 or p.columns == 0:
        return
    unit = chunk * p.units_per_chunk
    if unit >= p.units:
        combine_pieces(m, &p, operands)
        return
    unit_end = unit + at_most(p.units - unit, p.units_per_chunk)
    for output in range(m.d.n_outputs):
        m.reduction.start(accumulator_of(m, output), at_most(p.columns, MN_BLOCK))
    if m.reduced_rows == 0 or m.width == 0:
        for unit in range(unit, unit_end):
            finish_unit(m, &p, operands, unit // p.column_blocks, 0, unit % p.column_blocks * MN_BLOCK,
                        at_most(p.columns - unit % p.column_blocks * MN_BLOCK, MN_BLOCK))
        return
    load_constant_slots(m, m.block_rows, at_most(m.width, MN_BLOCK))
    m.reduces_input = (
        m.d.n_ops == 1
        and m.d.n_outputs == 1
        and m.ops[0].op == MN_OP_copy
        and m.ops[0].a < m.n_inputs
        and not m.uniform[m.ops[0].a]
    )
    if p.run_pieces > 1:
        for unit in range(unit, unit_end):
            reduce_run_piece(m, &p, operands, unit)
    elif p.column_blocks > 1:
        for unit in range(unit, unit_end):
            reduce_column_block(m, &p, operands, unit)
    else:
        reduce_rows(m, &p, operands, unit, unit_end)
