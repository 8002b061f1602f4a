"""Functions of arrays and tensors alike: tracing, running at once, and ``mn.function``.

A call whose arguments are arrays is traced with symbolic inputs, and the plan of that graph runs at once; a call with a Tensor among
its arguments, or inside a function that is being traced, builds nodes.  Three things in a graph come from outside: *inputs* (arrays and
floats among the arguments), *captures* (arrays that the function found elsewhere; read again at every run) and *constants* (Python
numbers, part of the program).
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from threading import Lock
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from mathnet._kernels.runner import StatusError
from mathnet.errors import DTypeError, require_function
from mathnet.graph.dim import Dim
from mathnet.graph.dtypes import FLOAT64, graph_dtype
from mathnet.graph.graph import Graph, Rewriter
from mathnet.graph.op import CAPTURE, INPUT, VARIABLE, as_tensor, input_tensor
from mathnet.graph.tensor import Spec, Tensor
from mathnet.graph.trace import Trace, current_trace
from mathnet.graph.tree import LEAF, Structure, flatten, map_leaves, unflatten
from mathnet.ops.control import identity
from mathnet.plan import Plan
from mathnet.plugin.host import current_runtime, current_token

ARRAY_CACHE = 256  # plans that one array function keeps
SIGNATURES = 64  # signatures that one mn.function keeps


# ---- leaves of arguments -----------------------------------------------------------------------------------------------


def is_symbolic(value: Any) -> bool:
    """Whether ``value`` is a tensor or a variable."""
    return isinstance(value, Tensor) or (hasattr(value, "__mathnet_tensor__") and not isinstance(value, type))


def is_array(value: Any) -> bool:
    """Whether ``value`` is an array (anything with ``__array__``) or a NumPy float."""
    if isinstance(value, (np.ndarray, np.floating)):
        return True
    return hasattr(value, "__array__") and not isinstance(value, (np.generic, Tensor, type))


def prepare(value: Any, where: str) -> np.ndarray:
    """``value`` as plans read it: a plain, aligned, C-contiguous array of a graph's type; a copy only where it must be."""
    if type(value) is not np.ndarray and type(value).__module__.startswith("numpy.ma"):
        raise DTypeError(f"{where}: masked arrays are not supported; fill or drop the masked elements first")
    array = np.asarray(value)
    return np.require(array, graph_dtype(array.dtype, where), ["C", "A"])


def _input(value: Any, array: np.ndarray) -> Tensor:
    """A symbolic input for an argument; bare floats are weak, as everywhere."""
    return input_tensor(
        Spec(array.shape, array.dtype, weak=not isinstance(value, np.ndarray) and array.ndim == 0)
    )


# ---- one traced call ---------------------------------------------------------------------------------------------------


