"""How good a head is: counts with intervals, calibration, strangers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.answering import answer
from model.preprocess import Floats
from model.types import NOBODY, Answer, BundleInfo, Verdict

Flags = NDArray[np.bool_]
BINS = 15
"""Of the calibration error, and of the reliability diagram."""


def wilson(right: int, count: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % interval of a share by Wilson's score (JASA 1927)."""
    if count == 0:
        return 0.0, 1.0
    share, spread = right / count, z**2 / count
    middle = share + spread / 2
    half = z * math.sqrt(share * (1 - share) / count + spread / (4 * count))
    return max(0.0, (middle - half) / (1 + spread)), min(1.0, (middle + half) / (1 + spread))


def share(flags: Flags | Sequence[bool]) -> dict[str, Any]:
    """How many of how many, as a share with its interval."""
    right, count = int(np.sum(flags)), len(flags)
    low, high = wilson(right, count)
    value = round(right / count, 4) if count else None
    return {"right": right, "of": count, "share": value, "interval": [round(low, 4), round(high, 4)]}


def bin_of(confidence: Floats, bins: int = BINS) -> NDArray[np.int64]:
    """The number of the bin, of equal width, that each confidence is in."""
    return np.minimum((confidence * bins).astype(np.int64), bins - 1)


def expected_calibration_error(confidence: Floats, right: Flags, bins: int = BINS) -> float:
    """Over bins of equal width (Guo et al., ICML 2017, section 2)."""
    index = bin_of(confidence, bins)
    error = 0.0
    for number in range(bins):
        inside = index == number
        if inside.any():
            error += inside.mean() * abs(float(right[inside].mean()) - float(confidence[inside].mean()))
    return float(error)


def calibration_floor(confidence: Floats, *, draws: int = 400, seed: int = 0) -> tuple[float, float]:
    """What the calibration error of as many pictures would be, were the confidence perfectly honest.

    The error of a finite number of pictures is never zero: whether each was right is drawn from its
    confidence, and measured (consistency resampling: Bröcker and Smith, Weather and Forecasting 22, 2007).

    Returns:
        the mean over the draws, and what 95 of 100 stay below.
    """
    dice = np.random.default_rng(seed)
    values = [
        expected_calibration_error(confidence, dice.random(len(confidence)) < confidence)
        for _ in range(draws)
    ]
    return (float(np.mean(values)), float(np.quantile(values, 0.95))) if len(confidence) else (0.0, 0.0)


def coverage_at(precision: float, confidence: Floats, right: Flags) -> float:
    """The largest share of pictures that can be answered, the surest first, right at least so often."""
    order = np.argsort(-confidence, kind="stable")
    share_right = np.cumsum(right[order]) / np.arange(1, len(right) + 1)
    # pictures of the same confidence are answered together or not at all
    last_of_equals = np.append(np.diff(confidence[order]) != 0, True)
    enough = np.flatnonzero((share_right >= precision) & last_of_equals[: len(right)])
    return float((enough[-1] + 1) / len(right)) if len(enough) else 0.0


def auroc(strangers: Floats, characters: Floats) -> float:
    """How often a stranger's score is the lower of the two, over all pairs; ties count half."""
    if not len(strangers) or not len(characters):
        return float("nan")
    below = (strangers[:, None] < characters[None]).mean() + 0.5 * (
        strangers[:, None] == characters[None]
    ).mean()
    return float(below)


def measure(logits: Floats, slugs: Sequence[str], sources: Sequence[str], info: BundleInfo) -> dict[str, Any]:
    """All figures of one part of the pictures.

    *Right* means that the likeliest character is the one of the label, all characters being possible.
    *Told* means that it was also said: the verdict was not *nobody*.
    """
    answers: list[Answer] = [answer(row.tolist(), info) for row in logits]
    truth, source = np.array(slugs), np.array(sources)
    first = np.array([a.character for a in answers])
    known = np.array([a.known for a in answers], np.float32)
    verdict = np.array([a.verdict.value for a in answers])
    somebody = truth != NOBODY
    right = first == truth
    told = verdict != Verdict.NOBODY.value
    sure = verdict == Verdict.SURE.value
    # the class with the highest probability, nobody among them, as calibration is fitted
    p_nobody = 1 - known
    confidence = np.array([a.confidence for a in answers], np.float32)
    top = np.maximum(confidence, p_nobody)
    top_right = np.where(p_nobody > confidence, ~somebody, right)
    return {
        "pictures": len(truth),
        "right": share(right[somebody]),
        "told_right": share((right & told)[somebody]),
        "by_source": {s: share(right[somebody & (source == s)]) for s in sorted(set(source[somebody]))},
        "by_character": {c: share(right[truth == c]) for c in info.characters if c != NOBODY},
        "sure": {"precision": share(right[sure]), "how_often": share(sure)},
        "strangers": {
            "answered_nobody": share(~told[~somebody]),
            "characters_let_in": share(told[somebody]),
            "auroc": round(auroc(known[~somebody], known[somebody]), 4),
        },
        "calibration_error": round(expected_calibration_error(top, top_right), 4),
    }
