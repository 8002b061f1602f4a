"""Each script of examples/ runs on its small settings, draws its picture and reaches what the table in examples/README.md claims."""

from __future__ import annotations

import operator
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
SCRIPTS = sorted(EXAMPLES.glob("*.py"))
LINES = 80  # a script is shorter
NUMBER = r"-?\d+(?:\.\d+)?"
RELATION = re.compile(rf"({NUMBER})%? ([<>]) ({NUMBER})")
RELATIONS = {"<": operator.lt, ">": operator.gt}
#: A warning is an error, except that what others let go of does not concern a script.
WARNINGS = (
    "error",
    "default::DeprecationWarning",
    "default::PendingDeprecationWarning",
    "default::FutureWarning",
)


def claims(readme: str) -> dict[str, str]:
    """Script → the result that it reaches, from the rows ``| [NAME.py](NAME.py) | … | `result` |`` of the table."""
    row = re.compile(r"^\| \[([a-z0-9_]+\.py)\]\(\1\) \|.*\| `([^`|]+)` \|$", re.MULTILINE)
    return dict(row.findall(readme))


def wrong_with(result: str, claim: str) -> list[str]:
    """What keeps a printed result from being the claimed one: other words, or a relation that does not hold.

    The figures may differ, because a claim is of the full settings; every comparison ``a < b`` or ``a > b`` must be true.
    """
    wrong = []
    pattern = re.escape(re.sub(NUMBER, "NUMBER", claim)).replace("NUMBER", NUMBER)
    if not re.fullmatch(pattern, result):
        wrong.append(f"{result!r} is not of the form {claim!r}")
    relations = RELATION.findall(result)
    if not relations:
        wrong.append(f"{result!r} compares with no baseline")
    wrong += [
        f"{a} {sign} {b} is false" for a, sign, b in relations if not RELATIONS[sign](float(a), float(b))
    ]
    return wrong


CLAIMS = claims((EXAMPLES / "README.md").read_text(encoding="utf-8"))


def test_the_table_lists_every_script() -> None:
    assert sorted(CLAIMS) == [script.name for script in SCRIPTS]


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_an_example(script: Path, tmp_path: Path) -> None:
    assert len(script.read_text(encoding="utf-8").splitlines()) < LINES
    options = [option for warning in WARNINGS for option in ("-W", warning)]
    done = subprocess.run(
        [sys.executable, *options, script, "--small", "--out", tmp_path / "pictures"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MATHNET_PLUGINS": ""},
    )
    assert done.returncode == 0, done.stderr
    pictures = list((tmp_path / "pictures").glob(f"{script.stem}*.png"))
    assert pictures and all(picture.read_bytes().startswith(b"\x89PNG") for picture in pictures)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]  # nothing beside --out
    claim = CLAIMS[script.name]
    assert wrong_with(claim, claim) == []
    assert wrong_with(done.stdout.splitlines()[-1], claim) == []


def test_a_row_is_read() -> None:
    assert claims("| [a.py](a.py) | shows | `error 1.5 < 2` |\n| [b.py](c.py) | shows | `x` |") == {
        "a.py": "error 1.5 < 2"
    }


@pytest.mark.parametrize(
    ("result", "wrong"),
    [
        ("error 1.0 < 2.5 of persistence", []),
        ("error 3.0 < 2.5 of persistence", ["3.0 < 2.5 is false"]),
        ("error 1.0 < nan of persistence", 2),
        ("error 1.0", 2),
    ],
)
def test_a_wrong_result_is_found(result: str, wrong: list[str] | int) -> None:
    found = wrong_with(result, "error 1.5 < 2.5 of persistence")
    assert found == wrong or len(found) == wrong
