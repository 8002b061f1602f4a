"""What an installation contains: metadata, entry points, data, stubs.

The checks read the source tree and ``pyproject.toml``; those that need an installed distribution are skipped where mathnet runs
from its tree without one.
"""

from __future__ import annotations

import ast
import importlib
import importlib.metadata
import importlib.resources
import tomllib
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mathnet
from mathnet._kernels import INSTRUCTION_SETS, cpu_runs

ROOT = Path(__file__).resolve().parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGE = importlib.resources.files("mathnet")


@pytest.fixture
def distribution() -> importlib.metadata.Distribution:
    try:
        return importlib.metadata.distribution("mathnet")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("mathnet is not installed; it runs from its source tree")


def test_installed_metadata(distribution: importlib.metadata.Distribution) -> None:
    assert distribution.version == mathnet.__version__
    assert distribution.metadata["License-Expression"] == "MIT"
    required = {
        requirement.split(">")[0]
        for requirement in distribution.requires or []
        if "extra ==" not in requirement
    }
    assert required == {"numpy", "pluggy", "safetensors", "tqdm"}


def test_installed_entry_point(distribution: importlib.metadata.Distribution) -> None:
    (point,) = distribution.entry_points.select(group="console_scripts", name="mathnet")
    assert point.load() is importlib.import_module("mathnet.cli").main


def test_declared_metadata() -> None:
    assert PROJECT["requires-python"] == ">=3.11"
    assert PROJECT["scripts"] == {"mathnet": "mathnet.cli:main"}
    assert {"plot", "test", "lint", "bench"} <= PROJECT["optional-dependencies"].keys()
    assert mathnet.__version__.count(".") == 2


def test_the_changelog_is_kept() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert "## [Unreleased]" in text or f"## [{mathnet.__version__}]" in text


@pytest.mark.parametrize(
    "name", ["py.typed", "data/digits.npz", "data/sunspots.csv", "data/README.md", "_kernels/abi.h"]
)
def test_package_data_is_there(name: str) -> None:
    assert PACKAGE.joinpath(name).is_file()


def test_the_standard_plugin_comes_along() -> None:
    assert importlib.resources.files("mathnet_std").joinpath("py.typed").is_file()


def test_digits() -> None:
    images, labels = mathnet.data.digits()
    assert (images.shape, images.dtype, labels.shape, labels.dtype) == (
        (1797, 8, 8),
        np.uint8,
        (1797,),
        np.int64,
    )
    assert (images.min(), images.max(), int(images.sum())) == (0, 16, 561718)
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    images[0] = 0  # the caller's own
    assert mathnet.data.digits()[0][0].any()
    readme = PACKAGE.joinpath("data/README.md").read_text(encoding="utf-8")
    assert "CC BY 4.0" in readme
    assert "UCI" in readme


def extension_modules() -> list[Path]:
    """The compiled modules beside their sources."""
    suffix = EXTENSION_SUFFIXES[0]
    return sorted(
        path
        for name in ("mathnet", "mathnet_std")
        for path in Path(str(importlib.resources.files(name))).rglob(f"*{suffix}")
    )


def declared(stub: str) -> set[str]:
    """The names that a stub gives its module; what it imports, and aliases of types, exist for the type checker only."""
    names: set[str] = set()
    for node in ast.parse(stub).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bases = [ast.unparse(base) for base in getattr(node, "bases", ())]
            names |= set() if "Protocol" in bases else {node.name}
        elif (
            isinstance(node, ast.AnnAssign)
            and isinstance(node.target, ast.Name)
            and ast.unparse(node.annotation) != "TypeAlias"
        ):
            names.add(node.target.id)
    return names


def can_be_imported(path: Path) -> bool:
    """Not so a kernel table for another processor."""
    isa = path.name.partition("_")[0]
    return isa not in INSTRUCTION_SETS or cpu_runs(isa)


def test_every_extension_module_has_a_stub() -> None:
    for path in extension_modules():
        name = path.name.split(".")[0]
        assert path.with_name(name + ".pyi").is_file(), f"{name} has no stub"


@pytest.mark.parametrize(
    "path", filter(can_be_imported, extension_modules()), ids=lambda path: path.name.split(".")[0]
)
def test_the_stub_of_an_extension_module_is_true(path: Path) -> None:
    name = path.name.split(".")[0]
    package = next(parent for parent in path.parents if parent.name in ("mathnet", "mathnet_std"))
    module = importlib.import_module(".".join([package.name, *path.relative_to(package).parent.parts, name]))
    names = declared(path.with_name(name + ".pyi").read_text(encoding="utf-8"))
    assert names
    assert names <= vars(module).keys()


def test_what_a_stub_declares() -> None:
    stub = "from x import a\nN: int\nT: TypeAlias = int\ndef f() -> None: ...\nclass C: ...\nclass P(Protocol): ..."
    assert declared(stub) == {"N", "f", "C"}
