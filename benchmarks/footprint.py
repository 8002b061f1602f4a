"""What mathnet takes: time to import, size on disk, memory kept by training steps."""

from __future__ import annotations

import gc
import importlib.metadata
import os
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median

import mathnet

#: Modules that must not be loaded before something needs them.
LATE = ("matplotlib", "safetensors", "scipy", "tqdm")
STATM = Path("/proc/self/statm")
SHIPPED = (".py", ".pyi", ".pxd", ".h", ".so", ".npz", ".md", ".typed")


def import_seconds(rounds: int = 11) -> tuple[float, float, float]:
    """Median seconds of ``import numpy``, of ``import numpy, mathnet``, and of that with a name looked up that needs all of mathnet.

    Each is run in fresh processes, taken alternately.
    """
    programs = ("import numpy", "import numpy, mathnet", "import numpy, mathnet; mathnet.Trainer")
    times: dict[str, list[float]] = {program: [] for program in programs}
    for round_ in range(rounds + 1):
        for program, taken in times.items():
            timed = f"import time; start = time.perf_counter(); {program}; print(time.perf_counter() - start)"
            seconds = float(output(timed))
            if round_:  # the first one fills the file cache
                taken.append(seconds)
    numpy, bare, full = (median(times[program]) for program in programs)
    return numpy, bare, full


def output(program: str) -> str:
    """What a fresh interpreter prints that runs ``program``, with byte code at hand as in any installation."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout


def loaded_by_import() -> list[str]:
    """Top-level modules among ``LATE``, and installed plugins of others, that ``import mathnet`` loads."""
    program = (
        "import sys, mathnet; mathnet.Trainer; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    points = importlib.metadata.entry_points(group="mathnet")
    plugins = {point.value.split(":")[0].split(".")[0] for point in points}
    return sorted(set(output(program).split()) & ({*LATE} | plugins))


def installed_bytes() -> int:
    """Bytes of the files that the wheel installs, the standard plugin included, without byte code."""
    import mathnet_std

    folders = [Path(module.__file__).parent for module in (mathnet, mathnet_std) if module.__file__]
    files = [
        path
        for folder in folders
        for path in folder.rglob("*")
        if path.suffix in SHIPPED or path.name == "py.typed"
    ]
    return sum(path.stat().st_size for path in files if "__pycache__" not in path.parts)


def kept_by_steps(step: Callable[[], object], count: int = 100_000) -> tuple[int, int]:
    """(bytes of traced Python and NumPy allocations, bytes of resident memory) that ``count`` steps add after a warm-up."""
    for _ in range(1000):
        step()
    resident_bytes()
    tracemalloc.start()
    step()
    gc.collect()
    traced, resident = tracemalloc.get_traced_memory()[0], resident_bytes()
    for _ in range(count):
        step()
    gc.collect()
    added = tracemalloc.get_traced_memory()[0] - traced, resident_bytes() - resident
    tracemalloc.stop()
    return added


def resident_bytes() -> int:
    """Resident memory of this process now; on systems without /proc the peak."""
    if STATM.exists():
        return int(STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
