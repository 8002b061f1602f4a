"""The kit's own face: targets, samples, advice, messages, pytest, the command line."""

import json
import types
from pathlib import Path

import numpy as np
import pytest

import mathnet as mn
from mathnet.cli import main
from mathnet.plugin.records import record_of
from mathnet.testing.locating import located

PLUGIN = '''
import mathnet as mn

@mn.activation("beta_swish")
def swish(x, beta=1.0):
    """x·σ(βx)."""
    return x * mn.sigmoid(beta * x)

@mn.layer("highway")
class Highway(mn.Layer):
    """Uses the activation of the same plugin by its key."""

    def __init__(self, activation="beta_swish", name=None):
        self.activation = mn.activations.get(activation)

    def build(self, input_shape):
        self.w = self.param("kernel", (input_shape[-1], input_shape[-1]))

    def call(self, x):
        return self.activation(x @ self.w)

@mn.hookimpl
def mathnet_activations():
    return [swish]

@mn.hookimpl
def mathnet_layers():
    return [Highway]
'''


def module_of(source, name="kit_plugin"):
    module = types.ModuleType(name)
    exec(source, module.__dict__)
    return module


def test_a_module_is_checked_with_its_own_names():
    found = mn.testing.check_plugin(module_of(PLUGIN))
    assert found.objects == [("activation", "beta_swish"), ("layer", "highway")]
    with mn.Runtime(autoload=False), pytest.raises(mn.UnknownKeyError):
        mn.activations.get("beta_swish")  # the kit leaves nothing behind


def test_the_program_of_the_documentation_passes():
    folder = Path(__file__).parents[2] / "plugins" / "mathnet-swish"
    assert len(mn.testing.check_plugin(located(str(folder)), strict=True).objects) == 5


def test_settings_and_samples_of_ones_own():
    assert mn.testing.check_plugin(mn.regularizers.L2(0.5)).objects == [("regularizer", "l2")]
    layer = mn.layer("repeated")(
        type(
            "Repeated",
            (mn.Layer,),
            {
                "__init__": lambda self, table: self.config.update(table=dict(table)),
                "call": lambda self, x: x + x,
                "__doc__": "2x.",
            },
        )
    )
    with pytest.raises(
        mn.CheckError, match=r"sample: .*settings without a default are table; give the decorator samples="
    ):
        mn.testing.check_plugin(layer)
    assert mn.testing.check_plugin(layer, samples=[mn.Sample((3,), table={"a": 1})], only="derivative").passed
    declared = mn.layer("declared", samples=lambda: [mn.Sample((3,), table={"a": 1})])(
        type(
            "Declared",
            (mn.Layer,),
            {
                "__init__": lambda self, table: self.config.update(table=dict(table)),
                "call": lambda self, x: x + x,
                "__doc__": "2x.",
            },
        )
    )
    mn.testing.check_plugin(declared)


def test_kinks_are_reported_apart():
    found = mn.testing.check_plugin(mn.activation("bent")(_bent))
    assert ("activation", "bent", "kink at 1: slopes 0 and 1, derivative 0") in found.notes


def _bent(x):
    """max(x, 1)."""
    return mn.where(x > 1.0, x, 1.0)


def test_a_straight_through_derivative_is_no_wrong_one():
    rule = mn.custom_vjp(lambda x: mn.round(x), lambda dy, x, out: dy)
    step = mn.activation("straight_through", gradient="surrogate")(lambda x: rule(x))
    mn.testing.check_plugin(step, only="surrogate")
    with pytest.raises(mn.CheckError, match="derivative"):
        mn.testing.check_plugin(mn.activation("undeclared")(lambda x: rule(x)))


def test_advice_is_a_warning_unless_the_kit_is_strict():
    bare = mn.activation("bare")(lambda x: x + 1.0)
    with pytest.warns(mn.PluginWarning, match="activation 'bare': docstring: it has no docstring"):
        found = mn.testing.check_plugin(bare)
    assert [name for _, _, name, _ in found.advice] == ["docstring"]
    with pytest.raises(mn.CheckError, match="docstring"):
        mn.testing.check_plugin(bare, strict=True)


def test_a_failure_names_key_check_element_and_both_values():
    wrong = mn.custom_vjp(lambda x: x * x, lambda dy, x, out: 2.001 * dy * x)
    with pytest.raises(AssertionError) as caught:
        mn.testing.check_plugin(mn.activation("wrong")(lambda x: wrong(x)), only="derivative")
    assert "activation 'wrong' fails 1 check:\n  derivative: " in str(caught.value)
    assert "worst at element" in str(caught.value) and "finite differences give" in str(caught.value)
    assert [f[:3] for f in caught.value.failures] == [("activation", "wrong", "derivative")]


