"""Peak memory of training, the library excluded.

Each side runs in a fresh process.  It first trains the same network on one example, so that code and tables that the library loads
late count as library; then the peak counter is reset, and what three steps on the real batch need beyond what is resident with the
weights is the result: activations, gradients, state of the optimizer, workspaces, and what was allocated in passing.
"""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import workloads

SIDES = ("mathnet", "pytorch")
STEPS = 3
_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")

#: Builds a step from (network, examples, labels).
Prepare = Callable[[Any, Any, Any], Callable[[], object]]


def training_peak_bytes(side: str, name: str = "vgg", threads: int = 1) -> int:
    """Bytes that training workload ``name`` needs at its peak beyond library, weights and data; ``side`` is one of ``SIDES``.

    Raises ValueError for another side, ImportError when the library is missing, OSError where the system has no /proc.
    """
    if side not in SIDES:
        raise ValueError(f"training_peak_bytes: side must be one of {', '.join(SIDES)}, not {side!r}")
    variables = {"MATHNET_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", side, name],
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
    )
    if finished.returncode:
        kind = ImportError if "ModuleNotFoundError" in finished.stderr else OSError
        raise kind(f"training_peak_bytes({side!r}, {name!r}): {finished.stderr.strip().splitlines()[-1]}")
    return int(finished.stdout)


def peak_beyond(action: Callable[[], object]) -> int:
    """Bytes of resident memory that ``action`` adds at its peak."""
    gc.collect()
    before = _status("VmRSS")
    _CLEAR.write_text("5")  # the peak starts again from what is resident now
    action()
    return _status("VmHWM") - before


def _status(field: str) -> int:
    for line in _STATUS.read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{_STATUS} has no field {field}")


def _training(side: str, name: str) -> tuple[Callable[[str], Any], Prepare]:
    """How a side builds the network of a workload, and its training step."""
    if side == "mathnet":

        def prepare(model: Any, x: Any, y: Any) -> Callable[[], object]:
            trainer = workloads.trainer(name, model)
            return lambda: trainer.step(x, y)

        return workloads.network, prepare
    from benchmarks.peers import pytorch

    return pytorch.network, lambda model, x, y: pytorch.train(name, x, y, model)


def measured(side: str, name: str) -> int:
    """What ``training_peak_bytes`` gives, in this process, which has trained nothing before."""
    network, prepare = _training(side, name)
    x, y = workloads.data(name)
    prepare(network(name), x[:1], y[:1])()
    model = network(name)

    def train() -> None:
        step = prepare(model, x, y)
        for _ in range(STEPS):
            step()

    return peak_beyond(train)


if __name__ == "__main__":
    print(measured(*sys.argv[1:]))
