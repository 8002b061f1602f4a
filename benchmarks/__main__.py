"""Command line of the benchmarks; see ``python -m benchmarks --help``.

Thread counts of NumPy, PyTorch and ONNX Runtime are read when these are imported, so nothing of them is imported here
before the environment is set; each thread count is measured in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
THREAD_VARIABLES = ("MATHNET_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    suites = parser.add_subparsers(title="suites", required=True, metavar="SUITE")
    tiny = suites.add_parser(
        "tiny", help="what the core promises: small training steps, inference, footprint, the digits"
    )
    tiny.add_argument(
        "--threads",
        type=int,
        metavar="N",
        help="measure with N threads only (default: 1, and 2 where it matters)",
    )
    tiny.add_argument(
        "--only",
        metavar="GROUP,…",
        help="xor, mlp, inference, expression, agreement, digits, memory, import, size",
    )
    tiny.add_argument("--json", action="store_true", help="print rows as JSON")
    options = parser.parse_args()

    if options.threads is not None:
        os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(options.threads)))
        from benchmarks import tiny as suite

        only = options.only.split(",") if options.only else list(suite.GROUPS)
        unknown = [name for name in only if name not in suite.GROUPS]
        if unknown:
            parser.error(f"no group {unknown[0]!r}; the groups are {', '.join(suite.GROUPS)}")
        rows = [row.as_dict() for name in only for row in suite.GROUPS[name](options.threads)]
    else:
        rows = measured(1, options.only or "") + measured(2, _parallel(options.only))
    if options.json:
        print(json.dumps(rows, indent=2))
    else:
        from benchmarks.report import table

        print(table(rows))
    return 0


def _parallel(only: str | None) -> str | None:
    """The groups that are measured on two threads as well; None when no such group is asked for."""
    groups = [name for name in ("mlp", "expression") if not only or name in only.split(",")]
    return ",".join(groups) or None


def measured(threads: int, only: str | None) -> list[dict]:
    """The rows of a fresh process with ``threads`` threads."""
    if only is None:
        return []
    command = [sys.executable, "-m", "benchmarks", "tiny", "--json", "--threads", str(threads)]
    done = subprocess.run(
        command + (["--only", only] if only else []), cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.returncode)
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
