"""Linear algebra with derivatives: ``mn.linalg``.

Functions of matrices (…, m, n); leading axes are a stack.  On arrays they give arrays at once, on graph values graph values.  LAPACK
computes them, through NumPy, on the caller's thread.  :func:`eigs`, :func:`power_iteration` and :func:`pca` take arrays only.
"""

from __future__ import annotations

from mathnet.functions import apply
from mathnet.graph.op import FUNCTIONS
from mathnet.linalg.components import PrincipalComponents as PrincipalComponents
from mathnet.linalg.components import pca as pca
from mathnet.linalg.lanczos import eigs as eigs
from mathnet.linalg.lanczos import power_iteration as power_iteration
from mathnet.ops import linear_algebra as _operations

__all__ = [
    "PrincipalComponents",
    "cholesky",
    "cond",
    "det",
    "diagonal",
    "effective_rank",
    "eig",
    "eigh",
    "eigs",
    "eigvals",
    "eigvalsh",
    "expm",
    "inv",
    "lstsq",
    "matmul",
    "matrix_power",
    "matrix_rank",
    "multi_dot",
    "norm",
    "outer",
    "pca",
    "pinv",
    "power_iteration",
    "qr",
    "slogdet",
    "solve",
    "solve_triangular",
    "spectral_norm",
    "svd",
    "svdvals",
    "tensordot",
    "trace",
]

cholesky = apply(_operations.factorization.cholesky)
qr = apply(_operations.factorization.qr)
inv = apply(_operations.solution.inv)
lstsq = apply(_operations.solution.lstsq)
pinv = apply(_operations.solution.pinv)
solve = apply(_operations.solution.solve)
solve_triangular = apply(_operations.solution.solve_triangular)
det = apply(_operations.determinant.det)
slogdet = apply(_operations.determinant.slogdet)
eig = apply(_operations.spectrum.eig)
eigh = apply(_operations.spectrum.eigh)
eigvals = apply(_operations.spectrum.eigvals)
eigvalsh = apply(_operations.spectrum.eigvalsh)
svd = apply(_operations.spectrum.svd)
svdvals = apply(_operations.spectrum.svdvals)
expm = apply(_operations.exponential.expm)
matrix_power = apply(_operations.exponential.matrix_power)
cond = apply(_operations.measures.cond)
effective_rank = apply(_operations.measures.effective_rank)
matrix_rank = apply(_operations.measures.matrix_rank)
multi_dot = apply(_operations.measures.multi_dot)
spectral_norm = apply(_operations.measures.spectral_norm)
diagonal, matmul, norm, outer, tensordot, trace = (
    apply(FUNCTIONS[name]) for name in ("diagonal", "matmul", "norm", "outer", "tensordot", "trace")
)
