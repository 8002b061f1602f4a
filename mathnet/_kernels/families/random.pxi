# Random draws that are a function of (seed, stream, step, index, element): the same for any order, chunking or number of
# threads, and in both real types up to rounding.
#
# Philox4x32-10 of the counter (stream low, stream high, step high, index high) under the key (seed low, seed high) gives
# the key of the draw: its first two words.  Element e has the upper 32 bits U = word (e mod 32) div 8 of the counter
# (b low, b high, step low, index low), b = 8·(e div 32) + e mod 8; its lower 32 bits L come from the same counter with the
# top bit of the second word set, and only float64 takes them.  step and index are counted modulo 2^64.
#
#     uniform     low + (high - low)·u,  u = U[31:8]/2^24, in float64 (U·2^32 + L)[63:11]/2^53; rounding may reach high
#     bernoulli   1 where U < p·2^32, else 0
#     normal      Box-Muller on the pair of elements 16k + j and 16k + j + 8 (j < 8), with u, v the (U + 1/2)/2^32 (float64:
#                 (U·2^32 + L + 1/2)/2^64) of the two: √(-2 log u)·cos(2πv) and √(-2 log u)·sin(2πv)

cdef extern from "vector_math.h":
    vec v_sin(vec x) noexcept nogil
    vec v_cos(vec x) noexcept nogil

cdef enum:
    DRAW_CHUNK = 4096       # elements, a multiple of DRAW_GROUP

ctypedef enum distribution_t:
    UNIFORM
    NORMAL
    BERNOULLI

ctypedef struct random_t:
    int64_t n
    int64_t has_index       # whether the second operand is a loop index
    uint64_t seed
    uint64_t stream
    double first            # low, mean, probability
    double second           # high, std, nothing


cdef void random_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const random_t *d = <const random_t *>descriptor
    out.chunks = chunk_count(d.n, DRAW_CHUNK) if d.n >= 0 else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 40 + 0.4 * <double>(d.n * <int64_t>sizeof(real))


cdef void unit_values(const mn_philox *upper, const mn_philox *lower, bint centred, real *u) noexcept nogil:
    """The 32 elements of a group as u: [0, 1), or centred in their interval, (0, 1]."""
    cdef const uint32_t *high = &upper.word[0][0]
    cdef const uint32_t *low = &lower.word[0][0]
    cdef int i
    if sizeof(real) == 8:
        for i in range(DRAW_GROUP):
            if centred:
                u[i] = (<real>high[i] * <real>4294967296.0 + <real>low[i] + <real>0.5) * <real>5.421010862427522e-20
            else:
                u[i] = (<real>high[i] * <real>2097152.0 + <real>(low[i] >> 11)) * <real>1.1102230246251565e-16
    elif centred:
        for i in range(DRAW_GROUP):
            u[i] = (<real>high[i] + <real>0.5) * <real>2.3283064365386963e-10
    else:
        for i in range(DRAW_GROUP):
            u[i] = <real><int32_t>(high[i] >> 8) * <real>5.960464477539063e-08


cdef void normal_values(real *u, real mean, real std) noexcept nogil:
    """Turns the 32 centred units of a group into normal values."""
    cdef vec radius, angle
    cdef real *p
    cdef real *q
    cdef int pair, i, lanes = <int>at_most(8, VL)
    for pair in range(2):
        p = u + 16 * pair
        q = p + 8
        i = 0
        while i < 8:
            radius = v_sqrt(v_log(v_load_lanes(p + i, lanes)) * v_splat(-2)) * v_splat(std)
            angle = v_load_lanes(q + i, lanes) * v_splat(6.283185307179586)
            v_store_lanes(p + i, v_fma(radius, v_cos(angle), v_splat(mean)), lanes)
            v_store_lanes(q + i, v_fma(radius, v_sin(angle), v_splat(mean)), lanes)
            i += lanes