class TracedCall:
    """One call of a function on symbolic stand-ins for its arguments.

    inputs, arrays: the stand-ins of arrays and the arrays; outputs, structure: what the function returned; ``open`` says that the
    outputs depend on tensors of a trace around this one, so that they have no value yet.  along: an earlier call whose tensors ``f``
    uses, with its inputs; fresh: tensors among the arguments become variables of their own, as derivatives need.
    """

    def __init__(
        self,
        f: Callable,
        args: tuple,
        kwargs: dict[str, Any],
        name: str,
        along: TracedCall | None = None,
        fresh: bool = True,
    ) -> None:
        self.name, self._fresh = name, fresh
        leaves, structure = flatten((args, kwargs))
        self.open: bool = any(is_symbolic(leaf) for leaf in leaves) or (along is not None and along.open)
        self.inputs: list[Tensor] = []
        self.arrays: list[np.ndarray] = []
        if along is not None:
            self.inputs += along.inputs
            self.arrays += along.arrays
        given = [self._stand_in(leaf) for leaf in leaves]
        self.args, self.kwargs = unflatten(structure, given)
        outer = current_trace()
        # Outside of any trace, tensors belong to a model that is being built: its layer calls stay nodes.
        with nullcontext(outer) if outer is not None or self.open else Trace() as self.trace:
            result = f(*self.args, **self.kwargs)
        made, self.structure = flatten(result)
        self.outputs = [as_tensor(leaf, f"{name}: result {k} of the function") for k, leaf in enumerate(made)]
        self.nested = outer is not None
        self._settle()

    def _stand_in(self, leaf: Any) -> Any:
        if is_symbolic(leaf):
            return identity(as_tensor(leaf)) if self._fresh else as_tensor(leaf)
        if not isinstance(leaf, float) and not is_array(leaf):
            return leaf
        array = prepare(leaf, f"{self.name}: argument")
        if self.open:
            return identity(
                CAPTURE(spec=Spec(array.shape, array.dtype), array=array)
                if isinstance(leaf, np.ndarray)
                else leaf
            )
        tensor = _input(leaf, array)
        self.inputs.append(tensor)
        self.arrays.append(array)
        return tensor

    @property
    def graph(self) -> Graph:
        return Graph(self.inputs, self.outputs, name=self.name)

    def _settle(self) -> None:
        """Finds out whether the outputs are open; if they are, inputs become captures of their arrays."""
        if not self.open:
            own = {id(t) for t in self.inputs}
            for node in self.graph.nodes:
                if (node.op is INPUT and id(node.outputs[0]) not in own) or (
                    node.op is VARIABLE and self.nested
                ):
                    self.open = True
                    break
        if self.open and self.inputs:
            known = {t: identity(CAPTURE(spec=t.spec, array=a)) for t, a in zip(self.inputs, self.arrays)}
            self.outputs = Rewriter(known).run(self.outputs)
            self.args = map_leaves(
                lambda leaf: known.get(leaf, leaf) if isinstance(leaf, Tensor) else leaf, self.args
            )
            self.inputs, self.arrays = [], []

    def result(self) -> Any:
        """The nest of results: tensors of an open call, else arrays, computed now."""
        if self.open:
            return unflatten(self.structure, self.outputs)
        graph = self.graph
        plan = current_runtime().plan_for(graph)
        captures = [prepare(node.attrs["array"], "captured array") for node in graph.captures]
        return unflatten(self.structure, plan(self.arrays, captures))


def trace(f: Callable, args: Sequence) -> tuple[Graph, Structure]:
    """The graph of ``f(*args)``, and the structure of what it returns.  Arrays and floats among ``args`` become inputs."""
    call = TracedCall(f, tuple(args), {}, _name(f))
    return call.graph, call.structure


def run(f: Callable, args: tuple, kwargs: dict[str, Any], name: str) -> Any:
    """``f`` on tensors, its results as arrays when all of its arguments are arrays, else as tensors."""
    return TracedCall(f, args, kwargs, name).result()


def _name(f: Callable) -> str:
    return getattr(f, "__name__", type(f).__name__)


# ---- graph functions on arrays -----------------------------------------------------------------------------------------


def _static_key(value: Any) -> Any:
    """A hashable key of a Python value; values that compare equal but compute differently have different keys."""
    if isinstance(value, float):
        return float, value.hex()
    if isinstance(value, slice):
        return slice, _static_key(value.start), _static_key(value.stop), _static_key(value.step)
    return type(value), value


def _signature(value: Any, first: bool, key: list[Any], arrays: list[Any]) -> Any:
    """Adds an argument to ``key`` and its arrays to ``arrays``; returns None, Tensor for a tensor or an unknown size, or the type
    that it does not know.

    Floats are constants of the plan, but the first operand is not: ``mn.tanh(0.5)`` and ``mn.tanh(0.25)`` share one.
    """
    kind = type(value)
    if kind is np.ndarray:
        key.append(value.dtype)
        key.append(value.shape)
        arrays.append(value)
    elif kind is int or kind is bool or kind is str or value is None:
        key.append(kind)
        key.append(value)
    elif kind is np.float32 or kind is np.float64 or (kind is float and first):
        key.append(kind)
        arrays.append(np.array(value))
    elif kind is float:
        key.append(value.hex())
    elif kind is tuple or kind is list:
        key.append(kind)
        key.append(len(value))
        for item in value:
            if type(item) is float:
                return float
            found = _signature(item, False, key, arrays)
            if found is not None:
                return found
    else:
        return Tensor if kind is Dim else kind
    return None


