"""Views: reshaping strided memory gives the elements that NumPy gives, or says that a copy is needed."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mathnet.plan.emit import Buffer, View


def as_array(view: View, memory: np.ndarray) -> np.ndarray:
    strides = [s * memory.itemsize for s in view.strides]
    return np.lib.stride_tricks.as_strided(memory[view.offset :], view.shape, strides)


def shapes_of(n: int) -> st.SearchStrategy:
    def grow(parts):
        rest = n
        shape = []
        for p in parts:
            if rest % p == 0:
                shape.append(p)
                rest //= p
        return (*shape, rest)

    return st.lists(st.integers(1, 4), max_size=3).map(grow)


@given(st.data())
def test_reshape_without_a_copy_reads_the_same_elements(data):
    shape = tuple(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4)))
    strides = tuple(data.draw(st.sampled_from([0, 1, 2, 3, 4, 6, 8, 12, 24])) for _ in shape)
    memory = np.arange(1 + sum((n - 1) * s for n, s in zip(shape, strides)), dtype=float)
    view = View(Buffer("arena", memory.nbytes), 0, shape, strides, memory.dtype)
    wanted = data.draw(shapes_of(view.size))
    found = view.reshaped(wanted)
    if found is not None:
        np.testing.assert_array_equal(as_array(found, memory), as_array(view, memory).reshape(wanted))


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4), st.data())
def test_dense_and_uniform_arrays_never_need_a_copy(shape, data):
    memory = np.arange(float(np.prod(shape)))
    dense = View(
        Buffer("arena", memory.nbytes),
        0,
        tuple(shape),
        tuple(s // 8 for s in memory.reshape(shape).strides),
        memory.dtype,
    )
    uniform = dense.with_shape(tuple(shape), (0,) * len(shape))
    wanted = data.draw(shapes_of(dense.size))
    assert dense.reshaped(wanted) is not None
    assert uniform.reshaped(wanted) is not None


def test_a_transposed_matrix_cannot_be_flattened():
    view = View(Buffer("arena", 48), 0, (3, 2), (1, 3), np.dtype(float))
    assert view.reshaped((6,)) is None
    assert view.reshaped((3, 1, 2)) is not None
