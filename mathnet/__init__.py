"""mathnet: a small, fast deep-learning framework that one can embed, extend and read.

``import mathnet as mn``: every public name is an attribute of this module, found on first use, so that importing it costs next to
nothing.  Arrays are ``numpy.ndarray``; functions called on arrays give arrays, functions called on graph values give graph values.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mathnet.version import __version__ as __version__

_HOMES = {
    "mathnet._kernels": "get_include",
    "mathnet.control_flow": "cond while_loop",
    "mathnet.equations": "fixed_point linear_solve",
    "mathnet.derivatives": "custom_vjp grad hessian hvp jacobian jvp linearize scan value_and_grad vhp vjp",
    "mathnet.errors": (
        "ArgumentError CheckError DTypeError DataError FileFormatError GradientError GraphError MathnetError "
        "PluginError PluginWarning ShapeError TrainingWarning UnknownKeyError"
    ),
    "mathnet.estimation": "Estimate expectation expectation_gradient",
    "mathnet.functions": "function",
    "mathnet.graph.dim": "Dim",
    "mathnet.graph.tensor": "Tensor",
    "mathnet.model": "Input Model Sequential Trainer load",
    "mathnet.plugin.bases": "Layer",
    "mathnet.plugin.callback": "Callback",
    "mathnet.plugin.decorators": (
        "activation callback constraint distribution format initializer layer loss metric op optimizer regularizer report "
        "schedule"
    ),
    "mathnet.plugin.hookspecs": "hookimpl",
    "mathnet.plugin.host": "Runtime register registered seed unregister",
    "mathnet.plugin.host_op": "HostOp",
    "mathnet.plugin.kernel_op": "KernelOp",
    "mathnet.plugin.metric": "Metric",
    "mathnet.plugin.records": "Sample",
    "mathnet.plugin.report": "Report",
    "mathnet.study.formula": "formula",
    "mathnet.vectorization": "checkpoint vmap",
    "mathnet.testing": "check_gradient",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}
_MODULES = frozenset(
    "activations callbacks constraints data distributions errors formats initializers layers linalg losses metrics ops optimizers "
    "plugins random regularizers reports schedules testing".split()
)


def _functions() -> dict[str, Any]:
    """Graph functions by name; the first call imports every operation."""
    import_module("mathnet.ops")
    return import_module("mathnet.graph.op").FUNCTIONS


def __getattr__(name: str) -> Any:
    if name.startswith("__"):
        raise AttributeError(f"module 'mathnet' has no attribute {name!r}")
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in _MODULES:
        value = import_module(f"mathnet.{name}")
    else:
        functions = _functions()
        if name not in functions:
            from mathnet.errors import nearest

            raise AttributeError(
                f"module 'mathnet' has no attribute {name!r}{nearest(name, (*_HOME, *_MODULES, *functions))}"
            )
        value = import_module("mathnet.functions").apply(functions[name])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*_HOME, *_MODULES, *_functions(), "__version__"})
