"""Plugins by module name, by ``module:object``, by the path of a file, or by a folder."""

from __future__ import annotations

import importlib.util
import sys
import tomllib
from pathlib import Path
from typing import Any

from mathnet.errors import PluginError
from mathnet.plugin.loader import GROUP
from mathnet.plugin.offers import load_module


def located(target: str) -> Any:
    """The plugin that ``target`` names.

    A folder with a ``pyproject.toml`` is one that announces an entry point of mathnet; its code is found in it or below ``src``.  The
    folder of what is found is put on ``sys.path``.  Raises PluginError when nothing is found, FileNotFoundError for a missing path.
    """
    path = Path(target)
    if path.suffix == ".py" or "/" in target or path.is_dir():
        if not path.exists():
            raise FileNotFoundError(2, "No such file or directory", target)
        return _folder(path.resolve()) if path.is_dir() else _file(path.resolve())
    return load_module(target)


def _file(path: Path) -> Any:
    _on_path(path.parent)
    if path.stem in sys.modules and getattr(sys.modules[path.stem], "__file__", None) == str(path):
        return sys.modules[path.stem]
    specification = importlib.util.spec_from_file_location(path.stem, path)
    if specification is None or specification.loader is None:
        raise PluginError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(specification)
    sys.modules[path.stem] = module
    try:
        specification.loader.exec_module(module)
    except Exception as error:
        del sys.modules[path.stem]
        raise PluginError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _folder(path: Path) -> Any:
    project = path / "pyproject.toml"
    if project.is_file():
        points = (
            tomllib.loads(project.read_text(encoding="utf-8"))
            .get("project", {})
            .get("entry-points", {})
            .get(GROUP, {})
        )
        if len(points) != 1:
            raise PluginError(
                f"{project} announces {len(points)} entry points of the group {GROUP!r}; name the module to check instead"
            )
        _on_path(path)
        _on_path(path / "src")
        return load_module(next(iter(points.values())))
    if (path / "__init__.py").is_file():
        _on_path(path.parent)
        return load_module(path.name)
    raise PluginError(f"{path} holds neither a pyproject.toml nor an __init__.py")


def _on_path(folder: Path) -> None:
    if folder.is_dir() and str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
