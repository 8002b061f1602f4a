# The interpreter.  Nothing here allocates, and the GIL is taken only for host operations and signals.

# A run looks at the clock when instructions of about this estimated cost (nanoseconds) have gone by …
cdef double CLOCK_CREDIT = 1_000_000
# … and at Python's signals when this much time has.
cdef long long SIGNAL_INTERVAL = 50_000_000
# Estimated cost of one iteration beside its body, so that loops over nothing are interrupted too.
cdef double ITERATION_WORK = 50

cdef struct Header:            # the 64 bytes before a worker's scratch
    mn_fault fault             # written by mn_fail
    int status                 # of the worker's first failing chunk in the current job
    int chunk

cdef struct Context:           # one run
    char *scratch              # of worker 0
    int64_t scratch_stride
    int workers                # threads that scratch exists for
    int flush
    int polling                # false in the commit part
    int failed_depth           # of the innermost failing instruction, −1: none
    uint64_t float_mode        # the application's
    double credit
    long long last_poll        # 0: the clock has not been read yet
    PyObject *error            # an owned exception from a host operation or signal handler
    PyObject *keep             # what host arrays keep alive
    int64_t path[MAX_DEPTH]
    int64_t iterations[MAX_DEPTH]

cdef struct Job:               # one instruction in the thread pool
    mn_kernel fn
    const void *descriptor
    void **operands
    int first                  # number of the job's first chunk
    char *scratch
    int64_t scratch_stride
    int flush
    Context *context           # of the calling thread, which looks at the signals between its chunks
    double chunk_work


cdef inline Header *header(char *scratch) noexcept nogil:
    return <Header *>(scratch - SCRATCH_HEADER)


cdef void begin(Context *context, Workspace workspace, int workers, bint flush) noexcept:
    # Field by field: path and iterations are large, and written only when something fails.
    context.scratch = workspace.scratch
    context.scratch_stride = workspace.scratch_stride
    context.workers = min(workers, workspace.workers)
    context.flush = flush
    context.polling = True
    context.failed_depth = -1
    context.credit = 0
    context.last_poll = 0
    context.error = NULL
    context.keep = <PyObject *>workspace


cdef int run_program(Code *code, Frame *frame, Context *context) noexcept nogil:
    """A whole transaction: the part that may fail, a look at the signals, the commit part."""
    cdef int status
    context.float_mode = mn_float_mode_enter(context.flush)
    status = run_instructions(code, frame, context, 0, code.commit, 0)
    if status == MN_OK and context.last_poll:
        status = poll(context)
    if status == MN_OK:
        context.polling = False
        status = run_instructions(code, frame, context, code.commit, code.n_instructions, 0)
    mn_float_mode_leave(context.float_mode)
    return status


cdef int run_instructions(
    Code *code, Frame *frame, Context *context, int64_t start, int64_t stop, int depth
) noexcept nogil:
    """The hot loop: a kernel of one cheap chunk costs an indirect call and little else."""
    cdef Instruction *instruction = code.instructions + start
    cdef Instruction *end = code.instructions + stop
    cdef void **slots = frame.operands
    cdef char *scratch = context.scratch
    cdef int status
    while instruction < end:
        if instruction.kind == KERNEL:
            status = instruction.fn(instruction.descriptor, slots + instruction.first_slot, 0, scratch)
        else:
            status = run_compound(instruction, frame, slots + instruction.first_slot, context, depth)
        if status != MN_OK:
            context.path[depth] = instruction - code.instructions
            if context.failed_depth < 0:
                context.failed_depth = depth
            return status
        instruction += 1
    return MN_OK


cdef int run_compound(
    Instruction *instruction, Frame *frame, void **operands, Context *context, int depth
) noexcept nogil:
    if instruction.kind == CHUNKED:
        return run_chunked(instruction, operands, context)
    if instruction.kind == LOOP:
        return run_loop(instruction, frame, operands, context, depth)
    if instruction.kind == BRANCH:
        return run_branch(instruction, frame, operands, context, depth)
    return run_host(instruction.host, operands, context)


# ---- Kernels of several chunks -----------------------------------------------------------------------------

