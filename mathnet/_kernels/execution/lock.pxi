# The lock that serialises the steps on one model.

cdef extern from "pythread.h" nogil:
    ctypedef void *PyThread_type_lock
    ctypedef enum PyLockStatus:
        PY_LOCK_FAILURE
        PY_LOCK_ACQUIRED
    PyThread_type_lock PyThread_allocate_lock()
    void PyThread_free_lock(PyThread_type_lock lock)
    int PyThread_acquire_lock(PyThread_type_lock lock, int wait)
    PyLockStatus PyThread_acquire_lock_timed(
        PyThread_type_lock lock, long long microseconds, int interruptible
    )
    void PyThread_release_lock(PyThread_type_lock lock)
    unsigned long PyThread_get_thread_ident()

cdef long long LOCK_POLL_MICROSECONDS = 50_000


@cython.final
cdef class StepLock:
    """A fair mutual exclusion whose uncontended use costs a comparison.

    All its state changes with the GIL held, so taking a free lock needs no atomic operation.  Waiting
    releases the GIL and lets signals through.  A released lock is handed to a waiter: without that, a thread
    that steps in a tight loop would take it again before the waiter ever got the GIL.

    It is not recursive: taking it twice in one thread, as a step made inside a host operation of a step on
    the same model would, raises ``RuntimeError``.  In the child of a fork it is free, whoever held it in the
    parent.

    >>> lock = StepLock()
    >>> with lock:
    ...     lock.locked()
    True
    """

    cdef PyThread_type_lock gate   # held except between a hand-over and the waiter that picks it up
    cdef unsigned long owner       # thread, 0: free
    cdef bint handed_over          # released to a waiter that has not picked it up yet
    cdef int waiting
    cdef unsigned forks

    def __cinit__(self):
        self.gate = NULL
        self.reset()

    def __dealloc__(self):
        if self.gate != NULL:
            if not self.handed_over:
                PyThread_release_lock(self.gate)
            PyThread_free_lock(self.gate)

    cdef int reset(self) except -1:
        # After a fork the old gate may be in any state: it is abandoned, not freed.
        self.gate = PyThread_allocate_lock()
        if self.gate == NULL:
            raise MemoryError("StepLock: the system has no more locks")
        PyThread_acquire_lock(self.gate, 1)
        self.owner = 0
        self.handed_over = False
        self.waiting = 0
        self.forks = mn_fork_count()
        return 0

    cdef inline int take(self) except -1:
        cdef unsigned long me = PyThread_get_thread_ident()
        if self.forks != mn_fork_count():
            self.reset()
        if self.owner == 0 and not self.handed_over:
            self.owner = me
            return 0
        if self.owner == me:
            raise RuntimeError(
                "a training step was started inside a step on the same model (from a host operation or a "
                "signal handler); steps on one model run one after the other"
            )
        return self.wait(me)

    cdef int wait(self, unsigned long me) except -1:
        cdef PyLockStatus status
        self.waiting += 1
        while True:
            with nogil:
                status = PyThread_acquire_lock_timed(self.gate, LOCK_POLL_MICROSECONDS, 0)
            if status == PY_LOCK_ACQUIRED:
                self.waiting -= 1
                self.handed_over = False
                self.owner = me
                return 0
            try:
                PyErr_CheckSignals()
            except BaseException:
                self.waiting -= 1
                if self.handed_over and self.waiting == 0 and PyThread_acquire_lock(self.gate, 0):
                    self.handed_over = False
                raise

    cdef inline void give(self) noexcept:
        if self.forks != mn_fork_count():
            return  # taken in the parent: the child's first take() makes it anew
        self.owner = 0
        if self.waiting:
            self.handed_over = True
            PyThread_release_lock(self.gate)

    def __reduce__(self):
        return StepLock, ()  # a copy is a lock of its own, and free

    def acquire(self):
        """Waits until no other thread holds the lock, and takes it."""
        self.take()

    def release(self):
        """Frees the lock.  Raises ``RuntimeError`` unless this thread holds it."""
        if self.owner != PyThread_get_thread_ident():
            raise RuntimeError("StepLock.release: this thread does not hold the lock")
        self.give()

    def locked(self):
        """Whether some thread holds the lock."""
        return self.forks == mn_fork_count() and (self.owner != 0 or self.handed_over)

    def __enter__(self):
        self.take()
        return self

    def __exit__(self, *exc_info):
        self.give()
