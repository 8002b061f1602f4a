# Sums over the elements that one mean and one variance are made of, for the normalisations.
#
# Four vectors add up what is at i mod 4·VL; runs follow each other without a break.  A run is cut into pieces of
# NORM_PIECE elements, after which the four are brought together (in pairs, then lane i with lane i + half) and added
# to the total: a sum of millions keeps its digits, and its order is a function of the sizes only.

cdef enum:
    NORM_CHUNK = 16384      # elements that are worth a chunk of their own
    NORM_PIECE = 8192

# Up to two sums at once.
ctypedef struct sums_t:
    vec[4] first
    vec[4] second
    real total_first, total_second
    int64_t pending         # elements since the last gathering


cdef inline void start_sums(sums_t *s) noexcept nogil:
    cdef int k
    for k in range(4):
        s.first[k] = s.second[k] = v_splat(0)
    s.total_first = s.total_second = 0
    s.pending = 0


cdef inline void gather_sums(sums_t *s) noexcept nogil:
    cdef int k
    s.total_first += v_hsum((s.first[0] + s.first[1]) + (s.first[2] + s.first[3]))
    s.total_second += v_hsum((s.second[0] + s.second[1]) + (s.second[2] + s.second[3]))
    for k in range(4):
        s.first[k] = s.second[k] = v_splat(0)
    s.pending = 0


# What is summed over x and y with a number m.
ctypedef enum norm_sum_t:
    PLAIN           # Σ x
    SQUARES         # Σ (x - m)²
    WITH_PRODUCTS   # Σ y and Σ y·(x - m)

cdef inline void sum_term(norm_sum_t kind, vec x, vec y, vec m, vec *first, vec *second) noexcept nogil:
    if kind == PLAIN:
        first[0] = first[0] + x
    elif kind == SQUARES:
        x = x - m
        first[0] = v_fma(x, x, first[0])
    else:
        first[0] = first[0] + y
        second[0] = v_fma(y, x - m, second[0])


cdef inline void sum_lanes(norm_sum_t kind, const real *x, const real *y, int lanes, real m, vec *first, vec *second) noexcept nogil:
    """The last, partial vector of a run: m in the lanes beyond, so that they add nothing."""
    sum_term(kind, v_load_partial_or(x, lanes, 0 if kind == PLAIN else m), v_load_partial(y, lanes), v_splat(m), first, second)


cdef inline void add_piece(norm_sum_t kind, sums_t *s, const real *x, const real *y, int64_t n, real m) noexcept nogil:
    cdef vec a0 = s.first[0], a1 = s.first[1], a2 = s.first[2], a3 = s.first[3]
    cdef vec b0 = s.second[0], b1 = s.second[1], b2 = s.second[2], b3 = s.second[3]
    cdef vec M = v_splat(m)
    cdef int64_t i = 0
    while i + 4 * VL <= n:
        sum_term(kind, v_load(x + i), v_load(y + i), M, &a0, &b0)
        sum_term(kind, v_load(x + i + VL), v_load(y + i + VL), M, &a1, &b1)
        sum_term(kind, v_load(x + i + 2 * VL), v_load(y + i + 2 * VL), M, &a2, &b2)
        sum_term(kind, v_load(x + i + 3 * VL), v_load(y + i + 3 * VL), M, &a3, &b3)
        i += 4 * VL
    if i + VL <= n:
        sum_term(kind, v_load(x + i), v_load(y + i), M, &a0, &b0)
        i += VL
    if i + VL <= n:
        sum_term(kind, v_load(x + i), v_load(y + i), M, &a1, &b1)
        i += VL
    if i + VL <= n:
        sum_term(kind, v_load(x + i), v_load(y + i), M, &a2, &b2)
        i += VL
    if i < n:
        sum_lanes(kind, x + i, y + i, <int>(n - i), m, &a3, &b3)
    s.first[0], s.first[1], s.first[2], s.first[3] = a0, a1, a2, a3
    s.second[0], s.second[1], s.second[2], s.second[3] = b0, b1, b2, b3


cdef inline void add_run(norm_sum_t kind, sums_t *s, const real *x, const real *y, int64_t n, real m) noexcept nogil:
    cdef int64_t i = 0, step
    while i < n:
        step = at_most(n - i, NORM_PIECE - s.pending)
        add_piece(kind, s, x + i, y + i, step, m)
        s.pending += step
        if s.pending == NORM_PIECE:
            gather_sums(s)
        i += step


cdef inline real sum_run(norm_sum_t kind, const real *x, int64_t n, real m) noexcept nogil:
    """The first sum over one run."""
    cdef sums_t s
    start_sums(&s)
    add_run(kind, &s, x, x, n, m)
    gather_sums(&s)
    return s.total_first


cdef inline real root_of(real x) noexcept nogil:
    cdef real lanes[16]
    v_store(lanes, v_sqrt(v_splat(x)))
    return lanes[0]
