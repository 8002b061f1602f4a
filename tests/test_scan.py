"""scan: values against a Python loop, derivatives against finite differences, refusals."""

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(1)
W = 0.5 * RNG.normal(size=(3, 3))
XS = RNG.normal(size=(6, 2, 3))
H0 = RNG.normal(size=(2, 3))


def cell(w, tanh=mn.tanh):
    def step(h, x):
        h = tanh(h @ w + x)
        return h, h * x

    return step


def loop(w, h, xs, reverse=False):
    ys = [None] * len(xs)
    order = range(len(xs))
    for j in reversed(order) if reverse else order:
        h, ys[j] = cell(w, np.tanh)(h, xs[j])
    return h, np.array(ys)


@pytest.mark.parametrize("reverse", [False, True])
def test_values(reverse):
    h, ys = mn.scan(cell(W), H0, XS, reverse=reverse)
    expected_h, expected_ys = loop(W, H0, XS, reverse)
    np.testing.assert_allclose(h, expected_h, rtol=1e-12)
    np.testing.assert_allclose(ys, expected_ys, rtol=1e-12)


def test_float32():
    h, ys = mn.scan(cell(W.astype(np.float32)), H0.astype(np.float32), XS.astype(np.float32))
    assert h.dtype == ys.dtype == np.float32
    np.testing.assert_allclose(ys, loop(W, H0, XS)[1], rtol=1e-4, atol=1e-6)


def test_another_axis():
    xs = np.moveaxis(XS, 0, 1)
    _, ys = mn.scan(cell(W), H0, xs, axis=1)
    np.testing.assert_allclose(ys, np.moveaxis(loop(W, H0, XS)[1], 0, 1), rtol=1e-12)
    _, last = mn.scan(cell(W), H0, np.moveaxis(XS, 0, -1), axis=-1)
    np.testing.assert_allclose(last, np.moveaxis(loop(W, H0, XS)[1], 0, -1), rtol=1e-12)


def test_nested_structures():
    def step(carry, x):
        total, (count,) = carry["total"], carry["count"]
        return {"total": total + x["a"] * x["b"], "count": (count + 1,)}, [total, {"x": x["a"]}]

    a, b = np.arange(4.0), np.ones((4, 2))
    carry, ys = mn.scan(step, {"total": np.zeros(2), "count": (0,)}, {"a": a, "b": b})
    np.testing.assert_array_equal(carry["total"], [6.0, 6.0])
    assert carry["count"] == (4,)
    np.testing.assert_array_equal(ys[0][:, 0], [0.0, 0.0, 1.0, 3.0])
    np.testing.assert_array_equal(ys[1]["x"], a)


def test_without_xs():
    carry, ys = mn.scan(lambda c, x: (c * 2.0, c), 1.0, None, length=5)
    assert carry == 32.0 and isinstance(carry, np.float64)
    np.testing.assert_array_equal(ys, [1.0, 2.0, 4.0, 8.0, 16.0])


def test_without_ys():
    carry, ys = mn.scan(lambda c, x: (c + x, None), 0.0, np.arange(5.0))
    assert carry == 10.0 and ys is None


def test_no_iteration():
    carry, ys = mn.scan(cell(W), H0, XS[:0])
    np.testing.assert_array_equal(carry, H0)
    assert ys.shape == (0, 2, 3)
    slope = mn.grad(lambda h: mn.sum(mn.scan(cell(W), h, XS[:0])[0]))(H0)
    np.testing.assert_array_equal(slope, np.ones_like(H0))


def test_carries_that_are_passed_on_and_exchanged():
    (a, b), ys = mn.scan(lambda c, x: ((c[1], c[0]), c[0]), (1.0, 2.0), None, length=3)
    assert (a, b) == (2.0, 1.0)
    np.testing.assert_array_equal(ys, [1.0, 2.0, 1.0])


def test_a_carry_that_never_changes():
    c, ys = mn.scan(lambda c, x: (c, x), np.ones(2), np.arange(3.0))
    np.testing.assert_array_equal(c, [1.0, 1.0])
    np.testing.assert_array_equal(ys, np.arange(3.0))


def test_a_number_takes_the_type_of_the_body():
    carry, _ = mn.scan(lambda c, x: (c + x, None), 0.0, np.ones(3, np.float32))
    assert carry.dtype == np.float32 and carry == 3.0
    carry, _ = mn.scan(lambda c, x: (c + x, None), 0, np.ones(3))
    assert carry.dtype == np.float64


