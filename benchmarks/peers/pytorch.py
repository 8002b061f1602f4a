"""The workloads in PyTorch (eager, fused optimizers).  Importing this module without PyTorch raises ImportError."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.workloads import BETA, Convolution, expression_data, mlp_data, xor_data

Step = Callable[[], object]


def set_threads(threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)


def training_step(model: nn.Module, x: np.ndarray, y: np.ndarray, optimizer: torch.optim.Optimizer) -> Step:
    """A step of cross-entropy training; returns the loss as a number, so that it waits for the result."""
    return _step(model, torch.from_numpy(x), torch.from_numpy(y), nn.CrossEntropyLoss(), optimizer)


def _step(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: nn.Module, optimizer: torch.optim.Optimizer
) -> Callable[[], float]:
    def step() -> float:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def adam(model: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam(model.parameters(), 1e-3, fused=True)


def xor_step() -> Callable[[], float]:
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x, y = map(torch.from_numpy, xor_data())
    return _step(model, x, y, nn.MSELoss(), torch.optim.SGD(model.parameters(), 0.1))


def mlp(parameters: Mapping[str, np.ndarray]) -> nn.Sequential:
    """784-128-10 with the given weights; mathnet's kernels are (in, out), PyTorch's (out, in)."""
    model = nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))
    with torch.no_grad():
        for layer, name in ((model[0], "hidden"), (model[2], "logits")):
            layer.weight.copy_(torch.from_numpy(np.array(parameters[f"{name}/kernel"]).T))
            layer.bias.copy_(torch.from_numpy(np.array(parameters[f"{name}/bias"])))
    return model


def mlp_parameters(model: nn.Sequential) -> dict[str, np.ndarray]:
    """The weights under mathnet's names and in its layout."""
    found = {}
    for layer, name in ((model[0], "hidden"), (model[2], "logits")):
        found[f"{name}/kernel"] = layer.weight.detach().numpy().T
        found[f"{name}/bias"] = layer.bias.detach().numpy()
    return found


def mlp_step(model: nn.Module) -> Step:
    """One step with fused Adam."""
    return training_step(model, *mlp_data(), adam(model))


def expression() -> Callable[[], torch.Tensor]:
    x = torch.from_numpy(expression_data())

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return x * torch.sigmoid(BETA * x)

    return run


def expression_and_gradient() -> Step:
    x = torch.from_numpy(expression_data()).requires_grad_()
    dy = torch.ones_like(x)

    def run() -> object:
        y = x * torch.sigmoid(BETA * x)
        return y, torch.autograd.grad(y, x, dy)

    return run