def _operand(value: Any) -> Any:
    """Lists of numbers with a float among them are arrays; lists of ints are shapes and axes."""
    if isinstance(value, (list, tuple)):
        leaves, _ = flatten(value)
        if any(isinstance(leaf, float) for leaf in leaves) and all(
            isinstance(leaf, (int, float)) for leaf in leaves
        ):
            try:
                return np.asarray(value)
            except ValueError:  # of different lengths: several operands, as of concatenate
                return [_operand(item) for item in value]
    return value


def _settings(function: Callable) -> frozenset[Any]:
    """Places and names of the parameters that are declared as floats: they take numbers, the others operands."""
    names = function.__code__.co_varnames[: function.__code__.co_argcount]
    declared = function.__annotations__
    return frozenset(x for k, n in enumerate(names) if "float" in str(declared.get(n)) for x in (k, n))


def _plain(value: Any) -> Any:
    """A setting with NumPy's floats as Python's: a number of the program, not an operand."""
    if isinstance(value, (tuple, list)):
        return type(value)(map(_plain, value))
    return float(value) if isinstance(value, np.floating) else value


def apply(function: Callable) -> Callable:
    """The public side of a graph function: arrays give arrays at once, any Tensor among the arguments gives a node.

    Plans are kept, in each Runtime, by element types, shapes and the values of all other arguments; the least recently made one of
    more than ``ARRAY_CACHE`` is dropped.
    """
    name = function.__name__.rstrip("_")
    settings = _settings(function)
    default: OrderedDict[tuple, Any] | None = (
        None  # the entries of the default Runtime, which lives as long as the process
    )
    hot: tuple[int, Callable, Plan] | None = (
        None  # of the last call with one array: its Runtime's number, the call, its plan
    )

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        known = hot
        if (
            known is None
            or len(args) != 1
            or kwargs
            or type(args[0]) is Tensor
            or known[0] != current_token()
        ):
            return general(*args, **kwargs)
        try:
            return known[1](args[0])
        except StatusError as error:
            raise known[2].worded(error) from None

    def general(*args: Any, **kwargs: Any) -> Any:
        nonlocal hot
        if settings:
            args = tuple([_plain(a) if k in settings else a for k, a in enumerate(args)])
            kwargs = {k: _plain(a) if k in settings else a for k, a in kwargs.items()}
        key: list[Any] = list(kwargs)
        arrays: list[Any] = []
        for position, value in enumerate((*args, *kwargs.values())):
            found = _signature(value, position == 0 and 0 not in settings, key, arrays)
            if found is not None:
                return function(*args, **kwargs) if found is Tensor else unusual(*args, **kwargs)
        full = tuple(key)
        entries = default if default is not None and current_token() == 0 else here()
        entry = entries.get(full)
        if entry is None:
            entry = remember(entries, full, _ArrayCall(function, name, args, kwargs))
        if (
            len(arrays) == len(args) == 1
            and not kwargs
            and args[0] is arrays[0]
            and entry.single
            and not entry.captures
        ):
            hot = current_token(), entry.plan.call(general), entry.plan
        return entry(arrays)

    def unusual(*args: Any, **kwargs: Any) -> Any:
        """Arguments that are rare in calls: lists of floats, other libraries' arrays, slices, element types, functions."""
        args = tuple([a if k in settings else _operand(a) for k, a in enumerate(args)])
        leaves, structure = flatten((args, kwargs))
        if any(is_symbolic(leaf) or isinstance(leaf, Dim) for leaf in leaves):
            return function(*args, **kwargs)
        key: list[Any] = [structure]
        arrays: list[Any] = []
        for position, leaf in enumerate(leaves):
            if is_array(leaf) or (position == 0 and type(leaf) is float and 0 not in settings):
                array = prepare(leaf, name)
                key.append((type(leaf) is np.ndarray, array.dtype, array.shape))
                arrays.append(array)
            else:
                key.append(_static_key(leaf))
        full = tuple(key)
        entries = here()
        try:
            entry = entries.get(full)
        except TypeError:  # an argument without a hash: its plan is found by structure only
            return _ArrayCall(function, name, args, kwargs)(arrays)
        if entry is None:
            entry = remember(entries, full, _ArrayCall(function, name, args, kwargs))
        return entry(arrays)

    def here() -> OrderedDict[tuple, Any]:
        """The entries of the current Runtime."""
        nonlocal default
        found = current_runtime().array_calls(function)
        if current_token() == 0:
            default = found
        return found

    def remember(entries: dict[tuple, Any], key: tuple, entry: _ArrayCall) -> _ArrayCall:
        entries[key] = entry
        while len(entries) > ARRAY_CACHE:
            entries.pop(next(iter(entries)), None)
        return entry

    call.__module__, call.__name__, call.__qualname__ = "mathnet", name, name
    return call


