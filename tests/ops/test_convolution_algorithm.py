"""The choice of the kernel of a convolution, and what a plan says of it."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.ops.convolution import BACKWARD_INPUT, BACKWARD_WEIGHT, Convolution
from mathnet.ops.convolution_algorithm import kernel_of

PARTS = ["forward", "backward_input", "backward_weight"]


def fields(n=1, c=16, h=8, w=8, o=16, kernel=(3, 3), stride=(1, 1), dilation=(1, 1), groups=1):
    pad = tuple([(d * (k - 1) // 2,) * 2 for d, k in zip(dilation, kernel)])
    out = tuple([(size - 1) // s + 1 for size, s in zip((h, w), stride)])
    return Convolution.fields(
        (n, c, h, w), (o, c // groups, *kernel), (n, o, *out), stride, pad, dilation, groups
    )


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "layer",
    [
        {},
        {"c": 512, "o": 17, "h": 7, "w": 7},
        {"h": 3, "w": 3},
        {"h": 2, "w": 2},
        {"h": 1, "w": 1},
        {"h": 2, "w": 100},
        {"h": 1, "w": 12},
        {"c": 64, "o": 96, "groups": 4},
        {"kernel": (5, 5)},
        {"kernel": (5, 5), "h": 3, "w": 3},
        {"kernel": (5, 5), "h": 2, "w": 7, "c": 64, "groups": 2, "o": 32},
        {"dilation": (2, 3), "h": 12, "w": 12},
        {"dilation": (1, 12), "h": 33, "w": 33},
        {"dilation": (16, 16), "h": 32, "w": 32},
        {"kernel": (5, 5), "dilation": (2, 2)},
    ],
)
def test_winograd_for_kernels_of_3_and_5_taps_with_enough_channels(part, layer):
    assert kernel_of(part, fields(**layer)) == f"winograd_{part}"


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "layer",
    [
        {"c": 15},
        {"o": 15},
        {"c": 64, "o": 64, "groups": 8},
        {"kernel": (1, 1)},
        {"kernel": (3, 5)},
        {"kernel": (4, 4)},
        {"kernel": (7, 7)},
        {"kernel": (5, 5), "c": 15},
        {"kernel": (5, 5), "stride": (2, 2), "c": 64, "o": 64},
        {"dilation": (2, 2), "c": 15},
        {"dilation": (18, 18), "h": 33, "w": 33},
        {"dilation": (1, 129), "h": 33, "w": 2000},
        {"dilation": (2, 2), "stride": (2, 2), "c": 64, "o": 64},
        {"h": 1, "w": 13, "dilation": (1, 2)},
        {"stride": (2, 2), "c": 31, "o": 64},
        {"stride": (1, 2), "c": 64, "o": 64},
        {"stride": (3, 3), "c": 64, "o": 64},
    ],
)
def test_the_implicit_matrix_product_for_the_rest(part, layer):
    assert kernel_of(part, fields(**layer)).startswith("conv2d")


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    "layer",
    [
        {"c": 32, "o": 32, "groups": 32},
        {"c": 3, "o": 24, "groups": 3, "kernel": (1, 7), "stride": (2, 3)},
        {"c": 1, "o": 8},
    ],
)
def test_no_matrix_where_every_channel_is_alone(part, layer):
    assert kernel_of(part, fields(**layer)) == f"direct_{part}"


@pytest.mark.parametrize(
    "layer",
    [
        {"c": 3, "o": 64, "h": 224, "w": 224, "kernel": (7, 7), "stride": (2, 2)},
        {"c": 3, "o": 32, "h": 64, "w": 64, "kernel": (11, 11), "stride": (4, 4)},
        {"c": 3, "o": 64, "h": 32, "w": 32},
        {"c": 12, "o": 64, "groups": 2, "h": 32, "w": 32, "kernel": (5, 5)},
    ],
)
def test_tiles_along_the_rows_for_first_layers_and_wide_kernels_forward(layer):
    assert kernel_of("forward", fields(**layer)) == "row_winograd_forward"
    for part in PARTS:
        assert kernel_of(part, fields(**layer), exact=True) == f"conv2d_{part}"
    assert kernel_of("backward_weight", fields(**layer)) == "conv2d_backward_weight"


@pytest.mark.parametrize(
    "layer",
    [
        {"kernel": (1, 7), "h": 1, "w": 256},
        {"kernel": (7, 1), "c": 3, "h": 64, "w": 64},
        {"kernel": (7, 7), "c": 3, "o": 15, "h": 64, "w": 64},
        {"kernel": (7, 7), "c": 3, "h": 64, "w": 12},
        {"kernel": (7, 7), "c": 3, "h": 64, "w": 64, "dilation": (2, 2)},
        {"kernel": (7, 7), "c": 200, "h": 64, "w": 64},
        {"stride": (2, 2), "c": 3, "h": 64, "w": 64},
        {"c": 3, "o": 17, "h": 64, "w": 64},
    ],
)
def test_no_tiles_along_the_rows_where_they_do_not_pay(layer):
    assert kernel_of("forward", fields(**layer)) == "conv2d_forward"


def test_a_first_layer_of_one_channel_is_a_matrix_product_forward():
    """Many filters read each pixel: forward, a panel serves all of them."""
    kernels = [kernel_of(part, fields(c=1, o=32)) for part in PARTS]
    assert kernels == ["conv2d_forward", "direct_backward_input", "direct_backward_weight"]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("layer", [{}, {"c": 3}, {"stride": (2, 2), "c": 64, "o": 64}])
def test_the_number_of_examples_plays_no_part(part, layer):
    assert len({kernel_of(part, fields(n=n, **layer)) for n in (1, 2, 100)}) == 1


GEOMETRY = {"stride": (1, 1), "padding": ((1, 1), (1, 1)), "dilation": (1, 1), "groups": 1}


@mn.function
def all_three(x, w, b, dy):
    return (
        mn.conv2d(x, w, b, padding=1),
        BACKWARD_INPUT(dy, w, size=(13, 15), **GEOMETRY),
        BACKWARD_WEIGHT(x, dy, kernel=(3, 3), **GEOMETRY),
    )


def arrays(n=3):
    rng = np.random.default_rng(0)
    shapes = (n, 18, 13, 15), (32, 18, 3, 3), (32,), (n, 32, 13, 15)
    return [rng.standard_normal(shape).astype("float32") for shape in shapes]


def test_a_plan_names_the_algorithm_of_each_instruction():
    text = all_three.plan(*arrays()).explain()
    assert all(f"winograd_{part} float32" in text for part in PARTS)


@pytest.mark.parametrize("stride", [1, 2])
def test_weights_of_many_pixels_are_transformed_once_and_give_the_same_bits(stride):
    rng = np.random.default_rng(1)
    x = rng.standard_normal((6, 32, 60, 60)).astype("float32")
    w = rng.standard_normal((34, 32, 3, 3)).astype("float32")
    f = mn.function(lambda x, w: mn.conv2d(x, w, stride=stride, padding=1))
    many, few = f.plan(x, w).explain(), f.plan(x[:1], w).explain()
    assert ("winograd_weights" in many, "winograd_weights" in few) == (True, False)
    np.testing.assert_array_equal(f(x, w)[5:], f(x[5:], w))


def test_exact_sums_are_direct_in_every_derivative():
    def loss(x, w):
        return mn.sum(mn.conv2d(x, w, padding=1, exact=True) ** 2)

    def slope(x, w):
        return mn.sum(mn.grad(loss)(x, w) ** 2)

    x, w = arrays()[:2]
    text = mn.function(mn.grad(slope, argnums=(0, 1))).plan(x, w).explain()
    assert all(f"conv2d_{part}" in text for part in PARTS)
    assert "winograd" not in text


def test_exact_and_fast_results_have_plans_of_their_own():
    x, w = (a.astype("float64") for a in arrays()[:2])
    fast, exact = mn.conv2d(x, w, padding=1), mn.conv2d(x, w, padding=1, exact=True)
    np.testing.assert_allclose(fast, exact, rtol=1e-12, atol=1e-12)
    assert (fast != exact).any()


@pytest.mark.parametrize("layer", [mn.layers.Conv2D, mn.layers.Conv2DTranspose])
def test_layers_can_be_exact(layer):
    def explained(exact):
        model = mn.Sequential([layer(16, 3, exact=exact)], input_shape=(16, 8, 8))
        return mn.function(model).plan(np.ones((2, 16, 8, 8), "float32")).explain()

    assert "winograd" in explained(False) and "winograd" not in explained(True)


def test_bits_do_not_depend_on_threads():
    results = []
    for threads in (1, 2, 3):
        with mn.Runtime(threads=threads):
            results.append(mn.function(all_three.__wrapped__)(*arrays(n=40)))
    for other in results[1:]:
        for a, b in zip(results[0], other):
            np.testing.assert_array_equal(a, b)


def test_a_write_to_the_weights_is_seen_by_the_next_call():
    model = mn.Sequential([mn.layers.Conv2D(16, 3, padding=1)], input_shape=(16, 8, 8))
    x = np.random.default_rng(0).standard_normal((2, 16, 8, 8)).astype("float32")
    before = model(x)
    (weight,) = (v for v in model.parameters.values() if v.ndim == 4)
    weight *= 2
    np.testing.assert_array_equal(model(x), 2 * before)
