# Program: an immutable array of instructions, shared by all who run it.

cdef extern from "numpy/arrayobject.h":
    cnp.ndarray PyArray_NewFromDescr(
        PyTypeObject *subtype, cnp.dtype dtype, int axes, const cnp.npy_intp *shape,
        const cnp.npy_intp *strides, void *data, int flags, PyObject *prototype,
    )


@cython.final
cdef class Program:
    """Instructions that run as one transaction, without Python.

    Args:
        instructions: tuples, see below.
        arena_bytes: size of the memory that operands ``("arena", offset)`` lie in.  Its contents are
            undefined at the start of a run.
        externals: how many pointers come from outside: inputs, outputs, variables, constants.
        commit: index of the first instruction of the commit part.  Signals and errors come before it.
        name: for messages.
        flush: run with denormals flushed to zero, on every thread.
        threads: at most so many threads for one instruction; 0: the budget of the process.  May be changed
            later.
        workspaces: the pool that bounds idle memory; None: that of the process.

    Instructions::

        ("kernel", address, descriptor, operands, sizes, label)
        ("loop",   body, length, bindings, (), label[, index_external[, index_reverse[, running[, must_end]]]])
        ("branch", predicate, then, else, bindings, label)
        ("host",   callable, inputs, outputs, label)

    *operand*: ``("arena", offset)`` or ``("external", index, offset)``, offsets in bytes.

    *kernel*: ``address`` of an ``mn_kernel``; ``sizes`` has the attributes ``chunks, scratch, shared, finish,
    work``; when ``shared > 0`` the last operand is that shared memory, planned by the builder.

    *loop*: bindings ``(body_external, operand, step_bytes, modulo, reverse)``.  At iteration i of 0 …
    length−1, with j = length−1−i if reverse else i, the body's external points to operand + (j % modulo if
    modulo else j)·step_bytes.  The external ``index_external`` of the body points to a float64 holding i
    (length−1−i with ``index_reverse``).  A loop of length 1 is a call.  With the operand ``running``, one byte,
    the loop ends before an iteration that finds it 0; with ``must_end`` it fails with ``MN_STEPS_EXHAUSTED`` when
    the byte is not 0 after all iterations.

    *branch*: ``predicate`` is one byte; both bodies get the bindings' operands (step, modulo and reverse are
    not used).

    *host*: ``callable(inputs, outputs)`` is called with the GIL with two tuples of arrays described by
    ``(operand, dtype, shape)``.  The inputs are read-only, the outputs are to be filled.  The arrays may be
    used during the call only: afterwards their memory is used for other things (it is not freed while they
    exist).

    Raises ``ValueError`` for a malformed instruction, naming the program, the instruction and its label.
    """

    cdef Code code
    cdef list blocks              # memory that code points into
    cdef list nested              # per instruction: the tuple of its body Programs
    cdef list hosts
    cdef dict bound               # external → ndarray
    cdef list infos               # per instruction, for describe()
    cdef readonly str name
    cdef readonly bint flush
    cdef int thread_limit
    cdef WorkspacePool pool
    cdef Workspace idle           # a linked list
    cdef int64_t staging_bytes
    cdef int64_t last_used
    cdef object __weakref__

    def __init__(
        self, instructions, int64_t arena_bytes, int externals, int64_t commit, name="", *,
        bint flush=False, int threads=0, WorkspacePool workspaces=None,
    ):
        if self.blocks is not None:
            raise TypeError("a Program cannot be initialised twice")
        instructions = list(instructions)
        self.name = name
        self.flush = flush
        self.threads = threads
        self.pool = DEFAULT_WORKSPACE_POOL if workspaces is None else workspaces
        self.blocks, self.nested, self.hosts, self.bound, self.infos = [], [], [], {}, []
        settle_thread_budget()
        if arena_bytes < 0 or externals < 0 or not 0 <= commit <= len(instructions):
            raise ValueError(
                f"Program {name!r}: arena_bytes={arena_bytes}, externals={externals}, commit={commit} with "
                f"{len(instructions)} instructions: sizes must be 0 or more, and commit an index into the "
                "instructions or their number"
            )
        ProgramBuilder(self, arena_bytes, externals).build(instructions, commit)
        self.pool.programs.add(self)

    # ---- Binding -------------------------------------------------------------------------------------------

    def bind_external(self, int index, array):
        """Fixes an external for good: a variable or a constant.  The program keeps the array.

        The array must be C-contiguous and aligned: kernels are told its strides when they are planned.
        Raises ``ValueError`` when it is not, or the external does not exist or is bound to something else.
        """
        global bind_count
        if not 0 <= index < self.code.n_externals:
            raise ValueError(f"Program {self.name!r}: no external {index}; there are {self.code.n_externals}")
        if index in self.bound:
            if self.bound[index] is array:
                return
            raise ValueError(f"Program {self.name!r}: external {index} is bound already, and for good")
        self.code.bound[index] = contiguous_data(array, f"Program {self.name!r}: external {index}")
        self.bound[index] = array
        bind_count += 1

    @property
    def unbound(self):
        """The externals that each run must supply."""
        return tuple(index for index in range(self.code.n_externals) if index not in self.bound)

    cdef int check_nested_bindings(self) except -1:
        """Raises unless every external of every body is bound here or by its loop or branch."""
        for index, bodies in enumerate(self.nested):
            for body in bodies:
                given = self.infos[index]["given"]
                missing = [external for external in (<Program>body).unbound if external not in given]
                if missing:
                    raise ValueError(
                        f"Program {self.name!r}: instruction {index} ({self.infos[index]['label']}) leaves "
                        f"externals {missing} of its body {body.name!r} without a value"
                    )
                (<Program>body).check_nested_bindings()
        return 0

    # ---- Workspaces ----------------------------------------------------------------------------------------

    cdef inline int worker_limit(self) noexcept:
        if not self.code.parallel:
            return 1
        return min(mn_pool_threads(), self.thread_limit) if self.thread_limit else mn_pool_threads()

    cdef inline Workspace borrow(self, int workers):
        cdef Workspace workspace = self.idle
        if workspace is not None:
            self.idle = workspace.next
            workspace.next = None
            if workspace.staging_bytes >= self.staging_bytes and workspace.workers >= workers:
                if workspace.resolved_at != bind_count:
                    workspace.settle()
                return workspace
            workspace = None  # too small by now: freed before the larger one is made
        return Workspace.make(&self.code, self.staging_bytes, workers, self.pool)

    cdef inline void give_back(self, Workspace workspace) noexcept:
        self.pool.clock += 1
        self.last_used = self.pool.clock
        if self.pool.retained <= self.pool.limit:
            workspace.next = self.idle
            self.idle = workspace

    cdef void reserve_staging(self, int64_t nbytes) noexcept:
        """Workspaces made from now on have room for so many staged bytes."""
        self.staging_bytes = max(self.staging_bytes, round_up(nbytes))

    def clear(self):
        """Frees the workspaces that no run is using."""
        self.idle = None

    # ---- Running -------------------------------------------------------------------------------------------

    cdef int execute(self, Workspace workspace, Context *context) noexcept:
        """Runs with the GIL released, unless giving it up would cost more than the run is worth."""
        cdef int status
        if self.code.work < WORTH_DIVIDING:
            return run_program(&self.code, workspace.frame, context)
        with nogil:
            status = run_program(&self.code, workspace.frame, context)
        return status

    cdef object failure(self, int status, Context *context, step=None):
        """The exception for a status that is not MN_OK."""
        cdef object error
        cdef Program program = self
        cdef Header *fault
        cdef int depth
        if context.error != NULL:
            error = <object>context.error
            Py_DECREF(error)
            context.error = NULL
            return error
        fault = header(context.scratch)
        path, iterations = [], []
        for depth in range(context.failed_depth):
            path.append(context.path[depth])
            iterations.append(context.iterations[depth])
            bodies = program.nested[context.path[depth]]
            program = bodies[context.iterations[depth] if len(bodies) == 2 else 0]
        innermost = context.path[context.failed_depth]
        return StatusError(
            status,
            context.path[0],
            fault.fault.position,
            fault.fault.value,
            label=program.infos[innermost]["label"],
            path=(*path, innermost),
            iterations=iterations,
            step=step,
        )

    cdef Workspace prepared(self, externals, Context *context):
        """A workspace whose pointers are set to the given arrays."""
        arrays = list(externals)
        if len(arrays) > self.code.n_externals:
            raise ValueError(
                f"Program {self.name!r}: {len(arrays)} arrays for {self.code.n_externals} externals"
            )
        arrays += [None] * (self.code.n_externals - len(arrays))
        for index, array in enumerate(arrays):
            if array is None and index not in self.bound:
                raise ValueError(f"Program {self.name!r}: external {index} is neither given nor bound")
            if array is not None and index in self.bound:
                raise ValueError(
                    f"Program {self.name!r}: external {index} is bound already; give None for it"
                )
        self.check_nested_bindings()
        pointers = []
        for index, array in enumerate(arrays):
            what = f"Program {self.name!r}: external {index}"
            pointers.append(0 if array is None else <uintptr_t>contiguous_data(array, what))
        cdef int workers = self.worker_limit()
        cdef Workspace workspace = self.borrow(workers)
        for index, pointer in enumerate(pointers):
            if pointer:
                point(workspace.frame, index, <char *><uintptr_t>pointer)
        begin(context, workspace, workers, self.flush)
        return workspace

    def run(self, externals=()):
        """Runs once with one C-contiguous array per external, None where it is bound; outputs are filled.

        The sizes of the arrays are the caller's responsibility.  Raises ``StatusError`` when an instruction
        refuses its data.
        """
        cdef Context context
        externals = list(externals)
        cdef Workspace workspace = self.prepared(externals, &context)
        cdef tuple keep = (workspace, externals)
        context.keep = <PyObject *>keep
        cdef int status = self.execute(workspace, &context)
        error = None if status == MN_OK else self.failure(status, &context)
        self.give_back(workspace)
        if error is not None:
            raise error

    def profile(self, externals=(), int repeats=20):
        """The median seconds of each instruction over so many runs; loops and branches count as one.

        The commit part runs as well: who wants to keep the variables restores them afterwards.
        """
        cdef Context context
        cdef int64_t n = self.code.n_instructions
        cdef int repeat, status = MN_OK
        if repeats < 1:
            raise ValueError(f"profile(repeats={repeats}): expected 1 or more")
        externals = list(externals)
        cdef cnp.ndarray times = np.zeros((repeats, n))
        cdef double *seconds = <double *>cnp.PyArray_DATA(times)
        cdef Workspace workspace = self.prepared(externals, &context)
        cdef tuple keep = (workspace, externals)
        context.keep = <PyObject *>keep
        for repeat in range(repeats):
            with nogil:
                status = run_timed(&self.code, workspace.frame, &context, seconds + repeat * n)
            if status != MN_OK:
                break
        error = None if status == MN_OK else self.failure(status, &context)
        self.give_back(workspace)
        if error is not None:
            raise error
        return [statistics.median(column) for column in times.T.tolist()]

    # ---- Describing ----------------------------------------------------------------------------------------

    @property
    def threads(self):
        """At most so many threads for one instruction; 0: the budget of the process."""
        return self.thread_limit

    @threads.setter
    def threads(self, int value):
        if not 0 <= value <= MN_POOL_MAX_THREADS:
            raise ValueError(
                f"Program {self.name!r}: threads={value}: expected 0 (the budget of the process) "
                f"to {MN_POOL_MAX_THREADS}"
            )
        self.thread_limit = value

    @property
    def commit(self):
        """Index of the first instruction of the commit part."""
        return self.code.commit

    @property
    def externals(self):
        """The number of externals."""
        return self.code.n_externals

    @property
    def arena_bytes(self):
        """Bytes of the arena, those of nested programs included."""
        return self.code.arena_total

    @property
    def scratch_bytes(self):
        """Bytes of private scratch for each thread."""
        return self.code.scratch

    @property
    def workspace_bytes(self):
        """Bytes of one workspace on the threads that the program may use now."""
        memory = self.staging_bytes + self.code.arena_total
        scratch = self.worker_limit() * (SCRATCH_HEADER + round_up(self.code.scratch))
        pointers = self.code.slots_total * sizeof(void *) + self.code.frames_total * sizeof(Frame)
        return memory + scratch + pointers

    @property
    def idle_bytes(self):
        """Bytes of the workspaces that no run is using."""
        cdef Workspace workspace = self.idle
        total = 0
        while workspace is not None:
            total += workspace.nbytes
            workspace = workspace.next
        return total

    @property
    def work(self):
        """Estimated nanoseconds of a run on one core."""
        return self.code.work

    @property
    def keeps_gil(self):
        """Whether a run is so short that it keeps the GIL."""
        return self.code.work < WORTH_DIVIDING

    def describe(self):
        """One dict per instruction: ``kind, label, chunks, work, scratch, threads``.

        Loops and branches also have ``length`` and ``bodies``, the descriptions of their programs.
        """
        cdef list rows = []
        for index, info in enumerate(self.infos):
            row = {key: value for key, value in info.items() if key != "given"}
            if self.nested[index]:
                row["bodies"] = [(<Program>body).describe() for body in self.nested[index]]
            rows.append(row)
        return rows

    def __len__(self):
        return self.code.n_instructions

    def __repr__(self):
        return (
            f"<Program {self.name!r}: {self.code.n_instructions} instructions, "
            f"{self.code.n_externals} externals, {self.code.arena_total:,} arena bytes>"
        )


cdef int run_timed(Code *code, Frame *frame, Context *context, double *seconds) noexcept nogil:
    """run_program with a clock around each instruction."""
    cdef int64_t i
    cdef int status = MN_OK
    cdef long long before
    context.float_mode = mn_float_mode_enter(context.flush)
    for i in range(code.n_instructions):
        context.polling = i < code.commit
        before = mn_clock()
        status = run_instructions(code, frame, context, i, i + 1, 0)
        seconds[i] = (mn_clock() - before) * 1e-9
        if status != MN_OK:
            break
    mn_float_mode_leave(context.float_mode)
    return status


cdef void *contiguous_data(array, str what) except NULL:
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{what}: expected an ndarray, not {type(array).__name__}")
    if not cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED):
        raise ValueError(
            f"{what}: expected a C-contiguous, aligned array (shape {array.shape}, strides {array.strides})"
        )
    return cnp.PyArray_DATA(array)
