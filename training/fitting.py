"""The three fits behind a head: a classifier, an embedding, a calibration. NumPy and SciPy on one thread."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar  # type: ignore[import-untyped]

from model.preprocess import Floats
from model.types import Calibration
from training.targets import answered, kept_from, rounded_down, sure_from

Labels = NDArray[np.int64]
KEPT = 0.95
"""Of the characters' pictures are not turned away for the sake of strangers that nobody has seen yet."""


@dataclass(frozen=True, slots=True)
class Descent:
    """How a classifier is fitted: see `fit_classifier`."""

    smoothing: float
    l2: float
    iterations: int


@dataclass(frozen=True)
class Prior:
    """What an earlier model knows, so that a few new pictures add to it and do not replace it.

    Weights are pulled towards ``weight`` ``[C, F]`` and ``bias`` ``[C]`` instead of zero (L2-SP: Li et al.,
    ICML 2018, section 3), and what smoothing takes from the label goes where the earlier model had
    put it, ``shares`` ``[N, C]`` (learning without forgetting, in its simplest form: Li and Hoiem, ECCV
    2016), so that characters without new pictures keep their place.
    """

    weight: Floats
    bias: Floats
    shares: Floats


def log_softmax(logits: Floats) -> Floats:
    """Along the last axis."""
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def fit_classifier(
    x: Floats,
    labels: Labels,
    classes: int,
    how: Descent,
    *,
    weights: Floats | None = None,
    prior: Prior | None = None,
    curve: list[float] | None = None,
) -> tuple[Floats, Floats]:
    """Multinomial logistic regression with smoothed labels, by L-BFGS.

    Minimises the mean cross-entropy against targets of (1 - s) on the label and s / C everywhere
    (Szegedy et al., CVPR 2016, section 7; it keeps wrong labels from being learnt by heart: Lukasik
    et al., ICML 2020) plus l2 / 2 times the squared weights. It starts at zero, or where ``prior``
    says, and there is no chance in it: the same input gives the same weights.

    Args:
        x: ``[N, F]``, standardised.
        weights: ``[N]``, how much each picture counts; 1 on average.
        prior: what is known already, see `Prior`.
        curve: gets the value of every iteration.

    Returns:
        weight ``[C, F]`` and bias ``[C]``.
    """
    count, width = x.shape
    targets = smoothed(labels, classes, how.smoothing, None if prior is None else prior.shares)
    origin = None if prior is None else prior.weight.astype(np.float32)
    home = None if prior is None else prior.bias.astype(np.float32)

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight = flat[: classes * width].reshape(classes, width).astype(np.float32)
        bias = flat[classes * width :].astype(np.float32)
        logp = log_softmax(x @ weight.T + bias)
        each, error = targets * logp, (np.exp(logp) - targets) / np.float32(count)
        if weights is not None:
            each, error = each * weights[:, None], error * weights[:, None]
        away = weight if origin is None else weight - origin
        value = -float(each.sum(dtype=np.float64)) / count
        value += how.l2 / 2 * float((away**2).sum(dtype=np.float64))
        slope, lift = error.T @ x + np.float32(how.l2) * away, error.sum(axis=0)
        if home is not None:
            value += how.l2 / 2 * float(((bias - home) ** 2).sum(dtype=np.float64))
            lift = lift + np.float32(how.l2) * (bias - home)
        return value, np.concatenate([slope.ravel(), lift]).astype(np.float64)

    start = np.zeros(classes * width + classes)
    if origin is not None and home is not None:
        start = np.concatenate([origin.ravel(), home]).astype(np.float64)

    def keep(flat: NDArray[np.float64]) -> None:
        if curve is not None:
            curve.append(loss(flat)[0])

    found = minimize(
        loss,
        start,
        jac=True,
        method="L-BFGS-B",
        callback=keep if curve is not None else None,
        options={"maxiter": how.iterations},
    ).x
    weight = found[: classes * width].reshape(classes, width)
    return weight.astype(np.float32), found[classes * width :].astype(np.float32)


def smoothed(labels: Labels, classes: int, smoothing: float, shares: Floats | None = None) -> Floats:
    """``[N, C]``: (1 - s) on the label and s spread evenly, or as ``shares`` ``[N, C]`` says."""
    targets = np.full((len(labels), classes), smoothing / classes, np.float32)
    if shares is not None:
        targets = (smoothing * shares).astype(np.float32)
    targets[np.arange(len(labels)), labels] += 1 - smoothing
    return targets


