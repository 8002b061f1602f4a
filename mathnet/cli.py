"""The command ``mathnet``.  Exit codes: 0; 1 with one line on stderr; 2 for a wrong command line.

Each command imports what it needs when it runs, so that ``mathnet --version`` is immediate.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from mathnet.version import __version__

EXAMPLES = """\
examples:
  mathnet demo                       train on the bundled handwritten digits
  mathnet demo --json --out results  the same, the result as one line of JSON
  mathnet plugins                    what is installed, and what could not be loaded
  mathnet check my_plugin            run the conformance kit on a plugin
  mathnet new-plugin my-plugin       write a plugin to start from
  mathnet info                       version, instruction set, threads
  mathnet inspect digits.mathnet     what a model file holds
  mathnet train iris.csv --arch mlp:16 --out iris.mathnet
  mathnet predict iris.mathnet iris.csv
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command; ``argv`` without the program's name, by default the process's own."""
    options = parser().parse_args(argv)
    try:
        with chosen_plugins(options):
            options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader went away, as in `mathnet plugins | head -1`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return failed("interrupted")
    except (
        OSError,
        UnicodeDecodeError,
        ImportError,
    ) as error:  # ImportError: MATHNET_ISA names a missing table
        return failed(noted(said(error), error))
    except Exception as error:
        from mathnet.errors import MathnetError

        if not isinstance(error, MathnetError):
            raise  # a defect: its traceback is what we want to see
        return failed(noted(str(error), error))
    return 0


def noted(text: str, error: BaseException) -> str:
    """The text of an error with its notes, which name the plugin that it came out of."""
    return "; ".join([text, *getattr(error, "__notes__", ())])


def failed(text: str) -> int:
    print(f"mathnet: {' '.join(text.split())}", file=sys.stderr)
    return 1


def said(error: Exception) -> str:
    """An error of the operating system in words: file, then reason."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error) or type(error).__name__


def parser() -> argparse.ArgumentParser:
    """The command line as argparse sees it."""
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="mathnet",
        description="A small, fast deep-learning framework.",
        epilog=EXAMPLES,
        formatter_class=raw,
    )
    top.add_argument("--version", action="version", version=f"mathnet {__version__}")
    choice = top.add_argument_group("plugins, before the command")
    choice.add_argument(
        "--allow",
        type=names,
        metavar="NAMES",
        help="distributions whose plugins may load, with commas between",
    )
    choice.add_argument(
        "--block", type=names, metavar="NAMES", help="distributions whose plugins must not load"
    )
    choice.add_argument("--no-autoload", action="store_true", help="load no installed plugin")
    choice.add_argument("--strict", action="store_true", help="a plugin that cannot be used is an error")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    demo = commands.add_parser(
        "demo",
        help="train on the bundled handwritten digits",
        description="Trains a convolutional network on 1,797 handwritten digits, reports the accuracy on a held-out fifth, and writes "
        "digits.mathnet (the model) and digits.png (curves, learned filters, confusion matrix; needs matplotlib).",
        epilog="example:\n  mathnet demo --out results --seed 3\n",
        formatter_class=raw,
    )
    demo.add_argument("--json", action="store_true", help="print only {accuracy, seconds, model, figure}")
    demo.add_argument(
        "--out", type=Path, default=Path("."), metavar="DIR", help="where the files go (default: here)"
    )
    demo.add_argument(
        "--seed",
        type=natural,
        default=0,
        metavar="N",
        help="of split, weights, order and dropout (default: 0)",
    )
    demo.add_argument(
        "--epochs",
        type=positive,
        default=None,
        metavar="N",
        help="passes over the training data (default: 20)",
    )
    demo.set_defaults(run=run_demo)

    plugins = commands.add_parser(
        "plugins",
        help="list every plugin with its keys or its load error",
        description="Lists every installed plugin: distribution, version, what it registers under which keys, or why it cannot be used.",
        epilog="example:\n  mathnet plugins --json\n",
        formatter_class=raw,
    )
    plugins.add_argument("--json", action="store_true", help="print a list with one object a plugin")
    plugins.set_defaults(run=run_plugins)

    check = commands.add_parser(
        "check",
        help="run the conformance kit on a plugin",
        description="Checks every object of a plugin: derivatives, shapes, types, threads, storage and what else belongs to its kind. "
        "TARGET: a module, module:object, a .py file, or a folder with a package or a pyproject.toml.",
        epilog="examples:\n  mathnet check mathnet_std\n  mathnet check ./my_plugin.py --only derivative\n",
        formatter_class=raw,
    )
    check.add_argument("target", metavar="TARGET")
    check.add_argument("--only", metavar="CHECK", help="run one check, of the kinds that have it")
    check.add_argument(
        "--json", action="store_true", help="print one object: passed, failures, advice, notes"
    )
    check.add_argument(
        "--advice", action="store_true", help="count advice, such as missing docstrings, as failure"
    )
    check.set_defaults(run=run_check)

    new = commands.add_parser(
        "new-plugin",
        help="write a plugin to start from",
        description="Makes a folder NAME with a plugin: pyproject.toml, module, README and tests.  It passes the conformance kit at once.",
        epilog="example:\n  mathnet new-plugin my-plugin && mathnet check ./my-plugin\n",
        formatter_class=raw,
    )
    new.add_argument("name", metavar="NAME")
    new.add_argument(
        "--folder", type=Path, default=Path("."), metavar="DIR", help="where it is made (default: here)"
    )
    new.set_defaults(run=run_new_plugin)

    info = commands.add_parser(
        "info",
        help="version, instruction set, threads, NumPy, plugins",
        description="Shows what is installed and how it runs here.",
        epilog="example:\n  mathnet info\n",
        formatter_class=raw,
    )
    info.set_defaults(run=run_info)

    inspect = commands.add_parser(
        "inspect",
        help="what a model file holds",
        description="Shows layers, parameters and needed plugins of a model file. No code of the file's plugins runs.",
        epilog="example:\n  mathnet inspect digits.mathnet\n",
        formatter_class=raw,
    )
    inspect.add_argument("file", type=Path, metavar="FILE")
    inspect.add_argument("--json", action="store_true", help="print one object")
    inspect.set_defaults(run=run_inspect)
    add_train(commands)
    add_use(commands)
    return top


