"""The guard page itself: a step beyond the array must end the process."""

import signal
import subprocess
import sys
from pathlib import Path

import guard_page
import numpy as np


def test_array_is_usable_and_ends_at_the_page():
    array = guard_page.copy(np.arange(1000, dtype="float32").reshape(10, 100))
    assert array.sum() == 499500
    assert (array.ctypes.data + array.nbytes) % 4096 == 0
    assert np.isnan(guard_page.empty((3,), "float64")).all()


def test_reading_beyond_the_array_is_fatal():
    program = (
        "import ctypes; import guard_page; a = guard_page.empty(7, 'uint8');"
        "ctypes.string_at(a.ctypes.data, 7); print('inside', flush=True); ctypes.string_at(a.ctypes.data, 8)"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=Path(__file__).parent
    )
    assert run.stdout == "inside\n"
    assert run.returncode in (-signal.SIGSEGV, -signal.SIGBUS)
