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


cdef int register_copy() except -1:
    cdef fill_t fill
    add_kernel("fill", fill_run, fill_sizes, &fill, sizeof(fill), 0)
    add_integers("n", &fill.n, 1)
    add_integers("itemsize", &fill.itemsize, 1)
    add_unsigned("value", &fill.value, 1)
    return 0
