"""reduce and arg_reduce over the middle of [outer, reduced, inner]."""

import itertools

import elementwise_machine as machine
import guard_page
import numpy as np
import pytest

import mathnet._kernels as kernels

REALS = ["float32", "float64"]
tables = pytest.mark.parametrize("isa, real", list(itertools.product(machine.ISAS, REALS)))
KINDS = {"sum": (1, np.sum), "max": (2, np.max), "min": (3, np.min), "prod": (4, np.prod)}
SHAPES = [
    (1, 1, 1),
    (1, 7, 1),
    (3, 1000, 1),
    (2, 40_000, 1),
    (1, 70_001, 1),
    (500, 3, 1),
    (1, 32, 128),
    (4, 33, 10),
    (1, 2500, 7),
    (2, 2100, 300),
    (3, 5, 1),
    (1, 0, 5),
    (0, 4, 5),
    (2, 4, 0),
]


def run_reduce(isa, real, kind, x, scale=1.0, backwards=False):
    kernel = kernels.load_table(isa, real)["reduce"]
    packed = kernel.pack(
        outer=x.shape[0], reduced=x.shape[1], inner=x.shape[2], kind=KINDS[kind][0], scale=scale
    )
    y = guard_page.empty((x.shape[0], x.shape[2]), real)
    chunks = list(range(kernel.sizes(packed).chunks))
    kernel.run(packed, [x, y], chunks[::-1] if backwards else chunks)
    return y


@tables
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_numpy_and_with_the_elementwise_machine(isa, real, shape, kind):
    spread = 1e-3 if kind == "prod" else 1
    x = guard_page.copy((1 + spread * np.random.default_rng(0).uniform(-1, 1, shape)).astype(real))
    y = run_reduce(isa, real, kind, x)
    assert y.tobytes() == run_reduce(isa, real, kind, x, backwards=True).tobytes()
    if shape[1] > 0:
        expected = KINDS[kind][1](x.astype(float), axis=1)
        np.testing.assert_allclose(y, expected, rtol=np.finfo(real).eps * (8 + 0.2 * shape[1]))
    else:
        assert (y == {"sum": 0, "prod": 1, "max": -np.inf, "min": np.inf}[kind]).all()
    code = [machine.operation("copy", 1, 0)]
    axis = 1 if shape[2] != 1 else 0
    flat = x if axis else x.reshape(shape[:2])
    kept = (shape[0], 1, shape[2]) if axis else (shape[0], 1)
    same = machine.run(isa, real, code, flat.shape, [flat], [np.empty(kept, real)], kind, (1,))[0]
    assert np.array_equal(same.ravel(), y.ravel())


@tables
def test_scale_makes_a_mean(isa, real):
    x = np.random.default_rng(1).normal(size=(3, 2048, 5)).astype(real)
    np.testing.assert_allclose(
        run_reduce(isa, real, "sum", x, 1 / 2048),
        x.astype(float).mean(1),
        atol=1e-6 if real == "float32" else 1e-14,
    )


@tables
def test_a_result_has_the_same_bits_however_many_stand_beside_it(isa, real):
    x = np.random.default_rng(2).normal(size=(3, 1500, 70)).astype(real)
    whole = run_reduce(isa, real, "sum", x)
    for outer, columns in (
        (slice(1, 2), slice(3, 67)),
        (slice(0, 3), slice(69, 70)),
        (slice(2, 3), slice(0, 9)),
    ):
        part = np.ascontiguousarray(x[outer, :, columns])
        if part.shape[2] > 1:
            assert np.array_equal(run_reduce(isa, real, "sum", part), whole[outer, columns])


@tables
def test_nan_wins(isa, real):
    x = np.ones((2, 50, 3), real)
    x[1, 33, 2] = np.nan
    for kind in KINDS:
        assert np.flatnonzero(np.isnan(run_reduce(isa, real, kind, x))).tolist() == [5]


def run_arg_reduce(isa, real, kind, x):
    kernel = kernels.load_table(isa, real)["arg_reduce"]
    packed = kernel.pack(outer=x.shape[0], reduced=x.shape[1], inner=x.shape[2], kind=int(kind == "min"))
    y = guard_page.empty((x.shape[0], x.shape[2]), "int64")
    kernel.run(packed, [x, y])
    return y


@tables
@pytest.mark.parametrize("shape", [s for s in SHAPES if s[1] > 0])
def test_arg_reduce_finds_the_first(isa, real, shape):
    rng = np.random.default_rng(3)
    for values in (rng.normal(size=shape), rng.integers(-2, 3, shape), np.full(shape, -np.inf)):
        x = guard_page.copy(values.astype(real))
        np.testing.assert_array_equal(run_arg_reduce(isa, real, "max", x), x.argmax(1))
        np.testing.assert_array_equal(run_arg_reduce(isa, real, "min", x), x.argmin(1))
    x[rng.random(shape) < 0.1] = np.nan
    np.testing.assert_array_equal(run_arg_reduce(isa, real, "max", x), x.argmax(1))
    np.testing.assert_array_equal(run_arg_reduce(isa, real, "min", x), x.argmin(1))


def test_bad_descriptors_are_rejected():
    reduce, arg = kernels.kernel("reduce", "float32"), kernels.kernel("arg_reduce", "float32")
    for bad in ({"kind": 0}, {"kind": 5}, {"outer": -1}):
        with pytest.raises(ValueError, match="kernel reduce rejects"):
            reduce.sizes(
                reduce.pack(**{"outer": 1, "reduced": 1, "inner": 1, "kind": 1, "scale": 1.0, **bad})
            )
    for bad in ({"kind": 2}, {"reduced": 0}):
        with pytest.raises(ValueError, match="kernel arg_reduce rejects"):
            arg.sizes(arg.pack(**{"outer": 1, "reduced": 1, "inner": 1, "kind": 1, **bad}))
