"""Why plain recurrent networks forget: how the gradient of the last state shrinks on its way back through time.

The derivative of the last state by an input k steps earlier is a product of k Jacobians. In a plain recurrence, h ← tanh(W·x + U·h),
each is diag(1 − h²)·U, and where their norms are below 1 the product vanishes (Bengio, Simard & Frasconi, 1994). The cell of an LSTM,
c ← f⊙c + i⊙g, has the forget gate f in its place, and a GRU z: gates near 1 let the gradient pass (Hochreiter & Schmidhuber, 1997).

usage: python examples/vanishing_gradients.py [--small] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn

STEPS, UNITS = 30, 32


def network(layer: str) -> mn.Model:
    """The last state of a recurrent layer, and the class that is read from it."""
    mn.seed(0)
    sequence = mn.Input((STEPS, 1))
    state = getattr(mn.layers, layer)(UNITS)(sequence)
    return mn.Model(sequence, mn.layers.Dense(2)(state))


def gradient_norms(model: mn.Model, x: np.ndarray) -> np.ndarray:
    """The norm of ∂(score₁ − score₀)/∂x_t at each step t, root mean square over the sequences (T,)."""
    _, pullback = mn.vjp(lambda x: model(x), x)
    slopes = pullback(np.tile(np.float32([-1, 1]), (len(x), 1)))
    return np.sqrt(np.mean(np.square(slopes[..., 0], dtype=np.float64), axis=0))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="fewer training steps")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings = parser.parse_args()

    # The task: noise, and the class is the sign of the first number, which has to be remembered to the end.
    x = np.random.default_rng(0).standard_normal((4000, STEPS, 1)).astype(np.float32)
    y = (x[:, 0, 0] > 0).astype(np.int64)
    figure = Figure(figsize=(11, 4), layout="constrained")
    before, after, learning = figure.subplots(1, 3)
    accuracy = {}
    for layer in ("SimpleRNN", "LSTM", "GRU"):
        model = network(layer)
        before.semilogy(gradient_norms(model, x[:256]), label=layer)
        trainer = mn.Trainer(model, "cross_entropy", mn.optimizers.Adam(1e-2), clip_norm=1.0, seed=0)
        history = trainer.fit(x[:3000], y[:3000], epochs=10 if settings.small else 20, batch_size=32)
        learning.plot(history["loss"], label=layer)
        after.semilogy(gradient_norms(model, x[:256]), label=layer)
        accuracy[layer] = model.evaluate(x[3000:], y[3000:], "cross_entropy", ["accuracy"])["accuracy"]
    for axes, title in ((before, "before training"), (after, "after training")):
        axes.set(title=title, xlabel="step", ylabel="|∂ last scores / ∂ input of the step|")
    learning.set(title="remembering the first number", xlabel="epoch", ylabel="cross-entropy")
    learning.legend()
    settings.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.out / "vanishing_gradients.png")
    lstm, gru, plain = (accuracy[layer] for layer in ("LSTM", "GRU", "SimpleRNN"))
    print(f"accuracy after {STEPS} steps: {lstm:.3f} > {plain:.3f} of a plain recurrence; GRU {gru:.3f}")


if __name__ == "__main__":
    main()
