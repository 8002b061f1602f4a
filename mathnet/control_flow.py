"""Control flow that depends on the data: a choice between two functions, and a loop of unknown length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mathnet.errors import require_function
from mathnet.functions import TracedCall
from mathnet.ops.branch import cond as cond_of_tensors
from mathnet.ops.while_loop import while_loop as loop_of_tensors


def cond(predicate: Any, true_function: Callable, false_function: Callable, *operands: Any) -> Any:
    """``true_function(*operands)`` where the predicate is true, else ``false_function(*operands)``; only the chosen one runs.

    predicate: one bool.  operands: nested arrays or numbers.  The functions may use tensors from outside too; both must return the same
    structure, shapes and element types (bare numbers take the type of the other side).  States cannot be assigned inside.  The
    branch is one instruction of the plan, and its derivatives of any order, forward and reverse, are branches again.  Under ``vmap``
    a predicate that differs from example to example runs both functions on all examples and selects, as ``mn.where`` does.

    Raises DTypeError for a predicate that is no bool, ShapeError or DTypeError when the functions disagree.

    >>> import mathnet as mn
    >>> root = lambda x: mn.cond(x > 0.0, lambda x: mn.sqrt(x), lambda x: 0.0 * x, x)
    >>> float(root(4.0)), float(mn.grad(root)(4.0)), float(mn.grad(root)(-1.0))
    (2.0, 0.25, 0.0)
    """

    for name, side in (("true_function", true_function), ("false_function", false_function)):
        require_function(f"cond: {name}", side, "; mn.where chooses between values")

    def build(predicate: Any, operands: Any) -> Any:
        return cond_of_tensors(predicate, true_function, false_function, operands)

    return TracedCall(build, (predicate, operands), {}, "cond", fresh=False).result()


def while_loop(condition: Callable, body: Callable, init: Any, max_steps: int | None = None) -> Any:
    """``x = init; while condition(x): x = body(x)``; returns the last x.

    init: nested arrays or numbers, of which every iteration keeps structure, shapes and types.  condition: x → one bool.  The loop is one
    instruction of the plan and can be interrupted.  With ``max_steps`` a run whose condition is still true after so many iterations
    ends with a DataError.  Forward mode works always; reverse mode needs ``max_steps`` and keeps the carries of so many iterations.
    Both are of any order.  Under ``vmap`` the loop runs until the last example has ended; those that have ended stay as they are.

    Raises GradientError for a derivative in reverse mode without ``max_steps``, ShapeError or DTypeError when x changes or the condition
    is not one bool.

    >>> import mathnet as mn
    >>> halve = lambda x: mn.while_loop(lambda x: x > 1.0, lambda x: 0.5 * x, x, max_steps=100)
    >>> float(halve(12.0)), float(mn.grad(halve)(12.0))
    (0.75, 0.0625)
    """

    require_function("while_loop: condition", condition)
    require_function("while_loop: body", body)

    def build(init: Any) -> Any:
        return loop_of_tensors(condition, body, init, max_steps)

    return TracedCall(build, (init,), {}, "while_loop", fresh=False).result()
