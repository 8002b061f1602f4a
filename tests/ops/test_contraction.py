"""Sums of products: einsum, tensordot and their kin against NumPy; integers are exact."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mathnet as mn
from mathnet.errors import ArgumentError, DTypeError, ShapeError

SIZES = dict(zip("abcdefij", (2, 3, 4, 1, 5, 2, 3, 4)))
A, B, C = (np.random.default_rng(k).normal(size=s) for k, s in enumerate(((3, 4), (4, 5), (5, 3))))


def operands(subscripts, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.uniform(-1, 1, [SIZES[c] for c in part]) for part in subscripts.split("->")[0].split(",")]


def close(got, wanted):
    assert np.shape(got) == np.shape(wanted)
    np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-12)


FORMS = [
    "ab->ab", "ab->ba", "ab->a", "ab->", "ab", "ba", "aa->a", "aa", "aa->", "aab->ab", "aba->b", "aaa->a", "abab->ab", "abcb->ca",
    "ab,bc->ac", "ab,bc", "ab,bc->ca", "ab,ab->ab", "ab,ab->a", "ab,ab->", "ab,ba->", "a,b->ab", "a,b->ba", "a,a->", "a,a->a",
    "abc,bd->acd", "abc,acd->abd", "abc,adc->bd", "ab,b->a", "b,ab->a", ",ab->ab", "ab,->b", ",->", "->", "aab,bcc->ac", "ab,c->a",
    "abc,abd->cd", "eab,ebc->eac", "abe,bce->ace", "ab,cd->", "d,d->d", "ad,da->a",
    "ab,bc,cd->ad", "ab,bc,ca->", "ab,ac,ad->abcd", "a,a,a->a", "a,b,c->cba", "abc,cd,de,ef->abf", "ab,bc,c,ca->b", "ab,ab,ab,ab->",
]  # fmt: skip


@pytest.mark.parametrize("subscripts", FORMS)
def test_einsum(subscripts):
    xs = operands(subscripts)
    close(mn.einsum(subscripts, *xs), np.einsum(subscripts, *xs))


@pytest.mark.parametrize("subscripts", FORMS)
def test_derivatives_of_einsum(subscripts):
    xs = operands(subscripts)
    for order in (1, 2):
        mn.check_gradient(
            lambda *xs: mn.sum(mn.tanh(mn.einsum(subscripts, *xs))), tuple(xs), order=order, max_elements=4
        )


@st.composite
def problems(draw):
    """A text of one to four operands; sizes differ, and some axes have size 1 or 0."""
    labels = "abcde"
    parts = draw(st.lists(st.text(labels, max_size=4), min_size=1, max_size=4))
    used = sorted(set("".join(parts)))
    text = ",".join(parts)
    if draw(st.booleans()):
        text += "->" + "".join(draw(st.permutations(used))[: draw(st.integers(0, len(used)))])
    sizes = {c: draw(st.integers(0, 3)) for c in used}
    return text, [[sizes[c] for c in part] for part in parts]


@given(problems(), st.sampled_from(["greedy", "optimal", False, True]))
def test_any_text_and_order(problem, optimize):
    text, shapes = problem
    xs = [np.random.default_rng(k).uniform(-1, 1, shape) for k, shape in enumerate(shapes)]
    close(mn.einsum(text, *xs, optimize=optimize), np.einsum(text, *xs))


@pytest.mark.parametrize(
    ("subscripts", "shapes"),
    [
        ("...ij,...jk->...ik", [(2, 1, 3, 4), (6, 4, 5)]),
        ("...i->...", [(2, 3)]),
        ("i...->...i", [(2, 3, 4)]),
        ("ii...->i...", [(3, 3, 2)]),
        ("...,...", [(2, 3), (3,)]),
        ("...i,i", [(2, 3), (3,)]),
        ("a...b,...b->...a", [(2, 5, 3), (4, 1, 3)]),
        ("...", [()]),
        ("i...,...->i...", [(2,), (3,)]),
        ("ij,jk->ik", [(3, 1), (4, 2)]),  # an axis of size 1 is broadcast
        ("ij,ij->ij", [(1, 4), (3, 1)]),
        (" i j , j k -> i k ", [(2, 3), (3, 4)]),
    ],
)
def test_dots_broadcasting_and_blanks(subscripts, shapes):
    xs = [np.random.default_rng(k).normal(size=shape) for k, shape in enumerate(shapes)]
    close(mn.einsum(subscripts, *xs), np.einsum(subscripts, *xs))
    mn.check_gradient(
        lambda *xs: mn.sum(mn.tanh(mn.einsum(subscripts, *xs))), tuple(xs), order=2, max_elements=4
    )


def test_operands_with_lists_of_labels():
    close(mn.einsum(A, [0, 1], B, [1, 2], [0, 2]), A @ B)
    close(mn.einsum(A, [0, 1], B, [1, 2]), np.einsum(A, [0, 1], B, [1, 2]))
    close(mn.einsum(A, [..., 1], B, [1, 2], [..., 2]), A @ B)


def test_paths():
    wanted = A @ B @ C
    for optimize in (
        "greedy",
        "optimal",
        False,
        True,
        ("greedy", 1000),
        ["einsum_path", (1, 2), (0, 1)],
        ["einsum_path", (0, 1, 2)],
    ):
        close(mn.einsum("ij,jk,kl->il", A, B, C, optimize=optimize), wanted)
    # a chain that is cheap from the right only
    x, y, v = np.ones((40, 40)), np.ones((40, 40)), np.ones(40)
    plan = mn.function(lambda *xs: mn.einsum("ij,jk,k->i", *xs)).plan(x, y, v)
    assert plan.flops < 4 * 2 * 40 * 40


def test_pairs_are_matrix_products():
    plan = mn.function(lambda x, y: mn.einsum("abc,dcb->ad", x, y)).plan(
        np.ones((2, 3, 4)), np.ones((5, 4, 3))
    )
    assert "gemm" in plan.explain()


def test_types():
    assert mn.einsum("ij,jk", A.astype(np.float32), B.astype(np.float32)).dtype == np.float32
    assert mn.einsum("ij,jk", A.astype(np.float32), B).dtype == np.float64
    assert mn.einsum("ij,j", A, np.arange(4)).dtype == np.float64
    assert mn.einsum("ij->i", np.ones((2, 3), int)).dtype == np.int64


def test_integers_are_exact():
    rng = np.random.default_rng(0)
    x, y = rng.integers(-(2**62), 2**62, (3, 4)), rng.integers(-9, 9, (4, 5))
    for got, wanted in (
        (mn.matmul(x, y), x @ y),
        (mn.matmul(x[0], y), x[0] @ y),
        (mn.matmul(x, y[:, 0]), x @ y[:, 0]),
        (mn.matmul(x[0], y[:, 0]), x[0] @ y[:, 0]),
        (mn.matmul(x[:, None], y[None, None]), x[:, None] @ y[None, None]),
        (mn.matmul(x[:, :0], y[:0]), x[:, :0] @ y[:0]),
        (mn.einsum("ij,jk->ki", x, y), np.einsum("ij,jk->ki", x, y)),
        (mn.tensordot(x, y, 1), x @ y),
        (mn.vdot(x, x), np.vdot(x, x)),
        (mn.kron(x, y), np.kron(x, y)),
        (mn.matmul(x, y > 0), x @ (y > 0)),
    ):
        assert got.dtype == np.int64
        np.testing.assert_array_equal(got, wanted)
    assert mn.matmul(np.array([[2**53 + 1, 0]]), np.array([[1], [0]])) == 2**53 + 1


@pytest.mark.parametrize(
    "shapes",
    [((4,), (4,)), ((3, 4), (4,)), ((4,), (4, 3)), ((2, 3, 4), (4,)), ((4,), (2, 4, 3)), ((5, 1, 3, 4), (2, 4, 3)),
     ((2, 1, 1, 3, 3, 4), (1, 5, 2, 1, 4, 1)), ((2, 0, 4), (4, 3)), ((0, 2, 4), (0, 4, 3)), ((2, 3, 0), (0, 2))],
)  # fmt: skip
def test_matmul_of_any_rank(shapes):
    x, y = (np.random.default_rng(k).normal(size=s) for k, s in enumerate(shapes))
    close(mn.matmul(x, y), np.matmul(x, y))
    close(mn.matmul(x.T.copy().T, y[::-1][::-1]), np.matmul(x, y))
    if x.size and y.size:
        mn.check_gradient(lambda x, y: mn.sum(mn.tanh(mn.matmul(x, y))), (x, y), order=2, max_elements=4)


@pytest.mark.parametrize(
    "axes", [0, 1, 2, (1, 0), ([1], [1]), ([0, 1], [1, 0]), ([-1, 0], [0, -1]), ([], [])]
)
def test_tensordot(axes):
    shapes = {1: ((3, 4), (4, 2)), 2: ((5, 3, 4), (3, 4, 2)), (1, 0): ((3, 4), (4, 2))}
    given_axes = axes if isinstance(axes, int) or all(isinstance(a, int) for a in axes) else None
    shape = shapes.get(given_axes, ((3, 4), (4, 3)))
    if axes == ([1], [1]):
        shape = ((3, 4), (2, 4, 2))
    x, y = (np.random.default_rng(k).normal(size=s) for k, s in enumerate(shape))
    close(mn.tensordot(x, y, axes), np.tensordot(x, y, axes))
    mn.check_gradient(lambda x, y: mn.sum(mn.tanh(mn.tensordot(x, y, axes))), (x, y), order=2, max_elements=4)


@pytest.mark.parametrize("name", ["outer", "inner", "vdot", "kron", "dot"])
@pytest.mark.parametrize(
    "shapes", [((), ()), ((3,), ()), ((3,), (3,)), ((2, 2), (2, 2)), ((2, 3, 2), (3, 2, 2)), ((0,), (0,))]
)
def test_kin(name, shapes):
    x, y = (np.random.default_rng(k).normal(size=s) for k, s in enumerate(shapes))
    try:
        wanted = getattr(np, name)(x, y)
    except ValueError:
        with pytest.raises(ShapeError):
            getattr(mn, name)(x, y)
        return
    close(getattr(mn, name)(x, y), wanted)
    if x.size:
        mn.check_gradient(
            lambda x, y: mn.sum(mn.tanh(getattr(mn, name)(x, y))), (x, y), order=2, max_elements=4
        )


BAD = [
    (lambda: mn.einsum("ij,jk", A), ArgumentError, ["einsum", "2 operands", "1 are given"]),
    (lambda: mn.einsum("i,jk", A, B), ShapeError, ["'i'", "operand 0", "(3, 4)"]),
    (lambda: mn.einsum("ijk,jk", A, B), ShapeError, ["'ijk'", "3 axes", "(3, 4)"]),
    (lambda: mn.einsum("ij,jk->iz", A, B), ArgumentError, ["'z'", "no operand"]),
    (lambda: mn.einsum("ij,jk->ii", A, B), ArgumentError, ["twice", "mn.diag"]),
    (lambda: mn.einsum("ij,jk", A, C), ShapeError, ["'j'", "size 5", "operand 1", "(5, 3)", "size 4"]),
    (lambda: mn.einsum("i$", A), ArgumentError, ["'i$'", "labels"]),
    (lambda: mn.einsum("...i->i", A), ArgumentError, ["'...'"]),
    (lambda: mn.einsum("......", A), ArgumentError, ["labels"]),
    (lambda: mn.einsum(A, B), ArgumentError, ["einsum", "text of labels"]),
    (lambda: mn.einsum(A, [0, 99]), ArgumentError, ["99"]),
    (lambda: mn.einsum("ij,jk,kl", A, B, C, optimize="best"), ArgumentError, ["optimize", "'best'"]),
    (lambda: mn.einsum("ij,jk,kl", A, B, C, optimize=["einsum_path", (0, 1)]), ArgumentError, ["optimize", "einsum_path"]),
    (lambda: mn.einsum("ij,jk", A > 0, B > 0), DTypeError, ["einsum", "mn.cast"]),
    (lambda: mn.matmul(A > 0, B > 0), DTypeError, ["matmul", "mn.cast"]),
    (lambda: mn.matmul(np.ones((2, 3), int), np.ones((2, 3), int)), ShapeError, ["matmul", "(2, 3)", "inner sizes", "3 and 2"]),
    (lambda: mn.matmul(A, 2.0), ShapeError, ["matmul", "*"]),
    (lambda: mn.tensordot(A, B, 3), ShapeError, ["tensordot", "(3, 4)", "3 axes"]),
    (lambda: mn.tensordot(A, B, 2), ShapeError, ["tensordot", "axis 0", "size 3", "size 4"]),
    (lambda: mn.tensordot(A, B, ([0, 1], [0])), ShapeError, ["tensordot", "2 axes", "1 axes"]),
    (lambda: mn.tensordot(A, A, ([0, 0], [0, 0])), ShapeError, ["tensordot", "twice"]),
    (lambda: mn.tensordot(A, B, 0.5), ArgumentError, ["tensordot", "0.5"]),
    (lambda: mn.tensordot(A, B, (0, 1, 2)), ArgumentError, ["tensordot", "(0, 1, 2)"]),
    (lambda: mn.vdot(A, B), ShapeError, ["vdot", "(3, 4)", "(4, 5)"]),
    (lambda: mn.inner(A, B), ShapeError, ["size 4", "size 5"]),
]  # fmt: skip


@pytest.mark.parametrize(("call", "error", "words"), BAD)
def test_bad_input(call, error, words):
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
