"""Arrays that end where readable memory ends: one element too far is a segmentation fault.

`run` gives kernels scratch memory and a shared buffer of that kind too, exactly as large as they asked for.
"""

import ctypes
import mmap

import numpy as np

_libc = ctypes.CDLL(None, use_errno=True)
_PROT_NONE = 0


def empty(shape, dtype):
    """An array of NaN (or of the byte 0xA5) whose last byte is followed by a page without access."""
    dtype = np.dtype(dtype)
    count = int(np.prod(shape))
    pages = -(-max(count * dtype.itemsize, 1) // mmap.PAGESIZE)
    memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    guard = ctypes.c_void_p(start + pages * mmap.PAGESIZE)
    if _libc.mprotect(guard, ctypes.c_size_t(mmap.PAGESIZE), _PROT_NONE):
        raise OSError(ctypes.get_errno(), "mprotect")
    array = np.frombuffer(memory, dtype, count, pages * mmap.PAGESIZE - count * dtype.itemsize)
    if dtype.kind == "f":
        array[...] = np.nan
    else:
        array.view(np.uint8)[...] = 0xA5
    return array.reshape(shape)


def copy(values):
    """The same values in an array that ends at a guard page."""
    array = empty(values.shape, values.dtype)
    array[...] = values
    return array


_FAULT_BYTES = 64  # where a kernel writes its fault, directly before scratch


def _aligned(size):
    """At least `size` bytes, 64-byte aligned, fewer than 64 bytes before the guard page; NaN for every real type."""
    memory = empty(-(-size // 64) * 64, "uint8")
    memory[...] = 0xFF
    return memory


def run(kernel, packed, operands, order=None):
    """Kernel.run with guarded scratch memory: every chunk, in order or in the given order of chunk numbers, and then those of
    the second stage backwards."""
    sizes = kernel.sizes(packed)
    memory = _aligned(_FAULT_BYTES + sizes.scratch)
    arrays = list(operands) + ([_aligned(sizes.shared)] if sizes.shared else [])
    pointers = (ctypes.c_void_p * len(arrays))(*(array.ctypes.data for array in arrays))
    scratch = ctypes.c_void_p(memory.ctypes.data + _FAULT_BYTES)
    function = ctypes.CFUNCTYPE(
        ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p
    )(kernel.address)
    chunks = list(range(sizes.chunks) if order is None else order)
    second = range(sizes.chunks, sizes.chunks + sizes.finish)
    for chunk in [*chunks, *(second if order is None else reversed(second))]:
        assert function(packed, pointers, chunk, scratch) == 0
