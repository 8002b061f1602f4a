"""Derivatives of functions, against closed forms, float64 NumPy and finite differences."""

import re
import threading

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(0)
X = RNG.normal(size=(5, 3))
W = RNG.normal(size=(3, 2))


def loss(w):
    return mn.sum(mn.tanh(X @ w) ** 2)


def loss_gradient(w):
    t = np.tanh(X @ w)
    return X.T @ (2 * t * (1 - t**2))


# ---- grad and value_and_grad ---------------------------------------------------------------------------------------------


def test_grad_matches_the_closed_form():
    np.testing.assert_allclose(mn.grad(loss)(W), loss_gradient(W), rtol=1e-12)


def test_value_and_grad_gives_both():
    value, slope = mn.value_and_grad(loss)(W)
    assert isinstance(value, np.float64)
    np.testing.assert_allclose(value, np.sum(np.tanh(X @ W) ** 2), rtol=1e-12)
    np.testing.assert_allclose(slope, loss_gradient(W), rtol=1e-12)


def test_grad_keeps_the_element_type():
    slope = mn.grad(lambda w: mn.sum(mn.square(w)))(W.astype(np.float32))
    assert slope.dtype == np.float32 and slope.shape == W.shape


def test_grad_of_a_number_is_a_numpy_scalar():
    slope = mn.grad(lambda x: x * x)(3.0)
    assert isinstance(slope, np.float64) and slope == 6.0


def test_float16_is_computed_in_float32():
    assert mn.grad(lambda w: mn.sum(w * w))(np.ones(3, np.float16)).dtype == np.float32


def test_a_python_float_does_not_widen_float32():
    x = np.ones(3, np.float32)
    assert mn.grad(lambda w, a: mn.sum(w * a))(x, 2.0).dtype == np.float32
    assert mn.grad(lambda w, a: mn.sum(w * a), argnums=1)(x, 2.0) == 3.0


def test_nested_arguments():
    params = {"layers": [{"w": W, "b": np.zeros(2)}], "scale": 2.0}

    def f(p):
        layer = p["layers"][0]
        return mn.sum(p["scale"] * (X @ layer["w"] + layer["b"]))

    slope = mn.grad(f)(params)
    np.testing.assert_allclose(slope["layers"][0]["w"], 2 * X.T @ np.ones((5, 2)))
    np.testing.assert_allclose(slope["layers"][0]["b"], [10.0, 10.0])
    np.testing.assert_allclose(slope["scale"], np.sum(X @ W))


def test_argnums():
    def f(a, b):
        return mn.sum(a * b)

    a, b = np.array([1.0, 2.0]), np.array([3.0, 5.0])
    np.testing.assert_array_equal(mn.grad(f, argnums=1)(a, b), a)
    np.testing.assert_array_equal(mn.grad(f, argnums=-1)(a, b), a)
    both = mn.grad(f, argnums=(0, 1))(a, b)
    assert isinstance(both, tuple)
    np.testing.assert_array_equal(both[0], b)
    np.testing.assert_array_equal(both[1], a)


def test_an_argument_without_influence_has_gradient_zero():
    _, b = mn.grad(lambda a, b: mn.sum(a), argnums=(0, 1))(np.ones(2), np.ones((2, 2), np.float32))
    np.testing.assert_array_equal(b, np.zeros((2, 2), np.float32))
    assert b.dtype == np.float32


def test_keyword_arguments_and_settings():
    def f(x, power=2, *, name="x"):
        assert name == "y"
        return mn.sum(x**power)

    np.testing.assert_allclose(mn.grad(f)(np.array([2.0]), power=3, name="y"), [12.0])


def test_captured_arrays_are_live():
    scale = np.array([2.0])
    slope = mn.grad(lambda x: mn.sum(x * scale))
    assert slope(np.ones(1))[0] == 2.0
    scale[0] = 7.0
    assert slope(np.ones(1))[0] == 7.0


def test_captured_values_belong_to_the_call():
    factors = [2.0, 3.0]
    for factor in factors:
        assert mn.grad(lambda x: mn.sum(x * factor))(np.ones(1))[0] == factor  # noqa: B023


