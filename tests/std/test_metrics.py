"""Metrics against their definitions in float64 NumPy, written out example by example; what they refuse."""

import numpy as np
import pytest

import mathnet as mn

M = mn.metrics
RNG = np.random.default_rng(0)
SCORES, CLASSES = RNG.standard_normal((60, 4)), RNG.integers(0, 4, 60)
LOGITS, BITS = RNG.standard_normal(60), (RNG.random(60) < 0.4).astype(float)
WEIGHTS = RNG.integers(0, 4, 60).astype(float)
TOKENS, WORDS = RNG.standard_normal((60, 3, 4)), RNG.integers(0, 4, (60, 3))


def counts_of(predicted, true, classes, weight):
    counts = np.zeros((classes, classes))
    for p, t, w in zip(predicted, true, weight):
        counts[int(t), int(p)] += w
    return counts


def figure(kind, hits, predicted, true, otherwise=0.0):
    above, below = {
        "precision": (hits, predicted), "recall": (hits, true), "f1": (2 * hits, predicted + true),
    }[kind]  # fmt: skip
    return above / below if below else otherwise


def by_class(kind, counts, average):
    """As scikit-learn's precision_score, recall_score and f1_score define it."""
    hits, predicted, true = np.diag(counts), counts.sum(0), counts.sum(1)
    if average == "micro":
        return figure(kind, hits.sum(), predicted.sum(), true.sum())
    each = [figure(kind, *three) for three in zip(hits, predicted, true)]
    if average == "macro":
        return np.mean([e for e, p, t in zip(each, predicted, true) if p + t > 0])
    if average == "weighted":
        return np.average(each, weights=true)
    return np.array(each) if average is None else each[1]


@pytest.mark.parametrize("kind", ["precision", "recall", "f1"])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted", None])
def test_figures_by_class(kind, average):
    metric = M.get(kind, average=average)
    counts = counts_of(SCORES.argmax(1), CLASSES, 4, WEIGHTS)
    np.testing.assert_allclose(metric(SCORES, CLASSES, WEIGHTS), by_class(kind, counts, average), rtol=1e-12)
    one_hot = np.eye(4)[CLASSES]
    np.testing.assert_allclose(metric(SCORES, one_hot, WEIGHTS), by_class(kind, counts, average), rtol=1e-12)
    counts = counts_of(TOKENS.argmax(2).ravel(), WORDS.ravel(), 4, np.repeat(WEIGHTS, 3))
    np.testing.assert_allclose(metric(TOKENS, WORDS, WEIGHTS), by_class(kind, counts, average), rtol=1e-12)
    np.testing.assert_allclose(
        metric(TOKENS.transpose(0, 2, 1), WORDS, WEIGHTS), by_class(kind, counts, average)
    )
    counts = counts_of(LOGITS > 0, BITS, 2, WEIGHTS)
    np.testing.assert_allclose(metric(LOGITS, BITS, WEIGHTS), by_class(kind, counts, average), rtol=1e-12)


@pytest.mark.parametrize("kind", ["precision", "recall", "f1"])
@pytest.mark.parametrize(
    ("settings", "cut"), [({}, 0.0), ({"threshold": 0.7}, np.log(7 / 3)), ({"threshold": 0.2, "from_logits": False}, 0.2),
                          ({"threshold": 0}, -np.inf), ({"threshold": 1.0}, np.inf)],
)  # fmt: skip
def test_figures_of_yes_and_no(kind, settings, cut):
    expected = by_class(kind, counts_of(LOGITS > cut, BITS, 2, WEIGHTS), "binary")
    for shape in ((60,), (60, 1)):
        found = M.get(kind, **settings)(LOGITS.reshape(shape), BITS, WEIGHTS)
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    many = RNG.standard_normal((60, 3)), RNG.random((60, 3)) < 0.5
    expected = by_class(
        kind, counts_of(many[0].ravel() > cut, many[1].ravel(), 2, np.repeat(WEIGHTS, 3)), "binary"
    )
    np.testing.assert_allclose(M.get(kind, **settings)(*many, WEIGHTS), expected, rtol=1e-12)


