"""What ``import mathnet`` costs and offers."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import mathnet as mn

STUB = Path(mn.__file__).with_suffix(".pyi")


def modules_after(code: str) -> set[str]:
    """Modules loaded by a fresh interpreter that ran ``code``."""
    script = f"{code}\nimport sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_loads_nothing_else():
    loaded = modules_after("import mathnet") - modules_after("")
    assert {name for name in loaded if name.startswith("mathnet")} == {"mathnet", "mathnet.version"}
    for heavy in ("numpy", "pluggy", "safetensors", "tqdm", "matplotlib", "importlib.metadata"):
        assert heavy not in loaded


def test_a_derivative_loads_no_third_party_library_but_numpy():
    loaded = modules_after("import mathnet as mn; mn.grad(lambda x: x * x)(2.0)")
    for heavy in ("safetensors", "tqdm", "matplotlib", "scipy", "mathnet.model", "mathnet_std"):
        assert heavy not in loaded


def test_every_listed_name_resolves():
    for name in dir(mn):
        assert getattr(mn, name) is not None, name
        assert getattr(mn, name) is getattr(mn, name)


def test_names_are_what_their_users_expect():
    assert callable(mn.function) and mn.function.__module__ == "mathnet.functions"
    assert mn.errors.ShapeError is mn.ShapeError
    assert mn.tanh.__name__ == "tanh"
    assert "tanh" in dir(mn) and "Model" in dir(mn) and "layers" in dir(mn)
    assert isinstance(mn.__version__, str)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("tahn", "tanh"), ("gradd", "grad"), ("optimisers", "optimizers"), ("Modle", "Model")],
)
def test_an_unknown_name_gets_the_nearest(wrong, right):
    with pytest.raises(AttributeError, match=f"no attribute '{wrong}'.*{right}"):
        getattr(mn, wrong)


def test_private_names_are_not_looked_up():
    with pytest.raises(AttributeError, match="__wrapped__"):
        mn.__wrapped__  # noqa: B018
    assert not hasattr(mn, "__path_of_nothing__")


def test_the_stub_names_everything():
    tree = ast.parse(STUB.read_text(encoding="utf-8"))
    named = {
        alias.asname
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname
    }
    named |= {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert named == set(dir(mn)), "run python tools/write_stub.py"
