# Operands that lie nowhere: Bernoulli draws, made in the slot of the block that reads them.
#
# The operand's memory is a drawn_t, and its strides are those of an array that held the draws in row-major order.  So the offset
# of an element is its number in the draw, and any chunk, part of a row or broadcast row has the bits that random_bernoulli
# writes (random.pxi).

cdef extern from "philox.h":
    ctypedef struct mn_philox:
        uint32_t word[4][8]
    ctypedef struct mn_draw:
        pass
    mn_draw mn_draw_of(uint64_t seed, uint64_t stream, uint64_t step, uint64_t index) noexcept nogil
    void mn_draw_words(const mn_draw *draw, uint64_t group, uint32_t half, mn_philox *x) noexcept nogil

cdef enum:
    DRAW_GROUP = 32         # elements whose words come at once

ctypedef struct drawn_t:
    mn_draw draw
    uint64_t threshold      # an element is 1 where its word lies below, else 0


cdef void load_drawn(void *to, const drawn_t *d, int64_t first, int64_t step, int64_t n) noexcept nogil:
    """to[i] = element first + i*step of the draw, as a real."""
    cdef real *t = <real *>to
    cdef const uint32_t *word
    cdef mn_philox x
    cdef int64_t i = 0, k, element, group, count, held = -1
    word = &x.word[0][0]
    while i < n:
        element = first + i * step
        group = element // DRAW_GROUP
        if group != held:
            mn_draw_words(&d.draw, <uint64_t>group, 0, &x)
            held = group
        element -= group * DRAW_GROUP
        count = at_most(n - i, DRAW_GROUP - element) if step == 1 else 1
        for k in range(count):
            t[i + k] = <real>(word[element + k] < d.threshold)
        i += count