def test_classes_that_do_not_occur():
    scores, labels = np.eye(4)[[0, 0, 1]], np.array([0, 1, 1])
    np.testing.assert_allclose(M.Recall(average="macro")(scores, labels), (1.0 + 0.5) / 2)
    np.testing.assert_allclose(
        M.Recall(average=None, zero_division=np.nan)(scores, labels), [1.0, 0.5, np.nan, np.nan]
    )
    assert M.Precision(zero_division=0.5)(np.array([-1.0]), np.array([1.0])) == 0.5
    assert M.F1(average="macro", zero_division=0.25)(scores, labels, np.zeros(3)) == 0.25


@pytest.mark.parametrize("normalize", [None, "true", "pred", "all"])
def test_confusion_matrix(normalize):
    axis = {None: (), "true": 1, "pred": 0, "all": (0, 1)}[normalize]
    for scores, labels, weight, counts in (
        (SCORES, CLASSES, WEIGHTS, counts_of(SCORES.argmax(1), CLASSES, 4, WEIGHTS)),
        (SCORES, CLASSES, None, counts_of(SCORES.argmax(1), CLASSES, 4, np.ones(60))),
        (LOGITS, BITS, None, counts_of(LOGITS > 0, BITS, 2, np.ones(60))),
        (SCORES[:2], CLASSES[:2], None, counts_of(SCORES[:2].argmax(1), CLASSES[:2], 4, np.ones(2))),
    ):
        found = M.ConfusionMatrix(normalize)(scores, labels, weight)
        if normalize is not None:
            total = counts.sum(axis=axis, keepdims=True)
            counts = np.divide(counts, total, out=np.zeros_like(counts), where=total > 0)
        np.testing.assert_allclose(found, counts, rtol=1e-12)


def ranked(scores, labels, weight):
    """The share of pairs of a positive and a negative in which the positive has the higher score; ties count half."""
    won = total = 0.0
    for s, w in zip(scores[labels == 1], weight[labels == 1]):
        for other, v in zip(scores[labels == 0], weight[labels == 0]):
            won += w * v * (1.0 if s > other else 0.5 if s == other else 0.0)
            total += w * v
    return won / total


def average_precision(scores, labels, weight):
    """Σ (Rᵢ − Rᵢ₋₁) Pᵢ over the thresholds at the distinct scores."""
    area = before = 0.0
    for threshold in np.unique(scores)[::-1]:
        chosen = scores >= threshold
        right, answers = weight[chosen & (labels == 1)].sum(), weight[chosen].sum()
        recall = right / weight[labels == 1].sum()
        area += (recall - before) * (right / answers if answers else 0.0)
        before = recall
    return area


@pytest.mark.parametrize(("curve", "oracle"), [("roc", ranked), ("pr", average_precision)])
def test_auc(curve, oracle):
    grid = RNG.integers(0, 21, 60) / 20.0  # on the thresholds: the histogram loses nothing
    metric = M.AUC(curve, num_thresholds=21, from_logits=False)
    binned = np.maximum(grid, 0.05)  # 0 and the first interval are one
    np.testing.assert_allclose(metric(grid, BITS, WEIGHTS), oracle(binned, BITS, WEIGHTS), rtol=1e-12)
    scores = LOGITS + BITS
    found = M.AUC(curve, num_thresholds=20000)(scores, BITS, WEIGHTS)
    np.testing.assert_allclose(found, oracle(scores, BITS, WEIGHTS), rtol=1e-12)
    coarse = M.AUC(curve)(scores[:, None], BITS, WEIGHTS)
    np.testing.assert_allclose(coarse, oracle(scores, BITS, WEIGHTS), atol=0.01)
    np.testing.assert_allclose(
        M.AUC(curve)(scores.reshape(20, 3), BITS.reshape(20, 3)), M.AUC(curve)(scores, BITS)
    )
    assert M.AUC(curve)(np.array([-1.0, 3.0]), np.array([0, 1])) == 1.0
    assert np.isnan(M.AUC(curve)(LOGITS, np.zeros(60)))
    assert np.isnan(M.AUC()(LOGITS, np.ones(60)))


