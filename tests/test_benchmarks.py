"""The benchmarks' own rules: verdicts, the table, alternating measurement.  Nothing is timed here against a threshold."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent))  # benchmarks/ is not installed

from benchmarks import report, tiny
from benchmarks.measure import alternate


@pytest.mark.parametrize(
    ("value", "relation", "verdict"),
    [
        (2.0, "≥", report.HOLDS),
        (1.9, "≥", report.MISSED),
        (2.0, "≤", report.HOLDS),
        (2.1, "≤", report.MISSED),
        (None, "≥", report.NO_PEER),
    ],
)
def test_verdicts(value: float | None, relation: str, verdict: str) -> None:
    assert report.Row("r", value, relation, 2.0).verdict == verdict


def test_a_ratio_is_their_time_over_ours() -> None:
    row = report.ratio("step", 1, 2e-6, "peer", 5e-6, 2.0)
    assert row.value == pytest.approx(2.5)
    assert (row.ours, row.theirs, row.verdict) == ("2 µs", "5 µs", report.HOLDS)
    assert report.ratio("step", 1, 2e-6, "peer", None, 2.0).verdict == report.NO_PEER


def test_the_table_counts_verdicts() -> None:
    rows = [report.Row("a", 3.0, "≥", 2.0), report.Row("b", 1.0, "≥", 2.0), report.Row("c", None, "≥", 2.0)]
    lines = report.table([row.as_dict() for row in rows]).splitlines()
    assert len(lines) == 6
    assert lines[3].endswith(report.MISSED)
    assert lines[-1] == "1 hold, 1 missed, 1 without their peer"


def test_sides_take_turns() -> None:
    calls: list[str] = []
    times = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, seconds=0.0)
    assert set(times) == {"a", "b"}
    assert all(seconds > 0 for seconds in times.values())
    turns = [name for name, before in zip(calls, ["", *calls]) if name != before]
    assert len(turns) >= 6


def test_a_missing_peer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "benchmarks.torch_side", None)
    assert tiny.peer("torch") is None
