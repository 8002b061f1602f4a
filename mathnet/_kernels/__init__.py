"""Kernels: which instruction set is used, and how to find and pack a kernel.

A kernel table is an extension module for one instruction set and one real type (``avx2_f32``, …).  The best
instruction set this processor has is chosen at import; ``MATHNET_ISA`` forces another: ``avx512``, ``avx2`` or
``baseline`` (SSE2) on x86-64; an AArch64 has ``neon`` only.

>>> fill = kernel("fill", "float32")
>>> packed = fill.pack(n=10, itemsize=4, value=0)
>>> fill.sizes(packed).chunks
1
"""

import importlib
import os
from collections.abc import Iterable
from importlib.machinery import PathFinder

from mathnet._kernels import runner
from mathnet._kernels.dispatch import (
    LAYOUT,
    OPCODE_PAIRS,
    OPCODE_READS,
    OPCODE_SLOPES,
    OPCODES,
    Kernel,
    KernelFault,
    KernelLookupError,
    Sizes,
    cpu_runs,
    lookup,
    read_table,
)

__all__ = [
    "OPCODES",
    "OPCODE_PAIRS",
    "OPCODE_READS",
    "OPCODE_SLOPES",
    "Kernel",
    "KernelFault",
    "KernelLookupError",
    "Sizes",
    "built",
    "get_include",
    "isa",
    "kernel",
    "load_table",
    "plugin_kernels",
]

#: Instruction sets, best first.  "wide" emulates AVX-512, for tests on machines without it; no installation has it.
INSTRUCTION_SETS = ("avx512", "avx2", "neon", "baseline", "wide")
REALS = {"float32": "f32", "float64": "f64"}


def _check_layout(name: str, layout: int | None) -> None:
    if layout != LAYOUT:
        raise ImportError(
            f"{__name__}.{name} and {__name__}.dispatch were compiled from different sources: rebuild mathnet "
            "(pip install . or, in a source tree, python setup.py build_ext --inplace)"
        )


_check_layout("runner", getattr(runner, "LAYOUT", None))

_tables: dict[tuple[str, str], dict[str, Kernel]] = {}


def built() -> tuple[str, ...]:
    """The instruction sets this installation has tables for, best first."""
    return tuple(
        name for name in INSTRUCTION_SETS if PathFinder.find_spec(f"{__name__}.{name}_f32", __path__)
    )


def _choose() -> str:
    usable = [name for name in built() if cpu_runs(name)]
    wanted = os.environ.get("MATHNET_ISA")
    if not usable:
        raise ImportError("mathnet has no kernel table for this processor: reinstall mathnet from source")
    if not wanted:
        return usable[0]
    if wanted not in usable:
        reason = "is not an instruction set of this processor" if wanted in built() else "is not built"
        raise ImportError(f"MATHNET_ISA={wanted!r} {reason}: choose from {', '.join(usable)}")
    return wanted


_ISA = _choose()


def isa() -> str:
    """The instruction set in use."""
    return _ISA


def load_table(isa: str, real: str) -> dict[str, Kernel]:
    """Every kernel of one table, by name; tables are loaded on first use.

    Raises KernelLookupError for an unknown real type or a table that is not built or cannot run here, ImportError for one
    that was compiled from other sources than the rest.
    """
    table = _tables.get((isa, real))
    if table is None:
        if real not in REALS:
            raise KernelLookupError(f"no kernels for real type {real!r}: choose from {', '.join(REALS)}")
        if isa not in built() or not cpu_runs(isa):
            usable = ", ".join(name for name in built() if cpu_runs(name))
            raise KernelLookupError(f"no kernels for instruction set {isa!r} here: choose from {usable}")
        name = f"{isa}_{REALS[real]}"
        module = importlib.import_module(f"{__name__}.{name}")
        _check_layout(name, getattr(module, "__layout__", None))
        table = read_table(module.__table__)
        _tables[isa, real] = table
    return table


def plugin_kernels(capsules: Iterable[object]) -> dict[str, dict[str, Kernel]]:
    """The kernels in the capsules of a compiled plugin: for each real type those of the best table that runs here, by name.

    Raises ImportError, which names both versions, for a table of another ABI version; ValueError for what is no table.
    """
    usable = [name for name in INSTRUCTION_SETS[INSTRUCTION_SETS.index(_ISA) :] if cpu_runs(name)]
    ranks = {name: rank for rank, name in enumerate([*usable, "baseline"])}  # "baseline" runs everywhere
    best: dict[str, tuple[int, dict[str, Kernel]]] = {}
    for capsule in capsules:
        found = read_table(capsule)
        for real, isa in {(kernel.real, kernel.isa) for kernel in found.values()}:
            if real not in REALS or isa not in INSTRUCTION_SETS:
                raise ImportError(
                    f"its kernel table is for {real!r} and {isa!r}, which mathnet does not know"
                )
            if isa in ranks and (real not in best or ranks[isa] < best[real][0]):
                best[real] = ranks[isa], found
    return {real: found for real, (_, found) in best.items()}


def get_include() -> str:
    """The folder with the headers and the Cython declarations that a compiled plugin is built with.

    It belongs to the include paths of the C compiler (``#include "abi.h"``) and of Cython (``from mathnet_kernel cimport …``).

    >>> import mathnet as mn, os
    >>> os.path.isfile(os.path.join(mn.get_include(), "abi.h"))
    True
    """
    return os.path.dirname(os.path.abspath(__file__))


def kernel(name: str, real: str) -> Kernel:
    """The kernel of that name for a real type ("float32" or "float64") and the instruction set in use.

    Raises KernelLookupError (a KeyError) with the nearest names.
    """
    return lookup(load_table(_ISA, real), name, f"the {_ISA} {real} table")