def test_accuracies():
    np.testing.assert_array_equal(M.Accuracy()(TOKENS, WORDS), (TOKENS.argmax(2) == WORDS).mean(1))
    np.testing.assert_array_equal(M.Accuracy()(TOKENS, np.eye(4)[WORDS]), (TOKENS.argmax(2) == WORDS).mean(1))
    np.testing.assert_array_equal(
        M.BinaryAccuracy(threshold=0.25, from_logits=False)(SCORES, SCORES > 1), ((SCORES > 0.25) == (SCORES > 1)).mean(1)
    )  # fmt: skip
    np.testing.assert_array_equal(
        M.BinaryAccuracy(threshold=0.9)(LOGITS[:, None], BITS), (LOGITS > np.log(9)) == BITS
    )
    for k in (1, 2, 9):
        expected = [label in np.argsort(-row)[:k] for row, label in zip(SCORES, CLASSES)]
        np.testing.assert_array_equal(M.TopKAccuracy(k=k)(SCORES, CLASSES), expected)
    expected = [
        np.mean([w in np.argsort(-s)[:2] for s, w in zip(rows, words)]) for rows, words in zip(TOKENS, WORDS)
    ]
    np.testing.assert_allclose(M.TopKAccuracy(k=2)(TOKENS.transpose(0, 2, 1), WORDS), expected)
    ties = np.array([[1.0, 1.0, 0.0], [np.nan, 1.0, 0.0]])
    np.testing.assert_array_equal(M.TopKAccuracy(k=1)(ties, np.array([1, 0])), [1.0, 0.0])


def test_regression():
    y_pred, y_true = RNG.standard_normal((60, 3)), RNG.standard_normal((60, 3)) + 2.0
    errors = (y_pred - y_true) ** 2
    expected = np.sqrt(np.average(errors.mean(1), weights=WEIGHTS))
    np.testing.assert_allclose(M.RMSE()(y_pred, y_true, WEIGHTS), expected, rtol=1e-12)
    mean = np.average(y_true, axis=0, weights=WEIGHTS)
    variance = WEIGHTS @ (y_true - mean) ** 2
    each = 1.0 - WEIGHTS @ errors / variance
    for multioutput, wanted in (
        ("raw_values", each), ("uniform_average", each.mean()), ("variance_weighted", np.average(each, weights=variance)),
    ):  # fmt: skip
        found = M.R2(multioutput)(y_pred, y_true, WEIGHTS)
        np.testing.assert_allclose(found, wanted, rtol=1e-10)
    np.testing.assert_allclose(M.R2()(y_pred[:, :1], y_true[:, 0], WEIGHTS), each[0], rtol=1e-10)
    far = (y_true + 1e4).astype(np.float32)  # sums in float32 would have no digit of the variance left
    wanted = 1.0 - np.mean(1.0 / far.astype(float).var(0))
    np.testing.assert_allclose(M.R2()(far, far + np.float32(1.0)), wanted, rtol=1e-5)
    constant = np.full((9, 1), 0.1)
    assert M.R2()(constant, constant) == 1.0 and M.R2()(constant + 1.0, constant) == 0.0
    assert np.isnan(M.R2()(y_pred, y_true, np.zeros(60))) and np.isnan(M.RMSE()(y_pred, y_true, np.zeros(60)))


def test_perplexity():
    log_p = TOKENS - np.log(np.exp(TOKENS).sum(-1, keepdims=True))
    right = np.take_along_axis(log_p, WORDS[..., None], -1)[..., 0]
    weight = np.repeat(WEIGHTS[:, None], 3, 1)
    np.testing.assert_allclose(
        M.Perplexity()(TOKENS, WORDS, WEIGHTS), np.exp(-np.average(right, weights=weight)), rtol=1e-12
    )
    kept = np.where(WORDS == 2, 0.0, weight)
    np.testing.assert_allclose(
        M.Perplexity(ignore_index=2)(TOKENS, WORDS, WEIGHTS), np.exp(-np.average(right, weights=kept)), rtol=1e-12
    )  # fmt: skip


