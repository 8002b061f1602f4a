"""What mathnet takes: time to import, size on disk, memory kept by training steps."""

from __future__ import annotations

import gc
import importlib.metadata
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from statistics import median

import mathnet

#: Modules that must not be loaded before something needs them.
LATE = ("matplotlib", "safetensors", "scipy", "tqdm")
SHIPPED = (".py", ".pyi", ".pxd", ".h", ".so", ".npz", ".md", ".typed")


def import_seconds(rounds: int = 11) -> tuple[float, float]:
    """Median seconds of ``import numpy`` and of ``import mathnet``, each in fresh processes, taken alternately."""
    times: dict[str, list[float]] = {"numpy": [], "mathnet": []}
    for round_ in range(rounds + 1):
        for name, taken in times.items():
            code = (
                f"import time; start = time.perf_counter(); import {name}; print(time.perf_counter() - start)"
            )
            seconds = float(
                subprocess.run(
                    [sys.executable, "-c", code], capture_output=True, text=True, check=True
                ).stdout
            )
            if round_:  # the first one fills the file cache
                taken.append(seconds)
    return median(times["numpy"]), median(times["mathnet"])


def loaded_by_import() -> list[str]:
    """Top-level modules among ``LATE``, and installed plugins of others, that ``import mathnet`` loads."""
    code = "import sys, mathnet; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    plugins = {
        point.value.split(":")[0].split(".")[0] for point in importlib.metadata.entry_points(group="mathnet")
    }
    return sorted(loaded & ({*LATE} | plugins))


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
    statm = Path("/proc/self/statm")
    if statm.exists():
        import resource

        return int(statm.read_text().split()[1]) * resource.getpagesize()
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
