# Rows prepared for sliding windows: padded, and split by the phase of the stride.
#
#     target[p][i] = x[i*stride + p - pad]        the fill value outside x
#
# Then tap t of a window of any stride reads contiguously: for the outputs o, o+1, … it is
# target[t % stride][o + t // stride], …

cdef inline int64_t phase_width(int64_t size, int64_t pad_before, int64_t pad_after, int64_t stride) noexcept nogil:
    """Elements of one phase of a padded row, with room for a vector that starts at the last of them."""
    return ((size + pad_before + pad_after + stride - 1) // stride + 2 * VL - 1) // VL * VL


cdef void split_row(const real *x, int64_t size, int64_t pad, int64_t stride, real fill,
                    real *target, int64_t width) noexcept nogil:
    """x (size)  IN; target (stride, width)  OUT, wholly written."""
    cdef int64_t phase, i, first, last, begin, end
    cdef real *row
    cdef vec even, odd
    begin = at_most((pad + stride - 1) // stride, width)    # from here all phases are inside x …
    end = begin
    if stride == 1:
        while end + VL <= width and end + VL - pad <= size:
            v_store(target + end, v_load(x + end - pad))
            end += VL
    elif stride == 2:
        while end + VL <= width and 2 * (end + VL) - pad <= size:
            v_load_pairs(x + 2 * end - pad, &even, &odd)
            v_store(target + end, even)
            v_store(target + width + end, odd)
            end += VL                                       # … up to here
    for phase in range(stride):
        row = target + phase * width
        first = at_most((pad - phase + stride - 1) // stride if phase < pad else 0, width)
        last = (size + pad - phase + stride - 1) // stride if phase < size + pad else 0
        last = at_most(last if last > first else first, width)
        fill_row(row, first, fill)
        for i in range(first, begin if begin < last else last):
            row[i] = x[i * stride + phase - pad]
        for i in range(end if end > first else first, last):
            row[i] = x[i * stride + phase - pad]
        fill_row(row + last, width - last, fill)


cdef void fill_row(real *target, int64_t n, real value) noexcept nogil:
    cdef int64_t i = 0
    while i + VL <= n:
        v_store(target + i, v_splat(value))
        i += VL
    if i < n:
        v_store_partial(target + i, v_splat(value), <int>(n - i))
