"""The command line: results, exit codes, and one line on stderr instead of a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import mathnet
from mathnet import demo
from mathnet.cli import main


def test_demo_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--json", "--epochs", "1", "--out", str(tmp_path / "new")]) == 0
    captured = capsys.readouterr()
    result = json.loads(captured.out)
    assert set(result) == {"accuracy", "seconds", "model", "figure"}
    assert 0.5 < result["accuracy"] <= 1
    assert captured.err == ""
    model = mathnet.load(result["model"])
    x_test, y_test = demo.split(seed=0)[2:]
    assert np.mean(model(x_test).argmax(axis=1) == y_test) == result["accuracy"]


def test_demo_without_matplotlib(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)  # makes its import fail
    monkeypatch.setitem(sys.modules, "matplotlib.backends.backend_agg", None)
    assert main(["demo", "--epochs", "1", "--out", str(tmp_path)]) == 0
    assert "pip install 'mathnet[plot]'" in capsys.readouterr().out
    assert (tmp_path / "digits.mathnet").is_file()
    assert not (tmp_path / "digits.png").exists()


def test_the_figure_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    history = {"loss": [1.0, 0.1], "val_loss": [0.9, 0.2], "val_accuracy": [0.8, 0.9]}
    filters = np.random.default_rng(0).normal(size=(5, 1, 3, 3))
    labels = np.arange(10)
    path = demo.draw(tmp_path / "digits.png", history, filters, labels, labels)
    assert path is not None
    assert path.read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_model(tmp_path: Path) -> None:
    first, second = (demo.run(tmp_path / name, seed=3, epochs=1, progress=False) for name in ("a", "b"))
    assert first.accuracy == second.accuracy
    for name, value in mathnet.load(first.model).parameters.items():
        assert np.array_equal(value, mathnet.load(second.model).parameters[name])


def test_the_split_holds_out_a_fifth() -> None:
    x, y, x_test, y_test = demo.split(seed=0)
    assert (len(x), len(x_test)) == (1438, 359)
    assert x.dtype == np.float32
    assert x.max() == 1.0
    assert np.array_equal(np.sort(np.concatenate([y, y_test])), np.sort(mathnet.data.digits()[1]))


def test_confusion_counts_rows_by_truth() -> None:
    counts = demo.confusion(np.array([2, 2, 0]), np.array([1, 2, 0]), classes=3)
    assert counts.tolist() == [[1, 0, 0], [0, 0, 0], [0, 1, 1]]


def test_plugins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plugins", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    (standard,) = [plugin for plugin in listed if plugin["distribution"] == "mathnet_std"]
    assert "dense" in standard["keys"]["layer"]
    assert standard["error"] is None
    assert main(["plugins"]) == 0
    assert "mathnet_std" in capsys.readouterr().out


def test_info(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["info"]) == 0
    shown = dict(
        line.split(maxsplit=1)
        for line in capsys.readouterr().out.splitlines()
        if not line.startswith("instruction")
    )
    assert shown["mathnet"] == mathnet.__version__
    assert shown["numpy"] == np.__version__
    assert int(shown["threads"]) >= 1


def test_inspect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = mathnet.Sequential([mathnet.layers.Dense(3, name="scores")], input_shape=(2,))
    model.save(tmp_path / "small.mathnet")
    assert main(["inspect", str(tmp_path / "small.mathnet")]) == 0
    shown = capsys.readouterr().out
    assert "scores/kernel" in shown
    assert "(2, 3)" in shown
    assert main(["inspect", "--json", str(tmp_path / "small.mathnet")]) == 0
    assert json.loads(capsys.readouterr().out)["weights"] == 9


@pytest.mark.parametrize("content", [b"", b"not a model", b"\xff" * 64])
def test_a_broken_file_is_one_line(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.mathnet"
    path.write_bytes(content)
    assert main(["inspect", str(path)]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert "broken.mathnet" in captured.err


def test_a_missing_file_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inspect", str(tmp_path / "absent.mathnet")]) == 1
    captured = capsys.readouterr()
    assert captured.err.count("\n") == 1
    assert "absent.mathnet" in captured.err


def test_an_unwritable_folder_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert main(["demo", "--json", "--epochs", "1", "--out", str(tmp_path / "file")]) == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1


def test_an_interrupt_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run", interrupted)
    assert main(["demo"]) == 1
    assert capsys.readouterr().err == "mathnet: interrupted\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["train-me"],
        ["inspect"],
        ["demo", "--epochs", "0"],
        ["demo", "--seed", "-1"],
        ["demo", "--epochs", "many"],
    ],
)
def test_a_wrong_command_line_exits_with_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    assert stopped.value.code == 2
    assert "usage: mathnet" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["demo", "plugins", "info", "inspect"])
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    assert f"usage: mathnet {command}" in capsys.readouterr().out


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mathnet", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout == f"mathnet {mathnet.__version__}\n"


def test_a_table_that_is_not_there_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mathnet", "info"],
        capture_output=True,
        text=True,
        env={**os.environ, "MATHNET_ISA": "abacus"},
    )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("mathnet: MATHNET_ISA='abacus' ")
    assert done.stderr.count("\n") == 1


def test_import_and_version_load_nothing_heavy() -> None:
    code = (
        "import sys, mathnet, mathnet.cli\n"
        "mathnet.cli.parser()\n"
        "heavy = {'matplotlib', 'safetensors', 'tqdm', 'scipy', 'torch', 'mathnet_std'}\n"
        "print(sorted(heavy & {name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
