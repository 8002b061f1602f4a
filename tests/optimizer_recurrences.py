"""Textbook recurrences of optimizers in float64 NumPy: f(start, gradients, settings) → the point after all steps."""

import math

import numpy as np


def amsgrad(p, grads, lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0):
    m, v, top = np.zeros_like(p), np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        g = g + weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        top = np.maximum(top, v)
        p = p - lr * (m / (1 - beta1**t)) / (np.sqrt(top / (1 - beta2**t)) + epsilon)
    return p


def _decayed(p, g, lr, weight_decay, decoupled):
    return (p - lr * weight_decay * p, g) if decoupled else (p, g + weight_decay * p)


def nadam(
    p, grads, lr=2e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0, psi=4e-3, decoupled=False
):
    m, v, product = np.zeros_like(p), np.zeros_like(p), 1.0
    for t, g in enumerate(grads, 1):
        p, g = _decayed(p, g, lr, weight_decay, decoupled)
        mu, following = (beta1 * (1 - 0.5 * math.pow(0.96, k * psi)) for k in (t, t + 1))
        product *= mu
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat = following * m / (1 - product * following) + (1 - mu) * g / (1 - product)
        p = p - lr * m_hat / (np.sqrt(v / (1 - beta2**t)) + epsilon)
    return p


def radam(p, grads, lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0, decoupled=False):
    m, v = np.zeros_like(p), np.zeros_like(p)
    limit = 2 / (1 - beta2) - 1
    for t, g in enumerate(grads, 1):
        p, g = _decayed(p, g, lr, weight_decay, decoupled)
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        m_hat = m / (1 - beta1**t)
        rho = limit - 2 * t * beta2**t / (1 - beta2**t)
        if rho > 5:
            r = math.sqrt((rho - 4) * (rho - 2) * limit / ((limit - 4) * (limit - 2) * rho))
            p = p - lr * r * m_hat * math.sqrt(1 - beta2**t) / (np.sqrt(v) + epsilon)
        else:
            p = p - lr * m_hat
    return p


def adamax(p, grads, lr=2e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.0):
    m, u = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        g = g + weight_decay * p
        m = beta1 * m + (1 - beta1) * g
        u = np.maximum(beta2 * u, np.abs(g) + epsilon)
        p = p - lr / (1 - beta1**t) * m / u
    return p


def adagrad(p, grads, lr=1e-2, rate_decay=0.0, initial=0.0, epsilon=1e-10, weight_decay=0.0):
    total = np.full_like(p, initial)
    for t, g in enumerate(grads):
        g = g + weight_decay * p
        total = total + g * g
        p = p - lr / (1 + t * rate_decay) * g / (np.sqrt(total) + epsilon)
    return p


def adadelta(p, grads, lr=1.0, rho=0.9, epsilon=1e-6, weight_decay=0.0):
    square, change = np.zeros_like(p), np.zeros_like(p)
    for g in grads:
        g = g + weight_decay * p
        square = rho * square + (1 - rho) * g * g
        delta = g * np.sqrt((change + epsilon) / (square + epsilon))
        change = rho * change + (1 - rho) * delta * delta
        p = p - lr * delta
    return p


def rprop(p, grads, lr=1e-2, lower=0.5, raise_by=1.2, smallest=1e-6, largest=50.0):
    p = p.copy()
    size, previous = np.full_like(p, lr), np.zeros_like(p)
    for given in grads:
        g = given.copy()
        for i in np.ndindex(p.shape):
            if g[i] * previous[i] > 0:
                size[i] = min(size[i] * raise_by, largest)
            elif g[i] * previous[i] < 0:
                size[i] = max(size[i] * lower, smallest)
                g[i] = 0.0
            p[i] -= np.sign(g[i]) * size[i]
        previous = g
        p = p.copy()
    return p


def lion(p, grads, lr=1e-4, beta1=0.9, beta2=0.99, weight_decay=0.0):
    m = np.zeros_like(p)
    for g in grads:
        p = p - lr * (np.sign(beta1 * m + (1 - beta1) * g) + weight_decay * p)
        m = beta2 * m + (1 - beta2) * g
    return p


