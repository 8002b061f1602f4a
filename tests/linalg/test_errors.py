"""Bad input to mn.linalg: each error names the function, the matrix and a way out."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.errors import ArgumentError, DTypeError, ShapeError

SINGULAR = np.array([[1.0, 2.0], [2.0, 4.0]])
STACK = np.stack([np.eye(2), np.zeros((2, 2))])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mn.linalg.inv(np.zeros((3, 3))), r"inv: .*\(3, 3\) is singular; .*pinv"),
        (lambda: mn.linalg.inv(STACK), "inv: matrix 1 of the stack"),
        (lambda: mn.linalg.solve(np.zeros((2, 2)), np.ones(2)), "solve: .*singular; .*lstsq"),
        (
            lambda: mn.linalg.solve_triangular(STACK, np.ones((2, 1))),
            r"solve_triangular: matrix 1 .*element \(0, 0\) is 0",
        ),
        (lambda: mn.linalg.cholesky(-np.eye(2)), "cholesky: .*not positive definite; add"),
        (lambda: mn.linalg.cholesky(SINGULAR - np.eye(2)), "not positive definite"),
        (lambda: mn.linalg.eigh([[np.nan, 0.0], [0.0, 1.0]]), "eigh: .*NaN"),
        (lambda: mn.linalg.svd([[np.inf, 0.0]]), "svd: .*infinite"),
        (lambda: mn.grad(lambda a: mn.linalg.slogdet(a)[1])(np.zeros((2, 2))), "singular"),
        (lambda: mn.grad(lambda a: mn.sum(mn.grad(mn.linalg.det)(a)))(np.zeros((2, 2))), "singular"),
    ],
)
def test_matrices_that_have_no_answer(call, words):
    with pytest.raises(np.linalg.LinAlgError, match=words):
        call()


@pytest.mark.parametrize("name", ["cholesky", "inv", "det", "slogdet", "eigh", "eigvals", "expm"])
def test_square_matrices_are_wanted(name):
    f = getattr(mn.linalg, name)
    with pytest.raises(ShapeError, match=rf"{name}: the matrix must be square, but has shape \(2, 3\)"):
        f(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=rf"{name}: the matrix needs two axes"):
        f(np.ones(3))


@pytest.mark.parametrize(
    ("error", "call", "words"),
    [
        (ShapeError, lambda: mn.linalg.solve(np.eye(2), np.ones(3)), "has 2 rows, but the right side has 3"),
        (ShapeError, lambda: mn.linalg.solve(np.eye(2), 1.0), "right side must have one axis"),
        (ShapeError, lambda: mn.linalg.lstsq(np.ones((2, 3)), np.ones(3)), "lstsq: .*2 rows"),
        (ArgumentError, lambda: mn.linalg.matrix_power(np.eye(2), 0.5), "n must be an integer"),
        (ArgumentError, lambda: mn.linalg.pinv(np.eye(2), rcond=2.0), "rcond must be"),
        (ArgumentError, lambda: mn.linalg.matrix_rank(np.eye(2), -1), "rtol must be"),
        (ArgumentError, lambda: mn.linalg.multi_dot([]), "a list of 1 to 51 matrices"),
        (ShapeError, lambda: mn.linalg.multi_dot([np.eye(3), np.ones(3), np.eye(3)]), "factor 1 .* may be vectors"),
        (ShapeError, lambda: mn.linalg.multi_dot([np.eye(3), 2.0]), "factor 1 has shape .* a matrix is needed"),
        (ShapeError, lambda: mn.linalg.cond(np.ones((2, 0))), "cond: a matrix of shape .* no singular values"),
        (ArgumentError, lambda: mn.linalg.eigs(np.eye(2), 1, which=["largest"]), "which must be"),
        (DTypeError, lambda: mn.linalg.eigs("matrix", 1), "a function or a matrix of numbers"),
        (DTypeError, lambda: mn.linalg.inv(np.array([["a"]])), "inv"),
        (ShapeError, lambda: mn.linalg.pca(np.ones(3)), "pca: x must be a matrix"),
        (ArgumentError, lambda: mn.linalg.pca(np.ones((3, 2)), 3), "from 1 to 2"),
        (ArgumentError, lambda: mn.linalg.pca([[np.nan, 1.0], [1.0, 2.0]]), "NaN"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(error, call, words):
    with pytest.raises(error, match=words):
        call()
