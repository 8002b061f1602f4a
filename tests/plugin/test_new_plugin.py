"""mathnet new-plugin: what it writes passes the kit and its own tests at once; bad names and existing folders are refused."""

import subprocess
import sys
import tomllib

import pytest

from mathnet.cli import main


def test_a_new_plugin_passes_the_kit_and_its_own_tests(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    assert main(["new-plugin", "demo"]) == 0
    assert "mathnet check" in capsys.readouterr().out
    assert main(["check", "./demo", "--advice"]) == 0
    assert "activation demo: " in capsys.readouterr().out
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "tests"]
    path = ":".join([str(tmp_path / "demo"), *filter(None, sys.path)])
    done = subprocess.run(
        command, cwd=tmp_path / "demo", capture_output=True, text=True, env={"PYTHONPATH": path}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    sys.modules.pop("mathnet_demo")


def test_names_of_the_parts(tmp_path):
    assert main(["new-plugin", "soft-step", "--folder", str(tmp_path)]) == 0
    project = tomllib.loads((tmp_path / "soft-step" / "pyproject.toml").read_text())["project"]
    assert project["name"] == "mathnet-soft-step"
    assert project["entry-points"]["mathnet"] == {"soft_step": "mathnet_soft_step"}
    assert (tmp_path / "soft-step" / "mathnet_soft_step.py").is_file()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Demo", "cannot be the name"),
        ("../up", "cannot be the name"),
        ("lambda", "cannot be the name"),
        ("2fast", "cannot be the name"),
        ("std", "'mathnet_std' is installed already"),
        ("relu", "an activation 'relu' already"),
    ],
)
def test_bad_names_are_refused_in_one_line(tmp_path, capsys, name, words):
    assert main(["new-plugin", name, "--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_stays_as_it_is(tmp_path, capsys):
    (tmp_path / "demo").mkdir()
    assert main(["new-plugin", "demo", "--folder", str(tmp_path)]) == 1
    assert "exists already" in capsys.readouterr().err
    assert list((tmp_path / "demo").iterdir()) == []