def test_integer_carries():
    carry, ys = mn.scan(lambda c, x: (c + x, c), np.array([0, 0]), np.arange(8).reshape(4, 2))
    np.testing.assert_array_equal(carry, [12, 16])
    assert carry.dtype == ys.dtype == np.int64


# ---- derivatives -------------------------------------------------------------------------------------------------------


def objective(w, h, xs, reverse=False):
    last, ys = mn.scan(cell(w), h, xs, reverse=reverse)
    return mn.sum(last * last) + mn.sum(mn.sin(ys))


def objective_numpy(w, h, xs, reverse=False):
    last, ys = loop(w, h, xs, reverse)
    return np.sum(last * last) + np.sum(np.sin(ys))


def numeric(f, x, step=1e-6):
    slope = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        unit = np.zeros_like(x)
        unit[index] = step
        slope[index] = (f(x + unit) - f(x - unit)) / (2 * step)
    return slope


@pytest.mark.parametrize("reverse", [False, True])
def test_first_derivative(reverse):
    w, h, xs = mn.grad(lambda w, h, xs: objective(w, h, xs, reverse), argnums=(0, 1, 2))(W, H0, XS)
    np.testing.assert_allclose(
        w, numeric(lambda w: objective_numpy(w, H0, XS, reverse), W), rtol=1e-6, atol=1e-8
    )
    np.testing.assert_allclose(
        h, numeric(lambda h: objective_numpy(W, h, XS, reverse), H0), rtol=1e-6, atol=1e-8
    )
    np.testing.assert_allclose(
        xs, numeric(lambda x: objective_numpy(W, H0, x, reverse), XS), rtol=1e-6, atol=1e-8
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_second_derivative(reverse):
    mn.check_gradient(lambda w, h, xs: objective(w, h, xs, reverse), (W, H0, XS[:3]), order=2)


def test_third_derivative():
    mn.check_gradient(lambda w, h: objective(w, h, XS[:2]), (W, H0), order=3, max_elements=3)


@pytest.mark.parametrize("reverse", [False, True])
def test_forward_mode(reverse):
    v = RNG.normal(size=W.shape)
    dx = RNG.normal(size=XS.shape)
    _, tangent = mn.jvp(lambda w, x: objective(w, H0, x, reverse), (W, XS), (v, dx))
    w, xs = mn.grad(lambda w, x: objective(w, H0, x, reverse), argnums=(0, 1))(W, XS)
    np.testing.assert_allclose(tangent, np.sum(w * v) + np.sum(xs * dx), rtol=1e-10)
    _, twice = mn.jvp(mn.grad(lambda w: objective(w, H0, XS, reverse)), (W,), (v,))
    np.testing.assert_allclose(twice, mn.hvp(lambda w: objective(w, H0, XS, reverse))(W, v), rtol=1e-9)


def test_derivative_along_another_axis():
    mn.check_gradient(lambda x: mn.scan(cell(W), H0, x, axis=1), (np.moveaxis(XS, 0, 1)[:, :2],), order=2)


def test_derivative_with_integer_carry_and_slices():
    table = RNG.normal(size=(4, 2))

    def f(t):
        (total, _), ys = mn.scan(
            lambda c, i: ((c[0] + t[0] * mn.cast(i, "float64"), c[1] + i), c[0]),
            (np.zeros(2), 0),
            np.arange(5),
        )
        return mn.sum(total) + mn.sum(ys)

    slope = mn.grad(f)(table)
    expected = np.zeros_like(table)
    expected[0] = sum(range(5)) + sum(sum(range(j)) for j in range(5))
    np.testing.assert_allclose(slope, expected)


def test_scan_in_a_scan():
    def f(w):
        def outer(h, x):
            inner, ys = mn.scan(lambda g, _: (mn.tanh(g @ w + x), g), h, None, length=2)
            return inner, mn.sum(ys)

        return mn.scan(outer, H0, XS[:2])

    mn.check_gradient(f, (W,), order=2)


def test_captured_values_that_depend_on_the_argument():
    mn.check_gradient(lambda w: mn.scan(cell(mn.tanh(w)), H0, XS[:2] * mn.sum(w)), (W,), order=2)


def test_what_does_not_depend_on_the_body_is_computed_once():
    from mathnet.functions import trace

    graph, _ = trace(lambda w: mn.scan(lambda h, x: (mn.tanh(h @ mn.exp(w) + x), None), H0, XS)[0], (W,))
    scan = next(node for node in graph.nodes if node.op.name == "scan")
    assert "exp" not in [node.op.name for node in scan.attrs["body"].nodes]
    assert "exp" in [node.op.name for node in graph.nodes]


def test_the_graph_of_a_loop_is_well_formed():
    from mathnet.functions import trace

    graph, _ = trace(mn.grad(lambda w: objective(w, H0, XS)), (W,))
    assert "scan" in str(graph.verify())


def test_an_index_out_of_range_in_the_body():
    with pytest.raises(mn.DataError, match="take: the index 9"):
        mn.scan(lambda c, i: (c + mn.sum(mn.take(W, i)), None), 0.0, np.array([0, 9]))


# ---- refusals ------------------------------------------------------------------------------------------------------------


def test_a_carry_that_changes_its_shape():
    with pytest.raises(
        mn.ShapeError, match=r"carry 0 enters the body with shape \(\) and leaves it with \(2,\)"
    ):
        mn.scan(lambda c, x: (c + x, None), 0.0, np.ones((3, 2)))


def test_a_carry_that_changes_its_type():
    with pytest.raises(
        mn.DTypeError, match=r"carry 0 enters the body as float64 and leaves it as float32.*mn.cast"
    ):
        mn.scan(lambda c, x: (mn.cast(c, "float32"), None), np.ones(2), np.ones(3))


def test_a_carry_of_another_structure():
    with pytest.raises(mn.ShapeError, match=r"\(\*, \*\), not \*"):
        mn.scan(lambda c, x: ((c, c), None), 0.0, np.ones(3))


def test_a_body_that_returns_no_pair():
    with pytest.raises(mn.ShapeError, match=r"must return \(carry, y\)"):
        mn.scan(lambda c, x: c, 0.0, np.ones(3))


def test_a_missing_length():
    with pytest.raises(mn.ShapeError, match="length=n"):
        mn.scan(lambda c, x: (c, None), 0.0)


@pytest.mark.parametrize("length", [-1, 2.5])
def test_a_wrong_length(length):
    with pytest.raises(mn.ShapeError, match="length"):
        mn.scan(lambda c, x: (c, None), 0.0, None, length=length)


def test_xs_of_different_lengths():
    with pytest.raises(mn.ShapeError, match="xs 1 has 4 slices along axis 0, but xs 0 has 3"):
        mn.scan(lambda c, x: (c, None), 0.0, (np.ones(3), np.ones(4)))
    with pytest.raises(mn.ShapeError, match="length=5"):
        mn.scan(lambda c, x: (c, None), 0.0, np.ones(3), length=5)


def test_an_axis_out_of_range():
    with pytest.raises(mn.ShapeError, match="axis 2 is out of range"):
        mn.scan(lambda c, x: (c, None), 0.0, np.ones(3), axis=2)
    with pytest.raises(mn.ShapeError, match="scan: stacked ys: axis 1 is out of range"):
        mn.scan(lambda c, x: (c, c), 0.0, np.ones((2, 3)), axis=1)


def test_a_bare_number_takes_the_type_of_the_carry():
    last, before = mn.scan(lambda c, x: (1, c), np.float32(0.5), np.ones(2))
    assert last.dtype == before.dtype and before.tolist() == [0.5, 1.0]


def test_assigning_a_state_in_the_body():
    from mathnet.graph.trace import Trace
    from mathnet.store import allocate

    (state,) = allocate(["count"], [()], np.float64, "statistic")

    def body(carry, x):
        trace.assign(state, carry)
        return carry, None

    with (
        Trace() as trace,
        pytest.raises(mn.GraphError, match="'count' cannot be assigned inside the body of a scan"),
    ):
        mn.scan(body, 0.0, None, length=2)


# ---- in models -----------------------------------------------------------------------------------------------------------


def test_a_loop_over_layers_in_a_model_of_unknown_batch_size():
    x = mn.Input((5, 3), dtype="float64")
    inner, outer = mn.layers.Dense(4, activation="tanh"), mn.layers.Dense(4, use_bias=False)
    h, _ = mn.scan(lambda h, t: (inner(t) + outer(h), None), mn.zeros((x.shape[0], 4), "float64"), x, axis=1)
    model = mn.Model(x, h)
    data, target = RNG.normal(size=(6, 5, 3)), RNG.normal(size=(6, 4))
    state = np.zeros((6, 4))
    for t in range(5):
        kernel, bias = inner.parameters[0].array, inner.parameters[1].array
        state = np.tanh(data[:, t] @ kernel + bias) + state @ outer.parameters[0].array
    np.testing.assert_allclose(model(data), state, rtol=1e-12)
    before = {name: array.copy() for name, array in model.parameters.items()}
    assert len(before) == 3

    def loss(p):
        return mn.mean(mn.square(model.apply(p, data) - target))

    mn.check_gradient(loss, (before,), max_elements=5)
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.1))
    trainer.step(data, target)
    slope = mn.grad(loss)(before)
    for name, array in model.parameters.items():
        np.testing.assert_allclose(array, before[name] - 0.1 * slope[name], rtol=1e-9, atol=1e-12)


