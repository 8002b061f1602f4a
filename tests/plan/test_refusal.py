"""What a failing kernel's status becomes when its operation has no words of its own."""

import pytest

from mathnet._kernels.runner import STATUS_CODES, STATUS_TEXTS, StatusError
from mathnet.plan.plan import _refusal


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("index_out_of_range", "index 11 at position 3 is out of range"),
        ("nan", "NaN at position 3"),
        ("not_finite", "a value that is not finite (position 3, value 11)"),
    ],
)
def test_each_status_has_words(name: str, message: str) -> None:
    assert _refusal(StatusError(STATUS_CODES[name], 0, 3, 11.0)) == message


def test_an_unknown_status_shows_its_number() -> None:
    assert _refusal(StatusError(1234, 0, 3, 11.0)) == "status 1234 (position 3, value 11)"


def test_every_code_has_a_text() -> None:
    assert set(STATUS_CODES.values()) == STATUS_TEXTS.keys()
