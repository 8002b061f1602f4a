"""The order of the house: imports run downward only, and the core names no layer, loss or optimizer.

The rules are read from the syntax trees, so imports inside functions count as well; what stands under
``if TYPE_CHECKING:`` does not, because it never runs.
"""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

ROOT = Path(__file__).resolve().parent.parent

#: The rooms in the order in which data pass through them: each may import those on the lines above it and on its own.
#: A room is a module or package of mathnet; those on one line may import each other only through a line above.
ROOMS = (
    ("version",),
    ("errors",),
    ("_kernels",),
    ("graph",),
    ("ops",),
    ("store",),
    ("transform",),
    ("plan",),
    ("plugin",),
    (
        "activations",
        "callbacks",
        "constraints",
        "distributions",
        "initializers",
        "layers",
        "losses",
        "metrics",
    ),
    ("optimizers", "plugins", "regularizers", "reports", "schedules"),
    ("functions",),
    ("derivatives", "vectorization", "control_flow", "equations"),
    ("random", "linalg", "estimation"),
    ("model",),
    ("formats",),
    ("study",),
    ("testing",),
    ("data",),
    ("demo", "commands", "new_plugin"),
    ("cli",),
    ("__main__",),
)
RANK = {room: rank for rank, line in enumerate(ROOMS) for room in line}
#: Programs that use mathnet as a stranger would: they go through the front door, ``import mathnet``.
OUTSIDE = ("demo", "commands", "new_plugin", "cli", "testing")
#: Imports that go up all the same, inside functions: module → room, each with its reason.
UPWARD = {
    # The derivative of a loop differentiates the loop's body; the rule runs only when the gradient has called it.
    "mathnet.ops.scan": "transform",
    "mathnet.ops.branch": "transform",
    "mathnet.ops.while_loop": "transform",
    "mathnet.ops.implicit": "transform",
    # What is beyond the first derivative of a recurrence is that of the loop that it stands for.
    "mathnet.ops.recurrence": "transform",
    "mathnet.ops.recurrence_backward": "transform",
    # The operations of plugins are attributes of the package, mn.ops.<key>, found when they are asked for.
    "mathnet.ops": "plugin",
}
#: Plugin records that the core must not know by name.
KINDS = ("layer", "loss", "optimizer")


