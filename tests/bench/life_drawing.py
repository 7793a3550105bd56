"""The drawing of `tests.bench.life`: shares right against corrections, a line and a band for each life."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Curve = tuple[Sequence[int], NDArray[np.float64]]
"""Corrections [P], and a figure [S, P] of each seed."""

COLOURS = {
    "corrected by people": "tab:blue",
    "perfect labels": "tab:green",
    "never retrained": "tab:gray",
    "the gate or not": "tab:blue",
}
HEIGHT = 0.3
"""What the vertical axis spans at least."""
MARKS = {"corrected by people": "o", "perfect labels": "^", "never retrained": "", "the gate or not": ""}


def draw(path: Path, panels: Mapping[str, Mapping[str, Curve]]) -> None:
    """One panel for each figure, with the mean of the seeds as a line and their range as a band."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MultipleLocator, PercentFormatter

    figure = Figure(figsize=(5.2 * len(panels), 4.0), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    for place, (title, curves) in enumerate(panels.items(), 1):
        axes = figure.add_subplot(1, len(panels), place)
        for name, (corrections, values) in curves.items():
            colour = COLOURS[name]
            beside = name == "the gate or not"
            axes.plot(
                corrections,
                values.mean(axis=0),
                color=colour,
                marker=MARKS[name],
                markersize=4,
                label="what people's corrections made, the gate or not" if beside else name,
                linestyle=":" if beside else "-",
            )
            if beside:
                continue
            axes.fill_between(
                corrections, values.min(axis=0), values.max(axis=0), color=colour, alpha=0.18, linewidth=0
            )
        axes.set_title(title, fontsize=10)
        axes.set_xlabel("corrections")
        low, high = axes.get_ylim()
        missing = max(0.0, HEIGHT - (high - low)) / 2  # a flat curve looks flat
        axes.set_ylim(max(0.0, low - missing), min(1.0, high + missing))
        axes.yaxis.set_major_locator(MultipleLocator(0.05))
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
        axes.grid(alpha=0.3)
        if place == 1:
            axes.set_ylabel("right")
        if place == len(panels):
            axes.legend(loc="best", fontsize=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Software": None})
