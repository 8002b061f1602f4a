"""The Layer base class: weights, nesting, capture of arguments, calls on arrays, tensors and within traces."""

import copy
import pickle

import numpy as np
import pytest

import mathnet as mn
from mathnet.graph.graph import Graph
from mathnet.graph.trace import Trace
from mathnet.plugin.bases import LAYER_CALL


class Affine(mn.Layer):
    def __init__(self, units, scale=1.0, name=None):
        self.units, self.scale = units, scale  # super().__init__() is left out

    def build(self, input_shape):
        self.w = self.param("w", (input_shape[-1], self.units), "normal", regularizer="l2")
        self.b = self.param("b", self.units, "ones", trainable=False)

    def call(self, x):
        return self.scale * (x @ self.w) + self.b


class Stack(mn.Layer):
    def __init__(self, depth=2):
        super().__init__()
        self.blocks = [Affine(3) for _ in range(depth)]
        self.last = Affine(2, name="head")

    def call(self, x, training=False):
        for block in self.blocks:
            x = block(x)
        return self.last(x)


class Counter(mn.Layer):
    def build(self, input_shape):
        self.seen = self.state("seen", ())

    def call(self, x, training=False):
        if training:
            self.assign(self.seen, self.seen + 1.0)
        return x + self.seen


def test_constructor_arguments_are_captured_with_defaults():
    layer = Affine(3, name="mine")
    assert layer.config == {"units": 3, "scale": 1.0, "name": "mine"}
    assert (layer.name, Affine(3).name, layer.key) == ("mine", None, "affine")
    with pytest.raises(TypeError, match="units"):
        Affine()


def test_weights():
    layer = Affine(3)
    assert not layer.built
    x = np.random.default_rng(0).standard_normal((4, 2))
    y = layer(x)
    w, b = layer.parameters
    assert (w.shape, w.dtype, w.name, w.trainable, b.trainable) == (
        (2, 3),
        np.float64,
        "affine/w",
        True,
        False,
    )
    assert w.regularizer.key == "l2" and b.regularizer is None
    assert w.segment is b.segment  # one block of memory per layer
    np.testing.assert_allclose(y, x @ w.array + b.array)
    w.array[...] = 0.0  # views are live
    np.testing.assert_array_equal(layer(x), np.ones((4, 3)))


def test_the_type_of_the_weights_is_that_of_the_input():
    assert Affine(3)(np.zeros((1, 2), np.float32)).dtype == np.float32
    layer = Affine(3)
    layer(np.zeros((1, 2), np.int64))
    assert layer.parameters[0].dtype == np.float32


def test_initial_weights_follow_from_the_seed_of_the_runtime():
    x = np.zeros((1, 2))

    def made():
        with mn.Runtime(autoload=False, seed=1):
            a, b = Affine(3), Affine(3)
            a(x), b(x)
            return a.w.array, b.w.array

    (a, b), (c, _) = made(), made()
    np.testing.assert_array_equal(a, c)
    assert not np.array_equal(a, b)


def test_sublayers_are_found_and_named():
    layer = Stack()
    assert list(layer.sublayers) == ["blocks_0", "blocks_1", "head"]
    layer(np.zeros((1, 4)))
    assert [path for path, _ in layer.named_variables()] == [
        "blocks_0/w",
        "blocks_0/b",
        "blocks_1/w",
        "blocks_1/b",
        "head/w",
        "head/b",
    ]
    layer.again = layer.blocks[0]  # the same layer is counted once
    assert len(layer.sublayers) == 3
    layer.other = Affine(1, name="head")
    with pytest.raises(mn.ArgumentError, match="two sublayers named 'head'"):
        layer.sublayers  # noqa: B018


