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
    cdef int64_t i, phase, first, last, done = 0
    cdef int64_t before = at_most(pad, stride * width)
    fill_row(target, stride * width, fill)
    if stride == 1:
        done = shift_row(x, size, fill, target + before, width - before)
    elif stride == 2:
        done = split_pairs(x, size, fill, target + before % 2 * width + before // 2,
                           target + (before + 1) % 2 * width + (before + 1) // 2, width - (before + 1) // 2)
    for phase in range(stride):
        # the first i of this phase whose element was not copied above
        first = (done + pad - phase + stride - 1) // stride if phase < done + pad else 0
        last = (size + pad - phase + stride - 1) // stride if phase < size + pad else 0
        for i in range(first, at_most(last, width)):
            target[phase * width + i] = x[i * stride + phase - pad]


cdef inline int64_t shift_row(const real *x, int64_t size, real fill, real *target, int64_t room) noexcept nogil:
    """Copies x by whole vectors while there is room for them; returns how many elements have been copied."""
    cdef int64_t i = 0
    while i + VL <= size and i + VL <= room:
        v_store(target + i, v_load(x + i))
        i += VL
    if 0 < size - i < VL and i + VL <= room:
        v_store(target + i, v_load_partial_or(x + i, <int>(size - i), fill))
        i = size
    return i


cdef inline int64_t split_pairs(const real *x, int64_t size, real fill, real *even_row, real *odd_row,
                                int64_t room) noexcept nogil:
    """Copies x[0], x[2], … and x[1], x[3], … by whole vectors while there is room; returns how many elements have been copied."""
    cdef int64_t i = 0
    cdef real[64] pairs
    cdef vec even, odd
    while 2 * (i + VL) <= size and i + VL <= room:
        v_load_pairs(x + 2 * i, &even, &odd)
        v_store(even_row + i, even)
        v_store(odd_row + i, odd)
        i += VL
    cdef int64_t rest = size - 2 * i
    if rest <= 0 or rest >= 2 * VL or i + VL > room:
        return 2 * i
    v_store(pairs, v_load_partial_or(x + 2 * i, <int>at_most(rest, VL), fill))
    v_store(pairs + VL, v_load_partial_or(x + 2 * i + VL, <int>(rest - VL), fill) if rest > VL else v_splat(fill))
    v_load_pairs(pairs, &even, &odd)
    v_store(even_row + i, even)
    v_store(odd_row + i, odd)
    return size


cdef inline void copy_inside(const real *x, int64_t n, real *target) noexcept nogil:
    """target (n) = x (n); the tail overlaps what is copied already."""
    cdef int64_t i = 0
    if n < VL:
        if n > 0:
            v_store_partial(target, v_load_partial(x, <int>n), <int>n)
        return
    while i + VL <= n:
        v_store(target + i, v_load(x + i))
        i += VL
    if i < n:
        v_store(target + n - VL, v_load(x + n - VL))


cdef void fill_row(real *target, int64_t n, real value) noexcept nogil:
    cdef int64_t i = 0
    while i + VL <= n:
        v_store(target + i, v_splat(value))
        i += VL
    if i < n:
        v_store_partial(target + i, v_splat(value), <int>(n - i))
