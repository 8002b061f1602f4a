# The memory of runs: arena, operand pointers, scratch per worker, staged inputs.  Recycled, bounded, borrowed
# under the GIL.

cdef extern from *:
    """
    #if defined(__linux__)
    #include <sys/mman.h>
    #endif

    /* Asks for huge pages for the whole ones in a block: fewer faults, and fewer misses of the translation buffers. */
    static void mn_use_huge_pages(char *memory, size_t nbytes)
    {
    #if defined(__linux__) && defined(MADV_HUGEPAGE)
        const uintptr_t page = 4096, begin = ((uintptr_t)memory + page - 1) / page * page;
        const uintptr_t end = ((uintptr_t)memory + nbytes) / page * page;
        if (end > begin)
            madvise((void *)begin, end - begin, MADV_HUGEPAGE); /* only advice: a failure costs nothing */
    #else
        (void)memory, (void)nbytes;
    #endif
    }
    """
    void mn_use_huge_pages(char *memory, size_t nbytes) nogil

cdef extern from "stdlib.h" nogil:
    int posix_memalign(void **memory, size_t alignment, size_t nbytes)

cdef enum:
    HUGE_BYTES = 1 << 22        # of a block: from here on huge pages waste little

# Counts bind_external calls in the process: a workspace resolved at an older count resolves its pointers
# anew.
cdef int64_t bind_count = 0

cdef class WorkspacePool
cdef class Program


@cython.final
@cython.no_gc
cdef class Block:
    """Aligned memory that lives as long as this object."""

    cdef char *data

    def __cinit__(self, int64_t nbytes):
        cdef void *memory = NULL
        if posix_memalign(&memory, ALIGNMENT, max(nbytes, ALIGNMENT)):
            raise MemoryError(f"no memory for {nbytes:,} bytes")
        self.data = <char *>memory
        if nbytes >= HUGE_BYTES:
            mn_use_huge_pages(self.data, nbytes)

    def __dealloc__(self):
        free(self.data)


cdef struct Cursor:
    Frame *frames
    void **slots


cdef void place(Frame *frame, Code *code, Cursor *free_space) noexcept:
    """Gives a frame and all frames under it their places."""
    cdef int64_t i
    cdef int body
    cdef Instruction *instruction
    frame.code = code
    frame.operands = free_space.slots
    free_space.slots += code.n_slots
    frame.children = free_space.frames
    free_space.frames += code.n_children
    for i in range(code.n_instructions):
        instruction = &code.instructions[i]
        if instruction.nested != NULL:
            for body in range(instruction.nested.n_bodies):
                place(&frame.children[instruction.child + body], instruction.nested.bodies[body], free_space)


cdef void resolve(Frame *frame, char *arena) noexcept:
    """Fills in the pointers that no call changes: into the arena and into bound externals."""
    cdef Code *code = frame.code
    cdef Source *source
    cdef int64_t slot
    cdef int child
    for slot in range(code.n_slots):
        source = &code.sources[slot]
        if source.external < 0:
            frame.operands[slot] = arena + source.offset
        elif code.bound[source.external] != NULL:
            frame.operands[slot] = <char *>code.bound[source.external] + source.offset
        else:
            frame.operands[slot] = NULL
    for child in range(code.n_children):
        resolve(&frame.children[child], arena + code.arena_bytes)


