"""The elementwise machine over any index space: broadcast, strided, permuted operands of any type, any reduced axes."""

import elementwise_machine as machine
import guard_page
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

REALS = ["float32", "float64"]
NUMPY = {None: None, "sum": np.sum, "max": np.max, "min": np.min}
sizes = st.one_of(st.integers(0, 9), st.sampled_from([1, 16, 33, 130, 300, 600]))


@st.composite
def spaces(draw):
    """A shape of at most some thousand elements, operands broadcast to it in strange layouts, and axes to reduce."""
    shape = []
    for _ in range(draw(st.integers(1, 4))):
        size = draw(sizes)
        shape.append(size if size * int(np.prod(shape)) <= 20_000 else 1)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    operands = [_operand(draw, rng, shape) for _ in range(2)]
    kind = draw(st.sampled_from(list(NUMPY)))
    axes = ()
    if kind is not None:
        axes = tuple(i for i in range(len(shape)) if draw(st.booleans()))
        if kind != "sum" and any(shape[i] == 0 for i in axes):
            kind = "sum"
    return shape, operands, kind, axes


def _operand(draw, rng, shape):
    size = [n if draw(st.integers(0, 3)) else 1 for n in shape]
    order = draw(st.permutations(range(len(shape))))
    step = draw(st.sampled_from([1, 1, 1, 2]))
    dtype = draw(st.sampled_from(["float32", "float32", "float64", "int64", "bool", "int32", "uint64"]))
    memory = [size[i] for i in order]
    memory[-1] *= step
    values = guard_page.copy(rng.integers(0, 5, memory).astype(dtype))
    return values[..., ::step].transpose(np.argsort(order))


@pytest.mark.parametrize("isa", machine.ISAS)
@pytest.mark.parametrize("real", REALS)
@given(space=spaces())
@settings(max_examples=120, deadline=None)
def test_any_space(isa, real, space):
    """Small integers: every sum is exact, whatever its order."""
    shape, (x, y), kind, axes = space
    expected = x.astype(float) * 2 + y.astype(float)
    expected = np.broadcast_to(expected, shape)
    kept = shape
    if kind is not None:
        expected = NUMPY[kind](expected, axis=axes, keepdims=True)
        kept = [1 if i in axes else n for i, n in enumerate(shape)]
    first, second = guard_page.empty(kept, real), guard_page.empty(kept, "float64")
    code = [machine.operation("mul_imm_add", 2, 0, 1, imm=2), machine.operation("copy", 3, 2)]
    machine.run(isa, real, code, shape, [x, y], [first, second], kind, axes)
    assert np.array_equal(first, expected) and np.array_equal(second, expected)


@pytest.mark.parametrize("isa", machine.ISAS)
@pytest.mark.parametrize("real", REALS)
@given(space=spaces())
@settings(max_examples=60, deadline=None)
def test_a_bare_reduction_of_any_operand(isa, real, space):
    """The program of one copy, which reads its operand without a pass over the block."""
    shape, (x, _), _, axes = space
    expected = np.broadcast_to(x, shape).astype(float).sum(axis=axes, keepdims=True)
    kept = [1 if i in axes else n for i, n in enumerate(shape)]
    total = guard_page.empty(kept, real)
    machine.run(isa, real, [machine.operation("copy", 1, 0)], shape, [x], [total], "sum", axes)
    assert np.array_equal(total, expected)