def test_what_cannot_be_checked():
    with pytest.raises(mn.PluginError, match="offers no plugin objects"):
        mn.testing.check_plugin(types.ModuleType("empty_plugin"))
    with pytest.raises(mn.PluginError, match="carries no record"):
        mn.testing.check_plugin(lambda x: x)
    with pytest.raises(mn.PluginError, match="names no plugin module"):
        mn.testing.check_plugin("no_such_module_anywhere")
    with pytest.raises(
        mn.ArgumentError, match=r"no check of a regularizer is named 'derivativ' \(did you mean 'derivative'"
    ):
        mn.testing.check_plugin(mn.regularizers.L2(), only="derivativ")
    with pytest.raises(mn.ArgumentError, match="one decorated object"):
        mn.testing.check_plugin(module_of(PLUGIN), samples=[mn.Sample()])
    with pytest.raises(mn.PluginError, match="relu"):  # a built-in key without replaces=
        mn.testing.check_plugin(mn.activation("relu")(lambda x: x))


def test_operations_without_a_decorator():
    mn.testing.check_op(lambda x, y: mn.tanh(x) * y, (3, 4), (4,))
    mn.testing.check_op(mn.softplus)
    with pytest.raises(mn.CheckError, match="derivative"):
        mn.testing.check_op(mn.custom_vjp(lambda x: x * x, lambda dy, x, out: dy * x), (3,))
    with pytest.raises(mn.ArgumentError, match="HostOp class or a function"):
        mn.testing.check_op("tanh")

    class Scaled(mn.HostOp):
        """factor·x."""

        def shape(self, x, *, factor):
            return x.shape

        def forward(self, x, *, factor):
            return (factor * x).astype(x.dtype)

        def vjp(self, dy, x, *, out, factor):
            return (factor * dy,)

    mn.testing.check_op(Scaled, (3, 4), factor=2.0)
    mn.testing.check_op(Scaled, np.arange(4.0), factor=2.0)


@mn.testing.parametrize_with_checks([mn.activations.relu, mn.regularizers.get("l2").record.object])
def test_as_parameters_of_pytest(obj, check):
    assert record_of(obj).key in ("relu", "l2")
    check(obj)


def test_a_parametrised_check_raises():
    mark = mn.testing.parametrize_with_checks(mn.activation("unsure")(lambda x: mn.sqrt(x - 100.0)))
    cases = {case.id: case.values for case in mark.args[1]}
    obj, check = cases["activation:unsure-sample"]
    with pytest.raises(mn.CheckError, match="activation 'unsure' fails 1 check"):
        check(obj)


@pytest.mark.parametrize("form", ["kit_file.py", "folder", "project", "src"])
def test_the_command_finds_files_and_folders(form, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.path", [*__import__("sys").path])
    name = f"kit_{form.partition('.')[0]}_plugin"
    target = tmp_path / "it"
    if form == "kit_file.py":
        target = tmp_path / f"{name}.py"
        target.write_text(PLUGIN)
    elif form == "folder":
        target = tmp_path / name
        target.mkdir()
        (target / "__init__.py").write_text(PLUGIN)
    else:
        (target / form if form == "src" else target).mkdir(parents=True)
        (target / "pyproject.toml").write_text(f'[project.entry-points.mathnet]\nmine = "{name}"\n')
        ((target / form if form == "src" else target) / f"{name}.py").write_text(PLUGIN)
    assert main(["--no-autoload", "check", str(target), "--only", "names"]) == 0
    assert "2 objects pass" in capsys.readouterr().out


def test_the_command_reports_failures(tmp_path, capsys):
    path = tmp_path / "kit_bad_plugin.py"
    path.write_text(PLUGIN.replace("return x *", "return mn.stop_gradient(x) *"))
    assert main(["check", str(path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert ["activation", "beta_swish", "derivative"] in [f[:3] for f in found["failures"]]
    assert main(["check", str(path)]) == 1
    shown = capsys.readouterr()
    assert "activation 'beta_swish' fails" in shown.out and shown.err.count("\n") == 1
    assert main(["check", str(tmp_path / "missing.py")]) == 1
    assert "missing.py: No such file" in capsys.readouterr().err
    (tmp_path / "nothing").mkdir()
    assert main(["check", str(tmp_path / "nothing")]) == 1
    assert "holds neither a pyproject.toml" in capsys.readouterr().err


def test_checking_the_standard_plugin_by_its_name(capsys):
    assert main(["check", "mathnet_std", "--only", "names"]) == 0
    assert capsys.readouterr().out.endswith("objects pass\n")
