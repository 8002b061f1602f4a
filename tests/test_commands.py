"""train → evaluate → predict → export from the command line, on tables and on pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from test_reading import idx

import mathnet as mn
from mathnet import commands
from mathnet.cli import main
from mathnet.model import files


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """A table in the style of Fisher's irises: three classes around their own centres."""
    rng = np.random.default_rng(0)
    centres = {"setosa": (5.0, 3.4, 1.5), "versicolor": (5.9, 2.8, 4.3), "virginica": (6.6, 3.0, 5.6)}
    lines = ["length,width,petal,species"]
    for name, centre in centres.items():
        lines += [",".join(f"{v:.2f}" for v in rng.normal(centre, 0.2)) + f",{name}" for _ in range(40)]
    path = tmp_path / "flowers.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_table_of_classes(flowers: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "flowers.mathnet"
    assert (
        main(["train", str(flowers), "--arch", "mlp:16", "--out", str(model), "--epochs", "60", "--json"])
        == 0
    )
    result = json.loads(capsys.readouterr().out)
    assert result["task"] == "classification" and result["val_accuracy"] >= 0.9
    assert files.notes(model) == {"task": "classification", "classes": ["setosa", "versicolor", "virginica"]}

    assert main(["evaluate", str(model), str(flowers), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.9

    assert main(["predict", str(model), str(flowers)]) == 0
    words = capsys.readouterr().out.split()
    assert len(words) == 120 and words[0] == "setosa" and words[-1] == "virginica"

    scores = tmp_path / "scores.npy"
    np.save(tmp_path / "new.npy", np.array([[5.0, 3.4, 1.5]]))
    assert main(["predict", str(model), str(tmp_path / "new.npy"), "--out", str(scores)]) == 0
    assert np.load(scores).argmax() == 0

    assert main(["export", str(model), str(tmp_path / "weights.npz")]) == 0
    with np.load(tmp_path / "weights.npz") as archive:
        np.testing.assert_array_equal(archive["dense/kernel"], mn.load(model).parameters["dense/kernel"])


def test_pictures_in_idx_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images, labels = mn.data.digits()
    source = idx(tmp_path / "train-images-idx3-ubyte", images[:300])
    idx(tmp_path / "train-labels-idx1-ubyte", labels[:300].astype(np.uint8))
    model = tmp_path / "digits.mathnet"
    arguments = [
        "--arch",
        "cnn:8,16",
        "--out",
        str(model),
        "--epochs",
        "12",
        "--learning-rate",
        "0.003",
        "--json",
    ]
    assert main(["train", str(source), *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] > 0.8
    assert main(["predict", str(model), str(source)]) == 0
    assert np.mean(np.array(capsys.readouterr().out.split(), int) == labels[:300]) > 0.8


def test_numbers_as_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    x = np.random.default_rng(1).normal(size=(200, 2))
    np.savez(tmp_path / "line.npz", x=x, y=x @ np.array([2.0, -1.0]) + 0.5)
    model = tmp_path / "line.mathnet"
    assert (
        main(
            [
                "train",
                str(tmp_path / "line.npz"),
                "--arch",
                "mlp:16",
                "--out",
                str(model),
                "--epochs",
                "80",
                "--json",
            ]
        )
        == 0
    )
    result = json.loads(capsys.readouterr().out)
    assert result["task"] == "regression" and result["val_loss"] < 0.1
    np.save(tmp_path / "x.npy", x[:2])
    assert main(["predict", str(model), str(tmp_path / "x.npy")]) == 0
    np.testing.assert_allclose(
        np.array(capsys.readouterr().out.split(), float), x[:2] @ [2.0, -1.0] + 0.5, atol=0.6
    )


def test_ops_lists_every_public_operation(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ops", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert {
        "add",
        "conv2d",
        "matmul",
        "softmax",
        "cross_entropy",
        "linalg.svd",
        "random.normal",
    } <= rows.keys()
    assert rows["linalg.inv"]["derivatives"] == "any" and rows["linalg.eigs"]["derivatives"] == "0"
    assert rows["tanh"]["derivatives"] == "any" and rows["argmax"]["derivatives"] in ("0", "any")
    assert all(row["summary"] for row in rows.values())
    assert main(["ops"]) == 0
    assert "conv2d" in capsys.readouterr().out


def test_ops_lists_what_plugins_bring() -> None:
    @mn.op("thrice_of_a_plugin")
    def thrice(x):
        """3x."""
        return 3.0 * x

    @mn.op("halved_of_a_plugin")
    class Halved(mn.HostOp):
        """x/2."""

        def shape(self, x):
            return x.shape

        def forward(self, x):
            return x / 2.0

    with mn.Runtime(plugins=[thrice, Halved], autoload=False):
        rows = {row["name"]: row for row in commands.operations()}
    assert rows["ops.thrice_of_a_plugin"]["derivatives"] == "any"
    assert rows["ops.halved_of_a_plugin"]["derivatives"] == "0"
    assert rows["ops.halved_of_a_plugin"]["summary"] == "x/2."


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "none.csv"], "none.csv: No such file"),
        (["train", "flowers.csv", "--arch", "vgg"], "use mlp, mlp:128,64, cnn"),
        (["train", "flowers.csv", "--arch", "cnn"], "pictures of at least"),
        (["train", "flowers.csv", "--target", "colour"], "no column 'colour'"),
        (["predict", "none.mathnet", "flowers.csv"], "none.mathnet"),
        (["export", "flowers.csv", "out.npz"], "flowers.csv"),
    ],
)
def test_one_line_errors(
    flowers: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(flowers.parent)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1 and "Traceback" not in error


@pytest.mark.parametrize(
    "arguments", [["train"], ["train", "x.csv", "--epochs", "0"], ["train", "x.csv", "--validation", "1"]]
)
def test_wrong_command_lines(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit:
        main(arguments)
    assert exit.value.code == 2


def test_explain_names_every_kind_of_that_key() -> None:
    texts = commands.explain("normal")
    assert [text.split(" ", 1)[0] for text in texts] == ["initializer", "distribution"]
    assert "call: mn.distributions.Normal(loc=0.0, scale=1.0)" in texts[1]
    (gelu,) = [text for text in commands.explain("gelu") if text.startswith("operation")]
    assert "derivatives: any" in gelu


def test_functions_of_linalg_are_explained_as_they_are_listed() -> None:
    (text,) = commands.explain("linalg.svd")
    assert (
        text.startswith("operation 'linalg.svd'\n(U, σ, Vᵀ) with x = U·diag(σ)·Vᵀ")
        and "derivatives: any" in text
    )
    rows = {row["name"]: row for row in commands.operations()}
    assert "formula:" not in commands.explain("linalg.cond")[0]  # not that of mn.cond
    assert rows["linalg.cond"]["formula"] == "" and rows["linalg.svd"]["formula"] == "A = U·diag(σ)·Vᵀ"
    with pytest.raises(mn.UnknownKeyError, match=r"did you mean 'linalg\.svd'"):
        commands.explain("linalg.svdd")


def test_data_of_another_form_are_refused_in_words(tmp_path: Path) -> None:
    for x, y, words in (
        (
            np.zeros((4, 2)),
            np.array(["a", "b"] * 2),
            "y has element type <U1; give classes as numbers from 0",
        ),
        (np.zeros(4), np.arange(4) % 2, r"shape \(4,\); a row for each example"),
    ):
        np.savez(tmp_path / "data.npz", x=x, y=y)
        with pytest.raises(mn.MathnetError, match=words):
            commands.train(tmp_path / "data.npz", "mlp", tmp_path / "m.mathnet", epochs=1)


def test_explain_knows_near_names() -> None:
    with pytest.raises(mn.UnknownKeyError, match=r"did you mean .*'sigmoid'"):
        commands.explain("sigmoyd")


def test_bench_times_small_networks_and_files(tmp_path: Path) -> None:
    assert set(commands.bench(None)) == {
        "2-8-1, training step, batch 4",
        "2-8-1, prediction, one example",
        "784-128-10, training step, batch 32",
        "784-128-10, prediction, one example",
    }
    mn.Sequential([mn.layers.Dense(2)], input_shape=(3,)).save(tmp_path / "m.mathnet")
    times = commands.bench(tmp_path / "m.mathnet")
    assert list(times) == ["m.mathnet, 1 example", "m.mathnet, 32 examples", "m.mathnet, 256 examples"]
    assert all(seconds > 0 for seconds in times.values())