cdef inline int random_chunk(const random_t *d, operand_t *operands, int chunk, distribution_t distribution) noexcept nogil:
    cdef uint64_t step = <uint64_t><int64_t>(<const double *>operands[0])[0]
    cdef uint64_t index = <uint64_t><int64_t>(<const double *>operands[1])[0] if d.has_index else 0
    cdef real *y = <real *>operands[2 if d.has_index else 1]
    cdef mn_draw draw = mn_draw_of(d.seed, d.stream, step, index)
    cdef mn_philox upper, lower
    cdef real u[32]
    cdef real first = <real>d.first
    cdef real span = <real>(d.second - d.first)
    cdef uint64_t threshold = <uint64_t>(d.first * 4294967296.0)
    cdef int64_t element = <int64_t>chunk * DRAW_CHUNK
    cdef int64_t end = element + at_most(d.n - element, DRAW_CHUNK)
    cdef int i
    while element < end:
        mn_draw_words(&draw, <uint64_t>(element // DRAW_GROUP), 0, &upper)
        if distribution == BERNOULLI:
            for i in range(DRAW_GROUP):
                u[i] = <real>((&upper.word[0][0])[i] < threshold)
        else:
            if sizeof(real) == 8:
                mn_draw_words(&draw, <uint64_t>(element // DRAW_GROUP), 1, &lower)
            unit_values(&upper, &lower, distribution == NORMAL, u)
            if distribution == NORMAL:
                normal_values(u, first, <real>d.second)
            else:
                for i in range(DRAW_GROUP):
                    u[i] = first + span * u[i]
        memcpy(y + element, u, <size_t>at_most(end - element, DRAW_GROUP) * sizeof(real))
        element += DRAW_GROUP
    return MN_OK


cdef int random_uniform(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """Uniform on [low, high).  Operands: step float64 IN, [index float64 IN], y (n) OUT."""
    return random_chunk(<const random_t *>descriptor, operands, chunk, UNIFORM)


cdef int random_normal(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """Normal with mean and std.  Operands: step float64 IN, [index float64 IN], y (n) OUT."""
    return random_chunk(<const random_t *>descriptor, operands, chunk, NORMAL)


cdef int random_bernoulli(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """1 with the given probability, else 0.  Operands: step float64 IN, [index float64 IN], y (n) OUT."""
    return random_chunk(<const random_t *>descriptor, operands, chunk, BERNOULLI)


cdef void draw_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    out.chunks = 1
    out.scratch = out.shared = out.finish = 0
    out.work = 60


cdef int bernoulli_draw(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """What elementwise programs draw from (drawn.pxi).  Operands: step float64 IN, [index float64 IN], draw (24 bytes) OUT."""
    cdef const random_t *d = <const random_t *>descriptor
    cdef uint64_t step = <uint64_t><int64_t>(<const double *>operands[0])[0]
    cdef uint64_t index = <uint64_t><int64_t>(<const double *>operands[1])[0] if d.has_index else 0
    cdef drawn_t *draw = <drawn_t *>operands[2 if d.has_index else 1]
    draw.draw = mn_draw_of(d.seed, d.stream, step, index)
    draw.threshold = <uint64_t>(d.first * 4294967296.0)
    return MN_OK


cdef int add_random(const char *name, mn_kernel fn, mn_sizes_fn sizes, const char *first, const char *second) except -1:
    cdef random_t d
    add_kernel(name, fn, sizes, &d, sizeof(d), 0)
    add_integers("n", &d.n, 1)
    add_integers("has_index", &d.has_index, 1)
    add_unsigned("seed", &d.seed, 1)
    add_unsigned("stream", &d.stream, 1)
    add_doubles(first, &d.first, 1)
    if second != NULL:
        add_doubles(second, &d.second, 1)
    return 0


cdef int register_random() except -1:
    add_random("random_uniform", random_uniform, random_sizes, "low", "high")
    add_random("random_normal", random_normal, random_sizes, "mean", "std")
    add_random("random_bernoulli", random_bernoulli, random_sizes, "probability", NULL)
    add_random("bernoulli_draw", bernoulli_draw, draw_sizes, "probability", NULL)
    return 0
