# The kernel table, a capsule named "mathnet.kernels"; see abi.h.
__table__: object
