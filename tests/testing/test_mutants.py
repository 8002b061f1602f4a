"""The kit catches what it is there for: every check has a mutant, and each mutant fails at its own check."""

import pytest
from testing.mutants import MUTANTS, Gaussian

import mathnet as mn
from mathnet.plugin.records import record_of
from mathnet.testing.table import CHECKS, checks_of

#: Kernels that write where they should not are compiled: tests/plugin/test_kernel_op.py has the mutants.
WITHOUT_MUTANT = {"kernel_writes"}


@pytest.mark.parametrize(
    ("check", "mutant"), MUTANTS, ids=[f"{check}-{record_of(mutant).key}" for check, mutant in MUTANTS]
)
def test_a_mutant_is_caught_by_the_check_that_is_meant_for_it(check, mutant):
    with pytest.raises(mn.CheckError) as caught:
        mn.testing.check_plugin(mutant, strict=True)
    failed = {name for _, _, name, _ in caught.value.failures}
    assert check in failed, str(caught.value)
    assert record_of(mutant).key in str(caught.value)


def test_every_check_has_a_mutant():
    checks_of("op")  # fills the table
    assert set(CHECKS) - {check for check, _ in MUTANTS} == WITHOUT_MUTANT


def test_the_distribution_that_the_mutants_differ_from_passes():
    assert mn.testing.check_plugin(Gaussian, strict=True).objects == [("distribution", "normal_of_the_kit")]
