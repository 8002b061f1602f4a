# The memory of large results.
#
# Results belong to the caller, so a call needs new ones.  Fresh memory costs a page fault every 4 KB, more than many a
# kernel takes for those bytes, and the C library returns large blocks to the system as soon as they are free.  So arrays from
# RECYCLED_BYTES on get their memory from here, by NumPy's own protocol for that (NEP 49): they own it like any other array,
# and when they die it waits for the next result of about its size.  Everything runs under the GIL, as NumPy's allocators do.

cdef extern from "numpy/arrayobject.h":
    ctypedef struct PyDataMemAllocator:
        void *ctx
        void *(*malloc)(void *ctx, size_t nbytes) noexcept
        void *(*calloc)(void *ctx, size_t count, size_t nbytes) noexcept
        void *(*realloc)(void *ctx, void *memory, size_t nbytes) noexcept
        void (*free)(void *ctx, void *memory, size_t nbytes) noexcept
    ctypedef struct PyDataMem_Handler:
        char *name
        unsigned char version
        PyDataMemAllocator allocator
    object PyDataMem_SetHandler(object handler)

cdef enum:
    ALIGNMENT_OF_RESULTS = 64
    RECYCLED_BYTES = 1 << 18            # smaller ones stay in the C library's heap
    IDLE_RESULTS = 16
    IDLE_RESULT_BYTES = 1 << 26

# In front of the memory of a result, ALIGNMENT_OF_RESULTS bytes for it.
cdef struct ResultHeader:
    int64_t nbytes

cdef ResultHeader *idle_results[IDLE_RESULTS]       # the latest last
cdef int idle_result_count = 0
cdef int64_t idle_result_bytes = 0


cdef inline ResultHeader *result_header(void *memory) noexcept:
    return <ResultHeader *>(<char *>memory - ALIGNMENT_OF_RESULTS)


cdef ResultHeader *take_idle_result(int i) noexcept:
    global idle_result_count, idle_result_bytes
    cdef ResultHeader *taken = idle_results[i]
    idle_result_count -= 1
    while i < idle_result_count:
        idle_results[i] = idle_results[i + 1]
        i += 1
    idle_result_bytes -= taken.nbytes
    return taken


cdef void *result_memory(void *ctx, size_t nbytes) noexcept:
    cdef void *memory = NULL
    cdef int i = idle_result_count - 1
    while i >= 0:
        if <size_t>idle_results[i].nbytes >= nbytes and <size_t>idle_results[i].nbytes <= nbytes + nbytes // 8:
            return <char *>take_idle_result(i) + ALIGNMENT_OF_RESULTS
        i -= 1
    if posix_memalign(&memory, ALIGNMENT_OF_RESULTS, ALIGNMENT_OF_RESULTS + nbytes):
        return NULL
    if nbytes >= HUGE_BYTES:
        mn_use_huge_pages(<char *>memory, ALIGNMENT_OF_RESULTS + nbytes)
    (<ResultHeader *>memory).nbytes = nbytes
    return <char *>memory + ALIGNMENT_OF_RESULTS


cdef void give_back_result(void *ctx, void *memory, size_t nbytes) noexcept:
    """Keeps the memory; where there is too much, the oldest is freed."""
    global idle_result_count, idle_result_bytes
    if memory == NULL:
        return
    cdef ResultHeader *header = result_header(memory)
    if header.nbytes > IDLE_RESULT_BYTES:
        free(header)
        return
    while idle_result_count == IDLE_RESULTS or idle_result_bytes + header.nbytes > IDLE_RESULT_BYTES:
        free(take_idle_result(0))
    idle_results[idle_result_count] = header
    idle_result_count += 1
    idle_result_bytes += header.nbytes


cdef void *zeroed_result(void *ctx, size_t count, size_t nbytes) noexcept:
    cdef void *memory = result_memory(ctx, count * nbytes)
    if memory != NULL:
        memset(memory, 0, count * nbytes)
    return memory


cdef void *resized_result(void *ctx, void *memory, size_t nbytes) noexcept:
    """For array.resize()."""
    cdef void *resized
    if memory != NULL and <size_t>result_header(memory).nbytes >= nbytes:
        return memory
    resized = result_memory(ctx, nbytes)
    if resized != NULL and memory != NULL:
        memcpy(resized, memory, result_header(memory).nbytes)
        give_back_result(ctx, memory, nbytes)
    return resized


cdef PyDataMem_Handler result_handler
memcpy(<char *>result_handler.name, b"mathnet_results\0", 16)
result_handler.version = 1
result_handler.allocator.ctx = NULL
result_handler.allocator.malloc = result_memory
result_handler.allocator.calloc = zeroed_result
result_handler.allocator.realloc = resized_result
result_handler.allocator.free = give_back_result
cdef object RESULT_HANDLER = PyCapsule_New(&result_handler, b"mem_handler", NULL)


cdef cnp.ndarray empty_array(cnp.dtype dtype, int axes, cnp.npy_intp *shape, int64_t nbytes):
    """A new array in row-major order, its contents undefined."""
    cdef object usual
    Py_INCREF(dtype)  # PyArray_NewFromDescr takes a reference of its own
    if nbytes < RECYCLED_BYTES:
        return PyArray_NewFromDescr(<PyTypeObject *>cnp.ndarray, dtype, axes, shape, NULL, NULL, 0, NULL)
    usual = PyDataMem_SetHandler(RESULT_HANDLER)
    try:
        return PyArray_NewFromDescr(<PyTypeObject *>cnp.ndarray, dtype, axes, shape, NULL, NULL, 0, NULL)
    finally:
        PyDataMem_SetHandler(usual)
