# The elementwise machine: a program of elementwise operations over broadcast operands, block by block.
#
# The index space (up to 4 axes) is brought to rows × width: adjacent axes that every operand steps through alike are
# merged, size-1 axes dropped, reduced outer axes put behind kept ones.  A block is up to MN_BLOCK elements, either a part
# of one row or several whole rows.  For a block every operand becomes a register: a pointer into the operand where it lies
# there as the machine wants it, else a copy in the register's slot of the scratch memory (converted, gathered,
# broadcast, or drawn: drawn.pxi).  Then each step of the program, mostly one operation, runs over the whole block.  Slots are
# 2 KB each and adjacent: with other distances, addresses 4 KB apart collide.
#
# Where the operands are more than the caches hold, the first step of the program that touches one asks for its next block
# (vm_fetch): silu with its gradient, over a million floats, takes three quarters of the time that way.  Below that, it costs more
# than it gains.
#
# A number of elements that is no multiple of VL is finished by the same code on padded copies in the slots.

cdef extern from "vm_program.h":
    ctypedef struct mn_vm_op:
        uint16_t op, d, a, b, c, e
        double immediate
    ctypedef struct mn_vm_step:
        void (*run)(const mn_vm_step *step, void **registers, int64_t n) noexcept nogil
        bint slotless
    ctypedef void (*mn_vm_fn)(const mn_vm_step *step, void **registers, int64_t n) noexcept nogil
    ctypedef const mn_vm_fn *const_loops "const mn_vm_fn *"
    const_loops *mn_vm_table "((const mn_vm_fn **)mn_vm_table)"
    const_loops *mn_vm_integer_table "((const mn_vm_fn **)mn_vm_integer_table)"
    void mn_vm_bind_one(mn_vm_step *step, const_loops *table, const mn_vm_op *op, const uint8_t *uniform) noexcept nogil
    int64_t mn_vm_bind(
        mn_vm_step *steps, const_loops *table, const mn_vm_op *ops, int64_t n_ops, int64_t n_operands,
        const uint8_t *uniform, uint8_t *untouched
    ) noexcept nogil
    const float *mn_vm_cost
    const uint8_t *mn_vm_reads
    const int MN_OPCODE_COUNT
    const int MN_OP_copy

cdef extern from "vector_reduce.h":
    ctypedef struct mn_reduction:
        void (*start)(void *accumulator, int64_t n) noexcept nogil
        void (*run)(void *result, const void *source, int64_t n) noexcept nogil
        void (*combine)(void *accumulator, const void *value, int64_t n) noexcept nogil
        void (*rows)(void *accumulator, const void *rows, int64_t count, int64_t stride, int64_t n) noexcept nogil
    const mn_reduction *mn_reductions
    const mn_reduction *mn_integer_reductions
    const int MN_BLOCK
    const int MN_PIECE
    const int MN_ROW_PIECE
    const int MN_NO_REDUCTION
    const int MN_SUM, MN_MAX, MN_MIN, MN_PROD
    const int MN_REDUCTION_COUNT

cdef enum:
    MAX_AXES = 4
    OUTER_AXES = 3
    MAX_OPERANDS = 16
    MAX_REGISTERS = 48
    SLOT_BYTES = 2048
    MAP_CHUNK = 16384       # elements of a chunk
    FETCHED_BYTES = 12 << 20    # of all operands in place: from here on blocks to come are fetched from memory

ctypedef struct elementwise_t:
    int64_t rank
    int64_t shape[4]
    int64_t n_inputs
    int64_t n_outputs
    int64_t n_registers
    int64_t n_ops
    int64_t reduce
    int64_t reduced[4]
    int64_t dtype[16]
    int64_t stride[64]

cdef enum placement_t:
    IN_PLACE        # the register is a pointer into the operand
    IN_SLOT_ONCE    # the same elements for every block: copied to the slot before the first
    IN_SLOT         # copied from or to the slot with every block

ctypedef struct vm_operand:
    char *base
    int64_t dtype
    int64_t step            # of the width, in elements
    int64_t stride[3]       # of the outer axes
    placement_t placement

