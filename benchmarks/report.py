"""One row of the table, its verdict, and the table as text."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

HOLDS, MISSED, NO_PEER = "holds", "MISSED", "peer missing"


@dataclasses.dataclass(frozen=True)
class Row:
    """A promise and what was measured.

    value is compared with bound: at least it for relation "≥", at most it for "≤"; value None means that the peer is missing.
    ours and theirs are what value was made from, as text.
    """

    name: str
    value: float | None
    relation: str
    bound: float
    unit: str = "×"
    ours: str = ""
    peer: str = ""
    theirs: str = ""
    threads: int = 1

    @property
    def verdict(self) -> str:
        if self.value is None:
            return NO_PEER
        kept = self.value >= self.bound if self.relation == "≥" else self.value <= self.bound
        return HOLDS if kept else MISSED

    def as_dict(self) -> dict[str, Any]:
        return {**dataclasses.asdict(self), "verdict": self.verdict}


def ratio(name: str, threads: int, ours: float, peer: str, theirs: float | None, bound: float) -> Row:
    """How many times faster than a peer; times in seconds, ``theirs`` None when the peer is missing."""
    if theirs is None:
        return Row(name, None, "≥", bound, ours=duration(ours), peer=peer, threads=threads)
    return Row(
        name,
        theirs / ours,
        "≥",
        bound,
        ours=duration(ours),
        peer=peer,
        theirs=duration(theirs),
        threads=threads,
    )


def duration(seconds: float) -> str:
    """``1.23 µs``-like text.

    >>> duration(1.2345e-6), duration(0.25), duration(12.0)
    ('1.23 µs', '250 ms', '12 s')
    """
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= scale:
            return f"{seconds / scale:.3g} {unit}"
    return f"{seconds * 1e9:.3g} ns"


def table(rows: Sequence[dict[str, Any]]) -> str:
    """The rows as aligned text, the verdict last."""
    lines = [("what", "threads", "mathnet", "peer", "takes", "value", "promised", "verdict")]
    for row in rows:
        unit = row["unit"] if row["unit"] == "×" else f" {row['unit']}".rstrip()
        value = "—" if row["value"] is None else f"{row['value']:.4g}{unit}"
        promised = f"{row['relation']} {row['bound']:g}{unit}"
        lines.append(
            (
                row["name"],
                str(row["threads"]),
                row["ours"],
                row["peer"],
                row["theirs"],
                value,
                promised,
                row["verdict"],
            )
        )
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    text.insert(1, "  ".join("-" * width for width in widths))
    missed = sum(row["verdict"] == MISSED for row in rows)
    missing = sum(row["verdict"] == NO_PEER for row in rows)
    text.append(f"{len(rows) - missed - missing} hold, {missed} missed, {missing} without their peer")
    return "\n".join(text)
