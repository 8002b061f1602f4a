"""One kernel table: every kernel for one instruction set and one real type.

setup.py builds this source once per table (``avx2_f32``, ``baseline_f64``, …).  A family of kernels stands in a
``.pxi`` file under ``families/``; it registers its own entries in a function ``register_<family>``, so adding one takes two lines here.
The module offers the capsule ``__table__``, which ``dispatch.pyx`` reads, and ``__layout__`` (layout.h), by which a stale
module is refused.
"""

include "table_entries.pxi"

include "families/elementwise/storage.pxi"
include "families/elementwise/drawn.pxi"
include "families/elementwise/elementwise.pxi"
include "families/elementwise/elementwise_reduce.pxi"
include "families/elementwise/elementwise_tiny.pxi"
include "families/reduce.pxi"
include "families/cumulative.pxi"
include "families/copy.pxi"
include "families/softmax.pxi"
include "families/cross_entropy.pxi"
include "families/rows.pxi"
include "families/random.pxi"
include "families/check.pxi"
include "families/gemm.pxi"
include "families/gemv_prepared.pxi"
include "families/attention/scores.pxi"
include "families/attention/forward.pxi"
include "families/attention/backward.pxi"
include "families/normalization/sums.pxi"
include "families/normalization/row_norm.pxi"
include "families/normalization/batch_norm.pxi"
include "families/convolution/phase_rows.pxi"
include "families/pooling/windows.pxi"
include "families/pooling/max.pxi"
include "families/pooling/max_values.pxi"
include "families/pooling/max_backward.pxi"
include "families/pooling/average.pxi"
include "families/convolution/conv2d.pxi"
include "families/convolution/conv2d_backward_input.pxi"
include "families/convolution/conv2d_backward_weight.pxi"
include "families/convolution/winograd_tiles.pxi"
include "families/convolution/winograd.pxi"
include "families/convolution/winograd_backward_weight.pxi"
include "families/convolution/row_winograd.pxi"
include "families/recurrent/recurrence.pxi"
include "families/recurrent/gates.pxi"
include "families/recurrent/recurrent_forward.pxi"
include "families/recurrent/recurrent_backward.pxi"
include "families/convolution/direct.pxi"
include "families/convolution/direct_backward_input.pxi"
include "families/convolution/direct_backward_weight.pxi"

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
register_gemv_prepared()
register_attention()
register_row_norm()
register_batch_norm()
register_max_pool()
register_max_pool_values()
register_avg_pool()
register_conv2d()
register_winograd()
register_row_winograd()
register_recurrent_forward()
register_recurrent_backward()
register_direct()

__table__ = publish_table()
__layout__ = mn_layout()