ctypedef struct machine:
    const elementwise_t *d
    const mn_vm_op *ops
    const_loops *table
    mn_vm_step *steps       # the program, bound to the registers of this chunk
    int64_t n_steps
    const mn_reduction *reduction
    load_fn load
    store_fn store
    int64_t real_dtype      # the storage type that needs no conversion
    int64_t n_inputs
    int64_t n_operands
    int64_t width           # elements of a row
    int64_t extent[3]       # of the outer axes: kept ones, then reduced ones
    int64_t kept_rows
    int64_t reduced_rows
    bint inner_reduced
    int64_t block_rows      # rows of a block: more than one only if rows are short
    bint reduces_input      # the program is one copy and its result gets reduced: read the input instead
    vm_operand operand[16]
    int64_t in_place[16]    # the operands of each placement that a block has to do with
    int64_t gathered[16]
    int64_t scattered[16]
    int64_t n_in_place
    int64_t n_gathered
    int64_t n_scattered
    char *slots
    void *registers[48]
    uint8_t uniform[48]     # registers that hold one value, in their first VL lanes only


# ---- the index space ----

cdef inline bint steps_alike(const elementwise_t *d, int64_t n_operands, int64_t outer, int64_t inner) noexcept nogil:
    cdef int64_t i
    for i in range(n_operands):
        if d.stride[4 * i + outer] != d.stride[4 * i + inner] * d.shape[inner]:
            return False
    return True


cdef void arrange(machine *m, const elementwise_t *d) noexcept nogil:
    """Brings the descriptor's axes to outer axes and width, for the space and every operand.

    Size-1 axes vanish; but a kept one holds apart the reduced axes beside it, so that the order of a sum is that of a larger batch.
    """
    cdef int64_t extent[4]
    cdef int64_t source[4]      # the axis whose strides a merged axis has
    cdef bint summed[4]
    cdef bint reduced, held_apart = False
    cdef int64_t axis, i, slot, first_reduced = 0, count = 0
    m.d = d
    m.n_inputs = d.n_inputs
    m.n_operands = d.n_inputs + d.n_outputs
    for axis in range(d.rank):
        reduced = d.reduce != MN_NO_REDUCTION and d.reduced[axis] != 0
        if d.shape[axis] == 1:
            held_apart |= not reduced
            continue
        if (
            count > 0
            and summed[count - 1] == reduced
            and not (reduced and held_apart)
            and steps_alike(d, m.n_operands, source[count - 1], axis)
        ):
            extent[count - 1] *= d.shape[axis]
            source[count - 1] = axis
        else:
            extent[count] = d.shape[axis]
            source[count] = axis
            summed[count] = reduced
            count += 1
        held_apart = False
    if count == 0:
        extent[0] = 1
        source[0] = d.rank - 1
        summed[0] = d.reduce != MN_NO_REDUCTION and d.reduced[d.rank - 1] != 0
        count = 1
    count -= 1
    m.width = extent[count]
    m.inner_reduced = summed[count]
    m.kept_rows = m.reduced_rows = 1
    for i in range(m.n_operands):
        m.operand[i].dtype = d.dtype[i]
        m.operand[i].step = d.stride[4 * i + source[count]]
    for slot in range(OUTER_AXES - count):
        m.extent[slot] = 1
        for i in range(m.n_operands):
            m.operand[i].stride[slot] = 0
    slot = OUTER_AXES - count
    for reduced in range(2):
        first_reduced = slot
        for axis in range(count):
            if summed[axis] != reduced:
                continue
            m.extent[slot] = extent[axis]
            if reduced:
                m.reduced_rows *= extent[axis]
            else:
                m.kept_rows *= extent[axis]
            for i in range(m.n_operands):
                m.operand[i].stride[slot] = d.stride[4 * i + source[axis]]
            slot += 1
    if m.reduced_rows == 0:     # no row is ever run: the index of a kept row is all that matters
        for axis in range(first_reduced, OUTER_AXES):
            m.extent[axis] = 1
    m.block_rows = 1
    if m.width > 0 and m.width <= MN_BLOCK // 2 and m.kept_rows * m.reduced_rows > 1:
        m.block_rows = MN_BLOCK // m.width


cdef inline void index_of_row(const machine *m, int64_t row, int64_t *index) noexcept nogil:
    cdef int64_t axis
    for axis in range(OUTER_AXES - 1, 0, -1):
        if m.extent[axis] <= 1:
            index[axis] = 0
        elif row < m.extent[axis]:
            index[axis] = row
            row = 0
        else:
            index[axis] = row % m.extent[axis]
            row = row // m.extent[axis]
    index[0] = row


