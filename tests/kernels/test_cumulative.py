"""Running sums, products and linear recurrences over the middle of [outer, n, inner]."""

import itertools

import elementwise_machine as machine
import guard_page
import numpy as np
import pytest

import mathnet._kernels as kernels

tables = pytest.mark.parametrize("isa, real", list(itertools.product(machine.ISAS, ["float32", "float64"])))
SHAPES = [
    (1, 1, 1),
    (1, 7, 1),
    (3, 2000, 1),
    (9000, 3, 1),
    (2, 5, 3),
    (1, 40, 700),
    (4, 33, 8),
    (2, 0, 3),
    (0, 4, 5),
    (2, 4, 0),
]


def run(isa, real, kind, arrays, reverse=False, backwards=False):
    kernel = kernels.load_table(isa, real)["cumulative"]
    outer, n, inner = arrays[0].shape
    packed = kernel.pack(
        outer=outer,
        n=n,
        inner=inner,
        kind=kind,
        reverse=int(reverse),
        integer=int(arrays[0].dtype.kind == "i"),
    )
    y = guard_page.empty(arrays[0].shape, arrays[0].dtype)
    chunks = list(range(kernel.sizes(packed).chunks))
    kernel.run(packed, [*arrays, y], chunks[::-1] if backwards else chunks)
    return y


def by_steps(kind, x, b, reverse):
    """The same chain in the array's own type."""
    y, order = np.empty_like(x), range(x.shape[1])
    state = np.full((x.shape[0], x.shape[2]), int(kind == 1), x.dtype)
    for k in reversed(order) if reverse else order:
        state = state + x[:, k] if kind == 0 else state * x[:, k] if kind == 1 else state * x[:, k] + b[:, k]
        y[:, k] = state
    return y


@tables
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", [0, 1, 2])
def test_one_step_after_the_other(isa, real, kind, shape, reverse):
    rng = np.random.default_rng(0)
    x, b = (guard_page.copy(rng.uniform(-1.1, 1.1, shape).astype(real)) for _ in range(2))
    arrays = [x, b] if kind == 2 else [x]
    y = run(isa, real, kind, arrays, reverse)
    np.testing.assert_array_equal(y, by_steps(kind, x, b, reverse))
    assert y.tobytes() == run(isa, real, kind, arrays, reverse, backwards=True).tobytes()


@tables
@pytest.mark.parametrize("kind", [0, 1])
def test_integers_are_exact_and_wrap_around(isa, real, kind):
    x = np.random.default_rng(1).integers(-(2**62), 2**62, (3, 20, 5)) | 1
    f = np.cumsum if kind == 0 else np.cumprod
    np.testing.assert_array_equal(run(isa, real, kind, [x]), f(x, axis=1))
    np.testing.assert_array_equal(run(isa, real, kind, [x], True), f(x[:, ::-1], axis=1)[:, ::-1])


@tables
@pytest.mark.parametrize("wrong", [{"kind": 3}, {"n": -1}, {"kind": 2, "integer": 1}])
def test_a_wrong_descriptor_is_refused(isa, real, wrong):
    kernel = kernels.load_table(isa, real)["cumulative"]
    fields = {"outer": 1, "n": 1, "inner": 1, "kind": 0, "reverse": 0, "integer": 0, **wrong}
    x = np.zeros((1, 1, 1), real)
    with pytest.raises(ValueError, match="kernel cumulative rejects"):
        kernel.run(kernel.pack(**fields), [x, x.copy()])
