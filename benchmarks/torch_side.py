"""The workloads in PyTorch.  Importing this module without PyTorch raises ImportError."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import nn

from benchmarks.workloads import BETA, expression_data, mlp_data, xor_data


def set_threads(threads: int) -> None:
    torch.set_num_threads(threads)
    torch.manual_seed(0)


def training_step(
    model: nn.Module, x: torch.Tensor, y: torch.Tensor, loss: nn.Module, optimizer: torch.optim.Optimizer
) -> Callable[[], float]:
    def step() -> float:
        optimizer.zero_grad()
        value = loss(model(x), y)
        value.backward()
        optimizer.step()
        return value.item()

    return step


def xor_step() -> Callable[[], float]:
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1))
    x, y = map(torch.from_numpy, xor_data())
    return training_step(model, x, y, nn.MSELoss(), torch.optim.SGD(model.parameters(), 0.1))


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


def mlp_step(model: nn.Module) -> Callable[[], float]:
    """One step with fused Adam."""
    x, y = map(torch.from_numpy, mlp_data())
    return training_step(
        model, x, y, nn.CrossEntropyLoss(), torch.optim.Adam(model.parameters(), 1e-3, fused=True)
    )


def expression() -> Callable[[], torch.Tensor]:
    x = torch.from_numpy(expression_data())

    def run() -> torch.Tensor:
        with torch.inference_mode():
            return x * torch.sigmoid(BETA * x)

    return run
