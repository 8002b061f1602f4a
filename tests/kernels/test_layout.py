"""Modules that were compiled from different sources are refused, not mixed."""

import ctypes
import importlib
import re
import subprocess
import sys
from types import ModuleType

import pytest
import runner_kernels

import mathnet._kernels as kernels
from mathnet._kernels import dispatch, runner

USABLE = [name for name in kernels.built() if kernels.cpu_runs(name)]
LAYOUT = "uint64_t layout_in_use(void) { return mn_layout(); }"


def layout_of(folder, **changes):
    """The number that headers with these changes, (file, pattern, replacement) by name, have."""
    for name in ("abi.h", "opcodes.h", "layout.h"):
        text = (runner_kernels.KERNELS / name).read_text()
        for file, pattern, replacement in changes.values():
            if file == name:
                text, count = re.subn(pattern, replacement, text, count=1)
                assert count, f"{name} has no {pattern!r}"
        (folder / name).write_text(text)
    (folder / "layout.c").write_text(f'#include "layout.h"\n{LAYOUT}\n')
    command = [*runner_kernels.compiler(), "-fPIC", "-shared", str(folder / "layout.c"), "-o"]
    library = folder / "layout.so"
    subprocess.run([*command, str(library)], check=True)
    function = ctypes.CDLL(str(library)).layout_in_use
    function.restype = ctypes.c_uint64
    return function()


def test_all_modules_of_an_installation_have_one_layout(tmp_path):
    tables = [
        importlib.import_module(f"mathnet._kernels.{isa}_{real}") for isa in USABLE for real in ("f32", "f64")
    ]
    assert (
        {table.__layout__ for table in tables}
        == {dispatch.LAYOUT}
        == {runner.LAYOUT}
        == {layout_of(tmp_path)}
    )


CHANGES = {
    "an operation more": ("opcodes.h", r"X\(copy, 1, 0\.05f\)", "X(copy, 1, 0.05f) X(twice, 1, 0.05f)"),
    "two operations change places": (
        "opcodes.h",
        r"X\(add, 2, 0\.05f\) X\(sub, 2, 0\.05f\)",
        "X(sub, 2, 0.05f) X(add, 2, 0.05f)",
    ),
    "another number of registers": ("opcodes.h", r"X\(square, 1,", "X(square, 2,"),
    "the fields of an operation": ("opcodes.h", r"uint16_t op, d, a, b", "uint16_t d, op, a, b"),
    "a pair less": ("opcodes.h", r"X\(add, 2, div, 0, 1\) \\\n", "\\\\\n"),
    "the fields of the sizes": (
        "abi.h",
        r"int64_t chunks;(?s:(.*?))int64_t scratch;",
        r"int64_t scratch;\1int64_t chunks;",
    ),
    "a status code": ("abi.h", "MN_INTERRUPTED = 6", "MN_INTERRUPTED = 16"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_modules_must_agree_on_changes_the_layout(tmp_path, change):
    assert layout_of(tmp_path, change=CHANGES[change]) != dispatch.LAYOUT


def test_words_and_costs_do_not(tmp_path):
    words = ("abi.h", "What a kernel returns", "What a kernel gives back")
    cost = ("opcodes.h", r"X\(add, 2, 0\.05f\)", "X(add, 2, 0.25f)")
    assert layout_of(tmp_path, words=words, cost=cost) == dispatch.LAYOUT


@pytest.mark.parametrize("stale", [{"__layout__": dispatch.LAYOUT ^ 1}, {}], ids=["another", "none"])
def test_a_stale_table_is_refused(monkeypatch, stale):
    isa = USABLE[0]
    name = f"mathnet._kernels.{isa}_f32"
    module = ModuleType(name)
    vars(module).update(stale, __table__=importlib.import_module(name).__table__)
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(kernels, "_tables", {})
    with pytest.raises(
        ImportError, match=rf"{isa}_f32 and .*dispatch were compiled from different .*: rebuild"
    ):
        kernels.load_table(isa, "float32")
    vars(module)["__layout__"] = dispatch.LAYOUT
    assert "fill" in kernels.load_table(isa, "float32")


def test_a_stale_runner_is_refused():
    code = (
        "import sys, types; name = 'mathnet._kernels.runner'; module = types.ModuleType(name); module.LAYOUT = 1;"
        "sys.modules[name] = module; import mathnet._kernels"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 1
    assert re.search(
        r"ImportError: .*runner and .*dispatch were compiled from different sources: rebuild", run.stderr
    )
