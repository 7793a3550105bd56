"""The tests behind the gate, against other ways to the same numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from training.measuring import calibration_floor, coverage_at, expected_calibration_error
from training.paired import (
    Change,
    auroc_change,
    balanced_change,
    calibration_change,
    holm,
    lower_bound,
    pictures_needed,
    share_change,
    worse_by_chance,
)


def score(gained: int, lost: int, count: int, delta: float) -> float:
    """Tango's statistic with the constrained likelihood maximised by search instead of by formula."""
    low = max(0.0, -delta) + 1e-12

    def unlikely(q: float) -> float:
        p = q + delta
        rest = 1 - p - q
        if min(p, q, rest) <= 0:
            return math.inf
        return -(gained * math.log(p) + lost * math.log(q) + (count - gained - lost) * math.log(rest))

    q = minimize_scalar(unlikely, bounds=(low, (1 - delta) / 2), method="bounded", options={"xatol": 1e-12}).x
    return (gained - lost - count * delta) / math.sqrt(count * (2 * q + delta - delta**2))


@pytest.mark.parametrize(
    ("gained", "lost", "count"), [(30, 12, 400), (5, 25, 300), (40, 40, 1000), (1, 3, 60)]
)
def test_the_bound_is_where_the_score_test_just_does_not_refute(gained: int, lost: int, count: int) -> None:
    bound = lower_bound(gained, lost, count)
    assert bound < (gained - lost) / count
    assert score(gained, lost, count, bound) == pytest.approx(1.645, abs=2e-3)


def test_the_bound_keeps_its_level() -> None:
    """Of candidates that are worse by exactly the margin, one in twenty is let through, with few and many."""
    dice = np.random.default_rng(0)
    for count, lost_share in ((400, 0.03), (1200, 0.06)):
        draws = dice.multinomial(count, [lost_share - 0.01, lost_share, 1.01 - 2 * lost_share], 4000)
        passed = np.mean([lower_bound(g, lost, count) > -0.01 for g, lost, _ in draws])
        assert 0.03 < passed < 0.065


def test_the_bound_at_its_ends() -> None:
    assert lower_bound(0, 0, 0) == -1
    assert lower_bound(0, 10, 10) == -1
    assert lower_bound(10, 0, 10) > 0.5
    # nobody differs: the same as the one-sided score interval of no event in so many
    assert lower_bound(0, 0, 1000) == pytest.approx(-(1.645**2) / (1000 + 1.645**2), rel=0.02)
    assert lower_bound(20, 30, 500) < lower_bound(25, 30, 500) < lower_bound(25, 25, 500)


def test_mcnemar_is_a_sum_of_binomials() -> None:
    by_hand = sum(math.comb(12, k) for k in range(9, 13)) / 2**12
    assert worse_by_chance(gained=3, lost=9) == pytest.approx(by_hand)
    assert worse_by_chance(0, 0) == 1
    assert worse_by_chance(9, 3) > 0.95


def test_holm() -> None:
    # 0.01 < 0.05 / 4 and 0.013 < 0.05 / 3, but 0.03 > 0.05 / 2: it and all after it stay
    assert holm([0.03, 0.01, 0.04, 0.013]) == [False, True, False, True]
    assert holm([]) == []


def test_how_many_pictures_are_needed() -> None:
    """As many as it says show an equal candidate to be no worse in four of five cases."""
    count = pictures_needed(0.1, 0.01)
    draws = np.random.default_rng(1).multinomial(count, [0.05, 0.05, 0.9], 1500)
    assert np.mean([lower_bound(g, lost, count) > -0.01 for g, lost, _ in draws]) == pytest.approx(
        0.8, abs=0.04
    )


def test_a_change_of_a_share() -> None:
    before, after = np.zeros(100, bool), np.zeros(100, bool)
    after[:8] = True
    change = share_change(before, after)
    assert change.worse_by == pytest.approx(0.08)
    assert change.beyond(0.05)
    assert not change.beyond(0.1)
    assert not Change(0.08, 0.06).beyond(0.05)


def test_auroc_and_balance_have_honest_errors() -> None:
    """Their standard errors are what many draws of the same kind scatter by."""
    dice = np.random.default_rng(2)
    strangers = np.arange(300) < 60
    found = []
    for _ in range(300):
        shared = dice.normal(size=300) + 1.5 * ~strangers
        scores = [(shared + 0.5 * dice.normal(size=300)).astype(np.float32) for _ in range(2)]
        rightly = [(score > 0.7) != strangers for score in scores]
        found.append((auroc_change(*scores, strangers), balanced_change(*rightly, strangers)))
    for each in zip(*found, strict=True):
        scatter = np.std([change.worse_by for change in each])
        assert np.mean([change.error for change in each]) == pytest.approx(scatter, rel=0.12)


def test_a_growing_calibration_error_is_seen_and_an_equal_one_is_not() -> None:
    dice = np.random.default_rng(3)
    confidence = dice.uniform(0.4, 1, 1000).astype(np.float32)
    right = dice.random(1000) < confidence
    sharp = np.minimum(1, confidence + 0.12).astype(np.float32)
    worse = calibration_change((confidence, right), (sharp, right))
    assert worse.beyond(0.03)
    assert worse.worse_by == pytest.approx(
        expected_calibration_error(sharp, right) - expected_calibration_error(confidence, right), abs=1e-6
    )
    again = dice.random(1000) < confidence
    assert not calibration_change((confidence, right), (confidence, again)).beyond(0.03)


def test_the_floor_is_what_an_honest_model_shows() -> None:
    dice = np.random.default_rng(4)
    confidence = dice.uniform(0.3, 1, 500).astype(np.float32)
    mean, high = calibration_floor(confidence)
    honest = [expected_calibration_error(confidence, dice.random(500) < confidence) for _ in range(300)]
    assert mean == pytest.approx(np.mean(honest), abs=0.003)
    assert np.mean(np.array(honest) < high) == pytest.approx(0.95, abs=0.04)


def test_coverage() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6, 0.5], np.float32)
    assert coverage_at(0.75, confidence, np.array([True, True, False, True, False])) == 0.8
    assert coverage_at(0.95, confidence, np.array([False, True, True, True, True])) == 0.0
    equal = np.full(4, 0.5, np.float32)
    assert coverage_at(0.95, equal, np.array([True, True, True, False])) == 0.0