def test_the_plan_is_found_by_structure():
    from mathnet.plugin.host import Runtime

    with Runtime(autoload=False) as runtime:
        for _ in range(3):
            mn.grad(lambda x: mn.sum(mn.tanh(x)))(np.ones(4))
        plans = len(runtime._plans)
        mn.grad(lambda x: mn.sum(mn.tanh(x)))(np.ones(4))
        assert len(runtime._plans) == plans


@pytest.mark.parametrize(
    "array",
    [
        np.asfortranarray(W),
        np.repeat(W, 2, axis=0)[::2],
        W[::-1],
        W.astype(">f8"),
        np.broadcast_to(W[:1], (3, 2)),
        W.view(type("Labelled", (np.ndarray,), {})),
    ],
    ids=["fortran", "strided", "reversed", "big-endian", "broadcast", "subclass"],
)
def test_any_layout_is_accepted_and_not_written_to(array):
    before = np.array(array)
    array.flags.writeable = False
    slope = mn.grad(loss)(array)
    assert type(slope) is np.ndarray and slope.flags.writeable and slope.flags.c_contiguous
    np.testing.assert_allclose(slope, loss_gradient(before), rtol=1e-12)
    np.testing.assert_array_equal(np.array(array), before)


def test_results_belong_to_the_caller():
    f = mn.grad(lambda x: mn.sum(x))
    first = f(np.ones(3))
    first[:] = 5
    np.testing.assert_array_equal(f(np.ones(3)), np.ones(3))
    x = np.ones(3)
    value, _ = mn.vjp(lambda x: x, x)
    value[0] = 9
    assert x[0] == 1


# ---- errors ------------------------------------------------------------------------------------------------------------


def test_a_result_that_is_no_scalar():
    with pytest.raises(mn.GradientError, match=r"returned shape \(3,\).*mn\.sum.*mn\.jacobian"):
        mn.grad(lambda x: x)(np.ones(3))


@pytest.mark.parametrize("result", [(1.0, 2.0), [1.0], {"a": 1.0}, None])
def test_a_result_that_is_nested(result):
    with pytest.raises(mn.GradientError, match=f"returned a {type(result).__name__}"):
        mn.grad(lambda x: result)(1.0)


def test_a_result_that_is_no_float():
    with pytest.raises(mn.DTypeError, match="bool"):
        mn.grad(lambda x: x > 1.0)(1.0)


def test_a_result_that_is_no_number():
    with pytest.raises(mn.DTypeError, match="result of the function"):
        mn.grad(lambda x: "text")(1.0)


@pytest.mark.parametrize("argument", [3, np.arange(3), np.array([True]), "text", {"a": np.ones(2), "b": 1}])
def test_an_argument_that_is_no_float(argument):
    with pytest.raises(mn.DTypeError, match=r"argument 0 holds .*float32 and float64"):
        mn.grad(lambda x: 1.0)(argument)


@pytest.mark.parametrize(
    "array", [np.array([1, "a"], object), np.array(["a"]), np.ones(2) * 1j, np.array(["2020"], "M8[Y]")]
)
def test_element_types_that_are_refused_by_name(array):
    with pytest.raises(mn.DTypeError, match=re.escape(str(array.dtype))):
        mn.grad(lambda x: mn.sum(x))(array)


def test_masked_arrays_are_refused():
    mn.tanh(np.ones(2).view(type("Labelled", (np.ndarray,), {})))
    with pytest.raises(mn.DTypeError, match="tanh: masked"):
        mn.tanh(np.ma.masked_array([1.0, 2.0], [True, False]))
    with pytest.raises(mn.DTypeError, match="masked"):
        mn.grad(lambda x: mn.sum(x))(np.ma.masked_array([1.0, 2.0], [True, False]))


def test_argnums_out_of_range():
    with pytest.raises(mn.ArgumentError, match=r"argnums=2.*2 positional"):
        mn.grad(lambda a, b: a, argnums=2)(1.0, 2.0)
    with pytest.raises(mn.ArgumentError, match="argnums must be"):
        mn.grad(lambda a: a, argnums="x")(1.0)