class _ArrayCall:
    """A graph function traced for arrays of given types and shapes."""

    def __init__(self, function: Callable, name: str, args: tuple, kwargs: dict[str, Any]) -> None:
        leaves, structure = flatten((args, kwargs))
        self.name = name
        inputs: list[Tensor] = []
        given = []
        number = 0 in _settings(function)
        for position, leaf in enumerate(leaves):
            if is_array(leaf) or (position == 0 and type(leaf) is float and not number):
                inputs.append(_input(leaf, prepare(leaf, name)))
                leaf = inputs[-1]
            given.append(leaf)
        args, kwargs = unflatten(structure, given)
        made, self.structure = flatten(function(*args, **kwargs))
        graph = Graph(inputs, made, name=name)
        self.plan = current_runtime().plan_for(graph)
        self.captures = [prepare(node.attrs["array"], name) for node in graph.captures]
        self.single = self.structure.kind == "leaf"
        self._alone = len(made) == 1  # the runner hands out a bare result
        self._call = self.plan.call(self._convert)

    def __call__(self, arrays: Sequence[Any]) -> Any:
        try:
            result = self._call(*arrays, *self.captures)
        except StatusError as error:
            raise self.plan.worded(error) from None
        if self.single:
            return result
        return unflatten(self.structure, (result,) if self._alone else result or ())

    def _convert(self, *arrays: Any) -> Any:
        made = self.plan(
            [prepare(a, self.name) for a in arrays[: len(arrays) - len(self.captures)]], self.captures
        )
        return made[0] if self._alone else made


# ---- mn.function -------------------------------------------------------------------------------------------------------


def function(f: Callable) -> Function:
    """``f`` traced once per signature and run as a plan from then on.

    A signature is the nesting of the arguments, shape and element type of every array, and the value of every other argument (ints,
    bools, text); floats are live, like arrays.  ``f`` runs in Python only when a signature is new: what it prints, or reads from
    changing Python variables, belongs to that moment.  Arrays that it finds outside of its arguments are read again at every
    call.  At most ``SIGNATURES`` plans are kept, the least recently used one is dropped.

    Raises whatever ``f`` raises while it is traced, and GraphError when it uses a tensor where Python needs a value.

    >>> import mathnet as mn
    >>> fast = mn.function(lambda x: mn.sum(x * x))
    >>> float(fast(np.array([1.0, 2.0])))
    5.0
    """
    require_function("function: f", f)
    return Function(f)


