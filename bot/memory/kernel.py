"""How pictures *like* those that people named move an answer: a few-shot kernel over the bundle's embedding.

After Tip-Adapter (Zhang et al., ECCV 2022, section 3.1), which adds to each class's logit the similarities,
sharpened by an exponential, to the pictures that are kept of it, and its kernel reading ProKeR (Bendou et
al., CVPR 2025), which shrinks their sum as a ridge does. Three things are our own, because our pictures come
from chat: the sum is divided by how many pictures a character has, so that what is posted most does not win;
what it may add is capped, so that no number of wrong corrections moves an answer further than that; and a
character that the bundle does not know starts from a floor, so that the answer stays one distribution.

    logit(c) = log p(c) + clip(pull · Σ k(x, x_i) / (count(c) + shrink), ± most)
    k(x, x_i) = (exp(sharpness · cos(x, x_i)) - 1) / sharpness

The constants are fitted by cross-validation on training pictures (``python -m tests.bench.learning --fit``)
and kept in ``constants.json`` with the bundle that they belong to.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.types import NOBODY, Answer, Calibration, Ranked, Verdict

CONSTANTS = Path(__file__).with_name("constants.json")

_LEAST = 1e-9  # a probability that is not zero


@dataclass(frozen=True, slots=True)
class Constants:
    """What the kernel was fitted to; ``bundle`` says with which model.

    ``floor`` is the probability that a character starts from that the bundle does not know. Characters that
    it does know, and nobody, are pulled ``known`` times as much, and by ``most_known`` nats at most.
    """

    sharpness: float
    pull: float
    shrink: float
    floor: float
    known: float
    most_known: float
    most_new: float
    bundle: str = ""


def read_constants(path: Path = CONSTANTS) -> Constants:
    """Those that were fitted last."""
    return Constants(**json.loads(path.read_text(encoding="utf-8")))


@dataclass(frozen=True, slots=True)
class Evidence:
    """For one character (or `NOBODY`): the sum of its pictures' kernels with this one, and their count."""

    total: float
    count: float


def kernel(cosines: NDArray[np.float32], sharpness: float) -> NDArray[np.float32]:
    """[N] cosines to [N] kernels: zero for what has nothing in common, and steeper the more there is."""
    return np.asarray(np.expm1(sharpness * cosines) / sharpness, np.float32)


def blend(
    answer: Answer, evidence: Mapping[str, Evidence], calibration: Calibration, constants: Constants
) -> Answer:
    """The bundle's answer with what is remembered in it, as one distribution.

    Args:
        evidence: by slug; `NOBODY` for pictures of nobody on the list.
        calibration: the bundle's, for when an answer is sure.
    """
    before = {each.character: each.probability for each in answer.ranked}
    before[NOBODY] = max(0.0, 1.0 - answer.known)
    logits = {slug: math.log(max(p, _LEAST)) for slug, p in before.items()}
    for slug, seen in evidence.items():
        pull = constants.pull * seen.total / (seen.count + constants.shrink)
        if slug in before:
            logits[slug] += _clip(constants.known * pull, constants.most_known)
        else:
            logits[slug] = math.log(constants.floor) + _clip(pull, constants.most_new)
    top = max(logits.values())
    powers = {slug: math.exp(value - top) for slug, value in logits.items()}
    whole = math.fsum(powers.values())
    return answer_of({slug: power / whole for slug, power in powers.items()}, calibration)


def answer_of(scores: Mapping[str, float], calibration: Calibration) -> Answer:
    """Probabilities, nobody's among them, as an answer."""
    order = sorted((slug for slug in scores if slug != NOBODY), key=lambda slug: (-scores[slug], slug))
    ranked = tuple(Ranked(slug, scores[slug]) for slug in order)
    known = min(1.0, math.fsum(each.probability for each in ranked))
    if known < calibration.known:
        verdict = Verdict.NOBODY
    elif ranked[0].probability >= calibration.sure:
        verdict = Verdict.SURE
    else:
        verdict = Verdict.UNSURE
    return Answer(verdict, ranked[0].character, ranked[0].probability, known, ranked)


def _clip(value: float, most: float) -> float:
    return max(-most, min(most, value))
