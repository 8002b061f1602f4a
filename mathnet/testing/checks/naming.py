"""Names and docstrings."""

from __future__ import annotations

import keyword

from mathnet.plugin.records import public_name
from mathnet.testing.subject import Subject
from mathnet.testing.table import check, require


@check()
def names(subject: Subject) -> None:
    """The public name is an identifier in CapWords or an abbreviation, and says which key it stands for."""
    name = public_name(subject.record)
    require(name.isidentifier() and not keyword.iskeyword(name), f"its public name {name!r} is no identifier")
    require(
        name[0].isupper(), f"its public name {name!r} must begin with a capital; give the decorator name="
    )
    require(
        "__" not in subject.record.key and not subject.record.key.endswith("_"), "its key holds an empty word"
    )


@check(advice=True)
def docstring(subject: Subject) -> None:
    """The docstring begins with a summary on one line."""
    text = subject.record.object.__doc__ or ""
    if subject.record.is_class and text == (subject.record.object.__mro__[1].__doc__ or ""):
        text = ""
    summary, _, rest = text.strip().partition("\n")
    require(summary, "it has no docstring; begin with one line that says what it computes")
    require(len(summary) <= 140, f"the summary has {len(summary)} characters; 140 fit on a line")
    require(
        not rest or not rest.partition("\n")[0].strip(),
        "the summary must be one line, followed by an empty one",
    )
