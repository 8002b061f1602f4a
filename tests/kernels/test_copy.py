"""copy and fill: any strides, any order of axes, nothing touched beside the target."""

import guard_page
import numpy as np
import pytest
from elementwise_machine import ISAS
from hypothesis import given, settings
from hypothesis import strategies as st

import mathnet._kernels as kernels

TYPES = {1: "uint8", 4: "float32", 8: "float64"}
tables = pytest.mark.parametrize("real", ["float32", "float64"])


def base_and_offset(view):
    """The array that owns the memory, and where in it the view begins, in elements."""
    base = view
    while isinstance(base.base, np.ndarray):
        base = base.base
    distance = view.__array_interface__["data"][0] - base.__array_interface__["data"][0]
    return base, distance // view.itemsize


def copy(isa, real, source, target, backwards=False):
    kernel = kernels.load_table(isa, real)["copy"]
    (source_base, source_offset), (target_base, target_offset) = (
        base_and_offset(source),
        base_and_offset(target),
    )
    packed = kernel.pack(
        itemsize=target.itemsize,
        rank=target.ndim,
        shape=target.shape,
        source_stride=[s // source.itemsize for s in source.strides],
        target_stride=[s // target.itemsize for s in target.strides],
        source_offset=source_offset,
        target_offset=target_offset,
    )
    chunks = list(range(kernel.sizes(packed).chunks))
    kernel.run(packed, [source_base, target_base], chunks[::-1] if backwards else chunks)
    return len(chunks)


@tables
@pytest.mark.parametrize("isa", ISAS)
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_any_view_to_any_view(isa, real, data):
    dtype = TYPES[data.draw(st.sampled_from([1, 4, 8]))]
    rank = data.draw(st.integers(1, 6))
    sides = st.integers(0, 20 if rank < 4 else 5)

    def view_of(shape, fill):
        """A view of that shape: axes of a larger array permuted, cut, reversed, stepped over."""
        order = data.draw(st.permutations(range(rank)))
        steps = [data.draw(st.sampled_from([1, 1, 1, 2, -1, -2])) for _ in range(rank)]
        pads = [data.draw(st.sampled_from([0, 0, 1])) for _ in range(rank)]
        large = [shape[axis] * abs(steps[axis]) + pads[axis] for axis in order]
        memory = fill(large)
        view = memory.transpose(np.argsort(order))
        cut = []
        for axis in range(rank):
            n, step = shape[axis], steps[axis]
            index = slice(0, n * step, step) if step > 0 else slice(n * -step - 1, None, step)
            cut.append(index if n else slice(0, 0))
        return memory, view[tuple(cut)]

    shape = [data.draw(sides) for _ in range(rank)]
    rng = np.random.default_rng(0)
    _, source = view_of(shape, lambda s: rng.integers(1, 200, s).astype(dtype))
    target_memory, target = view_of(shape, lambda s: np.zeros(s, dtype))
    copy(isa, real, source, target, data.draw(st.booleans()))
    assert np.array_equal(target, source)
    assert np.count_nonzero(target_memory) == source.size


@tables
@pytest.mark.parametrize("isa", ISAS)
@pytest.mark.parametrize("dtype", TYPES.values())
def test_transposes_and_long_rows(isa, real, dtype):
    rng = np.random.default_rng(1)
    for shape, order in [
        ((129, 70), (1, 0)),
        ((3, 65, 130), (0, 2, 1)),
        ((40, 3, 50), (2, 1, 0)),
        ((70_000,), (0,)),
    ]:
        source = guard_page.copy(rng.integers(0, 200, shape).astype(dtype)).transpose(order)
        target = guard_page.empty(source.shape, dtype)
        copy(isa, real, source, target)
        assert np.array_equal(source, target)
    source = rng.integers(0, 200, (300, 500)).astype(dtype)
    target = np.zeros((500, 300), dtype)
    assert copy(isa, real, source.T, target, backwards=True) > 1
    assert np.array_equal(source.T, target)


@tables
def test_a_single_element(real):
    source, target = np.array(7.0), np.array(0.0)
    copy(kernels.isa(), real, source, target)
    assert target == 7


@tables
def test_broadcast_source_and_pieces_of_a_concatenation(real):
    row = np.arange(5, dtype=real)
    target = np.zeros((4, 12), real)
    for begin in (0, 7):
        copy(kernels.isa(), real, np.broadcast_to(row, (4, 5)), target[:, begin : begin + 5])
    assert np.array_equal(target, np.tile(np.r_[row, 0, 0, row], (4, 1)))


def test_bits_of_nan_are_kept():
    source = np.array([[0x7F800001, 0xFFC12345] * 20] * 16, np.uint32).view(np.float32)
    target = np.zeros((40, 16), np.float32)
    for isa in ISAS:
        copy(isa, "float32", source.T, target)
        assert target.tobytes() == np.ascontiguousarray(source.T).tobytes()


def test_bad_descriptors_are_rejected():
    kernel = kernels.kernel("copy", "float32")
    good = dict(
        itemsize=4, rank=1, shape=[1], source_stride=[1], target_stride=[1], source_offset=0, target_offset=0
    )
    for bad in ({"itemsize": 2}, {"rank": 7}, {"shape": [-1]}):
        with pytest.raises(ValueError, match="kernel copy rejects"):
            kernel.sizes(kernel.pack(**{**good, **bad}))