def sources(folder: Path) -> dict[str, str]:
    """Module name → source of every Python file below ``folder``, a package."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = [*path.relative_to(folder.parent).with_suffix("").parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path.read_text(encoding="utf-8")
    return found


def imports(source: str, package: str) -> Iterator[tuple[int, str]]:
    """(line, dotted name) of everything imported, names after ``from`` included; relative ones resolved in ``package``."""
    pending: list[ast.AST] = [ast.parse(source)]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            pending += node.orelse
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield node.lineno, f"{origin}.{alias.name}"
        pending += ast.iter_child_nodes(node)


def upward_imports(
    modules: Mapping[str, str], allowed: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """The imports among ``modules`` (dotted name → source) that go up the house, each as one line of text.

    An entry of ``allowed`` (module → room) that no import needs is listed too.
    """
    unneeded = dict(allowed)
    packages = {name for name in modules if any(other.startswith(name + ".") for other in modules)}
    wrong = []
    for name, source in modules.items():
        if name == "mathnet":  # the front door: every name is resolved on first use
            continue
        room = name.split(".")[1]
        if room not in RANK:
            wrong.append(f"{name}: the room {room!r} has no place in ROOMS")
            continue
        for line, target in imports(source, name if name in packages else name.rpartition(".")[0]):
            parts = target.split(".")
            if parts[0] == "mathnet_std":
                wrong.append(f"{name}:{line} imports {target}: the core does not know the standard plugin")
            if parts[0] != "mathnet":
                continue
            other = parts[1] if len(parts) > 1 else ""
            if other not in RANK:
                if room not in OUTSIDE:
                    wrong.append(
                        f"{name}:{line} imports {target}: the core does not go through its own front door"
                    )
            elif allowed.get(name) == other:
                unneeded.pop(name, None)
            elif other != room and RANK[other] >= RANK[room]:
                wrong.append(f"{name}:{line} imports {target}: {other} is not below {room}")
    return wrong + [
        f"{name} no longer imports {room}: take it off the list" for name, room in unneeded.items()
    ]


def private_imports(modules: Mapping[str, str], namespaces: frozenset[str]) -> list[str]:
    """The imports of a plugin that reach behind the public names of mathnet, each as one line of text."""
    wrong = []
    for name, source in modules.items():
        for line, target in imports(source, name.rpartition(".")[0] or name):
            parts = target.split(".")
            if parts[0] != "mathnet" or len(parts) == 1:
                continue
            behind = parts[1] in RANK and parts[1] not in namespaces
            if behind or any(part.startswith("_") for part in parts[1:]):
                wrong.append(f"{name}:{line} imports {target}: not a public name")
    return wrong


def registered(modules: Mapping[str, str], kinds: tuple[str, ...]) -> tuple[set[str], set[str]]:
    """(keys, class names) that decorators like ``@mn.layer("dense")`` register."""
    keys, classes = set(), set()
    for source in modules.values():
        for node in ast.walk(ast.parse(source)):
            for decorator in getattr(node, "decorator_list", ()):
                call = decorator.func if isinstance(decorator, ast.Call) else decorator
                if getattr(call, "attr", getattr(call, "id", None)) not in kinds:
                    continue
                if isinstance(node, ast.ClassDef):
                    classes.add(node.name)
                if isinstance(decorator, ast.Call):
                    keys |= {
                        a.value
                        for a in decorator.args
                        if isinstance(a, ast.Constant) and type(a.value) is str
                    }
    return keys, classes


def named(modules: Mapping[str, str], keys: set[str], classes: set[str]) -> list[str]:
    """Where ``modules`` hold one of ``keys`` as a whole string, or one of ``classes`` as an identifier or an attribute.

    A class that the modules define themselves is another one of that name.
    """
    found = []
    trees = {module: ast.parse(source) for module, source in modules.items()}
    own = {node.name for tree in trees.values() for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
    for module, tree in trees.items():
        for node in ast.walk(tree):
            word = getattr(node, "value", None) if isinstance(node, ast.Constant) else None
            identifier = getattr(node, "id", None) or getattr(node, "attr", None)
            if word in keys or identifier in classes - own:
                found.append(f"{module}:{node.lineno} names {word or identifier!r}")
    return found


def room_of(module: str) -> str:
    """``mathnet.plan.lower`` → ``plan``."""
    return module.partition(".")[2].partition(".")[0]


CORE = sources(ROOT / "mathnet")
STANDARD = sources(ROOT / "plugins" / "mathnet_std")
NAMESPACES = frozenset(room for line in ROOMS[9:11] for room in line) | {
    "formats",
    "random",
    "testing",
    "linalg",
}


def test_imports_run_downward() -> None:
    assert upward_imports(CORE, UPWARD) == []


def test_the_standard_plugin_uses_public_names_only() -> None:
    assert STANDARD
    assert private_imports(STANDARD, NAMESPACES) == []


def test_the_core_names_no_layer_loss_or_optimizer() -> None:
    # The same words may stand for operations and for kinds of plugin objects; those the core has to know.
    importlib.import_module("mathnet.ops")
    from mathnet.graph.op import FUNCTIONS, OPS
    from mathnet.plugin.records import KINDS as PLUGIN_KINDS

    keys, classes = registered(STANDARD, KINDS)
    assert {"dense", "mse", "adam"} <= keys
    assert {"Dense", "Adam"} <= classes
    inside = {module: source for module, source in CORE.items() if room_of(module) not in OUTSIDE}
    assert named(inside, set(), classes) == []
    # Below the registry nothing can look a key up, and a word like "dense" says something else there.
    above = {
        module: source for module, source in inside.items() if RANK.get(room_of(module), 99) >= RANK["plugin"]
    }
    assert "mathnet.model.model" in above
    words = {"kl_divergence"}  # a loss, and the function of two distributions
    assert named(above, keys - OPS.keys() - FUNCTIONS.keys() - PLUGIN_KINDS.keys() - words, set()) == []


def test_every_room_exists_once() -> None:
    rooms = [room for line in ROOMS for room in line]
    assert len(rooms) == len(set(rooms))


@pytest.mark.parametrize(
    ("module", "source", "message"),
    [
        ("mathnet.graph.tensor", "from mathnet.ops import math", "ops is not below graph"),
        ("mathnet.graph.tensor", "def f():\n    import mathnet.model.model", "model is not below graph"),
        ("mathnet.ops.math", "from ..plan import plan_for", "plan is not below ops"),
        ("mathnet.ops.math", "from .. import functions", "functions is not below ops"),
        ("mathnet.plan", "from mathnet import Model", "front door"),
        ("mathnet.plan", "import mathnet as mn", "front door"),
        ("mathnet.model.model", "import mathnet_std", "standard plugin"),
        ("mathnet.shed", "", "no place"),
        ("mathnet.layers", "from mathnet import losses", "losses is not below layers"),
    ],
)
def test_an_upward_import_is_found(module: str, source: str, message: str) -> None:
    package = module.rpartition(".")[0]
    (found,) = upward_imports({package: "", module: source})
    assert message in found
    assert found.startswith(module)


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("mathnet.plan.lower", "from mathnet.graph.graph import Graph\nfrom . import emit\nimport numpy"),
        (
            "mathnet.graph.op",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from mathnet.plan.emit import View",
        ),
        ("mathnet.demo", "import mathnet as mn"),
    ],
)
def test_a_downward_import_is_allowed(module: str, source: str) -> None:
    assert upward_imports({"mathnet.plan": "", module: source}) == []


def test_an_exception_that_nobody_needs_is_found() -> None:
    modules = {"mathnet.ops.scan": "from mathnet.transform import gradient"}
    assert upward_imports(modules, {"mathnet.ops.scan": "transform"}) == []
    assert len(upward_imports(modules, {"mathnet.ops.scan": "plan"})) == 2


@pytest.mark.parametrize(
    "source",
    [
        "from mathnet.graph.op import Op",
        "import mathnet.plan",
        "from mathnet import _kernels",
        "from mathnet import store",
    ],
)
def test_a_plugin_reaching_behind_the_public_names_is_found(source: str) -> None:
    assert private_imports({"mathnet_std.layers": source}, NAMESPACES)
    assert not private_imports(
        {"mathnet_std.layers": "import mathnet as mn\nfrom mathnet import Layer"}, NAMESPACES
    )


def test_a_core_that_names_a_layer_is_found() -> None:
    plugin = {
        "mathnet_std.layers": "@mn.layer('dense')\nclass Dense: ...\n@mn.activation('relu')\ndef relu(x): ..."
    }
    keys, classes = registered(plugin, KINDS)
    assert (keys, classes) == ({"dense"}, {"Dense"})
    for source in ("registry.get('layer', 'dense')", "mn.layers.Dense(3)", "from x import y\nDense = y"):
        assert named({"mathnet.model": source}, keys, classes), source
    assert not named({"mathnet.model": "'a dense layer'\ny = view.dense"}, keys, classes)
