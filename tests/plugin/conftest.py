"""Installs small distributions: a module and its metadata in a folder on ``sys.path``, as pip would leave them."""

from __future__ import annotations

import importlib
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., str]]:
    """``install(name, source, version="1.0", entry=None)`` makes a distribution whose module is ``name`` with underscores."""
    monkeypatch.delenv("MATHNET_PLUGINS", raising=False)
    monkeypatch.delenv("MATHNET_BLOCK", raising=False)
    installed: list[str] = []

    def make(name: str, source: str, version: str = "1.0", entry: str | None = None) -> str:
        module = name.replace("-", "_")
        site = tmp_path / name
        metadata = site / f"{module}-{version}.dist-info"
        metadata.mkdir(parents=True)
        (site / f"{module}.py").write_text("import mathnet as mn\n" + textwrap.dedent(source))
        (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
        (metadata / "entry_points.txt").write_text(f"[mathnet]\n{module} = {entry or module}\n")
        monkeypatch.syspath_prepend(str(site))
        importlib.invalidate_caches()
        installed.append(module)
        return module

    yield make
    for module in installed:
        sys.modules.pop(module, None)


SWISH = """
@mn.activation("beta_swish")
def swish(x, beta=1.0):
    return x * mn.sigmoid(beta * x)

@mn.hookimpl
def mathnet_activations():
    return [swish]
"""


@pytest.fixture
def swish() -> str:
    """Source of a plugin with one activation."""
    return SWISH
