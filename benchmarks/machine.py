"""What the machine can do: its name, the peak of its arithmetic and of its memory, measured, so that figures can be read as shares."""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import platform
import subprocess
import sysconfig
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.peers import NAMES

SOURCE = Path(__file__).with_name("peak.c")
FLAGS = ("-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC")
ROUNDS = 20_000_000
COPIED = 64 * 2**20  # bytes per thread, beyond the caches
#: Peers and the distributions that hold their versions.
DISTRIBUTIONS = {
    **{name: name for name in NAMES},
    "pytorch": "torch",
    "scikit_learn": "scikit-learn",
    "numpy_by_hand": "numpy",
}


def describe(thread_counts: list[int]) -> dict[str, Any]:
    """Processor, versions, and for each thread count the peak in GFLOP/s (None without a compiler) and the copy in GB/s."""
    import mathnet
    from mathnet import _kernels

    versions = {}
    for name, distribution in DISTRIBUTIONS.items():
        try:
            versions[NAMES[name]] = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            continue
    return {
        "processor": processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}, Python {platform.python_version()}",
        "mathnet": f"{mathnet.__version__}, {_kernels.isa()}",
        "peers": versions,
        "gflops": {threads: peak_gflops(threads) for threads in thread_counts},
        "copy": {threads: copy_gigabytes(threads) for threads in thread_counts},
    }


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def peak_gflops(threads: int) -> float | None:
    """Multiply-adds of float32, counted as two, on ``threads`` threads at once; None when nothing compiles here."""
    compiler = (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder, "peak.so")
        command = [*compiler, *FLAGS, str(SOURCE), "-o", str(library)]
        try:
            done = subprocess.run(command, capture_output=True, check=False)
        except OSError:
            return None
        if done.returncode:
            return None
        multiply_add = ctypes.CDLL(str(library)).multiply_add
    multiply_add.argtypes, multiply_add.restype = [ctypes.c_long], ctypes.c_double
    done_by_one = multiply_add(ROUNDS)
    return 2.0 * done_by_one * threads / together(lambda: multiply_add(ROUNDS), threads) / 1e9


def copy_gigabytes(threads: int) -> float:
    """Bytes read and written by copies of large arrays, per second, in GB/s."""
    pairs = [(np.ones(COPIED // 4, np.float32), np.empty(COPIED // 4, np.float32)) for _ in range(threads)]
    free = iter(pairs * 100)
    return 2 * COPIED * threads / together(lambda: np.copyto(*reversed(next(free))), threads) / 1e9


def together(work: Callable[[], object], threads: int) -> float:
    """The best of five times in which every one of ``threads`` threads does ``work`` once; it must free the GIL."""
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(6):
            start = time.perf_counter()
            for done in [pool.submit(work) for _ in range(threads)]:
                done.result()
            best = min(best, time.perf_counter() - start)
    return best


def heading(machine: dict[str, Any]) -> list[str]:
    """The description as lines of text."""
    peers = ", ".join(f"{name} {version}" for name, version in machine["peers"].items())
    lines = [
        f"{machine['processor']}, {machine['cores']} cores; {machine['system']}",
        f"mathnet {machine['mathnet']}; {peers}",
    ]
    for threads, gflops in machine["gflops"].items():
        peak = "not measured (no C compiler)" if gflops is None else f"{gflops:.0f} GFLOP/s"
        lines.append(
            f"{threads} thread{'s' * (threads > 1)}: float32 peak {peak}, copy {machine['copy'][threads]:.1f} GB/s"
        )
    return lines
