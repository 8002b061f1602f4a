"""Arrays that end where readable memory ends: one element too far is a segmentation fault."""

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