def shares_of_new(labels: Labels, classes: int, *, smoothing: float, keep: float) -> Floats:
    """``[N, C]``: `Prior.shares` of pictures of characters that the earlier model does not know.

    It would share them among those whom they resemble, and teach that they are in part somebody else. With
    these, `smoothed` by ``keep`` takes ``smoothing`` from the label and spreads it evenly, as without one.
    """
    return smoothed(labels, classes, min(1.0, smoothing / max(keep, 1e-9)))


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

    Returns:
        ``[N]``, true where the label is believed, see `believable`.
    """
    said = second_opinions(x, labels, groups, classes, how, folds=folds, seed=seed)
    return believable(said, labels, doubt=doubt, certainty=certainty)


def second_opinions(
    x: Floats, labels: Labels, groups: Sequence[str], classes: int, how: Descent, *, folds: int, seed: int
) -> Floats:
    """What classifiers say of each picture that have seen neither it nor a near copy of it (``groups``).

    Returns:
        ``[N, C]``, log-probabilities; the label itself where there is nothing else to learn from.
    """
    names = sorted(set(groups))
    drawn = np.random.default_rng(seed).integers(0, folds, len(names))
    of_group = dict(zip(names, drawn.tolist(), strict=True))
    fold = np.array([of_group[group] for group in groups])
    said = np.full((len(labels), classes), -100, np.float32)
    said[np.arange(len(labels)), labels] = 0
    for number in range(folds):
        seen, unseen = fold != number, np.flatnonzero(fold == number)
        if not len(unseen) or not seen.any():
            continue
        weight, bias = fit_classifier(x[seen], labels[seen], classes, how)
        said[unseen] = log_softmax(x[unseen] @ weight.T + bias)
    return said


def believable(said: Floats, labels: Labels, *, doubt: float, certainty: float) -> NDArray[np.bool_]:
    """``[N]``: not where the label is given less than ``doubt`` and another class more than ``certainty``.

    That is confident learning (Northcutt et al., JAIR 2021, section 3) with fixed thresholds; ``said``
    are those of `second_opinions`.
    """
    p = np.exp(said)
    own = p[np.arange(len(labels)), labels]
    return np.asarray((own >= doubt) | (p.max(axis=1) <= certainty))


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


def fit_calibration(
    logits: Floats, labels: Labels, nobody: int | None, *, precision: float, known: float = 0.5
) -> Calibration:
    """Temperature and thresholds, on pictures that the classifier was not trained on.

    The temperature has the least cross-entropy (Guo et al., ICML 2017, section 4.2). ``known`` is where
    strangers turned away and characters let in, averaged, are the most, or stricter, as long as
    `KEPT` of the characters are let in: the strangers that there are to choose by are few, and where none
    of them comes near the characters the place just above them says little of the next one. ``sure`` is the
    lowest probability from which on what is said is right at least ``precision`` of the time, by
    `training.targets.sure_from`.

    Args:
        nobody: the class of strangers, if there is one.
        known: the threshold where no strangers are among the pictures to choose it by.
    """
    rows = np.arange(len(labels))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(logits / np.exp(log_temperature))[rows, labels].mean(dtype=np.float64))

    temperature = float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
    p = np.exp(log_softmax(logits / temperature))
    confidence, score, right = answered(p, labels, nobody)
    threshold = known
    if nobody is not None:
        stranger = labels == nobody
        if stranger.any() and not stranger.all():
            steps = np.unique(score)
            edges = (steps[1:] + steps[:-1]) / 2
            balance = [float((score[stranger] < e).mean() + (score[~stranger] >= e).mean()) for e in edges]
            threshold = float(edges[int(np.argmax(balance))]) if balance else known
        threshold = max(threshold, kept_from(score[~stranger], KEPT) or 0.0)
    told = score >= threshold if nobody is not None else np.ones(len(labels), np.bool_)
    found = sure_from(confidence[told], right[told], precision)
    sure = 1.0 if found is None else found
    return Calibration(temperature=round(temperature, 4), sure=round(sure, 4), known=rounded_down(threshold))


def calibrated(logits: Floats, calibration: Calibration) -> Floats:
    """Probabilities ``[N, C]``."""
    return np.asarray(np.exp(log_softmax(logits / np.float32(calibration.temperature))))
