"""From when on an answer may be called *sure*, so that it is right as often as was asked for.

Taking the lowest threshold above which enough answers were right does not keep its promise: of hundreds of
thresholds the luckiest wins, and the surest answers, which are nearly all right, pay for the doubtful ones.
What keeps it was chosen on draws of held-out pictures, see docs/learning.md, section *Nobody I know*: from a
threshold on, two lower bounds by Wilson (JASA 1927, one-sided) must both reach the target,

- that of 70 % of the mean calibrated probability of what is said, which knows more than a few hundred rights
  and wrongs do;
- that of 80 % of the share that was right, which holds where probabilities are too bold.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from model.preprocess import Floats
from model.types import Targets
from training.measuring import Flags

Labels = NDArray[np.int64]
Z, Z_MEAN = 0.8416, 0.5244
"""Of 80 % and of 70 %, one-sided."""
RIGHT = (0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
KEPT = (0.8, 0.85, 0.9, 0.92, 0.94, 0.95, 0.96, 0.97, 0.98, 0.99)
STRICTEST = 0.9999
"""Where whatever is certain by the precision of a float32 is still let in."""


def fit_targets(p: Floats, labels: Labels, nobody: int | None, threshold: float) -> Targets:
    """Tables of thresholds by target, on pictures that the classifier was not trained on.

    Args:
        p: ``[N, C]``, calibrated.
        nobody: the class of strangers, if there is one; without it there is nothing to keep characters by.
        threshold: below which nobody is said.
    """
    confidence, known, right = answered(p, labels, nobody)
    told = known >= threshold
    sure = []
    for target in RIGHT:
        found = sure_from(confidence[told], right[told], target)
        if found is None:
            break  # nothing above it can be reached either
        sure.append((target, rounded_down(found)))
    kept: list[tuple[float, float]] = []
    if nobody is not None:
        for target in KEPT:
            found = kept_from(known[labels != nobody], target)
            if found is not None:
                kept.append((target, rounded_down(found)))
    return Targets(tuple(sure), tuple(kept))


def sure_from(confidence: Floats, right: Flags, target: float) -> float | None:
    """The lowest probability from which on answers reach the target; None if none does."""
    order = np.argsort(-confidence, kind="stable")
    ordered, count = confidence[order].astype(np.float64), np.arange(1, len(order) + 1)
    honest = lower(np.cumsum(ordered), count, Z_MEAN)
    bound = np.minimum(honest, lower(np.cumsum(right[order].astype(np.int64)), count))
    # answers of the same probability are called sure together or not at all
    whole = np.append(np.diff(ordered) != 0, True)[: len(order)]
    enough = np.flatnonzero((bound >= target) & whole)
    return float(ordered[enough[-1]]) if len(enough) else None


def kept_from(known: Floats, target: float) -> float | None:
    """The strictest threshold that lets so many of the characters' pictures in.

    Args:
        known: ``[N]``, of pictures of characters.

    Returns:
        at most `STRICTEST`; None if they are too few to promise it.
    """
    if not len(known):
        return None
    ordered = np.sort(known)
    reached = lower(np.arange(len(ordered), 0, -1), len(ordered))  # of letting in from the i-th on
    enough = np.flatnonzero(reached >= target)
    return min(float(ordered[enough[-1]]), STRICTEST) if len(enough) else None


def lower(
    right: Labels | NDArray[np.float64] | int, count: Labels | int, z: float = Z
) -> NDArray[np.float64]:
    """The lower bound of ``right`` of ``count`` by Wilson, one-sided."""
    share, spread = np.asarray(right) / np.asarray(count), z**2 / np.asarray(count)
    half = z * np.sqrt(
        np.maximum(share * (1 - share), 0) / np.asarray(count) + spread / np.asarray(count) / 4
    )
    return np.asarray((share + spread / 2 - half) / (1 + spread))


def answered(p: Floats, labels: Labels, nobody: int | None) -> tuple[Floats, Floats, Flags]:
    """[N] each: the probability of the likeliest character, that it is anybody, whether it is the label."""
    if nobody is None:
        return p.max(axis=1), np.ones(len(p), np.float32), p.argmax(axis=1) == labels
    ours = p.copy()
    ours[:, nobody] = -1
    return ours.max(axis=1), 1 - p[:, nobody], ours.argmax(axis=1) == labels


def rounded_down(threshold: float) -> float:
    """Rounded for a file that people read, so that the picture that it was measured at stays above."""
    return float(np.floor(threshold * 1e4) / 1e4)
