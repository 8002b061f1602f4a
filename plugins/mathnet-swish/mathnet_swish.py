"""The plugin of mathnet's tutorial: one file, no compiler."""

import mathnet as mn


@mn.activation("swish")
def swish(x, beta=1.0):
    """x·σ(βx) (Ramachandran et al., 2017)."""
    return x * mn.sigmoid(beta * x)


@mn.regularizer("group_lasso")
def group_lasso(w, strength=1e-3):
    """Sum over columns of their norms (Yuan & Lin, 2006): whole columns become zero."""
    return strength * mn.sum(mn.sqrt(mn.sum(mn.square(w), axis=0) + 1e-12))


@mn.loss("poly1")
def poly1(y_pred, y_true, epsilon=1.0):
    """−log p + ε(1 − p), p the probability of the true class (Leng et al., 2022)."""
    loss = mn.cross_entropy(y_pred, y_true)
    return loss + epsilon * (1.0 - mn.exp(-loss))


@mn.optimizer("signum")
class Signum:
    """Steps of one size by the sign of a running mean of gradients (Bernstein et al., 2018)."""

    def __init__(self, learning_rate=1e-4, momentum=0.9):
        self.learning_rate, self.momentum = learning_rate, momentum

    def init(self, param):
        return {"m": mn.zeros_like(param)}

    def update(self, param, grad, state, learning_rate):
        new_m = self.momentum * state["m"] + (1 - self.momentum) * grad
        return param - learning_rate * mn.sign(new_m), {"m": new_m}


@mn.layer("highway")
class Highway(mn.Layer):
    """T(x)·H(x) + (1 − T(x))·x (Srivastava et al., 2015)."""

    def __init__(self, activation="relu", name=None):
        self.activation = mn.activations.get(activation)

    def build(self, input_shape):
        d = input_shape[-1]
        self.w = self.param("kernel", (d, d), "glorot_uniform")
        self.b = self.param("bias", (d,), "zeros")
        self.wt = self.param("gate_kernel", (d, d), "glorot_uniform")
        self.bt = self.param("gate_bias", (d,), mn.initializers.Constant(-1.0))

    def call(self, x, training=False):
        h = self.activation(x @ self.w + self.b)
        t = mn.sigmoid(x @ self.wt + self.bt)
        return t * h + (1 - t) * x


@mn.hookimpl
def mathnet_activations():
    return [swish]


@mn.hookimpl
def mathnet_regularizers():
    return [group_lasso]


@mn.hookimpl
def mathnet_losses():
    return [poly1]


@mn.hookimpl
def mathnet_optimizers():
    return [Signum]


@mn.hookimpl
def mathnet_layers():
    return [Highway]
