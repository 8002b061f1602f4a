# What a failing kernel or a refused argument becomes in Python.

#: The codes of abi.h by name, and what they mean.
STATUS_CODES = {
    "index_out_of_range": MN_INDEX_OUT_OF_RANGE,
    "nan": MN_NAN,
    "not_finite": MN_NOT_FINITE,
    "zero_weight": MN_ZERO_WEIGHT,
    "host_error": MN_HOST_ERROR,
    "interrupted": MN_INTERRUPTED,
    "steps_exhausted": MN_STEPS_EXHAUSTED,
}
STATUS_TEXTS = {
    MN_INDEX_OUT_OF_RANGE: "index out of range",
    MN_NAN: "NaN",
    MN_NOT_FINITE: "a value that is not finite",
    MN_ZERO_WEIGHT: "weights that sum to zero",
    MN_HOST_ERROR: "an error in a host operation",
    MN_INTERRUPTED: "interrupted",
    MN_STEPS_EXHAUSTED: "a loop that has not ended within its steps",
}


class StatusError(Exception):
    """An instruction refused its data; nothing of the commit part has run.

    The plan layer words it for the user; the attributes say everything that the runner knows.

    Attributes:
        code: the status, one of the ``MN_…`` codes of ``abi.h`` or a kernel's own.
        instruction: index in the outermost program, or -1 when an input was refused before it ran.
        path: indices from the outermost program to the failing instruction in a loop body or branch.
        iterations: beside each element of ``path`` but the last, the iteration of that loop (for a branch 0:
            then, 1: else).
        label: the failing instruction's label, or ``"input i"``.
        position, value: what the kernel reported: usually the element's index and the offending value.
        input: index of the refused input, else None.
        step: for many steps in one call, the number of the failing one, else None.
    """

    def __init__(
        self, code, instruction, position, value, *, label="", path=(), iterations=(), input=None, step=None
    ):
        super().__init__(code, instruction, position, value)
        self.code = code
        self.instruction = instruction
        self.position = position
        self.value = value
        self.label = label
        self.path = tuple(path) or (instruction,)
        self.iterations = tuple(iterations)
        self.input = input
        self.step = step

    def __str__(self):
        text = STATUS_TEXTS.get(self.code, f"status {self.code}")
        where = f"instruction {'.'.join(map(str, self.path))} ({self.label})"
        if self.input is not None:
            where = f"input {self.input}"
        step = "" if self.step is None else f", step {self.step}"
        return f"{text} in {where}{step}: position {self.position}, value {self.value:g}"