def test_a_layer_with_a_loop_is_trained():
    class Recurrent(mn.Layer):
        def __init__(self, units, name=None):
            self.units = units

        def build(self, input_shape):
            self.kernel = self.param("kernel", (input_shape[-1], self.units), "glorot_uniform")
            self.recurrent = self.param("recurrent", (self.units, self.units), "glorot_uniform")

        def call(self, x):
            zero = mn.zeros((x.shape[0], self.units), x.dtype)
            return mn.scan(
                lambda h, t: (mn.tanh(t @ self.kernel + h @ self.recurrent), None), zero, x, axis=1
            )[0]

    with mn.Runtime(autoload=False, seed=0):
        x = mn.Input((4, 2))
        model = mn.Model(x, mn.layers.Dense(1)(Recurrent(3)(x)))
        data = RNG.normal(size=(32, 4, 2)).astype(np.float32)
        target = np.tanh(data[:, -1, :1])
        trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.Adam(0.02), seed=0)
        losses = [trainer.step(data, target) for _ in range(150)]
    assert losses[-1] < 0.1 * losses[0]


def test_a_model_with_a_loop_outside_of_its_layers_cannot_be_saved(tmp_path):
    x = mn.Input((3, 2))
    h, _ = mn.scan(lambda h, t: (h + t, None), mn.zeros((x.shape[0], 2), "float32"), x, axis=1)
    with pytest.raises(mn.ArgumentError, match=r"loop \('scan'\) outside of its layers"):
        mn.Model(x, mn.layers.Dense(1)(h)).save(tmp_path / "model.mathnet")


