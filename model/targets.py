"""Thresholds from what one wants of them: when a bundle says *sure*, and when *nobody I know*."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from model.types import BundleInfo, Targets

NEVER = 2.0
"""A probability that nothing has: the threshold of a *sure* that cannot be promised."""


def aimed(info: BundleInfo, *, sure_right: float, characters_kept: float) -> tuple[BundleInfo, list[str]]:
    """The bundle with thresholds that reach both targets, and a sentence for each that it cannot reach.

    A target between two that were measured takes the stricter one. Without measurements the bundle keeps
    its own threshold. A *sure* that it cannot promise is never said; where it cannot keep so many
    characters, it turns nobody away.

    Args:
        sure_right: the share of answers called sure that shall be right, 0 to 1; 0: the bundle's own.
        characters_kept: the share of pictures of characters that shall be let in; 0: the bundle's own.
    """
    calibration, said = info.calibration, []
    if sure_right > 0 and not info.targets.sure:
        said.append(
            f"{info.id} does not say from when on it is right {sure_right:.0%} of the time: "
            f"it keeps its own threshold for sure, {calibration.sure:g}"
        )
    elif sure_right > 0:
        sure = _at(info.targets.sure, sure_right)
        if sure is None:
            said.append(
                f"{info.id} can promise to be right {info.targets.sure[-1][0]:.0%} of the time at most, "
                f"not {sure_right:.0%}: it never says that it is sure"
            )
        calibration = replace(calibration, sure=NEVER if sure is None else sure)
    if characters_kept > 0 and not info.targets.kept:
        said.append(
            f"{info.id} does not say how it keeps {characters_kept:.0%} of the characters: "
            f"it keeps its own threshold for nobody, {calibration.known:g}"
        )
    elif characters_kept > 0:
        known = _at(info.targets.kept, characters_kept)
        if known is None:
            said.append(
                f"{info.id} can promise to keep {info.targets.kept[-1][0]:.0%} of the characters at most, "
                f"not {characters_kept:.0%}: it never says that it knows nobody"
            )
        calibration = replace(calibration, known=0.0 if known is None else known)
    return replace(info, calibration=calibration), said


def read_targets(content: Mapping[str, Any]) -> Targets:
    """What a manifest or a head's file holds, see `model.types.Targets`.

    Raises:
        ValueError: they are no pairs of numbers from 0 to 1, or in no order; TypeError, KeyError likewise.
    """
    return Targets(_pairs(content.get("sure", ())), _pairs(content.get("kept", ())))


def _pairs(table: Sequence[Sequence[float]]) -> tuple[tuple[float, float], ...]:
    pairs = tuple((float(share), float(threshold)) for share, threshold in table)
    shares = [share for share, _ in pairs]
    if shares != sorted(set(shares)) or not all(0 <= value <= 1 for pair in pairs for value in pair):
        raise ValueError("targets are pairs of a share and a threshold, by rising share")
    return pairs


def _at(table: Sequence[tuple[float, float]], share: float) -> float | None:
    """The threshold of the lowest share that is enough."""
    return next((threshold for there, threshold in table if there >= share - 1e-9), None)
