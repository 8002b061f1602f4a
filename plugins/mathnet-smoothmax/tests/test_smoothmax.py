"""The smooth maximum against float64 NumPy, its derivatives against formulas, and all promises of the conformance kit."""

import mathnet_smoothmax
import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 3e-7), ("float64", 1e-15)])
@pytest.mark.parametrize("n", [0, 1, 8191, 8192, 20000])
def test_values(dtype, tolerance, n):
    x, y = (4 * RNG.standard_normal((2, n))).astype(dtype)
    found = mathnet_smoothmax.smooth_maximum(x, y, sharpness=1.5)
    assert found.dtype == dtype
    wide = np.logaddexp(1.5 * x.astype(float), 1.5 * y.astype(float)) / 1.5
    np.testing.assert_allclose(found, wide, rtol=tolerance, atol=tolerance)


def test_special_values():
    x, y = np.array([np.inf, -np.inf, np.nan, np.inf, 1000.0]), np.array([0.0, -np.inf, 0.0, np.inf, -1000.0])
    np.testing.assert_array_equal(
        mathnet_smoothmax.smooth_maximum(x, y), [np.inf, -np.inf, np.nan, np.inf, 1000.0]
    )


def test_derivatives():
    x, y = RNG.standard_normal((2, 7))
    by_x, by_y = mn.grad(lambda x, y: mn.sum(mathnet_smoothmax.smooth_maximum(x, y)), argnums=(0, 1))(x, y)
    w = 1 / (1 + np.exp(y - x))
    np.testing.assert_allclose(by_x, w, rtol=1e-13)
    np.testing.assert_allclose(by_y, 1 - w, rtol=1e-13)
    hessian = mn.hessian(lambda x: mn.sum(mathnet_smoothmax.smooth_maximum(x, 0 * x)))(x)
    s = 1 / (1 + np.exp(-x))
    np.testing.assert_allclose(hessian, np.diag(s * (1 - s)), atol=1e-13)


def test_training_uses_the_kernels():
    with mn.Runtime([mathnet_smoothmax], autoload=False, seed=0):
        model = mn.Sequential(
            [mn.layers.Dense(16, activation="smooth_relu"), mn.layers.Dense(1)], input_shape=(3,)
        )
        trainer = mn.Trainer(model, loss="mse", optimizer="adam", seed=0)
        x = RNG.standard_normal((64, 3)).astype(np.float32)
        losses = [trainer.step(x, np.abs(x[:, :1])) for _ in range(40)]
        assert losses[-1] < 0.7 * losses[0]
        shown = str(trainer.plan(batch=64).explain())
        assert "smooth_maximum" in shown and "smooth_maximum_derivative" in shown


def test_wrong_arguments_are_refused():
    with pytest.raises(mn.ShapeError, match="operand 1 has shape"):
        mathnet_smoothmax.smooth_maximum(np.ones(3), np.ones(4))
    with pytest.raises(mn.ArgumentError, match="sharpness must be positive"):
        mathnet_smoothmax.smooth_maximum(np.ones(3), np.ones(3), sharpness=0.0)


@mn.testing.parametrize_with_checks(mathnet_smoothmax)
def test_conformance(obj, check):
    check(obj)