def test_in_batches():
    metric = M.F1(average="macro")
    with pytest.raises(mn.DataError, match="F1: there is no batch yet"):
        metric.compute()
    for start in range(0, 60, 16):
        rows = slice(start, start + 16)
        metric.update(SCORES[rows], CLASSES[rows], WEIGHTS[rows])
    assert metric.compute() == pytest.approx(metric(SCORES, CLASSES, WEIGHTS), rel=1e-12)
    with pytest.raises(mn.ShapeError, match=r"sums of shapes \(2,\).*call reset\(\)"):
        metric.update(LOGITS, BITS)
    metric.reset()
    metric.update(LOGITS, BITS)
    assert metric.compute() == metric(LOGITS, BITS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: M.F1(average="mean"), "F1: average must be one of 'binary', 'macro'"),
        (lambda: M.Precision(threshold=1.5), "Precision: threshold is a probability from 0 to 1"),
        (lambda: M.Recall(threshold="half"), "Recall: threshold must be a number"),
        (lambda: M.ConfusionMatrix(normalize="rows"), "ConfusionMatrix: normalize"),
        (lambda: M.AUC(curve="lift"), "AUC: curve must be 'roc' or 'pr'"),
        (lambda: M.AUC(num_thresholds=2), "AUC: num_thresholds must be an integer from 3"),
        (lambda: M.R2(multioutput="mean"), "R2: multioutput"),
        (lambda: M.TopKAccuracy(k=0)(SCORES, CLASSES), "top_k_accuracy: k must be an integer from 1"),
        (lambda: M.F1()(SCORES, CLASSES), "F1: the scores, of shape .* give average='macro'"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(mn.ArgumentError, match=message):
        make()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: M.F1(average="macro")(SCORES, np.zeros((60, 3))), mn.ShapeError, "F1: the targets have shape"),
        (lambda: M.AUC()(SCORES, CLASSES), mn.ShapeError, "AUC: the targets have shape"),
        (lambda: M.RMSE()(SCORES, LOGITS), mn.ShapeError, "RMSE: the targets have shape"),
        (lambda: M.F1()(LOGITS, BITS[:5]), mn.ShapeError, "axis 0 of both must run over the same examples"),
        (lambda: M.F1()(LOGITS, BITS, np.ones(3)), mn.ShapeError, "F1: sample_weight has shape"),
        (lambda: M.F1()(LOGITS, BITS, np.full(60, np.nan)), mn.DataError, "F1: a sample weight is not finite"),
        (lambda: M.F1()(LOGITS.astype(complex), BITS), mn.DTypeError, "F1: y_pred"),
        (lambda: M.ConfusionMatrix()(SCORES, CLASSES + 1), mn.DataError, r"ConfusionMatrix: y_true .* is 4, not one of 0 … 3"),
        (lambda: M.TopKAccuracy()(SCORES, CLASSES - 1), mn.DataError, r"top_k_accuracy: y_true .* is -1, not one of 0 … 3"),
        (lambda: M.Accuracy()(SCORES, CLASSES + 1), mn.DataError, r"accuracy: y_true .*count them from 0.* is 4"),
        (lambda: M.F1("macro")(SCORES, CLASSES + 1), mn.DataError, r"F1: y_true .* is 4"),
        (lambda: M.Perplexity()(SCORES, CLASSES + 1), mn.DataError, r"Perplexity: y_true .* is 4"),
        (lambda: M.Perplexity(3)(SCORES, CLASSES - 1), mn.DataError, r"Perplexity: y_true .* is -1"),
        (lambda: M.Recall("macro")(SCORES, CLASSES + 0.5), mn.DataError, "Recall: y_true .* whole numbers.* element 0"),
        (lambda: M.Accuracy()(SCORES, np.full(60, np.nan)), mn.DataError, "accuracy: y_true .* whole numbers"),
        (lambda: M.F1()(LOGITS, BITS, -WEIGHTS - 1), mn.DataError, "F1: sample_weight of row 0 is -"),
        (lambda: M.AUC()(np.full(60, np.nan), BITS), mn.DataError, "AUC: y_pred .* NaN .* element 0"),
        (lambda: M.Accuracy()([[1.0], [1.0, 2.0]], [0, 1]), mn.DTypeError, "accuracy: y_pred: list is no array"),
        (lambda: M.AUC(from_logits=False)(LOGITS, BITS), mn.DataError, "AUC: y_pred must be probabilities .*from_logits=True"),
    ],
)  # fmt: skip
def test_bad_data_are_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_score_that_is_nan_is_no_right_answer():
    nan = np.nan
    scores, labels = np.array([[nan, 1.0, 2.0], [0.0, 1.0, 2.0]]), np.array([0, 2])
    np.testing.assert_array_equal(mn.metrics.Accuracy()(scores, labels), [0.0, 1.0])
    np.testing.assert_array_equal(
        mn.metrics.Accuracy()(np.array([nan, 1.0, -1.0]), np.array([0, 1, 0])), [0, 1, 1]
    )
    binary = mn.metrics.BinaryAccuracy()(np.array([[nan, 1.0], [-1.0, 2.0]]), np.array([[0, 1], [0, 1]]))
    np.testing.assert_array_equal(binary, [0.5, 1.0])


