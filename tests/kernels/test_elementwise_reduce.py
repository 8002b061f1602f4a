"""Programs with a reduction: results against NumPy, and bits that depend on the reduced extents only."""

import itertools

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS, operation, pack, run

import mathnet._kernels as kernels

REALS = ["float32", "float64"]
tables = pytest.mark.parametrize("isa, real", list(itertools.product(ISAS, REALS)))
NUMPY = {"sum": np.sum, "max": np.max, "min": np.min, "prod": np.prod}

CASES = [
    ((9,), (0,)),
    ((1000,), (0,)),
    ((70_001,), (0,)),
    ((33, 10), (1,)),
    ((33, 10), (0,)),
    ((33, 10), (0, 1)),
    ((32, 128), (0,)),
    ((5, 700), (0,)),
    ((5, 700), (1,)),
    ((3, 40_000), (1,)),
    ((2500, 6), (0,)),
    ((2500, 600), (0,)),
    ((4, 3, 50), (0, 2)),
    ((4, 3, 50), (1,)),
    ((4, 3, 700), (0, 2)),
    ((4, 3, 700), (0, 1)),
    ((3, 2, 20_000), (0, 2)),
    ((2, 1500, 3, 4), (1, 3)),
    ((2, 3, 4, 5), (0, 2)),
    ((2, 3, 4, 5), (0, 1, 2, 3)),
    ((6, 1, 5), (0, 2)),
]


@tables
@pytest.mark.parametrize("shape, axes", CASES)
@pytest.mark.parametrize("kind", NUMPY)
def test_reduction_agrees_with_numpy(isa, real, shape, axes, kind):
    """Σ x·y and the like, with y broadcast; two outputs."""
    rng = np.random.default_rng(0)
    spread = 1 if kind != "prod" else 1e-3
    x = guard_page.copy((1 + spread * rng.uniform(-1, 1, shape)).astype(real))
    y = guard_page.copy((1 + spread * rng.uniform(-1, 1, shape[-1:])).astype(real))
    kept = [1 if i in axes else n for i, n in enumerate(shape)]
    first, second = guard_page.empty(kept, real), guard_page.empty(kept, "float64")
    code = [operation("mul", 2, 0, 1), operation("copy", 3, 0)]
    run(isa, real, code, shape, [x, y], [first, second], kind, axes)
    count = x.size / max(first.size, 1)
    rtol = np.finfo(real).eps * (8 + 0.5 * count if kind == "prod" else 8 + 0.01 * count)
    for got, values in ((first, x.astype(float) * y), (second, x.astype(float))):
        np.testing.assert_allclose(got, NUMPY[kind](values, axes, keepdims=True), rtol=rtol)


@tables
@pytest.mark.parametrize("shape, axes", CASES)
def test_order_of_chunks_does_not_matter(isa, real, shape, axes):
    x = np.random.default_rng(1).normal(size=shape).astype(real)
    kept = [1 if i in axes else n for i, n in enumerate(shape)]
    kernel = kernels.load_table(isa, real)["elementwise"]
    code = [operation("exp", 1, 0)]
    results = []
    for backwards in (False, True):
        target = np.full(kept, np.nan, real)
        packed = pack(kernel, code, shape, [x], [target], "sum", axes)
        order = list(range(kernel.sizes(packed).chunks))
        kernel.run(packed, [x, target], order[::-1] if backwards else order)
        results.append(target.tobytes())
    assert results[0] == results[1]


@tables
@pytest.mark.parametrize("width", [3, 10, 128, 300, 1000, 40_000])
def test_a_row_has_the_same_bits_alone_and_in_a_batch(isa, real, width):
    x = np.random.default_rng(2).normal(size=(7, width)).astype(real)
    code = [operation("square", 1, 0)]
    batch = run(isa, real, code, x.shape, [x], [np.empty((7, 1), real)], "sum", (1,))[0]
    strided = np.asfortranarray(x)
    assert np.array_equal(
        run(isa, real, code, x.shape, [strided], [np.empty((7, 1), real)], "sum", (1,))[0], batch
    )
    for row in (0, 3, 6):
        alone = run(isa, real, code, (1, width), [x[row : row + 1]], [np.empty((1, 1), real)], "sum", (1,))[0]
        assert alone[0, 0] == batch[row, 0]
        flat = run(isa, real, code, (width,), [x[row]], [np.empty(1, real)], "sum", (0,))[0]
        assert flat[0] == batch[row, 0]


@tables
def test_a_column_has_the_same_bits_however_many_stand_beside_it(isa, real):
    x = np.random.default_rng(3).normal(size=(2500, 700)).astype(real)
    code = [operation("copy", 1, 0)]
    whole = run(isa, real, code, x.shape, [x], [np.empty((1, 700), real)], "sum", (0,))[0]
    for columns in (slice(0, 3), slice(100, 350), slice(699, 700)):
        part = x[:, columns].copy()
        if part.shape[1] > 1:
            got = run(isa, real, code, part.shape, [part], [np.empty((1, part.shape[1]), real)], "sum", (0,))[
                0
            ]
            assert np.array_equal(got, whole[:, columns])


@tables
def test_a_batch_of_one_between_reduced_axes_changes_no_bits(isa, real):
    x = np.random.default_rng(4).normal(size=(6, 5, 333)).astype(real)
    code = [operation("copy", 1, 0)]
    batch = run(isa, real, code, x.shape, [x], [np.empty((1, 5, 1), real)], "sum", (0, 2))[0]
    one = np.ascontiguousarray(x[:, 2:3])
    alone = run(isa, real, code, one.shape, [one], [np.empty((1, 1, 1), real)], "sum", (0, 2))[0]
    assert alone[0, 0, 0] == batch[0, 2, 0]


@tables
def test_nan_wins_and_nothing_reduces_to_the_neutral_element(isa, real):
    x = np.array([[1, np.nan, 3], [4, 5, 6]], real)
    code = [operation("copy", 1, 0)]
    for kind in NUMPY:
        got = run(isa, real, code, x.shape, [x], [np.empty((2, 1), real)], kind, (1,))[0].ravel()
        assert np.isnan(got[0]) and got[1] == NUMPY[kind](x[1])
    for kind, neutral in (("sum", 0), ("prod", 1), ("max", -np.inf), ("min", np.inf)):
        for shape, axes in (((0,), (0,)), ((0, 600), (0,)), ((3, 0), (1,)), ((5, 0, 7), (1,))):
            kept = [1 if i in axes else n for i, n in enumerate(shape)]
            got = run(
                isa, real, code, shape, [np.empty(shape, real)], [np.full(kept, np.nan, real)], kind, axes
            )[0]
            assert (got == neutral).all()


@tables
def test_sums_are_more_accurate_than_one_after_the_other(isa, real):
    x = np.full(1_000_003, 0.1, real)
    code = [operation("copy", 1, 0)]
    total = run(isa, real, code, x.shape, [x], [np.empty(1, real)], "sum", (0,))[0][0]
    exact = float(x[0]) * x.size
    assert abs(total - exact) / exact < 20 * np.finfo(real).eps
