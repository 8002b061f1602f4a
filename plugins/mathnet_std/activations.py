"""Activation functions; x of any shape, float32 or float64."""

from typing import Any

import numpy as np

import mathnet as mn


@mn.activation("linear")
def linear(x: Any) -> Any:
    """y = x.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("linear")(np.array([-2.0, 0.0, 2.0]))
    array([-2.,  0.,  2.])
    """
    return x


@mn.activation("relu", name="ReLU")
def relu(x: Any) -> Any:
    """y = max(x, 0); the derivative at 0 is 0.

    Source: Nair and Hinton, Rectified Linear Units Improve Restricted Boltzmann Machines, ICML 2010.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("relu")(np.array([-2.0, 0.0, 2.0]))
    array([0., 0., 2.])
    """
    return mn.relu(x)


@mn.activation("leaky_relu", name="LeakyReLU")
def leaky_relu(x: Any, negative_slope: float = 0.01) -> Any:
    """y = x for x > 0, else negative_slope·x; the derivative at 0 is negative_slope.

    Source: Maas, Hannun and Ng, Rectifier Nonlinearities Improve Neural Network Acoustic Models, ICML 2013.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.LeakyReLU(0.1)(np.array([-2.0, 0.0, 2.0]))
    array([-0.2,  0. ,  2. ])
    """
    return mn.leaky_relu(x, negative_slope)


@mn.activation("relu6", name="ReLU6")
def relu6(x: Any) -> Any:
    """y = min(max(x, 0), 6); the derivative at 0 and 6 is 0.

    Source: Krizhevsky, Convolutional Deep Belief Networks on CIFAR-10, 2010.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("relu6")(np.array([-2.0, 2.0, 8.0]))
    array([0., 2., 6.])
    """
    return mn.relu6(x)


@mn.activation("elu", name="ELU")
def elu(x: Any, alpha: float = 1.0) -> Any:
    """y = x for x > 0, else α(eˣ − 1), α = alpha; the derivative at 0 is α.  Source: Clevert et al., 2016.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.ELU(alpha=0.5)(np.array([-2.0, 0.0, 2.0])).round(4)
    array([-0.4323,  0.    ,  2.    ])
    """
    return mn.elu(x, alpha)


@mn.activation("celu", name="CELU")
def celu(x: Any, alpha: float = 1.0) -> Any:
    """y = x for x > 0, else α(exp(x/α) − 1), α = alpha.  Source: Barron, 2017.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.CELU(alpha=0.5)(np.array([-2.0, 0.0, 2.0])).round(4)
    array([-0.4908,  0.    ,  2.    ])
    """
    return mn.celu(x, alpha)


@mn.activation("selu", name="SELU")
def selu(x: Any) -> Any:
    """y = 1.0507·x for x > 0, else 1.7581·(eˣ − 1).  Source: Klambauer et al., 2017.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("selu")(np.array([-2.0, 0.0, 2.0])).round(4)
    array([-1.5202,  0.    ,  2.1014])
    """
    return mn.selu(x)


@mn.activation("gelu", name="GELU")
def gelu(x: Any, approximate: str = "none") -> Any:
    """y = x·Φ(x), Φ the normal distribution function; approximate="tanh": ½x(1 + tanh(√(2/π)(x + 0.044715x³))).

    Source: Hendrycks and Gimpel, 2016.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("gelu")(np.array([-2.0, 0.0, 2.0])).round(4)
    array([-0.0455,  0.    ,  1.9545])
    """
    return mn.gelu(x, approximate)


@mn.activation("silu", name="SiLU")
def silu(x: Any) -> Any:
    """y = x·σ(x).  Source: Elfwing et al., 2018.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("silu")(np.array([-2.0, 0.0, 2.0])).round(4)
    array([-0.2384,  0.    ,  1.7616])
    """
    return mn.silu(x)


@mn.activation("swish", yields=True)
def swish(x: Any) -> Any:
    """y = x·σ(x): silu by its other name.  Source: Ramachandran et al., Searching for Activation Functions, 2017.

    It gives way to an activation of a plugin with this key, such as one with a setting β.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("swish")(np.array([-2.0, 0.0, 2.0])).round(4)
    array([-0.2384,  0.    ,  1.7616])
    """
    return mn.silu(x)


