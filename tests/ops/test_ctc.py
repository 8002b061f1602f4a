"""ctc_loss against the sum over all paths, nll_loss against NumPy, and finite differences."""

import itertools

import numpy as np
import pytest

import mathnet as mn


def log_softmax(z):
    z = z - z.max(-1, keepdims=True)
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def merged(path, blank):
    """The labels that a path stands for."""
    return [k for k, _ in itertools.groupby(path) if k != blank]


def by_enumeration(log_probs, target, blank):
    """−log of the summed probability of every path of one example that gives the target."""
    steps, classes = log_probs.shape
    total = 0.0
    for path in itertools.product(range(classes), repeat=steps):
        if merged(path, blank) == list(target):
            total += np.exp(sum(log_probs[t, k] for t, k in enumerate(path)))
    with np.errstate(divide="ignore"):
        return -np.log(total)


TARGETS = [[1, 2], [1, 1], [2, 0], [0, 0]]
LENGTHS = [2, 2, 1, 0]


def rng():
    return np.random.default_rng(6)


def test_ctc_is_the_sum_over_all_paths():
    z = log_softmax(rng().standard_normal((4, 5, 3)))
    for blank in (0, 2):
        targets = np.array(TARGETS) if blank == 0 else np.array([[1, 0], [1, 1], [0, 2], [2, 2]])
        wanted = [by_enumeration(p, t[:n], blank) for p, t, n in zip(z, targets, LENGTHS)]
        got = mn.ctc_loss(z, targets, target_lengths=LENGTHS, blank=blank)
        np.testing.assert_allclose(got, wanted, rtol=1e-11)
        single = mn.ctc_loss(z.astype(np.float32), targets, target_lengths=LENGTHS, blank=blank)
        assert single.dtype == np.float32
        np.testing.assert_allclose(single, wanted, rtol=1e-5)


def test_steps_beyond_the_length_of_the_input_do_not_count():
    z = log_softmax(rng().standard_normal((3, 6, 3)))
    lengths, targets = [3, 6, 4], np.array([[1, 2], [2, 2], [2, 1]])
    wanted = [by_enumeration(p[:n], t, 0) for p, t, n in zip(z, targets, lengths)]
    np.testing.assert_allclose(mn.ctc_loss(z, targets, lengths), wanted, rtol=1e-11)


def test_a_target_that_no_path_gives():
    z = log_softmax(rng().standard_normal((2, 2, 3)))
    targets = np.array([[1, 1], [1, 2]])  # two equal labels need a blank between them: three steps
    assert by_enumeration(z[0], targets[0], 0) == np.inf
    np.testing.assert_array_equal(np.isinf(mn.ctc_loss(z, targets)), [True, False])
    assert mn.ctc_loss(z, targets, zero_infinity=True)[0] == 0.0
    d = mn.grad(lambda z: mn.sum(mn.ctc_loss(z, targets, zero_infinity=True)))(z)
    assert np.isfinite(d).all() and not d[0].any() and d[1].any()


def test_probabilities_of_zero():
    p = np.array([[[0.0, 1.0], [1.0, 0.0]]])
    with np.errstate(divide="ignore"):
        z = np.log(p)
    np.testing.assert_allclose(mn.ctc_loss(z, [[1]]), [0.0], atol=1e-12)


def test_no_labels_at_all():
    z = log_softmax(rng().standard_normal((2, 3, 3)))
    np.testing.assert_allclose(mn.ctc_loss(z, np.zeros((2, 0), int)), -z[:, :, 0].sum(1), rtol=1e-12)


def test_ctc_derivatives():
    z, lengths = rng().standard_normal((4, 5, 3)), [5, 4, 5, 3]
    mn.check_gradient(lambda z: mn.ctc_loss(mn.log_softmax(z), TARGETS, lengths, LENGTHS), (z,), order=2)


def test_nll_loss():
    z, targets = log_softmax(rng().standard_normal((2, 3, 4))), np.array([[0, 3, 1], [2, 2, 0]])
    wanted = -np.take_along_axis(z, targets[..., None], -1)[..., 0]
    np.testing.assert_array_equal(mn.nll_loss(z, targets), wanted)
    np.testing.assert_allclose(mn.nll_loss(z, targets), mn.cross_entropy(z, targets), rtol=1e-12)
    mn.check_gradient(lambda z: mn.nll_loss(z, targets), (z,))
    impossible = np.array([[0.0, -np.inf]])
    np.testing.assert_array_equal(mn.nll_loss(impossible, [0]), [0.0])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: mn.nll_loss(np.zeros((2, 3)), [0, 3]),
            mn.DataError,
            "index 3 at position 1 is out of range",
        ),
        (
            lambda: mn.nll_loss(np.zeros((2, 3)), [0, -1]),
            mn.DataError,
            "index -1 at position 1 is out of range",
        ),
        (lambda: mn.ctc_loss(np.zeros((1, 3, 2)), [[-1]]), mn.DataError, "index -1 at position 0 is out"),
        (
            lambda: mn.nll_loss(np.zeros((2, 3)), [0]),
            mn.ShapeError,
            r"targets must have shape \(2,\), not \(1,\)",
        ),
        (lambda: mn.nll_loss(np.zeros((2, 3)), [0.0, 1.0]), mn.DTypeError, "targets must be integers"),
        (lambda: mn.nll_loss(np.zeros((2, 3), int), [0, 1]), mn.DTypeError, "a float type is needed"),
        (lambda: mn.ctc_loss(np.zeros((2, 3)), [[1]]), mn.ShapeError, r"axes \(N, T, C\)"),
        (lambda: mn.ctc_loss(np.zeros((1, 3, 2)), [1]), mn.ShapeError, r"axes \(N, S\)"),
        (lambda: mn.ctc_loss(np.zeros((2, 3, 2)), [[1]]), mn.ShapeError, r"targets must have shape \(2, 1\)"),
        (
            lambda: mn.ctc_loss(np.zeros((1, 3, 2)), [[1]], [3, 3]),
            mn.ShapeError,
            "input_lengths must have shape",
        ),
        (lambda: mn.ctc_loss(np.zeros((1, 3, 2)), [[1]], [4]), mn.DataError, "index 4 at position 0"),
        (lambda: mn.ctc_loss(np.zeros((1, 3, 2)), [[1]], None, [2]), mn.DataError, "index 2 at position 0"),
        (lambda: mn.ctc_loss(np.zeros((1, 3, 2)), [[1.0]]), mn.DTypeError, "targets must be integers"),
        (
            lambda: mn.ctc_loss(np.zeros((1, 3, 2)), [[1]], blank=2),
            mn.ArgumentError,
            "blank must be a class from 0 to 1",
        ),
        (
            lambda: mn.ctc_loss(np.zeros((1, 3, 2)), [[2]]),
            mn.DataError,
            "index 2 at position 0 is out of range",
        ),
    ],
)
def test_bad_operands_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()
