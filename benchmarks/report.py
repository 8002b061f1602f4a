"""One row of the table, its verdict, and the table as text and as Markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

HOLDS, MISSED, NO_PEER, NO_PROMISE = "holds", "MISSED", "peer missing", "—"


@dataclasses.dataclass(frozen=True)
class Row:
    """What was measured, and the promise about it if there is one.

    value is compared with bound: at least it for relation "≥", at most it for "≤"; value None means that the peer is missing, bound
    None that nothing is promised.  ours and theirs are what value was made from, as text; gflops is mathnet's rate by the
    arithmetic of the direct algorithm.
    """

    name: str
    value: float | None
    relation: str
    bound: float | None
    unit: str = "×"
    ours: str = ""
    peer: str = ""
    theirs: str = ""
    threads: int = 1
    gflops: float | None = None

    @property
    def verdict(self) -> str:
        if self.value is None:
            return NO_PEER
        if self.bound is None:
            return NO_PROMISE
        kept = self.value >= self.bound if self.relation == "≥" else self.value <= self.bound
        return HOLDS if kept else MISSED

    def as_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "verdict": self.verdict}


def ratio(
    name: str,
    threads: int,
    times: Mapping[str, float],
    peer: str,
    bound: float | None = None,
    flops: float | None = None,
) -> Row:
    """How many times faster than a peer mathnet is.

    times are seconds by side, mathnet's under "mathnet"; a peer that is not in it is missing.
    """
    ours, theirs = times["mathnet"], times.get(peer)
    value, text = (None, "") if theirs is None else (theirs / ours, duration(theirs))
    gflops = flops / ours / 1e9 if flops else None
    return Row(name, value, "≥", bound, "×", duration(ours), peer, text, threads, gflops)


def duration(seconds: float) -> str:
    """``1.23 µs``-like text.

    >>> duration(1.2345e-6), duration(0.25), duration(12.0)
    ('1.23 µs', '250 ms', '12 s')
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


HEADINGS = (
    "what",
    "threads",
    "mathnet",
    "GFLOP/s",
    "of peak",
    "peer",
    "takes",
    "value",
    "promised",
    "verdict",
)


def cells(row: Mapping[str, Any], peak: float | None) -> tuple[str, ...]:
    """The texts of one row; ``peak`` in GFLOP/s is that of the row's thread count."""
    unit = row["unit"] if row["unit"] == "×" else f" {row['unit']}".rstrip()
    rate = row["gflops"]
    return (
        row["name"],
        str(row["threads"]),
        row["ours"],
        f"{rate:.1f}" if rate else "",
        f"{rate / peak:.0%}" if rate and peak else "",
        row["peer"],
        row["theirs"],
        NO_PROMISE if row["value"] is None else f"{row['value']:.4g}{unit}",
        "" if row["bound"] is None else f"{row['relation']} {row['bound']:g}{unit}",
        row["verdict"],
    )


def table(rows: Sequence[Mapping[str, Any]], peaks: Mapping[int, float | None] | None = None) -> str:
    """The rows as aligned text, the verdict last; ``peaks`` in GFLOP/s by thread count."""
    lines = [HEADINGS, *[cells(row, (peaks or {}).get(row["threads"])) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*text, summary(rows)])


def markdown(rows: Sequence[Mapping[str, Any]], peak: float | None) -> str:
    """The rows of one thread count as a Markdown table."""
    kept = [column for column, heading in enumerate(HEADINGS) if heading != "threads"]
    lines = [HEADINGS, ("---",) * len(HEADINGS), *[cells(row, peak) for row in rows]]
    text = ["| " + " | ".join(line[column] for column in kept) + " |" for line in lines]
    return "\n".join([*text, "", summary(rows)])


def summary(rows: Sequence[Mapping[str, Any]]) -> str:
    verdicts = [row["verdict"] for row in rows]
    text = f"{verdicts.count(HOLDS)} hold, {verdicts.count(MISSED)} missed, {verdicts.count(NO_PEER)} without their peer"
    free = verdicts.count(NO_PROMISE)
    return f"{text}, {free} without a promise" if free else text
