"""Curves and confusion matrices, drawn without a display."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

CURVES, CONFUSION = "curves.png", "confusion.png"
MOST = 60
"""Characters in a confusion matrix; of more the ones that are confused most are drawn."""


def draw_curves(path: Path, curves: Mapping[str, Sequence[tuple[float, float]]], over: str) -> None:
    """One panel for each curve.

    Args:
        over: what the horizontal axis counts, such as ``step``.
    """
    shown = {name: points for name, points in curves.items() if points}
    with _figure(5 * max(1, len(shown)), 3.4) as figure:
        for place, (name, points) in enumerate(shown.items(), 1):
            axes = figure.add_subplot(1, len(shown), place)
            steps, values = zip(*points, strict=True)
            axes.plot(steps, values, color="tab:blue", marker="o" if len(points) < 30 else None, markersize=3)
            axes.set_title(name)
            axes.set_xlabel(over)
            axes.grid(alpha=0.3)
        figure.savefig(path, metadata={"Software": None})


def draw_confusion(
    path: Path, truth: NDArray[np.int64], said: NDArray[np.int64], names: Sequence[str]
) -> None:
    """Rows are what the label says, columns what the model says; numbers are pictures, shades shares."""
    count = len(names)
    matrix = np.zeros((count, count), np.int64)
    np.add.at(matrix, (truth, said), 1)
    shown = np.arange(count)
    if count > MOST:
        wrong = matrix.sum(axis=1) - np.diag(matrix) + matrix.sum(axis=0) - np.diag(matrix)
        shown = np.sort(np.argsort(-wrong, kind="stable")[:MOST])
        matrix = matrix[np.ix_(shown, shown)]
    side = 2.2 + 0.42 * len(shown)
    with _figure(side, side) as figure:
        axes = figure.add_subplot()
        share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
        axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
        labels = [names[index] for index in shown.tolist()]
        axes.set_xticks(range(len(shown)), labels, rotation=90)
        axes.set_yticks(range(len(shown)), labels)
        axes.set_xlabel("said")
        axes.set_ylabel("label")
        if len(shown) <= 30:
            for row, column in np.argwhere(matrix):
                colour = "white" if share[row, column] > 0.5 else "black"
                axes.text(
                    column, row, matrix[row, column], ha="center", va="center", color=colour, fontsize=8
                )
        figure.savefig(path, metadata={"Software": None})


class _figure:  # noqa: N801  # used as a function
    """A figure of so many inches on Agg, apart from pyplot and its global state."""

    def __init__(self, width: float, height: float) -> None:
        self._size = width, height

    def __enter__(self) -> Any:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        self._figure = Figure(figsize=self._size, dpi=110, layout="constrained")
        FigureCanvasAgg(self._figure)
        return self._figure

    def __exit__(self, *_: object) -> None:
        self._figure.clear()
