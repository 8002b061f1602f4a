# Many training steps in one call: gathering the batches, the steps and the losses, all without Python.

cdef struct Rows:                  # one full data array
    const char *data
    int64_t stride

cdef struct Refused:
    int input
    int64_t position


cdef int64_t run_batches(
    Call call, Workspace workspace, Context *context, const Rows *rows, const int64_t *order, int64_t count,
    int64_t batch, double *losses, int columns, int *status, Refused *refused,
) noexcept nogil:
    """Runs up to ``count`` steps and returns how many were completed."""
    cdef int64_t step, row
    cdef int i
    cdef const Argument *argument
    cdef char *target
    cdef const char *source
    cdef Code *code = workspace.frame.code
    for step in range(count):
        for i in range(call.n_inputs):
            argument = &call.arguments[i]
            target = workspace.staging + argument.row_staging
            for row in range(batch):
                source = rows[i].data + order[row] * rows[i].stride
                memcpy(target + row * argument.row_bytes, source, argument.row_bytes)
            refused.position = refused_position(argument, target)
            if refused.position >= 0:
                refused.input = i
                return step
        context.polling = True
        status[0] = run_program(code, workspace.frame, context)
        if status[0] != MN_OK:
            return step
        for i in range(columns):
            argument = &call.arguments[call.n_inputs + i]
            target = workspace.staging + argument.row_staging
            losses[step * columns + i] = scalar_at(argument, target)
        order += batch
        context.credit += code.work + ITERATION_WORK
        if context.credit > CLOCK_CREDIT:
            context.polling = True
            context.float_mode = mn_float_mode_enter(context.flush)
            status[0] = poll(context)
            mn_float_mode_leave(context.float_mode)
            if status[0] != MN_OK:
                return step + 1
    return count


def run_steps(Call call not None, data, order, losses):
    """Runs training steps over batches gathered from whole data arrays, and returns how many were completed.

    Step k takes, of every array in ``data``, the rows ``order[k·batch : (k+1)·batch]``, where batch is the
    length of axis 0 of every input of ``call``; runs the program; and writes its results to ``losses[k]``.
    The call's lock is held throughout and the GIL released.  Signals are served about every 50 ms, between
    steps or before a commit: whole steps only are done.

    Args:
        call: its inputs have the batch as axis 0, its results are 0-d float32 or float64.
        data: one array per input, of the input's dtype, shape (N, …), each row C-contiguous.
        order: int64, shape (count·batch,), values 0 … N − 1.
        losses: float64, C-contiguous: shape (count,) for one result, (count, results) for several.

    Raises ``StatusError`` (its ``step`` says which), and what a host operation or signal handler raises.
    Losses of completed steps are written then, and ``call.completed_steps`` says how many there are.
    """
    cdef Program program = call.program
    cdef Workspace workspace
    cdef Context context
    cdef Refused refused
    cdef Argument *argument
    cdef int64_t count, completed = 0, batch
    cdef int i, status = MN_OK, columns = call.n_outputs, workers
    cdef const char *gathered
    cdef object error = None
    cdef Block block = Block(call.n_inputs * sizeof(Rows))
    cdef Rows *rows = <Rows *>block.data
    call.completed_steps = 0
    arrays = tuple(data)
    batch = check_steps(call, arrays, order, losses)
    count = losses.shape[0]
    order = np.ascontiguousarray(order)
    cdef const int64_t *indices = <const int64_t *>cnp.PyArray_DATA(<cnp.ndarray>order)
    cdef double *loss = <double *>cnp.PyArray_DATA(<cnp.ndarray>losses)
    for i in range(call.n_inputs):
        rows[i].data = <const char *>cnp.PyArray_DATA(<cnp.ndarray>arrays[i])
        rows[i].stride = cnp.PyArray_STRIDES(<cnp.ndarray>arrays[i])[0]
    if call.checked_at != bind_count:
        call.check_externals()
    program.reserve_staging(call.row_staging_bytes)
    if call.lock is not None:
        call.lock.take()
    try:
        workers = program.worker_limit()
        workspace = program.borrow(workers)
        begin(&context, workspace, workers, program.flush)
        keep = (workspace, arrays)
        context.keep = <PyObject *>keep
        for i in range(call.n_inputs + call.n_outputs):
            argument = &call.arguments[i]
            point(workspace.frame, argument.external, workspace.staging + argument.row_staging)
        refused.input, refused.position = 0, -1
        with nogil:
            completed = run_batches(
                call, workspace, &context, rows, indices, count, batch, loss, columns, &status, &refused
            )
        call.completed_steps = completed
        if status != MN_OK:
            error = program.failure(status, &context, completed)
        elif refused.position >= 0:
            argument = &call.arguments[refused.input]
            gathered = <const char *>workspace.staging + argument.row_staging
            error = refusal(refused.input, argument, gathered, refused.position, completed)
        program.give_back(workspace)
    finally:
        if call.lock is not None:
            call.lock.give()
    if error is not None:
        raise error
    return completed


cdef int64_t check_steps(Call call, tuple arrays, order, losses) except -1:
    """The batch size; raises ValueError or IndexError unless the arguments of run_steps fit together."""
    cdef int64_t batch, length
    if len(arrays) != call.n_inputs or not arrays:
        raise ValueError(f"run_steps: {len(arrays)} data arrays for {call.n_inputs} inputs")
    batches = {spec.shape[0] if spec.shape else 0 for spec in call.inputs}
    if len(batches) != 1 or batches == {0}:
        raise ValueError(
            "run_steps: every input needs the same batch size, 1 or more, on axis 0; "
            f"the inputs have {[spec.shape for spec in call.inputs]}"
        )
    for i, (spec, array) in enumerate(zip(call.inputs, arrays)):
        is_array = isinstance(array, np.ndarray) and array.ndim > 0
        if not is_array or array.dtype != spec.dtype or array.shape[1:] != spec.shape[1:]:
            raise ValueError(
                f"run_steps: data {i} must be {spec.dtype} with rows of shape {spec.shape[1:]}, "
                f"not {getattr(array, 'dtype', type(array).__name__)} {getattr(array, 'shape', '')}"
            )
        if len(array) and not (array.flags.aligned and array[0].flags.c_contiguous):
            raise ValueError(f"run_steps: the rows of data {i} must be C-contiguous")
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1:
        raise ValueError(f"run_steps: the data arrays have {sorted(lengths)} rows; expected the same number")
    batch, length = batches.pop(), lengths.pop()
    for spec in call.outputs:
        if spec.shape or spec.dtype not in (np.float32, np.float64):
            raise ValueError(f"run_steps: results must be 0-d float32 or float64, not {spec!r}")
    if not isinstance(order, np.ndarray) or order.dtype != np.int64 or order.ndim != 1:
        raise ValueError("run_steps: order must be a one-dimensional int64 array")
    if order.size % batch:
        raise ValueError(
            f"run_steps: order has {order.size} entries, which is no multiple of the batch size {batch}"
        )
    count = order.size // batch
    shapes = {(count, call.n_outputs)} | ({(count,)} if call.n_outputs == 1 else set())
    is_array = isinstance(losses, np.ndarray) and losses.dtype == np.float64 and losses.flags.carray
    if not is_array or losses.shape not in shapes:
        raise ValueError(
            "run_steps: losses must be a C-contiguous float64 array of shape "
            + " or ".join(map(str, sorted(shapes)))
        )
    if order.size and (order.min() < 0 or order.max() >= length):
        raise IndexError(
            f"run_steps: order has indices {order.min()} … {order.max()}, but the data have {length} rows"
        )
    return batch
