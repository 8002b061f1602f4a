"""BatchNorm, LayerNorm, RMSNorm, GroupNorm, InstanceNorm: values brought to mean 0 and variance 1."""

from collections.abc import Callable
from typing import Any

import numpy as np

import mathnet as mn
from mathnet_std.layers.arguments import number, positive


def _epsilon(layer: str, value: Any) -> float:
    return number(layer, "epsilon", value, "a positive number", lambda x: x > 0)


def _axis(axis: int, rank: int) -> int:
    if not -rank <= axis < rank or axis % rank == 0:
        raise mn.ShapeError(f"axis={axis} is no axis of an input with {rank} axes, the batch axis aside")
    return axis % rank


class _Affine(mn.Layer):
    """Common parts: gamma, which scales, and beta, which shifts, each by (initializer, regularizer, constraint), or None for neither."""

    def _take(self, gamma: tuple | None, beta: tuple | None) -> None:
        self._gamma, self._beta = gamma, beta

    def _weights(self, shape: tuple) -> None:
        self.gamma = None if self._gamma is None else self.param("gamma", shape, *self._gamma)
        self.beta = None if self._beta is None else self.param("beta", shape, *self._beta)


@mn.layer("batch_norm")
class BatchNorm(_Affine):
    """y = (x − mean) / √(variance + epsilon) · gamma + beta, with one mean and variance for each position along ``axis``.

    In training they are those of the batch, over all other axes, and the running values follow: moving = momentum · moving +
    (1 − momentum) · batch, the variance in its unbiased form (as in PyTorch, whose momentum is 1 − this one).  Otherwise the running
    values are used.  gamma, beta (C) are trained; moving_mean, moving_variance (C) are statistics, saved with the model.  A layer used
    twice in a step updates them twice, in order.  While gamma and beta are not trainable, training uses the running values too and
    leaves them as they are (as in Keras).

    Parameters
    ----------
    axis: of the channels; 1 by default.  An input with three axes may be (N, C, T) or (N, T, features), so there it must be given.
    momentum: how much of the running value is kept.
    epsilon: added to the variance.
    center, scale: whether beta and gamma are there.
    beta_…, gamma_…: their initializer, regularizer and constraint.

    Source: Ioffe and Szegedy, Batch Normalization, 2015.

    >>> import mathnet as mn
    >>> mn.layers.BatchNorm()(mn.Input((8, 28, 28))).shape
    (batch, 8, 28, 28)
    >>> mn.layers.BatchNorm(axis=-1)(mn.Input((100, 16))).shape
    (batch, 100, 16)
    """

    def __init__(
        self,
        axis: int | None = None,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        if axis is not None and (isinstance(axis, bool) or not isinstance(axis, (int, np.integer))):
            raise mn.ArgumentError(f"BatchNorm: axis must be an integer, not {axis!r}")
        self.axis = axis
        self.momentum = number(
            "BatchNorm", "momentum", momentum, "a number from 0 to 1", lambda x: 0 <= x <= 1
        )
        self.epsilon = _epsilon("BatchNorm", epsilon)
        gamma = (gamma_initializer, gamma_regularizer, gamma_constraint) if scale else None
        beta = (beta_initializer, beta_regularizer, beta_constraint) if center else None
        self._take(gamma, beta)

    def build(self, input_shape: tuple) -> None:
        if isinstance(input_shape, list) or len(input_shape) < 2:
            raise mn.ShapeError("the input must be one tensor with at least two axes, (batch, channels)")
        if self.axis is None and len(input_shape) == 3:
            raise mn.ShapeError(
                "an input with three axes may be (batch, channels, time) or (batch, time, features): "
                "say which with BatchNorm(axis=1) or BatchNorm(axis=-1)"
            )
        shape = (input_shape[self._channels(len(input_shape))],)
        self._weights(shape)
        self.moving_mean = self.state("moving_mean", shape, "zeros")
        self.moving_variance = self.state("moving_variance", shape, "ones")

    def _channels(self, rank: int) -> int:
        return _axis(1 if self.axis is None else self.axis, rank)

    def call(self, x: Any, training: bool = False) -> Any:
        axis = self._channels(x.ndim)
        settings = {"weight": self.gamma, "bias": self.beta, "axis": axis, "eps": self.epsilon}
        frozen = bool(self.parameters) and not any(weight.trainable for weight in self.parameters)
        if not training or frozen:
            return mn.batch_norm(x, self.moving_mean, self.moving_variance, **settings)
        y, mean, variance = mn.batch_norm(x, **settings, return_moments=True)
        for state, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            self.assign(state, state * self.momentum + mn.stop_gradient(value) * (1.0 - self.momentum))
        return y


class _Moved(_Affine):
    """Normalisation over given axes, which the operation ``normalized(x, sizes)`` of a subclass wants last."""

    axis: tuple[int, ...]
    normalized: Callable[[Any, tuple], Any]

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        kind = type(self).__name__
        axes = tuple(axis) if isinstance(axis, (tuple, list)) else (axis,)
        if not axes or any(isinstance(a, bool) or not isinstance(a, (int, np.integer)) for a in axes):
            raise mn.ArgumentError(f"{kind}: axis must be an integer or a tuple of them, not {axis!r}")
        self.axis, self.epsilon = axes, _epsilon(kind, epsilon)
        gamma = (gamma_initializer, gamma_regularizer, gamma_constraint) if scale else None
        beta = (beta_initializer, beta_regularizer, beta_constraint) if center else None
        self._take(gamma, beta)

    def build(self, input_shape: tuple) -> None:
        if isinstance(input_shape, list) or len(input_shape) < 2:
            raise mn.ShapeError("the input must be one tensor with at least two axes, (batch, features)")
        self._weights(tuple(input_shape[a] for a in self._axes(len(input_shape))))

    def _axes(self, rank: int) -> tuple[int, ...]:
        return tuple(sorted({_axis(a, rank) for a in self.axis}))

    def call(self, x: Any) -> Any:
        axes = self._axes(x.ndim)
        last = tuple(range(x.ndim - len(axes), x.ndim))
        moved = x if axes == last else mn.moveaxis(x, axes, last)
        y = self.normalized(moved, tuple(x.shape[a] for a in axes))
        return y if axes == last else mn.moveaxis(y, last, axes)


@mn.layer("layer_norm")
class LayerNorm(_Moved):
    """y = (x − mean) / √(variance + epsilon) · gamma + beta over the axes ``axis`` of each example.

    axis: int or tuple, the last by default; epsilon, center, scale, beta_…, gamma_…: as in BatchNorm.  gamma, beta have the sizes of
    these axes.  Source: Ba, Kiros and Hinton, Layer Normalization, 2016.

    >>> import mathnet as mn
    >>> mn.layers.LayerNorm()(mn.Input((100, 16))).shape
    (batch, 100, 16)
    """

    def normalized(self, x: Any, shape: tuple) -> Any:
        return mn.layer_norm(x, shape, self.gamma, self.beta, eps=self.epsilon)


@mn.layer("rms_norm")
class RMSNorm(_Moved):
    """y = x / √(mean x² + epsilon) · gamma over the axes ``axis`` of each example.

    axis: int or tuple, the last by default; epsilon, scale, gamma_…: as in BatchNorm.
    Source: Zhang and Sennrich, Root Mean Square Layer Normalization, 2019.

    >>> import mathnet as mn
    >>> mn.layers.RMSNorm()(mn.Input((100, 16))).shape
    (batch, 100, 16)
    """

    def __init__(
        self,
        axis: Any = -1,
        epsilon: float = 1e-6,
        scale: bool = True,
        gamma_initializer: Any = "ones",
        gamma_regularizer: Any = None,
        gamma_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        super().__init__(
            axis, epsilon, center=False, scale=scale, gamma_initializer=gamma_initializer,
            gamma_regularizer=gamma_regularizer, gamma_constraint=gamma_constraint,
        )  # fmt: skip

    def normalized(self, x: Any, shape: tuple) -> Any:
        return mn.rms_norm(x, shape, self.gamma, eps=self.epsilon)


class _ByChannel(_Affine):
    """Normalisation of channels on axis 1."""

    least: int

    def build(self, input_shape: tuple) -> None:
        if isinstance(input_shape, list) or len(input_shape) < self.least:
            raise mn.ShapeError(
                f"the input must be one tensor with at least {self.least} axes, (batch, channels, …)"
            )
        self._weights((input_shape[1],))


@mn.layer("group_norm")
class GroupNorm(_ByChannel):
    """Each example's channels in ``groups`` groups of mean 0 and variance 1, then · gamma + beta for each channel.

    x (N, C, …); gamma, beta (C); groups divides C; other arguments as in BatchNorm.  Source: Wu and He, Group Normalization, 2018.

    >>> import mathnet as mn
    >>> mn.layers.GroupNorm(4)(mn.Input((8, 28, 28))).shape
    (batch, 8, 28, 28)
    """

    least = 2

    def __init__(
        self,
        groups: int = 32,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        self.groups = positive("GroupNorm", "groups", groups)
        self.epsilon = _epsilon("GroupNorm", epsilon)
        gamma = (gamma_initializer, gamma_regularizer, gamma_constraint) if scale else None
        beta = (beta_initializer, beta_regularizer, beta_constraint) if center else None
        self._take(gamma, beta)

    def call(self, x: Any) -> Any:
        return mn.group_norm(x, self.groups, self.gamma, self.beta, eps=self.epsilon)


@mn.layer("instance_norm")
class InstanceNorm(_ByChannel):
    """Each channel of each example brought to mean 0 and variance 1, then · gamma + beta.

    x (N, C, …) with at least three axes; gamma, beta (C); arguments as in BatchNorm.
    Source: Ulyanov, Vedaldi and Lempitsky, Instance Normalization, 2016.

    >>> import mathnet as mn
    >>> mn.layers.InstanceNorm()(mn.Input((8, 28, 28))).shape
    (batch, 8, 28, 28)
    """

    least = 3

    def __init__(
        self,
        epsilon: float = 1e-5,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        name: str | None = None,
    ) -> None:
        self.epsilon = _epsilon("InstanceNorm", epsilon)
        gamma = (gamma_initializer, gamma_regularizer, gamma_constraint) if scale else None
        beta = (beta_initializer, beta_regularizer, beta_constraint) if center else None
        self._take(gamma, beta)

    def call(self, x: Any) -> Any:
        return mn.instance_norm(x, self.gamma, self.beta, eps=self.epsilon)