@mn.activation("mish")
def mish(x: Any) -> Any:
    """y = x·tanh(log(1 + eˣ)).  Source: Misra, 2019.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("mish")(np.array([-2.0, 0.0, 2.0])).round(4)
    array([-0.2525,  0.    ,  1.944 ])
    """
    return mn.mish(x)


@mn.activation("softsign")
def softsign(x: Any) -> Any:
    """y = x/(1 + |x|).

    Source: Bergstra et al., Quadratic Polynomials Learn Better Image Features, 2009.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("softsign")(np.array([-1.0, 0.0, 3.0]))
    array([-0.5 ,  0.  ,  0.75])
    """
    return mn.softsign(x)


@mn.activation("hard_tanh")
def hard_tanh(x: Any, min_val: float = -1.0, max_val: float = 1.0) -> Any:
    """y = x limited to [min_val, max_val]; the derivative on the limits is 0.

    Source: Collobert, Large Scale Machine Learning, 2004.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.HardTanh(max_val=0.5)(np.array([-2.0, 0.0, 2.0]))
    array([-1. ,  0. ,  0.5])
    """
    return mn.hard_tanh(x, min_val, max_val)


@mn.activation("hard_sigmoid")
def hard_sigmoid(x: Any) -> Any:
    """y = x/6 + ½ limited to [0, 1]; the derivative at ±3 is 0.

    Source: Courbariaux et al., BinaryConnect, 2015 (there with slope ½); in this form Howard et al., Searching for MobileNetV3,
    2019.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("hard_sigmoid")(np.array([-4.0, 0.0, 1.5]))
    array([0.  , 0.5 , 0.75])
    """
    return mn.hard_sigmoid(x)


@mn.activation("hard_swish")
def hard_swish(x: Any) -> Any:
    """y = x·hard_sigmoid(x); the derivative is 0 at −3 and 1 at 3.  Source: Howard et al., 2019.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("hard_swish")(np.array([-4.0, 1.5, 4.0]))
    array([0.   , 1.125, 4.   ])
    """
    return mn.hard_swish(x)


@mn.activation("log_sigmoid")
def log_sigmoid(x: Any) -> Any:
    """y = −log(1 + e⁻ˣ).

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("log_sigmoid")(np.array([-2.0, 0.0, 2.0])).round(4)
    array([-2.1269, -0.6931, -0.1269])
    """
    return mn.log_sigmoid(x)


@mn.activation("tanh_shrink")
def tanh_shrink(x: Any) -> Any:
    """y = x − tanh x.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("tanh_shrink")(np.array([-2.0, 0.0, 2.0])).round(4)
    array([-1.036,  0.   ,  1.036])
    """
    return mn.tanh_shrink(x)


@mn.activation("tanh")
def tanh(x: Any) -> Any:
    """y = tanh x.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("tanh")(np.array([-2.0, 0.0, 2.0])).round(4)
    array([-0.964,  0.   ,  0.964])
    """
    return mn.tanh(x)


@mn.activation("sigmoid")
def sigmoid(x: Any) -> Any:
    """y = σ(x) = 1/(1 + e⁻ˣ).

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("sigmoid")(np.array([-2.0, 0.0, 2.0])).round(4)
    array([0.1192, 0.5   , 0.8808])
    """
    return mn.sigmoid(x)


@mn.activation("softplus")
def softplus(x: Any, beta: float = 1.0, threshold: float | None = None) -> Any:
    """y = log(1 + exp(βx))/β, and y = x where βx > threshold.

    β > 0.  No x overflows, so that there is no threshold by default (as in Keras); PyTorch's is 20.

    Source: Dugas et al., Incorporating Second-Order Functional Knowledge for Better Option Pricing, NeurIPS 2000.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("softplus")(np.array([-2.0, 0.0, 2.0])).round(4)
    array([0.1269, 0.6931, 2.1269])
    """
    if not beta > 0:
        raise mn.ArgumentError(f"softplus: beta must be a number above 0, not {beta!r}")
    y = mn.softplus(x) if beta == 1.0 else mn.softplus(beta * x) / beta
    return y if threshold is None else mn.where(beta * x > threshold, x, y)


