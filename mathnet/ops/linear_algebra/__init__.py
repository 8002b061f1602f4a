"""Linear algebra: factorizations, equations, spectra.  The public functions are those of :mod:`mathnet.linalg`."""

from mathnet.ops.linear_algebra import determinant, exponential, factorization, measures, solution, spectrum  # noqa: F401
