"""Models of layers: calling, training, evaluating, saving."""

from mathnet.model.files import load
from mathnet.model.inputs import Input
from mathnet.model.model import Model
from mathnet.model.sequential import Sequential
from mathnet.model.trainer import Trainer

__all__ = ["Input", "Model", "Sequential", "Trainer", "load"]
