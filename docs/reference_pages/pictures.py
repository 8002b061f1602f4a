"""Pictures of records, drawn when the pages are built: SVG, text as text, the same bytes each time."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import matplotlib
from matplotlib.figure import Figure

from mathnet.plugin.records import Record
from reference_pages import curves, draws, valley

_SETTINGS = {
    "svg.fonttype": "none",
    "svg.hashsalt": "mathnet",
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
}
#: Left, bottom, width and height of the axes: fixed, for a layout that measures takes as long as the drawing.
PLACE = (0.13, 0.17, 0.85, 0.80)
DRAWINGS = {
    "activation": curves.activation,
    "loss": curves.loss,
    "regularizer": curves.regularizer,
    "constraint": curves.constraint,
    "schedule": curves.schedule,
    "initializer": draws.initializer,
    "distribution": draws.distribution,
    "optimizer": valley.optimizer,
}


class Picture(NamedTuple):
    """A file, and what it shows in words."""

    file: str
    words: str


def draw(record: Record, folder: Path) -> Picture | None:
    """The picture of a record, written to ``folder``; None for kinds that have none."""
    drawing = DRAWINGS.get(record.kind)
    if drawing is None:
        return None
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=(4.8, 2.8))
        words = drawing(record, figure.add_axes(PLACE))
        file = f"{record.kind}-{record.key}.svg"
        figure.savefig(folder / file, metadata={"Date": None})
    return Picture(file, words)
