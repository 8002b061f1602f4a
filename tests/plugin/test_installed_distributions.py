"""Seven distributions side by side, installed as pip leaves them, seen from the command line of a fresh process."""

import json
import os
import subprocess
import sys

import pytest

from mathnet.plugin.offers import API_VERSION

RELU = """
@mn.activation("relu")
def relu(x):
    return 2 * x

@mn.hookimpl
def mathnet_activations():
    return [relu]
"""
WRONG = """
@mn.activation("wrong_gradient")
def wrong_gradient(x):
    \"\"\"x² with the derivative 2.001x.\"\"\"
    return mn.custom_vjp(lambda x: x * x, lambda dy, x, out: 2.001 * dy * x)(x)

@mn.hookimpl
def mathnet_activations():
    return [wrong_gradient]
"""


@pytest.fixture
def command(install, swish, tmp_path):
    """Runs ``mathnet`` where the distributions are installed."""
    described = swish.replace("return x *", '"""x·σ(βx)."""\n    return x *')
    sources = {
        "fixture-good": described,
        "fixture-raising": "raise OSError('no licence')",
        "fixture-misspelled": "@mn.hookimpl\ndef mathnet_activation():\n    return []",
        "fixture-duplicate": described,
        "fixture-overriding": RELU,
        "fixture-wrong-gradient": WRONG,
        "fixture-too-new": f"MATHNET_API = {API_VERSION + 1}",
    }
    for name, source in sources.items():
        install(name, source)
    folders = [str(tmp_path / name) for name in sources]
    path = os.pathsep.join([*folders, *sys.path])

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "mathnet", *arguments],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    return run


def test_each_outcome_is_listed(command):
    done = command("plugins", "--json")
    assert done.returncode == 0, done.stderr
    found = {plugin["distribution"]: plugin for plugin in json.loads(done.stdout)}
    status = {name: plugin["status"] for name, plugin in found.items() if name.startswith("fixture-")}
    assert status == {
        "fixture-good": "loaded",
        "fixture-raising": "broken",
        "fixture-misspelled": "broken",
        "fixture-duplicate": "loaded",
        "fixture-overriding": "loaded",
        "fixture-wrong-gradient": "loaded",
        "fixture-too-new": "broken",
    }
    assert found["fixture-good"]["version"] == "1.0"
    assert found["fixture-good"]["keys"] == {"activation": ["beta_swish"]}
    assert "OSError: no licence" in found["fixture-raising"]["error"]
    assert "did you mean 'mathnet_activations'" in found["fixture-misspelled"]["error"]
    assert "needs version" in found["fixture-too-new"]["error"]
    assert found["fixture-overriding"]["keys"] == {}
    assert "'relu' is built in" in found["fixture-overriding"]["notes"][0]


def test_lists_on_the_command_line(command):
    done = command("--block", "fixture-duplicate,fixture-raising", "plugins", "--json")
    status = {plugin["distribution"]: plugin["status"] for plugin in json.loads(done.stdout)}
    assert status["fixture-duplicate"] == status["fixture-raising"] == "blocked"
    done = command("--no-autoload", "plugins", "--json")
    assert [plugin["distribution"] for plugin in json.loads(done.stdout)] == ["mathnet_std"]
    for arguments, words in (
        (("--allow", "fixture-god", "plugins"), "did you mean 'fixture-good'"),
        (("--strict", "plugins"), "plugin fixture_misspelled: it implements the hook"),
    ):
        done = command(*arguments)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert words in done.stderr


def test_the_kit_from_the_command_line(command):
    done = command("check", "fixture_good")
    assert done.returncode == 0, done.stderr
    assert "activation beta_swish: " in done.stdout and done.stdout.endswith("1 objects pass\n")
    done = command("check", "fixture_wrong_gradient", "--json")
    assert done.returncode == 1
    assert "wrong_gradient" in done.stderr and done.stderr.count("\n") == 1
    assert {name for _, _, name, _ in json.loads(done.stdout)["failures"]} == {
        "derivative",
        "kinks",
        "second_derivative",
    }
    done = command("check", "fixture_raising")
    assert done.returncode == 1 and "no licence" in done.stderr
