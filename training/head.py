"""The recipe *head*: a frozen backbone, and linear maps over several of its layers.

Read from top to bottom: what is chosen (`HeadRecipe`), what is made (`train_head`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from model.builtin.head import Head, head_bytes
from model.preprocess import Floats
from model.types import NOBODY, BundleInfo
from training.features import Features, flat
from training.fitting import (
    Descent,
    calibrated,
    fit_calibration,
    fit_classifier,
    fit_embedding,
    trusted_labels,
)
from training.measuring import measure
from training.nobody import fit_nobody
from training.pictures import Picture
from training.targets import fit_targets


@dataclass(frozen=True, slots=True)
class HeadRecipe:
    """Every choice, made on the validation part and by cross-validation on the training part."""

    # which of the backbone's 12 layers are read; the first four see edges and textures, not people
    layers: tuple[int, ...] = (4, 5, 6, 7, 8, 9, 10, 11)
    # also train on the mirror image of every picture: heroes face both ways
    mirrored: bool = True
    # how much of each label is spread over all classes: many labels of the pictures are wrong
    smoothing: float = 0.1
    # labels that are given less than this by a classifier that has not seen them, while it gives
    # another class more than `certainty`, are left out
    doubt: float = 0.03
    certainty: float = 0.6
    # in how many parts the training pictures are cut for that
    folds: int = 4
    # pulls the weights of standardised features towards zero
    l2: float = 0.05
    # steps of L-BFGS at most
    iterations: int = 100
    # numbers in an embedding
    width: int = 256
    # principal components that the embedding is made of
    components: int = 1000
    # how round the within-class covariance is made before it is inverted
    shrinkage: float = 0.1
    # "sure" is said from the probability on from which it is right this often on the validation part
    precision: float = 0.95
    # draws the folds, and the pictures on which ONNX Runtime is compared with torch
    seed: int = 0


@dataclass(frozen=True)
class Parts:
    """Pictures with their features; ``mirrored`` are those of the training part, may be empty.

    ``drawn`` are strangers drawn by code (`training.drawn`), for the class for nobody alone.
    """

    train: Sequence[Picture]
    train_features: Features
    mirrored: Features
    validation: Sequence[Picture]
    validation_features: Features
    drawn: Features | None = None


def train_head(
    parts: Parts,
    characters: Sequence[tuple[str, str]],
    recipe: HeadRecipe,
    learned: tuple[Floats, Floats] | None = None,
) -> Head:
    """Fit a head on the training part and calibrate it on the validation part.

    Args:
        characters: slug and name of each class, in the order of the logits; `NOBODY` is the last.
        learned: weight ``[C, F]`` and bias ``[C]`` that were trained together with the backbone: then only
            the embedding is fitted here, since a backbone sees in what it was trained on what to say of it.

    Returns:
        a head whose ``about`` holds its recipe and its figures on the validation part. On one
        thread of the same kind of CPU the same pictures give the same bytes.
    """
    slugs = [slug for slug, _ in characters]
    with threadpool_limits(1):
        tensors, doubted = _fit(parts, slugs, recipe, learned)
        if parts.drawn is not None and len(parts.drawn):
            tensors |= _with_drawn(parts, parts.drawn, tensors, slugs.index(NOBODY), recipe)
        logits = flat(parts.validation_features, recipe.layers) @ tensors["weight"].T + tensors["bias"]
        labels = np.array([slugs.index(picture.slug) for picture in parts.validation], np.int64)
        calibration = fit_calibration(logits, labels, slugs.index(NOBODY), precision=recipe.precision)
        p = calibrated(logits, calibration)
        targets = fit_targets(p, labels, slugs.index(NOBODY), calibration.known)
    info = BundleInfo("head", tuple(slugs), calibration)
    about: dict[str, Any] = {
        "layers": list(recipe.layers),
        "characters": slugs,
        "names": [name for _, name in characters],
        "embedding": len(tensors["shift"]),
        "calibration": asdict(calibration),
        "targets": asdict(targets),
        "recipe": {"kind": "head", **asdict(recipe), "labels_not_believed": doubted},
        "metrics": {"validation": measure_part(logits, parts.validation, info)},
    }
    if parts.drawn is not None and len(parts.drawn):
        about["drawn"] = len(parts.drawn)
    return Head(
        layers=tuple(recipe.layers),
        characters=tuple(slugs),
        names=tuple(name for _, name in characters),
        calibration=calibration,
        about=about,
        **tensors,
    )


def _with_drawn(
    parts: Parts, drawn: Features, tensors: dict[str, Floats], nobody: int, recipe: HeadRecipe
) -> dict[str, Floats]:
    x, known = flat(parts.train_features, recipe.layers), [each.slug != NOBODY for each in parts.train]
    weight, bias = fit_nobody(
        tensors["weight"], tensors["bias"], nobody, x, np.array(known), flat(drawn, recipe.layers)
    )
    return {"weight": _half(weight), "bias": bias}


def _fit(
    parts: Parts, slugs: Sequence[str], recipe: HeadRecipe, learned: tuple[Floats, Floats] | None
) -> tuple[dict[str, Floats], int]:
    """Weights for features as the backbone gives them, and how many labels were not believed."""
    x = flat(parts.train_features, recipe.layers)
    labels = np.array([slugs.index(picture.slug) for picture in parts.train], np.int64)
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-6
    x = (x - mean) / deviation
    components = min(recipe.components, len(x) - 1)  # N pictures span no more
    projection, shift = fit_embedding(
        x,
        labels,
        components=components,
        shrinkage=recipe.shrinkage,
        width=min(recipe.width, components),
    )
    if learned is not None:
        weight, projection = _half(learned[0]), _half(projection / deviation)
        tensors = {"weight": weight, "bias": learned[1]}
        return tensors | {"projection": projection, "shift": shift - projection @ mean}, 0
    how = Descent(recipe.smoothing, recipe.l2, recipe.iterations)
    believed = trusted_labels(
        x,
        labels,
        [picture.group for picture in parts.train],
        len(slugs),
        how,
        folds=recipe.folds,
        doubt=recipe.doubt,
        certainty=recipe.certainty,
        seed=recipe.seed,
    )
    x, labels = x[believed], labels[believed]
    if recipe.mirrored:
        x = np.concatenate([x, (flat(parts.mirrored, recipe.layers)[believed] - mean) / deviation])
        labels = np.concatenate([labels, labels])
    weight, bias = fit_classifier(x, labels, len(slugs), how)
    # rounded to what is shipped before the shifts are computed, so that these make up for it
    weight, projection = _half(weight / deviation), _half(projection / deviation)
    return {
        "weight": weight,
        "bias": bias - weight @ mean,
        "projection": projection,
        "shift": shift - projection @ mean,
    }, int((~believed).sum())


def _half(values: Floats) -> Floats:
    return values.astype(np.float16).astype(np.float32)


def measure_part(logits: Floats, pictures: Sequence[Picture], info: BundleInfo) -> dict[str, Any]:
    """Figures of one part, see `training.measuring.measure`."""
    return measure(logits, [p.slug for p in pictures], [p.source for p in pictures], info)


def fingerprint(head: Head) -> str:
    """The SHA-256 of the tensors as they are shipped."""
    import hashlib

    return hashlib.sha256(head_bytes(head.tensors())).hexdigest()


def classes_of(pictures: Sequence[Picture]) -> list[tuple[str, str]]:
    """Slug and name of everybody in the pictures, by slug, with nobody at the end."""
    names = {picture.slug: picture.name for picture in pictures if picture.slug != NOBODY}
    return [*sorted(names.items()), (NOBODY, NOBODY)]


def default_cache() -> Path:
    """Where features are kept between runs."""
    return Path.home() / ".cache" / "whosthat" / "features"
