"""Reach 4: pictures of nobody on the list, by every score of `training.strangers`, and characters left out.

Heads are fitted over the features' principal components (see `tests.bench.learning_material`); their
scores are kept in ``build/``, so that a second run takes seconds. Temperatures, thresholds and mixtures
are fitted to the validation part, figures are of *test*. Where the embedded model's backbone was
fine-tuned it has seen the characters that are left out of the head here, and `strangers` says so; the
wheel's backbone has not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.builtin.difference import read_difference
from model.builtin.head import read_head
from model.preprocess import Floats
from model.types import BundleInfo
from tests.bench.learning_material import BALANCE, Material, nobody, softmax
from training.answers import answers_of
from training.features import features_of, flat
from training.fitting import Descent, Labels, fit_calibration, fit_classifier
from training.head import HeadRecipe
from training.measuring import auroc, calibration_floor, expected_calibration_error, wilson
from training.pictures import Picture, read_dataset
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

KEPT = 0.95
STEPS = 40  # of L-BFGS
EDITION = 1  # counts up when the scores are made in another way, so that kept ones are left behind
SPLITS = ("validation", "test")
PLAIN = ("maximum softmax", "energy", "kNN", "Mahalanobis", "relative Mahalanobis", "ViM")
SEEN = "seen strangers"
LIKELIEST = "seen strangers, likeliest character"
MIXED: Mapping[str, tuple[str, ...]] = {
    f"{SEEN} + relative Mahalanobis": (SEEN, "relative Mahalanobis"),
    f"{SEEN} + ViM": (SEEN, "ViM"),
    "all of these": (SEEN, LIKELIEST, "relative Mahalanobis", "ViM"),
}
NAMES = (*PLAIN, SEEN, LIKELIEST, *MIXED)
SERVED = "the embedded model"
Scores = dict[str, dict[str, Floats]]
"""By split and name, [N]; *confidence of* is how far who is named is above what is said with certainty."""
Say = Callable[[str], None]


def strangers(seen: Material, build: Path, say: Say) -> dict[str, Any]:
    """All figures: ``methods``, ``left out`` by character and on average, ``calibration``."""
    last = nobody(seen.slugs)
    every = each_missing(seen, range(last), build, say)
    whole = every[None]
    if len(seen.parts["test"].logits) and seen.parts["test"].logits.shape[1]:
        for split in SPLITS:
            whole[split][SERVED] = seen_strangers(seen.parts[split].logits, last)
            p = softmax(seen.parts[split].logits / np.float32(seen.calibration.temperature))
            whole[split][f"confidence of {SERVED}"] = p[:, :last].max(axis=1) - seen.calibration.sure
    labels = {split: seen.parts[split].labels for split in SPLITS}
    methods = {
        name: _figures(seen, whole, name, {s: labels[s] == last for s in SPLITS})
        for name in (*NAMES, SERVED)
        if name in whole["test"]
    }
    left = left_alone(seen, every, range(last))
    return {
        "backbone": seen.bundle,
        "has seen whom is left out": bool(read_difference()) and "untouched" not in seen.bundle,
        "methods": methods,
        "left out": left,
        "left out, mean": mean_of(left),
        "calibration": _calibration(seen) if SERVED in whole["test"] else {},
    }


def each_missing(seen: Material, who: Sequence[int], build: Path, say: Say) -> dict[int | None, Scores]:
    """Scores of heads that know everybody (None) and of those without one character each."""
    every: dict[int | None, Scores] = {}
    for missing in (None, *who):
        every[missing] = _kept(seen, () if missing is None else (missing,), build)
        say(f"strangers: {'everybody is known' if missing is None else seen.slugs[missing] + ' left out'}")
    for missing, scores in every.items():
        _mix(every, seen, scores, missing)
    return every


def left_alone(seen: Material, every: Mapping[int | None, Scores], who: Sequence[int]) -> dict[str, Any]:
    """By slug and score: how well one character left out is told from all others."""
    found: dict[str, Any] = {}
    for missing in who:
        ours = {split: seen.parts[split].labels == missing for split in SPLITS}
        found[seen.slugs[missing]] = {
            name: _figures(seen, every[missing], name, ours, (missing,)) for name in NAMES
        }
    return found


def left_together(seen: Material, who: Sequence[int], build: Path) -> dict[str, Any]:
    """The same of heads that know none of ``who``: each of them is told from those who are known."""
    last, plain = nobody(seen.slugs), _kept(seen, tuple(who), build)
    labels = {split: seen.parts[split].labels for split in SPLITS}
    found: dict[str, Any] = {}
    for missing in who:
        scores = {split: dict(of) for split, of in plain.items()}
        rows = labels["validation"] != missing
        known = (~np.isin(labels["validation"], who) & (labels["validation"] != last))[rows]
        for name, parts in MIXED.items():
            mixture = Mixture.fit([plain["validation"][part][rows] for part in parts], known)
            for split in SPLITS:
                scores[split][name] = mixture.score([plain[split][part] for part in parts])
        ours = {split: labels[split] == missing for split in SPLITS}
        found[seen.slugs[missing]] = {name: _figures(seen, scores, name, ours, who) for name in NAMES}
    return found


def mean_of(left: Mapping[str, Any]) -> dict[str, Any]:
    """By score, over the characters."""
    keys = ("auroc", "let in", "named with certainty")
    return {
        name: {key: float(np.mean([each[name][key] for each in left.values()])) for key in keys}
        for name in NAMES
    }


def elsewhere(seen: Material, folder: Path, cache: Path) -> dict[str, Any]:
    """Pictures of nobody from other sources, a folder each, as the embedded model answers them."""
    head, last, test = read_head(), nobody(seen.slugs), seen.parts["test"]
    pictures = read_dataset(folder)
    info = BundleInfo(seen.bundle, seen.slugs, head.calibration)
    characters = seen_strangers(test.logits[test.labels != last], last)
    found: dict[str, Any] = {}
    for source in sorted({picture.name for picture in pictures}):
        ours: list[Picture] = [picture for picture in pictures if picture.name == source]
        logits = head.logits(flat(features_of(ours, cache, difference=read_difference()), head.layers))
        said, scores = answers_of(logits, info), seen_strangers(logits, last)
        found[source] = {
            "pictures": len(ours),
            "auroc": auroc(scores, characters),
            "interval": auroc_interval(scores, characters),
            "answered nobody": float((~said.told).mean()),
            "named with certainty": float(said.sure.mean()),
        }
    return found


def _kept(seen: Material, missing: tuple[int, ...], build: Path) -> Scores:
    """From ``build/``, or made."""
    about = (None, *missing)[-1] if len(missing) < 2 else missing
    content = hashlib.sha256(repr((EDITION, seen.bundle, about, STEPS, NAMES)).encode())
    content.update(seen.parts["train"].z[::97].tobytes())
    place = build / "strangers" / f"{content.hexdigest()[:20]}.npz"
    if not place.is_file():
        made = _scores(seen, missing)
        place.parent.mkdir(parents=True, exist_ok=True)
        flattened = {f"{split}/{name}": x for split, of in made.items() for name, x in of.items()}
        np.savez(place, **flattened)  # type: ignore[arg-type]  # the stub takes no mapping of arrays
    with np.load(place) as kept:
        return {split: {n.split("/")[1]: kept[n] for n in kept if n.startswith(split)} for split in SPLITS}


def _scores(seen: Material, missing: tuple[int, ...]) -> Scores:
    train, last = seen.parts["train"], nobody(seen.slugs)
    classes = [index for index in range(len(seen.slugs)) if index not in missing]
    place = np.full(len(seen.slugs), -1)
    place[classes] = range(len(classes))
    rows = seen.believed & ~np.isin(train.labels, missing)
    z, y = train.z[rows], place[train.labels[rows]]
    somebody = y != len(classes) - 1
    full, plain = fit_plainly(z, y, len(classes)), fit_plainly(z[somebody], y[somebody], len(classes) - 1)
    x, middle = z[somebody], z[somebody].mean(axis=0)
    distance = Mahalanobis.fit(x, y[somebody])
    near = Neighbours.fit(x - middle, 5)
    vim = Vim.fit(x, *plain, width=x.shape[1] * 2 // 3)
    logits = {s: (seen.parts[s].z @ full[0].T + full[1]) for s in SPLITS}
    without = {s: (seen.parts[s].z @ plain[0].T + plain[1]) for s in SPLITS}
    known = {s: place[seen.parts[s].labels] >= 0 for s in SPLITS}
    people = {s: known[s] & (seen.parts[s].labels != last) for s in SPLITS}
    v, labels = "validation", place[seen.parts["validation"].labels]
    ours = fit_calibration(logits[v][known[v]], labels[known[v]], len(classes) - 1, precision=0.95)
    theirs = fit_calibration(without[v][people[v]], labels[people[v]], None, precision=0.95)
    found: Scores = {}
    for split in SPLITS:
        asked = seen.parts[split].z
        p = softmax(logits[split] / ours.temperature)[:, :-1].max(axis=1)
        found[split] = {
            "maximum softmax": max_softmax(without[split]),
            "energy": energy(without[split]),
            "kNN": near.score(asked - middle),
            "Mahalanobis": distance.score(asked),
            "relative Mahalanobis": distance.relative(asked),
            "ViM": vim.score(asked),
            SEEN: seen_strangers(logits[split], len(classes) - 1),
            LIKELIEST: np.log(p) - np.log1p(-np.minimum(p, np.float32(1 - 1e-6))),
            "confidence of plain": max_softmax(without[split], theirs.temperature) - np.float32(theirs.sure),
            "confidence of seen": p - np.float32(ours.sure),
        }
    return found


def fit_plainly(z: Floats, labels: Labels, classes: int) -> tuple[Floats, Floats]:
    """A head with everything of the recipe *head* but a base."""
    share = np.bincount(labels, minlength=classes) / len(labels)
    rarity = np.maximum(share, 1 / len(labels)) ** -BALANCE
    counts: Floats = np.asarray(rarity / (rarity * share).sum(), np.float32)
    how = Descent(HeadRecipe().smoothing, HeadRecipe().l2, STEPS)
    return fit_classifier(z, labels, classes, how, weights=counts[labels])


def _mix(every: Mapping[int | None, Scores], seen: Material, scores: Scores, missing: int | None) -> None:
    """Add the mixtures, weighed on pictures of nobody and on *other* characters left out (validation)."""
    last, labels = nobody(seen.slugs), seen.parts["validation"].labels
    for name, parts in MIXED.items():
        columns: list[list[Floats]] = [[] for _ in parts]
        known: list[NDArray[np.bool_]] = []
        for left, there in every.items():
            if left is None or left == missing:
                continue
            rows = labels != missing if missing is not None else np.ones(len(labels), np.bool_)
            for column, part in zip(columns, parts, strict=True):
                column.append(there["validation"][part][rows])
            known.append(((labels != left) & (labels != last))[rows])
        mixture = Mixture.fit([np.concatenate(each) for each in columns], np.concatenate(known))
        for split in SPLITS:
            scores[split][name] = mixture.score([scores[split][part] for part in parts])


def _figures(
    seen: Material,
    scores: Scores,
    name: str,
    who: Mapping[str, NDArray[np.bool_]],
    unknown: Sequence[int] = (),
) -> dict[str, Any]:
    """How well strangers, ``who``, are told from characters; the threshold keeps `KEPT` on validation.

    Args:
        unknown: characters that the head does not know.
    """
    last = nobody(seen.slugs)
    people = {s: ~np.isin(seen.parts[s].labels, (last, *unknown)) for s in SPLITS}
    test, ours = scores["test"][name], who["test"]
    threshold = threshold_keeping(scores["validation"][name][people["validation"]], KEPT)
    kind = SERVED if name == SERVED else "plain" if name in PLAIN else "seen"
    certain = (scores["test"][f"confidence of {kind}"] >= 0) & (test >= threshold)
    count, of = int(certain[ours].sum()), int(ours.sum())
    return {
        "strangers": of,
        "auroc": auroc(test[ours], test[people["test"]]),
        "interval": auroc_interval(test[ours], test[people["test"]]),
        "characters kept": float((test[people["test"]] >= threshold).mean()),
        "let in": let_in(test[ours], threshold),
        "named with certainty": count / max(of, 1),
        "named interval": wilson(count, of),
    }


def _calibration(seen: Material) -> dict[str, float]:
    """Of the embedded model on *test*: its calibration error, of whatever is likeliest, and the floor."""
    test = seen.parts["test"]
    p = softmax(test.logits / seen.calibration.temperature)
    top, hit = p.max(axis=1), p.argmax(axis=1) == test.labels
    floor, high = calibration_floor(top)
    return {"error": expected_calibration_error(top, hit), "floor": floor, "95 of 100 below": high}
