# ProgramBuilder: from the tuples that a planner writes to the C form of a program.

@cython.final
cdef class ProgramBuilder:
    """Fills in the Code of one Program.  Used once, while the Program is made."""

    cdef Program program
    cdef Code *code
    cdef int64_t own_arena_bytes
    cdef list sources              # (external or −1, offset) per slot
    cdef str where                 # for messages

    def __init__(self, Program program, int64_t arena_bytes, int externals):
        self.program = program
        self.code = &program.code
        self.own_arena_bytes = arena_bytes
        self.sources = []
        self.code.n_externals = externals

    def build(self, list instructions, int64_t commit):
        cdef Code *code = self.code
        cdef int64_t index, n = len(instructions)
        code.arena_bytes = round_up(self.own_arena_bytes)
        code.arena_total = code.arena_bytes
        code.commit = commit
        code.frames_total = 1
        code.depth = 1
        code.instructions = <Instruction *>self.allocate(n * sizeof(Instruction))
        code.bound = <void **>self.allocate(code.n_externals * sizeof(void *))
        code.n_instructions = n
        builders = {
            "kernel": self.add_kernel,
            "loop": self.add_loop,
            "branch": self.add_branch,
            "host": self.add_host,
        }
        for index in range(n):
            entry = tuple(instructions[index])
            self.where = f"Program {self.program.name!r}, instruction {index}"
            if not entry or entry[0] not in builders:
                raise ValueError(
                    f"{self.where}: expected a tuple that begins with one of {', '.join(builders)}, "
                    f"not {entry[:1]}"
                )
            self.program.nested.append(())
            code.instructions[index].first_slot = len(self.sources)
            try:
                builders[entry[0]](index, *entry[1:])
            except TypeError as error:
                raise ValueError(f"{self.where}: malformed {entry[0]!r} instruction: {error}") from error
        self.finish_pointers()

    def add_kernel(self, int64_t index, address, bytes descriptor, operands, sizes, label):
        cdef Instruction *instruction = &self.code.instructions[index]
        cdef char *copy
        self.where = f"{self.where} ({label})"
        if not address:
            raise ValueError(f"{self.where}: the kernel's address is 0")
        if min(sizes.chunks, sizes.finish, sizes.scratch) < 0 or sizes.chunks + sizes.finish >= 1 << 31:
            raise ValueError(
                f"{self.where}: chunks={sizes.chunks}, finish={sizes.finish}, scratch={sizes.scratch}: out of range"
            )
        copy = self.allocate(len(descriptor))
        memcpy(copy, <const char *>descriptor, len(descriptor))
        instruction.fn = <mn_kernel><uintptr_t>address
        instruction.descriptor = copy
        instruction.chunks = sizes.chunks
        instruction.finish = sizes.finish
        instruction.work = sizes.work
        instruction.chunk_work = sizes.work / max(sizes.chunks + sizes.finish, 1)
        instruction.limit = self.threads_worth(max(sizes.chunks, sizes.finish), sizes.work)
        simple = sizes.chunks == 1 and not sizes.finish and sizes.work < WORTH_DIVIDING
        instruction.kind = KERNEL if simple else CHUNKED
        for operand in operands:
            self.add_operand(operand)
        self.code.work += sizes.work
        self.code.scratch = max(self.code.scratch, <int64_t>sizes.scratch)
        self.code.parallel = self.code.parallel or instruction.limit > 1
        self.describe(
            "kernel", label, instruction.work, sizes.scratch, chunks=sizes.chunks, threads=instruction.limit
        )

    cdef int threads_worth(self, chunks, double work) except -1:
        if work < WORTH_DIVIDING:
            return 1
        return min(chunks, MN_POOL_MAX_THREADS, max(1, <int>min(work / WORTH_A_THREAD, 1e6)))

    def add_loop(
        self, int64_t index, Program body not None, int64_t length, bindings, operands, label,
        int index_external=-1, bint index_reverse=False, running=None, bint must_end=False,
    ):
        cdef Instruction *instruction = &self.code.instructions[index]
        self.where = f"{self.where} ({label})"
        if length < 0:
            raise ValueError(f"{self.where}: length {length}")
        if tuple(operands):
            raise ValueError(
                f"{self.where}: a loop's operands are those of its bindings; expected () for operands"
            )
        if index_external >= body.code.n_externals:
            raise ValueError(
                f"{self.where}: index_external {index_external}, "
                f"but the body has {body.code.n_externals} externals"
            )
        instruction.kind = LOOP
        instruction.work = length * (body.code.work + ITERATION_WORK)
        bindings = list(bindings)
        self.add_nested(instruction, index, (body,), bindings)
        instruction.nested.length = length
        instruction.nested.index_external = index_external
        instruction.nested.index_reverse = index_reverse
        if running is not None:
            self.add_operand(running)
            instruction.nested.has_exit = True
            instruction.nested.must_end = must_end
        given = {binding[0] for binding in bindings} | ({index_external} if index_external >= 0 else set())
        self.describe("loop", label, instruction.work, body.code.scratch, length=length, given=given)

    def add_branch(
        self, int64_t index, predicate, Program then not None, Program otherwise not None, bindings, label
    ):
        cdef Instruction *instruction = &self.code.instructions[index]
        self.where = f"{self.where} ({label})"
        instruction.kind = BRANCH
        instruction.work = max(then.code.work, otherwise.code.work)
        self.add_operand(predicate)
        bindings = list(bindings)
        self.add_nested(instruction, index, (then, otherwise), bindings)
        scratch = max(then.code.scratch, otherwise.code.scratch)
        given = {binding[0] for binding in bindings}
        self.describe("branch", label, instruction.work, scratch, length=1, given=given)

    def add_host(self, int64_t index, callable, inputs, outputs, label):
        cdef Instruction *instruction = &self.code.instructions[index]
        self.where = f"{self.where} ({label})"
        inputs, outputs = list(inputs), list(outputs)
        for operand, _, _ in (*inputs, *outputs):
            self.add_operand(operand)
        host = HostCall(callable, [entry[1:] for entry in inputs], [entry[1:] for entry in outputs])
        self.program.hosts.append(host)
        instruction.kind = HOST
        instruction.host = <PyObject *>host
        self.code.host = True
        self.describe("host", label, 0.0, 0)

    cdef int add_nested(self, Instruction *instruction, int64_t index, tuple bodies, list bindings) except -1:
        cdef Nested *nested = <Nested *>self.allocate(sizeof(Nested))
        cdef Code *code = self.code
        cdef Code *inner
        cdef Binding *binding
        cdef int i
        instruction.nested = nested
        instruction.child = code.n_children
        nested.index_external = -1
        nested.length = 1
        nested.n_bodies = len(bodies)
        nested.n_bindings = len(bindings)
        nested.bindings = <Binding *>self.allocate(len(bindings) * sizeof(Binding))
        self.program.nested[index] = bodies
        code.n_children += nested.n_bodies
        code.work += instruction.work
        for i, (external, operand, step, modulo, reverse) in enumerate(bindings):
            binding = &nested.bindings[i]
            if modulo < 0:
                raise ValueError(f"{self.where}: binding {i}: modulo {modulo}")
            binding.external = external
            binding.reverse = 1 if reverse else 0
            binding.step = step
            binding.modulo = modulo
            binding.mask = modulo - 1 if modulo and modulo & (modulo - 1) == 0 else -1
            self.add_operand(operand)
        for i in range(nested.n_bodies):
            inner = &(<Program>bodies[i]).code
            nested.bodies[i] = inner
            for external, *_ in bindings:
                if not 0 <= external < inner.n_externals:
                    raise ValueError(
                        f"{self.where}: a binding for external {external}, "
                        f"but the body has {inner.n_externals} externals"
                    )
                if inner.bound[<int>external] != NULL:
                    raise ValueError(f"{self.where}: external {external} of the body is bound already")
            code.frames_total += inner.frames_total
            code.slots_total += inner.slots_total
            code.arena_total = max(code.arena_total, code.arena_bytes + inner.arena_total)
            code.scratch = max(code.scratch, inner.scratch)
            code.depth = max(code.depth, 1 + inner.depth)
            code.parallel = code.parallel or inner.parallel
            code.host = code.host or inner.host
        if code.depth > MAX_DEPTH:
            raise ValueError(
                f"{self.where}: loops and branches nested {code.depth} deep; at most {MAX_DEPTH} are possible"
            )
        return 0

    cdef int add_operand(self, operand) except -1:
        if len(operand) == 2 and operand[0] == "arena":
            if not 0 <= operand[1] <= self.own_arena_bytes:
                raise ValueError(
                    f"{self.where}: {operand} lies outside the arena of {self.own_arena_bytes} bytes"
                )
            self.sources.append((-1, operand[1]))
        elif len(operand) == 3 and operand[0] == "external":
            if not 0 <= operand[1] < self.code.n_externals:
                raise ValueError(f"{self.where}: {operand}: there are {self.code.n_externals} externals")
            self.sources.append((operand[1], operand[2]))
        else:
            raise ValueError(
                f"{self.where}: expected ('arena', offset) or ('external', index, offset), not {operand!r}"
            )
        return 0

    cdef int finish_pointers(self) except -1:
        """Turns the list of sources around: for each external, the places that point into it."""
        cdef Code *code = self.code
        cdef int64_t slot, use = 0
        cdef int external
        code.n_slots = len(self.sources)
        code.slots_total += code.n_slots
        code.sources = <Source *>self.allocate(code.n_slots * sizeof(Source))
        code.uses = <Use *>self.allocate(code.n_slots * sizeof(Use))
        code.first_use = <int64_t *>self.allocate((code.n_externals + 1) * sizeof(int64_t))
        places = [[] for _ in range(code.n_externals)]
        for slot in range(code.n_slots):
            code.sources[slot].external, code.sources[slot].offset = self.sources[slot]
            if code.sources[slot].external >= 0:
                places[code.sources[slot].external].append(slot)
        for external in range(code.n_externals):
            code.first_use[external] = use
            for slot in places[external]:
                code.uses[use].slot = slot
                code.uses[use].offset = code.sources[slot].offset
                use += 1
        code.first_use[code.n_externals] = use
        return 0

    cdef char *allocate(self, int64_t nbytes) except NULL:
        """Zeroed memory that lives as long as the program."""
        cdef Block block = Block(nbytes)
        memset(block.data, 0, nbytes)
        self.program.blocks.append(block)
        return block.data

    def describe(self, kind, label, work, scratch, chunks=1, threads=1, **facts):
        self.program.infos.append(
            {
                "kind": kind,
                "label": label,
                "chunks": chunks,
                "work": work,
                "scratch": scratch,
                "threads": threads,
                **facts,
            }
        )
