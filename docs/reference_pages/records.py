"""A page for each kind of record: a table of all, then a section for each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

import mathnet as mn
from mathnet.graph.dim import show_shape
from mathnet.plugin.records import KINDS, Record, public_name
from mathnet.plugin.registry import Registry
from mathnet.study.signature import signature
from mathnet.testing.trial import RowTrial
from reference_pages.conventions import source
from reference_pages.curves import CASES
from reference_pages.docstring import Docstring, markdown
from reference_pages.draws import example, shown_config
from reference_pages.pictures import DRAWINGS, draw
from reference_pages.samples import subject

#: What a page says before its table; names of the kinds are the titles.
INTRODUCTIONS = {
    "activation": "Functions of each element, or of the elements along an axis. A layer takes one as `activation=`: a key, "
    "an object of `mn.activations`, or any function of `mn` operations.",
    "layer": "Parts of a model. Shapes are those of the inputs and the result, `batch` being the number of examples.",
    "loss": "Functions of prediction and target, with one value per example. A loss is chosen in `fit` or `mn.Trainer` by key or object.",
    "metric": "Figures that are watched but not minimised: `metrics=[…]` of `fit` and `evaluate`.",
    "regularizer": "Penalties of weights, added to the loss: `kernel_regularizer=` and the like of layers.",
    "constraint": "What weights are brought to after each update: `kernel_constraint=` and the like of layers.",
    "initializer": "First values of weights: `kernel_initializer=` and the like of layers. *in* and *out* are the numbers of inputs and "
    "outputs of a unit.",
    "optimizer": "Rules that change weights: θ the weights, g the gradient, η the learning rate, t the number of the step from 1 on.",
    "schedule": "Learning rates as a function of the step, the first of which is 0: given to an optimizer as its `learning_rate`.",
    "callback": "What happens between steps and epochs: `callbacks=[…]` of `fit`.",
    "distribution": "Probability distributions with `log_prob`, `sample`, and where they exist `rsample`, `cdf`, `entropy`, `mean`, "
    "`variance`, `fit` and `kl_divergence`.",
    "format": "Files that models are written to and read from, found by their suffix: `mathnet export`, `mn.formats.write`, "
    "`mn.formats.read`.",
    "report": "Studies of a model: `mathnet report KEY FILE`.",
}

#: Letters of LaTeX from which on a second derivative is left to the picture.
LONG = 300


def kinds(registry: Registry) -> list[str]:
    """The kinds that have records, as their pages follow one another."""
    return [kind for kind in (*INTRODUCTIONS, *(set(KINDS) - set(INTRODUCTIONS))) if registry.keys(kind)]


def page(registry: Registry, kind: str, folder: Path) -> str:
    """The page of a kind; its pictures are written to ``folder``/pictures."""
    records = [registry.find(kind, key) for key in registry.keys(kind)]
    title = KINDS[kind].plural.capitalize()
    rows = [
        (
            f"[{public_name(record)}](#{anchor(record)})",
            f"`{record.key}`",
            markdown(Docstring.of(record.object).summary),
        )
        for record in records
    ]
    return "\n".join(
        [
            f"# {title}",
            "",
            INTRODUCTIONS.get(kind, ""),
            "",
            *table(("name", "key", "what it is"), rows),
            "",
            *[section(record, folder) for record in records],
        ]
    )


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Lines of a Markdown table; cells hold no line breaks."""
    head = list(head)
    return [f"| {' | '.join(head)} |", "|" + "---|" * len(head), *(f"| {' | '.join(row)} |" for row in rows)]


def anchor(record: Record) -> str:
    return f"{record.kind}-{record.key}".replace("_", "-")


def section(record: Record, folder: Path) -> str:
    """Everything about one record: call, prose, mathematics, shapes, picture, example, source."""
    doc = Docstring.of(record.object)
    lines = [f"({anchor(record)})=", f"## {public_name(record)}", "", *code(wrapped(signature(record))), ""]
    lines += [f"Key `{record.key}`, version {record.version}, from `{record.module}`.", ""]
    lines += prose(doc)
    lines += _MATHEMATICS.get(record.kind, lambda record: [])(record)
    if record.kind in DRAWINGS:
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        picture = draw(record, folder / "pictures")
        assert picture is not None
        lines += figure(f"pictures/{picture.file}", picture.words)
    lines += example_lines(doc)
    lines += [f"*Source:* {markdown(source(record))}", ""]
    return "\n".join(lines)


def wrapped(call: str, width: int = 88) -> str:
    """A call over several lines where one would be too long."""
    if len(call) <= width:
        return call
    head, _, rest = call.partition("(")
    lines = [f"{head}("]
    for part in re.split(r", (?=[\w*]+(?:=|, |\)$))", rest.removesuffix(")")):
        if len(lines) == 1 or len(lines[-1]) + len(part) + 2 > width:
            lines.append("   ")
        lines[-1] += f" {part},"
    return "\n".join([*lines, ")"])


