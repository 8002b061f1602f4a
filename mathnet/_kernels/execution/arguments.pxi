# What a Call wants of its arguments and gives as results.

cdef enum InputCheck:
    UNCHECKED
    CHECK_NAN
    CHECK_INDEX


cdef class InputSpec:
    """One array argument of a Call.

    Args:
        external: the program's external that gets its address.
        dtype, shape: what an argument must have exactly.
        copy: copy it into the workspace (small arrays; and indices, so that no other thread can change them
            after the check).
        check: ``"none"``; ``"nan"``, a float array without NaN; ``("index", limit)``, an int64 array of
            values 0 … limit − 1.
    """

    cdef readonly int external
    cdef readonly object dtype
    cdef readonly tuple shape
    cdef readonly bint copy
    cdef readonly object check
    cdef InputCheck check_kind
    cdef int64_t index_limit
    cdef int64_t nbytes

    def __init__(self, int external, dtype, shape, bint copy=False, check="none"):
        self.external = external
        self.dtype = np.dtype(dtype)
        self.shape = tuple(int(size) for size in shape)
        self.copy = copy
        self.check = check
        self.nbytes = math.prod(self.shape) * self.dtype.itemsize
        self.index_limit = 0
        if check == "none":
            self.check_kind = UNCHECKED
        elif check == "nan" and self.dtype in (np.float32, np.float64):
            self.check_kind = CHECK_NAN
        elif isinstance(check, tuple) and len(check) == 2 and check[0] == "index" and self.dtype == np.int64:
            self.check_kind = CHECK_INDEX
            self.index_limit = check[1]
        else:
            raise ValueError(
                f"InputSpec(check={check!r}, dtype={self.dtype}): expected 'none', "
                "'nan' for float32 or float64, or ('index', limit) for int64"
            )

    def __repr__(self):
        return (
            f"InputSpec({self.external}, {self.dtype}, {self.shape}, copy={self.copy}, check={self.check!r})"
        )


cdef class OutputSpec:
    """One result of a Call: a fresh array that the program writes through ``external``.

    0-d results become scalars.
    """

    cdef readonly int external
    cdef readonly object dtype
    cdef readonly tuple shape
    cdef int64_t nbytes

    def __init__(self, int external, dtype, shape):
        self.external = external
        self.dtype = np.dtype(dtype)
        self.shape = tuple(int(size) for size in shape)
        self.nbytes = math.prod(self.shape) * self.dtype.itemsize

    def __repr__(self):
        return f"OutputSpec({self.external}, {self.dtype}, {self.shape})"


# The C form, one cache line or so per argument.
cdef struct Argument:
    int external
    int axes
    cnp.npy_intp *shape
    PyObject *dtype               # borrowed from the spec
    int copy
    int is_double                 # for CHECK_NAN
    InputCheck check
    int64_t index_limit
    int64_t nbytes
    int64_t items
    int64_t staging               # where it is copied to; for an output: where a 0-d result is written
    int64_t row_staging           # where many-step runs gather a batch
    int64_t row_bytes             # of one element of axis 0


cdef extern from *:
    """
    /* Vectorised by the compiler; a position is looked for only after something was found. */
    static int64_t mn_first_nan_float(const float *x, int64_t n) {
        for (int64_t start = 0; start < n; start += 4096) {
            int64_t stop = n - start < 4096 ? n : start + 4096, i;
            int found = 0;
            for (i = start; i < stop; i++) found |= x[i] != x[i];
            if (found) for (i = start; i < stop; i++) if (x[i] != x[i]) return i;
        }
        return -1;
    }
    static int64_t mn_first_nan_double(const double *x, int64_t n) {
        for (int64_t start = 0; start < n; start += 4096) {
            int64_t stop = n - start < 4096 ? n : start + 4096, i;
            int found = 0;
            for (i = start; i < stop; i++) found |= x[i] != x[i];
            if (found) for (i = start; i < stop; i++) if (x[i] != x[i]) return i;
        }
        return -1;
    }
    static int64_t mn_first_outside(const int64_t *x, int64_t n, int64_t limit) {
        for (int64_t i = 0; i < n; i++) if (x[i] < 0 || x[i] >= limit) return i;
        return -1;
    }
    """
    int64_t mn_first_nan_float(const float *x, int64_t n) nogil
    int64_t mn_first_nan_double(const double *x, int64_t n) nogil
    int64_t mn_first_outside(const int64_t *x, int64_t n, int64_t limit) nogil


cdef inline int64_t refused_position(const Argument *argument, const char *data) noexcept nogil:
    """Index of the first element that the argument's check refuses, or −1."""
    if argument.check == UNCHECKED:
        return -1
    if argument.check == CHECK_INDEX:
        return mn_first_outside(<const int64_t *>data, argument.items, argument.index_limit)
    if argument.is_double:
        return mn_first_nan_double(<const double *>data, argument.items)
    return mn_first_nan_float(<const float *>data, argument.items)


cdef object refusal(int index, const Argument *argument, const char *data, int64_t position, step=None):
    if argument.check == CHECK_INDEX:
        code, value = MN_INDEX_OUT_OF_RANGE, (<const int64_t *>data)[position]
    else:
        code, value = MN_NAN, float("nan")
    return StatusError(code, -1, position, value, label=f"input {index}", input=index, step=step)


cdef inline double scalar_at(const Argument *argument, const char *data) noexcept nogil:
    """A 0-d float32 or float64 result."""
    return (<const double *>data)[0] if argument.nbytes == sizeof(double) else (<const float *>data)[0]


cdef inline bint matches(const Argument *argument, PyObject *value) noexcept:
    """Whether a value can be used as it is: type, dtype, shape, layout."""
    cdef cnp.ndarray array
    cdef int axis
    if type(<object>value) is not cnp.ndarray:
        return False
    array = <cnp.ndarray><object>value
    if cnp.PyArray_NDIM(array) != argument.axes:
        return False
    for axis in range(argument.axes):
        if cnp.PyArray_DIMS(array)[axis] != argument.shape[axis]:
            return False
    if not cnp.PyArray_CHKFLAGS(array, cnp.NPY_ARRAY_C_CONTIGUOUS | cnp.NPY_ARRAY_ALIGNED):
        return False
    # Arrays from pickle or np.dtype("<f4") may carry an equal descriptor of their own.
    return <PyObject *>cnp.PyArray_DESCR(array) == argument.dtype or array.dtype == <object>argument.dtype