cdef int run_chunked(Instruction *instruction, void **operands, Context *context) noexcept nogil:
    cdef int status = run_stage(instruction, operands, context, 0, instruction.chunks)
    if status == MN_OK and instruction.finish:
        status = run_stage(instruction, operands, context, instruction.chunks, instruction.finish)
    return status


cdef int run_stage(
    Instruction *instruction, void **operands, Context *context, int64_t first, int64_t count
) noexcept nogil:
    """`count` chunks from `first` on, in any order."""
    cdef int limit = <int>min(min(instruction.limit, context.workers), count)
    cdef int64_t chunk
    cdef int status = MN_OK
    if limit >= 2 and run_on_pool(instruction, operands, context, first, count, limit, &status):
        return status
    for chunk in range(first, first + count):
        status = instruction.fn(instruction.descriptor, operands, <int>chunk, context.scratch)
        if status != MN_OK:
            return status
        context.credit += instruction.chunk_work
        if context.credit > CLOCK_CREDIT:
            status = poll(context)
            if status != MN_OK:
                return status
    return MN_OK


cdef bint run_on_pool(
    Instruction *instruction, void **operands, Context *context, int64_t first, int64_t count, int limit, int *status
) noexcept nogil:
    """False when the pool has no place.  A failure is that of the lowest failing chunk, as in a serial run."""
    cdef Job job
    cdef int worker, lowest = -1
    cdef Header *of_worker
    job.fn = instruction.fn
    job.descriptor = instruction.descriptor
    job.operands = operands
    job.first = <int>first
    job.scratch = context.scratch
    job.scratch_stride = context.scratch_stride
    job.flush = context.flush
    job.context = context
    job.chunk_work = instruction.chunk_work
    for worker in range(limit):
        header(context.scratch + worker * context.scratch_stride).status = MN_OK
    if not mn_pool_run(run_chunk, &job, <int>count, limit):
        return False
    for worker in range(limit):
        of_worker = header(context.scratch + worker * context.scratch_stride)
        if of_worker.status != MN_OK and (lowest < 0 or of_worker.chunk < lowest):
            lowest = of_worker.chunk
            status[0] = of_worker.status
            header(context.scratch).fault = of_worker.fault
    return True


cdef int run_chunk(void *argument, int chunk, int worker) noexcept nogil:
    """One chunk of a job; other than 0 when a signal has ended the run, which the calling thread finds out."""
    cdef Job *job = <Job *>argument
    cdef Context *context = job.context
    cdef char *scratch = job.scratch + worker * job.scratch_stride
    cdef uint64_t float_mode
    if header(scratch).status != MN_OK:
        return 0  # chunks come in ascending order: a worker's first failure is the one that counts
    chunk += job.first
    header(scratch).chunk = chunk
    if worker:
        float_mode = mn_float_mode_enter(job.flush)
        header(scratch).status = job.fn(job.descriptor, job.operands, chunk, scratch)
        mn_float_mode_leave(float_mode)
        return 0
    header(scratch).status = job.fn(job.descriptor, job.operands, chunk, scratch)
    context.credit += job.chunk_work
    if header(scratch).status != MN_OK or context.credit <= CLOCK_CREDIT:
        return 0
    header(scratch).status = poll(context)
    return header(scratch).status


# ---- Sub-programs ------------------------------------------------------------------------------------------

cdef int run_loop(
    Instruction *instruction, Frame *frame, void **operands, Context *context, int depth
) noexcept nogil:
    cdef Nested *loop = instruction.nested
    cdef Code *body = loop.bodies[0]
    cdef Frame *inner = &frame.children[instruction.child]
    cdef Binding *binding
    cdef int64_t i, j
    cdef int b, status
    for b in range(loop.n_bindings):
        point(inner, loop.bindings[b].external, <char *>operands[b])
    if loop.index_external >= 0:
        point(inner, loop.index_external, <char *>&inner.index)
    for i in range(loop.length):
        if loop.has_exit and not (<unsigned char *>operands[loop.n_bindings])[0]:
            return MN_OK
        inner.index = <double>(loop.length - 1 - i if loop.index_reverse else i)
        for b in range(loop.n_bindings):
            binding = &loop.bindings[b]
            if binding.step == 0:
                continue
            j = loop.length - 1 - i if binding.reverse else i
            if binding.mask >= 0:
                j &= binding.mask
            elif binding.modulo:
                j %= binding.modulo
            point(inner, binding.external, <char *>operands[b] + j * binding.step)
        status = run_instructions(body, inner, context, 0, body.n_instructions, depth + 1)
        if status == MN_OK:
            context.credit += body.work + ITERATION_WORK
            if context.credit <= CLOCK_CREDIT:
                continue
            status = poll(context)
            if status == MN_OK:
                continue
        context.iterations[depth] = i
        return status
    if loop.must_end and (<unsigned char *>operands[loop.n_bindings])[0]:
        header(context.scratch).fault.position = loop.length
        header(context.scratch).fault.value = 1.0
        return MN_STEPS_EXHAUSTED
    return MN_OK


