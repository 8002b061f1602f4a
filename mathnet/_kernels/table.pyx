"""One kernel table: every kernel for one instruction set and one real type.

setup.py builds this source once per table (``avx2_f32``, ``baseline_f64``, …).  A family of kernels stands in a
``.pxi`` file; it registers its own entries in a function ``register_<family>``, so adding one takes two lines here.
The module offers nothing but the capsule ``__table__``, which ``dispatch.pyx`` and compiled plugins read.
"""

include "table_entries.pxi"

include "storage.pxi"
include "elementwise.pxi"
include "elementwise_reduce.pxi"
include "elementwise_tiny.pxi"
include "reduce.pxi"
include "cumulative.pxi"
include "copy.pxi"
include "softmax.pxi"
include "cross_entropy.pxi"
include "rows.pxi"
include "random.pxi"
include "check.pxi"
include "gemm.pxi"
include "phase_rows.pxi"
include "pooling.pxi"
include "conv2d.pxi"
include "conv2d_backward_input.pxi"
include "conv2d_backward_weight.pxi"

register_elementwise()
register_reduce()
register_cumulative()
register_copy()
register_softmax()
register_cross_entropy()
register_rows()
register_random()
register_check()
register_gemm()
register_pooling()
register_conv2d()

__table__ = publish_table()
