"""Formulas by NumPy, and all promises of the conformance kit."""

import mathnet_swish
import numpy as np

import mathnet as mn

RNG = np.random.default_rng(1)


def test_formulas():
    x, w = RNG.standard_normal((2, 3, 4))
    np.testing.assert_allclose(mathnet_swish.swish(x, 1.5), x / (1 + np.exp(-1.5 * x)), rtol=1e-13)
    norms = np.sqrt((w**2).sum(axis=0) + 1e-12)
    np.testing.assert_allclose(mathnet_swish.group_lasso(w, 0.2), 0.2 * norms.sum())


def test_training_by_name():
    with mn.Runtime([mathnet_swish], autoload=False, seed=0):
        x = RNG.standard_normal((96, 4)).astype(np.float32)
        y = (x[:, 0] * x[:, 1] > 0).astype(np.int64)
        model = mn.Sequential(
            [mn.layers.Dense(8, activation="swish"), mn.layers.Highway(), mn.layers.Dense(2)],
            input_shape=(4,),
        )
        optimizer = mn.optimizers.Signum(3e-3)
        history = model.fit(x, y, loss="poly1", optimizer=optimizer, epochs=30, seed=0, progress=False)
        assert history["loss"][-1] < 0.7 * history["loss"][0]


@mn.testing.parametrize_with_checks(mathnet_swish)
def test_conformance(obj, check):
    check(obj)