cdef int run_branch(
    Instruction *instruction, Frame *frame, void **operands, Context *context, int depth
) noexcept nogil:
    cdef Nested *branch = instruction.nested
    cdef int chosen = 0 if (<unsigned char *>operands[0])[0] else 1
    cdef Frame *inner = &frame.children[instruction.child + chosen]
    cdef int b, status
    for b in range(branch.n_bindings):
        point(inner, branch.bindings[b].external, <char *>operands[1 + b])
    status = run_instructions(inner.code, inner, context, 0, inner.code.n_instructions, depth + 1)
    if status != MN_OK:
        context.iterations[depth] = chosen
    return status


# ---- Python: host operations and signals -------------------------------------------------------------------

cdef int poll(Context *context) noexcept nogil:
    """Lets pending signals through, at most every 50 ms and never in the commit part."""
    cdef long long now
    context.credit = 0
    if not context.polling:
        return MN_OK
    now = mn_clock()
    if context.last_poll == 0:
        context.last_poll = now
    elif now - context.last_poll >= SIGNAL_INTERVAL:
        context.last_poll = now
        return run_signal_handlers(context)
    return MN_OK


cdef int run_signal_handlers(Context *context) noexcept with gil:
    mn_float_mode_leave(context.float_mode)
    try:
        PyErr_CheckSignals()
        return MN_OK
    except BaseException as error:
        keep_error(context, error)
        return MN_INTERRUPTED
    finally:
        mn_float_mode_enter(context.flush)


cdef int run_host(PyObject *host, void **operands, Context *context) noexcept with gil:
    mn_float_mode_leave(context.float_mode)
    try:
        (<HostCall>host).run(operands, <object>context.keep)
        return MN_OK
    except BaseException as error:
        keep_error(context, error)
        return MN_HOST_ERROR
    finally:
        mn_float_mode_enter(context.flush)


cdef void keep_error(Context *context, object error) noexcept:
    Py_INCREF(error)
    context.error = <PyObject *>error


@cython.final
cdef class HostCall:
    """A Python callable as an instruction: it gets read-only arrays and arrays to fill, a tuple of each."""

    cdef object callable
    cdef list arrays        # (dtype, shape), inputs first
    cdef int n_inputs

    def __init__(self, callable, inputs, outputs):
        self.callable = callable
        self.arrays = [(np.dtype(dtype), tuple(shape)) for dtype, shape in (*inputs, *outputs)]
        self.n_inputs = len(inputs)

    cdef int run(self, void **operands, object keep) except -1:
        cdef list views = []
        cdef int i
        for i in range(len(self.arrays)):
            dtype, shape = self.arrays[i]
            view = array_over(operands[i], dtype, shape, keep)
            if i < self.n_inputs:
                cnp.PyArray_CLEARFLAGS(view, cnp.NPY_ARRAY_WRITEABLE)
            views.append(view)
        self.callable(tuple(views[: self.n_inputs]), tuple(views[self.n_inputs :]))
        return 0


cdef cnp.ndarray array_over(void *data, cnp.dtype dtype, tuple shape, object keep):
    """An array over memory that `keep` keeps alive."""
    cdef cnp.npy_intp sizes[64]
    cdef int axis
    for axis in range(len(shape)):
        sizes[axis] = shape[axis]
    Py_INCREF(dtype)  # PyArray_NewFromDescr takes a reference of its own
    array = PyArray_NewFromDescr(
        <PyTypeObject *>cnp.ndarray, dtype, <int>len(shape), sizes, NULL, data, cnp.NPY_ARRAY_CARRAY, NULL
    )
    cnp.set_array_base(array, keep)
    return array
