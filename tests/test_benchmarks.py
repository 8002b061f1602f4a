"""The benchmarks' own rules: verdicts, the table, alternating measurement.  Nothing is timed here against a threshold."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).resolve().parent.parent))  # benchmarks/ is not installed

from benchmarks import __main__ as command
from benchmarks import machine, memory, peers, report, results
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


def test_a_figure_without_a_promise_has_no_verdict() -> None:
    assert report.Row("r", 0.1, "≥", None).verdict == report.NO_PROMISE


def test_a_ratio_is_their_time_over_ours() -> None:
    times = {"mathnet": 2e-6, "peer": 5e-6}
    row = report.ratio("step", 1, times, "peer", 2.0, flops=4e3)
    assert row.value == pytest.approx(2.5)
    assert row.gflops == pytest.approx(2.0)
    assert (row.ours, row.theirs, row.verdict) == ("2 µs", "5 µs", report.HOLDS)
    assert report.ratio("step", 1, times, "another", 2.0).verdict == report.NO_PEER


def test_the_table_counts_verdicts() -> None:
    rows = [report.Row("a", 3.0, "≥", 2.0), report.Row("b", 1.0, "≥", 2.0), report.Row("c", None, "≥", 2.0)]
    lines = report.table([row.as_dict() for row in rows]).splitlines()
    assert len(lines) == 6
    assert lines[3].endswith(report.MISSED)
    assert lines[-1] == "1 hold, 1 missed, 1 without their peer"


def test_the_share_of_the_peak_is_that_of_the_rows_thread_count() -> None:
    rows = [report.Row("a", 3.0, "≥", 2.0, threads=threads, gflops=50.0).as_dict() for threads in (1, 2)]
    lines = report.table(rows, {1: 100.0, 2: None}).splitlines()
    assert "50%" in lines[2]
    assert "%" not in lines[3]


def test_sides_take_turns() -> None:
    calls: list[str] = []
    times = alternate({"a": lambda: calls.append("a"), "b": lambda: calls.append("b")}, seconds=0.0)
    assert set(times) == {"a", "b"}
    assert all(seconds > 0 for seconds in times.values())
    turns = [name for name, before in zip(calls, ["", *calls]) if name != before]
    assert len(turns) >= 6


def test_a_missing_peer_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "benchmarks.peers.pytorch", None)
    assert peers.load("pytorch", 1) is None


def test_all_measures_no_group_twice() -> None:
    plans = command.plan("all", 1, [])
    functions = [command.groups(suite)[name] for suite, names in plans.items() for name in names]
    assert list(plans) == list(command.SUITES)
    assert len(functions) == len(set(map(id, functions)))
    known = {id(f) for suite in command.SUITES for f in command.groups(suite).values()}
    assert known == set(map(id, functions))


def test_what_threads_play_no_part_in_is_measured_with_one() -> None:
    assert "digits" in command.plan("all", 1, [])["tiny"]
    assert "digits" not in command.plan("all", 2, [])["tiny"]
    assert command.plan("tiny", 2, ["digits"]) == {"tiny": ["digits"]}


@pytest.mark.parametrize(
    "arguments",
    [["nothing"], ["tiny", "--only", "nothing"], ["all", "--only", "xor"], ["tiny", "--threads", "0"]],
)
def test_a_wrong_command_is_refused(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["benchmarks", *arguments])
    with pytest.raises(SystemExit) as stop:
        command.arguments()
    assert stop.value.code == 2
    assert arguments[-1] in capsys.readouterr().err or "--only" in arguments


DESCRIPTION = {
    "processor": "P",
    "cores": 2,
    "system": "S",
    "mathnet": "0",
    "peers": {"PyTorch": "2"},
    "gflops": {1: 100.0, 2: 200.0},
    "copy": {1: 10.0, 2: 15.0},
}


def test_results_keep_the_other_thread_count(tmp_path: Path) -> None:
    path = tmp_path / "RESULTS.md"
    for threads, value in ((1, 3.0), (2, 1.0), (1, 4.0)):
        row = report.Row("step", value, "≥", 2.0, threads=threads, gflops=50.0)
        results.write(DESCRIPTION, [row.as_dict()], path)
    text = path.read_text(encoding="utf-8")
    assert text.count("## ") == 2
    assert "| step |  | 50.0 | 50% |  |  | 4× | ≥ 2× | holds |" in text
    assert "| step |  | 50.0 | 25% |  |  | 1× | ≥ 2× | MISSED |" in text
    assert "3×" not in text


def test_the_machine_is_described_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler")
    assert machine.peak_gflops(1) is None
    assert "not measured" in machine.heading({**DESCRIPTION, "gflops": {1: None}})[-1]


def test_a_peak_counts_what_was_allocated_in_passing() -> None:
    size = 64 << 20

    def fill() -> None:
        bytearray(b"x") * size

    try:
        found = memory.peak_beyond(fill)
    except OSError:  # a system without /proc says so
        assert not memory._CLEAR.exists()
    else:
        assert size / 2 < found < 2 * size
        assert memory.peak_beyond(lambda: None) < size / 2


def test_a_peak_is_asked_of_a_side_that_there_is() -> None:
    with pytest.raises(ValueError, match="side must be one of mathnet, pytorch, not 'numpy'"):
        memory.training_peak_bytes("numpy")
