# Cross-entropy of logits (rows, classes) with class indices or with probabilities; forward keeps the probabilities that
# backward needs.  Uses the row functions of softmax.pxi.

ctypedef struct cross_entropy_t:
    int64_t rows
    int64_t classes

cdef enum:
    LOSS_BATCH = 64     # rows whose logarithms are taken together


cdef inline int64_t cross_entropy_rows_per_chunk(const cross_entropy_t *d) noexcept nogil:
    return SOFTMAX_CHUNK // d.classes if 0 < d.classes < SOFTMAX_CHUNK else 1


cdef void cross_entropy_sizes(const void *descriptor, mn_sizes *out) noexcept nogil:
    cdef const cross_entropy_t *d = <const cross_entropy_t *>descriptor
    out.chunks = chunk_count(d.rows, cross_entropy_rows_per_chunk(d)) if d.rows >= 0 and d.classes > 0 else -1
    out.scratch = out.shared = out.finish = 0
    out.work = 20 + <double>d.rows * (15 + 0.12 * <double>(d.classes * <int64_t>sizeof(real)))


cdef inline bint is_class(int64_t label, int64_t classes) noexcept nogil:
    return 0 <= label < classes


cdef void finish_losses(real *losses, const real *totals, const real *weights, const real *scores, int64_t n) noexcept nogil:
    """losses = weights·log(totals) - scores, for up to LOSS_BATCH rows in whole vectors of the buffers."""
    cdef vec loss
    cdef int64_t i = 0
    while i < n:
        loss = v_fma(v_load(weights + i), v_log(v_load(totals + i)), v_neg(v_load(scores + i)))
        v_store_lanes(losses + i, loss, <int>at_most(n - i, VL))
        i += VL


cdef int cross_entropy_index_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """loss = log Σ e^x - x[label].

    Operands: logits (rows, classes) IN, labels (rows) int64 IN, losses (rows) OUT, probabilities (rows, classes) OUT.
    Fails with MN_INDEX_OUT_OF_RANGE, position the row, value the label.
    """
    cdef const cross_entropy_t *d = <const cross_entropy_t *>descriptor
    cdef int64_t n = d.classes, per_chunk = cross_entropy_rows_per_chunk(d)
    cdef int64_t begin = chunk * per_chunk
    cdef int64_t end = begin + at_most(d.rows - begin, per_chunk)
    cdef const int64_t *labels = <const int64_t *>operands[1]
    cdef real totals[64]
    cdef real weights[64]
    cdef real scores[64]
    cdef int64_t row, i, count
    cdef const real *x
    cdef real *probabilities
    cdef real largest
    for i in range(LOSS_BATCH):
        totals[i] = weights[i] = 1
        scores[i] = 0
    row = begin
    while row < end:
        count = at_most(end - row, LOSS_BATCH)
        for i in range(count):
            if not is_class(labels[row + i], n):
                return mn_fail(scratch, MN_INDEX_OUT_OF_RANGE, row + i, <double>labels[row + i])
            x = <const real *>operands[0] + (row + i) * n
            probabilities = <real *>operands[3] + (row + i) * n
            largest = largest_of_row(x, n)
            scores[i] = x[labels[row + i]] - largest
            totals[i] = exp_row(probabilities, x, n, largest)
            map_row(TIMES, probabilities, probabilities, probabilities, n, 1 / totals[i], 0)
        finish_losses(<real *>operands[2] + row, totals, weights, scores, count)
        row += count
    return MN_OK


