"""Whether the object can be made and used at all."""

from __future__ import annotations

from mathnet.testing.guessing import tried
from mathnet.testing.subject import Subject
from mathnet.testing.table import check


@check()
def sample(subject: Subject) -> None:
    """Each sample makes an object that can be used and gives finite values."""
    for way in subject.samples:
        with subject.entered_in_folder() as folder:
            try:
                tried(subject, way, folder)
            except Exception as error:
                error.add_note(f"with {way!r}")
                raise
