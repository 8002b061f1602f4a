"""Model files: ``model.save(path)`` and ``mn.load(path)``.

One safetensors file holds every weight and running value under its name, and a JSON description of the graph: operations, layers by
registered key, version and settings.  No pickle, and no code from the file is run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from mathnet import ops as _operations  # noqa: F401  fills the table of operations
from mathnet.errors import FileFormatError, MathnetError, UnknownKeyError
from mathnet.graph.dim import show_shape
from mathnet.model import container
from mathnet.model.description import build, describe
from mathnet.model.values import Decoder, Encoder
from mathnet.plugin.bases import reserved_weights
from mathnet.version import __version__

if TYPE_CHECKING:
    from mathnet.model.model import Model


def save(model: Model, path: str | os.PathLike, notes: dict[str, Any] | None = None) -> None:
    """Writes ``model`` to ``path``; ``notes``: what else a program wants to find in the file, as JSON can hold it.

    ArgumentError names a layer or function that has no registered key; OSError: an old file is as it was, nothing else is left behind.
    """
    encoder = Encoder(model._owner)
    graph = describe(model, encoder)
    description = {
        "name": model.name,
        "graph": graph,
        "layers": encoder.layers,
        "symbols": encoder.symbols,
        "plugins": encoder.plugins,
        "mathnet": __version__,
    }
    if notes:
        description["notes"] = notes
    with model.lock:
        weights = {f"weight/{name}": variable.array.copy() for name, variable in model.named_variables()}
    container.write(path, "model", description, {**weights, **encoder.tensors})


def load(path: str | os.PathLike, weights_only: bool = False) -> Any:
    """The model in a file that :func:`save` wrote; ``weights_only``: its weights as {name: array}, for which no plugin is needed.

    FileNotFoundError when there is no file; FileFormatError, saying what is wrong, when it is another file, cut off or damaged;
    UnknownKeyError naming the plugin when a layer or function is not installed.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(2)], input_shape=(3,))
    >>> model.save("dense.mathnet")
    >>> again = mn.load("dense.mathnet")
    >>> bool((again(np.ones((1, 3))) == model(np.ones((1, 3)))).all())
    True
    """
    name = os.fspath(path)
    with container.read(path, "model") as file:
        found = file.description
        tensors = file.tensors()
    if weights_only:
        return {k.partition("/")[2]: v for k, v in tensors.items() if k.startswith("weight/")}
    try:
        decoder = Decoder(tensors, found["layers"], found["symbols"], found.get("plugins"))
        with reserved_weights(_budget(name, file.nbytes)):
            model = build(found["graph"], decoder, found["name"])
    except FileFormatError as error:
        raise FileFormatError(f"{name}: {error}") from None
    except UnknownKeyError as error:
        raise UnknownKeyError(f"{name}: {error}") from None
    except MathnetError as error:
        raise FileFormatError(f"{name}: the description does not make a model: {error}") from error
    except (
        KeyError,
        TypeError,
        ValueError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
    ) as error:
        raise FileFormatError(f"{name}: the description is damaged ({error!r})") from error
    _fill(name, model, {k.partition("/")[2]: v for k, v in tensors.items() if k.startswith("weight/")})
    return model


def notes(path: str | os.PathLike) -> dict[str, Any]:
    """The notes that :func:`save` was given; empty without any."""
    with container.read(path, "model") as file:
        found = file.description.get("notes", {})
    if not isinstance(found, dict):
        raise FileFormatError(f"{os.fspath(path)}: the notes are no object")
    return found


def _budget(path: str, nbytes: int) -> Any:
    """A check before each weight is made: all together must not need more memory than the file has data."""
    left = nbytes

    def reserve(what: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
        nonlocal left
        size = dtype.itemsize
        for axis in shape:
            size *= axis
        left -= size
        if left < 0:
            raise FileFormatError(
                f"{what} has shape {show_shape(shape)}, which is more than the data in the file"
            )

    return reserve


def _fill(path: str, model: Model, weights: dict[str, np.ndarray]) -> None:
    variables = dict(model.named_variables())
    for name in [*variables, *weights]:
        if name not in weights:
            raise FileFormatError(f"{path}: the weight {name!r} is missing")
        if name not in variables:
            raise FileFormatError(f"{path}: the weight {name!r} belongs to no layer of the model")
        mine, theirs = variables[name].array, weights[name]
        if mine.shape != theirs.shape or mine.dtype != theirs.dtype:
            raise FileFormatError(
                f"{path}: the weight {name!r} is {theirs.dtype}{show_shape(theirs.shape)}, "
                f"but its layer has {mine.dtype}{show_shape(mine.shape)}"
            )
    for name, array in weights.items():
        variables[name].array[...] = array


def inspect(path: str | os.PathLike) -> dict[str, Any]:
    """What a file of mathnet holds, without building anything: kind, format, layers, plugins, weights with shape and type.

    >>> import mathnet as mn
    >>> from mathnet.model.files import inspect
    >>> mn.Sequential([mn.layers.Dense(2)], input_shape=(3,)).save("dense.mathnet")
    >>> inspect("dense.mathnet")["kind"]
    'model'
    """
    with container.read(path) as file:
        found = file.description
        shown: dict[str, Any] = {
            "path": os.fspath(path), "kind": file.kind, "format": file.format, "size": os.path.getsize(path),
            "tensors": {n: {"shape": list(s), "dtype": d.name} for n, (s, d) in sorted(file.specs.items())},
        }  # fmt: skip
        file.tensors()  # checks the checksum
    weights = [
        np.prod(t["shape"], dtype=np.int64) for n, t in shown["tensors"].items() if n.startswith("weight/")
    ]
    shown["weights"] = int(sum(weights))
    for key in ("name", "mathnet", "plugins", "optimizer", "notes"):
        if key in found:
            shown[key] = found[key]
    if file.kind == "model":
        try:
            shown["layers"] = [
                {"name": layer["name"], "key": layer.get("key", "model")} for layer in found["layers"]
            ]
        except (KeyError, TypeError, AttributeError) as error:
            raise FileFormatError(f"{os.fspath(path)}: the description is damaged ({error!r})") from None
    return shown
