"""What the commands do that work on data, model files and plugins; :mod:`mathnet.cli` reads their arguments."""

from __future__ import annotations

import inspect
import json
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np

import mathnet as mn
from mathnet.data.reading import DataSet, read
from mathnet.errors import nearest
from mathnet.model import files
from mathnet.plugin.host import current_runtime
from mathnet.study.signature import signature


class Trained(NamedTuple):
    """Result of :func:`train`: the last value of every figure of the history, and where the model is."""

    figures: dict[str, float]
    model: str
    task: str


def network(arch: str, shape: tuple[int, ...], outputs: int) -> tuple[Any, Any]:
    """A model for inputs of ``shape`` and its normalising layer.

    arch: ``mlp`` or ``mlp:128,64`` (widths of the hidden layers), ``cnn`` or ``cnn:32,64`` (channels of 3×3 convolutions, each followed
    by 2×2 pooling, then a dense layer of 128).  Raises ArgumentError for anything else, or pictures that are too small.
    """
    kind, _, rest = arch.partition(":")
    try:
        widths = (
            [int(part) for part in rest.split(",")] if rest else {"mlp": [128], "cnn": [32, 64]}.get(kind, [])
        )
    except ValueError:
        widths = [0]
    if kind not in ("mlp", "cnn") or any(width < 1 for width in widths):
        raise mn.ArgumentError(f"--arch {arch!r}: use mlp, mlp:128,64, cnn or cnn:32,64")
    x = mn.Input(shape)
    normalization = mn.layers.Normalization(axis=None if len(shape) > 1 else -1)
    h = normalization(x)
    if kind == "cnn":
        if len(shape) != 3 or min(shape[1:]) < 2 ** len(widths):
            raise mn.ArgumentError(
                f"--arch {arch}: pictures of at least {2 ** len(widths)} pixels a side are needed, not inputs of shape {shape}"
            )
        for width in widths:
            h = mn.layers.Conv2D(
                width, 3, padding="same", activation="relu", kernel_initializer="he_uniform"
            )(h)
            h = mn.layers.MaxPool2D(2)(h)
        widths = [128]
    if len(h.shape) > 2:
        h = mn.layers.Flatten()(h)
    for width in widths:
        h = mn.layers.Dense(width, activation="relu", kernel_initializer="he_uniform")(h)
    return mn.Model(x, mn.layers.Dense(outputs)(h)), normalization


def inputs_of(data: DataSet) -> np.ndarray:
    """x as float32; pictures without channels get one."""
    x = data.x
    if x.dtype.kind not in "fiub":
        raise mn.DTypeError(f"the inputs have element type {x.dtype}; numbers are needed")
    if x.ndim < 2:
        raise mn.ShapeError(f"the inputs have shape {x.shape}; a row for each example is needed: x[:, None]")
    return np.asarray(x[:, None] if x.ndim == 3 else x, np.float32)


