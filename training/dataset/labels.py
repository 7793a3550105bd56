"""Suspected wrong labels, by confident learning on predictions of classifiers that have not seen the picture.

Northcutt, Jiang and Chuang, *Confident Learning: Estimating Uncertainty in Dataset Labels*, JAIR 70 (2021):
a class has a threshold, the mean probability that pictures labelled so are given of it (section 3.1,
equation 2). A picture is counted for the class of highest probability among those whose thresholds it
reaches; pictures counted for another class than their label's are suspects (section 3.2, the off-diagonal of
the confident joint), ranked by how much likelier the other class is (the normalised margin of section 3.2.2).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from model.preprocess import Floats
from training.errors import PicturesError
from training.pictures import SPLITS, Picture, part

if TYPE_CHECKING:
    from training.fitting import Descent  # it needs SciPy, which a bot alone does not have

FOLDS = 5
LEAST_GROUPS = FOLDS
"""A character is judged from this many different pictures on; of fewer no fold would have seen enough."""

MANY = 100  # classes, from which on fewer layers are read, or fitting would take hours
FEW_LAYERS = (8, 11)


@dataclass(frozen=True, slots=True)
class Suspect:
    """A picture whose label is given the probability ``own``, while ``looks_like`` is given ``other``."""

    picture: Picture
    looks_like: str
    own: float
    other: float

    @property
    def margin(self) -> float:
        """From -1 to 1; the higher, the more suspect."""
        return self.other - self.own


@dataclass(frozen=True, slots=True)
class Judged:
    """``suspects``, the most suspect first, among ``pictures``; ``unjudged`` characters have too few."""

    pictures: int
    suspects: tuple[Suspect, ...]
    unjudged: tuple[str, ...]


def judge_labels(
    pictures: Sequence[Picture],
    groups: Sequence[str],
    cache: Path,
    *,
    seed: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Judged:
    """Look at every picture with the built-in backbone, and judge every label by the other folds.

    Args:
        groups: of each picture; a group is in one fold.
        cache: where features are kept.
        progress: called with a number of pictures that were looked at.

    Raises:
        PicturesError: there are no two characters with enough pictures.
        model.errors.ModelError: the backbone is not there.
        ImportError: SciPy is not installed.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    from training.features import features_of, flat
    from training.fitting import Descent
    from training.head import HeadRecipe

    of_slug: defaultdict[str, set[str]] = defaultdict(set)
    for picture, group in zip(pictures, groups, strict=True):
        of_slug[picture.slug].add(group)
    slugs = sorted(slug for slug, of in of_slug.items() if len(of) >= LEAST_GROUPS)
    if len(slugs) < 2:
        raise PicturesError(f"no two characters have {LEAST_GROUPS} different pictures")
    enough = set(slugs)
    chosen = sorted(
        (i for i, picture in enumerate(pictures) if picture.slug in enough),
        key=lambda i: SPLITS.index(pictures[i].split),
    )
    judged = [pictures[i] for i in chosen]
    recipe = HeadRecipe()
    layers = recipe.layers if len(slugs) <= MANY else FEW_LAYERS
    # part by part, as training asks for them: the cache holds them in the order that they are asked for
    parts = [part(judged, split) for split in SPLITS]
    x = np.concatenate([flat(features_of(each, cache, progress=progress), layers) for each in parts if each])
    x = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-6)
    labels = np.array([slugs.index(picture.slug) for picture in judged], np.int64)
    how = Descent(recipe.smoothing, recipe.l2, recipe.iterations)
    with threadpool_limits(1):
        p = out_of_sample(x, labels, [groups[i] for i in chosen], len(slugs), how, seed=seed)
    found = [
        Suspect(judged[i], slugs[other], float(p[i, labels[i]]), float(p[i, other]))
        for i, other in off_diagonal(p, labels)
    ]
    found.sort(key=lambda each: (-each.margin, each.picture.path))
    return Judged(len(judged), tuple(found), tuple(sorted(of_slug.keys() - set(slugs))))


def out_of_sample(
    x: Floats, labels: NDArray[np.int64], groups: Sequence[str], classes: int, how: Descent, *, seed: int
) -> Floats:
    """Probabilities ``[N, C]`` of classifiers fitted on the other folds; near copies are in one fold.

    Groups are dealt to the folds class by class, so that every fold has its share of each.
    """
    from training.fitting import fit_classifier, log_softmax

    dice = np.random.default_rng(seed)
    of_class: defaultdict[int, list[str]] = defaultdict(list)
    first = {group: int(label) for group, label in zip(reversed(groups), labels[::-1], strict=True)}
    for group in sorted(first):
        of_class[first[group]].append(group)
    fold_of: dict[str, int] = {}
    for label in sorted(of_class):
        for place, number in enumerate(dice.permutation(len(of_class[label]))):
            fold_of[of_class[label][number]] = (place + label) % FOLDS
    fold = np.array([fold_of[group] for group in groups])
    p = np.zeros((len(x), classes), np.float32)
    for number in range(FOLDS):
        unseen = fold == number
        if unseen.any():
            weight, bias = fit_classifier(x[~unseen], labels[~unseen], classes, how)
            p[unseen] = np.exp(log_softmax(x[unseen] @ weight.T + bias))
    return p


def off_diagonal(p: Floats, labels: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Index and likelier class of each picture that the confident joint counts for another class."""
    classes = p.shape[1]
    own = p[np.arange(len(p)), labels]
    thresholds = np.array([own[labels == k].mean() if (labels == k).any() else 2.0 for k in range(classes)])
    reached = np.where(p >= thresholds, p, -1.0)
    best = reached.argmax(axis=1)
    suspect = (reached.max(axis=1) > 0) & (best != labels)
    return [(int(i), int(best[i])) for i in np.flatnonzero(suspect)]