def test_a_call_on_a_tensor_is_a_node_that_bind_traces_into():
    layer = Stack()
    x = mn.Input((4,), name="x")
    y = layer(x)
    assert y.node.op is LAYER_CALL and y.node.attrs["layer"] is layer
    assert y.shape == (x.shape[0], 2)
    graph = Graph([x], [y])
    with Trace(training=True):
        bound = graph.bind({x.shape[0]: 5})
    bound.verify()
    assert bound.outputs[0].shape == (5, 2)
    assert LAYER_CALL not in {node.op for node in bound.nodes}
    assert bound.variables == [
        *layer.blocks[0].parameters,
        *layer.blocks[1].parameters,
        *layer.last.parameters,
    ]


def test_nested_inputs_and_outputs():
    class Both(mn.Layer):
        def build(self, input_shape):
            assert [shape[1:] for shape in input_shape] == [(2,), (3,)]

        def call(self, x, scale=1.0, shift=None):
            a, b = x
            return {"a": a * scale, "b": b if shift is None else b + shift}

    a, b = np.ones((1, 2)), np.ones((1, 3))
    result = Both()([a, b], scale=2.0, shift=np.full((1, 3), 5.0))
    np.testing.assert_array_equal(result["a"], 2 * a)
    np.testing.assert_array_equal(result["b"], b + 5)
    result = Both()([mn.Input((2,)), mn.Input((3,))], scale=2.0)
    assert result["b"].shape[1:] == (3,)


def test_states_change_only_where_a_step_commits():
    layer = Counter()
    np.testing.assert_array_equal(layer(np.zeros((1, 2)), training=True), np.ones((1, 2)))
    np.testing.assert_array_equal(layer(np.zeros((1, 2))), np.zeros((1, 2)))
    assert [v.name for v in layer.statistics] == ["counter/seen"]
    assert layer.parameters == []
    with Trace(training=True) as trace:
        layer(mn.Input((2,)))
        layer(mn.Input((2,)))
    ((variable, value),) = trace.updates.items()
    assert variable is layer.seen and value.shape == ()
    with pytest.raises(mn.GraphError, match="assign works within call"):
        layer.assign(layer.seen, 3.0)


def test_variables_work_in_operators_and_functions():
    class Uses(mn.Layer):
        def build(self, input_shape):
            self.w = self.param("w", (3, 3), "normal")

        def call(self, x):
            w = self.w
            parts = [
                x @ w,
                2.0 * w + 1.0,
                -w,
                mn.tanh(w),
                np.tanh(w),
                w.T,
                w[0],
                w.sum(axis=0),
                x * w[1],
                np.ones((3, 3)) @ w,
            ]
            total = parts[0]
            for part in parts[1:]:
                total = total + part
            return total

    layer = Uses()
    x = np.random.default_rng(0).standard_normal((3, 3))
    y, w = layer(x), layer.w.array
    expected = (
        x @ w + (2 * w + 1) - w + 2 * np.tanh(w) + w.T + w[0] + w.sum(axis=0) + x * w[1] + np.ones((3, 3)) @ w
    )
    np.testing.assert_allclose(y, expected)
    np.testing.assert_array_equal(np.asarray(layer.w), w)
    with pytest.raises(TypeError):
        list(layer.w)


