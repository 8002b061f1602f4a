# Checks before a step may commit: they read their operand, write nothing, and fail with the first offender.

ctypedef struct check_index_t:
    int64_t n
    int64_t limit
    int64_t allow_negative      # then -limit … limit-1 pass, else 0 … limit-1

ctypedef struct check_real_t:
    int64_t n


cdef void check_index_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const check_index_t *d = <const check_index_t *>descriptor
    out.chunks = 1 if d.n >= 0 else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 5 + 0.5 * <double>d.n


cdef int check_index(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """Every index is in range.  Operands: x (n) int64 IN.  Fails with MN_INDEX_OUT_OF_RANGE, the position and the index."""
    cdef const check_index_t *d = <const check_index_t *>descriptor
    cdef const int64_t *x = <const int64_t *>operands[0]
    cdef int64_t low = -d.limit if d.allow_negative else 0
    cdef int64_t i
    for i in range(d.n):
        if x[i] < low or x[i] >= d.limit:
            return mn_fail(scratch, MN_INDEX_OUT_OF_RANGE, i, <double>x[i])
    return MN_OK


cdef void check_real_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const check_real_t *d = <const check_real_t *>descriptor
    out.chunks = 1 if d.n >= 0 else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 5 + 0.02 * <double>(d.n * <int64_t>sizeof(real))


cdef inline ivec offends(vec x, bint finite) noexcept nogil:
    """Lanes that are NaN, or, where all should be finite, NaN or infinite."""
    return ~v_lt(v_abs(x), v_splat(INFINITY)) if finite else v_isnan(x)


cdef inline int check_reals(const void *descriptor, operand_t *operands, void *scratch, bint finite, int code) noexcept nogil:
    cdef int64_t n = (<const check_real_t *>descriptor).n
    cdef const real *x = <const real *>operands[0]
    cdef real lanes[16]
    cdef int64_t i = 0
    cdef int lane, count
    while i < n:
        count = <int>at_most(n - i, VL)
        if v_any(offends(v_load_lanes(x + i, count), finite)):
            for lane in range(count):
                v_store(lanes, v_and(offends(v_splat(x[i + lane]), finite), v_splat(1)))
                if lanes[0] != 0:
                    return mn_fail(scratch, code, i + lane, <double>x[i + lane])
        i += VL
    return MN_OK


cdef int check_finite(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """Every element is finite.  Operands: x (n) IN.  Fails with MN_NOT_FINITE, the position and the value."""
    return check_reals(descriptor, operands, scratch, True, MN_NOT_FINITE)


cdef int check_nan(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """No element is NaN.  Operands: x (n) IN.  Fails with MN_NAN and the position."""
    return check_reals(descriptor, operands, scratch, False, MN_NAN)


cdef int register_check() except -1:
    cdef check_index_t index
    cdef check_real_t d
    add_kernel("check_index", check_index, check_index_sizes, &index, sizeof(index), 0)
    add_integers("n", &index.n, 1)
    add_integers("limit", &index.limit, 1)
    add_integers("allow_negative", &index.allow_negative, 1)
    add_kernel("check_finite", check_finite, check_real_sizes, &d, sizeof(d), 0)
    add_integers("n", &d.n, 1)
    add_kernel("check_nan", check_nan, check_real_sizes, &d, sizeof(d), 0)
    add_integers("n", &d.n, 1)
    return 0
