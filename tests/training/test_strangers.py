"""The scores for strangers, on drawn points of which it is known who is nearer."""

from __future__ import annotations

import numpy as np
import pytest

from model.preprocess import Floats
from training.fitting import Labels
from training.measuring import auroc
from training.strangers import (
    Mahalanobis,
    Mixture,
    Neighbours,
    Vim,
    auroc_interval,
    energy,
    let_in,
    max_softmax,
    seen_strangers,
    threshold_keeping,
)


def clouds(count: int, width: int = 8, seed: int = 0) -> tuple[Floats, Labels]:
    """Two classes that lie in the first two directions of ``width``; hardly anything in the others."""
    dice = np.random.default_rng(seed)
    labels = dice.integers(0, 2, count)
    x = np.asarray(0.1 * dice.normal(size=(count, width)), np.float32)
    x[:, :2] += dice.normal(size=(count, 2))
    x[np.arange(count), labels] += 6
    return x, labels


def test_softmax_and_energy_by_hand() -> None:
    logits = np.log(np.array([[8.0, 1, 1], [2, 1, 1]], np.float32))
    assert max_softmax(logits) == pytest.approx([0.8, 0.5])
    assert energy(logits) == pytest.approx(np.log([10, 4]))
    assert energy(logits, 2.0) == pytest.approx(2 * np.log(np.sqrt([8, 2]) + 2), rel=1e-5)


def test_a_head_that_has_seen_strangers_says_the_log_odds_of_somebody() -> None:
    logits = np.log(np.array([[6.0, 1, 3], [1, 1, 8]], np.float32))  # nobody is the last
    known = 1 / (1 + np.exp(-seen_strangers(logits, 2)))
    assert known == pytest.approx([0.7, 0.2])


def test_neighbours_are_the_kth_cosine() -> None:
    known = np.array([[1.0, 0], [0, 2], [-3, 0]], np.float32)
    asked = np.array([[5.0, 0]], np.float32)
    assert [float(Neighbours.fit(known, k).score(asked)[0]) for k in (1, 2, 3)] == pytest.approx([1, 0, -1])
    assert Neighbours.fit(known, 50).k == 3


def test_mahalanobis_measures_in_units_of_the_class() -> None:
    x, labels = clouds(4000)
    fitted = Mahalanobis.fit(x, labels, shrinkage=0.0)
    means = np.stack([x[labels == label].mean(axis=0) for label in (0, 1)])
    aside = means + np.array([0, 0, 0.3, 0, 0, 0, 0, 0], np.float32)  # three deviations of a quiet direction
    assert fitted.score(means) == pytest.approx([0, 0], abs=1e-2)
    assert fitted.score(aside) == pytest.approx([-9, -9], rel=0.1)
    # what is far from everybody in the same way is no less anybody: both distances grow alike
    assert fitted.relative(aside) == pytest.approx(fitted.relative(means), rel=0.1)


def test_vim_sees_what_lies_outside_of_where_characters_lie() -> None:
    x, _ = clouds(1000)
    weight = np.eye(2, 8, dtype=np.float32)
    fitted = Vim.fit(x, weight, np.zeros(2, np.float32), width=2)
    aside, _ = clouds(200, seed=1)
    aside[:, 5] += 3
    plain = energy(aside @ weight.T)
    assert auroc(plain, energy(x @ weight.T)) == pytest.approx(0.5, abs=0.06)  # the logits do not see it
    assert auroc(fitted.score(aside), fitted.score(x)) == 1
    # its logit is on the scale of the others
    norm = np.linalg.norm((x - fitted.origin) @ fitted.rest, axis=1).mean()
    assert fitted.alpha * norm == pytest.approx((x @ weight.T).max(axis=1).mean(), rel=1e-3)


def test_a_mixture_finds_the_score_that_tells() -> None:
    dice = np.random.default_rng(0)
    known = dice.random(2000) < 0.9
    telling: Floats = np.asarray(known * 2.0 + dice.normal(size=2000), np.float32)
    noise: Floats = np.asarray(1000 * dice.normal(size=2000), np.float32)
    mixed = Mixture.fit([telling, noise], known)
    scores = mixed.score([telling, noise])
    assert auroc(scores[~known], scores[known]) == pytest.approx(
        auroc(telling[~known], telling[known]), abs=0.01
    )
    assert abs(mixed.weight[1]) < 0.1 * mixed.weight[0]
    # both kinds count the same, so halfway between them it knows nothing
    assert mixed.score([np.ones(1, np.float32), np.zeros(1, np.float32)])[0] == pytest.approx(0, abs=0.3)


def test_a_mixture_of_what_separates_completely_stays_finite() -> None:
    known = np.array([True, True, False, False])
    mixed = Mixture.fit([np.array([1.0, 2, -1, -2], np.float32)], known)
    assert np.isfinite(mixed.weight).all() and mixed.weight[0] > 0


def test_thresholds_keep_what_they_promise() -> None:
    characters = np.arange(1, 101, dtype=np.float32)
    threshold = threshold_keeping(characters, 0.95)
    assert (characters >= threshold).mean() == 0.95
    assert threshold == 6
    assert let_in(np.array([5.0, 6.0, 7.0, 1.0], np.float32), threshold) == 0.5


def test_the_interval_holds_the_value_and_shrinks() -> None:
    dice = np.random.default_rng(0)
    strangers: Floats = np.asarray(dice.normal(size=100), np.float32)
    characters: Floats = np.asarray(dice.normal(size=400) + 1.5, np.float32)
    low, high = auroc_interval(strangers, characters)
    assert low < auroc(strangers, characters) < high
    again = auroc_interval(np.tile(strangers, 9), np.tile(characters, 9))
    assert again[1] - again[0] < (high - low) / 2
    # with itself it is a coin, ties counted half
    assert auroc_interval(np.zeros(10, np.float32), np.zeros(10, np.float32)) == (0.5, 0.5)
