"""The distributions beside the standard plugin: built and installed as a stranger would, they pass their own tests and the kit."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGINS = {"mathnet-swish": "mathnet_swish", "mathnet-smoothmax": "mathnet_smoothmax"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Runs a command where the distributions are installed: in a folder of their own, without network."""
    folder = tmp_path_factory.mktemp("distributions")
    site = folder / "site"
    path = os.pathsep.join([str(site), str(ROOT), str(ROOT / "plugins"), *filter(None, sys.path)])
    environment = {
        name: value for name, value in os.environ.items() if name not in ("MATHNET_PLUGINS", "MATHNET_BLOCK")
    }
    environment |= {"PYTHONPATH": path, "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

    def run(*arguments, cwd=folder):
        done = subprocess.run(
            [sys.executable, "-m", *arguments], capture_output=True, text=True, env=environment, cwd=cwd
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    copies = []
    for name in PLUGINS:
        copies.append(shutil.copytree(ROOT / "plugins" / name, folder / name))
    options = ("--quiet", "--no-build-isolation", "--no-deps", "--target", str(site))
    run("pip", "install", *options, *map(str, copies))
    return run


def test_they_are_found(installed):
    found = {
        plugin["distribution"]: plugin for plugin in json.loads(installed("mathnet", "plugins", "--json"))
    }
    assert {name: found[name]["status"] for name in PLUGINS} == dict.fromkeys(PLUGINS, "loaded")
    assert {name: found[name]["version"] for name in PLUGINS} == dict.fromkeys(PLUGINS, "0.1")
    assert found["mathnet-swish"]["keys"] == {
        "activation": ["swish"],
        "regularizer": ["group_lasso"],
        "loss": ["poly1"],
        "optimizer": ["signum"],
        "layer": ["highway"],
    }
    assert "smooth_maximum" in found["mathnet-smoothmax"]["keys"]["op"]


@pytest.mark.parametrize("name", PLUGINS)
def test_they_pass_their_own_tests(installed, name):
    """Which run the conformance kit too."""
    assert " passed" in installed(
        "pytest", "-q", "-p", "no:cacheprovider", str(ROOT / "plugins" / name / "tests")
    )


def test_every_distribution_is_tested():
    assert set(PLUGINS) == {path.parent.name for path in (ROOT / "plugins").glob("*/pyproject.toml")}
