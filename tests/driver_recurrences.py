"""Drivers written out with dense matrices in float64 NumPy: what ``minimize`` must do, step by step."""

import numpy as np
from mathnet_std.optimizers.line_search import Trial, strong_wolfe


class Bowl:
    """½ t·A t − b·t + ¼ Σ t⁴, convex and not quadratic, as a driver sees a batch."""

    def __init__(self):
        rng = np.random.default_rng(7)
        root = rng.standard_normal((4, 4))
        self.matrix, self.slope = root @ root.T + 0.5 * np.eye(4), 5.0 * rng.standard_normal(4)
        self.start = 2.0 * rng.standard_normal(4)

    def value(self, t):
        return 0.5 * t @ self.matrix @ t - self.slope @ t + 0.25 * np.sum(t**4)

    def gradient(self, t):
        return self.matrix @ t - self.slope + t**3

    def hessian(self, t):
        return self.matrix + np.diag(3.0 * t**2)

    def __call__(self, t):
        return float(self.value(t)), self.gradient(t)

    def hvp(self, t, v):
        return self.hessian(t) @ v

    ggn = hvp


def lbfgs(f, t, history=10):
    """One quasi-Newton step at a time, H rebuilt from the pairs by the BFGS formula (Nocedal and Wright, 6.17)."""
    pairs = []
    while True:
        g = f.gradient(t)
        if np.abs(g).max() <= 1e-9:
            yield t
            continue
        inverse = np.eye(len(t))
        if pairs:
            s, y = pairs[-1]
            inverse *= (s @ y) / (y @ y)
        for s, y in pairs:
            turn = np.eye(len(t)) - np.outer(s, y) / (s @ y)
            inverse = turn @ inverse @ turn.T + np.outer(s, s) / (s @ y)
        d = -inverse @ g

        def along(a, t=t, d=d):
            return Trial(a, float(f.value(t + a * d)), float(f.gradient(t + a * d) @ d), None)

        first = 1.0 if pairs else min(1.0, 1.0 / np.abs(g).sum())
        a = strong_wolfe(along, Trial(0.0, float(f.value(t)), float(g @ d), None), first, 1e-4, 0.9, 25).step
        pairs = [*pairs, (a * d, f.gradient(t + a * d) - g)][-history:]
        t = t + a * d
        yield t


def subspace_minimum(hessian, g, dimension):
    """argmin g·p + ½ p·H p over the Krylov space span(g, Hg, …): what conjugate gradients reach in as many iterations."""
    basis = [g]
    for _ in range(dimension - 1):
        basis.append(hessian @ basis[-1])
    q = np.linalg.qr(np.transpose(basis))[0]
    return q @ np.linalg.solve(q.T @ hessian @ q, -q.T @ g)


def newton_cg(f, t, radius=1.0):
    while True:
        g, hessian = f.gradient(t), f.hessian(t)
        if np.abs(g).max() <= 1e-9:
            yield t
            continue
        size = np.linalg.norm(g)
        moved = False
        while not moved:
            p = np.zeros_like(t)
            for dimension in range(1, len(t) + 1):
                before, p = p, subspace_minimum(hessian, g, dimension)
                if np.linalg.norm(p) >= radius:  # back to the border on the way from one to the other
                    d = p - before
                    a, b, c = d @ d, 2 * before @ d, before @ before - radius**2
                    p = before + (-b + np.sqrt(b * b - 4 * a * c)) / (2 * a) * d
                    break
                if np.linalg.norm(g + hessian @ p) <= min(0.5, np.sqrt(size)) * size:
                    break
            ratio = (f.value(t) - f.value(t + p)) / -(g @ p + 0.5 * p @ hessian @ p)
            length = np.linalg.norm(p)
            if ratio < 0.25:
                radius = 0.25 * length
            elif ratio > 0.75 and length >= 0.99 * radius:
                radius = min(2.0 * radius, 1000.0)
            moved = ratio > 1e-4
        t = t + p
        yield t


def levenberg_marquardt(f, t, damping=1e-3):
    while True:
        g, hessian, raising = f.gradient(t), f.hessian(t), 2.0
        if np.abs(g).max() <= 1e-9:
            yield t
            continue
        while True:
            p = -np.linalg.solve(hessian + damping * np.eye(len(t)), g)
            ratio = (f.value(t) - f.value(t + p)) / -(g @ p + 0.5 * p @ hessian @ p)
            if ratio > 0.0:
                damping *= max(1 / 3, 1 - (2 * min(ratio, 1.0) - 1) ** 3)
                break
            damping, raising = damping * raising, 2.0 * raising
        t = t + p
        yield t


def natural_gradient(f, t, rate=0.1, damping=1e-2):
    while True:
        t = t - rate * np.linalg.solve(f.hessian(t) + damping * np.eye(len(t)), f.gradient(t))
        yield t


#: (key, settings, recurrence, its arguments)
CASES = [
    ("lbfgs", {"iterations": 1}, lbfgs, {}),
    ("lbfgs", {"iterations": 1, "history": 2}, lbfgs, {"history": 2}),
    ("newton_cg", {}, newton_cg, {}),
    ("newton_cg", {"radius": 0.1}, newton_cg, {"radius": 0.1}),
    ("levenberg_marquardt", {}, levenberg_marquardt, {}),
    ("levenberg_marquardt", {"damping": 3.0}, levenberg_marquardt, {"damping": 3.0}),
    ("natural_gradient", {"tolerance": 1e-14}, natural_gradient, {}),
    ("natural_gradient", {"learning_rate": 0.5, "damping": 2.0, "tolerance": 1e-14}, natural_gradient, {"rate": 0.5, "damping": 2.0}),
]  # fmt: skip
