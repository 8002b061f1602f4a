# Reductions of a dense real array x [outer, reduced, inner] over its middle axis: reduce, arg_reduce.
#
# The order of combination is that of the elementwise machine's reductions (elementwise_reduce.pxi): x[o, :, i] alone
# decides the bits of y[o, i].

cdef extern from "simd.h":
    ctypedef int64_t integer "mn_int"       # as wide as real
    vec v_from_bits(ivec bits) noexcept nogil
    ivec v_isplat(integer x) noexcept nogil

ctypedef struct reduce_t:
    int64_t outer
    int64_t reduced
    int64_t inner
    int64_t kind        # 1 sum, 2 max, 3 min, 4 prod
    double scale        # multiplies the result: 1/reduced makes a sum a mean

cdef enum:
    REDUCE_CHUNK = 16384        # elements of a chunk, at least
    REDUCE_COLUMNS = 128        # columns of a unit, where inner > 1

ctypedef struct reduce_plan:
    int64_t column_blocks
    int64_t pieces              # of one result
    int64_t units               # outer × column_blocks × pieces
    int64_t units_per_chunk


cdef void plan_reduce(const reduce_t *d, reduce_plan *p) noexcept nogil:
    cdef int64_t elements
    p.column_blocks = chunk_count(d.inner, REDUCE_COLUMNS)
    p.pieces = chunk_count(d.reduced, MN_PIECE if d.inner == 1 else MN_ROW_PIECE)
    p.units = d.outer * p.column_blocks * p.pieces if d.inner > 0 else 0
    elements = d.outer * d.reduced * d.inner // p.units if p.units > 0 else 0
    p.units_per_chunk = REDUCE_CHUNK // elements if 0 < elements < REDUCE_CHUNK else 1
    if elements == 0:
        p.units_per_chunk = p.units


cdef bint is_valid_reduce(const reduce_t *d) noexcept nogil:
    return d.outer >= 0 and d.reduced >= 0 and d.inner >= 0 and 0 < d.kind < MN_REDUCTION_COUNT


cdef void reduce_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const reduce_t *d = <const reduce_t *>descriptor
    cdef reduce_plan p
    out.chunks = -1
    if not is_valid_reduce(d):
        return
    plan_reduce(d, &p)
    out.chunks = chunk_count(p.units, p.units_per_chunk)
    out.scratch = REDUCE_COLUMNS * sizeof(real)
    out.shared = d.outer * p.pieces * d.inner * sizeof(real) if p.pieces > 1 else 0
    out.finish = p.pieces > 1
    out.work = 15 + 0.02 * <double>(d.outer * d.reduced * d.inner * <int64_t>sizeof(real))


cdef inline void scale_values(real *values, int64_t n, double scale) noexcept nogil:
    cdef int64_t i
    if scale != 1:
        for i in range(n):
            values[i] = values[i] * <real>scale


cdef void reduce_run(const mn_reduction *reduction, real *result, const real *x, int64_t n) noexcept nogil:
    """One piece of a contiguous run: blocks from left to right."""
    cdef int64_t i = 0, count
    cdef real block
    reduction.start(result, 1)
    while i < n:
        count = at_most(n - i, MN_BLOCK)
        reduction.run(&block, x + i, count)
        reduction.combine(result, &block, 1)
        i += count


cdef void reduce_unit(const reduce_t *d, const reduce_plan *p, operand_t *operands, int64_t unit, real *scratch) noexcept nogil:
    cdef const mn_reduction *reduction = &mn_reductions[d.kind]
    cdef int64_t piece = unit % p.pieces
    cdef int64_t column = unit // p.pieces % p.column_blocks * REDUCE_COLUMNS
    cdef int64_t outer = unit // p.pieces // p.column_blocks
    cdef int64_t columns = at_most(d.inner - column, REDUCE_COLUMNS)
    cdef int64_t begin = piece * (MN_PIECE if d.inner == 1 else MN_ROW_PIECE)
    cdef int64_t count = at_most(d.reduced - begin, MN_PIECE if d.inner == 1 else MN_ROW_PIECE)
    cdef const real *x = <const real *>operands[0] + (outer * d.reduced + begin) * d.inner + column
    cdef real *y
    if p.pieces > 1:
        y = <real *>operands[2] + (outer * p.pieces + piece) * d.inner + column
    else:
        y = <real *>operands[1] + outer * d.inner + column
    if d.inner == 1:
        reduce_run(reduction, scratch, x, count)
        reduction.start(y, 1)
        reduction.combine(y, scratch, 1)        # as the elementwise machine starts a result: neutral ∘ value
    else:
        reduction.start(y, columns)
        reduction.rows(y, x, count, d.inner, columns)
    if p.pieces == 1:
        scale_values(y, columns, d.scale)


