# Call: what Trainer.step and model(x) enter.

cdef extern from *:
    """
    /* Python's vector call protocol, which Cython gives to functions but not to instances of a class:
       arguments come as a C array, so a call makes neither a tuple nor a dict.  `offset` is where instances
       hold the function. */
    static void mn_use_vectorcall(PyTypeObject *type, Py_ssize_t offset) {
        type->tp_vectorcall_offset = offset;
        type->tp_flags |= Py_TPFLAGS_HAVE_VECTORCALL;
        PyType_Modified(type);
    }
    """
    ctypedef PyObject *const_argument "PyObject *const"
    ctypedef object (*vectorcallfunc)(
        object callable, const_argument *arguments, size_t flagged_count, PyObject *names
    )
    void mn_use_vectorcall(PyTypeObject *type, Py_ssize_t offset)
    Py_ssize_t PyVectorcall_NARGS(size_t flagged_count)
    object PyVectorcall_Call(object callable, object arguments, object names)
    object PyObject_Vectorcall(
        object callable, const_argument *arguments, size_t flagged_count, PyObject *names
    )


@cython.final
cdef class Call:
    """A program with a signature: ``call(*arrays)`` checks, runs and returns, within 0.2 µs of the kernels.

    Args:
        program: what runs.
        inputs: one InputSpec per positional argument.
        outputs: one OutputSpec per result.
        rebind: called as ``rebind(*args, **kwargs)`` when the arguments are not exactly what ``inputs`` says
            (another type, dtype, shape or layout, keywords); it converts them or makes another Call, and its
            result is returned.
        lock: a StepLock that is held while the program runs, or None.
        scalar: give 0-d results as Python floats instead of NumPy scalars.
        worded: called as ``worded(error, args)`` with the StatusError of a call; what it returns is raised in its place.

    Returns one result as itself, several as a tuple.  Results are new arrays that belong to the caller.
    Raises ``StatusError`` when an input or an instruction refuses its data, and what a host operation or a
    signal handler raises.
    """

    cdef vectorcallfunc entry
    cdef readonly Program program
    cdef readonly tuple inputs
    cdef readonly tuple outputs
    cdef readonly object rebind
    cdef readonly StepLock lock
    cdef readonly bint scalar
    cdef readonly object worded
    cdef readonly int64_t completed_steps
    cdef Block block
    cdef Argument *arguments           # inputs, then outputs
    cdef int n_inputs
    cdef int n_outputs
    cdef int64_t row_staging_bytes
    cdef int64_t checked_at            # the bind_count at which all externals were known to have a value

    def __init__(
        self, Program program not None, inputs, outputs, rebind, StepLock lock=None, bint scalar=False, worded=None
    ):
        if self.program is not None:
            raise TypeError("a Call cannot be initialised twice")
        self.program = program
        self.inputs = tuple(inputs)
        self.outputs = tuple(outputs)
        self.rebind = rebind
        self.lock = lock
        self.scalar = scalar
        self.worded = worded
        self.checked_at = -1
        self.n_inputs = len(self.inputs)
        self.n_outputs = len(self.outputs)
        taken = [spec.external for spec in (*self.inputs, *self.outputs)]
        for external in taken:
            if external not in program.unbound or taken.count(external) > 1:
                raise ValueError(
                    f"Call of {program!r}: external {external} does not exist, is bound or is named twice; "
                    f"free are {program.unbound}"
                )
        self.plan_arguments()
        self.entry = enter_call  # last: an object without it refuses to be called

    cdef int plan_arguments(self) except -1:
        """The C form of the specs, and the places of what lies in the workspace's staging memory."""
        cdef int n = self.n_inputs + self.n_outputs
        cdef int64_t axes = sum(len(spec.shape) for spec in (*self.inputs, *self.outputs))
        cdef cnp.npy_intp *shapes
        cdef Argument *argument
        cdef InputSpec input
        cdef int64_t call_bytes = 0, row_bytes = 0
        cdef int i
        self.block = Block(n * sizeof(Argument) + axes * sizeof(cnp.npy_intp))
        self.arguments = <Argument *>self.block.data
        memset(self.arguments, 0, n * sizeof(Argument))
        shapes = <cnp.npy_intp *>(self.block.data + n * sizeof(Argument))
        for i, spec in enumerate((*self.inputs, *self.outputs)):
            argument = &self.arguments[i]
            argument.external = spec.external
            argument.dtype = <PyObject *>spec.dtype
            argument.axes = len(spec.shape)
            argument.items = math.prod(spec.shape)
            argument.nbytes = argument.items * spec.dtype.itemsize
            argument.row_bytes = argument.nbytes // spec.shape[0] if spec.shape and spec.shape[0] else 0
            argument.shape = shapes
            for size in spec.shape:
                shapes[0] = size
                shapes += 1
            if i < self.n_inputs:
                input = spec
                argument.copy = input.copy
                argument.check = input.check_kind
                argument.index_limit = input.index_limit
                argument.is_double = input.dtype == np.float64
            else:
                argument.copy = argument.axes == 0
                if self.scalar and argument.copy and spec.dtype not in (np.float32, np.float64):
                    raise ValueError(f"Call(scalar=True): a 0-d result of {spec.dtype} has no Python float")
            if argument.copy:
                argument.staging = call_bytes
                call_bytes += round_up(argument.nbytes)
            argument.row_staging = row_bytes
            row_bytes += round_up(argument.nbytes)
        self.row_staging_bytes = row_bytes
        self.program.reserve_staging(call_bytes)
        return 0

    cdef int check_externals(self) except -1:
        given = {spec.external for spec in (*self.inputs, *self.outputs)}
        missing = [external for external in self.program.unbound if external not in given]
        if missing:
            raise ValueError(f"Call of {self.program!r}: externals {missing} are neither arguments nor bound")
        self.program.check_nested_bindings()
        self.checked_at = bind_count
        return 0

    def __call__(self, *args, **kwargs):
        # For whoever looks the method up; ``call(…)`` itself enters enter_call without it.
        return PyVectorcall_Call(self, args, kwargs)

    cdef object run(self, const_argument *args):
        cdef Program program = self.program
        cdef Workspace workspace
        cdef Context context
        cdef Argument *argument
        cdef char *data
        cdef int i, status = MN_OK, workers = program.worker_limit()
        cdef int64_t position
        cdef object result = None, results = None, error = None, keep
        if self.checked_at != bind_count:
            self.check_externals()
        if self.lock is not None:
            self.lock.take()
        try:
            workspace = program.borrow(workers)
            begin(&context, workspace, workers, program.flush)
            if program.code.host:
                keep = (workspace, as_tuple(args, self.n_inputs))
                context.keep = <PyObject *>keep
            for i in range(self.n_inputs):
                argument = &self.arguments[i]
                data = <char *>cnp.PyArray_DATA(<cnp.ndarray><object>args[i])
                if argument.copy:
                    memcpy(workspace.staging + argument.staging, data, argument.nbytes)
                    data = workspace.staging + argument.staging
                if argument.check != UNCHECKED:
                    position = refused_position(argument, data)
                    if position >= 0:
                        error = refusal(i, argument, data, position)
                        break
                point(workspace.frame, argument.external, data)
            else:
                if self.n_outputs != 1:
                    results = []
                for i in range(self.n_inputs, self.n_inputs + self.n_outputs):
                    argument = &self.arguments[i]
                    if argument.axes:
                        result = empty_array(
                            <cnp.dtype><object>argument.dtype, argument.axes, argument.shape, argument.nbytes
                        )
                        data = <char *>cnp.PyArray_DATA(<cnp.ndarray>result)
                        point(workspace.frame, argument.external, data)
                    else:
                        point(workspace.frame, argument.external, workspace.staging + argument.staging)
                    if results is not None:
                        (<list>results).append(result)
                status = program.execute(workspace, &context)
                if status != MN_OK:
                    error = program.failure(status, &context)
                elif results is None:
                    argument = &self.arguments[self.n_inputs]
                    if argument.axes == 0:
                        result = self.scalar_result(argument, workspace)
                else:
                    for i in range(self.n_outputs):
                        argument = &self.arguments[self.n_inputs + i]
                        if argument.axes == 0:
                            (<list>results)[i] = self.scalar_result(argument, workspace)
                    result = tuple(<list>results)
            program.give_back(workspace)
        finally:
            if self.lock is not None:
                self.lock.give()
        if error is not None:
            if self.worded is None or not isinstance(error, StatusError):  # a host operation or a signal handler raised
                raise error
            raise self.worded(error, as_tuple(args, self.n_inputs))
        return result

    cdef inline object scalar_result(self, Argument *argument, Workspace workspace):
        cdef char *data = workspace.staging + argument.staging
        if self.scalar:
            return scalar_at(argument, data)
        return PyArray_Scalar(data, <cnp.dtype><object>argument.dtype, None)

    def __repr__(self):
        return f"<Call of {self.program!r}: {len(self.inputs)} inputs, {len(self.outputs)} outputs>"


cdef object enter_call(object callable, const_argument *args, size_t flagged_count, PyObject *names):
    cdef Call call = <Call>callable
    cdef int i
    if names == NULL and PyVectorcall_NARGS(flagged_count) == call.n_inputs:
        for i in range(call.n_inputs):
            if not matches(&call.arguments[i], args[i]):
                break
        else:
            return call.run(args)
    return PyObject_Vectorcall(call.rebind, args, flagged_count, names)


cdef tuple as_tuple(const_argument *args, int count):
    return tuple([<object>args[i] for i in range(count)])


cdef Py_ssize_t entry_offset() except -1:
    cdef Call call = Call.__new__(Call)
    return <char *>&call.entry - <char *><PyObject *>call


mn_use_vectorcall(<PyTypeObject *>Call, entry_offset())


cdef extern from "numpy/arrayobject.h":
    object PyArray_Scalar(void *data, cnp.dtype dtype, object base)