def test_a_tensor_used_as_a_bool_names_the_way_out():
    with pytest.raises(mn.GraphError, match=r"mn\.where"):
        mn.grad(lambda x: x if x > 0 else -x)(1.0)


# ---- nesting -------------------------------------------------------------------------------------------------------------


def test_gradient_of_a_gradient():
    assert mn.grad(mn.grad(lambda x: x**3))(2.0) == 12.0
    assert mn.grad(mn.grad(mn.grad(lambda x: x**3)))(2.0) == 6.0


def test_gradients_do_not_confuse_their_variables():
    assert mn.grad(lambda x: x * mn.grad(lambda y: x + y)(1.0))(1.0) == 1.0
    assert mn.grad(lambda x: x * mn.grad(lambda y: x * y * y)(x))(3.0) == 54.0
    # The inner function gets the outer variable itself: only the inner argument moves.
    assert mn.grad(lambda x: mn.grad(lambda y: x * y)(x))(5.0) == 1.0
    value, tangent = mn.jvp(lambda x: mn.jvp(lambda y: x * y, (x,), (1.0,))[1], (5.0,), (1.0,))
    assert (value, tangent) == (5.0, 1.0)


def test_gradients_of_mixed_arguments():
    inner = mn.grad(lambda x, y: mn.sum(x * x * y), argnums=0)
    mixed = mn.grad(lambda x, y: mn.sum(inner(x, y)), argnums=1)
    np.testing.assert_allclose(mixed(np.array([3.0, 4.0]), np.array([1.0, 2.0])), [6.0, 8.0])


def test_stop_gradient_holds_constant():
    assert mn.grad(lambda x: x * mn.stop_gradient(x))(3.0) == 3.0
    assert mn.grad(mn.grad(lambda x: x * x * mn.stop_gradient(x)))(3.0) == 6.0


def test_inner_transforms_of_arrays_are_computed_at_once():
    seen = []

    def f(x):
        seen.append(mn.grad(lambda y: y * y)(3.0))
        return x * float(seen[-1])

    assert mn.grad(f)(1.0) == 6.0 and type(seen[0]) is np.float64


# ---- vjp, jvp, hvp -------------------------------------------------------------------------------------------------------


def test_vjp_of_one_and_of_many_primals():
    v = RNG.normal(size=(5, 2))
    value, pullback = mn.vjp(lambda w: mn.tanh(X @ w), W)
    np.testing.assert_allclose(value, np.tanh(X @ W))
    np.testing.assert_allclose(pullback(v), X.T @ (v * (1 - np.tanh(X @ W) ** 2)), rtol=1e-12)
    value, pullback = mn.vjp(lambda a, b: {"p": a * b, "s": [a + b]}, 2.0, 3.0)
    assert value == {"p": 6.0, "s": [5.0]}
    assert pullback({"p": 1.0, "s": [10.0]}) == (13.0, 12.0)
    assert pullback({"p": 1.0, "s": [None]}) == (3.0, 2.0)


def test_a_pullback_belongs_to_the_values_of_its_primals():
    x = np.array([1.0, 2.0])
    _, pullback = mn.vjp(lambda x: x * x, x)
    x[:] = 100
    np.testing.assert_array_equal(pullback(np.ones(2)), [2.0, 4.0])


def test_a_pullback_inside_a_gradient():
    def f(x):
        _, pullback = mn.vjp(lambda y: y**3, x)
        return pullback(1.0)

    assert mn.grad(f)(2.0) == 12.0


def test_a_pullback_of_arrays_given_a_tensor():
    _, pullback = mn.vjp(lambda y: y**3, 2.0)
    assert mn.grad(lambda x: pullback(x))(5.0) == 12.0


def test_vjp_around_an_outer_variable():
    def f(x):
        value, pullback = mn.vjp(lambda y: x * y * y, 3.0)
        return value + pullback(1.0)

    assert mn.grad(f)(2.0) == 15.0


