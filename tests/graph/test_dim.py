"""Symbolic sizes: exact arithmetic in normal form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mathnet.errors import ShapeError
from mathnet.graph.dim import Dim, evaluate, evaluate_shape, product, show_shape

small = st.integers(-6, 6)


@given(small, small, small, st.integers(1, 20), st.integers(1, 20))
def test_polynomials_evaluate_as_integers(a, b, c, n_value, m_value):
    n, m = Dim("n"), Dim("m")
    expression = a * n * m + b * n - c
    assert evaluate(expression, {n: n_value, m: m_value}) == a * n_value * m_value + b * n_value - c


@given(small, st.integers(1, 7), st.integers(0, 40))
def test_floor_division_evaluates_as_python(a, divisor, value):
    n = Dim("n")
    assert evaluate((n + a) // divisor, {n: value}) == (value + a) // divisor


def test_equal_expressions_are_equal():
    n, m = Dim("n"), Dim("m")
    assert (n + m) * (n - m) == n * n - m * m
    assert hash(2 * n + n) == hash(3 * n)
    assert (3 * n) // 3 == n
    assert (n + 1) // 2 == (1 + n) // 2
    assert n // n == 1
    assert n - n == 0


def test_same_name_is_not_same_size():
    assert Dim("n") != Dim("n")
    assert Dim("n") != 1


def test_partial_evaluation_keeps_the_rest_symbolic():
    n, m = Dim("n"), Dim("m")
    assert evaluate(n * m, {n: 3}) == 3 * m
    assert evaluate_shape((n, 4, m), {n: 2}) == (2, 4, m)


def test_a_size_is_no_integer():
    with pytest.raises(ShapeError, match="not known yet"):
        range(Dim("n"))
    with pytest.raises(ZeroDivisionError):
        Dim("n") // 0


def test_product_and_text():
    n = Dim("n")
    assert product((n, 2, 3)) == 6 * n
    assert show_shape((n,)) == "(n,)"
    assert show_shape((n - 1, 2)) == "(n-1, 2)"
