"""The normal form of expressions, against numbers."""

import math

import pytest

from mathnet.study.expression import ONE, ZERO, X, add, call, multiply, number, power, root, scale, value
from mathnet.study.pieces import Piece
from mathnet.study.writing import Writer

T = call("tanh", X)


def text(e):
    return Writer(latex=False).of(e)


def test_what_cancels_is_gone():
    assert add(X, scale(X, -1.0)) == ZERO
    assert multiply(X, power(X, -1.0)) == ONE
    assert multiply(ZERO, T) == ZERO
    assert add(ONE, scale(add(ONE, scale(power(T, 2.0), -1.0)), -1.0)) == power(T, 2.0)
    assert scale(scale(X, -1.0), -1.0) == X
    assert add(call("expm1", X), ONE) == call("exp", X)
    assert power(power(X, -1.0), 2.0) == power(X, -2.0)
    assert multiply(power(X, 0.5), power(X, 0.5)) == X


def test_a_root_of_a_square_is_no_square_of_a_root():
    assert value(power(power(X, 2.0), 0.5), -3.0) == 3.0


@pytest.mark.parametrize(
    ("e", "written", "latex"),
    [
        (scale(X, 0.5), "0.5·x", r"\frac{x}{2}"),
        (scale(X, -1.0 / 3.0), "-x/3", r"-\frac{x}{3}"),
        (add(scale(X, -2.0), ONE), "1 - 2·x", r"1 - 2 \cdot x"),
        (multiply(X, add(X, ONE)), "x·(x + 1)", r"x \cdot \left(x + 1\right)"),
        (power(add(X, ONE), -2.0), "1/(x + 1)²", r"\frac{1}{\left(x + 1\right)^{2}}"),
        (multiply(number(2.0), power(add(X, ONE), -1.0)), "2/(x + 1)", r"\frac{2}{x + 1}"),
        (multiply(power(X, -1.0), power(T, -1.0)), "1/(x·tanh(x))", r"\frac{1}{x \cdot \tanh\left(x\right)}"),
        (power(call("exp", X), 2.0), "exp(x)²", r"\left(e^{x}\right)^{2}"),
        (scale(T, math.sqrt(0.5)), "1/√2·tanh(x)", r"\tfrac{1}{\sqrt2} \cdot \tanh\left(x\right)"),
    ],
)
def test_written(e, written, latex):
    assert text(e) == written
    assert Writer(latex=True).of(e) == latex


def test_values():
    e = add(multiply(X, T), power(add(X, number(3.0)), -0.5))
    assert value(e, 0.7) == pytest.approx(0.7 * math.tanh(0.7) + 3.7**-0.5)
    assert math.isnan(value(power(X, -1.0), 0.0)) and math.isnan(value(call("unheard_of", X), 1.0))


def test_roots():
    assert root(add(scale(X, 2.0), number(-3.0))) == 1.5
    assert root(number(4.0)) is None
    with pytest.raises(ValueError, match="linear"):
        root(T)


def test_a_border_belongs_to_the_piece_whose_value_holds_there():
    found = [Piece(ZERO, 0.0), Piece(X, math.inf)]
    assert Writer(latex=False).pieces(found, {0.0: 0.0}) == "0 if x ≤ 0 else x"
    assert Writer(latex=False).pieces(found, {}) == "0 if x < 0 else x"