def names(text: str) -> list[str]:
    return [name for name in text.split(",") if name.strip()]


def chosen_plugins(options: argparse.Namespace) -> AbstractContextManager:
    """A Runtime with the plugins that the command line asks for; the default one when it asks for none in particular."""
    if options.allow is None and options.block is None and not options.no_autoload and not options.strict:
        return nullcontext()
    from mathnet.plugin.host import Runtime

    return Runtime(
        autoload=not options.no_autoload,
        allow=options.allow,
        block=options.block,
        strict=options.strict or None,
    )


DATA_HELP = "DATA: .npz with x and y, .csv, an idx file of MNIST's format, or a folder with a folder of pictures for each class"


def add_train(commands: argparse._SubParsersAction) -> None:
    train = commands.add_parser(
        "train",
        help="train a network on a data set",
        description=f"Trains a network and writes a model file.  {DATA_HELP}.",
        epilog="examples:\n  mathnet train iris.csv --arch mlp:16\n"
        "  mathnet train train-images-idx3-ubyte.gz --arch cnn --epochs 3 --out mnist.mathnet\n",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("data", type=Path, metavar="DATA")
    train.add_argument(
        "--arch", default="mlp", help="mlp:128,64 or cnn:32,64 (default: mlp, one layer of 128)"
    )
    train.add_argument(
        "--out", type=Path, default=Path("model.mathnet"), metavar="FILE", help="default: model.mathnet"
    )
    train.add_argument(
        "--target", metavar="COLUMN", help="of a CSV: name or number (default: the last column)"
    )
    train.add_argument(
        "--epochs", type=positive, metavar="N", help="default: as many as make 3,000 steps, 3 to 200"
    )
    train.add_argument("--batch-size", type=positive, default=32, metavar="N", help="default: 32")
    train.add_argument(
        "--learning-rate", type=rate, default=1e-3, metavar="X", help="of Adam (default: 0.001)"
    )
    train.add_argument(
        "--validation", type=fraction, default=0.1, metavar="X", help="share held out (default: 0.1)"
    )
    train.add_argument("--seed", type=natural, default=0, metavar="N", help="default: 0")
    train.add_argument("--json", action="store_true", help="print only the result, as one object")
    train.set_defaults(run=run_train)


def add_use(commands: argparse._SubParsersAction) -> None:
    """The commands that take a model file, and ``ops``."""
    raw = argparse.RawDescriptionHelpFormatter
    predict = commands.add_parser(
        "predict",
        help="apply a model file to data",
        description=f"Prints a class or the numbers for each row, or writes the scores to a .npy file.  {DATA_HELP}; or .npy.",
        epilog="example:\n  mathnet predict iris.mathnet new.npy --out scores.npy\n",
        formatter_class=raw,
    )
    predict.add_argument("file", type=Path, metavar="FILE")
    predict.add_argument("data", type=Path, metavar="DATA")
    predict.add_argument(
        "--out", type=Path, metavar="OUT.npy", help="where the scores go instead of being printed"
    )
    predict.set_defaults(run=run_predict)

    evaluate = commands.add_parser(
        "evaluate",
        help="loss and accuracy of a model file on data",
        description=f"Compares predictions with the targets of a data set.  {DATA_HELP}.",
        epilog="example:\n  mathnet evaluate iris.mathnet iris.csv\n",
        formatter_class=raw,
    )
    evaluate.add_argument("file", type=Path, metavar="FILE")
    evaluate.add_argument("data", type=Path, metavar="DATA")
    evaluate.add_argument(
        "--target", metavar="COLUMN", help="of a CSV: name or number (default: the last column)"
    )
    evaluate.add_argument("--json", action="store_true", help="print one object")
    evaluate.set_defaults(run=run_evaluate)

    export = commands.add_parser(
        "export",
        help="a model file in another format",
        description="Writes a model in the format that the suffix of OUT names: .npz holds the weights by name, plugins bring others. "
        "FILE may be of any format that can be read; OUT.mathnet makes a model file of it.",
        epilog="example:\n  mathnet export digits.mathnet digits.npz\n",
        formatter_class=raw,
    )
    export.add_argument("file", type=Path, metavar="FILE")
    export.add_argument("out", type=Path, metavar="OUT")
    export.set_defaults(run=run_export)

    report = commands.add_parser(
        "report",
        help="what a study report says of a model file",
        description="Prints a study report, by its key, of a model file.",
        epilog="example:\n  mathnet report weights digits.mathnet\n",
        formatter_class=raw,
    )
    report.add_argument("key", metavar="KEY")
    report.add_argument("file", type=Path, metavar="FILE")
    report.add_argument("--json", action="store_true", help="print the text and the data as one object")
    report.set_defaults(run=run_report)

    ops = commands.add_parser(
        "ops",
        help="list every operation with its orders of derivative",
        description="Lists the operations: name, orders of derivative that hold, summary.",
        epilog="example:\n  mathnet ops --json\n",
        formatter_class=raw,
    )
    ops.add_argument("--json", action="store_true", help="print a list with one object an operation")
    ops.set_defaults(run=run_ops)

    explain = commands.add_parser(
        "explain",
        help="what stands behind a key: formula, derivative, settings, where it comes from",
        description="Explains an operation, a function, or what plugins have registered under a key, whatever its kind.",
        epilog="example:\n  mathnet explain gelu\n  mathnet explain adam\n",
        formatter_class=raw,
    )
    explain.add_argument("key", metavar="KEY")
    explain.set_defaults(run=run_explain)

    bench = commands.add_parser(
        "bench",
        help="how fast small training steps and predictions are on this machine",
        description="Times a training step of a 2-8-1 and of a 784-128-10 network and a prediction for one example, or, with FILE, the "
        "predictions of a model file for 1, 32 and 256 examples.  Medians; the comparison with other libraries is in the source "
        "tree: python -m benchmarks.",
        epilog="example:\n  mathnet bench digits.mathnet\n",
        formatter_class=raw,
    )
    bench.add_argument("file", type=Path, metavar="FILE", nargs="?")
    bench.add_argument("--json", action="store_true", help="print seconds by name as one object")
    bench.set_defaults(run=run_bench)


def natural(text: str) -> int:
    return _integer(text, 0)


def positive(text: str) -> int:
    return _integer(text, 1)


def rate(text: str) -> float:
    return _number(text, 0.0, float("inf"), "a number > 0")


def fraction(text: str) -> float:
    return 0.0 if text == "0" else _number(text, 0.0, 1.0, "a number from 0 to below 1")


def _number(text: str, above: float, below: float, wanted: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = above
    if not above < value < below:
        raise argparse.ArgumentTypeError(f"must be {wanted}, not {text!r}")
    return value


def _integer(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        value = least - 1
    if value < least:
        raise argparse.ArgumentTypeError(f"must be an integer ≥ {least}, not {text!r}")
    return value


def run_demo(options: argparse.Namespace) -> None:
    from mathnet import demo

    epochs = demo.EPOCHS if options.epochs is None else options.epochs
    result = demo.run(options.out, options.seed, epochs, progress=False if options.json else None)
    if options.json:
        values = {
            "accuracy": result.accuracy,
            "seconds": result.seconds,
            "model": result.model,
            "figure": result.figure,
        }
        print(json.dumps(values))
        return
    print(
        f"accuracy on the held-out fifth: {result.accuracy:.4f} after {epochs} epochs in {result.seconds:.1f} s"
    )
    print(f"model:  {result.model}")
    if result.figure is None:
        print("figure: not drawn, matplotlib is missing; pip install 'mathnet[plot]' brings it")
    else:
        print(f"figure: {result.figure}")


def run_plugins(options: argparse.Namespace) -> None:
    from mathnet import plugins

    found = plugins.list()
    if options.json:
        print(json.dumps([plugin.as_dict() for plugin in found], indent=2))
        return
    for plugin in found:
        version = f" {plugin.version}" if plugin.version else ""
        print(f"{plugin.distribution}{version} ({plugin.module}): {plugin.status}")
        if plugin.error:
            print(f"  error: {plugin.error}")
        for note in plugin.notes:
            print(f"  note: {note}")
        for kind, keys in plugin.keys.items():
            print(f"  {kind}: {', '.join(keys)}")


def run_check(options: argparse.Namespace) -> None:
    from mathnet import commands

    commands.check(options.target, options.only, strict=options.advice, as_json=options.json)


def run_new_plugin(options: argparse.Namespace) -> None:
    from mathnet import new_plugin

    folder = new_plugin.write(options.name, options.folder)
    shown = folder if folder.is_absolute() else f"./{folder}"
    print(f"written: {shown}; try it with: mathnet check {shown}")


def run_info(options: argparse.Namespace) -> None:
    import platform

    import numpy

    from mathnet import _kernels, plugins
    from mathnet.plugin.host import current_runtime

    found = plugins.list()
    usable = sum(plugin.status == "loaded" for plugin in found)
    rows = {
        "mathnet": __version__,
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
        "numpy": numpy.__version__,
        "instruction set": _kernels.isa(),
        "threads": str(current_runtime().threads),
        "plugins": f"{usable} loaded"
        + (f", {len(found) - usable} not used (see mathnet plugins)" if usable < len(found) else ""),
    }
    for name, value in rows.items():
        print(f"{name:<16} {value}")


def run_train(options: argparse.Namespace) -> None:
    from mathnet import commands

    result = commands.train(
        options.data,
        options.arch,
        options.out,
        target=options.target,
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        validation=options.validation,
        seed=options.seed,
        progress=False if options.json else None,
    )
    if options.json:
        print(json.dumps({"task": result.task, "model": result.model, **result.figures}))
        return
    for name, value in result.figures.items():
        print(f"{name}: {value:.4f}")
    print(f"model: {result.model}")


def run_predict(options: argparse.Namespace) -> None:
    from mathnet import commands

    commands.predict(options.file, options.data, options.out)


def run_evaluate(options: argparse.Namespace) -> None:
    from mathnet import commands

    figures = commands.evaluate(options.file, options.data, options.target)
    if options.json:
        print(json.dumps({name: float(value) for name, value in figures.items()}))
        return
    for name, value in figures.items():
        print(f"{name}: {value:.4f}")


def run_export(options: argparse.Namespace) -> None:
    from mathnet import commands

    commands.export(options.file, options.out)
    print(f"written: {options.out}")


def run_report(options: argparse.Namespace) -> None:
    from mathnet import commands

    found = commands.report(options.key, options.file)
    print(json.dumps(found.as_dict(), ensure_ascii=False) if options.json else found)


def run_ops(options: argparse.Namespace) -> None:
    from mathnet import commands

    rows = commands.operations()
    if options.json:
        print(json.dumps(rows, indent=2, ensure_ascii=False))
        return
    width = max(len(row["name"]) for row in rows)
    print(f"{'operation':<{width}}  derivatives  summary")
    for row in rows:
        print(f"{row['name']:<{width}}  {row['derivatives']:<11}  {row['summary']}")


def run_explain(options: argparse.Namespace) -> None:
    from mathnet import commands

    print("\n\n".join(commands.explain(options.key)))


def run_bench(options: argparse.Namespace) -> None:
    from mathnet import commands

    times = commands.bench(options.file)
    if options.json:
        print(json.dumps(times, ensure_ascii=False))
        return
    width = max(map(len, times))
    for name, seconds in times.items():
        print(f"{name:<{width}}  {seconds * 1e6:10.2f} µs")


def run_inspect(options: argparse.Namespace) -> None:
    from mathnet.graph.dim import show_shape
    from mathnet.model import files

    found = files.inspect(options.file)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    named = f" {found['name']!r}" if found.get("name") else ""
    print(
        f"{found['path']}: {found['kind']}{named}, {found['weights']:,} weights, {found['size']:,} bytes, format {found['format']}"
    )
    if found.get("mathnet"):
        print(f"written by mathnet {found['mathnet']}")
    plugins = found.get("plugins", {})
    if plugins:
        print(
            "plugins: "
            + ", ".join(f"{name} {held.get('version') or ''}".strip() for name, held in plugins.items())
        )
    listed("layers", [(layer["name"], layer["key"]) for layer in found.get("layers", [])])
    tensors = found["tensors"].items()
    listed(
        "tensors",
        [(name, f"{tensor['dtype']} {show_shape(tuple(tensor['shape']))}") for name, tensor in tensors],
    )


def listed(title: str, rows: Sequence[tuple[str, str]]) -> None:
    """Prints rows of two columns under a title; nothing when there are none."""
    if rows:
        print(f"{title}:")
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            print(f"  {name:<{width}}  {value}")
