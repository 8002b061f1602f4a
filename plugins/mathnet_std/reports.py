"""Study reports: what a model or a trainer shows of itself."""

from typing import Any

import numpy as np

import mathnet as mn


@mn.report("weights")
def weights(model: Any) -> mn.Report:
    """Shape, mean, standard deviation, extremes and share of zeros of every parameter.

    data: ``"mean"``, ``"std"``, ``"min"``, ``"max"``, ``"zeros"``, each by the parameter's name.

    >>> import mathnet as mn
    >>> model = mn.Sequential([mn.layers.Dense(2, name="scores")], input_shape=(3,))
    >>> print(str(mn.reports.get("weights")(model)).splitlines()[2])
    scores/bias    (2,)             0          0          0          0    100%
    """
    model = getattr(model, "model", model)
    figures: dict[str, dict[str, float]] = {name: {} for name in ("mean", "std", "min", "max", "zeros")}
    width = max([len("parameter"), *map(len, model.parameters)])
    lines = [
        f"{'parameter':<{width}}  {'shape':<10}  "
        + "  ".join(f"{n:>9}" for n in ("mean", "std", "min", "max"))
        + "   zeros"
    ]
    for name, array in model.parameters.items():
        values = np.asarray(array, np.float64)
        found = dict.fromkeys(figures, 0.0)
        if values.size:
            found |= {"mean": values.mean(), "std": values.std(), "min": values.min(), "max": values.max()}
            found["zeros"] = float(np.mean(values == 0.0))
        for figure, value in found.items():
            figures[figure][name] = float(value)
        numbers = "  ".join(f"{found[n]:>9.3g}" for n in ("mean", "std", "min", "max"))
        lines.append(f"{name:<{width}}  {values.shape!s:<10}  {numbers}  {found['zeros']:>6.0%}")
    return mn.Report("\n".join(lines), figures)
