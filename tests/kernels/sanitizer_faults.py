"""Planted faults that a build with sanitizers and bounds checks must find; run by ``tools/check_kernels sanitize`` only."""

import subprocess
import sys

import pytest
import runner_kernels

SANITIZERS = [
    "-g",
    "-O1",
    "-std=gnu11",
    "-mavx2",
    "-mfma",
    "-fsanitize=address,undefined",
    "-fno-sanitize-recover=all",
]


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    """Python code that loads planted_faults.c as `faults`."""
    library = tmp_path_factory.mktemp("planted") / "planted_faults.so"
    source = str(runner_kernels.HERE / "planted_faults.c")
    command = [
        *runner_kernels.compiler(),
        *runner_kernels.FLAGS,
        *SANITIZERS,
        "-shared",
        source,
        "-o",
        str(library),
    ]
    subprocess.run(command, check=True)
    return f"import ctypes; faults = ctypes.CDLL({str(library)!r})"


def outcome(code):
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return run.returncode, run.stderr


def test_a_kernel_that_is_told_a_wrong_size_is_found():
    code = (
        "import numpy as np; import mathnet._kernels as kernels; fill = kernels.kernel('fill', 'float32');"
        "fill.run(fill.pack(n={}, itemsize=4, value=0), [np.empty(1000, 'float32')])"
    )
    assert outcome(code.format(1000))[0] == 0
    status, report = outcome(code.format(1001))
    assert status and "heap-buffer-overflow" in report and "_f32" in report


def test_a_tile_that_reads_too_far_is_found(planted):
    code = (
        planted
        + "; import numpy as np; b = np.ones({}, 'float32'); faults.planted_wide_tile(ctypes.c_void_p(b.ctypes.data))"
    )
    assert outcome(code.format(1016))[0] == 0
    beyond = code.replace("b.ctypes.data", "b.ctypes.data + 4 * (b.size - 15)")
    status, report = outcome(beyond.format(1016))
    assert (
        status and "AddressSanitizer" in report and "mn_tile" in report
    )  # a vector across the end is "unknown-crash"


def test_undefined_behaviour_is_found(planted):
    assert outcome(planted + "; faults.planted_overflow(5)")[0] == 0
    status, report = outcome(planted + "; faults.planted_overflow(2**31 - 1)")
    assert status and "signed integer overflow" in report


def test_bounds_are_checked():
    """`planted` reads a list by number; the script appends it to the runner of its copy of the tree."""
    status, report = outcome("from mathnet._kernels import runner; runner.planted([1], 5)")
    assert status == 1 and "IndexError: list index out of range" in report
