# Moving elements: fill, copy.  Elements are opaque bytes of 1, 4 or 8; no arithmetic happens here.

ctypedef struct fill_t:
    int64_t n           # elements
    int64_t itemsize    # 1, 4 or 8
    uint64_t value      # the element's bytes, in the low end

cdef enum:
    FILL_CHUNK = 65536


cdef void fill_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const fill_t *d = <const fill_t *>descriptor
    out.chunks = chunk_count(d.n, FILL_CHUNK) if d.itemsize in (1, 4, 8) and d.n >= 0 else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 5 + 0.05 * <double>(d.n * d.itemsize)


cdef int fill_run(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y[...] = value.  Operands: y (n) OUT."""
    cdef const fill_t *d = <const fill_t *>descriptor
    cdef int64_t begin = <int64_t>chunk * FILL_CHUNK
    cdef int64_t n = at_most(d.n - begin, FILL_CHUNK)
    cdef int64_t i
    if d.itemsize == 1:
        memset(<uint8_t *>operands[0] + begin, <int>(d.value & 255), <size_t>n)
    elif d.itemsize == 4:
        for i in range(n):
            (<uint32_t *>operands[0])[begin + i] = <uint32_t>d.value
    else:
        for i in range(n):
            (<uint64_t *>operands[0])[begin + i] = d.value
    return MN_OK


# ---- copy ----

cdef enum:
    COPY_AXES = 6
    COPY_ROW = 16384        # elements of a row that one unit copies
    COPY_COLUMNS = 32       # where it transposes: elements along the axis on which the source is contiguous

ctypedef struct copy_t:
    int64_t itemsize
    int64_t rank
    int64_t shape[6]
    int64_t source_stride[6]
    int64_t target_stride[6]
    int64_t source_offset
    int64_t target_offset

# Axes merged where source and target step alike.  The last is the row; across is an axis on which the source is
# contiguous while it is not along the row: then rows × across are transposed block by block, else across is -1.
ctypedef struct copy_plan:
    int64_t rank
    int64_t shape[6]
    int64_t source_stride[6]
    int64_t target_stride[6]
    int64_t across
    int64_t blocks          # units along the split axis: across, or else the row
    int64_t units           # blocks × all other axes
    int64_t units_per_chunk


cdef void plan_copy(const copy_t *d, copy_plan *p) noexcept nogil:
    cdef int64_t axis, n = 0, elements = 1
    for axis in range(d.rank):
        if d.shape[axis] == 1:
            continue
        if (
            n > 0
            and p.source_stride[n - 1] == d.source_stride[axis] * d.shape[axis]
            and p.target_stride[n - 1] == d.target_stride[axis] * d.shape[axis]
        ):
            p.shape[n - 1] *= d.shape[axis]
        else:
            p.shape[n] = d.shape[axis]
            n += 1
        p.source_stride[n - 1] = d.source_stride[axis]
        p.target_stride[n - 1] = d.target_stride[axis]
    if n == 0:
        p.shape[0] = p.source_stride[0] = p.target_stride[0] = 1
        n = 1
    p.rank = n
    p.across = -1
    if p.target_stride[n - 1] == 1 and p.source_stride[n - 1] != 1:
        for axis in range(n - 1):
            if p.source_stride[axis] == 1:
                p.across = axis
    p.units = p.blocks = chunk_count(p.shape[n - 1], COPY_ROW) if p.across < 0 else chunk_count(p.shape[p.across], COPY_COLUMNS)
    for axis in range(n):
        elements *= p.shape[axis]
        if axis != n - 1 and axis != p.across:
            p.units *= p.shape[axis]
    if elements == 0:
        p.units = 0
        return
    elements = elements // p.units
    p.units_per_chunk = COPY_ROW // elements if elements < COPY_ROW else 1


cdef void copy_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const copy_t *d = <const copy_t *>descriptor
    cdef copy_plan p
    cdef int64_t axis
    cdef double elements = 1
    out.chunks = -1
    if d.itemsize not in (1, 4, 8) or d.rank < 0 or d.rank > COPY_AXES:
        return
    for axis in range(d.rank):
        if d.shape[axis] < 0:
            return
        elements *= <double>d.shape[axis]
    plan_copy(d, &p)
    out.chunks = chunk_count(p.units, p.units_per_chunk) if p.units > 0 else 1
    out.scratch = out.shared = out.finish = 0
    out.work = 15 + elements * (0.05 * <double>d.itemsize if p.across < 0 and p.source_stride[p.rank - 1] == 1 else 0.5)


cdef inline void copy_item(char *target, const char *source, int64_t itemsize) noexcept nogil:
    if itemsize == 4:
        (<uint32_t *>target)[0] = (<const uint32_t *>source)[0]
    elif itemsize == 8:
        (<uint64_t *>target)[0] = (<const uint64_t *>source)[0]
    else:
        target[0] = source[0]


cdef void copy_row(char *target, int64_t target_step, const char *source, int64_t source_step, int64_t n, int64_t itemsize) noexcept nogil:
    cdef int64_t i
    if source_step == 1 and target_step == 1 and n * itemsize > 64:
        memcpy(target, source, <size_t>(n * itemsize))
    elif itemsize == 4:
        for i in range(n):
            (<uint32_t *>target)[i * target_step] = (<const uint32_t *>source)[i * source_step]
    elif itemsize == 8:
        for i in range(n):
            (<uint64_t *>target)[i * target_step] = (<const uint64_t *>source)[i * source_step]
    else:
        for i in range(n):
            target[i * target_step] = source[i * source_step]


cdef void transpose_block(
    char *target, int64_t target_step, const char *source, int64_t source_step, int64_t columns, int64_t n, int64_t itemsize
) noexcept nogil:
    """target[c*target_step + i] = source[i*source_step + c] for c < columns, i < n; steps in elements."""
    cdef vec r[16]
    cdef int64_t whole = 0, c, i = 0, k
    if itemsize == sizeof(real):
        whole = columns - columns % VL
        while i + VL <= n:
            c = 0
            while c < whole:
                for k in range(VL):
                    r[k] = v_load(<const real *>source + (i + k) * source_step + c)
                v_transpose(r)
                for k in range(VL):
                    v_store(<real *>target + (c + k) * target_step + i, r[k])
                c += VL
            i += VL
        for i in range(i, n):
            for c in range(whole):
                copy_item(target + (c * target_step + i) * itemsize, source + (i * source_step + c) * itemsize, itemsize)
    for c in range(whole, columns):
        copy_row(target + c * target_step * itemsize, 1, source + c * itemsize, source_step, n, itemsize)


cdef int copy_run(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """target[target_offset + i·target_stride] = source[source_offset + i·source_stride] for every index i of shape.

    Operands: source IN, target OUT.  Strides (of any sign) and offsets in elements.  Elements of the target are written once.
    """
    cdef const copy_t *d = <const copy_t *>descriptor
    cdef copy_plan p
    cdef int64_t index[6]
    cdef int64_t unit, rest, axis, block, row, source_at, target_at, n
    cdef char *target
    cdef const char *source
    plan_copy(d, &p)
    if p.units == 0:
        return MN_OK
    row = p.rank - 1
    unit = chunk * p.units_per_chunk
    rest = unit
    block = rest % p.blocks
    rest = rest // p.blocks
    source_at = d.source_offset
    target_at = d.target_offset
    for axis in range(row - 1, -1, -1):
        if axis == p.across:
            continue
        index[axis] = rest % p.shape[axis]
        rest = rest // p.shape[axis]
        source_at += index[axis] * p.source_stride[axis]
        target_at += index[axis] * p.target_stride[axis]
    for unit in range(unit, unit + at_most(p.units - unit, p.units_per_chunk)):
        source = <const char *>operands[0] + source_at * d.itemsize
        target = <char *>operands[1] + target_at * d.itemsize
        if p.across >= 0:
            n = at_most(p.shape[p.across] - block * COPY_COLUMNS, COPY_COLUMNS)
            transpose_block(target + block * COPY_COLUMNS * p.target_stride[p.across] * d.itemsize, p.target_stride[p.across],
                            source + block * COPY_COLUMNS * d.itemsize, p.source_stride[row], n, p.shape[row], d.itemsize)
        else:
            n = at_most(p.shape[row] - block * COPY_ROW, COPY_ROW)
            copy_row(target + block * COPY_ROW * p.target_stride[row] * d.itemsize, p.target_stride[row],
                     source + block * COPY_ROW * p.source_stride[row] * d.itemsize, p.source_stride[row], n, d.itemsize)
        block += 1
        if block < p.blocks:
            continue
        block = 0
        for axis in range(row - 1, -1, -1):
            if axis == p.across:
                continue
            index[axis] += 1
            source_at += p.source_stride[axis]
            target_at += p.target_stride[axis]
            if index[axis] < p.shape[axis]:
                break
            source_at -= p.shape[axis] * p.source_stride[axis]
            target_at -= p.shape[axis] * p.target_stride[axis]
            index[axis] = 0
    return MN_OK


cdef int register_copy() except -1:
    cdef fill_t fill
    cdef copy_t copy
    add_kernel("copy", copy_run, copy_sizes, &copy, sizeof(copy), 0)
    add_integers("itemsize", &copy.itemsize, 1)
    add_integers("rank", &copy.rank, 1)
    add_integers("shape", copy.shape, 6)
    add_integers("source_stride", copy.source_stride, 6)
    add_integers("target_stride", copy.target_stride, 6)
    add_integers("source_offset", &copy.source_offset, 1)
    add_integers("target_offset", &copy.target_offset, 1)
    add_kernel("fill", fill_run, fill_sizes, &fill, sizeof(fill), 0)
    add_integers("n", &fill.n, 1)
    add_integers("itemsize", &fill.itemsize, 1)
    add_unsigned("value", &fill.value, 1)
    return 0
