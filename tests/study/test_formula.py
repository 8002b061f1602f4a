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
        ("√(2/π)", "math.sqrt(2/math.pi)"),
        ("³", "**3"),
        ("√(x", "math.sqrt(x"),
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


@pytest.mark.parametrize(
    "name", ["celu", "gelu", "hard_sigmoid", "hard_swish", "hard_tanh", "leaky_relu", "log_sigmoid", "mish", "relu6", "selu",
             "silu", "softplus", "softsign", "squareplus", "tanh_shrink", "elu", "tanh"]
)  # fmt: skip
def test_both_derivatives_on_every_piece(name):
    found, f = mn.formula(name), mn.activations.get(name)
    slope = mn.grad(f)
    for x in (-7.5, -3.4, -1.6, -0.3, 0.4, 2.2, 3.6, 6.8):
        assert value(found.derivative, x) == pytest.approx(float(slope(x)), rel=2e-9, abs=1e-12), found
        assert value(found.second, x) == pytest.approx(float(mn.grad(slope)(x)), rel=2e-8, abs=1e-12), found


def test_pieces_are_written_as_cases():
    found = mn.formula("hard_swish")
    assert found.derivative == "0 if x ≤ -3 else (x + 3)/6 + x/6 if x < 3 else 1"
    assert found.second == "0 if x ≤ -3 else 1/3 if x < 3 else 0"
    assert found.kinks == {-3.0: 0.0, 3.0: 1.0}
    assert found.latex_parts[0].startswith(r"\begin{cases} 0 & x \le -3 \\ x \cdot \left(")


def test_what_a_setting_changes_is_written():
    bent = mn.formula(mn.activations.CELU(0.5))
    assert bent.derivative == "exp(2·x) if x < 0 else 1" and bent.kinks == {}
    assert mn.formula(mn.activations.LeakyReLU(0.2)).kinks == {0.0: 0.2}
    assert mn.formula(lambda x: mn.clip(x, -2.0, 5.0)).text == "-2 if x < -2 else x if x ≤ 5 else 5"
    smooth = mn.formula(lambda x: mn.gelu(x, approximate="tanh"))
    assert value(smooth.text, 0.8) == pytest.approx(float(mn.gelu(0.8, approximate="tanh")), rel=1e-8)
    assert mn.formula("lgamma").derivative == "polygamma(0, x)"


def test_conditions_without_known_borders_stay():
    found = mn.formula(lambda x: mn.where(mn.sin(x) > 0.0, x, -x))
    assert found.text == "x if sin(x) > 0 else -x"
    assert r"\begin{cases} x & \sin\left(x\right) > 0" in found.latex


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
