"""Special functions: error functions, the gamma family, incomplete gamma and beta functions, sinc.

Their oracles are independent of the kernels: closed forms and quadrature in NumPy.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import numpy as np

from mathnet.errors import ArgumentError
from mathnet.graph.op import NoDerivative, as_tensor, graph_function, register
from mathnet.graph.tensor import Tensor
from mathnet.ops.arithmetic import square
from mathnet.ops.elementwise import Elementwise, define
from mathnet.ops.exponential import exp, log, log1p

Partials = Sequence[Any]


class Erfc(Elementwise):
    """Complementary error function 1 − erf(x), with all its digits also where it is tiny.

    >>> import mathnet as mn
    >>> mn.erfc([0.0, 1.0])
    array([1.        , 0.15729921])
    """

    name, opcode, result, formula = "erfc", "erfc", "float", "1 - erf(x)"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * (exp(-square(inputs[0])) * (-2.0 / math.sqrt(math.pi))),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.vectorize(math.erfc, otypes=[np.float64])(x)


class Gaussian(Elementwise):
    """exp(−x²/2), with all its digits also far out, where the rounding of x² would cost them."""

    name, opcode, result, formula = "gaussian", "gaussian", "float", "exp(-x²/2)"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * -inputs[0] * outputs[0],)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.exp(-0.5 * np.square(x, dtype=np.float64))


gaussian = define(Gaussian(), public=False)


class Erfinv(Elementwise):
    """The y with erf(y) = x; ±∞ at ±1, NaN beyond.

    >>> import mathnet as mn
    >>> mn.erfinv([0.0, 0.5])
    array([0.        , 0.47693628])
    """

    name, opcode, result, formula, domain = "erfinv", "erfinv", "float", "erf⁻¹(x)", "|x| < 1"
    sample_range = (-0.9, 0.9)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * (exp(square(outputs[0])) * (math.sqrt(math.pi) / 2)),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.vectorize(_erfinv, otypes=[np.float64])(x)


def _erfinv(x: float) -> float:
    """By bisection."""
    low, high = -6.0, 6.0
    for _ in range(70):
        middle = (low + high) / 2
        low, high = (middle, high) if math.erf(middle) < x else (low, middle)
    return (low + high) / 2


class Lgamma(Elementwise):
    """log |Γ(x)|; ∞ at 0 and the negative whole numbers.

    >>> import mathnet as mn
    >>> mn.lgamma([1.0, 5.0])
    array([0.        , 3.17805383])
    """

    name, opcode, result, formula, domain = "lgamma", "lgamma", "float", "log |Γ(x)|", "x ≠ 0, -1, -2, …"
    sample_range = (0.2, 6.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        return (dy * digamma(inputs[0]),)

    def oracle(self, x: np.ndarray) -> np.ndarray:
        return np.vectorize(lambda v: math.inf if v <= 0 and v == int(v) else math.lgamma(v), otypes=[float])(
            x
        )


erfc, erfinv, lgamma = define(Erfc()), define(Erfinv()), define(Lgamma())


class _Ordered(Elementwise):
    """A function with all its derivatives as one operation: ``order`` counts them up to ``orders``."""

    result = "float"
    orders: ClassVar[int]

    def program(self, emit: Callable[..., Any], *registers: Any, **attrs: Any) -> Any:
        return emit(self.opcode, *registers, immediate=float(attrs["order"]))

    def partials(
        self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...], order: int = 0
    ) -> Partials:
        if order == self.orders:
            return (NoDerivative(f"{self.name}: derivatives are known up to order {self.orders}"),)
        return (dy * self(inputs[0], order=order + 1),)

    def samples(self) -> list[tuple[tuple, dict[str, Any]]]:
        return [(arrays, {"order": k % 4}) for k, (arrays, _) in enumerate(super().samples())]


class Polygamma(_Ordered):
    name, opcode, formula, domain = "polygamma", "polygamma", "dⁿ⁺¹ log Γ(x)/dxⁿ⁺¹", "x ≠ 0, -1, -2, …"
    orders = 20
    sample_range = (0.3, 6.0)

    def oracle(self, x: np.ndarray, order: int) -> np.ndarray:  # type: ignore[override]
        # Σ of 4000 terms and Euler and Maclaurin's formula for the others, for x > 0
        x = np.asarray(x, np.float64)
        j = np.arange(4000).reshape((-1,) + (1,) * x.ndim)
        end = x + 4000
        if order == 0:
            return np.log(end) - 0.5 / end - 1 / (12 * end**2) - np.sum(1 / (x + j), axis=0)
        s = order + 1
        rest = end ** (1 - s) / (s - 1) + 0.5 * end**-s + s / 12 * end ** (-s - 1)
        return (-1) ** s * math.factorial(order) * (np.sum((x + j) ** -float(s), axis=0) + rest)


class Sinc(_Ordered):
    name, opcode, formula = "sinc", "sinc", "sin(πx)/(πx)"
    orders = 8

    def oracle(self, x: np.ndarray, order: int) -> np.ndarray:  # type: ignore[override]
        # the Fourier transform of a box, by Gauss's rule: ∫₀¹ (πt)ⁿ cos(πtx + nπ/2) dt
        nodes, weights = _gauss(40)
        t = np.pi * nodes
        waves = np.cos(np.asarray(x, np.float64)[..., None] * t + order * np.pi / 2)
        return np.sum(weights * t**order * waves, axis=-1)


_POLYGAMMA, _SINC = register(Polygamma()), register(Sinc())


@graph_function
def polygamma(n: int, x: Any) -> Tensor:
    """The n-th derivative of digamma; n is a Python int from 0 to 20.

    ∞ at the poles 0, −1, −2, … for odd n, NaN there for even n (at ±0 the limit from that side).

    >>> import mathnet as mn
    >>> mn.polygamma(1, [1.0, 2.0])
    array([1.64493407, 0.64493407])
    """
    if not isinstance(n, (int, np.integer)) or isinstance(n, bool) or not 0 <= n <= Polygamma.orders:
        raise ArgumentError(f"polygamma: n must be a whole number from 0 to {Polygamma.orders}, not {n!r}")
    return _POLYGAMMA(as_tensor(x, "polygamma: x"), order=int(n))


@graph_function
def digamma(x: Any) -> Tensor:
    """The derivative of log Γ(x); NaN at −1, −2, …, −∞ at 0.  Near its zero at 1.4616 exact to 1e−15.

    >>> import mathnet as mn
    >>> mn.digamma([1.0, 2.0])
    array([-0.57721566,  0.42278434])
    """
    return _POLYGAMMA(as_tensor(x, "digamma"), order=0)


@graph_function
def sinc(x: Any) -> Tensor:
    """sin(πx)/(πx), and 1 at 0, as in NumPy.  It has derivatives up to order 8.

    >>> import mathnet as mn
    >>> mn.sinc([0.0, 0.5])
    array([1.        , 0.63661977])
    """
    return _SINC(as_tensor(x, "sinc"), order=0)


class Gammainc(Elementwise):
    """Regularised lower incomplete gamma function P(a, x) = ∫₀ˣ tᵃ⁻¹ e⁻ᵗ dt / Γ(a), for a, x ≥ 0; broadcasting.

    It is the cumulative distribution function of Gamma(a, 1).  There is a derivative for x; asking for that for a is an error.
    For a up to 10⁶ by series and continued fraction, in some 10·√a steps; beyond by Temme's expansion.

    >>> import mathnet as mn
    >>> mn.gammainc([1.0, 2.0], 1.0)
    array([0.63212056, 0.26424112])
    """

    name, arity, opcode, result = "gammainc", 2, "gammainc", "float"
    formula, domain = "∫₀^y t^(x-1) exp(-t) dt / Γ(x)", "x ≥ 0, y ≥ 0"
    sample_range = (0.5, 4.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        a, x = inputs
        density = exp((a - 1.0) * log(x) - x - lgamma(a))
        return NoDerivative("gammainc: there is a derivative for its second argument only"), dy * density

    def oracle(self, a: np.ndarray, x: np.ndarray) -> np.ndarray:
        # t = x·s^(1/a) leaves a smooth integrand: P = x^a/Γ(a+1)·∫₀¹ exp(-x·s^(1/a)) ds; then s = u^4
        a, x = np.broadcast_arrays(np.asarray(a, np.float64), np.asarray(x, np.float64))
        u, weights = _gauss(200)
        s = np.exp(-x[..., None] * u ** (4 / a[..., None]))
        integral = np.sum(weights * 4 * u**3 * s, axis=-1)
        return x**a * integral / np.exp(np.vectorize(math.lgamma, otypes=[float])(a + 1))


class Gammaincc(Elementwise):
    """Regularised upper incomplete gamma function Q(a, x) = 1 − P(a, x), with all its digits also where it is tiny; see gammainc.

    >>> import mathnet as mn
    >>> mn.gammaincc([1.0, 2.0], 1.0)
    array([0.36787944, 0.73575888])
    """

    name, arity, opcode, result = "gammaincc", 2, "gammaincc", "float"
    formula, domain = "∫_y^∞ t^(x-1) exp(-t) dt / Γ(x)", "x ≥ 0, y ≥ 0"
    sample_range = (0.5, 4.0)

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        a, x = inputs
        density = exp((a - 1.0) * log(x) - x - lgamma(a))
        return NoDerivative("gammaincc: there is a derivative for its second argument only"), -dy * density

    def oracle(self, a: np.ndarray, x: np.ndarray) -> np.ndarray:
        return 1.0 - _GAMMAINC.oracle(a, x)


class Betainc(Elementwise):
    """Regularised incomplete beta function Iₓ(a, b) = ∫₀ˣ tᵃ⁻¹ (1 − t)ᵇ⁻¹ dt / B(a, b), for a, b > 0 and 0 ≤ x ≤ 1; broadcasting.

    It is the cumulative distribution function of Beta(a, b).  There is a derivative for x; asking for that for a or b is an error.
    By the continued fraction, in some √max(a, b) steps.

    >>> import mathnet as mn
    >>> mn.betainc(2.0, 2.0, [0.25, 0.5])
    array([0.15625, 0.5    ])
    """

    name, arity, opcode, result = "betainc", 3, "betainc", "float"
    formula, domain = "∫₀^z t^(x-1) (1-t)^(y-1) dt / B(x, y)", "x > 0, y > 0, 0 ≤ z ≤ 1"

    def partials(self, dy: Tensor, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> Partials:
        a, b, x = inputs
        log_beta = lgamma(a) + lgamma(b) - lgamma(a + b)
        density = exp((a - 1.0) * log(x) + (b - 1.0) * log1p(-x) - log_beta)
        missing = NoDerivative("betainc: there is a derivative for its third argument only")
        return missing, missing, dy * density

    def oracle(self, a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
        # t = x·s^(1/a): I = x^a/(a·B(a, b))·∫₀¹ (1 - x·s^(1/a))^(b-1) ds; then s = u^4
        a, b, x = np.broadcast_arrays(*[np.asarray(v, np.float64) for v in (a, b, x)])
        u, weights = _gauss(400)
        inner = (1 - x[..., None] * u ** (4 / a[..., None])) ** (b[..., None] - 1)
        integral = np.sum(weights * 4 * u**3 * inner, axis=-1)
        log_gamma = np.vectorize(math.lgamma, otypes=[float])
        return x**a / a * integral * np.exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b))

    def sample(self, shape: tuple[int, ...], seed: int) -> np.ndarray:
        low, high = (0.1, 0.8) if seed == 2 else (0.6, 4.0)
        return np.random.default_rng([7, seed]).uniform(low, high, shape)


@functools.cache
def _gauss(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss's rule on [0, 1]."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


_GAMMAINC, _GAMMAINCC, _BETAINC = register(Gammainc()), register(Gammaincc()), register(Betainc())


@graph_function
def gammainc(a: Any, x: Any) -> Tensor:
    return _GAMMAINC(as_tensor(a, "gammainc: a"), as_tensor(x, "gammainc: x"))


@graph_function
def gammaincc(a: Any, x: Any) -> Tensor:
    return _GAMMAINCC(as_tensor(a, "gammaincc: a"), as_tensor(x, "gammaincc: x"))


@graph_function
def betainc(a: Any, b: Any, x: Any) -> Tensor:
    return _BETAINC(*[as_tensor(v, f"betainc: {n}") for n, v in (("a", a), ("b", b), ("x", x))])


gammainc.__doc__, gammaincc.__doc__ = Gammainc.__doc__, Gammaincc.__doc__
betainc.__doc__ = Betainc.__doc__
