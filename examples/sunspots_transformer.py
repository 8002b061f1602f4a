"""Transformers forecast a whole cycle of sunspots, eleven years, at once.

usage: python examples/sunspots_transformer.py [--small] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn

PAST, AHEAD = 44, 11  # years
TRAINED, HELD_OUT = 1900, 1950  # learn before the one, stop by the years between, judge from the other on


def learn(x: np.ndarray, y: np.ndarray, stop: tuple, seed: int, epochs: int) -> mn.Model:
    """A network that says the next eleven years after each year of a sequence, (N, T, 1) → (N, T, 11)."""
    mn.seed(seed)
    years = mn.Input((None, 1), name="years")
    h = mn.layers.Dense(24)(years)
    # Attention: a year's query q is compared with the keys k of the years before, and their values v are averaged with the weights
    # softmax(q·k/√d).  Rotary encoding turns q and k by angles in proportion to their years: q·k depends on how long ago, not on when.
    for _ in range(2):
        h = mn.layers.TransformerEncoderBlock(48, 2, causal=True, normalize_first=True, rotary_base=100.0)(h)
    model = mn.Model(years, mn.layers.Dense(AHEAD)(mn.layers.LayerNorm()(h)))
    # A series times a factor is as good a series.  Without such copies a network knows no cycle higher than those it has seen.
    factors = np.random.default_rng(seed).uniform(0.6, 1.5, (8, len(x), 1, 1))
    x, y = (factors * x).reshape(-1, PAST, 1), (factors * y).reshape(-1, PAST, AHEAD)
    trainer = mn.Trainer(model, "mse", "adam", clip_norm=1.0, seed=seed)
    trainer.fit(x, y, epochs=epochs, validation_data=stop, callbacks=[mn.callbacks.EarlyStopping(patience=6)])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="one network and few epochs")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings = parser.parse_args()

    years, numbers = mn.data.sunspots()
    root = np.sqrt(numbers) / 10  # the root of a count has about the same noise everywhere
    windows = np.lib.stride_tricks.sliding_window_view(root, PAST + AHEAD)
    x, y = windows[:, :PAST, None], np.lib.stride_tricks.sliding_window_view(windows[:, 1:], AHEAD, axis=1)
    first, last = years[PAST:][: len(x)], years[PAST + AHEAD - 1 :]  # of the eleven years to come
    train, stop, held_out = last < TRAINED, (first >= TRAINED) & (last < HELD_OUT), first >= HELD_OUT
    seeds, epochs = (range(1), 7) if settings.small else (range(3), 60)
    networks = [learn(x[train], y[train], (x[stop], y[stop]), seed, epochs) for seed in seeds]
    past, truth = x[held_out], windows[held_out, PAST:]
    network = np.mean([model.predict(past)[:, -1] for model in networks], axis=0)

    # Two baselines: the number of a cycle ago, and a linear autoregression on nine years that is applied again and again.
    lags = np.column_stack([root[9 - k : -k] for k in range(1, 10)] + [np.ones(len(root) - 9)])
    known = years[9:] < HELD_OUT
    step = np.vstack([mn.linalg.lstsq(lags[known], root[9:][known]), np.eye(10)[[*range(8), 9]]])
    states = np.column_stack([past[:, :-10:-1, 0], np.ones(len(past))])
    linear = np.stack([(states := states @ step.T)[:, 0] for _ in range(AHEAD)], axis=1)
    forecasts = {"transformer": network, "cycle before": past[:, -AHEAD:, 0], "autoregression": linear}
    errors = {name: 100 * (forecast**2 - truth**2) for name, forecast in forecasts.items()}

    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(2, 1))
    left.plot(years[years >= 1930], numbers[years >= 1930], "k.-")
    for row in range(3, len(past), AHEAD):
        left.plot(first[held_out][row] + np.arange(AHEAD), 100 * network[row] ** 2, linewidth=2)
    left.set(xlabel="year", ylabel="sunspot number", title="Forecasts of eleven years (coloured)")
    for name, error in errors.items():
        right.plot(range(1, AHEAD + 1), np.sqrt(np.mean(error**2, axis=0)), label=name)
    right.set(xlabel="years ahead", ylabel="error (root mean square)", ylim=0)
    right.legend()
    settings.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.out / "sunspots_transformer.png")
    rms = [np.sqrt(np.mean(error**2)) for error in errors.values()]
    print(f"error {rms[0]:.1f} < {rms[1]:.1f} of the cycle before; linear autoregression {rms[2]:.1f}")


if __name__ == "__main__":
    main()
