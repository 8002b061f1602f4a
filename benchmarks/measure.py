"""Alternating measurement: the medians of several functions that share one process and one machine's moods."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median

SAMPLE = 20e-6  # seconds: a sample holds as many calls as fill this, so that reading the clock does not count
TURN = (
    20e-3  # seconds that one side runs before the other has its turn: longer than idle threads of a pool spin
)
LEAST = 9  # turns of each side, however long one call takes


def calls_per_sample(f: Callable[[], object]) -> tuple[int, float]:
    """Calls that fill one sample, and about how long one call takes, found after a warm-up."""
    count = 1
    while True:
        start = time.perf_counter()
        for _ in range(count):
            f()
        taken = time.perf_counter() - start
        if taken >= SAMPLE or count >= 1 << 20:
            return count, taken / count
        count *= 2


def alternate(sides: Mapping[str, Callable[[], object]], seconds: float = 0.6) -> dict[str, float]:
    """Median seconds per call of each side; each is measured for about ``seconds`` in turns, and for at least ``LEAST`` of them."""
    for f in sides.values():
        for _ in range(3):
            f()
    found = {name: calls_per_sample(f) for name, f in sides.items()}
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(max(LEAST, round(seconds / max(TURN, *(once for _, once in found.values()))))):
        for name, f in sides.items():
            count, once = found[name]
            if once < TURN:
                f()  # brings code and data back into the caches
            samples[name] += turn(f, count)
    return {name: median(times) for name, times in samples.items()}


def turn(f: Callable[[], object], count: int) -> list[float]:
    """Seconds per call of one turn's samples, at least one."""
    times = []
    clock = time.perf_counter
    end = clock() + TURN
    while True:
        start = clock()
        for _ in range(count):
            f()
        now = clock()
        times.append((now - start) / count)
        if now >= end:
            return times
