"""Checks an installed mathnet from outside its source tree: run by .ci/run with the environment's own interpreter.

usage: python smoke.py --wheel | --editable
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import json
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def run(*command: str) -> str:
    """Standard output of ``command``; its standard error is shown when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} exited with {done.returncode}\n{done.stderr}")
    return done.stdout


def main(form: str) -> None:
    import mathnet_std

    import mathnet

    places = [Path(module.__file__).resolve() for module in (mathnet, mathnet_std)]
    in_tree = [place.is_relative_to(SOURCE) for place in places]
    assert all(in_tree) if form == "--editable" else not any(in_tree), places

    assert importlib.metadata.version("mathnet") == mathnet.__version__
    for name in ("py.typed", "data/digits.npz", "data/sunspots.csv", "data/README.md", "_kernels/abi.h"):
        assert importlib.resources.files("mathnet").joinpath(name).is_file(), name
    assert importlib.resources.files("mathnet_std").joinpath("py.typed").is_file()

    program = str(BIN / "mathnet")
    assert run(program, "--version").strip() == run(sys.executable, "-m", "mathnet", "--version").strip()
    assert mathnet.__version__ in run(program, "info")
    listed = json.loads(run(program, "plugins", "--json"))
    assert any(plugin["distribution"] in ("mathnet", "mathnet_std") for plugin in listed), listed
    with tempfile.TemporaryDirectory() as folder:
        result = json.loads(run(program, "demo", "--json", "--epochs", "1", "--out", folder))
        assert set(result) == {"accuracy", "seconds", "model", "figure"}, result
        assert result["accuracy"] > 0.5, result
        assert Path(result["model"]).is_file()
        run(program, "inspect", result["model"])
    print(f"{form[2:]} install at {places[0].parent}: fine")


if __name__ == "__main__":
    main(sys.argv[1])