def test_a_state_assigned_by_a_layer_in_the_body():
    class Counting(mn.Layer):
        def build(self, input_shape):
            self.count = self.state("count", (), "zeros")

        def call(self, x, training=False):
            if training:
                self.assign(self.count, self.count + 1.0)
            return x

    x = mn.Input((3, 2))
    counting = Counting()
    h, _ = mn.scan(lambda h, t: (h + counting(t), None), mn.zeros((x.shape[0], 2)), x, axis=1)
    model = mn.Model(x, mn.layers.Dense(1)(h))
    model(np.ones((2, 3, 2), np.float32))
    trainer = mn.Trainer(model, loss="mse", optimizer="sgd")
    with pytest.raises(mn.GraphError, match="inside the body of a scan"):
        trainer.step(np.ones((2, 3, 2), np.float32), np.ones((2, 1), np.float32))


def test_a_weight_that_would_not_be_trained_is_refused():
    x = mn.Input((2,))
    layer = mn.layers.Dense(2)
    _, ys = mn.scan(lambda c, t: (c, layer(x)), np.zeros(1), np.arange(3.0))
    with pytest.raises(mn.GraphError, match="would not be trained"):
        mn.Model(x, ys)


def test_what_a_matrix_receives_is_one_product_over_all_iterations():
    v = 0.3 * RNG.normal(size=(3, 3))

    def f(w, v):
        def step(h, x):
            h = mn.tanh(h @ w + x @ w + (h * x) @ v)  # w is used twice, with a carry and with a slice
            return h, h

        h, ys = mn.scan(step, H0, XS)
        return mn.sum(h * h) + mn.sum(mn.sin(ys))

    mn.check_gradient(f, (W, v))
    mn.check_gradient(lambda w: mn.sum(mn.square(mn.grad(f, argnums=1)(w, v))), (W,))
    plan = mn.function(mn.grad(f)).plan(W, v)
    outside, bodies = plan.explain().split("body of", 1)
    assert outside.count("gemm") == 2  # the products of w with the stacks, outside of the loops
    assert "(3, 12) (12, 3)" in outside and "(3, 2) (2, 3)" not in bodies


def test_what_a_loop_has_handed_out_is_not_computed_again():
    def f(w):
        def step(h, x):
            product = h @ w
            h = mn.tanh(product + x)
            return h, (h, product)

        _, (ys, _) = mn.scan(step, H0, XS)
        return mn.sum(mn.sin(ys))

    mn.check_gradient(f, (W,))
    plan = mn.function(mn.grad(f)).plan(W)
    forward, backward = plan.explain().split("body of")[1:]
    assert forward.count("gemm") == 1 and "tanh" in forward
    assert backward.count("gemm") == 1 and "tanh" not in backward  # the step back through w alone
