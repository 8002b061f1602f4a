"""Formats and reports: found by suffix and by key, in Python and from the command line."""

import json

import numpy as np
import pytest

import mathnet as mn
from mathnet.cli import main


@mn.format("units")
class Units:
    """Reads and writes the widths of a chain of dense layers."""

    suffixes = (".units", ".tar.units")

    def write(self, model, path):
        with open(path, "w") as file:
            json.dump([layer.config["units"] for layer in model.layers], file)
            if model.name == "unwritable":
                raise OSError("disk full")

    def read(self, path):
        with open(path) as file:
            return mn.Sequential([mn.layers.Dense(units) for units in json.load(file)], input_shape=(2,))


@mn.report("widths")
def widths(model):
    return " ".join(str(layer.config["units"]) for layer in model.layers)


@pytest.fixture
def model(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with mn.Runtime(plugins=[Units, widths], autoload=False, seed=0):
        yield mn.Sequential([mn.layers.Dense(3), mn.layers.Dense(1)], input_shape=(2,))


def test_a_format_is_found_by_the_suffix(model, tmp_path):
    mn.formats.write(model, "a.units")
    mn.formats.write(model, tmp_path / "b.TAR.units")
    assert [layer.config["units"] for layer in mn.formats.read("b.TAR.units").layers] == [3, 1]
    assert mn.formats.reads("a.units") and not mn.formats.reads("a.npz")
    assert mn.formats.suffixes("write") == [".npz", ".tar.units", ".units"]
    assert {"get", "read", "write", "NPZ", "Units"} <= set(dir(mn.formats))
    with pytest.raises(mn.ArgumentError, match=r"out\.xyz: .* can be written; known: \.npz \(npz\), "):
        mn.formats.write(model, "out.xyz")
    with pytest.raises(mn.ArgumentError, match=r"a\.npz: .* can be read; known: \.tar\.units \(units\)"):
        mn.formats.read("a.npz")
    with pytest.raises(FileNotFoundError, match=r"missing\.units"):
        mn.formats.read("missing.units")


def test_a_failed_write_leaves_the_old_file_alone(model, tmp_path):
    mn.formats.write(model, "a.units")
    broken = mn.Sequential([mn.layers.Dense(9)], input_shape=(2,), name="unwritable")
    with pytest.raises(OSError, match="disk full"):
        mn.formats.write(broken, "a.units")
    assert json.loads((tmp_path / "a.units").read_text()) == [3, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["a.units"]


def test_export_goes_from_any_format_to_any_other(model, capsys, tmp_path):
    model.save("a.mathnet")
    assert main(["export", "a.mathnet", "a.units"]) == 0
    assert main(["export", "a.units", "b.mathnet"]) == 0
    assert [layer.config["units"] for layer in mn.load("b.mathnet").layers] == [3, 1]
    capsys.readouterr()
    assert main(["export", "a.mathnet", "a.onyx"]) == 1
    assert "known: .npz (npz), .tar.units (units)" in capsys.readouterr().err


def test_reports_by_key(model, capsys):
    model.save("a.mathnet")
    assert main(["report", "widths", "a.mathnet"]) == 0
    assert capsys.readouterr().out == "3 1\n"
    assert main(["report", "weights", "a.mathnet", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    kernel = model.parameters["dense/kernel"].astype(float)
    assert found["data"]["std"]["dense/kernel"] == pytest.approx(kernel.std())
    assert found["data"]["zeros"]["dense/bias"] == 1.0
    assert main(["report", "weigths", "a.mathnet"]) == 1
    assert "did you mean 'weights'" in capsys.readouterr().err
    trainer = mn.Trainer(model, loss="mse", optimizer="sgd")
    assert str(mn.reports.get("weights")(trainer)) == found["text"]


def test_what_a_report_may_be():
    assert mn.Report.of("text", "mine").text == "text"
    assert mn.Report("t", {"x": np.float32(2.0), "y": [np.arange(2)]}).as_dict()["data"] == {
        "x": 2.0,
        "y": [[0, 1]],
    }
    with pytest.raises(mn.ArgumentError, match="report 'mine' returned int"):
        mn.Report.of(3, "mine")
    with pytest.raises(mn.ArgumentError, match="text must be a str"):
        mn.Report(3)
    with pytest.raises(mn.ArgumentError, match="data must be a dict"):
        mn.Report("t", [1])


def test_a_distribution_is_a_class_with_a_density_and_samples():
    with pytest.raises(mn.PluginError, match=r"must have log_prob\(\) and sample\(\)"):
        mn.distribution("half")(type("Half", (), {"log_prob": lambda self, x: x}))

    @mn.distribution("point")
    class Point:
        """All mass on one number."""

        def __init__(self, at=0.0):
            self.at = at

        def log_prob(self, x):
            return mn.where(mn.equal(x, self.at), 0.0, -np.inf)

        def sample(self, shape=(), seed=None):
            return np.full(shape, self.at)

    with mn.Runtime(plugins=[Point], autoload=False):
        assert mn.distributions.Point is Point
        assert mn.distributions.get("point", at=2.0).log_prob(np.array(2.0)) == 0.0
