from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, final

from typing_extensions import Buffer

LAYOUT: int
OPCODES: dict[str, int]
OPCODE_READS: dict[str, int]
OPCODE_PAIRS: frozenset[tuple[str, str]]
OPCODE_SLOPES: dict[str, str]

class KernelLookupError(KeyError): ...

class KernelFault(ArithmeticError):
    code: int
    position: int
    value: float
    def __init__(self, name: str, code: int, position: int, value: float) -> None: ...

class Sizes(NamedTuple):
    chunks: int
    scratch: int
    shared: int
    finish: int
    work: float

@final
class Kernel:
    @property
    def name(self) -> str: ...
    @property
    def real(self) -> str: ...
    @property
    def isa(self) -> str: ...
    @property
    def address(self) -> int: ...
    @property
    def field_names(self) -> tuple[str, ...]: ...
    def pack(self, tail: bytes = b"", **values: Any) -> bytes: ...
    def unpack(self, descriptor: bytes) -> dict[str, Any]: ...
    def sizes(self, descriptor: bytes) -> Sizes: ...
    def run(
        self, descriptor: bytes, operands: Sequence[Buffer], order: Iterable[int] | None = None
    ) -> None: ...

def cpu_runs(isa: str) -> bool: ...
def read_table(capsule: object) -> dict[str, Kernel]: ...
def lookup(kernels: dict[str, Kernel], name: str, where: str) -> Kernel: ...
