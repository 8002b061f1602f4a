"""Everything that the standard plugin registers passes the conformance kit, docstrings included."""

import mathnet_std
import pytest

from mathnet.testing.kit import failure, subjects_of, worded
from mathnet.testing.table import checks_of

SUBJECTS = subjects_of(mathnet_std)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda s: f"{s.kind}-{s.record.key}")
def test_conformance(subject):
    failures = []
    for check in checks_of(subject.kind):
        message = failure(subject, check)
        if message is not None:
            failures.append((subject.kind, subject.record.key, check.name, message))
    assert not failures, worded(failures)
    subject.cache.clear()


def test_the_table_of_samples_names_registered_objects():
    from mathnet_std.samples import SAMPLES

    known = {f"{subject.kind}:{subject.record.key}" for subject in SUBJECTS}
    assert set(SAMPLES) <= known
