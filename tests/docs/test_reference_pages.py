"""The reference pages: every record and every function has its section, and the sections say what they promise."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import reference_pages
from matplotlib.figure import Figure
from reference_pages import functions, names, pictures, records
from reference_pages.docstring import Docstring, markdown

import mathnet as mn
from mathnet.commands import operations
from mathnet.plugin.records import KINDS


@pytest.fixture(scope="module")
def runtime() -> Iterator[mn.Runtime]:
    with mn.Runtime(autoload=False, seed=0, threads=1) as runtime:
        yield runtime


@pytest.fixture(scope="module")
def pages(runtime: mn.Runtime, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Text by page; pictures are computed, but not written, which is most of the work."""
    folder = tmp_path_factory.mktemp("reference")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda figure, file, **settings: file.touch())
        found = dict(reference_pages.pages(runtime.registry, folder))
    for text in found.values():
        for file in re.findall(r"\{figure\} (\S+)", text):
            assert (folder / file).exists()
    return found


def sections(text: str) -> dict[str, str]:
    """Text by the anchor of its section."""
    parts = re.split(r"^\((\S+)\)=$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2]))


def all_records(registry):
    return [registry.find(kind, key) for kind in KINDS for key in registry.keys(kind)]


def test_every_record_has_a_section_with_call_key_and_example(runtime, pages) -> None:
    for record in all_records(runtime.registry):
        text = sections(pages[KINDS[record.kind].plural])[records.anchor(record)]
        assert f"mn.{record.plural}." in text and f"Key `{record.key}`" in text
        assert "```pycon\n>>> " in text


def test_every_function_has_a_section(pages) -> None:
    held = {name for page in ("operations", "linalg", "random") for name in sections(pages[page])}
    assert {functions.anchor(row["name"]) for row in operations()} <= held
    assert {"function-grad", "function-vmap", "function-scan"} <= sections(pages["functions"]).keys()


def test_kinds_that_can_be_drawn_are(runtime, pages) -> None:
    for record in all_records(runtime.registry):
        text = sections(pages[KINDS[record.kind].plural])[records.anchor(record)]
        assert (f"pictures/{record.kind}-{record.key}.svg" in text) == (record.kind in pictures.DRAWINGS)


def test_layers_say_shapes_and_weights(pages) -> None:
    dense = sections(pages["layers"])["layer-dense"]
    assert "(batch, 4) | (batch, 3) | 15: kernel (4, 3), bias (3,)" in dense


def test_activations_losses_and_penalties_have_derivatives(runtime, pages) -> None:
    for record in all_records(runtime.registry):
        if record.kind == "activation" and "axis" not in record.settings and not record.promises:
            text = sections(pages["activations"])[records.anchor(record)]
            assert "f'(x) &= " in text, record
    assert "l'(x) &= 2 \\cdot x" in sections(pages["losses"])["loss-mse"]
    assert "p'(x) &= \\frac{" in pages["regularizers"] or "p'(x) &= 0.02 \\cdot x" in pages["regularizers"]
    assert "f'(3) = 1" in sections(pages["activations"])["activation-hard-swish"].replace("′", "'")


def test_the_index_names_every_page(pages) -> None:
    index = (Path(reference_pages.__file__).parents[1] / "reference" / "index.md").read_text(encoding="utf-8")
    for page in pages:
        assert re.search(rf"^{page}$", index, re.MULTILINE), page


def test_every_name_of_keras_and_pytorch_stands_for_a_record(runtime) -> None:
    for kind in names.TABLE:
        assert set(names.rows(kind)) <= set(runtime.registry.keys(kind)), kind


def test_differences_are_the_sentences_that_speak_of_others() -> None:
    def softplus() -> None:
        """y = log(1 + eˣ).

        No x overflows, so there is no threshold (as in Keras); PyTorch's is 20.  All is finite.
        """

    assert names.differences(softplus) == "As in Keras; PyTorch's is 20"


def test_a_picture_is_the_same_each_time(runtime, tmp_path: Path) -> None:
    record = runtime.registry.find("activation", "elu")
    first = pictures.draw(record, tmp_path)
    once = (tmp_path / first.file).read_bytes()
    pictures.draw(record, tmp_path)
    assert once == (tmp_path / first.file).read_bytes()
    assert b"<svg" in once and first.words == "elu: f, f′ and f″"


def test_a_docstring_is_taken_apart() -> None:
    found = Docstring.parse(
        """y = x.

        A paragraph.  Source: A and B, A title, with
        a second line, 2020.
        A sentence after it.

        Parameters
        ----------
        a, b: what they
            are.

        >>> 1
        1
        """.replace("        ", "").replace("    are", "    are")
    )
    assert found.summary == "y = x."
    assert found.paragraphs == ["A paragraph.\nA sentence after it."]
    assert found.source == "A and B, A title, with a second line, 2020."
    assert found.example == ">>> 1\n1"


def test_prose_becomes_markdown() -> None:
    assert markdown("a_b * c  ``x_y`` and :func:`mathnet.gru`") == "a\\_b \\* c `x_y` and `mn.gru`"
    assert markdown("- no list") == "\\- no list" and markdown("1. no list") == "1\\. no list"
