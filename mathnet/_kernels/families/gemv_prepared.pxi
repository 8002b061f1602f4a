# One row times a matrix that stays as it is, as in frozen models: y = activation(x·B + bias).
#
# B lies in strips of `width` columns, one after the other, the rows of a strip without gaps; the last one may be narrower.  So
# it is read from its first byte to its last, where rows in place are read in runs of a strip: 3136x128 from the third-level
# cache takes 24 us instead of 31, and either half of it, on a thread of its own, 12 instead of 20.
#
# Every element is the same chain over k = 0 … K-1 as in gemm.pxi, whatever the width.

cdef enum:
    STRIPS_ELEMENTS = 1 << 17       # of B, that are worth a chunk of their own: 8 us


ctypedef struct gemv_t:
    int64_t k, n
    int64_t width
    int64_t bias                    # an operand (n) follows b
    int64_t activation


cdef inline int64_t strips_per_chunk(const gemv_t *d) noexcept nogil:
    cdef int64_t strip = d.k * d.width
    return chunk_count(STRIPS_ELEMENTS, strip) if strip > 0 else STRIPS_ELEMENTS


cdef void gemv_prepared_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const gemv_t *d = <const gemv_t *>descriptor
    out.chunks = -1
    out.scratch = out.shared = out.finish = 0
    out.work = 0
    if d.k < 0 or d.n < 0 or d.width <= 0 or not 0 <= d.activation < ACTIVATIONS:
        return
    out.chunks = chunk_count(chunk_count(d.n, d.width), strips_per_chunk(d))
    out.work = 20 + sizeof(real) * <double>d.k * d.n / 65


cdef int gemv_prepared(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """Operands: x (k), b (k * n elements, in strips), [bias (n)]  IN; y (n)  OUT."""
    cdef const gemv_t *d = <const gemv_t *>descriptor
    cdef product_t p
    cdef int64_t column = chunk * strips_per_chunk(d) * d.width
    cdef int64_t end = at_most(column + strips_per_chunk(d) * d.width, d.n)
    p.m, p.k, p.resume, p.pack_a = 1, d.k, False, False
    p.a, p.a_row, p.a_col, p.b_col, p.c_row = <const real *>operands[0], 0, 1, 1, 0
    p.epilogue.bias, p.epilogue.bias_row, p.epilogue.bias_col = NULL, 0, 1
    p.epilogue.activation = d.activation
    while column < end:
        p.n = p.b_row = at_most(end - column, d.width)
        p.b = <const real *>operands[1] + column * d.k
        p.c = <real *>operands[2 + d.bias] + column
        if d.bias:
            p.epilogue.bias = <const real *>operands[2] + column
        multiply_row(&p, NULL)
        column += d.width
    return MN_OK


cdef int register_gemv_prepared() except -1:
    cdef gemv_t d
    add_kernel("gemv_prepared", gemv_prepared, gemv_prepared_sizes, &d, sizeof(d), 0)
    add_integers("k", &d.k, 1)
    add_integers("n", &d.n, 1)
    add_integers("width", &d.width, 1)
    add_integers("bias", &d.bias, 1)
    add_integers("activation", &d.activation, 1)
    return 0
