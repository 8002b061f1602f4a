# Between stored elements and registers: runs of elements of any storage type, at any stride, to and from real or int64.

ctypedef void (*load_fn)(void *to, const char *source, int64_t dtype, int64_t step, int64_t n) noexcept nogil
ctypedef void (*store_fn)(char *target, const void *source, int64_t dtype, int64_t step, int64_t n) noexcept nogil


cdef inline int64_t item_bytes(int64_t dtype) noexcept nogil:
    """Bytes of an element of a storage type, 0 for no such type."""
    if dtype == MN_FLOAT32 or dtype == MN_INT32:
        return 4
    if dtype == MN_FLOAT64 or dtype == MN_INT64 or dtype == MN_UINT64:
        return 8
    return 1 if dtype == MN_BOOL else 8 if dtype == MN_DRAWN else 0


cdef void load_reals(void *to, const char *source, int64_t dtype, int64_t step, int64_t n) noexcept nogil:
    """to[i] = source[i*step] as a real."""
    cdef real *t = <real *>to
    cdef int64_t i
    cdef real one
    if step == 0 and n > 1:
        load_reals(&one, source, dtype, 1, 1)
        for i in range(n):
            t[i] = one
    elif dtype == MN_REAL_CODE:
        if step == 1:
            memcpy(t, source, <size_t>n * sizeof(real))
        else:
            for i in range(n):
                t[i] = (<const real *>source)[i * step]
    elif dtype == MN_FLOAT32:
        for i in range(n):
            t[i] = <real>(<const float *>source)[i * step]
    elif dtype == MN_FLOAT64:
        for i in range(n):
            t[i] = <real>(<const double *>source)[i * step]
    elif dtype == MN_INT64:
        for i in range(n):
            t[i] = <real>(<const int64_t *>source)[i * step]
    elif dtype == MN_UINT64:
        for i in range(n):
            t[i] = <real>(<const uint64_t *>source)[i * step]
    elif dtype == MN_INT32:
        for i in range(n):
            t[i] = <real>(<const int32_t *>source)[i * step]
    elif step == 1:
        for i in range(n):
            t[i] = <real>((<const uint8_t *>source)[i] != 0)
    else:
        for i in range(n):
            t[i] = <real>((<const uint8_t *>source)[i * step] != 0)


cdef void store_reals(char *target, const void *source, int64_t dtype, int64_t step, int64_t n) noexcept nogil:
    """target[i*step] = source[i]; integers are cut towards zero, bool is 1 where the real is not 0."""
    cdef const real *s = <const real *>source
    cdef int64_t i
    if dtype == MN_REAL_CODE:
        if step == 1:
            memcpy(target, s, <size_t>n * sizeof(real))
        else:
            for i in range(n):
                (<real *>target)[i * step] = s[i]
    elif dtype == MN_FLOAT32:
        for i in range(n):
            (<float *>target)[i * step] = <float>s[i]
    elif dtype == MN_FLOAT64:
        for i in range(n):
            (<double *>target)[i * step] = <double>s[i]
    elif dtype == MN_INT64:
        for i in range(n):
            (<int64_t *>target)[i * step] = <int64_t>s[i]
    elif dtype == MN_UINT64:
        for i in range(n):
            (<uint64_t *>target)[i * step] = <uint64_t>s[i]
    elif dtype == MN_INT32:
        for i in range(n):
            (<int32_t *>target)[i * step] = <int32_t>s[i]
    elif step == 1:
        for i in range(n):
            (<uint8_t *>target)[i] = <uint8_t>(s[i] != 0)
    else:
        for i in range(n):
            (<uint8_t *>target)[i * step] = <uint8_t>(s[i] != 0)


cdef void load_integers(void *to, const char *source, int64_t dtype, int64_t step, int64_t n) noexcept nogil:
    """to[i] = source[i*step] as an int64; reals are cut towards zero."""
    cdef int64_t *t = <int64_t *>to
    cdef int64_t i
    if dtype == MN_INT64 or dtype == MN_UINT64:
        for i in range(n):
            t[i] = (<const int64_t *>source)[i * step]
    elif dtype == MN_INT32:
        for i in range(n):
            t[i] = (<const int32_t *>source)[i * step]
    elif dtype == MN_BOOL:
        for i in range(n):
            t[i] = (<const uint8_t *>source)[i * step] != 0
    elif dtype == MN_FLOAT32:
        for i in range(n):
            t[i] = <int64_t>(<const float *>source)[i * step]
    else:
        for i in range(n):
            t[i] = <int64_t>(<const double *>source)[i * step]


cdef void store_integers(char *target, const void *source, int64_t dtype, int64_t step, int64_t n) noexcept nogil:
    """target[i*step] = source[i], converted."""
    cdef const int64_t *s = <const int64_t *>source
    cdef int64_t i
    if dtype == MN_INT64 or dtype == MN_UINT64:
        for i in range(n):
            (<int64_t *>target)[i * step] = s[i]
    elif dtype == MN_INT32:
        for i in range(n):
            (<int32_t *>target)[i * step] = <int32_t>s[i]
    elif dtype == MN_BOOL:
        for i in range(n):
            (<uint8_t *>target)[i * step] = s[i] != 0
    elif dtype == MN_FLOAT32:
        for i in range(n):
            (<float *>target)[i * step] = <float>s[i]
    else:
        for i in range(n):
            (<double *>target)[i * step] = <double>s[i]
