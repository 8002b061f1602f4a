"""Benchmarks of mathnet against its peers.

Each suite is measured in a process of its own per thread count, since NumPy, PyTorch and ONNX Runtime read theirs when they
are imported.  ``all`` writes benchmarks/RESULTS.md as well.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
THREAD_VARIABLES = ("MATHNET_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
#: Suites of benchmarks/suites, in the order of the table, and what they measure.
SUITES = {
    "tiny": "what the core promises: small training steps, inference, footprint, the digits",
    "training": "whole training steps of dense, convolutional, recurrent and attention networks",
    "inference": "one example through a frozen model",
    "convolution": "single convolutions, forward and backward",
    "pooling": "pooling, forward and backward",
    "elementwise": "activations, an expression, matrix products, optimizers",
    "maths": "Hessians, their products, per-example gradients",
    "reinforcement": "steps of a simulation with an update of tiny networks after each",
    "plugins": "an activation by a plugin in training, look-ups, Runtimes, listing what is installed",
}
ONE_THREAD = {
    "tiny": ("agreement", "digits", "memory", "import", "size"),
    "reinforcement": ("agreement",),
    "plugins": ("look-ups", "opening", "listing"),
}  # measured once: threads play no part
#: What keeps XLA to one thread; it knows no other count than one and all.
XLA_ONE_THREAD = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"


def main() -> int:
    options = arguments()
    if options.measure:
        print(json.dumps(measure(options.suite, options.threads[0], options.only)))
        return 0
    rows = [
        row
        for threads in options.threads
        for suite, names in plan(options.suite, threads, options.only).items()
        for row in fresh(suite, threads, names)
    ]
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    from benchmarks import machine, report, results

    description = machine.describe(options.threads)
    print(*machine.heading(description), "", report.table(rows, description["gflops"]), sep="\n")
    if options.suite == "all" and not options.only:
        results.write(description, rows)
        print(f"written to {results.RESULTS}")
    return 0


def arguments() -> argparse.Namespace:
    listing = "\n".join(f"  {name:14} {what}" for name, what in SUITES.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"{__doc__}\nsuites:\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("suite", nargs="?", default="all", choices=["all", *SUITES], metavar="SUITE")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="measure with N threads only (default: with 1, then with 2)"
    )
    parser.add_argument("--only", metavar="GROUP,…", help="some groups of one suite")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.threads is not None and options.threads < 1:
        parser.error(f"--threads must be at least 1, not {options.threads}")
    options.threads = [1, 2] if options.threads is None else [options.threads]
    options.only = options.only.split(",") if options.only else []
    if options.only and options.suite == "all":
        parser.error("--only names groups of one suite; name the suite before it")
    unknown = set(options.only) - set(groups(options.suite)) if options.only else set()
    if unknown:
        parser.error(f"no group {min(unknown)!r}; the groups are {', '.join(groups(options.suite))}")
    return options


def groups(suite: str) -> dict[str, Any]:
    found: dict[str, Any] = importlib.import_module(f"benchmarks.suites.{suite}").GROUPS
    return found


def plan(suite: str, threads: int, only: list[str]) -> dict[str, list[str]]:
    """Suite → the groups to measure.  A group that two suites share is measured once; what threads play no part in, with one."""
    if suite != "all":
        return {suite: only or list(groups(suite))}
    seen: list[Any] = []
    found: dict[str, list[str]] = {}
    for name in SUITES:
        left_out = () if threads == 1 else ONE_THREAD.get(name, ())
        found[name] = [key for key, f in groups(name).items() if key not in left_out and f not in seen]
        seen += groups(name).values()
    return {name: names for name, names in found.items() if names}


def measure(suite: str, threads: int, names: list[str]) -> list[dict[str, Any]]:
    """The rows of this process, which has been started for this thread count."""
    return [row.as_dict() for name in names for row in groups(suite)[name](threads)]


def fresh(suite: str, threads: int, names: list[str]) -> list[dict[str, Any]]:
    """The rows of a suite, measured in a process of its own."""
    command = [sys.executable, "-m", "benchmarks", suite, "--measure", "--threads", str(threads)]
    command += ["--only", ",".join(names)]
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, str(threads))}
    if threads == 1:
        environment["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} {XLA_ONE_THREAD}".strip()
    done = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(done.returncode)
    found: list[dict[str, Any]] = json.loads(done.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    sys.exit(main())
