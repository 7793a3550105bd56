"""The three fits behind a head: a classifier, an embedding, a calibration. NumPy and SciPy on one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar  # type: ignore[import-untyped]

from model.preprocess import Floats
from model.types import Calibration

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Descent:
    """How a classifier is fitted: see `fit_classifier`."""

    smoothing: float
    l2: float
    iterations: int


def log_softmax(logits: Floats) -> Floats:
    """Along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def fit_classifier(x: Floats, labels: Labels, classes: int, how: Descent) -> tuple[Floats, Floats]:
    """Multinomial logistic regression with smoothed labels, by L-BFGS.

    Minimises the mean cross-entropy against targets of (1 - s) on the label and s / C everywhere
    (Szegedy et al., CVPR 2016, section 7; it keeps wrong labels from being learnt by heart: Lukasik
    et al., ICML 2020) plus l2 / 2 times the squared weights. It starts at zero and there is no
    chance in it: the same input gives the same weights.

    Args:
        x: ``[N, F]``, standardised.

    Returns:
        weight ``[C, F]`` and bias ``[C]``.
    """
    count, width = x.shape
    targets = np.full((count, classes), how.smoothing / classes, np.float32)
    targets[np.arange(count), labels] += 1 - how.smoothing

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight = flat[: classes * width].reshape(classes, width).astype(np.float32)
        bias = flat[classes * width :].astype(np.float32)
        logp = log_softmax(x @ weight.T + bias)
        value = -float((targets * logp).sum(dtype=np.float64)) / count
        value += how.l2 / 2 * float((weight**2).sum(dtype=np.float64))
        error = (np.exp(logp) - targets) / np.float32(count)
        slope = error.T @ x + np.float32(how.l2) * weight
        return value, np.concatenate([slope.ravel(), error.sum(axis=0)]).astype(np.float64)

    start = np.zeros(classes * width + classes)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": how.iterations}).x
    weight = found[: classes * width].reshape(classes, width)
    return weight.astype(np.float32), found[classes * width :].astype(np.float32)


def trusted_labels(
    x: Floats,
    labels: Labels,
    groups: Sequence[str],
    classes: int,
    how: Descent,
    *,
    folds: int,
    doubt: float,
    certainty: float,
    seed: int,
) -> NDArray[np.bool_]:
    """Which labels to believe, judged by classifiers that have not seen them.

    A label is not believed when the classifier of the other folds gives it less than ``doubt`` and
    some other class more than ``certainty``: confident learning (Northcutt et al., JAIR 2021, section
    3) with fixed thresholds. Near copies (``groups``) are in one fold.

    Returns:
        ``[N]``, true where the label is believed.
    """
    names = sorted(set(groups))
    drawn = np.random.default_rng(seed).integers(0, folds, len(names))
    of_group = dict(zip(names, drawn.tolist(), strict=True))
    fold = np.array([of_group[group] for group in groups])
    believed = np.ones(len(labels), np.bool_)
    for number in range(folds):
        seen, unseen = fold != number, np.flatnonzero(fold == number)
        weight, bias = fit_classifier(x[seen], labels[seen], classes, how)
        p = np.exp(log_softmax(x[unseen] @ weight.T + bias))
        own = p[np.arange(len(unseen)), labels[unseen]]
        believed[unseen] = (own >= doubt) | (p.max(axis=1) <= certainty)
    return believed


def fit_embedding(
    x: Floats, labels: Labels, *, components: int, shrinkage: float, width: int
) -> tuple[Floats, Floats]:
    """A linear map under which pictures of one character are near one another, and new characters too.

    The principal components are rescaled so that directions in which pictures of the *same* character
    differ count less (whitening by the within-class covariance, as in Fisher's discriminant), and the
    ``width`` directions of most remaining variance are kept.

    Args:
        x: ``[N, F]``, standardised.
        components: principal components that are looked at; N at most.
        shrinkage: mixes the within-class covariance with a round one, in units of its mean variance.

    Returns:
        projection ``[D, F]`` and the shift ``[D]`` that moves the mean picture to the origin.
    """
    _, basis = np.linalg.eigh((x @ x.T).astype(np.float64))
    directions = (x.T @ basis[:, ::-1][:, :components]).astype(np.float64)
    directions /= np.linalg.norm(directions, axis=0)
    z = x @ directions
    centred = z - np.stack([z[labels == label].mean(axis=0) for label in range(labels.max() + 1)])[labels]
    within = centred.T @ centred / len(z)
    within += shrinkage * np.trace(within) / components * np.eye(components)
    values, vectors = np.linalg.eigh(within)
    whitener = vectors / np.sqrt(values)
    _, main = np.linalg.eigh(np.cov((z @ whitener).T))
    projection = (directions @ whitener @ main[:, ::-1][:, :width]).T
    # a sign of one's own for each direction, so that the same data give the same numbers anywhere
    projection *= np.sign(projection[np.arange(width), np.abs(projection).argmax(axis=1)])[:, None]
    return projection.astype(np.float32), (-projection @ x.mean(axis=0)).astype(np.float32)


def fit_calibration(logits: Floats, labels: Labels, nobody: int, *, precision: float) -> Calibration:
    """Temperature and thresholds, on pictures that the classifier was not trained on.

    The temperature has the least cross-entropy (Guo et al., ICML 2017, section 4.2). ``known`` is where
    strangers turned away and characters let in, averaged, are the most. ``sure`` is the lowest
    probability from which on what is said is right at least ``precision`` of the time.
    """
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature))[rows, labels].mean(dtype=np.float64))

    temperature = float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
    p = np.exp(log_softmax(logits / temperature))
    known = 1 - p[:, nobody]
    stranger = labels == nobody
    steps = np.unique(known)
    edges = (steps[1:] + steps[:-1]) / 2
    balance = [float((known[stranger] < e).mean() + (known[~stranger] >= e).mean()) for e in edges]
    threshold = float(edges[int(np.argmax(balance))])

    p[:, nobody] = -1
    confidence, right = p.max(axis=1), p.argmax(axis=1) == labels
    told = known >= threshold
    order = np.argsort(-confidence[told], kind="stable")
    share = np.cumsum(right[told][order]) / np.arange(1, told.sum() + 1)
    enough = np.flatnonzero(share >= precision)
    sure = float(confidence[told][order][enough[-1]]) if len(enough) else 1.0
    return Calibration(temperature=round(temperature, 4), sure=round(sure, 4), known=round(threshold, 4))
