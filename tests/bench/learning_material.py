"""The pictures as the embedded model sees them, and heads of it that have never seen a character.

Features come from the cache that training keeps (`training.features`), so that a second run takes seconds;
logits and embeddings are the embedded head's over them, or those of a head that is trained here without one
character. Such a head is the recipe *head* over the features' first principal components, which turns the
space that its weights are pulled towards zero in and cuts off what hardly varies.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bot.memory.kernel import answer_of
from model.builtin import builtin_id
from model.builtin.difference import read_difference
from model.builtin.head import Head, read_head
from model.preprocess import Floats
from model.types import NOBODY, Answer, Calibration
from training.features import features_of, flat
from training.fitting import Descent, fit_calibration, fit_classifier, trusted_labels
from training.head import HeadRecipe
from training.pictures import SPLITS, Picture, part, read_pictures

COMPONENTS = 768
BALANCE = 0.25  # as in the recipe *head*: rare characters count somewhat more


@dataclass(frozen=True)
class Part:
    """One part of the pictures: features ``z`` [N, COMPONENTS], labels [N] by ``slugs``, and their groups."""

    pictures: Sequence[Picture]
    z: Floats
    logits: Floats
    embedding: Floats
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]


@dataclass(frozen=True)
class Material:
    """``parts`` by split; ``slugs`` by logit index, `NOBODY` the last; ``bundle`` says which model."""

    bundle: str
    slugs: tuple[str, ...]
    calibration: Calibration
    parts: Mapping[str, Part]
    believed: NDArray[np.bool_]


@dataclass(frozen=True)
class Seen:
    """What a model says of N pictures: probabilities [N, C] by the material's slugs, embedding [N, D]."""

    p: Floats
    embedding: Floats


@dataclass(frozen=True)
class Model:
    """A head over features: trained without ``missing`` (an index), or with all."""

    classes: tuple[int, ...]
    weight: Floats
    bias: Floats
    projection: Floats
    shift: Floats
    calibration: Calibration
    width: int

    def see(self, z: Floats) -> Seen:
        """What it says of pictures."""
        p = np.zeros((len(z), self.width), np.float32)
        p[:, self.classes] = softmax((z @ self.weight.T + self.bias) / self.calibration.temperature)
        rows = z @ self.projection.T + self.shift
        return Seen(p, rows / np.linalg.norm(rows, axis=1, keepdims=True))


