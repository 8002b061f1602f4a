"""GradientMonitor: how long the gradients are, and whether they vanish or explode."""

import warnings
from typing import Any, NamedTuple

import mathnet as mn
from mathnet_std.callbacks.settings import number


class GradientProblem(NamedTuple):
    """A parameter whose gradients vanished or exploded in an epoch, and the norm that shows it."""

    epoch: int
    parameter: str
    what: str
    norm: float


@mn.callback("gradient_monitor")
class GradientMonitor(mn.Callback):
    """Records the Euclidean norm of each parameter's gradient, and of all together, before clipping.

    The steps themselves compute the norms, in float64; nothing returns to Python before the end of an epoch.

    vanishing: a parameter whose mean norm over an epoch lies below it is reported; exploding: one whose largest norm in an epoch lies above
    it, or is not finite.  A report is a ``mn.TrainingWarning`` the first time, and an entry (epoch, parameter, what, norm) of
    ``problems`` every time.

    ``mean`` and ``largest`` hold, by parameter and under "global", one norm for each epoch.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(1, name="out")], input_shape=(2,))
    >>> monitor = mn.callbacks.GradientMonitor()
    >>> history = model.fit(np.ones((8, 2)), np.ones(8), loss="mse", optimizer="sgd", epochs=3, callbacks=[monitor])
    >>> list(monitor.mean), len(monitor.mean["out/kernel"])
    (['out/kernel', 'out/bias', 'global'], 3)
    """

    def __init__(self, vanishing: float = 1e-7, exploding: float = 1e3) -> None:
        self.vanishing = number("GradientMonitor", "vanishing", vanishing, 0.0)
        self.exploding = number("GradientMonitor", "exploding", exploding, 0.0)
        if not self.vanishing < self.exploding:
            raise mn.ArgumentError(
                f"GradientMonitor: 0 ≤ vanishing < exploding must hold, not {vanishing!r} and {exploding!r}"
            )
        self._norms: Any = None
        self._sums: dict[str, Any] = {}
        self._restored = False
        self._forget()

    def _forget(self) -> None:
        self.mean: dict[str, list[float]] = {}
        self.largest: dict[str, list[float]] = {}
        self.problems: list[GradientProblem] = []
        self._epoch = -1  # that the sums of norms belong to

    def on_train_begin(self, trainer: Any) -> None:
        self._norms = trainer.watch_gradients()
        if not self._restored:
            self._forget()
        elif self._sums:
            self._norms.restore(self._sums)
        self._restored = False

    def on_epoch_begin(self, trainer: Any, epoch: int) -> None:
        if (
            self._epoch != epoch
        ):  # a training that is taken up in the middle of an epoch goes on with its sums
            self._norms.clear()
            self._epoch = epoch

    def on_epoch_end(self, trainer: Any, epoch: int, logs: dict[str, Any]) -> None:
        for held, norms in ((self.mean, self._norms.mean), (self.largest, self._norms.largest)):
            for name, norm in norms.items():
                held.setdefault(name, []).append(norm)
        if not self._norms.count:
            return
        reported = {(p.parameter, p.what) for p in self.problems}
        found: list[GradientProblem] = []
        for name in self.mean:  # "global" is the last one, and is named only where no parameter is to blame
            mean, largest = self.mean[name][-1], self.largest[name][-1]
            if name == "global" and found:
                continue
            if not largest <= self.exploding:
                found.append(GradientProblem(epoch, name, "exploding", largest))
            elif mean < self.vanishing:
                found.append(GradientProblem(epoch, name, "vanishing", mean))
        self.problems += found
        fresh = [p for p in found if (p.parameter, p.what) not in reported]
        if fresh:
            listed = ", ".join(f"{p.parameter} {p.what} (norm {p.norm:.3g})" for p in fresh)
            warnings.warn(f"gradients in epoch {epoch}: {listed}", mn.TrainingWarning, stacklevel=2)

    def state(self) -> dict[str, Any]:
        return {
            "mean": dict(self.mean),
            "largest": dict(self.largest),
            "problems": [tuple(p) for p in self.problems],
            "epoch": self._epoch,
            "sums": dict(self._sums) if self._norms is None else self._norms.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        self.mean = {name: list(norms) for name, norms in state["mean"].items()}
        self.largest = {name: list(norms) for name, norms in state["largest"].items()}
        self.problems = [GradientProblem(*found) for found in state["problems"]]
        self._epoch, self._sums, self._norms = state["epoch"], dict(state["sums"]), None
        self._restored = True