class Swish(nn.Module):
    """The expression x·σ(βx), as one writes it."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.sigmoid(BETA * x)


def swish_step(x: np.ndarray, y: np.ndarray) -> Step:
    model = nn.Sequential(nn.Linear(784, 512), Swish(), nn.Linear(512, 512), Swish(), nn.Linear(512, 10))
    return training_step(model, x, y, torch.optim.SGD(model.parameters(), 0.01))


def dense(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for inner, outer in itertools.pairwise(sizes):
        layers += [nn.Linear(inner, outer), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn() -> nn.Sequential:
    def block(inner: int, outer: int) -> list[nn.Module]:
        return [nn.Conv2d(inner, outer, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]

    return nn.Sequential(*block(1, 32), *block(32, 64), nn.Flatten(), *dense(64 * 49, 128, 10))


def vgg() -> nn.Sequential:
    layers: list[nn.Module] = []
    inner = 3
    for outer in (64, 128, 256):
        for _ in range(2):
            layers += [nn.Conv2d(inner, outer, 3, padding=1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
            inner = outer
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 10))


class _Recurrent(nn.Module):
    def __init__(self, kind: str, features: int, units: int, outputs: int) -> None:
        super().__init__()
        self.layer = getattr(nn, kind)(features, units, batch_first=True)
        self.dense = nn.Linear(units, outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(self.layer(x)[0][:, -1])


class _Transformer(nn.Module):
    def __init__(self, tokens: int, width: int, heads: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.block = nn.TransformerEncoderLayer(
            width, heads, 4 * width, dropout=0.0, batch_first=True, norm_first=True, activation="gelu"
        )
        self.dense = nn.Linear(width, tokens)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dense(self.block(self.embedding(x))).transpose(1, 2)


def network(name: str) -> nn.Module:
    """The network of a training workload, by the name that workloads.py gives it."""
    if name == "mlp":
        return dense(784, 128, 10)
    if name == "mlp-big":
        return dense(784, 512, 512, 10)
    if name in ("cnn", "vgg"):
        return {"cnn": cnn, "vgg": vgg}[name]()
    if name == "transformer":
        return _Transformer(64, 128, 4)
    return _Recurrent({"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}[name], 64, 128, 10)


def train(name: str, x: np.ndarray, y: np.ndarray, model: nn.Module | None = None) -> Step:
    model = network(name) if model is None else model
    optimizer = torch.optim.SGD(model.parameters(), 0.01, momentum=0.9) if name == "vgg" else adam(model)
    return training_step(model, x, y, optimizer)


def infer(name: str, x: np.ndarray) -> Step:
    model = _Recurrent("LSTM", 16, 32, 4) if name == "lstm" else network(name)
    return _inference(model.eval(), torch.from_numpy(x))


def _inference(model: nn.Module, x: torch.Tensor) -> Step:
    def run() -> torch.Tensor:
        with torch.inference_mode():
            return model(x)

    return run


def convolution(case: Convolution, x: np.ndarray, w: np.ndarray, b: np.ndarray) -> tuple[Step, Step]:
    """Forward, and forward with the gradients of input, weights and bias."""

    def f(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return F.conv2d(x, w, b, case.stride, case.padding, case.dilation, case.groups)

    return both(f, (x, w, b))


def pooling(name: str, x: np.ndarray) -> Step:
    functions = {
        "max 2": lambda x: F.max_pool2d(x, 2),
        "max 3, stride 2": lambda x: F.max_pool2d(x, 3, 2, 1),
        "average 2": lambda x: F.avg_pool2d(x, 2),
    }
    return both(functions[name], (x,))[1]


def activation(name: str, x: np.ndarray) -> tuple[Step, Step]:
    return both(getattr(torch, name) if name in ("sigmoid", "tanh") else getattr(F, name), (x,))


def dropout(rate: float, x: np.ndarray) -> Step:
    """Forward and backward."""
    return both(lambda x: F.dropout(x, rate), (x,))[1]


def both(f: Callable[..., torch.Tensor], arrays: Sequence[np.ndarray]) -> tuple[Step, Step]:
    """f(arrays) without a graph, and f with its pullback of a fixed cotangent to all the arrays."""
    tensors = [torch.from_numpy(array) for array in arrays]
    leaves = [torch.from_numpy(array).requires_grad_() for array in arrays]
    cotangent = torch.randn_like(f(*tensors))

    def forward() -> torch.Tensor:
        with torch.no_grad():
            return f(*tensors)

    return forward, lambda: torch.autograd.grad(f(*leaves), leaves, cotangent)


def optimizer_pass(name: str, parameter: np.ndarray, gradient: np.ndarray) -> Step:
    leaf = torch.from_numpy(parameter.copy()).requires_grad_()
    leaf.grad = torch.from_numpy(gradient)
    if name == "adam":
        return torch.optim.Adam([leaf], 1e-3, fused=True).step
    return torch.optim.SGD([leaf], 0.01, momentum=0.9, fused=True).step


def product(a: np.ndarray, b: np.ndarray) -> Step:
    left, right = torch.from_numpy(a), torch.from_numpy(b)
    return lambda: left @ right


def hessian(a: np.ndarray, w: np.ndarray) -> Step:
    matrix, point = torch.from_numpy(a), torch.from_numpy(w)

    def f(w: torch.Tensor) -> torch.Tensor:
        return (torch.tanh(matrix @ w) ** 2).sum() + torch.exp(torch.sin(w)).sum()

    made = torch.func.hessian(f)
    return lambda: made(point)


def hessian_product(
    parameters: Mapping[str, np.ndarray], directions: Mapping[str, np.ndarray], x: np.ndarray, y: np.ndarray
) -> Step:
    """Forward over reverse mode, the faster order there."""
    point, vector = (
        {name: torch.from_numpy(value) for name, value in nest.items()} for nest in (parameters, directions)
    )
    data, labels = torch.from_numpy(x), torch.from_numpy(y)
    gradient = torch.func.grad(lambda p: F.cross_entropy(_scores(p, data), labels))
    return lambda: torch.func.jvp(gradient, (point,), (vector,))[1]


def example_gradients(parameters: Mapping[str, np.ndarray], x: np.ndarray, y: np.ndarray) -> Step:
    point = {name: torch.from_numpy(value) for name, value in parameters.items()}
    data, labels = torch.from_numpy(x), torch.from_numpy(y)

    def loss(p: Mapping[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(_scores(p, x)[None], y[None])

    made = torch.func.vmap(torch.func.grad(loss), (None, 0, 0))
    return lambda: made(point, data, labels)


def _scores(p: Mapping[str, torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    return torch.relu(x @ p["w"] + p["b"]) @ p["v"] + p["c"]


def cart_pole(
    parameters: Mapping[str, np.ndarray], steps: int
) -> tuple[Callable, Callable, list[torch.Tensor]]:
    """choose and learn of examples/cart_pole.py from the given weights, and the weights in mathnet's order and layout.

    The surprise is a Python float, which spares PyTorch the small operations of its graph.
    """
    weights = [torch.from_numpy(np.array(array.T)) for array in parameters.values()]
    actor, critic = (nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 1)) for _ in range(2))
    trained = [*actor.parameters(), *critic.parameters()]
    with torch.no_grad():
        for parameter, weight in zip(trained, weights, strict=True):
            parameter.copy_(weight)
    optimizer = torch.optim.Adam(trained, 3e-4, fused=True)
    (settings,), done = optimizer.param_groups, itertools.count()

    def choose(state: np.ndarray) -> float:
        with torch.inference_mode():
            return torch.sigmoid(actor(torch.from_numpy(state))).item()

    def learn(step: np.ndarray) -> None:
        push, reward = step[0, 8:].tolist()
        states = torch.from_numpy(step)
        with torch.no_grad():
            after = critic(states[:, 4:8]).item()
        before = states[:, :4]
        now = critic(before)
        surprise = reward + 0.99 * (1 + reward) * after - now.item()
        loss = -surprise * (now + F.logsigmoid(push * actor(before)))
        settings["lr"] = 3e-4 * (1 - next(done) / steps)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return choose, learn, trained