def test_integer_primals_have_no_cotangent():
    _, pullback = mn.vjp(lambda x, n: x * n, 2.0, 3)
    assert pullback(1.0) == (3.0, None)
    with pytest.raises(mn.DTypeError, match="first primal"):
        mn.vjp(lambda n: n, 3)


def test_a_cotangent_of_another_shape():
    _, pullback = mn.vjp(lambda x: x, np.ones(3))
    with pytest.raises(mn.ShapeError, match=r"cotangent has shape \(2,\), but \(3,\)"):
        pullback(np.ones(2))
    with pytest.raises(mn.ShapeError, match="2 arrays, but 1"):
        pullback((np.ones(3), np.ones(3)))


def test_jvp_matches_the_gradient():
    v = RNG.normal(size=W.shape)
    value, tangent = mn.jvp(loss, (W,), (v,))
    np.testing.assert_allclose(value, np.sum(np.tanh(X @ W) ** 2))
    np.testing.assert_allclose(tangent, np.sum(loss_gradient(W) * v), rtol=1e-12)


def test_jvp_of_nested_arguments_and_results():
    value, tangent = mn.jvp(
        lambda p, n: [p["a"] * n, p["b"]], ({"a": 2.0, "b": 1.0}, 3), ({"a": 1.0, "b": None}, None)
    )
    assert value == [6.0, 1.0] and tangent == [3.0, 0.0]


def test_jvp_refuses_what_it_would_drop():
    with pytest.raises(mn.DTypeError, match="int 3"):
        mn.jvp(lambda x: x, (3,), (1.0,))
    with pytest.raises(mn.ShapeError, match=r"\(3,\)"):
        mn.jvp(lambda x: x, (np.ones(2),), (np.ones(3),))
    with pytest.raises(mn.ArgumentError, match="tuple"):
        mn.jvp(lambda x: x, np.ones(2), (np.ones(2),))


def test_hvp_is_the_hessian_times_a_vector():
    v = RNG.normal(size=W.shape)
    hessian = mn.hessian(loss)(W)
    assert hessian.shape == (3, 2, 3, 2)
    product = mn.hvp(loss)(W, v)
    np.testing.assert_allclose(product, np.tensordot(hessian, v, 2), rtol=1e-10)
    step = 1e-5
    numeric = (loss_gradient(W + step * v) - loss_gradient(W - step * v)) / (2 * step)
    np.testing.assert_allclose(product, numeric, rtol=1e-7, atol=1e-9)


def test_hvp_of_nested_arguments():
    point = {"a": np.array([1.0, 2.0]), "b": 3.0}
    product = mn.hvp(lambda p: mn.sum(p["a"] ** 2) * p["b"])(point, {"a": np.array([1.0, 0.0]), "b": 0.0})
    np.testing.assert_allclose(product["a"], [6.0, 0.0])
    np.testing.assert_allclose(product["b"], 2.0)


def test_hvp_without_a_vector():
    with pytest.raises(mn.ArgumentError, match=r"hvp\(f\)\(x, v\)"):
        mn.hvp(loss)(W)


# ---- jacobian and hessian --------------------------------------------------------------------------------------------------


def test_jacobian_of_an_array():
    jacobian = mn.jacobian(lambda x: mn.tanh(x) * x[0])(np.array([1.0, 2.0, 3.0]))
    x = np.array([1.0, 2.0, 3.0])
    expected = np.diag(1 - np.tanh(x) ** 2) * x[0]
    expected[:, 0] += np.tanh(x)
    np.testing.assert_allclose(jacobian, expected, rtol=1e-12, atol=1e-15)


def test_jacobian_of_nested_arguments_and_results():
    found = mn.jacobian(lambda p: [X @ p["w"], mn.sum(p["b"])])({"w": W, "b": np.ones(4)})
    assert found[0]["w"].shape == (5, 2, 3, 2) and found[0]["b"].shape == (5, 2, 4)
    assert found[1]["w"].shape == (3, 2)
    np.testing.assert_allclose(found[0]["w"], np.einsum("ij,kl->ikjl", X, np.eye(2)))
    np.testing.assert_array_equal(found[0]["b"], np.zeros((5, 2, 4)))
    np.testing.assert_array_equal(found[1]["b"], np.ones(4))