class Function:
    """A traced function; see :func:`function`.  ``plan(*args)`` is the plan for these arguments, with explain() and profile()."""

    def __init__(self, f: Callable) -> None:
        functools.update_wrapper(self, f, updated=())
        self._f, self._name = f, _name(f)
        self._lock = Lock()
        self._by_runtime: WeakKeyDictionary[Any, OrderedDict[tuple, _Entry]] = WeakKeyDictionary()
        self._hot: tuple[int, _Entry] | None = None  # of the last call: its Runtime's number and what it ran

    @property
    def _entries(self) -> OrderedDict[tuple, Any]:
        """What was traced in the current Runtime, by signature."""
        runtime = current_runtime()
        found = self._by_runtime.get(runtime)
        if found is None:
            with self._lock:
                found = self._by_runtime.setdefault(runtime, OrderedDict())
            runtime.traced.add(self)
        return found

    def forget(self, runtime: Any) -> None:
        """Drops what was traced in a Runtime."""
        self._by_runtime.pop(runtime, None)
        self._hot = None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        known = self._hot
        if known is None or kwargs or len(args) != known[1].count or known[0] != current_token():
            return self._general(args, kwargs)
        hot = known[1]
        try:
            return hot.call(*args, *hot.captures)
        except StatusError as error:
            raise hot.plan.worded(error) from None

    def plan(self, *args: Any, **kwargs: Any) -> Plan:
        """The plan that ``self(*args, **kwargs)`` runs."""
        leaves, structure = flatten((args, kwargs))
        return self._find(leaves, structure, args, kwargs).plan

    def _general(self, args: tuple, kwargs: dict[str, Any]) -> Any:
        leaves, structure = flatten((args, kwargs))
        if any(is_symbolic(leaf) for leaf in leaves):
            return self._f(*args, **kwargs)
        entry = self._find(leaves, structure, args, kwargs)
        if isinstance(entry, TracedCall):
            return entry.result()
        if entry.hot:
            self._hot = current_token(), entry
        return entry.run(
            [prepare(leaf, self._name) for leaf in leaves if isinstance(leaf, float) or is_array(leaf)]
        )

    def _find(self, leaves: list, structure: Structure, args: tuple, kwargs: dict[str, Any]) -> Any:
        key: list[Any] = [structure]
        for leaf in leaves:
            if isinstance(leaf, float) or is_array(leaf):
                array = np.asarray(leaf)
                key.append((isinstance(leaf, np.ndarray), graph_dtype(array.dtype, self._name), array.shape))
            else:
                key.append(_static_key(leaf))
        full, entries = tuple(key), self._entries
        try:
            with self._lock:
                entry = entries.get(full)
                if entry is not None:
                    entries.move_to_end(full)
        except TypeError as error:
            raise DTypeError(
                f"{self._name}: an argument can be neither an array nor part of a signature ({error})"
            ) from None
        if entry is not None and entry.valid():
            return entry
        call = TracedCall(self._f, args, kwargs, self._name)
        if call.open:
            return call
        flat = (
            not kwargs
            and all(c is LEAF for c in structure.children[0].children)
            and all(type(a) is np.ndarray for a in args)
        )
        entry = _Entry(call, flat, len(args), lambda *arrays: self._general(arrays[: len(args)], {}))
        with self._lock:
            entries[full] = entry
            while len(entries) > SIGNATURES:
                entries.popitem(last=False)
        return entry

    def __repr__(self) -> str:
        return f"<mathnet function {self._name}, {len(self._entries)} signatures>"


class _Entry:
    """The plan of one signature."""

    def __init__(self, call: TracedCall, flat: bool, count: int, rebind: Callable) -> None:
        graph = call.graph
        self.count = count
        self.structure = call.structure
        self.plan = current_runtime().plan_for(graph)
        self.captures = [node.attrs["array"] for node in graph.captures]
        assert call.trace is not None
        step = call.trace.step
        nodes = [id(node) for node in graph.captures]
        self.draws = nodes.index(id(step.node)) if step is not None and id(step.node) in nodes else -1
        self.seed = call.trace.seed
        # The runner hands out a bare result or a tuple: exactly what the function returned, if that is one leaf or a flat tuple.
        kinds = [child.kind for child in call.structure.children]
        plain = call.structure.kind == "leaf" or (
            call.structure.kind == "tuple" and len(kinds) > 1 and set(kinds) == {"leaf"}
        )
        self.hot = flat and plain and self.draws < 0
        self.call = self.plan.call(rebind)

    def valid(self) -> bool:
        """False once the random state that the draws were traced under has been seeded anew."""
        if self.draws < 0:
            return True
        return current_runtime().seed == self.seed

    def run(self, arrays: Sequence[np.ndarray]) -> Any:
        captures = [prepare(a, "captured array") for a in self.captures]
        if self.draws >= 0:
            captures[self.draws] = np.array(current_runtime().next_count(), FLOAT64)
        return unflatten(self.structure, self.plan(arrays, captures))
