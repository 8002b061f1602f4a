"""One training step against the textbook in float64 NumPy: losses, weights, penalties, clipping, optimizers, schedules."""

import numpy as np
import pytest

import mathnet as mn

RNG = np.random.default_rng(0)
X, Y = RNG.standard_normal((12, 3)), RNG.standard_normal((12, 2))
LABELS = RNG.integers(0, 2, 12)
WEIGHTS = RNG.uniform(0.1, 2.0, 12)


def build(seed=0, regularizer=None):
    """3 → 4 (relu) → 2 in float64."""
    mn.seed(seed)
    x = mn.Input((3,), dtype="float64")
    h = mn.layers.Dense(4, activation="relu", kernel_regularizer=regularizer, name="hidden")(x)
    return mn.Model(x, mn.layers.Dense(2, name="scores")(h))


class Textbook:
    """The same network by hand: loss and gradient by name."""

    def __init__(self, model):
        self.p = {name: array.copy() for name, array in model.parameters.items()}

    def forward(self, x):
        z = x @ self.p["hidden/kernel"] + self.p["hidden/bias"]
        h = np.maximum(z, 0)
        return z, h, h @ self.p["scores/kernel"] + self.p["scores/bias"]

    def gradient(self, x, y, loss="mse", w=None, l2=0.0):
        w = np.ones(len(x)) if w is None else w
        z, h, s = self.forward(x)
        if loss == "mse":
            values, ds = np.mean((s - y) ** 2, axis=1), 2 * (s - y) / s.shape[1]
        else:
            e = np.exp(s - s.max(axis=1, keepdims=True))
            q = e / e.sum(axis=1, keepdims=True)
            values, ds = -np.log(q[np.arange(len(y)), y]), q - np.eye(2)[y]
        value = np.sum(w * values) / w.sum()
        ds = ds * (w / w.sum())[:, None]
        dz = ds @ self.p["scores/kernel"].T * (z > 0)
        g = {
            "hidden/kernel": x.T @ dz,
            "hidden/bias": dz.sum(0),
            "scores/kernel": h.T @ ds,
            "scores/bias": ds.sum(0),
        }
        k = self.p["hidden/kernel"]
        g["hidden/kernel"] = g["hidden/kernel"] + 2 * l2 * k
        return value + l2 * np.sum(k**2), g


def clipped(g, limit):
    norm = np.sqrt(sum(np.sum(a * a) for a in g.values()))
    return {n: a * min(1.0, limit / norm) for n, a in g.items()}


def sgd(book, steps, rate=0.1, momentum=0.0, x=X, y=Y, limit=None, **options):
    velocity = {n: np.zeros_like(a) for n, a in book.p.items()}
    losses = []
    for step in range(steps):
        value, g = book.gradient(x, y, **options)
        g = g if limit is None else clipped(g, limit)
        for n in book.p:
            velocity[n] = momentum * velocity[n] + g[n]
            book.p[n] = book.p[n] - (rate(step) if callable(rate) else rate) * velocity[n]
        losses.append(value)
    return losses


def agree(model, book, tolerance=1e-10):
    for name, array in model.parameters.items():
        assert np.allclose(array, book.p[name], rtol=tolerance, atol=tolerance), name


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_sgd(loss, momentum):
    model = build()
    book = Textbook(model)
    y = Y if loss == "mse" else LABELS
    trainer = mn.Trainer(model, loss=loss, optimizer=mn.optimizers.SGD(0.1, momentum=momentum))
    losses = [trainer.step(X, y) for _ in range(20)]
    assert np.allclose(losses, sgd(book, 20, momentum=momentum, y=y, loss=loss), rtol=1e-10)
    agree(model, book)
    assert trainer.step_count == 20


def test_adam():
    model = build()
    book = Textbook(model)
    trainer = mn.Trainer(model, loss="mse", optimizer="adam")
    m = {n: 0.0 for n in book.p}
    v = {n: 0.0 for n in book.p}
    for t in range(1, 21):
        value, g = book.gradient(X, Y)
        assert np.isclose(trainer.step(X, Y), value, rtol=1e-10)
        for n in book.p:
            m[n] = 0.9 * m[n] + 0.1 * g[n]
            v[n] = 0.999 * v[n] + 0.001 * g[n] ** 2
            scaled = m[n] / (1 - 0.9**t) / (np.sqrt(v[n] / (1 - 0.999**t)) + 1e-8)
            book.p[n] = book.p[n] - 1e-3 * scaled
    agree(model, book)


