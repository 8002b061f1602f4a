"""Values of mn.linalg against SciPy, which shares no code with the functions' own conventions and blocks."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given
from hypothesis import strategies as st

import mathnet as mn

SIZES = st.integers(1, 40)
SEEDS = st.integers(0, 10**6)


def draw(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape)


def bound(a, factor=1.0):
    """1e-12 relative to the condition number."""
    return factor * 1e-12 * max(np.linalg.cond(a), 1.0)


@given(SIZES, st.integers(1, 3), SEEDS)
def test_solutions(n, k, seed):
    a, b = draw(seed, n, n), draw(seed + 1, n, k)
    x = mn.linalg.solve(a, b)
    wanted = scipy.linalg.solve(a, b)
    np.testing.assert_allclose(x, wanted, rtol=0, atol=bound(a) * np.abs(wanted).max())
    np.testing.assert_allclose(mn.linalg.inv(a) @ a, np.eye(n), rtol=0, atol=bound(a) * n)


@given(st.integers(1, 80), st.booleans(), st.booleans(), SEEDS)
def test_triangles_in_blocks(n, lower, transpose, seed):
    a, b = draw(seed, n, n) / n + 2 * np.eye(n), draw(seed + 1, n)
    hidden = np.where(
        np.tri(n, dtype=bool) if lower else np.tri(n, dtype=bool).T, a, np.nan
    )  # the rest is not read
    hidden = np.where(np.isnan(hidden), 1e300, hidden)
    wanted = scipy.linalg.solve_triangular(a, b, trans=int(transpose), lower=lower)
    found = mn.linalg.solve_triangular(hidden, b, lower=lower, transpose=transpose)
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-12)


@given(SIZES, SIZES, SEEDS)
def test_factors(m, n, seed):
    a = draw(seed, m, n)
    k = min(m, n)
    q, r = mn.linalg.qr(a)
    np.testing.assert_allclose(q @ r, a, atol=1e-12)
    np.testing.assert_allclose(q.T @ q, np.eye(k), atol=1e-12)
    assert (np.tril(r, -1) == 0).all()
    assert (np.diagonal(r) >= 0).all()
    u, s, vh = mn.linalg.svd(a)
    assert (u.shape, s.shape, vh.shape) == ((m, k), (k,), (k, n))
    np.testing.assert_allclose(s, scipy.linalg.svdvals(a), atol=1e-12 * s[0])
    np.testing.assert_allclose((u * s) @ vh, a, atol=1e-12 * s[0])
    assert (np.take_along_axis(u, np.abs(u).argmax(0)[None], 0) > 0).all()
    full = mn.linalg.svd(a, full_matrices=True)
    np.testing.assert_allclose(full[0] @ full[0].T, np.eye(m), atol=1e-12)
    np.testing.assert_allclose((full[0][:, :k] * s) @ full[2][:k], a, atol=1e-12 * s[0])


@given(SIZES, SEEDS)
def test_symmetric_matrices(n, seed):
    b = draw(seed, n, n)
    a = b + b.T
    values, vectors = mn.linalg.eigh(a)
    np.testing.assert_allclose(values, scipy.linalg.eigvalsh(a), atol=1e-12 * max(np.abs(values).max(), 1))
    np.testing.assert_allclose(a @ vectors, vectors * values, atol=1e-11 * max(np.abs(values).max(), 1))
    assert (np.take_along_axis(vectors, np.abs(vectors).argmax(0)[None], 0) > 0).all()
    positive = b @ b.T + np.eye(n)
    np.testing.assert_allclose(
        mn.linalg.cholesky(positive), scipy.linalg.cholesky(positive, lower=True), atol=1e-12 * n * n
    )


@given(st.integers(1, 12), SEEDS, st.floats(1e-3, 40))
def test_functions_of_matrices(n, seed, scale):
    a = draw(seed, n, n) * scale / n
    wanted = scipy.linalg.expm(a)
    np.testing.assert_allclose(mn.linalg.expm(a), wanted, atol=1e-11 * np.abs(wanted).max())
    np.testing.assert_allclose(mn.linalg.det(a), scipy.linalg.det(a), rtol=1e-9, atol=1e-300)
    sign, log = mn.linalg.slogdet(a)
    np.testing.assert_allclose(sign * np.exp(log), np.linalg.det(a), rtol=1e-9)
    real, imaginary = mn.linalg.eigvals(a)
    wanted = np.sort_complex(scipy.linalg.eigvals(a))
    np.testing.assert_allclose(np.sort_complex(real + 1j * imaginary), wanted, atol=1e-8 * scale)
    assert (np.diff(real) >= 0).all()


@given(st.integers(1, 12), SEEDS, st.sampled_from([np.float32, np.float64]))
def test_eigenvectors_of_any_matrix(n, seed, dtype):
    a = np.stack([draw(seed, n, n), draw(seed + 1, n, n)]).astype(dtype)
    (real, imaginary), (v, w) = mn.linalg.eig(a)
    assert {x.dtype for x in (real, imaginary, v, w)} == {np.dtype(dtype)}
    for found, wanted in zip((real, imaginary), mn.linalg.eigvals(a)):
        np.testing.assert_array_equal(found, wanted)
    values, vectors = real + 1j * imaginary, v + 1j * w
    tolerance = 200 * n * np.finfo(dtype).eps
    np.testing.assert_allclose(
        a @ vectors, vectors * values[:, None, :], atol=tolerance * np.abs(a).max() * n
    )
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=tolerance)


@pytest.mark.parametrize("shape", [(7, 3), (3, 7), (5, 5)])
@pytest.mark.parametrize("rank", [1, 3])
def test_least_squares_of_any_rank(shape, rank):
    m, n = shape
    a = draw(1, m, rank) @ draw(2, rank, n)
    b = draw(3, m, 2)
    np.testing.assert_allclose(mn.linalg.pinv(a), scipy.linalg.pinv(a), atol=1e-12)
    np.testing.assert_allclose(mn.linalg.lstsq(a, b), scipy.linalg.lstsq(a, b)[0], atol=1e-12)
    np.testing.assert_allclose(mn.linalg.lstsq(a, b[:, 0]), scipy.linalg.lstsq(a, b[:, 0])[0], atol=1e-12)
    assert mn.linalg.matrix_rank(a) == rank


@pytest.mark.parametrize("power", [-3, -1, 0, 1, 2, 7])
def test_powers(power):
    a = draw(4, 2, 3, 3) + 2 * np.eye(3)
    np.testing.assert_allclose(mn.linalg.matrix_power(a, power), np.linalg.matrix_power(a, power), rtol=1e-10)


@pytest.mark.parametrize("order", [2, -2, "nuc", "fro", 1, np.inf])
def test_norms(order):
    a = draw(5, 3, 4, 5)
    order = float(order) if order is np.inf else order
    np.testing.assert_allclose(
        mn.norm(a, order, axis=(1, 2)), np.linalg.norm(a, order, axis=(1, 2)), rtol=1e-12
    )
    np.testing.assert_allclose(
        mn.linalg.norm(a, order, axis=(2, 0)), np.linalg.norm(a, order, axis=(2, 0)), rtol=1e-12
    )
    assert mn.norm(a, order, axis=(0, 2), keepdims=True).shape == (1, 4, 1)


def test_numbers_that_describe_a_matrix():
    a = draw(6, 2, 4, 3)
    s = np.linalg.svd(a, compute_uv=False)
    np.testing.assert_allclose(mn.linalg.cond(a), s[:, 0] / s[:, -1], rtol=1e-12)
    np.testing.assert_allclose(mn.linalg.spectral_norm(a), s[:, 0], rtol=1e-12)
    p = s / s.sum(1, keepdims=True)
    np.testing.assert_allclose(
        mn.linalg.effective_rank(a), np.exp(scipy.stats.entropy(p, axis=1)), rtol=1e-12
    )
    assert float(mn.linalg.effective_rank(np.diag([1.0, 1.0, 0.0]))) == pytest.approx(2)
    arrays = [draw(k, *shape) for k, shape in enumerate([(3,), (3, 50), (50, 2), (2, 4)])]
    for part in (arrays, arrays[1:], arrays[:2], [arrays[0], arrays[0]], [np.eye(2) * 0.9] * 30):
        np.testing.assert_allclose(mn.linalg.multi_dot(part), np.linalg.multi_dot(part), rtol=1e-12)
    np.testing.assert_array_equal(mn.linalg.multi_dot(arrays[:1]), arrays[0])
    np.testing.assert_array_equal(mn.linalg.cond(np.stack([np.zeros((2, 2)), np.eye(2)])), [np.inf, 1])


@pytest.mark.parametrize(
    "name", ["cholesky", "inv", "det", "slogdet", "eigh", "eigvals", "svd", "qr", "pinv", "expm", "svdvals"]
)
def test_a_stack_is_its_matrices_one_by_one(name):
    f = getattr(mn.linalg, name)
    b = draw(7, 2, 3, 4, 4)
    a = b @ np.swapaxes(b, -1, -2) + np.eye(4)
    whole = f(a)
    for index in np.ndindex(2, 3):
        one = f(np.ascontiguousarray(a[index]))
        for found, wanted in zip(*[x if isinstance(x, tuple) else (x,) for x in (whole, one)]):
            np.testing.assert_array_equal(found[index], wanted)


def test_types():
    a = np.eye(3, dtype=np.float32)
    assert mn.linalg.inv(a).dtype == np.float32
    assert mn.linalg.expm(a).dtype == np.float32
    assert mn.linalg.solve(a, np.ones(3)).dtype == np.float64
    assert mn.linalg.det([[2, 0], [0, 2]]).dtype == np.float64
