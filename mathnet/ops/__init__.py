"""Every operation; importing this package fills the tables ``OPS`` and ``FUNCTIONS`` of :mod:`mathnet.graph.op`.

The operations of plugins are its attributes: ``mn.ops.<key>(…)``.
"""

from typing import Any

from mathnet.ops import (  # noqa: F401
    activation,
    along_axis,
    arithmetic,
    attention,
    batch_norm,
    branch,
    cast,
    check,
    comparison,
    contraction,
    control,
    convolution,
    convolution_forms,
    cross_entropy,
    ctc,
    cumulative,
    diagonal,
    dot_attention,
    einsum,
    elementwise,
    enclosure,
    exponential,
    filled,
    gates,
    implicit,
    indexing,
    krylov,
    linear_algebra,
    linear_attention,
    logarithms,
    matmul,
    moments,
    norm,
    normalization,
    padding,
    pooling,
    pooling_forms,
    powers,
    put,
    random,
    rectifiers,
    recurrence,
    recurrence_backward,
    recurrent,
    recurrent_cells,
    reduction,
    resize,
    rounding,
    row_norm,
    scan,
    shape,
    sign,
    softmax,
    sorting,
    special,
    splitting,
    subscript,
    tiling,
    trigonometry,
    while_loop,
)


def __getattr__(name: str) -> Any:
    """``mn.ops.<key>``: an operation of a plugin."""
    from mathnet.plugin.namespace import namespace

    return namespace("op")[0](name)