def test_who_has_no_score_is_not_found():
    """An example with a NaN is one of its class that is not found, and nobody's prediction; the accuracies agree."""
    scores = np.array([[0.0, 1.0], [3.0, 1.0], [np.nan, 9.0], [np.nan, np.nan]])
    labels, weight = np.array([1, 0, 1, 0]), np.array([1.0, 2.0, 4.0, 8.0])
    counts = np.array([[2.0, 0.0], [0.0, 1.0]])
    np.testing.assert_array_equal(M.ConfusionMatrix()(scores, labels, weight), counts)
    np.testing.assert_array_equal(M.ConfusionMatrix("all")(scores, labels, weight), counts / 15.0)
    np.testing.assert_array_equal(M.ConfusionMatrix("pred")(scores, labels, weight), np.eye(2))
    recalls = M.Recall(None)(scores, labels, weight)
    np.testing.assert_array_equal(recalls, [2 / 10, 1 / 5])
    np.testing.assert_array_equal(M.ConfusionMatrix("true")(scores, labels, weight).diagonal(), recalls)
    np.testing.assert_array_equal(M.Precision(None)(scores, labels, weight), [1.0, 1.0])
    np.testing.assert_array_equal(M.F1(None)(scores, labels, weight), [2 * 2 / 12, 2 * 1 / 6])
    np.testing.assert_array_equal(M.F1(None)(scores.astype(np.float32), labels, weight), [4 / 12, 2 / 6])
    assert M.Recall("micro")(scores, labels, weight) == np.average(
        M.Accuracy()(scores, labels), weights=weight
    )
    binary = np.array([np.nan, 1.0, np.nan]), np.array([1, 1, 0])
    assert M.Recall()(*binary) == 0.5 and M.Precision()(*binary) == 1.0
    assert M.Recall("macro")(*binary) == 0.25


def test_lists_and_bools_are_data():
    yes = [True, False, True]
    np.testing.assert_array_equal(M.Accuracy()([[1.0, 2.0], [3.0, 1.0]], [1, 1]), [1.0, 0.0])
    for metric in (M.RMSE(), M.MSE(), M.MAE(), M.R2(), mn.losses.MSE()):
        np.testing.assert_array_equal(
            metric(yes, [True, True, True]), metric(np.array(yes, float), np.ones(3))
        )
    assert M.F1()(yes, yes) == 1.0 and M.AUC(from_logits=False)(np.array(yes), np.array(yes)) == 1.0
    np.testing.assert_array_equal(M.Accuracy()(SCORES, CLASSES.astype(float)), M.Accuracy()(SCORES, CLASSES))
