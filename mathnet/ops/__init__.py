"""Every operation; importing this package fills the tables ``OPS`` and ``FUNCTIONS`` of :mod:`mathnet.graph.op`.

The operations of plugins are its attributes: ``mn.ops.<key>(…)``.
"""

from typing import Any

from mathnet.ops import (  # noqa: F401
    activation,
    arithmetic,
    cast,
    comparison,
    control,
    elementwise,
    exponential,
    filled,
    matmul,
    reduction,
    scan,
    shape,
)


def __getattr__(name: str) -> Any:
    """``mn.ops.<key>``: an operation of a plugin."""
    from mathnet.plugin.namespace import namespace

    return namespace("op")[0](name)