def softmax(logits: Floats) -> Floats:
    """Along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True), np.float32)


def material(folder: Path, cache: Path, *, untouched: bool, say: Callable[[str], None]) -> Material:
    """Read everything.

    Args:
        untouched: with the wheel's backbone as its makers left it instead of the embedded one.
    """
    head = read_head()
    everything = read_pictures(folder, None)
    named = "the wheel's backbone, untouched" if untouched else builtin_id()
    name = hashlib.sha256("\n".join([named, str(COMPONENTS), *(each.sha256 for each in everything)]).encode())
    place = cache / f"learning-{name.hexdigest()[:20]}.npz"
    pictures = {split: part(everything, split) for split in SPLITS}
    labels = {
        split: np.array([head.characters.index(each.slug) for each in of], np.int64)
        for split, of in pictures.items()
    }
    groups = {split: np.array([each.group for each in of]) for split, of in pictures.items()}
    if not place.is_file():
        say(f"looking at {len(everything)} pictures, where that has not been done yet")
        difference = {} if untouched else read_difference()
        layers = HeadRecipe().layers if untouched else head.layers
        features = {
            split: flat(features_of(of, cache, difference=difference), layers)
            for split, of in pictures.items()
        }
        content: dict[str, Any] = _seen(features, head, with_head=not untouched or not read_difference())
        content["believed"] = trusted(
            content["z train"], labels["train"], groups["train"], len(head.characters)
        )
        np.savez(place, **content)
    with np.load(place) as kept:
        parts = {
            split: Part(
                of,
                kept[f"z {split}"],
                kept[f"logits {split}"],
                kept[f"embedding {split}"],
                labels[split],
                groups[split],
            )
            for split, of in pictures.items()
        }
        return Material(named, head.characters, head.calibration, parts, kept["believed"])


def _seen(features: Mapping[str, Floats], head: Head, *, with_head: bool) -> dict[str, Any]:
    """Components, logits and embeddings by part; without a head that fits, the latter are empty."""
    content: dict[str, Any] = {f"z {split}": z for split, z in components(features).items()}
    for split, plain in features.items():
        content[f"logits {split}"] = head.logits(plain) if with_head else plain[:, :0]
        content[f"embedding {split}"] = head.embedding(plain) if with_head else plain[:, :0]
    return content


def components(features: Mapping[str, Floats], rows: NDArray[np.bool_] | None = None) -> dict[str, Floats]:
    """By part, [N, COMPONENTS]: along the principal components of the training part, or of ``rows`` of it."""
    train = features["train"] if rows is None else features["train"][rows]
    mean, deviation = train.mean(axis=0), train.std(axis=0) + np.float32(1e-6)
    basis = _basis((train - mean) / deviation)
    return {
        split: np.asarray((plain - mean) / deviation @ basis, np.float32) for split, plain in features.items()
    }


def trusted(
    z: Floats, labels: NDArray[np.int64], groups: NDArray[np.str_], classes: int
) -> NDArray[np.bool_]:
    """[N]: the labels that are believed, as the recipe *head* believes them."""
    recipe = HeadRecipe()
    return trusted_labels(
        z,
        labels,
        groups.tolist(),
        classes,
        Descent(recipe.smoothing, recipe.l2, 40),
        folds=recipe.folds,
        doubt=recipe.doubt,
        certainty=recipe.certainty,
        seed=0,
    )


def train_without(
    seen: Material, missing: int | None, rows: NDArray[np.int64], extra: Floats | None = None
) -> Model:
    """A head (recipe *head*) on ``rows`` of the training part without a character, and its embedding.

    Args:
        extra: [n, COMPONENTS] pictures of the missing character after all: what a retraining would have.
    """
    train, validation = seen.parts["train"], seen.parts["validation"]
    rows = rows[seen.believed[rows]]
    rows = rows if missing is None else rows[train.labels[rows] != missing]
    z, labels = train.z[rows], train.labels[rows]
    classes = [index for index in range(len(seen.slugs)) if index != missing]
    if extra is not None and missing is not None:
        z, labels = np.concatenate([z, extra]), np.concatenate([labels, np.full(len(extra), missing)])
        classes = list(range(len(seen.slugs)))
    place = {index: number for number, index in enumerate(classes)}
    y = np.array([place[int(label)] for label in labels], np.int64)
    share = np.bincount(y, minlength=len(classes)) / len(y)
    rarity = np.maximum(share, 1 / len(y)) ** -BALANCE
    counts: Floats = np.asarray(rarity / (rarity * share).sum(), np.float32)
    how = Descent(HeadRecipe().smoothing, HeadRecipe().l2, 60)
    weight, bias = fit_classifier(z, y, len(classes), how, weights=counts[y])
    known = validation.labels != missing if missing is not None else np.ones(len(validation.z), np.bool_)
    if extra is not None:
        known = np.ones(len(validation.z), np.bool_)
    of = np.array([place[int(label)] for label in validation.labels[known]], np.int64)
    logits = validation.z[known] @ weight.T + bias
    calibration = fit_calibration(logits, of, place[len(seen.slugs) - 1], precision=0.95)
    projection, shift = (z[:0], z[0, :0]) if extra is not None else _embedding(z, y)
    return Model(tuple(classes), weight, bias, projection, shift, calibration, len(seen.slugs))


def answers(
    p: Floats, slugs: Sequence[str], calibration: Calibration, missing: int | None = None
) -> list[Answer]:
    """Rows of probabilities as the desk sees them."""
    return [
        answer_of({slug: float(row[i]) for i, slug in enumerate(slugs) if i != missing}, calibration)
        for row in p
    ]


def _embedding(z: Floats, labels: NDArray[np.int64], width: int = 256) -> tuple[Floats, Floats]:
    """As `training.fitting.fit_embedding`, for features that lie along principal components already."""
    centred = z - np.stack([z[labels == label].mean(axis=0) for label in range(labels.max() + 1)])[labels]
    within = centred.T @ centred / len(z)
    within += HeadRecipe().shrinkage * np.trace(within) / len(within) * np.eye(len(within), dtype=np.float32)
    values, vectors = np.linalg.eigh(within)
    whitener = vectors / np.sqrt(values)
    _, main = np.linalg.eigh(np.cov((z @ whitener).T))
    projection = (whitener @ main[:, ::-1][:, :width]).T.astype(np.float32)
    return projection, -projection @ z.mean(axis=0)


def _basis(x: Floats) -> Floats:
    """[F, COMPONENTS] the first principal components, of 2,000 pictures."""
    some = x[np.random.default_rng(0).permutation(len(x))[:2000]]
    values, vectors = np.linalg.eigh(some @ some.T)
    return np.asarray(
        some.T @ vectors[:, ::-1][:, :COMPONENTS] / np.sqrt(values[::-1][:COMPONENTS]), np.float32
    )


def nobody(slugs: Sequence[str]) -> int:
    """The index of `NOBODY`."""
    return list(slugs).index(NOBODY)
