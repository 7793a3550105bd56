"""Two models on the same pictures: whether one is worse, with the noise considered.

Of each picture that both have seen: both were right, both wrong, or one alone. Only the last kind says
which is better; *gained* are those where the candidate alone was right, *lost* those where the other was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq  # type: ignore[import-untyped]
from scipy.stats import binom, norm  # type: ignore[import-untyped]

from model.preprocess import Floats
from training.measuring import BINS, Flags, bin_of

ONE_SIDED = float(norm.ppf(0.95))
"""How many standard errors a one-sided bound of 95 % is away: 1.645."""


@dataclass(frozen=True, slots=True)
class Change:
    """How much worse something is, and the standard error of that."""

    worse_by: float
    error: float

    def beyond(self, margin: float, z: float = ONE_SIDED) -> bool:
        """Worse by more than a margin, and by more than chance makes of an equal one."""
        return self.worse_by > margin and self.worse_by > z * self.error


def lower_bound(gained: int, lost: int, count: int, z: float = ONE_SIDED) -> float:
    """The lower end of the score interval of a difference of paired shares, (gained - lost) / count.

    Tango, Statistics in Medicine 17 (1998), pages 891 to 908: the difference that is
    just not refuted by the score test. It keeps its level with few pictures and few that differ, where
    the usual interval (Wald's) has no width at all.

    Args:
        z: 1.645 for a one-sided bound of 95 %.
    """
    if count == 0:
        return -1.0
    if lost == count:
        return -1.0

    def away(delta: float) -> float:
        return _tango(gained, lost, count, delta) - z

    # the statistic falls as delta grows; it is zero at the observed difference
    return float(brentq(away, -1 + 1e-9, (gained - lost) / count, xtol=1e-9))


def _tango(gained: int, lost: int, count: int, delta: float) -> float:
    """The score statistic of *the candidate is better by delta* (Tango 1998)."""
    off = gained - lost - count * delta
    a = 2 * count
    b = -gained - lost + (2 * count - gained + lost) * delta
    c = -lost * delta * (1 - delta)
    # the likeliest share of *lost*, were that the difference
    q = (math.sqrt(max(b * b - 4 * a * c, 0.0)) - b) / (2 * a)
    variance = count * (2 * q + delta * (1 - delta))
    if variance <= 0:
        return 0.0 if off == 0 else math.copysign(math.inf, off)
    return off / math.sqrt(variance)


def worse_by_chance(gained: int, lost: int) -> float:
    """How likely at least so many of those that differ are lost, were both equally good.

    The exact one-sided test of McNemar (Psychometrika 1947; binomial with one half: Fagerland et al.,
    BMC Medical Research Methodology 13:91, 2013).
    """
    return float(binom.sf(lost - 1, gained + lost, 0.5))


def holm(p: Sequence[float], level: float = 0.05) -> list[bool]:
    """Which are significant when all are asked at once (Holm, Scandinavian Journal of Statistics 1979).

    The chance that any of those that are none is among them is at most ``level``.
    """
    significant = [False] * len(p)
    for rank, index in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        if p[index] > level / (len(p) - rank):
            break
        significant[index] = True
    return significant


def pictures_needed(differing: float, margin: float, power: float = 0.8, z: float = ONE_SIDED) -> int:
    """How many pictures show of an equally good candidate that it is not worse by more than a margin.

    With the normal approximation: count = differing * (z + z_power)^2 / margin^2.

    Args:
        differing: the share of pictures that one of the two alone has right.
        power: in how many of 1 cases it is shown.
    """
    share = max(differing, margin)  # with none that differ, those that could are what limits
    return math.ceil(share * (z + float(norm.ppf(power))) ** 2 / margin**2)


def share_change(before: Flags, after: Flags) -> Change:
    """Of a share of pictures with something *bad* about them, how much it grew."""
    difference = after.astype(np.float64) - before.astype(np.float64)
    return Change(float(difference.mean()), _error(difference))


def balanced_change(before: Flags, after: Flags, strangers: Flags) -> Change:
    """How much the mean of two shares of right decisions fell: that on strangers, and that on characters."""
    lost = before.astype(np.float64) - after.astype(np.float64)
    ours, theirs = lost[~strangers], lost[strangers]
    return Change(float(ours.mean() + theirs.mean()) / 2, math.hypot(_error(ours), _error(theirs)) / 2)


def auroc_change(before: Floats, after: Floats, strangers: Flags) -> Change:
    """How much the AUROC of a score that strangers should have little of fell.

    The error is that of DeLong et al. (Biometrics 44, 1988) for two scores of the same pictures.
    """
    ours, theirs = zip(*(_placements(score, strangers) for score in (before, after)), strict=True)
    of_ours, of_theirs = ours[0] - ours[1], theirs[0] - theirs[1]
    return Change(float(of_ours.mean()), math.hypot(_error(of_ours), _error(of_theirs)))


def calibration_change(
    before: tuple[Floats, Flags], after: tuple[Floats, Flags], *, draws: int = 400, seed: int = 0
) -> Change:
    """How much the expected calibration error grew; its error by a paired bootstrap over the pictures.

    Args:
        before: confidence and whether it was right, of each picture.
    """
    matrices = []
    for confidence, right in (before, after):
        bins = np.zeros((len(right), BINS))
        bins[np.arange(len(right)), bin_of(confidence)] = right - confidence.astype(np.float64)
        matrices.append(bins)
    count = len(before[1])
    weights = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), draws)
    values = [
        np.abs(np.concatenate([m.sum(axis=0)[None], weights @ m])).sum(axis=1) / count for m in matrices
    ]
    growth = values[1] - values[0]
    return Change(float(growth[0]), float(growth[1:].std(ddof=1)))


def _placements(score: Floats, strangers: Flags) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each character the share of strangers below it, and of each stranger that of characters above."""
    ours, theirs = score[~strangers], score[strangers]
    wins = (theirs[None] < ours[:, None]) + 0.5 * (theirs[None] == ours[:, None])
    return wins.mean(axis=1), wins.mean(axis=0)


def _error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / math.sqrt(len(values))) if len(values) > 1 else math.inf
