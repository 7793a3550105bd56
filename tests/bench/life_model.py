"""The models in `tests.bench.life`: heads over features that are there, as the recipe *head* fits them.

`learn` says `training.recipes.head.fit_head` again without its network, so that a retraining takes seconds;
a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.preprocess import Floats
from model.types import NOBODY, BundleInfo
from training.fitting import (
    Descent,
    Labels,
    Prior,
    fit_calibration,
    fit_classifier,
    log_softmax,
    shares_of_new,
    trusted_labels,
)
from training.parts import Parts
from training.pictures import Picture
from training.predicting import Predictions
from training.recipes.head import Recipe, class_weights


@dataclass(frozen=True)
class Seen:
    """Features ``x`` [N, K] of pictures, on one scale for all models; ``row`` is a picture's by SHA-256."""

    x: Floats
    row: Mapping[str, int]

    def of(self, pictures: Sequence[Picture]) -> Floats:
        """``[n, K]``."""
        return self.x[[self.row[picture.sha256] for picture in pictures]]


@dataclass(frozen=True)
class Model:
    """A head: ``weight`` [C, K], ``bias`` [C]; ``believed`` [N]: which training labels it learned from."""

    info: BundleInfo
    weight: Floats
    bias: Floats
    believed: NDArray[np.bool_]

    def logits(self, x: Floats) -> Floats:
        """``[N, C]``."""
        return np.asarray(x @ self.weight.T + self.bias, np.float32)

    def predictions(self, x: Floats) -> Predictions:
        """What `training.gating` takes."""
        nothing = np.zeros((len(x), 1), np.float32)
        return Predictions(self.info, self.logits(x), nothing, nothing[:, 0])


def learn(parts: Parts, seen: Seen, base: Model | None, recipe: Recipe, seed: int, name: str) -> Model:
    """Fit and calibrate a head; ``base`` is where it starts from and what it is pulled towards."""
    x, labels = seen.of(parts.train), parts.labels(parts.train)
    classes = len(parts.slugs)
    how = Descent(recipe.smoothing, recipe.l2, recipe.iterations)
    believed = np.ones(len(x), np.bool_)
    if recipe.doubt > 0 and len(x) >= recipe.judges:
        believed = trusted_labels(
            x,
            labels,
            [picture.group for picture in parts.train],
            classes,
            how,
            folds=recipe.folds,
            doubt=recipe.doubt,
            certainty=recipe.certainty,
            seed=seed,
        )
    if recipe.approved:
        believed |= np.array([picture.source == "corrections" for picture in parts.train])
    counts = class_weights(labels[believed], classes, recipe.balance)
    x, labels = x[believed], labels[believed]
    prior = None if base is None else _prior(base, parts.slugs, x, labels, recipe)
    if prior is not None:
        how = replace(how, smoothing=recipe.keep)
    weight, bias = fit_classifier(x, labels, classes, how, weights=counts[labels], prior=prior)
    calibration = fit_calibration(
        seen.of(parts.validation) @ weight.T + bias,
        parts.labels(parts.validation),
        parts.slugs.index(NOBODY) if NOBODY in parts.slugs else None,
        precision=recipe.precision,
        known=base.info.calibration.known if base is not None and NOBODY in base.info.characters else 0.5,
    )
    return Model(BundleInfo(name, parts.slugs, calibration), weight, bias, believed)


def _prior(base: Model, slugs: Sequence[str], x: Floats, labels: Labels, recipe: Recipe) -> Prior:
    """The base's own head in the classes of this training; a new character begins as unlikely as any."""
    rows = [slugs.index(slug) for slug in base.info.characters]
    weight = np.zeros((len(slugs), x.shape[1]), np.float32)
    bias = np.full(len(slugs), base.bias.min(), np.float32)
    weight[rows], bias[rows] = base.weight, base.bias
    shares = np.zeros((len(x), len(slugs)), np.float32)
    shares[:, rows] = np.exp(log_softmax(base.logits(x)))
    new = ~np.isin(labels, rows)
    shares[new] = shares_of_new(labels[new], len(slugs), smoothing=recipe.smoothing, keep=recipe.keep)
    return Prior(weight, bias, shares)