def code(text: str, language: str = "python") -> list[str]:
    return [f"```{language}", text, "```"]


def prose(doc: Docstring) -> list[str]:
    """Summary, paragraphs and parameters."""
    lines = [markdown(doc.summary), ""]
    for paragraph in doc.paragraphs:
        lines += [markdown(paragraph), ""]
    if doc.parameters:
        lines += [
            f"- **{markdown(names)}**: {markdown(text)}" if names else f"- {markdown(text)}"
            for names, text in doc.parameters
        ]
        lines += [""]
    return lines


def example_lines(doc: Docstring) -> list[str]:
    return ["Example:", "", *code(doc.example, "pycon"), ""] if doc.example else []


def figure(file: str, words: str) -> list[str]:
    return [f"```{{figure}} {file}", f":alt: {words}", "", markdown(words), "```", ""]


def _activation(record: Record) -> list[str]:
    try:
        found = mn.formula(record.key)
    except mn.MathnetError:
        return []
    settings = ", ".join(f"{name} = {default!r}" for name, default in record.settings.items())
    lines = [f"With {markdown(settings)}:", ""] if settings else []
    named = list(zip(("f(x)", "f'(x)", "f''(x)"), found.latex_parts))
    if len(found.latex_parts[2]) > LONG:
        named.pop()
    lines += [
        "```{math}",
        r"\begin{aligned}",
        *[rf"{name} &= {latex} \\[4pt]" for name, latex in named],
        r"\end{aligned}",
        "```",
        "",
    ]
    if found.kinks:
        values = ", ".join(f"f′({at:g}) = {value:g}" for at, value in sorted(found.kinks.items()))
        lines += [f"At the kinks, by convention: {values}.", ""]
    return lines


def _loss(record: Record) -> list[str]:
    case = CASES.get(record.key)
    if case is None or np.ndim(case.fixed):
        return []
    measure = record.make()

    def of(prediction: Any) -> Any:
        one = mn.reshape(prediction, (1,))
        found = measure(one, one * 0.0 + case.target)
        return mn.sum(found[0] if isinstance(found, tuple) else found)

    return _slope(of, f"Of one prediction x, {case.words}:", "l")


def _regularizer(record: Record) -> list[str]:
    penalty = record.make()
    return _slope(
        lambda w: mn.sum(penalty(mn.reshape(w, (1, 1)))), "Of one weight x, with the default settings:", "p"
    )


def _slope(f: Callable, words: str, letter: str) -> list[str]:
    """A function and its derivative where they are elementary."""
    found = mn.formula(f)
    if max(map(len, found.latex_parts[:2])) > LONG or "matmul" in found.latex:
        return []
    named = zip((f"{letter}(x)", f"{letter}'(x)"), found.latex_parts)
    rows = [rf"{name} &= {latex} \\[4pt]" for name, latex in named]
    return [words, "", "```{math}", r"\begin{aligned}", *rows, r"\end{aligned}", "```", ""]


def _layer(record: Record) -> list[str]:
    used = subject(record)
    rows = []
    for sample in used.samples:
        model = RowTrial(used, sample).model("float32", fresh=True)
        inputs = " and ".join(show_shape(t.shape) for t in model.inputs)
        outputs = " and ".join(show_shape(t.shape) for t in model.outputs)
        weights = ", ".join(
            f"{name.rpartition('/')[2]} {show_shape(value.shape)}" for name, value in model.parameters.items()
        )
        count = sum(value.size for value in model.parameters.values())
        rows.append(
            (f"`{setting(sample.config)}`", inputs, outputs, f"{count}" + (f": {weights}" if weights else ""))
        )
    return [*table(("settings", "input", "output", "trained weights"), rows), ""]


def setting(config: dict[str, Any]) -> str:
    """Settings as they are written in a call; of layers among them their names."""
    return shown_config(config) or " "


def _distribution(record: Record) -> list[str]:
    law, config = example(record)
    rows = []
    for name in ("mean", "variance", "entropy"):
        try:
            value = getattr(law, name)
            value = np.asarray(value() if inspect.ismethod(value) else value, np.float64)
        except (AttributeError, mn.MathnetError):
            continue
        rows.append((name, f"`{np.array2string(value, precision=6, separator=', ')}`"))
    return [f"Of `{record.object.__name__}({shown_config(config)})`:", "", *table(("", "value"), rows), ""]


_MATHEMATICS = {
    "activation": _activation,
    "loss": _loss,
    "regularizer": _regularizer,
    "layer": _layer,
    "distribution": _distribution,
}