cdef inline int64_t offset_of(const vm_operand *o, const int64_t *index) noexcept nogil:
    return index[0] * o.stride[0] + index[1] * o.stride[1] + index[2] * o.stride[2]


# ---- operands and registers ----

cdef inline int64_t slot_count(const elementwise_t *d) noexcept nogil:
    """Slots of the registers, and of the accumulators of a reduction behind them."""
    return d.n_registers + (d.n_outputs if d.reduce != MN_NO_REDUCTION else 0)


cdef inline bint is_dense(const machine *m, const vm_operand *o) noexcept nogil:
    """Whether the operand's rows follow each other without gaps."""
    cdef int64_t axis, expected = m.width
    if o.step != 1:
        return False
    for axis in range(OUTER_AXES - 1, -1, -1):
        if m.extent[axis] > 1:
            if o.stride[axis] != expected:
                return False
            expected *= m.extent[axis]
    return True


cdef bint reads_after_write(const machine *m, int64_t read, int64_t written) noexcept nogil:
    """Whether the program reads one register after it has written another."""
    cdef bint begun = False
    cdef const mn_vm_op *op
    cdef int64_t k
    cdef int reads
    for k in range(m.d.n_ops):
        op = &m.ops[k]
        if begun:
            reads = mn_vm_reads[op.op]
            if (reads > 0 and op.a == read) or (reads > 1 and op.b == read) or (reads > 2 and op.c == read) or (reads > 3 and op.e == read):
                return True
        if op.d == written:
            begun = True
    return False


cdef void place(machine *m, operand_t *operands, char *slots) noexcept nogil:
    """Decides for every operand where its register is."""
    cdef int64_t i, j
    cdef vm_operand *o
    cdef bint whole_rows = m.block_rows > 1
    m.slots = slots
    m.reduces_input = False
    m.n_in_place = m.n_gathered = m.n_scattered = 0
    for i in range(m.d.n_registers):
        m.registers[i] = slots + i * SLOT_BYTES
        m.uniform[i] = 0
    for i in range(m.n_operands):
        o = &m.operand[i]
        o.base = <char *>operands[i]
        if o.dtype == m.real_dtype and o.step == 1 and (not whole_rows or is_dense(m, o)):
            o.placement = IN_PLACE
        elif i < m.n_inputs and o.stride[0] == 0 and o.stride[1] == 0 and o.stride[2] == 0 and (whole_rows or o.step == 0):
            o.placement = IN_SLOT_ONCE
            m.uniform[i] = o.step == 0 and m.real_dtype == MN_REAL_CODE
        else:
            o.placement = IN_SLOT
        if i >= m.n_inputs:
            if m.d.reduce != MN_NO_REDUCTION:
                o.placement = IN_SLOT_ONCE      # the register is what gets reduced; see elementwise_reduce.pxi
            elif o.placement == IN_PLACE:
                for j in range(m.n_inputs):     # in place, unless the program would then read what it has overwritten
                    if m.operand[j].base == o.base and reads_after_write(m, j, i):
                        o.placement = IN_SLOT
        if o.placement == IN_PLACE:
            m.in_place[m.n_in_place] = i
            m.n_in_place += 1
        elif o.placement == IN_SLOT and i < m.n_inputs:
            m.gathered[m.n_gathered] = i
            m.n_gathered += 1
        elif o.placement == IN_SLOT:
            m.scattered[m.n_scattered] = i
            m.n_scattered += 1


cdef bint find_fetched(const machine *m, uint8_t *fetched) noexcept nogil:
    """Marks the registers of operands in place, each piece of memory once; False where the caches hold them all."""
    cdef int64_t i, j, k, nbytes = 0, elements = m.kept_rows * m.reduced_rows * m.width
    memset(fetched, 0, MAX_REGISTERS)
    for k in range(m.n_in_place):
        i = m.in_place[k]
        for j in range(k):
            if m.operand[m.in_place[j]].base == m.operand[i].base:
                break
        else:
            fetched[i] = 1
            nbytes += elements * <int64_t>sizeof(real)
    return nbytes >= FETCHED_BYTES