def lamb(p, grads, lr=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-6, weight_decay=0.0):
    m, v = np.zeros_like(p), np.zeros_like(p)
    for t, g in enumerate(grads, 1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        u = m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + epsilon) + weight_decay * p
        size, length = np.linalg.norm(p), np.linalg.norm(u)
        p = p - lr * (size / length if size > 0 and length > 0 else 1.0) * u
    return p


def muon(p, grads, lr=1e-3, momentum=0.95, nesterov=True, iterations=5, weight_decay=0.1, epsilon=1e-7):
    """The odd polynomial of the matrix is that of its singular values: no product of matrices is needed."""
    b = np.zeros_like(p)
    for g in grads:
        b = momentum * b + (1 - momentum) * g
        moved = (1 - momentum) * g + momentum * b if nesterov else b
        u, s, vt = np.linalg.svd(moved, full_matrices=False)
        s = s / max(np.sqrt(np.sum(s * s)), epsilon)
        for _ in range(iterations):
            s = 3.4445 * s - 4.775 * s**3 + 2.0315 * s**5
        p = p * (1 - lr * weight_decay) - lr * math.sqrt(max(1, p.shape[1] / p.shape[0])) * (u * s) @ vt
    return p


def proximal_sgd(p, grads, lr=1e-2, l1=1e-3, momentum=0.0):
    v = np.zeros_like(p)
    for g in grads:
        v = momentum * v + g
        z = p - lr * v
        p = np.where(z > lr * l1, z - lr * l1, np.where(z < -lr * l1, z + lr * l1, 0.0))
    return p


#: (key, settings, recurrence, its arguments)
CASES = [
    ("amsgrad", {}, amsgrad, {}),
    ("amsgrad", {"beta2": 0.5, "weight_decay": 0.1}, amsgrad, {"beta2": 0.5, "weight_decay": 0.1}),
    ("nadam", {}, nadam, {}),
    ("nadam", {"learning_rate": 0.1, "momentum_decay": 0.3, "weight_decay": 0.1, "decoupled": True},
     nadam, {"lr": 0.1, "psi": 0.3, "weight_decay": 0.1, "decoupled": True}),
    ("radam", {}, radam, {}),
    ("radam", {"learning_rate": 0.1, "beta2": 0.9, "weight_decay": 0.1}, radam, {"lr": 0.1, "beta2": 0.9, "weight_decay": 0.1}),
    ("radam", {"beta2": 0.6, "weight_decay": 0.1, "decoupled": True}, radam, {"beta2": 0.6, "weight_decay": 0.1, "decoupled": True}),
    ("adamax", {}, adamax, {}),
    ("adamax", {"beta2": 0.7, "weight_decay": 0.2}, adamax, {"beta2": 0.7, "weight_decay": 0.2}),
    ("adagrad", {}, adagrad, {}),
    ("adagrad", {"rate_decay": 0.1, "initial": 0.5, "weight_decay": 0.1},
     adagrad, {"rate_decay": 0.1, "initial": 0.5, "weight_decay": 0.1}),
    ("adadelta", {}, adadelta, {}),
    ("adadelta", {"rho": 0.5, "weight_decay": 0.1}, adadelta, {"rho": 0.5, "weight_decay": 0.1}),
    ("rprop", {}, rprop, {}),
    ("rprop", {"learning_rate": 0.1, "smallest": 0.08, "largest": 0.15}, rprop, {"lr": 0.1, "smallest": 0.08, "largest": 0.15}),
    ("lion", {}, lion, {}),
    ("lion", {"learning_rate": 0.01, "weight_decay": 0.5}, lion, {"lr": 0.01, "weight_decay": 0.5}),
    ("lamb", {}, lamb, {}),
    ("lamb", {"learning_rate": 0.05, "weight_decay": 0.1}, lamb, {"lr": 0.05, "weight_decay": 0.1}),
    ("muon", {}, muon, {}),
    ("muon", {"learning_rate": 0.02, "nesterov": False, "iterations": 3, "weight_decay": 0.0},
     muon, {"lr": 0.02, "nesterov": False, "iterations": 3, "weight_decay": 0.0}),
    ("proximal_sgd", {}, proximal_sgd, {}),
    ("proximal_sgd", {"l1": 2.0, "momentum": 0.5}, proximal_sgd, {"l1": 2.0, "momentum": 0.5}),
]  # fmt: skip
