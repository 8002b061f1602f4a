# The C form of a program.  Built once by Program, read by the interpreter, never changed.

cdef enum:
    MAX_DEPTH = 16     # nesting of loops and branches
    ALIGNMENT = 64     # bytes: of arenas, scratch and staged inputs
    SCRATCH_HEADER = 64

cdef enum InstructionKind:
    KERNEL     # one chunk, no finish, cheap: a direct call
    CHUNKED    # any other kernel
    LOOP
    BRANCH
    HOST

# Below this cost (nanoseconds) an instruction is not divided among threads, and a whole plan keeps the GIL.
cdef double WORTH_DIVIDING = 10_000
# Each further thread must have at least this much to do.
cdef double WORTH_A_THREAD = 5_000

cdef struct Source:        # where an operand pointer comes from
    int external           # -1: the arena
    int64_t offset

cdef struct Use:           # one place that holds a pointer into an external
    int64_t slot
    int64_t offset

cdef struct Binding:       # how a body's external follows the iterations
    int external
    int reverse
    int64_t step           # bytes; 0: the same at each iteration
    int64_t modulo         # 0: none
    int64_t mask           # modulo − 1 when that is a power of two, else −1

cdef struct Nested:        # what a LOOP or BRANCH adds to an instruction
    Code *bodies[2]        # a loop has one; a branch has then and else
    int n_bodies
    int64_t length
    int n_bindings
    Binding *bindings
    int index_external     # −1: the body does not ask for the loop index
    int index_reverse
    int has_exit           # a loop whose last operand is a byte: it ends when that is 0
    int must_end           # and fails when it is not 0 after `length` iterations

cdef struct Instruction:
    InstructionKind kind
    mn_kernel fn
    const void *descriptor
    int64_t first_slot
    int64_t chunks
    int64_t finish         # chunks of the second stage, numbered from `chunks` on
    int limit              # threads worth using, 1: serial
    int child              # LOOP, BRANCH: the first body's frame among the children of this program's frame
    double work            # nanoseconds
    double chunk_work
    Nested *nested         # LOOP, BRANCH
    PyObject *host         # HOST: a HostCall, kept alive by the Program

cdef struct Code:
    Instruction *instructions
    int64_t n_instructions
    int64_t commit
    Source *sources        # one per slot
    int64_t n_slots
    int n_externals
    int64_t *first_use     # n_externals + 1 indices into uses
    Use *uses
    void **bound           # per external, NULL: set per call
    int n_children
    int64_t arena_bytes
    # Sums and maxima over this program and all that is nested in it.
    int64_t arena_total    # bodies that never run at once share memory
    int64_t slots_total
    int64_t frames_total
    int64_t scratch
    double work
    int depth
    int parallel
    int host

cdef struct Frame:         # one program at one place of use, inside one workspace
    Code *code
    void **operands
    Frame *children
    double index           # the loop index, as the body reads it

cdef inline int64_t round_up(int64_t nbytes) noexcept nogil:
    return (nbytes + ALIGNMENT - 1) // ALIGNMENT * ALIGNMENT

cdef inline void point(Frame *frame, int external, char *data) noexcept nogil:
    """Sets every pointer into one external."""
    cdef Code *code = frame.code
    cdef int64_t use
    for use in range(code.first_use[external], code.first_use[external + 1]):
        frame.operands[code.uses[use].slot] = data + code.uses[use].offset
