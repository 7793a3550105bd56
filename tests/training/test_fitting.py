"""The fits, on numbers whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest

from model.preprocess import Floats
from training.fitting import (
    Descent,
    Labels,
    fit_calibration,
    fit_classifier,
    fit_embedding,
    log_softmax,
    trusted_labels,
)
from training.targets import STRICTEST

HOW = Descent(smoothing=0.0, l2=0.01, iterations=100)


def clouds(
    count: int, *, width: int = 20, classes: int = 3, seed: int = 0, gap: float = 4.0
) -> tuple[Floats, Labels]:
    """Gaussian clouds around three corners, with loud noise in the directions that mean nothing."""
    dice = np.random.default_rng(seed)
    labels = dice.integers(0, classes, count)
    x = dice.normal(size=(count, width)).astype(np.float32)
    x[:, classes:] *= 4
    x[np.arange(count), labels] += gap
    return x, labels


def test_the_classifier_finds_the_least_loss() -> None:
    from sklearn.linear_model import LogisticRegression

    x, labels = clouds(300)
    weight, bias = fit_classifier(x, labels, 3, HOW)
    theirs = LogisticRegression(C=1 / (HOW.l2 * len(x)), max_iter=1000, tol=1e-8).fit(x, labels)

    def loss(w: Floats, b: Floats) -> float:
        logp = log_softmax(x @ w.T + b)
        return float(-logp[np.arange(len(x)), labels].mean() + HOW.l2 / 2 * (w**2).sum())

    assert loss(weight, bias) == pytest.approx(loss(theirs.coef_, theirs.intercept_), abs=1e-3)


def test_the_same_input_gives_the_same_bytes() -> None:
    x, labels = clouds(200)
    once, again = (fit_classifier(x, labels, 3, HOW)[0] for _ in range(2))
    assert once.tobytes() == again.tobytes()
    once, again = (fit_embedding(x, labels, components=15, shrinkage=0.1, width=5)[0] for _ in range(2))
    assert once.tobytes() == again.tobytes()


def test_smoothing_keeps_it_from_being_too_sure() -> None:
    x, labels = clouds(200)
    sharp, soft = (fit_classifier(x, labels, 3, Descent(smoothing, 1e-4, 100)) for smoothing in (0.0, 0.2))
    top = [np.exp(log_softmax(x @ w.T + b)).max(axis=1).mean() for w, b in (sharp, soft)]
    assert top[1] < top[0]


def test_wrong_labels_are_not_believed() -> None:
    x, labels = clouds(600, gap=7.0)
    wrong = np.arange(0, 600, 12)
    given = labels.copy()
    given[wrong] = (given[wrong] + 1) % 3
    groups = [str(index // 2) for index in range(600)]
    believed = trusted_labels(x, given, groups, 3, HOW, folds=4, doubt=0.2, certainty=0.6, seed=0)
    assert believed[wrong].mean() < 0.4
    assert np.delete(believed, wrong).mean() > 0.97


def test_the_embedding_brings_together_what_belongs_together() -> None:
    """Also classes that it has not seen: only the loud directions had to be learnt."""
    x, labels = clouds(600, classes=6)
    seen = labels < 3
    projection, shift = fit_embedding(x[seen], labels[seen], components=20, shrinkage=0.01, width=20)

    def nearest_agree(rows: Floats) -> float:
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        near = rows @ rows.T
        np.fill_diagonal(near, -1)
        return float((labels[~seen][near.argmax(axis=1)] == labels[~seen]).mean())

    centred = x - x[seen].mean(axis=0)
    assert nearest_agree(x[~seen] @ projection.T + shift) > nearest_agree(centred[~seen]) + 0.1
    assert np.abs((x[seen] @ projection.T + shift).mean(axis=0)).max() < 1e-3


def test_the_temperature_is_found_again() -> None:
    dice = np.random.default_rng(0)
    honest = dice.normal(scale=2.0, size=(4000, 4)).astype(np.float32)
    p = np.exp(log_softmax(honest))
    labels = np.array([dice.choice(4, p=row / row.sum()) for row in p.astype(np.float64)])
    calibration = fit_calibration(honest * 3, labels, 3, precision=0.9)
    assert calibration.temperature == pytest.approx(3, rel=0.1)


def test_sure_is_right_as_often_as_asked_and_no_rarer_than_needed() -> None:
    dice = np.random.default_rng(1)
    logits = dice.normal(scale=2.0, size=(3000, 4)).astype(np.float32)
    p = np.exp(log_softmax(logits))
    labels = np.array([dice.choice(4, p=row / row.sum()) for row in p.astype(np.float64)])
    calibration = fit_calibration(logits, labels, 3, precision=0.9)
    scores = np.exp(log_softmax(logits / calibration.temperature))
    told = 1 - scores[:, 3] >= calibration.known
    confidence, first = scores[:, :3].max(axis=1), scores[:, :3].argmax(axis=1)

    def precision(least: float) -> float:
        said = told & (confidence >= least)
        return float((first[said] == labels[said]).mean())

    assert precision(calibration.sure) >= 0.89
    assert precision(calibration.sure - 0.1) < 0.9


def some_known(strangers: int) -> tuple[Floats, Labels]:
    """Logits of a character and of nobody: 500 pictures of the one, few of the other, far from each other."""
    dice = np.random.default_rng(3)
    score = np.concatenate([dice.normal(4.0, 2.0, 500), dice.normal(-6.0, 0.5, strangers)])
    logits = np.stack([score, np.zeros_like(score)], axis=1).astype(np.float32)
    return logits, np.repeat([0, 1], [500, strangers])


@pytest.mark.parametrize("strangers", [0, 3, 40])
def test_few_strangers_far_away_do_not_let_the_next_one_in(strangers: int) -> None:
    logits, labels = some_known(strangers)
    calibration = fit_calibration(logits, labels, 1, precision=0.9, known=0.5)
    let_in = 1 - np.exp(log_softmax(logits / calibration.temperature))[:, 1] >= calibration.known
    assert 0.95 <= let_in[labels == 0].mean() < 0.97
    assert not let_in[labels == 1].any()


def test_too_few_characters_promise_nothing() -> None:
    logits, labels = some_known(3)
    some = np.concatenate([np.arange(10), np.arange(500, 503)])
    calibration = fit_calibration(logits[some], labels[some], 1, precision=0.9)
    p = 1 - np.exp(log_softmax(logits[some] / calibration.temperature))[:, 1]
    assert (p >= calibration.known).sum() == 10


def test_characters_without_doubt_are_never_shut_out_by_rounding() -> None:
    logits = np.repeat(np.array([[30.0, 0.0], [0.0, 30.0]], np.float32), [200, 20], axis=0)
    calibration = fit_calibration(logits, np.repeat([0, 1], [200, 20]), 1, precision=0.9)
    assert calibration.known == STRICTEST


def test_strangers_who_look_like_characters_ask_for_more() -> None:
    dice = np.random.default_rng(4)
    score = np.concatenate([dice.normal(2.0, 1.0, 300), dice.normal(1.0, 0.3, 300)])
    logits = np.stack([score, np.zeros_like(score)], axis=1).astype(np.float32)
    labels = np.repeat([0, 1], 300)
    calibration = fit_calibration(logits, labels, 1, precision=0.9)
    let_in = 1 - np.exp(log_softmax(logits / calibration.temperature))[:, 1] >= calibration.known
    assert let_in[labels == 0].mean() < 0.9
