"""Formulas: what is written is what is computed."""

import math

import numpy as np
import pytest

import mathnet as mn

NAMES = [
    "tanh",
    "sigmoid",
    "softplus",
    "silu",
    "gelu",
    "relu",
    "elu",
    "mish",
    "exp",
    "log",
    "sqrt",
    "square",
    "reciprocal",
    "abs",
    "sin",
]


def value(text, x):
    """Evaluates the text of a formula with Python's own functions: an oracle that shares nothing with the graph."""

    def sigma(t):
        return 1 / (1 + math.exp(-t))

    for old, new in [
        ("·", "*"),
        ("²", "**2"),
        ("^", "**"),
        ("1/√2", "(1/math.sqrt(2))"),
        ("2/√π", "(2/math.sqrt(math.pi))"),
        ("1/√(2π)", "(1/math.sqrt(2*math.pi))"),
        ("√x", "math.sqrt(x)"),
        ("√", "math.sqrt"),
        ("π", "math.pi"),
        ("σ", "sigma"),
        ("|x|", "abs(x)"),
        ("≥", ">="),
        ("≤", "<="),
        (" = ", " == "),
    ]:
        text = text.replace(old, new)
    known = {
        name: getattr(math, name)
        for name in ("exp", "log", "tanh", "sin", "cos", "erf", "erfc", "expm1", "log1p")
    }
    known |= {"sigma": sigma, "math": math, "max": max, "min": min, "sign": np.sign, "abs": abs, "x": x}
    known |= {"Φ": lambda t: math.erfc(-t / math.sqrt(2)) / 2}
    known |= {"relu": lambda t: max(t, 0.0), "softplus": lambda t: math.log1p(math.exp(t))}
    return eval(text, {"__builtins__": {}}, known)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("x", [0.7, 1.9])
def test_the_written_derivative_is_the_computed_one(name, x):
    found = mn.formula(name)
    f = getattr(mn, name)
    assert value(found.derivative, x) == pytest.approx(float(mn.grad(f)(x)), rel=1e-9), str(found)


def test_a_function_of_ones_own():
    found = mn.formula(lambda x: x * mn.sigmoid(1.5 * x))
    assert found.text == "x·σ(x·1.5)" or found.text == "x·σ(1.5·x)"
    assert str(found).startswith("f(x) = x·σ(")
    assert value(found.derivative, 0.3) == pytest.approx(
        float(mn.grad(lambda x: x * mn.sigmoid(1.5 * x))(0.3))
    )
    assert r"\sigma\left(" in found.latex and "f'(x)" in found.latex


def test_text_of_known_ones():
    assert str(mn.formula("tanh")) == "tanh(x) = tanh(x)\ntanh′(x) = 1 - tanh(x)²"
    assert mn.formula("sigmoid").derivative == "σ(x)·(1 - σ(x))"
    assert "by convention" in str(mn.formula("relu"))
    assert mn.formula("floor").derivative == "0"
    assert mn.formula("selu").text


def test_bad_input():
    with pytest.raises(mn.UnknownKeyError, match=r"'tanhh'.*tanh"):
        mn.formula("tanhh")
    with pytest.raises(mn.ArgumentError, match="one number"):
        mn.formula("matmul")
    with pytest.raises(mn.ArgumentError, match="one number"):
        mn.formula(lambda x: mn.stack([x, x]))
