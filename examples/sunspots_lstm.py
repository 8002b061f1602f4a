"""Long short-term memory networks forecast next year's sunspots; then one of them goes on by itself.

usage: python examples/sunspots_lstm.py [--small] [--out DIR]
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn

TRAINED, HELD_OUT = 1900, 1950  # learn before the one, stop by the years between, judge from the other on


def learn(windows: np.ndarray, last: np.ndarray, seed: int, epochs: int) -> mn.Model:
    """A network that says the next year after each year of a sequence, (N, T, 1) → (N, T, 1)."""
    mn.seed(seed)
    years = mn.Input((None, 1), name="years")
    # The cell c ← f⊙c + i⊙g is a sum over time: its derivative by the cell before is the forget gate f, so that what is learned
    # reaches back over a whole cycle of eleven years, where a plain recurrence would have it vanish.
    h = mn.layers.LSTM(16, return_sequences=True, stateful=True)(years)
    model = mn.Model(years, mn.layers.Dense(1)(h))
    train, stop = windows[last < TRAINED], windows[(last >= TRAINED) & (last < HELD_OUT)]
    # Long products of derivatives can explode as well, so the norm of the gradient is clipped.
    trainer = mn.Trainer(model, "mse", mn.optimizers.Adam(3e-3), clip_norm=1.0, seed=seed)
    best = mn.callbacks.EarlyStopping(patience=20)
    between = (stop[:, :-1], stop[:, 1:])
    trainer.fit(train[:, :-1], train[:, 1:], epochs=epochs, validation_data=between, callbacks=[best])
    return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="one network and few epochs")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings = parser.parse_args()

    years, numbers = mn.data.sunspots()
    x = np.sqrt(numbers) / 10  # the root of a count has about the same noise everywhere
    windows = np.lib.stride_tricks.sliding_window_view(x, 34)[..., None].astype("float32")
    seeds, epochs = (range(1), 60) if settings.small else (range(5), 400)
    networks = [learn(windows, years[33:], seed, epochs) for seed in seeds]
    held_out = years >= HELD_OUT
    outputs = [model.predict(x[None, :-1, None])[0, :, 0] for model in networks]
    forecast = (
        100 * np.mean(outputs, axis=0)[held_out[1:]] ** 2
    )  # the mean of networks varies less than one of them

    # Two baselines: the same number again, and a linear autoregression on the nine years before.
    lags = np.column_stack([x[9 - k : -k] for k in range(1, 10)] + [np.ones(len(x) - 9)])
    weights = mn.linalg.lstsq(lags[~held_out[9:]], x[9:][~held_out[9:]])
    linear = 100 * (lags[held_out[9:]] @ weights) ** 2
    truth, same = numbers[held_out], numbers[:-1][held_out[1:]]
    error = [np.sqrt(np.mean((guess - truth) ** 2)) for guess in (forecast, same, linear)]

    with networks[0].session(batch=1) as session:  # keeps the state of the LSTM from call to call
        steps = [session(x[None, ~held_out, None])[:, -1:]]
        for _ in range(held_out.sum() - 1):
            steps.append(session(steps[-1]))
    free = 100 * np.concatenate(steps, axis=1)[0, :, 0] ** 2

    figure = Figure(figsize=(10, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(years[years >= 1900], numbers[years >= 1900], "k.-", label="observed")
    axes.plot(years[held_out], forecast, label="forecast one year ahead")
    axes.plot(years[held_out], free, "--", label="one network going on by itself from 1950")
    axes.set(xlabel="year", ylabel="sunspot number", title="Learned from the years before 1950")
    axes.legend(loc="upper left")
    settings.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.out / "sunspots_lstm.png")
    print(
        f"error {error[0]:.1f} < {error[1]:.1f} of the same number again; linear autoregression {error[2]:.1f}"
    )


if __name__ == "__main__":
    main()
