"""The kernel headers compile without a warning for every instruction set that the compiler knows."""

import platform
import subprocess

import pytest
import runner_kernels

HEADERS = sorted(
    path.name for path in runner_kernels.KERNELS.glob("*.h") if not path.name.startswith("simd_")
)
AVX512 = ["-mavx2", "-mfma", "-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl"]
X86 = {"baseline": [], "avx2": ["-mavx2", "-mfma"], "avx512": AVX512}
FLAGS = X86 if platform.machine() == "x86_64" else {"native": []}


@pytest.mark.parametrize("real", ["float32", "float64"])
@pytest.mark.parametrize("isa", FLAGS)
def test_no_warning(isa, real):
    command = [
        *runner_kernels.compiler(),
        *runner_kernels.FLAGS,
        *FLAGS[isa],
        "-std=gnu11",
        "-Werror",
        "-Wno-psabi",
    ]
    command += ["-DMN_REAL_IS_DOUBLE"] if real == "float64" else []
    # Each kernel family uses its own of the functions.
    command += ["-Wno-unused-function", "-fsyntax-only", "-x", "c", "-"]
    source = "".join(f'#include "{name}"\n' for name in HEADERS)
    run = subprocess.run(command, input=source, capture_output=True, text=True)
    assert not run.returncode, run.stderr
