"""Checks: what passes, and that the first offender is named."""

import itertools

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS

import mathnet._kernels as kernels

tables = pytest.mark.parametrize("isa, real", list(itertools.product(ISAS, ["float32", "float64"])))


def fault(kernel, x, **fields):
    """(code, position, value) or None."""
    try:
        kernel.run(kernel.pack(n=x.size, **fields), [guard_page.copy(x)])
    except kernels.KernelFault as error:
        return error.code, error.position, error.value
    return None


@tables
def test_check_index(isa, real):
    kernel = kernels.load_table(isa, real)["check_index"]
    x = np.array([0, 4, 2])
    assert fault(kernel, x, limit=5, allow_negative=0) is None
    assert fault(kernel, x, limit=4, allow_negative=0) == (1, 1, 4)
    assert fault(kernel, np.array([0, -1]), limit=5, allow_negative=0) == (1, 1, -1)
    assert fault(kernel, np.array([0, -5]), limit=5, allow_negative=1) is None
    assert fault(kernel, np.array([0, -6]), limit=5, allow_negative=1) == (1, 1, -6)
    assert fault(kernel, x[:0], limit=0, allow_negative=0) is None


@tables
@pytest.mark.parametrize("n", [1, 5, 8, 77])
def test_check_finite_and_nan(isa, real, n):
    finite, nan = (kernels.load_table(isa, real)[name] for name in ("check_finite", "check_nan"))
    x = np.full(n, np.finfo(real).max, real)
    x[0] = -0.0
    assert fault(finite, x) is None and fault(nan, x) is None
    for place in {0, n // 2, n - 1}:
        bad = x.copy()
        bad[place] = bad[-1] = -np.inf
        assert fault(finite, bad) == (3, place, -np.inf) and fault(nan, bad) is None
        bad[place] = np.nan
        code, position, value = fault(finite, bad)
        assert (code, position) == (3, place) and np.isnan(value)
        assert fault(nan, bad)[:2] == (2, place)