cdef inline void load_run(const machine *m, const vm_operand *o, void *slot, int64_t offset, int64_t step, int64_t n) noexcept nogil:
    """Fills a slot with n elements of an operand, from an offset on."""
    if o.dtype == MN_DRAWN:
        load_drawn(slot, <const drawn_t *>o.base, offset, step, n)
    else:
        m.load(slot, o.base + offset * item_bytes(o.dtype), o.dtype, step, n)


cdef void load_constant_slots(machine *m, int64_t rows, int64_t columns) noexcept nogil:
    """Fills the slots of inputs that are the same for every block; rows, columns: what the largest block needs."""
    cdef int64_t i, done, count, row_bytes = columns * sizeof(real)
    cdef vm_operand *o
    cdef char *slot
    for i in range(m.n_inputs):
        o = &m.operand[i]
        if m.uniform[i]:
            load_run(m, o, m.registers[i], 0, 0, VL)
        elif o.placement == IN_SLOT_ONCE:
            slot = <char *>m.registers[i]
            load_run(m, o, slot, 0, o.step, columns)
            done = 1
            while done < rows:      # doubles what is there
                count = at_most(rows - done, done)
                memcpy(slot + done * row_bytes, slot, <size_t>(count * row_bytes))
                done += count


cdef void move_block(
    const machine *m, const vm_operand *o, char *slot, const int64_t *first, int64_t column, int64_t rows, int64_t columns,
    bint to_slot
) noexcept nogil:
    """Copies a block of an operand into its slot, or back: rows from the index first on, a part of each from column on."""
    cdef int64_t item = item_bytes(o.dtype), at = offset_of(o, first) + column * o.step
    cdef int64_t i1 = first[1], i2 = first[2], row
    if o.dtype == MN_DRAWN and rows > 1 and is_dense(m, o):     # groups of a draw straddle rows
        columns *= rows
        rows = 1
    for row in range(rows):
        if to_slot:
            load_run(m, o, slot, at, o.step, columns)
        else:
            m.store(o.base + at * item, slot, o.dtype, o.step, columns)
        slot += columns * sizeof(real)
        at += o.stride[2]
        i2 += 1
        if i2 == m.extent[2]:
            i2 = 0
            at += o.stride[1] - m.extent[2] * o.stride[2]
            i1 += 1
            if i1 == m.extent[1]:
                i1 = 0
                at += o.stride[0] - m.extent[1] * o.stride[1]


# ---- running a block ----

cdef inline void run_program(const machine *m, void **registers, int64_t n) noexcept nogil:
    cdef const mn_vm_step *step = m.steps
    cdef const mn_vm_step *end = m.steps + m.n_steps
    while step < end:
        step.run(step, registers, n)
        step += 1


