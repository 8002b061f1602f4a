"""interpolate and the pixel shuffles against loops over the elements of the result, and finite differences."""

import itertools

import numpy as np
import pytest

import mathnet as mn


def rng():
    return np.random.default_rng(8)


def resized(x, axis, m, mode, align_corners):
    """One axis at a time, element by element."""
    n, parts = x.shape[axis], []
    for i in range(m):
        if mode == "nearest":
            parts.append(np.take(x, [i * n // m], axis))
            continue
        place = (
            i * (n - 1) / (m - 1)
            if align_corners and m > 1
            else 0.0
            if align_corners
            else (i + 0.5) * n / m - 0.5
        )
        place = min(max(place, 0.0), n - 1.0)
        low = int(place)
        share = place - low
        parts.append((1 - share) * np.take(x, [low], axis) + share * np.take(x, [min(low + 1, n - 1)], axis))
    return np.concatenate(parts, axis)


CASES = [
    ((5,), (10,)),
    ((5,), (3,)),
    ((4, 3), (8, 9)),
    ((4, 6), (7, 2)),
    ((3, 4), (1, 4)),
    ((2, 3, 2), (3, 6, 2)),
]


@pytest.mark.parametrize(("size", "wanted"), CASES)
@pytest.mark.parametrize(("mode", "align_corners"), [("nearest", False), ("linear", False), ("linear", True)])
def test_interpolate(size, wanted, mode, align_corners):
    x = rng().standard_normal((2, 3, *size))
    expected = x
    for axis, m in enumerate(wanted, 2):
        expected = resized(expected, axis, m, mode, align_corners)
    got = mn.interpolate(x, wanted, mode=mode, align_corners=align_corners)
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-14)
    assert mn.interpolate(x.astype(np.float32), wanted, mode=mode).dtype == np.float32
    mn.check_gradient(
        lambda x: mn.tanh(mn.interpolate(x, wanted, mode=mode, align_corners=align_corners)), (x,)
    )


def test_scale_factors_and_other_names():
    x = rng().standard_normal((1, 2, 3, 4))
    assert mn.interpolate(x, scale_factor=2).shape == (1, 2, 6, 8)
    assert mn.interpolate(x, scale_factor=(1, 0.5), mode="bilinear").shape == (1, 2, 3, 2)
    assert mn.interpolate(mn.Input((2, 3, 4)), scale_factor=2).shape[1:] == (2, 6, 8)
    np.testing.assert_array_equal(mn.interpolate(np.arange(3).reshape(1, 1, 3), 6), [[[0, 0, 1, 1, 2, 2]]])


def test_pixel_shuffle():
    x = rng().standard_normal((2, 12, 3, 2))
    y = mn.pixel_shuffle(x, 2)
    for c, i, j in itertools.product(range(3), range(6), range(4)):
        np.testing.assert_array_equal(y[:, c, i, j], x[:, c * 4 + i % 2 * 2 + j % 2, i // 2, j // 2])
    np.testing.assert_array_equal(mn.pixel_unshuffle(y, 2), x)


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: mn.interpolate(np.zeros((1, 2)), 3), mn.ShapeError, "three to five axes"),
        (lambda: mn.interpolate(np.zeros((1, 2, 3))), mn.ArgumentError, "either size or scale_factor"),
        (lambda: mn.interpolate(np.zeros((1, 2, 3)), (3, 3)), mn.ArgumentError, "size must be an int ≥ 1"),
        (
            lambda: mn.interpolate(np.zeros((1, 2, 3)), scale_factor=-1),
            mn.ArgumentError,
            "scale_factor must be a number > 0",
        ),
        (lambda: mn.interpolate(np.zeros((1, 2, 3)), scale_factor=0.1), mn.ShapeError, "leaves nothing"),
        (lambda: mn.interpolate(np.zeros((1, 2, 3)), 3, mode="bilinear"), mn.ArgumentError, "mode must be"),
        (
            lambda: mn.interpolate(np.zeros((1, 2, 3)), 3, align_corners=True),
            mn.ArgumentError,
            "align_corners",
        ),
        (
            lambda: mn.interpolate(np.zeros((1, 2, 3), int), 4, mode="linear"),
            mn.DTypeError,
            "a float type is needed",
        ),
        (
            lambda: mn.pixel_shuffle(np.zeros((1, 3, 2, 2)), 2),
            mn.ShapeError,
            "3 channels .* no multiple of 2²",
        ),
        (lambda: mn.pixel_unshuffle(np.zeros((1, 3, 3, 2)), 2), mn.ShapeError, "known multiples of 2"),
    ],
)
def test_bad_operands_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
