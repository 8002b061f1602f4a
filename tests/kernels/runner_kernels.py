"""Kernels for testing the runner: a small C file, compiled once a session against the public ABI."""

import ctypes
import shlex
import struct
import subprocess
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

HERE = Path(__file__).parent
KERNELS = HERE.parents[1] / "mathnet" / "_kernels"
FLAGS = ["-O2", "-fno-math-errno", "-ffp-contract=off", "-fPIC", "-Wall", "-Wextra", f"-I{KERNELS}"]


class Sizes(NamedTuple):
    chunks: int = 1
    scratch: int = 0
    shared: int = 0
    finish: int = 0
    work: float = 5.0


def compiler() -> list[str]:
    """The C compiler that Python was built with."""
    return shlex.split(sysconfig.get_config_var("CC") or "cc")


class RunnerKernels:
    """Builds kernel instructions of runner_kernels.c by name."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self.library = library

    def address(self, name: str) -> int:
        return ctypes.cast(getattr(self.library, name), ctypes.c_void_p).value

    def instruction(
        self, name: str, operands: list, packed: bytes = b"", sizes: Sizes | None = None
    ) -> tuple:
        return ("kernel", self.address(name), packed, tuple(operands), sizes or Sizes(), name)

    def affine(
        self, x, y, n: int, scale: float, shift: float = 0.0, chunk: int | None = None, work: float = 5.0
    ) -> tuple:
        """y = scale·x + shift."""
        chunk = chunk or max(n, 1)
        sizes = Sizes(chunks=-(-n // chunk), work=work)
        return self.instruction("affine", [x, y], struct.pack("qqdd", n, chunk, scale, shift), sizes)

    def add(self, x, y, z, n: int, chunk: int | None = None, work: float = 5.0) -> tuple:
        """z = x + y."""
        chunk = chunk or max(n, 1)
        return self.instruction(
            "add", [x, y, z], struct.pack("qq", n, chunk), Sizes(chunks=-(-n // chunk), work=work)
        )

    def sum(self, x, y, shared, n: int, chunk: int, work: float = 5.0) -> tuple:
        """y[0] = Σ x, with one partial sum per chunk in `shared`."""
        chunks = -(-n // chunk)
        sizes = Sizes(chunks=chunks, shared=4 * chunks, finish=1, work=work)
        return self.instruction("sum", [x, y, shared], struct.pack("qq", n, chunk), sizes)

    def multiples_of_sum(self, x, y, shared, n: int, chunk: int, results: int, work: float = 5.0) -> tuple:
        """y[j] = (j + 1) Σ x for j < results, in two stages."""
        chunks = -(-n // chunk)
        sizes = Sizes(chunks=chunks, shared=4 * chunks, finish=results, work=work)
        return self.instruction(
            "multiples_of_sum", [x, y, shared], struct.pack("qqq", n, chunk, results), sizes
        )

    def refuse_nan(self, x, n: int, chunk: int | None = None, work: float = 5.0) -> tuple:
        chunk = chunk or n
        return self.instruction(
            "refuse_nan", [x], struct.pack("qq", n, chunk), Sizes(chunks=-(-n // chunk), work=work)
        )

    def spin(self, microseconds: int, chunks: int = 1) -> tuple:
        sizes = Sizes(chunks=chunks, work=1e3 * microseconds * chunks)
        return self.instruction("spin", [], struct.pack("q", microseconds), sizes)


@pytest.fixture(scope="session")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> RunnerKernels:
    target = tmp_path_factory.mktemp("kernels") / "runner_kernels.so"
    command = [*compiler(), *FLAGS, "-shared", str(HERE / "runner_kernels.c"), "-o", str(target)]
    subprocess.run(command, check=True)
    return RunnerKernels(ctypes.CDLL(str(target)))
