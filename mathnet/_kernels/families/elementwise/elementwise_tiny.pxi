# Tiny elementwise programs: a few dozen elements, where finding the index space would cost more than the arithmetic.
#
# Taken when every operand is one dense run of reals, or one number, and the space is at most TINY elements: a map, a reduction
# of everything, or a reduction of the leading axis.  The vector code and the order of sums are those of the general path,
# so the bits are too.

cdef enum:
    TINY = 128              # elements; half a slot in float64


cdef inline bint is_dense_2d(const elementwise_t *d, int64_t i) noexcept nogil:
    return d.stride[4 * i + 1] == 1 and d.stride[4 * i] == d.shape[1]


cdef inline bint tiny_input(const elementwise_t *d, operand_t *operands, int64_t i, int64_t n, real *slot, machine *m) noexcept nogil:
    """Sets the register of one input; False if the operand is neither a dense run nor one number."""
    cdef int64_t code = d.dtype[i]
    cdef bint run = d.stride[4 * i] == 1 if d.rank == 1 else is_dense_2d(d, i)
    cdef real number
    if run and n > 1:
        if code != MN_REAL_CODE:
            return False
        if n % VL == 0:
            m.registers[i] = operands[i]
        else:
            copy_padded(slot, <real *>operands[i], n)
            m.registers[i] = slot
        return True
    if n > 1 and (d.stride[4 * i] != 0 or (d.rank == 2 and d.stride[4 * i + 1] != 0)):
        return False
    if code == MN_REAL_CODE:
        number = (<real *>operands[i])[0]
    elif code == MN_FLOAT64:
        number = <real>(<double *>operands[i])[0]
    else:
        return False
    v_store(slot, v_splat(number))
    m.registers[i] = slot
    m.uniform[i] = 1
    return True


cdef bint run_tiny(const elementwise_t *d, operand_t *operands, char *slots) noexcept nogil:
    """Runs a tiny program; False, with nothing written, when it is not one."""
    cdef machine m
    cdef mn_vm_step step
    cdef int64_t columns = d.shape[d.rank - 1], rows = 1, n, i, output
    cdef real *target
    cdef real value
    cdef const mn_reduction *reduction
    if d.rank == 2:
        rows = d.shape[0]
    if d.rank > 2 or columns < 1 or rows < 1 or columns > TINY or rows > TINY or rows * columns > TINY:
        return False
    if d.reduce == MN_NO_REDUCTION:
        if d.rank == 2:
            return False
    elif not (d.reduced[0] and (d.rank == 1 or not d.reduced[1])):
        return False
    n = rows * columns
    for i in range(d.n_registers):
        m.registers[i] = slots + i * SLOT_BYTES
        m.uniform[i] = 0
    for i in range(d.n_inputs):
        if not tiny_input(d, operands, i, n, <real *>(slots + i * SLOT_BYTES), &m):
            return False
    for i in range(d.n_inputs, d.n_inputs + d.n_outputs):
        if d.dtype[i] != MN_REAL_CODE:
            return False
        if d.reduce == MN_NO_REDUCTION:
            if d.stride[4 * i] != 1 and n > 1:
                return False
        elif d.rank == 2 and d.stride[4 * i + 1] != 1 and columns > 1:
            return False
    m.ops = <const mn_vm_op *>(d + 1)
    for i in range(d.n_ops):
        mn_vm_bind_one(&step, mn_vm_table, &m.ops[i], m.uniform)
        step.run(&step, m.registers, (n + VL - 1) // VL * VL)
    for output in range(d.n_outputs):
        i = d.n_inputs + output
        target = <real *>operands[i]
        if d.reduce == MN_NO_REDUCTION:
            store_run(target, <real *>m.registers[i], n)
            continue
        reduction = &mn_reductions[d.reduce]
        if d.rank == 1:
            reduction.start(target, 1)
            reduction.run(&value, m.registers[i], n)
            reduction.combine(target, &value, 1)
        else:
            reduction.start(slots + d.n_registers * SLOT_BYTES, columns)
            reduction.rows(slots + d.n_registers * SLOT_BYTES, m.registers[i], rows, columns, columns)
            store_run(target, <real *>(slots + d.n_registers * SLOT_BYTES), columns)
    return True


cdef inline void store_run(real *to, const real *source, int64_t n) noexcept nogil:
    cdef int64_t i = 0
    while i + VL <= n:
        v_store(to + i, v_load(source + i))
        i += VL
    if i < n:
        v_store_partial(to + i, v_load(source + i), <int>(n - i))