def train(
    data: Path,
    arch: str,
    out: Path,
    target: str | None = None,
    epochs: int | None = None,
    batch_size: int = 32,
    learning_rate: float = 1e-3,
    validation: float = 0.1,
    seed: int = 0,
    progress: bool | None = None,
) -> Trained:
    """Trains a network on a data set and writes it with what :func:`predict` must know of the targets.

    epochs: None for as many as make some 3,000 steps, 3 to 200.
    """
    found = read(data, target)
    if found.y is None:
        raise mn.DataError(f"{data}: there are no targets to learn")
    x, y = inputs_of(found), found.y
    classes = len(found.classes)
    if len(x) < 2:
        raise mn.DataError(f"{data}: {len(x)} example{'s are' if len(x) != 1 else ' is'} too few to train on")
    order = np.random.default_rng(seed).permutation(len(x))
    x, y = x[order], y[order]
    if not classes:
        y = y.astype(np.float32).reshape(len(y), -1)
    with current_runtime().like(seed=seed):
        model, normalization = network(arch, x.shape[1:], classes or y.shape[1])
        normalization.adapt(x[: max(1, len(x) - int(len(x) * validation))])
        history = model.fit(
            x,
            y,
            loss="cross_entropy" if classes else "mse",
            optimizer=mn.optimizers.Adam(learning_rate),
            metrics=["accuracy"] if classes else [],
            epochs=min(max(-(-3000 * batch_size // len(x)), 3), 200) if epochs is None else epochs,
            batch_size=min(batch_size, len(x)),
            validation_split=validation,
            seed=seed,
            progress=progress,
        )
    task = "classification" if classes else "regression"
    files.save(model, out, notes={"task": task, "classes": found.classes})
    return Trained(
        {name: float(values[-1]) for name, values in history.items() if len(values)}, str(out), task
    )


def predict(file: Path, data: Path, out: Path | None, stream: TextIO | None = None) -> None:
    """Writes scores to ``out`` (.npy), or prints one line a row: the class, or the numbers."""
    model, notes = mn.load(file), files.notes(file)
    found = _rows(data, model.inputs[0].shape[1:], notes.get("classes"))
    scores = model.predict(inputs_of(found))
    if out is not None:
        with open(out, "wb") as target:
            np.save(target, scores)
        return
    names = notes.get("classes") or []
    for row in scores.reshape(len(scores), -1):
        print(
            names[int(row.argmax())] if names else " ".join(f"{value:.7g}" for value in row),
            file=stream or sys.stdout,
        )


def _rows(data: Path, wanted: tuple[int, ...], classes: list[str] | None) -> DataSet:
    """The inputs at ``data``; a table that still has its column of targets is read without it."""
    if data.suffix.lower() != ".csv":
        return read(data)
    try:
        found = read(data, "")
    except (
        mn.DataError
    ):  # words: the classes of the last column, or a defect that is reported by reading it as such
        return read(data, None, classes)
    return read(data) if len(wanted) == 1 and found.x.shape[1] == wanted[0] + 1 else found


def evaluate(file: Path, data: Path, target: str | None = None) -> dict[str, float]:
    """Loss and, for classes, accuracy of a trained file on a data set with targets."""
    model, notes = mn.load(file), files.notes(file)
    found = read(data, target, notes.get("classes"))
    if found.y is None:
        raise mn.DataError(f"{data}: there are no targets to compare with")
    if notes.get("task", "classification" if found.classes else "regression") == "classification":
        return model.evaluate(inputs_of(found), found.y, loss="cross_entropy", metrics=["accuracy"])
    y = np.asarray(found.y, np.float32).reshape(len(found.y), -1)
    return model.evaluate(inputs_of(found), y, loss="mse", metrics=["mae"])


def operations() -> list[dict[str, Any]]:
    """Every public operation: name, formula, and the highest order of derivative that holds ("any", 1 or 0).

    Those of ``mn``, of ``mn.linalg`` and ``mn.random`` under names such as ``linalg.inv``, and what plugins register, as ``ops.<key>``.
    """
    import mathnet.ops  # noqa: F401
    from mathnet.graph.op import FUNCTIONS, OPS

    rows = [_row(name, name, FUNCTIONS[name], _order(OPS.get(name))) for name in sorted(FUNCTIONS)]
    for name in mn.linalg.__all__:
        function = getattr(mn.linalg, name)
        if not inspect.isclass(function):
            traced = hasattr(function, "__wrapped__")  # the others take arrays only
            op = _operation_of(name, function)
            order = _order(op) if traced else "0"
            rows.append(_row(f"linalg.{name}", name if op is not None else "", function, order))
    rows += [
        _row(f"random.{name}", f"random_{name}", getattr(mn.random, name), "0") for name in mn.random.__all__
    ]
    registry = current_runtime().registry
    for key in registry.keys("op"):
        record = registry.find("op", key)
        rows.append(_row(f"ops.{key}", "", record.object, _plugin_order(record.object)))
    return rows


def _plugin_order(op: Any) -> str:
    if not inspect.isclass(op):
        return "any"  # made of other operations
    if getattr(op, "vjp", None) is None:
        return "0"
    return "1" if issubclass(op, mn.HostOp) else "any"


def _row(name: str, op: str, function: Any, derivatives: str) -> dict[str, Any]:
    from mathnet.graph.op import OPS

    formula = OPS[op].formula if op in OPS else ""
    doc = inspect.getdoc(function) or ""
    summary = " ".join(doc.split("\n\n")[0].split())
    return {"name": name, "formula": formula, "derivatives": derivatives, "summary": summary}


def _order(op: Any) -> str:
    if op is None:
        return "any"  # made of other operations
    if "host" in op.effects:
        return "1" if op.differentiable else "0"
    return "any" if op.differentiable else "0"


def export(file: Path, out: Path) -> None:
    """A model file of any known format in another one, each found by its suffix; ``.mathnet`` is mathnet's own."""
    model = _model(file)
    if out.suffix.lower() == ".mathnet":
        model.save(out)
    else:
        mn.formats.write(model, out)


def _model(file: Path) -> Any:
    return mn.formats.read(file) if mn.formats.reads(file) else mn.load(file)


def check(target: str, only: str | None, strict: bool, as_json: bool) -> None:
    """Runs the conformance kit on a plugin and prints what it found; CheckError when something fails."""
    from mathnet.testing.locating import located

    failures: list[tuple[str, str, str, str]] = []
    found = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", mn.PluginWarning)  # advice is printed below
        try:
            found = mn.testing.check_plugin(located(target), only=only, strict=strict)
        except mn.CheckError as error:
            failures = error.failures
            if not as_json:
                print(error)
    if as_json:
        held = {"passed": [], "advice": [], "notes": []} if found is None else vars(found)
        print(json.dumps({"target": target, "failures": failures, **held}, indent=2, ensure_ascii=False))
    if failures:
        kind, key, name, _ = failures[0]
        raise mn.CheckError(
            f"{target}: {len(failures)} failed checks, first {name} of {kind} {key!r}", failures
        )
    assert found is not None
    if as_json:
        return
    for kind, key in found.objects:
        names = [name for k, other, name in found.passed if (k, other) == (kind, key)]
        print(f"{kind} {key}: {len(names)} checks passed")
        for k, other, text in found.notes:
            if (k, other) == (kind, key):
                print(f"  note: {text}")
        for k, other, name, text in found.advice:
            if (k, other) == (kind, key):
                print(f"  advice: {name}: {text}")
    print(f"{len(found.objects)} objects pass")


def explain(key: str) -> list[str]:
    """One text for everything of that name: the operation or function, and each kind's object under the key.

    Raises UnknownKeyError with near names when there is none.
    """
    import mathnet.ops  # noqa: F401  (fills the tables)
    from mathnet.graph.op import FUNCTIONS, OPS
    from mathnet.plugin.records import KINDS

    registry = current_runtime().registry
    found = []
    if key in OPS or _function(key) is not None:
        found.append(_explain_operation(key))
    for kind in KINDS:
        if key in registry.keys(kind):
            record = registry.find(kind, key)
            version = f" {record.distribution_version}" if record.distribution_version else ""
            title = f"{kind} {key!r}: {record.object.__name__} of {record.distribution}{version} ({record.module})"
            found.append(
                "\n".join(
                    [
                        title,
                        inspect.getdoc(record.object) or "",
                        f"call: {signature(record)}",
                    ]
                )
            )
    if not found:
        names = {
            *FUNCTIONS,
            *OPS,
            *(f"linalg.{n}" for n in mn.linalg.__all__),
            *(k for kind in KINDS for k in registry.keys(kind)),
        }
        raise mn.UnknownKeyError(f"nothing is named {key!r}{nearest(key, names)}")
    return found


def _function(name: str) -> Any:
    """The function that ``mathnet ops`` lists under a name; None when there is none."""
    from mathnet.graph.op import FUNCTIONS

    module, _, last = name.rpartition(".")
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    home = {"linalg": mn.linalg, "random": mn.random}.get(module)
    return getattr(home, last) if home is not None and last in home.__all__ else None


def _operation_of(name: str, function: Any) -> Any:
    """The operation that a function applies: the one of its name from its own file, for mn.cond is no condition number."""
    from mathnet.graph.op import OPS

    op = OPS.get(name)
    return op if op is not None and type(op).__module__ == inspect.unwrap(function).__module__ else None


def _explain_operation(name: str) -> str:
    from mathnet.graph.op import OPS

    function = _function(name)
    op = OPS.get(name) or _operation_of(name.rpartition(".")[2], function)
    lines = [f"operation {name!r}" if op is not None else f"function mn.{name}"]
    lines.append(inspect.getdoc(function if function is not None else type(op)) or "")
    if op is not None:
        lines += [f"formula: {op.formula}"] * bool(op.formula) + [
            f"domain: {op.domain}",
            f"derivatives: {_order(op)}",
        ]
    try:
        lines.append(str(mn.formula(name)))
    except (mn.MathnetError, TypeError):
        pass  # no function of one number
    return "\n".join(lines)


def bench(file: Path | None) -> dict[str, float]:
    """Median seconds by what was timed: small training steps and predictions, or a model file's predictions for several batches."""
    rng = np.random.default_rng(0)
    times = {}
    if file is not None:
        model = _model(file)
        for batch in (1, 32, 256):
            data = [rng.standard_normal((batch, *t.shape[1:])).astype(t.dtype) for t in model.inputs]
            times[f"{file.name}, {batch} example{'s' * (batch > 1)}"] = _median(lambda x=data: model(*x))  # type: ignore[misc]
        return times
    for sizes, batch in (((2, 8, 1), 4), ((784, 128, 10), 32)):
        layers = [mn.layers.Dense(n, activation="tanh" if n != sizes[-1] else None) for n in sizes[1:]]
        model = mn.Sequential(layers, input_shape=sizes[:1])
        trainer = mn.Trainer(model, loss="mse", optimizer="adam", seed=0)
        x, y = (rng.standard_normal((batch, n)).astype(np.float32) for n in (sizes[0], sizes[-1]))
        name = "-".join(map(str, sizes))
        times[f"{name}, training step, batch {batch}"] = _median(lambda t=trainer, x=x, y=y: t.step(x, y))  # type: ignore[misc]
        one = x[:1].copy()
        times[f"{name}, prediction, one example"] = _median(lambda m=model, x=one: m(x))  # type: ignore[misc]
    return times


def _median(f: Callable[[], object], seconds: float = 0.3) -> float:
    """Median seconds of a call."""
    f()
    taken: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(taken) < 5:
        start = time.perf_counter()
        f()
        taken.append(time.perf_counter() - start)
    return float(np.median(taken))


def report(key: str, file: Path) -> mn.Report:
    """What the study report ``key`` says of a model file."""
    return mn.Report.of(mn.reports.get(key)(_model(file)), key)
