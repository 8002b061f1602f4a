"""Activation functions; x of any shape, float32 or float64."""

import math
from typing import Any

import mathnet as mn


@mn.activation("linear")
def linear(x: Any) -> Any:
    """y = x."""
    return x


@mn.activation("relu", name="ReLU")
def relu(x: Any) -> Any:
    """y = max(x, 0); the derivative at 0 is 0."""
    return mn.relu(x)


@mn.activation("leaky_relu", name="LeakyReLU")
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """y = x for x > 0, else negative_slope·x; the derivative at 0 is negative_slope."""
    return mn.where(x > 0.0, x, negative_slope * x)


@mn.activation("elu", name="ELU")
def elu(x: Any, alpha: float = 1.0) -> Any:
    """y = x for x > 0, else α(eˣ − 1); the derivative at 0 is α.  Source: Clevert et al., 2016."""
    return mn.where(x > 0.0, x, alpha * mn.expm1(mn.minimum(x, 0.0)))


@mn.activation("gelu", name="GELU")
def gelu(x: Any, approximate: str = "none") -> Any:
    """y = x·Φ(x), Φ the normal distribution function; approximate="tanh": ½x(1 + tanh(√(2/π)(x + 0.044715x³))).

    Source: Hendrycks and Gimpel, 2016.
    """
    if approximate == "tanh":
        return 0.5 * x * (1.0 + mn.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x * x * x)))
    if approximate != "none":
        raise mn.ArgumentError(f"gelu: approximate must be 'none' or 'tanh', not {approximate!r}")
    return 0.5 * x * (1.0 + mn.erf(x * math.sqrt(0.5)))


@mn.activation("silu", name="SiLU")
def silu(x: Any) -> Any:
    """y = x·σ(x).  Source: Elfwing et al., 2018."""
    return x * mn.sigmoid(x)


@mn.activation("tanh")
def tanh(x: Any) -> Any:
    """y = tanh x."""
    return mn.tanh(x)


@mn.activation("sigmoid")
def sigmoid(x: Any) -> Any:
    """y = σ(x) = 1/(1 + e⁻ˣ)."""
    return mn.sigmoid(x)


@mn.activation("softplus")
def softplus(x: Any) -> Any:
    """y = log(1 + eˣ)."""
    return mn.softplus(x)


@mn.activation("softmax")
def softmax(x: Any, axis: int = -1) -> Any:
    """y = eˣ / Σ eˣ along ``axis``."""
    return mn.softmax(x, axis=axis)


@mn.activation("log_softmax")
def log_softmax(x: Any, axis: int = -1) -> Any:
    """y = x − log Σ eˣ along ``axis``."""
    return mn.log_softmax(x, axis=axis)
