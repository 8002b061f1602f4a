# The kernel table, a capsule named "mathnet.kernels"; see abi.h.
__table__: object
# What it was compiled with; see layout.h.
__layout__: int
