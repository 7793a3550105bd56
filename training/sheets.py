"""What an evaluation draws: the worst mistakes, how honest the confidence is, who is taken for whom."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from model.types import NOBODY
from training.dataset.contact_sheet import Cell, draw_sheet
from training.drawing import draw_confusion
from training.evaluating import judged, worst
from training.measuring import BINS, bin_of, wilson
from training.pictures import Picture
from training.predicting import Predictions

MISTAKES, RELIABILITY, CONFUSION = "mistakes.png", "reliability.png", "confusion.png"
MOST = 60


def draw_all(predictions: Predictions, pictures: Sequence[Picture], folder: Path) -> list[Path]:
    """Draw everything into a folder, which is made if it is not there; the files written.

    Raises:
        DatasetWriteError: the contact sheet cannot be written.
        OSError: the folder or another drawing cannot.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = judged(predictions, pictures)
    names = [*found.answers.characters, NOBODY]
    place = {name: index for index, name in enumerate(names)}
    first = np.array(found.answers.characters)[found.answers.first]
    said = np.where(found.answers.told, first, NOBODY)
    draw_confusion(
        folder / CONFUSION,
        np.array([place[slug] for slug in found.slugs], np.int64),
        np.array([place[slug] for slug in said], np.int64),
        names,
    )
    draw_reliability(predictions, pictures, folder / RELIABILITY)
    drawn = [folder / CONFUSION, folder / RELIABILITY]
    if mistakes := worst(predictions, pictures, MOST):
        draw_sheet([Cell(picture.path, lines) for picture, lines in mistakes], folder / MISTAKES)
        drawn.insert(0, folder / MISTAKES)
    return drawn


def draw_lost(pictures: Sequence[Picture], out: Path) -> None:
    """The pictures that only the bundle in service had right.

    Raises:
        DatasetWriteError: it cannot be written.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    draw_sheet([Cell(picture.path, (picture.slug,)) for picture in pictures], out)


def draw_reliability(predictions: Predictions, pictures: Sequence[Picture], path: Path) -> None:
    """How often what is said with a confidence is right (Guo et al., ICML 2017, figure 1), with intervals."""
    found = judged(predictions, pictures)
    confidence, right = found.answers.top(found.slugs)
    index = bin_of(confidence)
    filled = [number for number in range(BINS) if (index == number).any()]
    x = [float(confidence[index == number].mean()) for number in filled]
    y = [float(right[index == number].mean()) for number in filled]
    counts = [int((index == number).sum()) for number in filled]
    bounds = [wilson(int(right[index == n].sum()), c) for n, c in zip(filled, counts, strict=True)]
    # where all are right, Wilson's interval ends a rounding error below 1
    below = [max(0.0, middle - low) for middle, (low, _) in zip(y, bounds, strict=True)]
    above = [max(0.0, high - middle) for middle, (_, high) in zip(y, bounds, strict=True)]
    figure = _figure()
    axes, bars = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    axes.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    axes.errorbar(x, y, yerr=[below, above], color="tab:blue", marker="o", capsize=3)
    axes.set_ylabel("share right (95 %)")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    bars.bar([(number + 0.5) / BINS for number in filled], counts, width=0.9 / BINS, color="tab:blue")
    bars.set_xlabel("confidence")
    bars.set_ylabel("pictures")
    figure.savefig(path, metadata={"Software": None})


def _figure() -> Any:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5, 6), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    return figure
