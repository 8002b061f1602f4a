"""Eigenvalues of operators: Lanczos and power iteration against the dense solve."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mathnet as mn
from mathnet.errors import ArgumentError, ShapeError


@given(st.integers(1, 60), st.sampled_from(["largest", "smallest", "magnitude"]), st.integers(0, 10**6))
def test_the_ten_first_eigenvalues(n, which, seed):
    a = np.random.default_rng(seed).standard_normal((n, n))
    a = a + a.T
    k = min(10, n)
    values, vectors = mn.linalg.eigs(lambda v: a @ v, k, like=np.zeros(n), which=which)
    dense = np.linalg.eigvalsh(a)
    key = {"largest": -dense, "smallest": dense, "magnitude": -np.abs(dense)}[which]
    np.testing.assert_allclose(
        values, dense[np.argsort(key, kind="stable")][:k], atol=1e-6 * np.abs(dense).max()
    )
    np.testing.assert_allclose(vectors @ a, values[:, None] * vectors, atol=1e-6 * np.abs(dense).max())
    np.testing.assert_allclose(vectors @ vectors.T, np.eye(k), atol=1e-6)


@pytest.mark.parametrize(
    "values", [np.ones(6), np.array([5.0, 5, 5, 1, 1, 0]), np.zeros(4), np.array([3.0, 3, -3, -3, 1])]
)
def test_repeated_eigenvalues_are_found_as_often_as_they_occur(values):
    n = len(values)
    q = np.linalg.qr(np.random.default_rng(0).standard_normal((n, n)))[0]
    a = q @ np.diag(values) @ q.T
    for k in range(1, n + 1):
        found, _ = mn.linalg.eigs(lambda v: a @ v, k, like=np.zeros(n))
        np.testing.assert_allclose(found, np.sort(values)[::-1][:k], atol=1e-9)


def test_the_hessian_of_a_nested_argument():
    x = np.random.default_rng(1).standard_normal((20, 3))

    def f(p):
        return mn.mean(mn.square(mn.tanh(x @ p["w"]) @ p["v"]))

    p = {"w": np.random.default_rng(2).standard_normal((3, 4)), "v": np.ones((4, 1))}
    values, vectors = mn.linalg.eigs(lambda v: mn.hvp(f)(p, v), 3, like=p)
    h = mn.hessian(f)(p)
    rows = [
        np.concatenate([h[a][b].reshape(p[a].size, p[b].size) for b in ("v", "w")], 1) for a in ("v", "w")
    ]
    np.testing.assert_allclose(values, np.linalg.eigvalsh(np.concatenate(rows))[::-1][:3], atol=1e-6)
    assert vectors["w"].shape == (3, 3, 4)
    value, vector = mn.linalg.power_iteration(
        lambda v: mn.hvp(f)(p, v), like=p, tolerance=1e-8, iterations=100_000
    )
    dense = np.linalg.eigvalsh(np.concatenate(rows))
    assert value == pytest.approx(dense[np.abs(dense).argmax()], rel=1e-6)
    assert vector["v"].shape == (4, 1)


def test_a_matrix_stands_for_its_operator():
    a = np.random.default_rng(5).standard_normal((30, 30))
    a = a + a.T
    values, vectors = mn.linalg.eigs(a, 10)
    np.testing.assert_allclose(values, np.linalg.eigvalsh(a)[::-1][:10], atol=1e-9)
    assert vectors.shape == (10, 30)
    assert mn.linalg.power_iteration(np.diag([1, -5]))[0] == pytest.approx(-5)
    with pytest.raises(ShapeError, match=r"must be square, not of shape \(2, 3\)"):
        mn.linalg.eigs(np.ones((2, 3)), 1)
    with pytest.raises(ArgumentError, match="give like="):
        mn.linalg.eigs(lambda v: v, 1)


def test_float32_operators_converge_to_their_own_precision():
    a = np.diag(np.arange(1.0, 31.0)).astype(np.float32)
    values, vectors = mn.linalg.eigs(lambda v: a @ v, 3, like=np.zeros(30, np.float32))
    np.testing.assert_allclose(values, [30, 29, 28], rtol=1e-5)
    assert vectors.dtype == np.float32


@pytest.mark.parametrize(
    ("error", "operator", "options", "words"),
    [
        (ArgumentError, lambda v: v, {"k": 4}, "from 1 to the 3 elements"),
        (ArgumentError, lambda v: v, {"which": "best"}, "'largest', 'smallest' or 'magnitude'"),
        (
            ArgumentError,
            lambda v: np.array([[0.0, 1, 0], [0, 0, 1], [1, 0, 0]]) @ v,
            {"k": 3},
            "not symmetric",
        ),
        (ArgumentError, lambda v: v * np.nan, {}, "NaN or infinite"),
        (ShapeError, lambda v: v[:2], {}, "nested alike"),
    ],
)
def test_operators_that_do_not_fit(error, operator, options, words):
    with pytest.raises(error, match=words):
        mn.linalg.eigs(operator, like=np.zeros(3), **{"k": 1, **options})


def test_too_few_iterations_say_so():
    a = np.diag(np.linspace(1, 2, 50))
    with pytest.raises(ArgumentError, match="raise tolerance or max_iterations"):
        mn.linalg.eigs(lambda v: a @ v, 5, like=np.zeros(50), max_iterations=8)
    with pytest.raises(ArgumentError, match=r"use mn\.linalg\.eigs"):
        mn.linalg.power_iteration(lambda v: np.diag([1.0, -1.0]) @ v, like=np.zeros(2), iterations=50)


def test_principal_components():
    rng = np.random.default_rng(4)
    x = rng.standard_normal((200, 3)) @ np.diag([5.0, 1.0, 0.1]) + [1.0, 2.0, 3.0]
    found = mn.linalg.pca(x, 2)
    values, vectors = np.linalg.eigh(np.cov(x.T))
    np.testing.assert_allclose(found.variances, values[::-1][:2], rtol=1e-10)
    np.testing.assert_allclose(np.abs(found.components @ vectors[:, ::-1]), np.eye(2, 3), atol=1e-9)
    np.testing.assert_allclose(found.share, values[::-1][:2] / values.sum(), rtol=1e-10)
    z = found.transform(x)
    np.testing.assert_allclose(z.mean(0), 0, atol=1e-12)
    assert np.abs(found.inverse_transform(z) - x).max() < 0.6
    np.testing.assert_allclose(
        mn.linalg.pca(x).inverse_transform(mn.linalg.pca(x).transform(x)), x, atol=1e-12
    )