@cython.final
@cython.no_gc
cdef class Workspace:
    """The memory of one run of one program: a block of staging, arenas, scratch per worker and pointers.

    It holds no reference to its program (the program's list of idle workspaces holds it), and it may outlive
    a run: the arrays that a host operation was given keep it.
    """

    cdef Block block
    cdef WorkspacePool pool
    cdef Workspace next
    cdef int64_t nbytes
    cdef int64_t staging_bytes
    cdef char *staging
    cdef char *arena
    cdef char *scratch           # of worker 0, behind its header
    cdef int64_t scratch_stride
    cdef int workers
    cdef Frame *frame
    cdef int64_t resolved_at

    @staticmethod
    cdef Workspace make(Code *code, int64_t staging_bytes, int workers, WorkspacePool pool):
        cdef Workspace self = Workspace.__new__(Workspace)
        cdef Cursor free_space
        cdef int64_t scratch_at, slots_at, frames_at
        self.staging_bytes = round_up(staging_bytes)
        self.workers = workers
        self.scratch_stride = SCRATCH_HEADER + round_up(code.scratch)
        scratch_at = self.staging_bytes + code.arena_total
        slots_at = scratch_at + workers * self.scratch_stride
        frames_at = slots_at + code.slots_total * <int64_t>sizeof(void *)
        self.nbytes = frames_at + code.frames_total * <int64_t>sizeof(Frame)
        pool.make_room(self.nbytes)
        self.block = Block(self.nbytes)
        self.pool = pool
        pool.retained += self.nbytes
        self.staging = self.block.data
        self.arena = self.staging + self.staging_bytes
        self.scratch = self.block.data + scratch_at + SCRATCH_HEADER
        self.frame = <Frame *>(self.block.data + frames_at)
        free_space.frames = self.frame + 1
        free_space.slots = <void **>(self.block.data + slots_at)
        place(self.frame, code, &free_space)
        self.settle()
        return self

    def __dealloc__(self):
        if self.pool is not None:
            self.pool.retained -= self.nbytes

    cdef void settle(self) noexcept:
        resolve(self.frame, self.arena)
        self.resolved_at = bind_count


cdef int64_t default_idle_bytes() except -1:
    """A quarter of the machine's memory: large plans keep their pages, and nothing grows for ever."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 4
    except (ValueError, OSError):  # a system that does not tell
        return 1 << 30


@cython.final
cdef class WorkspacePool:
    """Bounds the memory that idle programs keep for their next run; a Runtime gives one to its programs.

    Args:
        max_idle_bytes: the bound; None takes a quarter of the machine's memory.

    A program keeps the workspaces of its finished runs while the total stays within the bound; when a new one
    would exceed it, programs give theirs up in the order of their last use.  Memory in use is never taken
    away.

    >>> pool = WorkspacePool(1 << 20)
    >>> pool.idle_bytes
    0
    """

    cdef int64_t limit
    cdef int64_t retained        # bytes of all workspaces, idle or not
    cdef int64_t clock           # counts runs, for the order of last use
    cdef object programs         # weak set
    cdef object __weakref__

    def __init__(self, max_idle_bytes=None):
        if max_idle_bytes is None:
            max_idle_bytes = default_idle_bytes()
        if max_idle_bytes < 0:
            raise ValueError(
                f"WorkspacePool(max_idle_bytes={max_idle_bytes}): expected a number of bytes, 0 or more"
            )
        self.limit = max_idle_bytes
        self.programs = weakref.WeakSet()

    def __reduce__(self):
        return WorkspacePool, (self.limit,)  # a copy starts without memory

    @property
    def max_idle_bytes(self):
        """The bound.  Lowering it frees at once what exceeds it."""
        return self.limit

    @max_idle_bytes.setter
    def max_idle_bytes(self, int64_t value):
        if value < 0:
            raise ValueError(f"max_idle_bytes = {value}: expected a number of bytes, 0 or more")
        self.limit = value
        self.make_room(0)

    @property
    def idle_bytes(self):
        """Bytes kept by programs that are not running."""
        return sum((<Program>program).idle_bytes for program in self.programs)

    @property
    def retained_bytes(self):
        """Bytes of all workspaces, those of running programs included."""
        return self.retained

    def clear(self):
        """Frees every idle workspace."""
        for program in list(self.programs):
            (<Program>program).clear()

    cdef int make_room(self, int64_t nbytes) except -1:
        if self.retained + nbytes <= self.limit:
            return 0
        for program in sorted(self.programs, key=last_use):
            (<Program>program).clear()
            if self.retained + nbytes <= self.limit:
                break
        return 0


cdef object last_use(Program program):
    return program.last_used


cdef WorkspacePool DEFAULT_WORKSPACE_POOL = WorkspacePool()
