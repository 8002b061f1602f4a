"""Objects that break a promise about callbacks, formats and reports."""

import itertools

from testing.mutants.table import caught_by

import mathnet as mn

_turn = itertools.count()


@caught_by("a_training")
@mn.callback("once_only")
class OnceOnly(mn.Callback):
    """Fails in its second training."""

    used = False

    def on_train_begin(self, trainer):
        if self.used:
            raise RuntimeError("used before")
        self.used = True


@caught_by("state_round_trip")
@mn.callback("unstorable")
class Unstorable(mn.Callback):
    """A state that no checkpoint can hold."""

    def state(self):
        return {"lock": object()}


@caught_by("state_round_trip")
@mn.callback("loses_its_state")
class LosesItsState(mn.Callback):
    """Forgets its count."""

    def __init__(self):
        self.epochs = 0

    def on_epoch_end(self, trainer, epoch, logs):
        self.epochs += 1

    def state(self):
        return {"epochs": self.epochs}


@caught_by("write_and_read")
@mn.format("elsewhere")
class Elsewhere:
    """Adds a suffix of its own."""

    suffixes = (".else",)

    def write(self, model, path):
        with open(path + ".txt", "w") as file:
            file.write("x")


@caught_by("write_and_read")
@mn.format("destructive")
class Destructive(Elsewhere):
    """Zeroes the model that it writes."""

    def write(self, model, path):
        with open(path, "w") as file:
            file.write("x")
        for values in model.parameters.values():
            values[...] = 0.0


@caught_by("missing_files")
@mn.format("credulous")
class Credulous:
    """Takes any file for a model."""

    suffixes = (".any",)

    def read(self, path):
        return None


@caught_by("report")
@mn.report("silent_report")
def silent_report(model):
    """Says nothing."""
    return mn.Report("")


@caught_by("report")
@mn.report("changing_report")
def changing_report(model):
    """Another text each time."""
    return f"report {next(_turn)}"