def test_jacobian_by_several_arguments():
    a, b = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    first, second = mn.jacobian(lambda a, b: a * b, argnums=(0, 1))(a, b)
    np.testing.assert_allclose(first, np.diag(b))
    np.testing.assert_allclose(second, np.diag(a))


def test_jacobian_of_a_scalar_is_the_gradient():
    np.testing.assert_allclose(mn.jacobian(loss)(W), loss_gradient(W), rtol=1e-12)


def test_jacobian_of_an_empty_result():
    assert mn.jacobian(lambda x: x[:0])(np.ones(3)).shape == (0, 3)


def test_gradient_through_a_jacobian():
    slope = mn.grad(lambda x: mn.sum(mn.jacobian(lambda y: y**3)(x)))(np.array([1.0, 2.0]))
    np.testing.assert_allclose(slope, [6.0, 12.0])


def test_hessian_of_a_number_and_of_nested_arguments():
    assert mn.hessian(lambda x: x**3)(2.0) == 12.0
    found = mn.hessian(lambda p: mn.sum(p["a"]) ** 2 * p["b"])({"a": np.array([1.0, 2.0]), "b": 3.0})
    np.testing.assert_allclose(found["a"]["a"], np.full((2, 2), 6.0))
    np.testing.assert_allclose(found["a"]["b"], [6.0, 6.0])
    np.testing.assert_allclose(found["b"]["b"], 0.0)


def test_hessian_is_symmetric():
    hessian = mn.hessian(loss)(W).reshape(6, 6)
    np.testing.assert_allclose(hessian, hessian.T, rtol=1e-10, atol=1e-12)


def test_jacobian_of_integers():
    with pytest.raises(mn.DTypeError, match="int64"):
        mn.jacobian(lambda x: mn.cast(x, "int64"))(np.ones(2))


# ---- custom_vjp ----------------------------------------------------------------------------------------------------------


def test_custom_vjp_replaces_the_derivative_to_every_order():
    f = mn.custom_vjp(lambda x: x * x, lambda dy, x, out: 7.0 * dy * x)
    assert f(3.0) == 9.0
    assert mn.grad(f)(2.0) == 14.0
    assert mn.grad(mn.grad(f))(2.0) == 7.0


def test_custom_vjp_of_many_arguments_results_and_settings():
    def product(a, b, scale):
        return a * b[0] * scale, a + b[0]

    def pull(dy, a, b, out, scale):
        assert scale == 3 and len(b) == 1 and len(out) == 2
        return dy[0] * 10 + dy[1] * scale, None

    f = mn.custom_vjp(product, pull)
    assert f(2.0, (5.0,), scale=3) == (30.0, 7.0)
    _, pullback = mn.vjp(lambda a, b: f(a, b, scale=3), 2.0, (5.0,))
    assert pullback((1.0, 100.0)) == (310.0, (0.0,))


def test_custom_vjp_leaves_settings_as_they_are():
    seen = []

    def scaled(x, factor=2.0):
        seen.append(factor)
        return x * factor

    f = mn.custom_vjp(scaled, lambda dy, x, out, factor=2.0: dy * factor * 10)
    assert f(3.0) == 6.0
    assert f(3.0, factor=0.5) == 1.5
    assert mn.grad(lambda x: f(x, factor=0.5))(3.0) == 5.0
    assert seen == [2.0, 0.5, 0.5]


def test_custom_vjp_sees_the_result():
    f = mn.custom_vjp(lambda x: mn.exp(x), lambda dy, x, out: dy * out)
    np.testing.assert_allclose(mn.grad(f)(1.5), np.exp(1.5))