cdef int reduce_run_chunk(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y[o, i] = scale · (x[o, 0, i] ∘ x[o, 1, i] ∘ …).

    Operands: x (outer, reduced, inner) IN, y (outer, inner) OUT, [pieces (outer, pieces, inner) shared].
    """
    cdef const reduce_t *d = <const reduce_t *>descriptor
    cdef const mn_reduction *reduction = &mn_reductions[d.kind]
    cdef reduce_plan p
    cdef int64_t unit, outer
    cdef real *y
    plan_reduce(d, &p)
    unit = chunk * p.units_per_chunk
    if unit < p.units:
        for unit in range(unit, unit + at_most(p.units - unit, p.units_per_chunk)):
            reduce_unit(d, &p, operands, unit, <real *>scratch)
    elif p.pieces > 1:
        for outer in range(d.outer):
            y = <real *>operands[1] + outer * d.inner
            reduction.start(y, d.inner)
            reduction.rows(y, <const real *>operands[2] + outer * p.pieces * d.inner, p.pieces, d.inner, d.inner)
            scale_values(y, d.inner, d.scale)
    return MN_OK


# ---- arg_reduce ----

ctypedef struct arg_reduce_t:
    int64_t outer
    int64_t reduced
    int64_t inner
    int64_t kind        # 0 the first largest, 1 the first smallest


cdef inline int64_t arg_reduce_rows_per_chunk(const arg_reduce_t *d) noexcept nogil:
    cdef int64_t elements = d.reduced * d.inner
    return REDUCE_CHUNK // elements if 0 < elements < REDUCE_CHUNK else 1


cdef void arg_reduce_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const arg_reduce_t *d = <const arg_reduce_t *>descriptor
    cdef bint valid = d.outer >= 0 and d.reduced > 0 and d.inner >= 0 and 0 <= d.kind <= 1
    out.chunks = chunk_count(d.outer, arg_reduce_rows_per_chunk(d)) if valid else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 15 + 0.05 * <double>(d.outer * d.reduced * d.inner * <int64_t>sizeof(real))


cdef int64_t first_of_run(const real *x, int64_t n, bint smallest) noexcept nogil:
    """The first position of the largest (smallest) element; the first NaN where there is one."""
    cdef const mn_reduction *reduction = &mn_reductions[MN_MIN if smallest else MN_MAX]
    cdef real best
    cdef vec wanted, v
    cdef int64_t i = 0
    reduce_run(reduction, &best, x, n)
    if best == best:
        wanted = v_splat(best)
        while i + VL <= n and not v_any(v_eq(v_load(x + i), wanted)):
            i += VL
        while x[i] != best:
            i += 1
    else:
        while i + VL <= n and not v_any(v_isnan(v_load(x + i))):
            i += VL
        while x[i] == x[i]:
            i += 1
    return i


cdef void first_of_columns(const real *x, int64_t rows, int64_t stride, bint smallest, int columns, int64_t *y) noexcept nogil:
    """The same for up to VL columns side by side."""
    cdef vec best = v_load_partial(x, columns)
    cdef vec place = v_from_bits(v_isplat(0))
    cdef vec value
    cdef ivec better
    cdef real lanes[16]
    cdef integer found
    cdef int64_t row
    cdef int lane
    for row in range(1, rows):
        value = v_load_partial(x + row * stride, columns)
        better = v_lt(value, best) if smallest else v_gt(value, best)
        better = better | (v_isnan(value) & ~v_isnan(best))
        best = v_select(better, value, best)
        place = v_select(better, v_from_bits(v_isplat(<integer>row)), place)
    v_store(lanes, place)
    for lane in range(columns):
        memcpy(&found, &lanes[lane], sizeof(found))
        y[lane] = found


cdef int arg_reduce_run(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """y[o, i] = the first r where x[o, r, i] is largest (smallest), or NaN.

    Operands: x (outer, reduced, inner) IN, y (outer, inner) int64 OUT.
    """
    cdef const arg_reduce_t *d = <const arg_reduce_t *>descriptor
    cdef int64_t per_chunk = arg_reduce_rows_per_chunk(d)
    cdef int64_t begin = chunk * per_chunk
    cdef int64_t outer, column
    cdef const real *x
    cdef int64_t *y
    for outer in range(begin, begin + at_most(d.outer - begin, per_chunk)):
        x = <const real *>operands[0] + outer * d.reduced * d.inner
        y = <int64_t *>operands[1] + outer * d.inner
        if d.inner == 1:
            y[0] = first_of_run(x, d.reduced, d.kind)
            continue
        column = 0
        while column < d.inner:
            first_of_columns(x + column, d.reduced, d.inner, d.kind, <int>at_most(d.inner - column, VL), y + column)
            column += VL
    return MN_OK


cdef int register_reduce() except -1:
    cdef reduce_t d
    cdef arg_reduce_t a
    add_kernel("reduce", reduce_run_chunk, reduce_sizes, &d, sizeof(d), 0)
    add_integers("outer", &d.outer, 1)
    add_integers("reduced", &d.reduced, 1)
    add_integers("inner", &d.inner, 1)
    add_integers("kind", &d.kind, 1)
    add_doubles("scale", &d.scale, 1)
    add_kernel("arg_reduce", arg_reduce_run, arg_reduce_sizes, &a, sizeof(a), 0)
    add_integers("outer", &a.outer, 1)
    add_integers("reduced", &a.reduced, 1)
    add_integers("inner", &a.inner, 1)
    add_integers("kind", &a.kind, 1)
    return 0
