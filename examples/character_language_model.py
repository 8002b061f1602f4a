"""A small transformer learns the text of Python's standard library character by character; then it writes some itself.

usage: python examples/character_language_model.py [--small] [--out DIR]
"""

import argparse
import sysconfig
from collections import Counter
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

import mathnet as mn

LIBRARY = Path(sysconfig.get_path("stdlib"))
TRAINED = "argparse ast configparser difflib doctest enum inspect optparse pdb random statistics".split()
HELD_OUT = "textwrap fractions shelve".split()
WIDTH = 64  # characters that the network sees at most


def counts(a: str, b: str) -> dict[int, float]:
    """Bits per character of b by counts of n in a, n = 1 … 5; each is mixed with the one below, as if that were five sightings."""
    p, bits = np.full(len(b), 1 / 128), {}
    for n in range(1, 6):
        whole, before = (Counter(a[k : k + m] for k in range(len(a))) for m in (n, n - 1))
        for k in range(n - 1, len(b)):
            p[k] = (whole[b[k - n + 1 : k + 1]] + 5 * p[k]) / (before[b[k - n + 1 : k]] + 5)
        bits[n] = float(-np.log2(p).mean())
    return bits


def write(model: mn.Model, prompt: bytes, rows: int, length: int) -> str:
    """Goes on from a prompt: of the 20 best characters one is drawn with probability ∝ exp(score / temperature)."""
    rng = np.random.default_rng(1)
    codes = new = np.tile(list(prompt), (rows, 1))
    with model.session(rows, length) as session:  # keys and values stay: a step computes its own characters
        while codes.shape[1] < length:
            scores = session(new)[:, -1]
            scores[scores < np.sort(scores)[:, -20, None]] = -np.inf
            new = (scores / 0.7 + rng.gumbel(size=scores.shape)).argmax(axis=1)[:, None]
            codes = np.hstack([codes, new])
    return "\n\n".join("".join(map(chr, row)) for row in codes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a smaller network and fewer steps")
    parser.add_argument("--out", type=Path, default=Path("."), help="folder that the picture goes to")
    settings = parser.parse_args()
    d, blocks, epochs, modules = (48, 1, 4, TRAINED[:3]) if settings.small else (96, 2, 2, TRAINED)
    read = [
        "".join((LIBRARY / f"{n}.py").read_text("ascii", "ignore") for n in p) for p in (modules, HELD_OUT)
    ]
    arrays = (np.frombuffer(text.encode(), np.uint8).astype(np.int64) for text in read)
    train, test = (np.lib.stride_tricks.sliding_window_view(x, WIDTH + 1)[::WIDTH] for x in arrays)
    mn.seed(0)
    codes = mn.Input((None,), dtype="int64", name="codes")
    h = mn.layers.Embedding(128, d)(codes)
    for _ in range(blocks):  # softmax(QKᵀ/√d)V: each character asks those before it; positions turn q and k
        h = mn.layers.TransformerEncoderBlock(4 * d, 4, normalize_first=True, causal=True, rotary_base=1e3)(h)
    model = mn.Model(codes, mn.layers.Dense(128)(mn.layers.LayerNorm()(h)))
    schedule = mn.schedules.OneCycle(6e-3, steps=epochs * -(-len(train) // 32))
    trainer = mn.Trainer(model, "cross_entropy", mn.optimizers.AdamW(schedule), clip_norm=1.0)
    trainer.fit(train[:, :-1], train[:, 1:], epochs=epochs, batch_size=32)
    bits = trainer.evaluate(test[:, :-1], test[:, 1:])["loss"] / np.log(2)
    counted = counts(*read)
    figure = Figure(figsize=(12, 6))
    axes = figure.add_axes((0.05, 0.1, 0.4, 0.8), title="Bits per character of modules that were held out")
    axes.bar(["single", "pairs", "threes", "fours", "fives", "network"], [*counted.values(), bits])
    written = write(model, b"    def __init__(self", 12, WIDTH)
    figure.text(0.5, 0.9, written, family="monospace", size=7, va="top", parse_math=False)
    settings.out.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.out / "character_language_model.png")
    print(f"bits per character {bits:.2f} < {counted[5]:.2f} of counts of fives; pairs {counted[2]:.2f}")


if __name__ == "__main__":
    main()
