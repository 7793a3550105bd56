"""What a model says of many pictures at once: `model.answering.answer`, for arrays."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.preprocess import Floats
from model.types import NOBODY, BundleInfo
from training.measuring import Flags


@dataclass(frozen=True)
class Answers:
    """One row a picture, see `model.types.Answer`.

    ``probabilities`` [N, K] are those of the K ``characters`` (nobody is none of them), ``first`` [N] is the
    index of the likeliest. ``told``: the verdict was not *nobody*; ``sure``: it was *sure*.
    """

    characters: tuple[str, ...]
    probabilities: Floats
    known: Floats
    first: NDArray[np.int64]
    told: Flags
    sure: Flags

    @property
    def confidence(self) -> Floats:
        """[N], of the likeliest character."""
        return np.asarray(self.probabilities[np.arange(len(self.first)), self.first])

    def top(self, slugs: NDArray[np.str_]) -> tuple[Floats, Flags]:
        """The probability of whatever is likeliest, nobody among them, and whether that is so."""
        stranger, confidence = 1 - self.known, self.confidence
        nobody = stranger > confidence
        right = np.where(nobody, slugs == NOBODY, self.right(slugs))
        return np.maximum(stranger, confidence), right

    def right(self, slugs: NDArray[np.str_]) -> Flags:
        """[N]: the likeliest character is the one of the label; never so for pictures of nobody."""
        return np.asarray(np.array(self.characters)[self.first] == slugs)


def answers_of(logits: Floats, info: BundleInfo) -> Answers:
    """Answers to logits ``[N, C]``, in the order of ``info.characters``."""
    calibration = info.calibration
    values = logits.astype(np.float64)
    p = _softmax(values / calibration.temperature)
    # by slug, so that the first of equals is the one that `model.answering` names
    order = sorted(range(len(info.characters)), key=lambda index: info.characters[index])
    order = [index for index in order if info.characters[index] != NOBODY]
    if NOBODY in info.characters:
        ours = p[:, order]
        known = np.minimum(1.0, ours.sum(axis=1))
    else:
        known = np.ones(len(values))
        if calibration.known_scale:
            top = values.max(axis=1)
            energy = top + np.log(np.exp(values - top[:, None]).sum(axis=1))
            known = 0.5 * (1 + np.tanh(0.5 * (calibration.known_scale * energy + calibration.known_offset)))
        ours = p[:, order] * known[:, None]
    first = ours.argmax(axis=1)
    told = known >= calibration.known
    sure = told & (ours.max(axis=1) >= calibration.sure)
    characters = tuple(info.characters[index] for index in order)
    return Answers(
        characters, ours.astype(np.float32), known.astype(np.float32), first.astype(np.int64), told, sure
    )


def _softmax(values: NDArray[np.float64]) -> NDArray[np.float64]:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))
