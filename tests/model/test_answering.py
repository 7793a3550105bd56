"""Logits to answers."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.answering import answer
from model.errors import BundleDamaged
from model.types import NOBODY, BundleInfo, Calibration, Verdict

THREE = BundleInfo("t", ("iron-man", "loki", NOBODY), Calibration(temperature=2.0, sure=0.8, known=0.5))
TWO = BundleInfo(
    "t", ("iron-man", "loki"), Calibration(sure=0.8, known=0.5, known_scale=1.0, known_offset=-3.0)
)


def test_the_temperature_divides_the_logits() -> None:
    said = answer([2.0, 0.0, 0.0], THREE)
    assert said.confidence == pytest.approx(math.e / (math.e + 2))
    assert said.known == pytest.approx((math.e + 1) / (math.e + 2))


@pytest.mark.parametrize(
    ("logits", "verdict", "character"),
    [
        ([10.0, 0.0, 0.0], Verdict.SURE, "iron-man"),
        ([4.0, 4.0, 0.0], Verdict.UNSURE, "iron-man"),
        ([3.0, 4.0, 0.0], Verdict.UNSURE, "loki"),
        ([0.0, 1.0, 9.0], Verdict.NOBODY, "loki"),
    ],
)
def test_verdicts(logits: list[float], verdict: Verdict, character: str) -> None:
    said = answer(logits, THREE)
    assert (said.verdict, said.character) == (verdict, character)
    assert NOBODY not in [ranked.character for ranked in said.ranked]


def test_without_a_class_for_nobody_the_energy_says_how_known_it_is() -> None:
    said = answer([5.0, 1.0], TWO)
    energy = math.log(math.exp(5) + math.exp(1))
    assert said.known == pytest.approx(1 / (1 + math.exp(-(energy - 3))))
    assert said.confidence == pytest.approx(said.known * 1 / (1 + math.exp(-4)))
    assert answer([1.0, -5.0], TWO).verdict is Verdict.NOBODY


def test_a_bundle_that_cannot_tell_knows_everybody() -> None:
    said = answer([-9.0, -50.0], BundleInfo("t", ("iron-man", "loki")))
    assert said.known == 1
    assert said.verdict is Verdict.SURE


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=3), st.sampled_from([THREE, TWO]))
def test_probabilities_are_probabilities(logits: list[float], info: BundleInfo) -> None:
    said = answer(logits[: len(info.characters)], info)
    assert all(0 <= ranked.probability <= 1 for ranked in said.ranked)
    assert sum(ranked.probability for ranked in said.ranked) == pytest.approx(said.known)
    assert [r.probability for r in said.ranked] == sorted((r.probability for r in said.ranked), reverse=True)
    assert said.confidence == said.ranked[0].probability
    assert 0 <= said.known <= 1


@pytest.mark.parametrize("logits", [[1.0], [1.0, 2.0, 3.0, 4.0], [math.nan, 0.0, 0.0], [math.inf, 0.0, 0.0]])
def test_what_are_no_logits_is_refused(logits: list[float]) -> None:
    with pytest.raises(BundleDamaged, match="no usable numbers"):
        answer(logits, THREE)
