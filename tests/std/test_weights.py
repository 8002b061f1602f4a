"""Regularizers, constraints and initializers beyond the plain ones."""

import math

import numpy as np
import pytest
from scipy import stats

import mathnet as mn

W = np.random.default_rng(12).standard_normal((5, 3))
FILTERS = np.random.default_rng(13).standard_normal((2, 3, 2, 2))


def gram_defect(w):
    m = w.reshape(len(w), -1)
    m = m if m.shape[0] >= m.shape[1] else m.T
    return ((m.T @ m - np.eye(m.shape[1])) ** 2).sum()


@pytest.mark.parametrize("w", [W, W.T, FILTERS, W[0]])
def test_regularizers_of_the_whole_weight(w):
    m = w.reshape(len(w), -1) if w.ndim > 1 else w[None]
    norm = np.linalg.norm(m, 2)
    np.testing.assert_allclose(mn.regularizers.Spectral(0.3)(w), 0.3 * norm**2, rtol=1e-12)
    np.testing.assert_allclose(mn.regularizers.Orthogonal(0.3)(w), 0.3 * gram_defect(m), rtol=1e-12)
    np.testing.assert_allclose(
        mn.regularizers.L1L2(0.1, 0.2)(w), 0.1 * np.abs(w).sum() + 0.2 * (w**2).sum(), rtol=1e-12
    )
    u, s, vt = np.linalg.svd(m)
    slope = 2 * s[0] * np.outer(u[:, 0], vt[0])
    np.testing.assert_allclose(mn.grad(mn.regularizers.Spectral(1.0))(w), slope.reshape(w.shape), atol=1e-11)


def test_the_spectral_penalty_of_equal_singular_values_can_be_trained():
    w = mn.initializers.get("orthogonal")((4, 4), np.random.default_rng(0))
    slope = mn.grad(mn.regularizers.Spectral(0.5))(w)
    assert np.linalg.norm(slope) == pytest.approx(1.0)  # 2·½·σ of one pair of vectors


def norms(w, axis):
    return np.sqrt((w**2).sum(axis=axis, keepdims=True))


@pytest.mark.parametrize(("w", "axis"), [(W, 0), (W, 1), (FILTERS, (1, 2, 3))])
def test_constraints(w, axis):
    n = norms(w, axis)
    axis = list(axis) if isinstance(axis, tuple) else axis  # as a loaded file gives it
    np.testing.assert_array_equal(mn.constraints.NonNegative()(w), np.maximum(w, 0))
    np.testing.assert_allclose(mn.constraints.UnitNorm(axis)(w), w / n, rtol=1e-12)
    np.testing.assert_allclose(mn.constraints.MaxNorm(1.5, axis)(w), w * np.minimum(1, 1.5 / n), rtol=1e-12)
    wanted = w * (0.25 + 0.75 * np.clip(n, 1.8, 2.2) / n)
    np.testing.assert_allclose(mn.constraints.MinMax(1.8, 2.2, 0.75, axis)(w), wanted, rtol=1e-12)


def test_constraints_hold_in_a_training():
    x = mn.Input((4,))
    model = mn.Model(x, mn.layers.Dense(3, kernel_constraint="non_negative")(x))
    unit = mn.Model(x, mn.layers.Dense(3, kernel_constraint=mn.constraints.UnitNorm())(x))
    data = (
        np.random.default_rng(0).standard_normal((16, 4)),
        np.random.default_rng(1).standard_normal((16, 3)),
    )
    for made in (model, unit):
        made.fit(*data, loss="mse", optimizer=mn.optimizers.SGD(0.5), epochs=2, batch_size=4)
    assert model.parameters["dense/kernel"].min() == 0.0
    np.testing.assert_allclose(norms(unit.parameters["dense/kernel"], 0), 1.0, rtol=1e-6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mn.constraints.MaxNorm(-1.0)(W), "max_value must be a number from 0"),
        (lambda: mn.constraints.MinMax(2.0, 1.0)(W), "0 ≤ min_value ≤ max_value"),
        (lambda: mn.initializers.Identity()((3,), None), "a matrix can be one"),
        (lambda: mn.initializers.Dirac()((3, 3), None), r"\(out, in/groups, \*window\)"),
        (lambda: mn.initializers.Dirac(2)((3, 3, 2), None), "multiple of groups=2"),
        (lambda: mn.initializers.VarianceScaling(mode="fan")((3, 3), np.random.default_rng(0)), "mode must be"),
        (lambda: mn.initializers.VarianceScaling(distribution="law")((3, 3), np.random.default_rng(0)), "distribution must be"),
    ],
)  # fmt: skip
def test_bad_settings(make, message):
    with pytest.raises(mn.MathnetError, match=message):
        make()


CUT = math.sqrt(stats.truncnorm(-2, 2).var())


@pytest.mark.parametrize(
    ("initializer", "std"),
    [
        (mn.initializers.TruncatedNormal(stddev=0.3), 0.3 * CUT),
        (mn.initializers.VarianceScaling(2.0), math.sqrt(2 / 300)),
        (mn.initializers.VarianceScaling(2.0, "fan_out", "untruncated_normal"), math.sqrt(2 / 400)),
        (mn.initializers.VarianceScaling(1.0, "fan_avg", "uniform"), math.sqrt(1 / 350)),
    ],
)
def test_drawn_weights(initializer, std):
    w = initializer((300, 400), np.random.default_rng(0)).ravel()
    assert w.std() == pytest.approx(std, rel=0.01) and abs(w.mean()) < 4 * std / math.sqrt(w.size)
    if "trunc" in repr(initializer).lower().replace("untrunc", ""):
        assert stats.kstest(w / std * CUT, stats.truncnorm(-2, 2).cdf).pvalue > 0.001


def test_identities():
    np.testing.assert_array_equal(mn.initializers.Identity(2.0)((2, 4), None), 2.0 * np.eye(2, 4))
    for shape, groups in (((4, 3, 5), 1), ((4, 2, 3, 4), 2), ((6, 2, 3, 3, 2), 3)):
        wanted, filters = np.zeros(shape), shape[0] // groups
        for group in range(groups):  # filter k of each group passes its channel k on
            for k in range(min(filters, shape[1])):
                wanted[(group * filters + k, k, *[n // 2 for n in shape[2:]])] = 1.0
        np.testing.assert_array_equal(mn.initializers.Dirac(groups)(shape, None), wanted)