cdef int cross_entropy_index_backward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dlogits = dloss·(probability - [class = label]).

    Operands: dlosses (rows) IN, probabilities (rows, classes) IN, labels (rows) int64 IN, dlogits (rows, classes) OUT.
    Fails with MN_INDEX_OUT_OF_RANGE, position the row, value the label.
    """
    cdef const cross_entropy_t *d = <const cross_entropy_t *>descriptor
    cdef int64_t n = d.classes, per_chunk = cross_entropy_rows_per_chunk(d)
    cdef int64_t begin = chunk * per_chunk
    cdef const int64_t *labels = <const int64_t *>operands[2]
    cdef int64_t row
    cdef const real *probabilities
    cdef real *dlogits
    cdef real dloss
    for row in range(begin, begin + at_most(d.rows - begin, per_chunk)):
        if not is_class(labels[row], n):
            return mn_fail(scratch, MN_INDEX_OUT_OF_RANGE, row, <double>labels[row])
        dloss = (<const real *>operands[0])[row]
        probabilities = <const real *>operands[1] + row * n
        dlogits = <real *>operands[3] + row * n
        map_row(TIMES, dlogits, probabilities, probabilities, n, dloss, 0)
        dlogits[labels[row]] = dloss * (probabilities[labels[row]] - 1)
    return MN_OK


cdef int cross_entropy_dense_forward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """loss = -Σ t·log softmax(x) = Σt·log Σ e^x - Σ t·x.

    Operands: logits (rows, classes) IN, targets (rows, classes) IN, losses (rows) OUT, probabilities (rows, classes) OUT.
    """
    cdef const cross_entropy_t *d = <const cross_entropy_t *>descriptor
    cdef int64_t n = d.classes, per_chunk = cross_entropy_rows_per_chunk(d)
    cdef int64_t begin = chunk * per_chunk
    cdef int64_t end = begin + at_most(d.rows - begin, per_chunk)
    cdef real totals[64]
    cdef real weights[64]
    cdef real scores[64]
    cdef int64_t row, i, count
    cdef const real *x
    cdef const real *targets
    cdef real *probabilities
    cdef real largest
    for i in range(LOSS_BATCH):
        totals[i] = weights[i] = 1
        scores[i] = 0
    row = begin
    while row < end:
        count = at_most(end - row, LOSS_BATCH)
        for i in range(count):
            x = <const real *>operands[0] + (row + i) * n
            targets = <const real *>operands[1] + (row + i) * n
            probabilities = <real *>operands[3] + (row + i) * n
            largest = largest_of_row(x, n)
            map_row(MINUS_BOTH, probabilities, x, x, n, largest, 0)
            scores[i] = dot_row(targets, probabilities, n)
            weights[i] = sum_row(targets, n)
            totals[i] = exp_row(probabilities, x, n, largest)
            map_row(TIMES, probabilities, probabilities, probabilities, n, 1 / totals[i], 0)
        finish_losses(<real *>operands[2] + row, totals, weights, scores, count)
        row += count
    return MN_OK


cdef int cross_entropy_dense_backward(const void *descriptor, operand_t *operands, int chunk, void *scratch) noexcept nogil:
    """dlogits = dloss·(probability·Σt - t).

    Operands: dlosses (rows) IN, probabilities (rows, classes) IN, targets (rows, classes) IN, dlogits (rows, classes) OUT.
    """
    cdef const cross_entropy_t *d = <const cross_entropy_t *>descriptor
    cdef int64_t n = d.classes, per_chunk = cross_entropy_rows_per_chunk(d)
    cdef int64_t begin = chunk * per_chunk
    cdef int64_t row
    cdef const real *targets
    for row in range(begin, begin + at_most(d.rows - begin, per_chunk)):
        targets = <const real *>operands[2] + row * n
        map_row(WEIGHTED_DIFFERENCE, <real *>operands[3] + row * n, <const real *>operands[1] + row * n, targets, n,
                sum_row(targets, n), (<const real *>operands[0])[row])
    return MN_OK


cdef int add_cross_entropy(const char *name, mn_kernel fn) except -1:
    cdef cross_entropy_t d
    add_kernel(name, fn, cross_entropy_sizes, &d, sizeof(d), 0)
    add_integers("rows", &d.rows, 1)
    add_integers("classes", &d.classes, 1)
    return 0


cdef int register_cross_entropy() except -1:
    add_cross_entropy("cross_entropy_index_forward", cross_entropy_index_forward)
    add_cross_entropy("cross_entropy_index_backward", cross_entropy_index_backward)
    add_cross_entropy("cross_entropy_dense_forward", cross_entropy_dense_forward)
    add_cross_entropy("cross_entropy_dense_backward", cross_entropy_dense_backward)
    return 0