cdef void run_padded(machine *m, int64_t begin, int64_t n) noexcept nogil:
    """Runs elements begin … begin+n-1 of the block in the slots, on whole vectors."""
    cdef void *registers[48]
    cdef int64_t i
    cdef real *slot
    cdef real *source
    for i in range(m.n_operands, m.d.n_registers):
        registers[i] = m.registers[i]
    for i in range(m.n_operands):
        slot = <real *>(m.slots + i * SLOT_BYTES)
        if m.operand[i].placement != IN_PLACE:
            registers[i] = slot if m.uniform[i] else slot + begin
            continue
        registers[i] = slot
        if i < m.n_inputs:
            source = <real *>m.registers[i] + begin
            copy_padded(slot, source, n)
    run_program(m, registers, (n + VL - 1) // VL * VL)
    for i in range(m.n_inputs, m.n_operands):
        if m.operand[i].placement == IN_PLACE:
            memcpy(<real *>m.registers[i] + begin, registers[i], <size_t>n * sizeof(real))


cdef inline void copy_padded(real *to, const real *source, int64_t n) noexcept nogil:
    cdef int64_t i = 0
    while i + VL <= n:
        v_store(to + i, v_load(source + i))
        i += VL
    if i < n:
        v_store(to + i, v_load_partial(source + i, <int>(n - i)))


cdef void run_block(machine *m, const int64_t *index, int64_t column, int64_t rows, int64_t columns) noexcept nogil:
    """Runs the program over rows × columns elements from a row (by its index) and column on."""
    cdef int64_t n = rows * columns
    cdef int64_t whole = n - n % VL if n > 4 * VL else (0 if n % VL else n)
    cdef int64_t i, k
    for k in range(m.n_in_place):
        i = m.in_place[k]
        m.registers[i] = m.operand[i].base + (offset_of(&m.operand[i], index) + column) * sizeof(real)
    for k in range(m.n_gathered):
        i = m.gathered[k]
        move_block(m, &m.operand[i], <char *>m.registers[i], index, column, rows, columns, True)
    if m.reduces_input:
        m.registers[m.n_inputs] = m.registers[m.ops[0].a]
        return
    if whole:
        run_program(m, m.registers, whole)
    if n > whole:
        run_padded(m, whole, n - whole)
    for k in range(m.n_scattered):
        i = m.scattered[k]
        move_block(m, &m.operand[i], <char *>m.registers[i], index, column, rows, columns, False)


# ---- chunks of a map ----

cdef inline int64_t map_rows_per_chunk(const machine *m) noexcept nogil:
    cdef int64_t rows = MAP_CHUNK // m.width if m.width < MAP_CHUNK else 1
    return rows - rows % m.block_rows if rows > m.block_rows else rows


cdef int64_t map_chunks(const machine *m) noexcept nogil:
    cdef int64_t rows = m.kept_rows
    if rows == 0 or m.width == 0:
        return 1
    if m.width > MAP_CHUNK:
        return rows * chunk_count(m.width, MAP_CHUNK)
    return chunk_count(rows, map_rows_per_chunk(m))


cdef int64_t block_of_map(const machine *m) noexcept nogil:
    """Columns of a block: a program of one step that needs no slot but for single values runs over all that there is."""
    cdef int64_t i
    if m.n_steps != 1 or (m.d.n_registers > m.n_operands and not m.steps[0].slotless):    # pairs store what is between
        return MN_BLOCK
    for i in range(m.n_operands):
        if m.operand[i].placement != IN_PLACE and not m.uniform[i]:
            return MN_BLOCK
    return MAP_CHUNK


cdef void run_map(machine *m, int64_t chunk) noexcept nogil:
    cdef int64_t index[3]
    cdef int64_t row, rows_end, column, column_end, begin, rows, columns, pieces, per_chunk, block
    if m.kept_rows == 0 or m.width == 0:
        return
    if m.width > MAP_CHUNK:
        pieces = chunk_count(m.width, MAP_CHUNK)
        row = chunk // pieces
        rows_end = row + 1
        begin = chunk % pieces * MAP_CHUNK
        column_end = begin + at_most(m.width - begin, MAP_CHUNK)
    else:
        per_chunk = map_rows_per_chunk(m)
        row = chunk * per_chunk
        rows_end = row + at_most(m.kept_rows - row, per_chunk)
        begin = 0
        column_end = m.width
    load_constant_slots(m, at_most(rows_end - row, m.block_rows), at_most(column_end - begin, MN_BLOCK))
    block = block_of_map(m)
    while row < rows_end:
        rows = at_most(rows_end - row, m.block_rows)
        index_of_row(m, row, index)
        column = begin
        while column < column_end:
            columns = at_most(column_end - column, block)
            run_block(m, index, column, rows, columns)
            column += columns
        row += rows


# ---- the kernels ----

cdef bint is_valid_program(const elementwise_t *d, const_loops *table) noexcept nogil:
    cdef const mn_vm_op *ops = <const mn_vm_op *>(d + 1)
    cdef int64_t i, n_operands = d.n_inputs + d.n_outputs
    if not (1 <= d.rank <= MAX_AXES and 0 <= d.n_inputs and 1 <= d.n_outputs and n_operands <= MAX_OPERANDS):
        return False
    if not (n_operands <= d.n_registers <= MAX_REGISTERS and 0 <= d.reduce < MN_REDUCTION_COUNT and d.n_ops >= 0):
        return False
    for i in range(d.rank):
        if d.shape[i] < 0:
            return False
    for i in range(n_operands):
        if item_bytes(d.dtype[i]) == 0:
            return False
        if d.dtype[i] == MN_DRAWN and (i >= d.n_inputs or table == mn_vm_integer_table):
            return False
    for i in range(d.n_ops):
        if ops[i].op >= MN_OPCODE_COUNT or table[ops[i].op] == NULL or ops[i].d < d.n_inputs:
            return False
        if ops[i].d >= d.n_registers or ops[i].a >= d.n_registers or ops[i].b >= d.n_registers:
            return False
        if ops[i].c >= d.n_registers or ops[i].e >= d.n_registers:
            return False
    return True


cdef void elementwise_sizes_of(const elementwise_t *d, const_loops *table, mn_sizes *out) noexcept nogil:
    cdef machine m
    cdef const mn_vm_op *ops = <const mn_vm_op *>(d + 1)
    cdef int64_t i
    cdef double cost = 0.03 * <double>(d.n_inputs + d.n_outputs)
    out.chunks = -1
    if not is_valid_program(d, table):
        return
    arrange(&m, d)
    out.shared = out.finish = 0
    out.scratch = slot_count(d) * SLOT_BYTES + d.n_ops * sizeof(mn_vm_step)
    if d.reduce == MN_NO_REDUCTION:
        out.chunks = map_chunks(&m)
    else:
        reduction_sizes(&m, out)
    for i in range(d.n_inputs):
        if d.dtype[i] == MN_DRAWN:
            cost += 1.6
    for i in range(d.n_ops):
        cost += mn_vm_cost[ops[i].op]
    out.work = 20 + cost * <double>(m.kept_rows * m.reduced_rows * m.width) * <double>sizeof(real) / 4


cdef int elementwise_run_with(machine *m, const elementwise_t *d, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    cdef uint8_t fetched[48]
    m.ops = <const mn_vm_op *>(d + 1)
    arrange(m, d)
    place(m, operands, <char *>scratch)
    m.steps = <mn_vm_step *>(<char *>scratch + slot_count(d) * SLOT_BYTES)
    m.n_steps = mn_vm_bind(
        m.steps, m.table, m.ops, d.n_ops, m.n_operands, m.uniform,
        fetched if d.n_ops > 1 and find_fetched(m, fetched) else NULL,
    )
    if d.reduce == MN_NO_REDUCTION:
        run_map(m, chunk)
    else:
        run_reduction(m, operands, chunk)
    return MN_OK


cdef void elementwise_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    elementwise_sizes_of(<const elementwise_t *>descriptor, mn_vm_table, out)


cdef int elementwise_run(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """Runs an elementwise program in real arithmetic.  Operands: the inputs IN, the outputs OUT."""
    cdef const elementwise_t *d = <const elementwise_t *>descriptor
    cdef machine m
    if run_tiny(d, operands, <char *>scratch):
        return MN_OK
    m.table = mn_vm_table
    m.reduction = &mn_reductions[d.reduce]
    m.load = load_reals
    m.store = store_reals
    m.real_dtype = MN_REAL_CODE
    return elementwise_run_with(&m, d, operands, chunk, scratch)


cdef void elementwise_i64_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    elementwise_sizes_of(<const elementwise_t *>descriptor, mn_vm_integer_table, out)


cdef int elementwise_i64_run(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """Runs an elementwise program in int64 arithmetic; only in tables whose registers hold 8 bytes an element."""
    cdef const elementwise_t *d = <const elementwise_t *>descriptor
    cdef machine m
    m.table = mn_vm_integer_table
    m.reduction = &mn_integer_reductions[d.reduce]
    m.load = load_integers
    m.store = store_integers
    m.real_dtype = MN_INT64
    return elementwise_run_with(&m, d, operands, chunk, scratch)


cdef int add_elementwise(const char *name, mn_kernel fn, mn_sizes_fn sizes) except -1:
    cdef elementwise_t d
    add_kernel(name, fn, sizes, &d, sizeof(d), sizeof(mn_vm_op))
    add_integers("rank", &d.rank, 1)
    add_integers("shape", d.shape, 4)
    add_integers("n_inputs", &d.n_inputs, 1)
    add_integers("n_outputs", &d.n_outputs, 1)
    add_integers("n_registers", &d.n_registers, 1)
    add_integers("n_ops", &d.n_ops, 1)
    add_integers("reduce", &d.reduce, 1)
    add_integers("reduced", d.reduced, 4)
    add_integers("dtype", d.dtype, 16)
    add_integers("stride", d.stride, 64)
    return 0


cdef int register_elementwise() except -1:
    add_elementwise("elementwise", elementwise_run, elementwise_sizes)
    if sizeof(real) == sizeof(int64_t):
        add_elementwise("elementwise_i64", elementwise_i64_run, elementwise_i64_sizes)
    return 0
