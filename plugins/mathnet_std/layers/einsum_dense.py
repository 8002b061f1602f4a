"""EinsumDense: a fully connected layer over any axes, which an equation names."""

import re
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.layers.kernel_and_bias import KernelAndBias

_EQUATION = re.compile(r"([a-zA-Z]*(?:\.\.\.)?[a-zA-Z]*),([a-zA-Z]+)->([a-zA-Z]*(?:\.\.\.)?[a-zA-Z]*)")


@mn.layer("einsum_dense")
class EinsumDense(KernelAndBias):
    """y = activation(einsum(equation, x, kernel) + bias).

    Parameters
    ----------
    equation: as of ``mn.einsum``, for x and the kernel: "ab,bc->ac" is Dense, "abc,cd->abd" and "...c,cd->...d" Dense over the last axis.
    output_shape: sizes of y without the batch axis, None where they are those of x; with "..." the sizes of the axes after it.
    activation: key, object or function; None for none.
    bias_axes: letters of y along which there is a bias, such as "d"; None for no bias.
    kernel_initializer, bias_initializer, kernel_regularizer, bias_regularizer, kernel_constraint, bias_constraint: key, object or function.

    >>> import mathnet as mn
    >>> mn.layers.EinsumDense("abc,cde->abde", output_shape=(None, 4, 16), bias_axes="de")(mn.Input((10, 64))).shape
    (batch, 10, 4, 16)
    """

    def __init__(
        self,
        equation: str,
        output_shape: Any,
        activation: Any = None,
        bias_axes: str | None = None,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        kernel_constraint: Any = None,
        bias_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        found = _EQUATION.fullmatch(equation.replace(" ", "")) if isinstance(equation, str) else None
        if found is None or ("..." in found[1]) != ("..." in found[3]):
            raise mn.ArgumentError(
                f"EinsumDense: equation must name x, the kernel and the result, as in 'abc,cd->abd' or '...c,cd->...d', not {equation!r}"
            )
        self.source, self.weight, self.target = found.groups()
        for letters in found.groups():
            if len(set(letters.replace("...", ""))) != len(letters.replace("...", "")):
                raise mn.ArgumentError(
                    f"EinsumDense: equation {equation!r} names an axis of {letters!r} twice"
                )
        self.equation = equation
        self.sizes = tuple(output_shape) if isinstance(output_shape, (tuple, list)) else (output_shape,)
        if any(
            n is not None and (isinstance(n, bool) or not isinstance(n, (int, np.integer)) or n < 1)
            for n in self.sizes
        ):
            raise mn.ArgumentError(
                f"EinsumDense: output_shape must hold positive integers or None, not {output_shape!r}"
            )
        self.bias_axes = bias_axes
        if bias_axes is not None:
            after = self.target.rpartition("...")[2]
            if (
                not isinstance(bias_axes, str)
                or not bias_axes
                or any(letter not in after for letter in bias_axes)
            ):
                raise mn.ArgumentError(
                    f"EinsumDense: bias_axes must be letters among {after!r}, the axes of the result, not {bias_axes!r}"
                )
        kernel = (kernel_initializer, kernel_regularizer, kernel_constraint)
        bias = (bias_initializer, bias_regularizer, bias_constraint)
        self._take(activation, bias_axes is not None, kernel, bias)

    def build(self, input_shape: Any) -> None:
        if isinstance(input_shape, list):
            raise mn.ShapeError("the input must be one tensor")
        given = self._named(self.source, input_shape, "the input")
        after = self.target.rpartition("...")[2]
        wanted = dict(given)
        if "..." in self.target:
            if len(self.sizes) != len(after):
                raise mn.ShapeError(
                    f"output_shape={self.sizes} must hold one size for each axis of {after!r}"
                )
            wanted.update({k: n for k, n in zip(after, self.sizes) if n is not None})
        else:
            if len(self.sizes) != len(after) - 1:
                raise mn.ShapeError(
                    f"output_shape={self.sizes} must hold one size for each axis of {after[1:]!r}, those after the batch"
                )
            wanted.update({k: n for k, n in zip(after[1:], self.sizes) if n is not None})
        for letter, size in wanted.items():
            if letter in given and given[letter] != size:
                raise mn.ShapeError(
                    f"axis {letter!r} has size {given[letter]} in the input, but {size} in output_shape={self.sizes}"
                )
        missing = [letter for letter in self.weight if letter not in wanted]
        if missing:
            raise mn.ShapeError(
                f"the size of axis {missing[0]!r} of the kernel follows from nothing; give it in output_shape"
            )
        bias: tuple = ()
        if self.bias_axes is not None:
            first = min(after.index(letter) for letter in self.bias_axes)
            bias = tuple(wanted[letter] if letter in self.bias_axes else 1 for letter in after[first:])
        self._make(tuple(wanted[letter] for letter in self.weight), bias)

    @staticmethod
    def _named(letters: str, shape: tuple, what: str) -> dict[str, Any]:
        """Sizes by letter; those that "..." stands for have none."""
        before, dots, after = letters.partition("...")
        if len(shape) < len(before + after) or (not dots and len(shape) != len(before)):
            raise mn.ShapeError(f"{what} has {len(shape)} axes, which does not fit to {letters!r}")
        named = dict(zip(before, shape))
        named.update(zip(after, shape[len(shape) - len(after) :]))
        return named

    def call(self, x: Any) -> Any:
        y = mn.einsum(f"{self.source},{self.weight}->{self.target}", x, self.kernel)
        if self.bias is not None:
            y = y + self.bias
        return self.activated(y)