def test_penalties_are_in_the_loss_and_its_gradient():
    model = build(regularizer=mn.regularizers.L2(0.05))
    book = Textbook(model)
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.1))
    losses = [trainer.step(X, Y) for _ in range(20)]
    assert np.allclose(losses, sgd(book, 20, l2=0.05), rtol=1e-10)
    agree(model, book)


@pytest.mark.parametrize("limit", [0.01, 1e6])
def test_clipping_is_by_one_global_norm_penalties_included(limit):
    model = build(regularizer=mn.regularizers.L2(0.05))
    book = Textbook(model)
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.1), clip_norm=limit)
    for _ in range(20):
        trainer.step(X, Y)
    sgd(book, 20, l2=0.05, limit=limit)
    agree(model, book)


def test_clipping_a_zero_gradient_changes_nothing():
    x = mn.Input((3,))
    model = mn.Model(x, mn.layers.Dense(1, kernel_initializer="zeros")(x))
    trainer = mn.Trainer(model, loss="mse", optimizer="sgd", clip_norm=1.0)
    assert trainer.step(np.ones((2, 3), np.float32), np.zeros(2, np.float32)) == 0.0
    assert all((array == 0).all() for array in model.parameters.values())


def test_weights_of_examples():
    model = build()
    book = Textbook(model)
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.1))
    losses = [trainer.step(X, Y, sample_weight=WEIGHTS) for _ in range(20)]
    assert np.allclose(losses, sgd(book, 20, w=WEIGHTS), rtol=1e-10)
    agree(model, book)


def test_a_weight_of_two_is_the_row_twice():
    weighted, repeated = build(), build()
    first = mn.Trainer(weighted, loss="cross_entropy", optimizer="sgd")
    second = mn.Trainer(repeated, loss="cross_entropy", optimizer="sgd")
    w = np.where(np.arange(12) < 5, 2.0, 1.0)
    index = np.concatenate([np.arange(12), np.arange(5)])
    for _ in range(5):
        a = first.step(X, LABELS, sample_weight=w)
        b = second.step(X[index], LABELS[index])
        assert np.isclose(a, b, rtol=1e-12)
    for name, array in weighted.parameters.items():
        assert np.allclose(array, repeated.parameters[name], rtol=1e-12)


def test_a_loss_may_return_values_and_weights():
    def ignoring(y_pred, y_true):
        kept = mn.cast(mn.less(y_true, 2), "float64")
        values = mn.cross_entropy(y_pred, mn.minimum(y_true, 1))
        return values * kept, kept

    labels = LABELS.copy()
    labels[[1, 4, 5]] = 2
    model, other = build(), build()
    first = mn.Trainer(model, loss=ignoring, optimizer="sgd")
    second = mn.Trainer(other, loss="cross_entropy", optimizer="sgd")
    keep = labels < 2
    assert np.isclose(first.step(X, labels), second.step(X[keep], labels[keep]), rtol=1e-12)
    for name, array in model.parameters.items():
        assert np.allclose(array, other.parameters[name], rtol=1e-12)
    with pytest.raises(mn.DataError, match="weights of the examples of this batch sum to zero"):
        first.step(X, np.full(12, 2))


