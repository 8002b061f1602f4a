"""Every operation; importing this package fills the tables ``OPS`` and ``FUNCTIONS`` of :mod:`mathnet.graph.op`."""

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
