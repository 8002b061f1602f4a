"""Linear maps of queries, keys and values to heads and back, which the kinds of attention with weights share."""

from typing import Any

import mathnet as mn
from mathnet_std.layers.arguments import positive


def operands(x: Any) -> tuple[Any, Any, Any]:
    """(query, value, key) of one tensor, [query, value] or [query, value, key]."""
    given = list(x) if isinstance(x, (list, tuple)) else [x]
    if len(given) > 3:
        raise mn.ShapeError(f"the inputs are query, value and key, but {len(given)} were given")
    query = given[0]
    value = given[1] if len(given) > 1 else query
    key = given[2] if len(given) > 2 else value
    for name, item in (("query", query), ("value", value), ("key", key)):
        if item.ndim != 3:
            raise mn.ShapeError(
                f"{name} must have the axes (batch, steps, features), but its shape is {tuple(item.shape)}"
            )
    return query, value, key


class HeadMaps(mn.Layer):
    """Weights query_kernel, key_kernel, value_kernel, output_kernel and a bias for each.

    A layer calls ``_take_sizes`` and sets ``_kernel`` and ``_bias``, (initializer, regularizer, constraint) of each kind.
    """

    _kernel: tuple
    _bias: tuple

    def _take_sizes(
        self, num_heads: Any, key_dim: Any, value_dim: Any, num_key_value_heads: Any, output_shape: Any, use_bias: bool
    ) -> None:  # fmt: skip
        kind = type(self).__name__
        self.num_heads, self.key_dim = (
            positive(kind, "num_heads", num_heads),
            positive(kind, "key_dim", key_dim),
        )
        self.value_dim = self.key_dim if value_dim is None else positive(kind, "value_dim", value_dim)
        given = num_heads if num_key_value_heads is None else num_key_value_heads
        self.groups = positive(kind, "num_key_value_heads", given)
        if self.num_heads % self.groups:
            raise mn.ArgumentError(
                f"{kind}: num_heads={num_heads} must be a multiple of num_key_value_heads={self.groups}"
            )
        self.output_shape = None if output_shape is None else positive(kind, "output_shape", output_shape)
        self.use_bias = use_bias

    def build(self, input_shape: Any) -> None:
        shapes = input_shape if isinstance(input_shape, list) else [input_shape]
        features = [shape[-1] for shape in shapes]
        value = features[min(1, len(features) - 1)]
        self.kernels, self.biases = {}, {}
        for part, size, width in (
            ("query", features[0], self.num_heads * self.key_dim),
            ("key", features[-1], self.groups * self.key_dim),
            ("value", value, self.groups * self.value_dim),
            ("output", self.num_heads * self.value_dim, self.output_shape or features[0]),
        ):
            self.kernels[part] = self.param(f"{part}_kernel", (size, width), *self._kernel)
            if self.use_bias:
                self.biases[part] = self.param(f"{part}_bias", (width,), *self._bias)

    def heads(self, query: Any, key: Any, value: Any) -> tuple[Any, Any, Any]:
        """q, k and v (N, T, heads, features of a head)."""
        parts = (("query", query, self.num_heads), ("key", key, self.groups), ("value", value, self.groups))
        found = []
        for part, x, heads in parts:
            y = self._product(part, x)
            found.append(mn.reshape(y, (*x.shape[:2], heads, y.shape[2] // heads)))
        return found[0], found[1], found[2]

    def joined(self, y: Any) -> Any:
        """The result of heads side by side, (N, T, heads, value_dim)."""
        return self._product("output", mn.reshape(y, (*y.shape[:2], self.num_heads * self.value_dim)))

    def _product(self, part: str, x: Any) -> Any:
        y = x @ self.kernels[part]
        return y + self.biases[part] if self.use_bias else y
