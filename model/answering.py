"""Logits of a bundle to one calibrated answer: a pure function."""

from __future__ import annotations

import math
from collections.abc import Sequence

from model.errors import BundleDamaged
from model.types import NOBODY, Answer, BundleInfo, Ranked, Verdict


def answer(logits: Sequence[float], info: BundleInfo) -> Answer:
    """Say who it is, how sure, and how likely it is that it is anyone on the list.

    The logits are divided by the temperature and go through a softmax over all C classes (Guo et al.,
    ICML 2017, section 4.2). With a class for nobody, known is 1 - p(nobody). Without one it comes from
    the energy score of the undivided logits (Liu et al., NeurIPS 2020, section 3), and the characters'
    probabilities are scaled to add up to it.

    Args:
        logits: C numbers, in the order of ``info.characters``.

    Raises:
        BundleDamaged: they are not C finite numbers.
    """
    values = [float(value) for value in logits]
    if len(values) != len(info.characters) or not all(math.isfinite(value) for value in values):
        raise BundleDamaged(
            f"the model {info.id} gave no usable numbers for its {len(info.characters)} classes"
        )
    calibration = info.calibration
    scores = dict(zip(info.characters, _softmax([v / calibration.temperature for v in values]), strict=True))
    if NOBODY in scores:
        del scores[NOBODY]
        known = min(1.0, math.fsum(scores.values()))
    else:
        known = _known_by_energy(values, calibration.known_scale, calibration.known_offset)
        scores = {slug: probability * known for slug, probability in scores.items()}
    # equal probabilities are ordered by slug, so that the same logits always read the same
    order = sorted(scores, key=lambda slug: (-scores[slug], slug))
    ranked = tuple(Ranked(slug, scores[slug]) for slug in order)
    best = ranked[0]
    if known < calibration.known:
        verdict = Verdict.NOBODY
    elif best.probability >= calibration.sure:
        verdict = Verdict.SURE
    else:
        verdict = Verdict.UNSURE
    return Answer(verdict, best.character, best.probability, known, ranked)


def _softmax(values: Sequence[float]) -> list[float]:
    top = max(values)
    powers = [math.exp(value - top) for value in values]
    total = math.fsum(powers)
    return [power / total for power in powers]


def _known_by_energy(logits: Sequence[float], scale: float, offset: float) -> float:
    if scale == 0:
        return 1.0
    top = max(logits)
    energy = top + math.log(math.fsum(math.exp(value - top) for value in logits))
    # a sigmoid that does not overflow at either end
    return 0.5 * (1 + math.tanh(0.5 * (scale * energy + offset)))