def test_schedules_are_functions_of_the_step():
    model = build()
    book = Textbook(model)
    rate = mn.schedules.get("step", initial=0.1, step_size=4.0, gamma=0.5)
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(rate))
    for _ in range(10):
        trainer.step(X, Y)
    sgd(book, 10, rate=lambda step: 0.1 * 0.5 ** (step // 4))
    agree(model, book)
    assert trainer.hyper["learning_rate.gamma"] == 0.5


def test_hyper_parameters_change_without_a_new_plan():
    model = build(regularizer=mn.regularizers.L2(0.05))
    book = Textbook(model)
    trainer = mn.Trainer(model, loss="mse", optimizer=mn.optimizers.SGD(0.1, momentum=0.5))
    assert {"learning_rate", "momentum", "hidden/kernel.strength"} <= set(trainer.hyper)
    trainer.step(X, Y)
    plans = len(trainer._bound)
    trainer.hyper["learning_rate"] = 0.02
    trainer.hyper["hidden/kernel.strength"] = 0.0
    trainer.step(X, Y)
    assert len(trainer._bound) == plans and trainer.hyper["learning_rate"] == 0.02
    _, g = book.gradient(X, Y, l2=0.05)
    velocity = dict(g)
    book.p = {n: a - 0.1 * g[n] for n, a in book.p.items()}
    _, g = book.gradient(X, Y)
    book.p = {n: a - 0.02 * (0.5 * velocity[n] + g[n]) for n, a in book.p.items()}
    agree(model, book)
    with pytest.raises(mn.UnknownKeyError, match="did you mean 'learning_rate'"):
        trainer.hyper["learning_rates"] = 1.0
    with pytest.raises(mn.ArgumentError, match="must be a number"):
        trainer.hyper["learning_rate"] = "fast"


def test_several_outputs_have_a_loss_each():
    mn.seed(0)
    x = mn.Input((3,), dtype="float64")
    h = mn.layers.Dense(4, name="h")(x)
    model = mn.Model(x, {"class": mn.layers.Dense(2)(h), "value": mn.layers.Dense(1)(h)})
    trainer = mn.Trainer(
        model,
        {"class": "cross_entropy", "value": "mse"},
        mn.optimizers.SGD(0.1),
        loss_weights={"class": 1.0, "value": 0.25},
    )
    scores = model(X)
    s = scores["class"]
    ce = np.mean(np.log(np.exp(s).sum(1)) - s[np.arange(12), LABELS])
    mse = np.mean((scores["value"][:, 0] - Y[:, 0]) ** 2)
    assert np.isclose(trainer.step(X, {"class": LABELS, "value": Y[:, 0]}), ce + 0.25 * mse, rtol=1e-12)


def test_frozen_weights_stay():
    model = build()
    layer = model.layer("hidden")
    for variable in layer.variables:
        variable.trainable = False
    before = {n: a.copy() for n, a in model.parameters.items()}
    mn.Trainer(model, loss="mse", optimizer="adam").step(X, Y)
    for name, array in model.parameters.items():
        assert np.array_equal(array, before[name]) == name.startswith("hidden/")


def test_an_update_of_a_layer_is_one_instruction():
    x = mn.Input((30,))
    model = mn.Model(x, mn.layers.Dense(7)(x))
    for optimizer in ("adam", mn.optimizers.SGD(0.1, momentum=0.9)):
        text = mn.Trainer(model, loss="mse", optimizer=optimizer).plan(batch=16).explain()
        commit = [line for line in text.splitlines() if line.split(" ")[0].endswith("*")]
        assert sum("float32" in line.split("  ")[0] + line for line in commit) == 1, text


# ---- optimizers of users --------------------------------------------------------------------------------------------------


def test_a_users_optimizer_with_scalars_and_names():
    seen = []

    class Slowing:
        def __init__(self, learning_rate=0.5, factor=2.0):
            self.learning_rate, self.factor = learning_rate, factor

        def init(self, param):
            seen.append(param.name)
            return {"count": 0, "sum": mn.zeros_like(param)}

        def update(self, param, grad, state, learning_rate):
            count = state["count"] + 1
            total = state["sum"] + grad
            return param - learning_rate * total / (self.factor * count), {"count": count, "sum": total}

    model = build()
    book = Textbook(model)
    trainer = mn.Trainer(model, loss="mse", optimizer=Slowing())
    total = {n: 0.0 for n in book.p}
    for step in range(1, 6):
        trainer.step(X, Y)
        _, g = book.gradient(X, Y)
        for n in book.p:
            total[n] = total[n] + g[n]
            book.p[n] = book.p[n] - 0.5 * total[n] / (2.0 * step)
    agree(model, book)
    assert seen == list(book.p) and trainer.hyper["factor"] == 2.0
    counts = [v for n, v in trainer.updates.named_state.items() if n.endswith("count")]
    assert len(counts) == 1 and float(counts[0].array) == 5.0  # one count for all parameters


def test_a_learning_rate_that_the_constructor_does_not_keep():
    """``update`` is given it as an argument, so a constructor may leave it at that."""

    @mn.optimizer("plain_descent")
    class PlainDescent:
        def __init__(self, learning_rate=0.25, direction=-1.0):
            self.direction = direction

        def init(self, param):
            return {}

        def update(self, param, grad, state, learning_rate):
            return param + self.direction * learning_rate * grad, state

    for optimizer, rate in (
        (PlainDescent(), 0.25),
        (PlainDescent(0.5), 0.5),
        (PlainDescent(direction=-1.0), 0.25),
    ):
        model = build()
        book = Textbook(model)
        trainer = mn.Trainer(model, loss="mse", optimizer=optimizer)
        trainer.step(X, Y)
        sgd(book, 1, rate=rate)
        agree(model, book)
        assert trainer.hyper["learning_rate"] == rate


def test_scalars_that_differ_between_parameters_are_kept_apart():
    class Measuring:
        learning_rate = 0.1

        def init(self, param):
            return {"norm": 0.0}

        def update(self, param, grad, state, learning_rate):
            return param, {"norm": state["norm"] + mn.sum(mn.square(grad))}

    model = build()
    _, g = Textbook(model).gradient(X, Y)
    trainer = mn.Trainer(model, loss="mse", optimizer=Measuring())
    trainer.step(X, Y)
    found = {n.removesuffix("/norm"): float(v.array) for n, v in trainer.updates.named_state.items()}
    assert found.keys() == g.keys()
    for name, value in found.items():
        assert np.isclose(value, np.sum(g[name] ** 2), rtol=1e-10)


class Bad:
    learning_rate = 0.1

    def __init__(self, returned):
        self.returned = returned

    def init(self, param):
        return {"m": mn.zeros_like(param)}

    def update(self, param, grad, state, learning_rate):
        return self.returned(param, grad, state)


@pytest.mark.parametrize(
    ("returned", "error", "words"),
    [
        (lambda p, g, s: p, mn.ArgumentError, "must return"),
        (lambda p, g, s: (p, {}), mn.ArgumentError, r"'hidden/kernel'.*state \{\}, but init made \{m\}"),
        (lambda p, g, s: (mn.sum(p), s), mn.ShapeError, r"\(\).*\(3, 4\)"),
        (lambda p, g, s: (p, {"m": mn.sum(g)}), mn.ShapeError, "state 'm'"),
        (lambda p, g, s: (p if mn.sum(g) > 0 else g, s), mn.GraphError, "static"),
    ],
)
def test_broken_optimizers_are_found_when_the_trainer_is_made(returned, error, words):
    with pytest.raises(error, match=words):
        mn.Trainer(build(), loss="mse", optimizer=Bad(returned))


def test_two_settings_of_one_name_are_refused():
    class Clipping(mn.optimizers.SGD):
        def __init__(self, learning_rate=0.1, clip_norm=1.0):
            super().__init__(learning_rate)
            self.clip_norm = clip_norm

    with pytest.raises(mn.ArgumentError, match="'clip_norm'"):
        mn.Trainer(build(), loss="mse", optimizer=Clipping(), clip_norm=2.0)
    assert mn.Trainer(build(), loss="mse", optimizer=Clipping()).hyper["clip_norm"] == 1.0


def test_weights_of_losses_are_numbers():
    for bad in ([1.0, 2.0], "much", float("nan"), True):
        with pytest.raises(mn.ArgumentError, match="loss_weights must be one number for each output, not"):
            mn.Trainer(build(), "mse", "sgd", loss_weights=bad)


def test_what_is_no_optimizer_is_refused():
    for bad, error in ((3, mn.ArgumentError), (object(), mn.ArgumentError), ("adm", mn.UnknownKeyError)):
        with pytest.raises(error, match="optimizer"):
            mn.Trainer(build(), loss="mse", optimizer=bad)

    class NoRate:
        def init(self, param):
            return {}

        def update(self, param, grad, state, learning_rate):
            return param, {}

    with pytest.raises(mn.ArgumentError, match="learning_rate"):
        mn.Trainer(build(), loss="mse", optimizer=NoRate())
