"""How likely it is that a picture shows anybody on the list: scores from the literature, to be compared.

All of them are high for characters that a head knows and low for everybody else, and none has seen the
pictures that it is asked about. ``x`` are features ``[N, F]``, ``logits`` ``[N, K]`` those of a head over
them; what is fitted is fitted to the pictures of characters in the training part. Which one serves was
chosen by ``make bench-learning ARGS="--only strangers"``, see docs/learning.md, section *Nobody I know*.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logsumexp  # type: ignore[import-untyped]

from model.preprocess import Floats
from training.fitting import Labels, log_softmax
from training.measuring import Flags


def max_softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """The probability of the likeliest class (Hendrycks and Gimpel, ICLR 2017, section 2)."""
    return np.asarray(np.exp(log_softmax(logits / temperature)).max(axis=1))


def energy(logits: Floats, temperature: float = 1.0) -> Floats:
    """The negative free energy: T logsumexp(logits / T) (Liu et al., NeurIPS 2020, section 3.1)."""
    return np.asarray(temperature * logsumexp(logits / temperature, axis=1))


def seen_strangers(logits: Floats, nobody: int, temperature: float = 1.0) -> Floats:
    """1 - p(nobody) of a head that was trained with strangers as one class more.

    It is what *outlier exposure* (Hendrycks et al., ICLR 2019) becomes with a class for them, as in Neal et
    al. (ECCV 2018, section 3). As a log-odds, which has the order of the probability and no ties near 1.
    """
    others = np.delete(logits, nobody, axis=1) / temperature
    return np.asarray(logsumexp(others, axis=1) - logits[:, nobody] / temperature)


@dataclass(frozen=True)
class Neighbours:
    """The cosine to the k-th nearest known picture (Sun et al., ICML 2022, section 3)."""

    known: Floats
    k: int

    @classmethod
    def fit(cls, x: Floats, k: int) -> Neighbours:
        """Of fewer than ``k`` pictures the last is the k-th."""
        return cls(_unit(x), min(k, len(x)))

    def score(self, x: Floats) -> Floats:
        """[N], from -1 to 1."""
        cosines = _unit(x) @ self.known.T
        return np.asarray(np.partition(cosines, -self.k, axis=1)[:, -self.k])


@dataclass(frozen=True)
class Mahalanobis:
    """Minus the squared distance to the nearest class under one covariance (Lee et al., NeurIPS 2018, 2.1).

    ``relative`` is less the distance to the mean of all (Ren et al., 2021, arXiv 2106.09022, section 3), so
    that what is far from everything in ways that have nothing to do with characters counts less.
    """

    whitener: Floats
    means: Floats
    background: Floats
    middle: Floats

    @classmethod
    def fit(cls, x: Floats, labels: Labels, shrinkage: float = 0.1) -> Mahalanobis:
        """Every class from 0 to the highest must have a picture; see `training.fitting.fit_embedding`."""
        means = np.stack([x[labels == label].mean(axis=0) for label in range(int(labels.max()) + 1)])
        middle = x.mean(axis=0)
        within, around = _whitener(x - means[labels], shrinkage), _whitener(x - middle, shrinkage)
        return cls(within, means @ within, around, middle @ around)

    def score(self, x: Floats) -> Floats:
        """[N], at most 0."""
        return np.asarray(-_squares(x @ self.whitener, self.means).min(axis=1))

    def relative(self, x: Floats) -> Floats:
        """[N], of either sign."""
        return self.score(x) + _squares(x @ self.background, self.middle[None])[:, 0]


@dataclass(frozen=True)
class Vim:
    """Virtual-logit matching (Wang et al., CVPR 2022, section 4).

    What of the features lies outside the first principal components is a logit more, on the scale of the
    others; the score is the energy less that.
    """

    weight: Floats
    bias: Floats
    origin: Floats
    rest: Floats
    alpha: float

    @classmethod
    def fit(cls, x: Floats, weight: Floats, bias: Floats, width: int) -> Vim:
        """``width``: how many components are kept of the F; the paper takes about half of them."""
        origin: Floats = np.asarray(-np.linalg.pinv(weight) @ bias, np.float32)
        _, vectors = np.linalg.eigh((x - origin).T @ (x - origin))
        rest = vectors[:, : x.shape[1] - width]
        norms = np.linalg.norm((x - origin) @ rest, axis=1)
        alpha = float((x @ weight.T + bias).max(axis=1).mean() / max(float(norms.mean()), 1e-9))
        return cls(weight, bias, origin, np.asarray(rest, np.float32), alpha)

    def score(self, x: Floats) -> Floats:
        """[N]."""
        virtual = self.alpha * np.linalg.norm((x - self.origin) @ self.rest, axis=1)
        return np.asarray(energy(x @ self.weight.T + self.bias) - virtual)


@dataclass(frozen=True)
class Mixture:
    """Several scores weighed by a logistic regression, as Lee et al. (section 2.2) weigh layers.

    Both kinds count as much as each other, however many of them there are.
    """

    middle: Floats
    spread: Floats
    weight: Floats
    offset: float

    @classmethod
    def fit(cls, scores: Sequence[Floats], known: Flags, l2: float = 1e-2) -> Mixture:
        """``scores``: M times [N], of pictures that they were not fitted to; ``known`` [N].

        Iteratively reweighted least squares; the same input gives the same weights.
        """
        raw = np.stack(scores, axis=1).astype(np.float64)
        middle, spread = raw.mean(axis=0), raw.std(axis=0) + 1e-9
        x = np.column_stack([(raw - middle) / spread, np.ones(len(raw))])
        share = np.where(known, 0.5 / max(int(known.sum()), 1), 0.5 / max(int((~known).sum()), 1))
        ridge = l2 * np.diag([1.0] * raw.shape[1] + [0.0])
        beta = np.zeros(x.shape[1])
        for _ in range(50):
            p = expit(x @ beta)
            curvature = (x * (share * p * (1 - p))[:, None]).T @ x + ridge + 1e-9 * np.eye(len(beta))
            step = np.linalg.solve(curvature, x.T @ (share * (known - p)) - ridge @ beta)
            beta = beta + step / max(1.0, float(np.abs(step).max()))
            if np.abs(step).max() < 1e-8:
                break
        parts = [np.asarray(each, np.float32) for each in (middle, spread, beta[:-1])]
        return cls(parts[0], parts[1], parts[2], float(beta[-1]))

    def score(self, scores: Sequence[Floats]) -> Floats:
        """[N], a log-odds."""
        return np.asarray((np.stack(scores, axis=1) - self.middle) / self.spread @ self.weight + self.offset)


def let_in(strangers: Floats, threshold: float) -> float:
    """The share of strangers whose score is at least the threshold."""
    return float((strangers >= threshold).mean()) if len(strangers) else float("nan")


def threshold_keeping(characters: Floats, share: float) -> float:
    """The highest threshold that ``share`` of the characters' scores reach."""
    ordered = np.sort(characters)
    return float(ordered[int(np.floor((1 - share) * len(ordered)))])


