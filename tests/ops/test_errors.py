"""Bad input: every message names the operation, the argument, the shapes or types, and what to do instead."""

import numpy as np
import pytest

import mathnet as mn
from mathnet.errors import ArgumentError, DataError, DTypeError, ShapeError

A, B = np.ones((2, 3)), np.ones((4, 5))
IMAGE, KERNEL = np.ones((1, 2, 4, 4)), np.ones((3, 2, 3, 3))

CASES = [
    # broadcasting and types
    (lambda: mn.add(A, B), ShapeError, ["add", "(2, 3)", "(4, 5)", "broadcast"]),
    (lambda: mn.where(A > 0, A, B), ShapeError, ["where", "(2, 3)", "(4, 5)"]),
    (lambda: mn.subtract(A > 0, A > 0), DTypeError, ["subtract", "bool", "mn.not_equal"]),
    (lambda: mn.floor_divide(A > 0, A > 0), DTypeError, ["floor_divide", "bool", "mn.cast"]),
    (lambda: mn.negative(A > 0), DTypeError, ["negative", "bool", "mn.cast"]),
    (lambda: mn.exp(np.array(["a"])), DTypeError, ["exp", "float32"]),
    (lambda: mn.exp(np.array([1j])), DTypeError, ["exp", "complex128"]),
    (lambda: mn.tanh(np.array([None])), DTypeError, ["tanh", "object"]),
    (lambda: mn.cast(A, "float17"), DTypeError, ["cast", "float17"]),
    (lambda: mn.cast(A, "complex64"), DTypeError, ["cast", "complex64"]),
    # reductions
    (lambda: mn.sum(A, axis=2), ShapeError, ["sum", "axis 2", "rank 2"]),
    (lambda: mn.sum(A, axis=(0, -2)), ShapeError, ["sum", "twice"]),
    (lambda: mn.sum(A, axis="rows"), ShapeError, ["sum", "axis", "'rows'"]),
    (lambda: mn.max(np.ones((0, 3)), axis=0), ShapeError, ["max", "(0, 3)", "no elements"]),
    (lambda: mn.mean(np.ones((0,))), ShapeError, ["mean", "(0,)"]),
    (lambda: mn.argmax(np.ones((3, 0)), axis=1), ShapeError, ["argmax", "(3, 0)", "axis 1"]),
    (lambda: mn.argmin(A, axis=5), ShapeError, ["argmin", "axis 5"]),
    # rearrangements
    (lambda: mn.reshape(A, (4, 2)), ShapeError, ["reshape", "(2, 3)", "(4, 2)"]),
    (lambda: mn.reshape(A, (-1, -1)), ShapeError, ["reshape", "-1"]),
    (lambda: mn.reshape(A, (-1, 4)), ShapeError, ["reshape", "(2, 3)"]),
    (lambda: mn.reshape(np.ones((0, 3)), (-1, 0)), ShapeError, ["reshape", "-1", "0"]),
    (lambda: mn.reshape(A, (2.0, 3)), ShapeError, ["reshape", "whole numbers"]),
    (lambda: mn.transpose(A, (0, 0)), ShapeError, ["transpose", "(0, 0)", "(2, 3)"]),
    (lambda: mn.moveaxis(A, (0, 1), 0), ShapeError, ["moveaxis", "2 axes"]),
    (lambda: mn.moveaxis(A, (0, 0), (0, 1)), ShapeError, ["moveaxis", "(0, 0)", "twice"]),
    (lambda: mn.squeeze(A, 0), ShapeError, ["squeeze", "axis 0", "(2, 3)"]),
    (lambda: mn.expand_dims(A, 4), ShapeError, ["expand_dims", "axis 4"]),
    (lambda: mn.broadcast_to(A, (3, 3)), ShapeError, ["broadcast_to", "(2, 3)", "(3, 3)"]),
    (lambda: mn.broadcast_to(A, (3,)), ShapeError, ["broadcast_to", "(2, 3)", "(3,)"]),
    (lambda: mn.broadcast_to(A, (-1, 3)), ShapeError, ["broadcast_to", "-1"]),
    (lambda: mn.concatenate([]), ArgumentError, ["concatenate", "operand"]),
    (lambda: mn.concatenate([A, B]), ShapeError, ["concatenate", "operand 1", "(4, 5)", "(2, 3)"]),
    (lambda: mn.concatenate([1.0, 2.0]), ShapeError, ["concatenate", "mn.stack"]),
    (lambda: mn.concatenate([A, A], axis=2), ShapeError, ["concatenate", "axis 2"]),
    (lambda: mn.stack([A, B]), ShapeError, ["stack", "operand 1", "(4, 5)"]),
    (lambda: mn.getitem(A, 5), ShapeError, ["index 5", "axis 0", "size 2"]),
    (lambda: mn.getitem(A, (0, 0, 0)), ShapeError, ["3 indices", "(2, 3)"]),
    (lambda: mn.getitem(A, (..., ...)), ArgumentError, ["'...'"]),
    (lambda: mn.getitem(A, A > 0), ArgumentError, ["mn.where"]),
    (lambda: mn.getitem(A, 1.5), ArgumentError, ["float", "array of integers"]),
    (lambda: mn.getitem(A, slice(None, None, 0)), ArgumentError, ["step"]),
    (lambda: mn.pad(A, -1), ArgumentError, ["pad", "-1", "(2, 3)"]),
    (lambda: mn.pad(A, ((1, 1), (1, 1), (1, 1))), ArgumentError, ["pad", "pad_width", "(2, 3)"]),
    (lambda: mn.pad(A, 1, constant_values="x"), ArgumentError, ["pad", "constant_values", "'x'"]),
    (
        lambda: mn.pad(np.ones(2, int), 1, constant_values=0.5),
        ArgumentError,
        ["pad", "0.5", "int64", "mn.cast"],
    ),
    (lambda: mn.arange(0, 3, 0), ArgumentError, ["arange", "step"]),
    (lambda: mn.zeros((-1,)), ShapeError, ["zeros", "negative"]),
    (lambda: mn.one_hot([0.5], 3), DTypeError, ["one_hot", "float64"]),
    (lambda: mn.one_hot([0], -3), ArgumentError, ["one_hot", "-3"]),
    # products
    (lambda: mn.matmul(A, B), ShapeError, ["matmul", "(2, 3)", "(4, 5)", "3", "4"]),
    (lambda: mn.matmul(A, np.ones(4)), ShapeError, ["matmul", "3", "4"]),
    (lambda: mn.matmul(2.0, A), ShapeError, ["matmul", "*"]),
    (lambda: mn.matmul(A > 0, A.T > 0), DTypeError, ["matmul", "bool"]),
    (lambda: mn.matmul(np.ones((2, 2, 3)), np.ones((3, 3, 4))), ShapeError, ["matmul", "(2,)", "(3,)"]),
    (lambda: mn.dot(np.ones((2, 2, 4)), A), ShapeError, ["tensordot", "size 4", "size 2", "(2, 2, 4)"]),
    # networks
    (lambda: mn.softmax(1.0), ShapeError, ["softmax", "axis"]),
    (lambda: mn.softmax(A, axis=3), ShapeError, ["softmax", "axis 3"]),
    (lambda: mn.softmax(np.array([1, 2])), DTypeError, ["softmax", "int64", "mn.cast"]),
    (lambda: mn.cross_entropy(A, [0, 1, 2]), ShapeError, ["cross_entropy", "(3,)", "(2, 3)"]),
    (lambda: mn.cross_entropy(A, np.ones((2, 4))), ShapeError, ["cross_entropy", "(2, 4)", "(2, 3)"]),
    (lambda: mn.cross_entropy(A, [0, 3]), DataError, ["cross_entropy", "label 3", "example 1"]),
    (lambda: mn.cross_entropy(A, [-1, 0]), DataError, ["cross_entropy", "label -1", "example 0"]),
    (lambda: mn.cross_entropy(1.0, 0), ShapeError, ["cross_entropy", "classes"]),
    (lambda: mn.cross_entropy(np.ones((2, 3), int), [0, 1]), DTypeError, ["cross_entropy", "int64"]),
    (lambda: mn.conv2d(A, KERNEL), ShapeError, ["conv2d", "x", "(2, 3)", "four axes"]),
    (lambda: mn.conv2d(IMAGE, A), ShapeError, ["conv2d", "weight", "(2, 3)"]),
    (
        lambda: mn.conv2d(IMAGE, np.ones((3, 1, 3, 3))),
        ShapeError,
        ["conv2d", "(1, 2, 4, 4)", "(3, 1, 3, 3)", "groups"],
    ),
    (lambda: mn.conv2d(IMAGE, KERNEL, groups=0), ArgumentError, ["conv2d", "groups", "0"]),
    (lambda: mn.conv2d(IMAGE, np.ones((3, 1, 3, 3)), groups=2), ShapeError, ["conv2d", "groups=2"]),
    (lambda: mn.conv2d(IMAGE, KERNEL, stride=0), ArgumentError, ["conv2d", "stride", "0"]),
    (lambda: mn.conv2d(IMAGE, KERNEL, padding=-1), ArgumentError, ["conv2d", "padding", "-1"]),
    (lambda: mn.conv2d(IMAGE, KERNEL, padding="full"), ArgumentError, ["conv2d", "'full'", "'same'"]),
    (lambda: mn.conv2d(IMAGE, KERNEL, dilation=2), ShapeError, ["conv2d", "window", "dilation"]),
    (lambda: mn.conv2d(IMAGE, KERNEL, np.ones(2)), ShapeError, ["conv2d", "bias", "(3,)", "(2,)"]),
    (lambda: mn.conv2d(IMAGE.astype(int), KERNEL), DTypeError, ["conv2d", "int64", "mn.cast"]),
    (lambda: mn.max_pool2d(A, 2), ShapeError, ["max_pool2d", "(2, 3)", "four axes"]),
    (lambda: mn.max_pool2d(IMAGE, 5), ShapeError, ["max_pool2d", "window", "(4, 4)"]),
    (lambda: mn.max_pool2d(IMAGE, 2, padding=2), ArgumentError, ["max_pool2d", "padding"]),
    (lambda: mn.max_pool2d(np.ones((1, 1, 2, 256)), (1, 256)), ArgumentError, ["max_pool2d", "255"]),
    (lambda: mn.avg_pool2d(IMAGE, (2, 2, 2)), ArgumentError, ["avg_pool2d", "kernel_size"]),
    (lambda: mn.avg_pool2d(IMAGE.astype(int), 2), DTypeError, ["avg_pool2d", "int64"]),
    (lambda: mn.take(A, [0, 2]), DataError, ["take", "index 2", "position 1"]),
    (lambda: mn.take(A, [-1]), DataError, ["take", "index -1"]),
    (lambda: mn.take(A, [0.5]), DTypeError, ["take", "float64"]),
    (lambda: mn.take(1.0, [0]), ShapeError, ["take", "axis"]),
    (lambda: mn.check_finite(np.array([1.0, np.nan]), "loss"), DataError, ["loss", "element 1", "nan"]),
    (lambda: mn.check_finite(np.array([np.inf])), DataError, ["check_finite", "element 0", "inf"]),
    (
        lambda: mn.check_index([[2, 0], [5, 1]], 3, "labels"),
        DataError,
        ["labels", "element 2", "is 5", "0 … 2"],
    ),
    (lambda: mn.check_index([-1], 3), DataError, ["check_index", "element 0", "is -1"]),
    (lambda: mn.check_index([0.5], 3), DTypeError, ["check_index", "float64", "mn.cast"]),
    (lambda: mn.check_index([0], 1.5), ArgumentError, ["check_index", "size", "1.5"]),
    (
        lambda: mn.check_that(A, [True, True, False], "A must"),
        DataError,
        ["A must", "element 2", "is not"],
    ),
    (lambda: mn.check_that(A, A), DTypeError, ["check_that", "bools", "float64"]),
    (lambda: mn.check_that(A, np.ones((4, 2, 3), bool)), ShapeError, ["check_that", "(4, 2, 3)", "(2, 3)"]),
]


@pytest.mark.parametrize("call, kind, words", CASES, ids=[f"{k}-{w[0]}" for k, (_, _, w) in enumerate(CASES)])
def test_messages(call, kind, words):
    with pytest.raises(kind) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_a_bad_label_in_the_middle_of_a_step_is_named_in_the_derivative_too():
    slope = mn.grad(lambda z, labels: mn.sum(mn.cross_entropy(z, labels)))
    with pytest.raises(DataError, match="label 7"):
        slope(A, np.array([0, 7]))


def test_the_users_line_is_named_when_a_plan_fails():
    f = mn.function(lambda table, i: mn.take(table, i))
    with pytest.raises(DataError, match=r"test_errors\.py"):
        f(A, np.array([9]))