@mn.activation("squareplus")
def squareplus(x: Any, b: float = 4.0) -> Any:
    """y = (x + √(x² + b))/2, a relu rounded off as softplus is, without exponentials.

    b ≥ 0: the width of the bend; b = 0 is relu.  Source: Barron, Squareplus: A Softplus-Like Algebraic Rectifier, 2021.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("squareplus")(np.array([-1.5, 0.0, 1.5]))
    array([0.5, 1. , 2. ])
    """
    if b < 0:
        raise mn.ArgumentError(f"squareplus: b must be a number from 0, not {b!r}")
    if b == 0:
        return mn.relu(x)
    root = mn.sqrt(mn.square(x) + b)
    # on the left the sum cancels: there it is its product with √(x² + b) − x, which is b, over that difference
    return mn.where(x > 0, 0.5 * (x + root), 0.5 * b / (root - mn.where(x > 0, 0.0, x)))


@mn.activation("exponential")
def exponential(x: Any) -> Any:
    """y = eˣ.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("exponential")(np.array([-1.0, 0.0, 1.0])).round(4)
    array([0.3679, 1.    , 2.7183])
    """
    return mn.exp(x)


@mn.activation("softmax")
def softmax(x: Any, axis: int = -1) -> Any:
    """y = eˣ / Σ eˣ along ``axis``.

    Source: Bridle, Probabilistic Interpretation of Feedforward Classification Network Outputs, 1990.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("softmax")(np.array([0.0, 1.0, 2.0])).round(4)
    array([0.09  , 0.2447, 0.6652])
    """
    return mn.softmax(x, axis=axis)


@mn.activation("log_softmax")
def log_softmax(x: Any, axis: int = -1) -> Any:
    """y = x − log Σ eˣ along ``axis``.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("log_softmax")(np.array([0.0, 1.0, 2.0])).round(4)
    array([-2.4076, -1.4076, -0.4076])
    """
    return mn.log_softmax(x, axis=axis)


@mn.activation("softmin")
def softmin(x: Any, axis: int = -1) -> Any:
    """y = e⁻ˣ / Σ e⁻ˣ along ``axis``: the smallest number has the largest share.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("softmin")(np.array([0.0, 1.0, 2.0])).round(4)
    array([0.6652, 0.2447, 0.09  ])
    """
    return mn.softmax(-x, axis=axis)


@mn.activation("sparsemax")
def sparsemax(x: Any, axis: int = -1) -> Any:
    """y = max(x − τ, 0) with τ such that Σ y = 1 along ``axis``: probabilities of which many are exactly 0.

    It is the point of the simplex that is nearest to x.  Where an element is on the edge of the support, its derivative is that of an
    element outside.  Source: Martins and Astudillo, From Softmax to Sparsemax, ICML 2016.

    >>> import numpy as np, mathnet as mn
    >>> mn.activations.get("sparsemax")(np.array([0.1, 1.0, 1.5]))
    array([0.  , 0.25, 0.75])
    """
    axis = axis % len(x.shape)
    size = x.shape[axis]
    fixed = mn.stop_gradient(x) - mn.max(mn.stop_gradient(x), axis=axis, keepdims=True)
    ordered = mn.sort(fixed, axis=axis, descending=True)
    shape = tuple(size if k == axis else 1 for k in range(len(x.shape)))
    rank = np.arange(1, size + 1).reshape(shape).astype(x.dtype)
    inside = mn.cast(1.0 + rank * ordered > mn.cumsum(ordered, axis=axis), x.dtype)
    count = mn.sum(inside, axis=axis, keepdims=True)
    edge = (mn.sum(ordered * inside, axis=axis, keepdims=True) - 1.0) / count
    support = mn.cast(fixed > edge, x.dtype)  # the derivative goes through the mean of these elements alone
    shifted = x - mn.sum(x * support, axis=axis, keepdims=True) / mn.sum(support, axis=axis, keepdims=True)
    return mn.relu(shifted + 1.0 / mn.sum(support, axis=axis, keepdims=True)) * support