def test_custom_vjp_in_forward_mode():
    plain = mn.custom_vjp(lambda x: x * x, lambda dy, x, out: 2.0 * x * dy)
    with pytest.raises(mn.GradientError, match="jvp="):
        mn.jvp(plain, (3.0,), (1.0,))
    full = mn.custom_vjp(
        lambda x: x * x, lambda dy, x, out: 2.0 * x * dy, jvp=lambda t, x, out: 2.0 * x * t[0]
    )
    assert mn.jvp(full, (3.0,), (1.0,)) == (9.0, 6.0)
    assert mn.hvp(lambda x: plain(x) * x)(3.0, 1.0) == 18.0


def test_custom_vjp_refuses_to_lose_a_derivative():
    def outer(q):
        return mn.custom_vjp(lambda x: x * q, lambda dy, x, out: dy)(q)

    with pytest.raises(mn.GradientError, match="none of its arguments"):
        mn.grad(outer)(1.0)


def test_custom_vjp_with_a_wrong_rule():
    short = mn.custom_vjp(lambda a, b: a * b, lambda dy, a, b, out: dy)
    with pytest.raises(mn.GradientError, match="must return 2 cotangents"):
        mn.grad(short)(1.0, 2.0)
    shape = mn.custom_vjp(lambda x: mn.sum(x), lambda dy, x, out: dy)
    with pytest.raises(mn.GradientError, match=r"shape \(\) for input 1 of shape \(3,\)"):
        mn.grad(shape)(np.ones(3))


def test_custom_vjp_on_arrays_is_computed_at_once():
    f = mn.custom_vjp(lambda x: x + 1.0, lambda dy, x, out: dy)
    np.testing.assert_array_equal(f(np.zeros(2)), np.ones(2))


# ---- threads -------------------------------------------------------------------------------------------------------------


def test_threads_differentiate_independently():
    found: dict[int, np.ndarray] = {}

    def work(k):
        scale = np.full((1,), float(k))
        for _ in range(5):
            found[k] = mn.grad(lambda w: mn.sum(mn.tanh(X @ w) ** 2) * mn.sum(scale))(W)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for k in range(4):
        np.testing.assert_allclose(found[k], k * loss_gradient(W), rtol=1e-12, atol=1e-300)


# ---- in models -----------------------------------------------------------------------------------------------------------


def test_a_model_as_a_function_of_its_parameters():
    x = mn.Input((3,), dtype="float64")
    model = mn.Model(x, mn.layers.Dense(2, activation="tanh")(x))
    target = RNG.normal(size=(5, 2))

    def f(p):
        return mn.mean(mn.square(model.apply(p, X) - target))

    slope = mn.grad(f)(model.parameters)
    assert set(slope) == set(model.parameters)
    mn.check_gradient(f, (dict(model.parameters),), order=2)
    np.testing.assert_allclose(
        mn.function(mn.value_and_grad(f))(dict(model.parameters))[0], f(dict(model.parameters))
    )
    np.testing.assert_allclose(mn.grad(lambda x: mn.sum(model(x)))(X).shape, X.shape)


def test_a_gradient_in_a_layer_is_differentiated_by_the_trainer():
    class Field(mn.Layer):
        def build(self, input_shape):
            self.kernel = self.param("kernel", (input_shape[-1], 4), "glorot_uniform")

        def call(self, x):
            return mn.grad(lambda z: mn.sum(mn.tanh(z @ self.kernel)))(x)

    x = mn.Input((3,), dtype="float64")
    model = mn.Model(x, Field()(x))
    kernel = model.parameters["field/kernel"].copy()
    np.testing.assert_allclose(model(X), (1 - np.tanh(X @ kernel) ** 2) @ kernel.T, rtol=1e-12)
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.1))
    trainer.step(X, X)
    slope = mn.grad(lambda w: mn.mean(mn.square((1.0 - mn.tanh(X @ w) ** 2) @ mn.transpose(w) - X)))(kernel)
    np.testing.assert_allclose(model.parameters["field/kernel"], kernel - 0.1 * slope, rtol=1e-10)


def test_a_layer_in_a_derivative_while_a_model_is_put_together():
    x = mn.Input((3,))
    layer = mn.layers.Dense(2)
    with pytest.raises(mn.GradientError, match=r"layer_call.*call of a Layer of your own"):
        mn.grad(lambda z: mn.sum(layer(z)))(x)
