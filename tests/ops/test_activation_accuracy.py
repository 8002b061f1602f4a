"""Activations that are written in several operations: units in the last place, for numbers of every size."""

import sys
from pathlib import Path

import numpy as np
import pytest

import mathnet as mn

sys.path.insert(0, str(Path(__file__).parents[1] / "kernels"))
from test_vector_math import REALS, elu, every_exponent, gelu, sigmoid, softplus, units_in_last_place

ACTIVATIONS = {
    "gelu": gelu,
    "silu": lambda x: x * sigmoid(x),
    "elu": elu,
    "sigmoid": sigmoid,
    "softplus": softplus,
    "tanh": np.tanh,
    "hard_sigmoid": lambda x: np.clip((x + 3) / 6, 0, 1),
    "hard_swish": lambda x: x * np.clip((x + 3) / 6, 0, 1),
    "relu": lambda x: np.where(np.isnan(x), x, np.maximum(x, 0)),
}


@pytest.mark.parametrize("real", REALS)
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_within_four_units_in_the_last_place(name, real):
    near = np.random.default_rng(1).uniform(-12, 12, 20_000).astype(real)
    x = np.concatenate([near, every_exponent(real)])
    x = x[np.isfinite(x)]
    with np.errstate(all="ignore"):
        exact = ACTIVATIONS[name](x.astype(np.longdouble))
        error = units_in_last_place(getattr(mn, name)(x), exact)
        if name == "silu":  # a gate that small has lost digits
            gate_error = np.abs(x) * np.finfo(real).smallest_subnormal
            error[np.abs(getattr(mn, name)(x) - exact) <= gate_error] = 0
    worst = np.argmax(error)
    assert error[worst] <= 4.0, f"{name}({x[worst]!r}): {error[worst]:.2f} ulp"