def test_a_variable_is_not_frozen_into_a_graph_by_accident():
    class Freezes(mn.Layer):
        def build(self, input_shape):
            self.w = self.param("w", (2,))

        def call(self, x):
            return x * np.asarray(self.w)

    with pytest.raises(mn.GraphError, match="freeze its present values"):
        Freezes()(np.zeros((1, 2)))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda self, shape: self.param("a/b", (1,)), "without '/'"),
        (lambda self, shape: [self.param("a", (1,)), self.param("a", (1,))], "weight 'a' exists already"),
        (
            lambda self, shape: self.param("a", shape),
            r"weight 'a' has the shape \(batch, 3\), in which batch is not known",
        ),
        (lambda self, shape: self.param("a", (-1,)), r"\(-1,\) is no shape"),
        (
            lambda self, shape: self.param("a", (2,), lambda shape, rng: np.zeros(3)),
            r"initializer returned an array of shape \(3,\)",
        ),
        (
            lambda self, shape: self.param("a", (2,), "zeroes"),
            r"layer 'bad' .*weight 'a': initializer: no initializer .* 'zeroes' \(did you mean 'zeros'",
        ),
        (
            lambda self, shape: self.param("a", (2,), regularizer="l3"),
            r"regularizer of weight 'a': no regularizer .* 'l3'",
        ),
    ],
)
def test_bad_weights_are_refused_and_building_can_be_tried_again(build, message):
    class Bad(mn.Layer):
        wrong = True

        def build(self, input_shape):
            self.w = self.param("w", (3,), "ones")
            if self.wrong:
                build(self, input_shape)

        def call(self, x):
            return x * self.w

    layer = Bad()
    with pytest.raises(mn.MathnetError, match=message):
        layer(mn.Input((3,)))
    layer.wrong = False
    np.testing.assert_array_equal(layer(np.full((1, 3), 2.0)), np.full((1, 3), 2.0))


def test_errors_in_a_layers_own_code_name_the_layer():
    class Broken(mn.Layer):
        def call(self, x):
            return {}["missing"]

    with pytest.raises(KeyError) as caught:
        Broken(name="culprit")(np.zeros((1, 2)))
    assert "layer 'culprit' (Broken) from " in caught.value.__notes__[0]


def test_the_innermost_layer_is_named():
    class Outer(mn.Layer):
        def __init__(self):
            self.inner = mn.layers.Dense(3, name="inner")

        def call(self, x):
            return self.inner(mn.reshape(x, (-1,)))

    with pytest.raises(mn.ShapeError, match="layer 'inner'") as caught:
        Outer()(np.zeros((2, 2)))
    assert "outer" not in str(caught.value)


def test_layers_copy_and_pickle():
    layer = mn.layers.Dense(3)
    x = np.random.default_rng(0).standard_normal((2, 4))
    y = layer(x)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        np.testing.assert_array_equal(twin(x), y)
        twin.kernel.array[...] = 0.0
        np.testing.assert_array_equal(twin(x), np.zeros((2, 3)))
        np.testing.assert_array_equal(layer(x), y)


def test_more_arguments_than_a_call_takes():
    class Shifted(mn.Layer):
        def call(self, x, by=0.0, training=False):
            return x + by

    x = np.zeros((1, 2))
    np.testing.assert_array_equal(Shifted()(x, 2.0), x + 2.0)
    for given, named in [((x, x, x), {}), ((1.0,), {"by": 2.0})]:
        with pytest.raises(mn.ArgumentError, match=r"shifted: .* called as layer\(x, by, training\)"):
            Shifted()(x, *given, **named)


def test_a_call_must_return_tensors():
    class Nothing(mn.Layer):
        def call(self, x):
            return None

    for x in (mn.Input((2,)), np.zeros((1, 2))):
        with pytest.raises(mn.GraphError, match=r"layer 'nothing': call\(\) returned None"):
            Nothing()(x)


def test_a_layer_may_hold_weights_made_in_its_constructor_and_be_an_activation():
    class Leaky(mn.Layer):
        def __init__(self):
            self.slope = self.param("slope", (1,), mn.initializers.Constant(0.25))

        def call(self, x):
            return mn.where(x > 0.0, x, self.slope * x)

    layer = mn.layers.Dense(3, activation=Leaky(), kernel_initializer="normal")
    x = np.random.default_rng(0).standard_normal((4, 2))
    y, z = layer(x), x @ layer.kernel.array
    np.testing.assert_allclose(y, np.where(z > 0, z, 0.25 * z))
    assert [path for path, _ in layer.named_variables()] == ["kernel", "bias", "activation/slope"]
    assert {variable.dtype for variable in layer.parameters} == {np.dtype(np.float64)}
