"""Weights by name: out of a model into a file, and from a file into a model, also into one that is built differently."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mathnet.errors import ArgumentError, FileFormatError
from mathnet.graph.dim import show_shape
from mathnet.model import container

if TYPE_CHECKING:
    from mathnet.model.model import Model

Rename = Mapping[str, str] | Callable[[str], str]


@dataclass(frozen=True)
class TransferReport:
    """What :meth:`Model.load_weights` did.

    loaded: weights that got values; missing: weights of the model that kept theirs; unexpected: names in the file (after renaming) that
    the model does not have; mismatched: names whose shapes differ, with both shapes.
    """

    loaded: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    mismatched: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every weight of the model was in the file, and nothing else."""
        return not (self.missing or self.unexpected or self.mismatched)

    def __str__(self) -> str:
        parts = [f"{len(self.loaded)} loaded"]
        for word in ("missing", "unexpected", "mismatched"):
            names = getattr(self, word)
            if names:
                parts.append(f"{word}: {', '.join(names)}")
        return "; ".join(parts)


def read_weights(path: str | os.PathLike) -> dict[str, np.ndarray]:
    """name → array from a model file, any other safetensors file, or a ``.npz`` archive.

    Raises FileNotFoundError, and FileFormatError for anything else.
    """
    name = os.fspath(path)
    if not os.path.exists(name):
        raise FileNotFoundError(2, "No such file or directory", name)
    if name.lower().endswith(".npz"):
        try:
            with np.load(name, allow_pickle=False) as archive:
                return {key: archive[key] for key in archive.files}
        except (ValueError, OSError, EOFError) as error:
            raise FileFormatError(f"{name}: no .npz archive of numbers, or damaged ({error})") from None
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(name, framework="np") as file:
            ours = container.KEY in (file.metadata() or {})
            plain = {} if ours else {key: file.get_tensor(key) for key in file.keys()}
    except TypeError as error:  # NumPy has no bfloat16 and no 8-bit floats
        raise FileFormatError(
            f"{name} holds numbers of a type that NumPy does not know ({error}); write it anew with float32 or float16"
        ) from None
    except (SafetensorError, OSError, ValueError) as error:
        raise FileFormatError(
            f"{name} is no safetensors file, or it is cut off or damaged ({error})"
        ) from None
    if not ours:
        return plain
    with container.read(name) as found:
        prefix = "weight/"
        return {key[len(prefix) :]: value for key, value in found.tensors().items() if key.startswith(prefix)}


def save_weights(model: Model, path: str | os.PathLike) -> None:
    """Writes parameters and statistics by name to ``.npz`` or ``.safetensors``, atomically."""
    name = os.fspath(path)
    suffix = os.path.splitext(name)[1].lower()
    if suffix not in (".npz", ".safetensors"):
        raise ArgumentError(
            f"save_weights: {name!r} must end in .npz or .safetensors; model.save(path) writes the whole model"
        )
    with model.lock:
        arrays = {key: np.array(variable.array) for key, variable in model.named_variables()}
    with container.replacing(name) as temporary:
        if suffix == ".npz":
            with open(temporary, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
        else:
            from safetensors.numpy import save_file

            save_file(arrays, temporary)


def load_weights(
    model: Model, path: str | os.PathLike, rename: Rename | None = None, partial: bool = False
) -> TransferReport:
    """Copies weights of a file into ``model`` by name.

    rename: {prefix in the file: prefix in the model}, the longest that fits is taken, or a function of the name.
    partial: take what fits and report the rest; otherwise everything must fit, else FileFormatError and the model is as it was.
    """
    if rename is not None and not isinstance(rename, Mapping) and not callable(rename):
        raise ArgumentError(
            f"load_weights: rename must be a mapping such as {{'old/': 'new/'}} or a function of the name, not {rename!r}"
        )
    weights = {}
    for old, value in read_weights(path).items():
        new = _renamed(old, rename)
        if new in weights:
            raise ArgumentError(
                f"load_weights: after renaming, two weights of {os.fspath(path)} are called {new!r}"
            )
        weights[new] = value
    variables = dict(model.named_variables())
    report = TransferReport()
    for name, variable in variables.items():
        if name not in weights:
            report.missing.append(name)
            continue
        value = weights[name]
        if value.shape != variable.shape or value.dtype.kind not in "fiub":
            report.mismatched.append(
                f"{name} ({value.dtype}{show_shape(value.shape)} for {variable.dtype}{show_shape(variable.shape)})"
            )
        else:
            report.loaded.append(name)
    report.unexpected.extend(name for name in weights if name not in variables)
    if not partial and not report.complete:
        raise FileFormatError(
            f"{os.fspath(path)} does not fit to the model: {report}; partial=True takes what fits"
        )
    with model.lock:
        for name in report.loaded:
            variables[name].assign(weights[name])
    return report


def _renamed(name: str, rename: Rename | None) -> str:
    if rename is None:
        return name
    if callable(rename):
        return rename(name)
    fitting = [prefix for prefix in rename if name.startswith(prefix)]
    if not fitting:
        return name
    longest = max(fitting, key=len)
    return rename[longest] + name[len(longest) :]