def auroc_interval(
    strangers: Floats, characters: Floats, *, draws: int = 500, seed: int = 0
) -> tuple[float, float]:
    """The 95 % interval of `training.measuring.auroc` by the bootstrap, both kinds drawn apart."""
    dice = np.random.default_rng(seed)
    ordered = np.sort(characters)
    found = []
    for _ in range(draws):
        again = np.sort(ordered[dice.integers(0, len(ordered), len(ordered))])
        drawn = strangers[dice.integers(0, len(strangers), len(strangers))]
        above = len(again) - np.searchsorted(again, drawn, "right")
        equal = np.searchsorted(again, drawn, "right") - np.searchsorted(again, drawn, "left")
        found.append(float((above + equal / 2).mean()) / len(again))
    low, high = np.quantile(found, [0.025, 0.975])
    return float(low), float(high)


def _unit(x: Floats) -> Floats:
    return np.asarray(x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12), np.float32)


def _whitener(centred: Floats, shrinkage: float) -> Floats:
    """[F, F] under which the covariance, made rounder by ``shrinkage``, is the identity."""
    covariance = (centred.T @ centred / len(centred)).astype(np.float64)
    width = len(covariance)
    covariance += (shrinkage * np.trace(covariance) / width + 1e-9) * np.eye(width)
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(vectors / np.sqrt(values), np.float32)


def _squares(x: Floats, centres: Floats) -> Floats:
    """[N, K] squared distances."""
    cross = (x**2).sum(axis=1)[:, None] - 2 * x @ centres.T + (centres**2).sum(axis=1)[None]
    return np.asarray(np.maximum(cross, 0))
