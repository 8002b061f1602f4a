"""The mapping from names to live weights that ``model.parameters`` and ``model.statistics`` give."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from mathnet.errors import UnknownKeyError, nearest
from mathnet.store import Variable


class VariableMapping(Mapping[str, np.ndarray]):
    """name → array; the arrays are views of the weights in use, so writing into one changes the next call.

    ``mapping[name] = array`` copies the values in after a check of the shape, ``mapping.update(other)`` several of them.

    >>> import numpy as np, mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(2)], input_shape=(3,))
    >>> model.parameters["dense/kernel"][:] = 0.0
    >>> model.parameters["dense/bias"] = np.array([1.0, 2.0])
    >>> model(np.ones((1, 3)))
    array([[1., 2.]], dtype=float32)
    """

    def __init__(self, variables: Mapping[str, Variable], what: str) -> None:
        self._variables, self._what = variables, what

    def variable(self, name: str) -> Variable:
        try:
            return self._variables[name]
        except KeyError:
            raise UnknownParameterError(
                f"no {self._what} is named {name!r}{nearest(name, self._variables)}"
            ) from None

    def __getitem__(self, name: str) -> np.ndarray:
        return self.variable(name).array

    def __setitem__(self, name: str, value: Any) -> None:
        self.variable(name).assign(value)

    def update(self, other: Mapping[str, Any]) -> None:
        """Copies every array of ``other`` in; an unknown name or a wrong shape is an error that changes nothing.

        >>> import mathnet as mn
        >>> model, target = (mn.Sequential([mn.layers.Dense(2)], input_shape=(3,)) for _ in range(2))
        >>> target.parameters.update(model.parameters)
        >>> bool((target.parameters["dense/kernel"] == model.parameters["dense/kernel"]).all())
        True
        """
        checked = [(v := self.variable(name), v.checked(value)) for name, value in other.items()]
        for variable, value in checked:
            variable.array[...] = value

    def __contains__(self, name: object) -> bool:
        return name in self._variables

    def __iter__(self) -> Iterator[str]:
        return iter(self._variables)

    def __len__(self) -> int:
        return len(self._variables)

    def __repr__(self) -> str:
        lines = [f"  {name}: {variable.dtype}{variable.shape}" for name, variable in self._variables.items()]
        return "\n".join([f"<{len(self)} {self._what}s>", *lines])


class UnknownParameterError(UnknownKeyError, KeyError):
    """No variable of a model has this name.  A KeyError, as Mapping promises."""

    def __str__(self) -> str:
        return str(self.args[0])
