"""What the docstring of a record must hold, so that its section says everything; a test goes through the registry."""

from __future__ import annotations

import inspect
import re

from mathnet.plugin.records import Record
from reference_pages.docstring import Docstring

_FORMULA = re.compile(r"[=←·Σ√‖−^]|\b(max|min|log|exp|cos)\(")
_SHAPE = re.compile(r"\([NBT…C]|→|[Ss]hapes? as|as in `*[A-Z]|as in \w+;?|broadcast|\by = ")
#: Kinds whose records are functions of numbers.
FORMULAS = ("activation", "loss", "regularizer", "constraint", "schedule", "optimizer", "distribution")
SHAPES = ("layer", "loss")

#: Kinds whose records rest on no single publication.
WITHOUT_SOURCE = {
    "metric": "the usual definition of statistics",
    "callback": "a tool of this library",
    "format": "a tool of this library",
    "report": "a tool of this library",
    "distribution": "textbooks, such as Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions, 1994",
}
#: Keys of further records that nobody would cite a publication for.
ELEMENTARY = {
    "activation": "exponential linear log_sigmoid log_softmax sigmoid softmin tanh tanh_shrink",
    "constraint": "min_max non_negative unit_norm",
    "loss": "cosine log_cosh mae mse nll poisson squared_hinge",
    "schedule": "constant exponential inverse_time multi_step piecewise polynomial sequence step warmup",
    "initializer": "constant dirac identity normal ones truncated_normal uniform variance_scaling zeros",
    "layer": (
        "activation activity_regularization adaptive_avg_pool2d adaptive_max_pool2d add average avg_pool1d avg_pool2d avg_pool3d "
        "bilinear concatenate conv1d conv2d conv3d cropping2d dense dot einsum_dense flatten gaussian_noise global_max_pool identity "
        "lambda masking max_pool1d max_pool2d max_pool3d maximum minimum multiply normalization permute repeat_vector reshape rnn "
        "stacked_rnn_cells subtract time_distributed up_sampling2d zero_pad2d"
    ),
}


def source(record: Record) -> str:
    """Where a record comes from: its docstring's source, or why there is none; "" when neither is known."""
    found = Docstring.of(record.object).source
    if found:
        return found
    if record.key in ELEMENTARY.get(record.kind, "").split():
        return "elementary, in every textbook"
    return WITHOUT_SOURCE.get(record.kind, "")


def defects(record: Record) -> list[str]:
    """What the docstring of a record lacks, in words; empty for one in the common form."""
    doc = Docstring.of(record.object)
    prose = (inspect.getdoc(record.object) or "").partition(">>>")[0]
    found = []
    if not doc.summary:
        found.append("a summary")
    if not doc.example:
        found.append("an example")
    if not source(record):
        found.append("a source (Source: …)")
    if record.kind in FORMULAS and not _FORMULA.search(prose):
        found.append("a formula")
    if record.kind in SHAPES and not _SHAPE.search(prose):
        found.append("the shapes")
    if record.kind == "distribution" and not re.search(r"[Mm]ean.*[Vv]ariance", prose, re.DOTALL):
        found.append("mean and variance")
    unnamed = [name for name in record.settings if name != "name" and not _named(name, prose)]
    if unnamed:
        found.append(f"the meaning of the settings {', '.join(unnamed)}")
    return found


def _named(setting: str, prose: str) -> bool:
    """Whether the prose names a setting, by itself, by a group such as ``kernel_…``, or as those of another object."""
    first, last = setting.partition("_")[0], setting.rpartition("_")[2]
    patterns = (
        rf"\b{re.escape(setting)}\b",
        rf"\b{first}_…",
        rf"…_{last}\b",
        r"[Aa]rguments?\b[^.]* as (in|of) ",
        r"as in (:class:`)?\w*[A-Z]",
    )
    return any(re.search(pattern, prose) for pattern in patterns)
