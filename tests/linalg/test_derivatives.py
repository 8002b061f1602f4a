"""Derivatives of mn.linalg: finite differences in both orders, forward against reverse mode, and what happens where values repeat."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.errors import GradientError

RNG = np.random.default_rng(0)
A = RNG.standard_normal((4, 4)) + np.diag([4.0, -3.0, 2.0, 0.5])
S = A + A.T
P = A @ A.T + np.eye(4)
B = RNG.standard_normal((4, 2))
W = RNG.standard_normal((4, 4))


def projector(a):
    vectors = mn.linalg.eigh(a)[1][:, :3]
    return weighted(vectors @ mn.transpose(vectors))


def polar(a):
    u, _, vh = mn.linalg.svd(a)
    return weighted(u @ vh)


def weighted(*tensors):
    """A number that depends on every element in its own way."""
    return sum(mn.sum(mn.sin(t) * np.cos(np.arange(t.size).reshape(t.shape))) for t in tensors)


CASES = {
    "cholesky": (lambda a: weighted(mn.linalg.cholesky(a)), P),
    "eigh": (lambda a: weighted(*mn.linalg.eigh(a)), S),
    "eigh, stack": (lambda a: weighted(*mn.linalg.eigh(a)), np.stack([S, P])),
    "svd, tall": (lambda a: weighted(*mn.linalg.svd(a)), A[:, :3].copy()),
    "svd, wide": (lambda a: weighted(*mn.linalg.svd(a)), A[:3].copy()),
    "svd, values": (lambda a: weighted(mn.linalg.svdvals(a)), A),
    "qr, tall": (lambda a: weighted(*mn.linalg.qr(a)), A[:, :3].copy()),
    "qr, wide": (lambda a: weighted(*mn.linalg.qr(a)), A[:3].copy()),
    "qr, Q only": (lambda a: weighted(mn.linalg.qr(a)[0]), A[:, :3].copy()),
    "det": (mn.linalg.det, A),
    "slogdet": (lambda a: mn.linalg.slogdet(a)[1], A),
    "inv": (lambda a: weighted(mn.linalg.inv(a)), A),
    "solve": (lambda a: weighted(mn.linalg.solve(a, B)), A),
    "solve, right side": (lambda b: weighted(mn.linalg.solve(A, b)), B),
    "solve, stacks": (lambda a: weighted(mn.linalg.solve(a, np.stack([B, 2 * B]))), A),
    "solve_triangular": (lambda a: weighted(mn.linalg.solve_triangular(a, B, lower=True)), A),
    "solve_triangular, transposed": (lambda a: weighted(mn.linalg.solve_triangular(a, B, transpose=True)), A),
    "pinv, tall": (lambda a: weighted(mn.linalg.pinv(a)), A[:, :2].copy()),
    "pinv, wide": (lambda a: weighted(mn.linalg.pinv(a)), A[:2].copy()),
    "lstsq, tall": (lambda a: weighted(mn.linalg.lstsq(a, B)), A[:, :2].copy()),
    "lstsq, wide": (lambda a: weighted(mn.linalg.lstsq(a, B[:2])), A[:2].copy()),
    "lstsq, right side": (lambda b: weighted(mn.linalg.lstsq(A[:, :2], b)), B),
    "expm": (lambda a: weighted(mn.linalg.expm(a / 3)), A),
    "matrix_power": (lambda a: weighted(mn.linalg.matrix_power(a / 3, 5)), A),
    "matrix_power, negative": (lambda a: weighted(mn.linalg.matrix_power(a, -2)), A),
    "norm 2": (lambda a: mn.norm(a, 2), A),
    "norm nuc": (lambda a: mn.norm(a, "nuc"), A),
    "effective_rank": (mn.linalg.effective_rank, A),
    "cond": (mn.linalg.cond, A),
    "multi_dot": (lambda a: mn.sum(mn.linalg.multi_dot([a, A, a])), A),
    "einsum": (lambda a: weighted(mn.einsum("ij,jk,kl->il", a, A, a)), A / 8),
}


@pytest.mark.parametrize("case", CASES)
def test_first_and_second_order(case):
    f, x = CASES[case]
    mn.check_gradient(f, (x,))
    mn.check_gradient(lambda x: mn.sum(mn.grad(f)(x) * np.sin(np.arange(x.size)).reshape(x.shape)), (x,))


@pytest.mark.parametrize("case", CASES)
def test_forward_mode(case):
    f, x = CASES[case]
    v = np.random.default_rng(1).standard_normal(x.shape)
    tangent = mn.jvp(f, (x,), (v,))[1]
    slope = np.sum(mn.grad(f)(x) * v)
    assert abs(tangent - slope) <= 1e-12 * max(1.0, np.sum(np.abs(mn.grad(f)(x) * v)))


def test_singular_values_beside_full_vectors():
    def f(a):
        return weighted(mn.linalg.svd(a, full_matrices=True)[1])

    a = A[:, :3].copy()
    mn.check_gradient(f, (a,))
    np.testing.assert_allclose(
        mn.hvp(f)(a, B @ A[:2, :3]), mn.hvp(lambda a: weighted(mn.linalg.svdvals(a)))(a, B @ A[:2, :3])
    )
    with pytest.raises(GradientError, match="full_matrices=False"):
        mn.jvp(f, (a,), (a,))


def test_eigenvalues_of_any_matrix():
    def f(a):
        real, imaginary = mn.linalg.eigvals(a)
        return mn.sum(mn.sin(real)) + mn.sum(imaginary**2) + mn.sum(mn.cos(imaginary) * real)

    a = np.array([[1.0, -2.0, 0.3], [2.0, 1.0, -0.4], [0.2, 0.5, 4.0]])
    mn.check_gradient(f, (a,))
    mn.check_gradient(f, (np.stack([a, a + np.eye(3)]),))
    v = np.random.default_rng(2).standard_normal(a.shape)
    assert float(mn.jvp(f, (a,), (v,))[1]) == pytest.approx(np.sum(mn.grad(f)(a) * v), abs=1e-12)
    for second in (mn.grad(lambda a: mn.sum(mn.grad(f)(a))), mn.hessian(f), lambda a: mn.hvp(f)(a, v)):
        with pytest.raises(GradientError, match="eigvals"):
            second(a)


def test_eigenvectors_of_any_matrix_have_no_derivative():
    a = np.array([[1.0, -2.0], [2.0, 1.0]])
    mn.check_gradient(lambda a: mn.sum(mn.linalg.eig(a)[0][1] ** 2), (a,))
    for part in (0, 1):
        vectors = lambda a: mn.sum(mn.linalg.eig(a)[1][part] ** 2)  # noqa: E731, B023
        for derivative in (mn.grad(vectors), mn.hessian(vectors), lambda a: mn.jvp(vectors, (a,), (a,))):  # noqa: B023
            with pytest.raises(
                GradientError, match=r"eigenvectors .* are not differentiated.*mn\.linalg\.eigh"
            ):
                derivative(a)


# ---- repeated values -----------------------------------------------------------------------------------------------------

Q = np.linalg.qr(A)[0]
REPEATED = Q @ np.diag([1.0, 1.0, 1.0, 3.0]) @ Q.T
LOW_RANK = A[:, :2] @ A[:2]

WELL_DEFINED = {
    "projector": (projector, REPEATED),
    "single vector": (lambda a: mn.sum(mn.square(mn.linalg.eigh(a)[1][:, 3]) * np.arange(4.0)), REPEATED),
    "sum of cubes": (lambda a: mn.sum(mn.linalg.eigvalsh(a) ** 3), REPEATED),
    "sum of cubes at 1": (lambda a: mn.sum(mn.linalg.eigvalsh(a) ** 3), np.eye(4)),
    "largest": (lambda a: mn.linalg.eigvalsh(a)[-1], REPEATED),
    "polar factor": (polar, Q),
    "sum of squares of singular values": (lambda a: mn.sum(mn.linalg.svdvals(a) ** 2), LOW_RANK),
    "det of a singular matrix": (mn.linalg.det, A @ np.diag([1.0, 1.0, 1.0, 0.0])),
    "det of rank n − 2": (mn.linalg.det, A @ np.diag([1.0, 1.0, 0.0, 0.0])),
}


@pytest.mark.parametrize("case", WELL_DEFINED)
def test_what_is_well_defined_at_repeated_values_is_right(case):
    f, x = WELL_DEFINED[case]
    mn.check_gradient(f, (x,))


UNDEFINED = {
    "one of equal eigenvalues": (lambda a: mn.linalg.eigvalsh(a)[0], REPEATED),
    "one of equal vectors": (lambda a: weighted(mn.linalg.eigh(a)[1]), REPEATED),
    "one of equal singular values": (lambda a: mn.linalg.svdvals(a)[0], Q),
    "singular vectors": (lambda a: weighted(mn.linalg.svd(a)[0]), Q),
    "vectors of σ = 0": (lambda a: weighted(mn.linalg.svd(a)[0]), LOW_RANK),
    "full vectors": (lambda a: weighted(mn.linalg.svd(a, full_matrices=True)[0]), A[:, :2].copy()),
    "one of equal roots": (lambda a: mn.linalg.eigvals(a)[0][0], np.eye(3)),
    "a defective matrix": (lambda a: mn.linalg.eigvals(a)[0][0], np.array([[1.0, 1.0], [0.0, 1.0]])),
    "second order": (
        lambda a: mn.sum(mn.grad(lambda a: mn.sum(mn.linalg.eigvalsh(a) ** 3))(a) * W),
        REPEATED,
    ),
}


@pytest.mark.parametrize("case", UNDEFINED)
def test_what_is_undefined_is_an_error(case):
    f, x = UNDEFINED[case]
    with pytest.raises(GradientError, match=r"eigen|singular|vectors"):
        mn.grad(f)(x)


def test_forward_mode_splits_repeated_eigenvalues():
    t = np.random.default_rng(3).standard_normal((4, 4))
    t = t + t.T
    moved = mn.jvp(mn.linalg.eigvalsh, (REPEATED,), (t,))[1]
    step = 1e-6
    wanted = (np.linalg.eigvalsh(REPEATED + step * t) - np.linalg.eigvalsh(REPEATED)) / step
    np.testing.assert_allclose(moved, wanted, atol=1e-4)


def test_functions_of_matrices_inside_layers_and_compiled_functions():
    f = mn.function(mn.value_and_grad(lambda a: mn.linalg.slogdet(a @ mn.transpose(a) + np.eye(4))[1]))
    value, slope = f(A)
    inner = A @ A.T + np.eye(4)
    assert float(value) == pytest.approx(np.linalg.slogdet(inner)[1])
    np.testing.assert_allclose(slope, 2 * np.linalg.solve(inner, A), rtol=1e-10)
    layer = mn.layers.Lambda(lambda x: mn.linalg.inv(mn.reshape(x, (-1, 2, 2)) + 3.0 * np.eye(2)))
    assert layer(np.ones((5, 4))).shape == (5, 2, 2)
