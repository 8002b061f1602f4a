"""Every operation; importing this package fills the tables ``OPS`` and ``FUNCTIONS`` of :mod:`mathnet.graph.op`.

The operations of plugins are its attributes: ``mn.ops.<key>(…)``.
"""

from typing import Any

from mathnet.ops import (  # noqa: F401
    activation,
    arithmetic,
    attention,
    cast,
    check,
    comparison,
    control,
    convolution,
    convolution_forms,
    cross_entropy,
    ctc,
    cumulative,
    elementwise,
    exponential,
    filled,
    gates,
    indexing,
    logarithms,
    matmul,
    moments,
    norm,
    normalization,
    pooling,
    pooling_forms,
    powers,
    random,
    rectifiers,
    recurrent,
    reduction,
    resize,
    rounding,
    scan,
    shape,
    sign,
    softmax,
    special,
    trigonometry,
)


def __getattr__(name: str) -> Any:
    """``mn.ops.<key>``: an operation of a plugin."""
    from mathnet.plugin.namespace import namespace

    return namespace("op")[0](name)
