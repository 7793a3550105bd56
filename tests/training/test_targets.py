"""Thresholds that keep what they promise, on answers whose honesty is drawn."""

from __future__ import annotations

import numpy as np
import pytest

from model.preprocess import Floats
from training.measuring import Flags, wilson
from training.targets import answered, fit_targets, lower, sure_from


def answers(count: int, seed: int, bold: float = 0.0) -> tuple[Floats, Flags]:
    """Probabilities, and whether it was so; ``bold`` of what is missing to 1 is claimed as well."""
    dice = np.random.default_rng(seed)
    honest = dice.beta(2, 0.7, count)
    return np.asarray(honest + bold * (1 - honest), np.float32), dice.random(count) < honest


def test_the_bound_is_that_of_wilson() -> None:
    assert float(lower(45, 50, 1.959964)) == pytest.approx(wilson(45, 50)[0])
    assert float(lower(50, 50)) < 1


@pytest.mark.parametrize("bold", [0.0, 0.4])
def test_the_promise_is_kept_in_most_draws_and_not_by_being_silent(bold: float) -> None:
    many, right = answers(200_000, 10_000, bold)
    kept, said = [], []
    for seed in range(200):
        threshold = sure_from(*answers(600, seed, bold), 0.95)
        assert threshold is not None
        sure = many >= threshold
        kept.append(right[sure].mean() >= 0.95)
        said.append(sure.mean())
    assert np.mean(kept) >= 0.75
    # as often as is honest: the threshold that reaches it in all of the answers
    possible = (many >= sure_or_fail(many, right)).mean()
    assert np.mean(said) > 0.6 * possible


def sure_or_fail(confidence: Floats, right: Flags) -> float:
    found = sure_from(confidence, right, 0.95)
    assert found is not None
    return found


def test_the_luckiest_threshold_is_not_taken() -> None:
    """What was there before: the lowest threshold above which enough were right."""
    many, right = answers(200_000, 10_000)
    kept = []
    for seed in range(200):
        confidence, hit = answers(600, seed)
        order = np.argsort(-confidence)
        share = np.cumsum(hit[order]) / np.arange(1, 601)
        lucky = confidence[order][np.flatnonzero(share >= 0.95)[-1]]
        kept.append(right[many >= lucky].mean() >= 0.95)
    assert np.mean(kept) < 0.65


def test_equals_are_sure_together_or_not_at_all() -> None:
    confidence = np.array([0.99] * 50 + [0.96] * 100, np.float32)
    right = np.array([True] * 100 + [False] * 50)
    assert sure_from(confidence, right, 0.95) == pytest.approx(0.99)


def test_what_is_not_reached_is_not_promised() -> None:
    assert sure_from(np.full(100, 0.99, np.float32), np.zeros(100, np.bool_), 0.5) is None
    assert sure_from(np.full(3, 0.99, np.float32), np.ones(3, np.bool_), 0.95) is None  # too few
    assert sure_from(np.zeros(0, np.float32), np.zeros(0, np.bool_), 0.95) is None


def test_tables_rise_and_keep_characters() -> None:
    dice = np.random.default_rng(0)
    logits = dice.normal(scale=2.5, size=(2000, 4))
    p = np.asarray(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True), np.float32)
    labels = np.array([dice.choice(4, p=row / row.sum()) for row in p.astype(np.float64)])
    targets = fit_targets(p, labels, 3, 0.5)
    for table in (targets.sure, targets.kept):
        assert len(table) > 5
        assert [share for share, _ in table] == sorted(share for share, _ in table)
    assert [t for _, t in targets.sure] == sorted(t for _, t in targets.sure)
    assert [t for _, t in targets.kept] == sorted((t for _, t in targets.kept), reverse=True)
    _, known, _ = answered(p, labels, 3)
    for share, threshold in targets.kept:
        assert share <= (known[labels != 3] >= threshold).mean() < share + 0.03


def test_without_a_class_for_nobody_all_are_told() -> None:
    p = np.array([[0.9, 0.1], [0.2, 0.8]], np.float32)
    confidence, known, right = answered(p, np.array([0, 0]), None)
    assert (confidence.tolist(), known.tolist(), right.tolist()) == (
        pytest.approx([0.9, 0.8]),
        [1, 1],
        [True, False],
    )
    assert fit_targets(p, np.array([0, 1]), None, 0.5).kept == ()
