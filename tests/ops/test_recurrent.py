"""Recurrent operations against loops in float64 NumPy, and their derivatives against finite differences; kernels and loops agree."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mathnet as mn
from mathnet.graph.graph import Graph
from mathnet.graph.op import FUNCTIONS, as_tensor, input_tensor
from mathnet.graph.tensor import Spec
from mathnet.plan import compile_graph
from mathnet.transform.gradient import gradient

N, T, F, U = 3, 5, 4, 2
LENGTHS = np.array([5, 2, 0])


def rng():
    return np.random.default_rng(11)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def weights(gates):
    draw = rng()
    return [draw.standard_normal(s) for s in ((N, T, F), (F, gates * U), (U, gates * U), (gates * U,))]


def simple_step(x, w, r, b, h):
    return (np.tanh(x @ w + h @ r + b),)


def lstm_step(x, w, r, b, h, c):
    i, f, g, o = np.split(x @ w + h @ r + b, 4)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def gru_step(reset_after, d):
    def step(x, w, r, b, h):
        first, second, third = np.split(x @ w + b, 3)
        a, e, m = np.split(r, 3, axis=1)
        d1, d2, d3 = np.split(d, 3)
        reset, update = sigmoid(first + h @ a + d1), sigmoid(second + h @ e + d2)
        inner = reset * (h @ m + d3) if reset_after else (reset * h) @ m
        return ((1 - update) * np.tanh(third + inner) + update * h,)

    return step


def loop(step, x, w, r, b, states, lengths=None, reverse=False):
    """One example and one step after the other."""
    ys = np.zeros((N, T, U))
    last = []
    for n in range(N):
        held = [s[n] for s in states]
        steps = range(T if lengths is None else lengths[n])
        for t in reversed(steps) if reverse else steps:
            held = step(x[n, t], w, r, b, *held)
            ys[n, t] = held[0]
        last.append(held)
    return ys, *[np.array([h[k] for h in last]) for k in range(len(states))]


def check(got, wanted, dtype):
    assert all(a.dtype == dtype for a in got)
    tolerance = 1e-5 if dtype == np.float32 else 1e-12
    for a, b in zip(got, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_values(dtype, reverse, lengths):
    h, c = rng().standard_normal((2, N, U))
    mask = None if lengths is None else np.arange(T) < lengths[:, None]
    settings = {"reverse": reverse, "lengths": lengths}
    for gates, function, step, states in ((1, mn.rnn, simple_step, (h,)), (4, mn.lstm, lstm_step, (h, c))):
        given = weights(gates)
        wanted = loop(step, *given, states, lengths, reverse)
        cast = [a.astype(dtype) for a in given]
        start = tuple(s.astype(dtype) for s in states)
        start = start if gates == 4 else start[0]
        check(function(*cast, initial_state=start, **settings), wanted, dtype)
        check(function(*cast, initial_state=start, reverse=reverse, mask=mask), wanted, dtype)
    x, w, r, b = weights(3)
    d = rng().standard_normal(3 * U)
    cast = [a.astype(dtype) for a in (x, w, r, b)]
    for reset_after in (True, False):
        extra = {"recurrent_bias": d.astype(dtype)} if reset_after else {}
        wanted = loop(gru_step(reset_after, d * reset_after), x, w, r, b, (h,), lengths, reverse)
        got = mn.gru(*cast, initial_state=h.astype(dtype), reset_after=reset_after, **extra, **settings)
        check(got, wanted, dtype)


def test_states_are_zero_and_biases_absent_by_default():
    x, w, r, b = weights(4)
    zero = np.zeros((N, U))
    check(mn.lstm(x, w, r), loop(lstm_step, x, w, r, 0 * b, (zero, zero)), np.float64)
    ys, h = mn.rnn(x, w[:, :U], r[:, :U], activation="relu")
    assert np.all(ys >= 0) and np.array_equal(ys[:, -1], h)
    assert mn.rnn(x[:, :0], w[:, :U], r[:, :U])[0].shape == (N, 0, U)


def test_padding_reaches_neither_results_nor_derivatives():
    x, w, r, b = weights(4)
    dirty = np.where((np.arange(T) < LENGTHS[:, None])[:, :, None], x, np.nan)

    def f(x, w, r, b):
        ys, h, c = mn.lstm(x, w, r, b, lengths=LENGTHS)
        return mn.sum(ys * ys) + mn.sum(h * c)

    for clean, other in zip(
        mn.grad(f, argnums=(0, 1, 2, 3))(x, w, r, b), mn.grad(f, argnums=(0, 1, 2, 3))(dirty, w, r, b)
    ):
        np.testing.assert_array_equal(clean, other)
    assert f(x, w, r, b) == f(dirty, w, r, b)


@pytest.mark.parametrize("settings", [{}, {"lengths": LENGTHS, "reverse": True}])
def test_first_derivatives(settings):
    for gates, function in ((1, mn.rnn), (4, mn.lstm), (3, mn.gru)):
        operands = tuple(weights(gates))
        mn.check_gradient(lambda *a, f=function: mn.sum(mn.square(f(*a, **settings)[0])), operands)
    x, w, r, b = weights(3)
    mn.check_gradient(
        lambda *a: mn.sum(mn.square(mn.gru(*a[:4], initial_state=a[4], reset_after=False, **settings)[1])),
        (x, w, r, b, rng().standard_normal((N, U))),
    )


def test_second_derivatives_of_an_lstm():
    x, w, r, b = weights(4)
    v = rng().standard_normal(r.shape)

    def slope(w, r, b):
        ys, _, c = mn.lstm(x, w, r, b, lengths=LENGTHS)
        return mn.sum(mn.grad(lambda r: mn.sum(mn.square(mn.lstm(x, w, r, b)[0])))(r) * v) + mn.sum(
            ys * c[:, None]
        )

    mn.check_gradient(slope, (w, r, b))


def test_the_length_may_be_unknown():
    steps = mn.Dim("steps")
    x = mn.Input((steps, F), dtype="float64")
    n = mn.Input((), dtype="int64")
    given, w, r, b = weights(4)
    model = mn.Model([x, n], mn.lstm(x, w, r, b, lengths=n, reverse=True)[0])
    for size in (T, 3):
        lengths = np.minimum(LENGTHS, size)
        got = model([given[:, :size], lengths])
        np.testing.assert_allclose(
            got, mn.lstm(given[:, :size], w, r, b, lengths=lengths, reverse=True)[0], rtol=1e-12
        )


FORMS = {  # name → gates, function; with other=True its activations are functions that no kernel knows
    "rnn": (
        1,
        lambda *a, other=False, **s: mn.rnn(*a, activation=unknown(mn.tanh) if other else "tanh", **s),
    ),
    "relu": (
        1,
        lambda *a, other=False, **s: mn.rnn(*a, activation=unknown(mn.relu) if other else "relu", **s),
    ),
    "lstm": (4, lambda *a, other=False, **s: mn.lstm(*a, **(OTHER if other else {}), **s)),
    "gru": (3, lambda *a, other=False, **s: mn.gru(*a, **(OTHER if other else {}), **s)),
    "gru_before": (
        3,
        lambda *a, other=False, **s: mn.gru(*a, reset_after=False, **(OTHER if other else {}), **s),
    ),
}


def unknown(f):
    return lambda z: f(z)


OTHER = {"activation": unknown(mn.tanh), "recurrent_activation": unknown(mn.sigmoid)}


@pytest.mark.parametrize("name", FORMS)
@settings(max_examples=12, deadline=None)
@given(
    sizes=st.tuples(
        st.sampled_from([1, 2, 9, 17, 20]),
        st.integers(0, 6),
        st.integers(1, 5),
        st.sampled_from([1, 3, 8, 17]),
    ),
    reverse=st.booleans(),
    masked=st.booleans(),
    real=st.sampled_from(["float32", "float64"]),
    seed=st.integers(0, 1000),
)
def test_kernels_and_loops_agree(name, sizes, reverse, masked, real, seed):
    n, steps, features, units = sizes
    gates, function = FORMS[name]
    draw = np.random.default_rng(seed)
    shapes = [(n, steps, features), (features, gates * units), (units, gates * units), (gates * units,)]
    operands = [draw.standard_normal(s).astype(real) for s in shapes]
    mask = draw.random((n, steps)) < 0.6 if masked else None
    weight = draw.standard_normal((n, steps, units)).astype(real)

    def f(*a, other):
        ys, *last = function(*a, other=other, reverse=reverse, mask=mask)
        return mn.sum(ys * weight) + sum(mn.sum(mn.square(h)) for h in last)

    tolerance = 2e-4 if real == "float32" else 1e-10
    got, wanted = (
        mn.grad(lambda *given, o=other: f(*given, other=o), argnums=(0, 1, 2, 3))(*operands)
        for other in (False, True)
    )
    for a, b in zip(got, wanted):
        assert a.dtype == b.dtype == real
        np.testing.assert_allclose(a, b, rtol=0, atol=tolerance * max(1.0, np.max(np.abs(b), initial=0)))


def training_graph(name, n=37, steps=9, features=5, units=11, real=np.float32, only_last=True):
    """A number and the gradients of the weights (not of x), and operands."""
    gates, _ = FORMS[name]
    shapes = [(n, steps, features), (features, gates * units), (units, gates * units), (gates * units,)]
    inputs = [input_tensor(Spec(s, np.dtype(real)), "x") for s in shapes]
    settings = {"rnn": {}, "relu": {"activation": "relu"}, "gru_before": {"reset_after": False}}
    ys, h, *_ = FUNCTIONS[name.partition("_")[0].replace("relu", "rnn")](*inputs, **settings.get(name, {}))
    loss = FUNCTIONS["sum"](FUNCTIONS["square"](h if only_last else ys))
    found = gradient([loss], [as_tensor(1.0)], inputs[1:])
    draw = rng()
    return Graph(inputs, [loss, *found]), [draw.standard_normal(s).astype(real) for s in shapes]


@pytest.mark.parametrize("name", FORMS)
def test_one_two_and_three_threads_give_the_same_bits(name):
    graph, operands = training_graph(name, n=70, steps=20, features=30, units=40)
    first, *others = [compile_graph(graph, threads=k)(operands) for k in (1, 2, 3)]
    for other in others:
        for a, b in zip(first, other):
            np.testing.assert_array_equal(a, b)


def test_plans_hold_what_is_needed_and_say_so():
    graph, operands = training_graph("lstm")
    n, steps, features, units = 37, 9, 5, 11
    plan = compile_graph(graph)
    plan(operands)
    lines = {line.split()[1]: line for line in plan.explain().splitlines() if "recurrent_" in line}
    assert set(lines) == {"recurrent_forward", "recurrent_backward"}
    assert "lstm_backward" in lines["recurrent_backward"]
    walk = 2 * n * steps * 4 * units
    products = walk * (features + units) + walk * (units + features + units)  # x has no gradient
    assert products < plan.flops < 1.5 * products
    kept = {v.shape for i in plan.instructions for v in i.outputs}
    assert (n * steps, 4 * units) in kept and (n, steps, units) not in kept
    inference = compile_graph(Graph(graph.inputs, [mn.lstm(*graph.inputs)[1]]))
    shapes = {v.shape for i in inference.instructions for v in i.outputs}
    assert (n * steps, 4 * units) not in shapes and (n, steps, units) not in shapes


def test_other_activations_take_the_loop():
    graph, _ = training_graph("rnn")
    outputs = mn.rnn(*graph.inputs, activation=mn.sigmoid)
    assert "loop" in [i.kind for i in compile_graph(Graph(graph.inputs, list(outputs))).instructions]


@pytest.mark.parametrize("name", FORMS)
def test_tangents_and_curvature(name):
    gates, function = FORMS[name]
    operands = tuple(weights(gates))
    directions = tuple(np.random.default_rng(k).standard_normal(a.shape) for k, a in enumerate(operands))

    def f(*a):
        return mn.sum(mn.square(function(*a, lengths=LENGTHS)[0]))

    def along(t):
        return tuple(a + t * d for a, d in zip(operands, directions))

    _, slope = mn.jvp(f, operands, directions)
    small = 1e-5
    np.testing.assert_allclose(slope, (f(*along(small)) - f(*along(-small))) / (2 * small), rtol=1e-6)
    curved = mn.grad(lambda r: mn.sum(mn.grad(f, argnums=2)(*operands[:2], r, operands[3]) * directions[2]))(
        operands[2]
    )
    ahead, behind = (
        mn.grad(f, argnums=2)(*operands[:2], operands[2] + s * directions[2], operands[3])
        for s in (small, -small)
    )
    np.testing.assert_allclose(curved, (ahead - behind) / (2 * small), rtol=1e-5, atol=1e-6)


def test_operands_of_several_types_are_converted_to_the_widest():
    x, w, r, b = weights(4)
    ys, h, c = mn.lstm(
        x.astype(np.float32), w, r, b, initial_state=(np.zeros((N, U), np.float32), np.ones((N, U)))
    )
    assert ys.dtype == h.dtype == c.dtype == np.float64


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda x, w, r: mn.lstm(x[0], w, r),
            mn.ShapeError,
            r"lstm: x must have the axes \(N, T, features\)",
        ),
        (
            lambda x, w, r: mn.lstm(x, w, r[:, :-1]),
            mn.ShapeError,
            r"recurrent_kernel must have the shape \(units, 4·units\)",
        ),
        (
            lambda x, w, r: mn.lstm(x, w[1:], r),
            mn.ShapeError,
            r"lstm: kernel must have the shape \(4, 8\), not \(3, 8\)",
        ),
        (lambda x, w, r: mn.lstm(x, w, r, initial_state=x), mn.ArgumentError, r"must be a pair \(h, c\)"),
        (
            lambda x, w, r: mn.lstm(x, w, r, np.zeros(3)),
            mn.ShapeError,
            r"lstm: bias must have the shape \(8,\)",
        ),
        (
            lambda x, w, r: mn.lstm(x, w, r, lengths=np.zeros(N)),
            mn.DTypeError,
            "lengths must be integers, not float64",
        ),
        (
            lambda x, w, r: mn.lstm(x, w, r, lengths=LENGTHS, mask=np.ones((N, T), bool)),
            mn.ArgumentError,
            "give mask or lengths, not both",
        ),
        (
            lambda x, w, r: mn.rnn(x, w[:, :2], r[:, :2], activation=["tanh"]),
            mn.ArgumentError,
            "activation must be",
        ),
        (lambda x, w, r: mn.rnn(x > 0, w[:, :2], r[:, :2]), mn.DTypeError, "rnn: x has element type bool"),
        (
            lambda x, w, r: mn.gru(x, w[:, :6], r[:, :6], recurrent_bias=np.zeros(6), reset_after=False),
            mn.ArgumentError,
            "recurrent_bias belongs to reset_after=True",
        ),
    ],
)
def test_bad_operands_are_refused(call, kind, message):
    x, w, r, _ = weights(4)
    with pytest.raises(kind, match=message):
        call(x, w, r)
