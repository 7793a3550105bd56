"""``whosthat train head`` from its pictures, and a trained backbone, to the embedded model's files."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from safetensors.numpy import save_file

from model.builtin.card import card as card_of
from model.builtin.head import CHANGES, Head, write_head
from model.types import BundleInfo
from training.agreement import agreement
from training.drawn import drawn_pictures
from training.errors import PicturesError
from training.features import features_of, flat
from training.head import (
    HeadRecipe,
    Parts,
    classes_of,
    default_cache,
    fingerprint,
    measure_part,
    train_head,
)
from training.pictures import SPLITS, data_hash, part, read_pictures
from training.tuned import read_tuned


def run_head(
    *,
    folder: Path,
    table: Path | None,
    tuned: Sequence[Path],
    rank: int,
    out: Path,
    seed: int,
    cache: Path | None,
    compare: int,
    final: bool,
    card: Path | None,
    console: Console,
    drawn: int = 0,
) -> Head:
    """Train, measure, write ``head.safetensors`` and ``head.json`` to ``out``, say the figures.

    Args:
        tuned: bundles by the recipe *full* or *adapter* from the base ``wheel``: the mean of their backbones,
            as a change of this ``rank`` (``backbone.safetensors``), and of their heads is taken over.
        final: read and measure the test part as well.
        drawn: so many strangers drawn by code are learned from, by the class for nobody.
    """
    recipe = HeadRecipe(seed=seed)
    cache = cache or default_cache()
    everything = read_pictures(folder, table)
    train, validation, test = (part(everything, split) for split in SPLITS)
    if not train or not validation:
        raise PicturesError(f"{folder} has no pictures to train on, or none to choose and calibrate by")
    classes = classes_of(train)
    learned = read_tuned(tuned, [slug for slug, _ in classes], rank) if tuned else None
    difference = {} if learned is None else learned.difference
    if learned is not None:
        recipe = replace(recipe, layers=learned.layers, mirrored=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console) as bars:
        looks = len(train) * (1 + recipe.mirrored) + len(validation) + len(test) * final + drawn
        bar = bars.add_task("looking at the pictures", total=looks)

        def step(count: int) -> None:
            bars.advance(bar, count)

        parts = Parts(
            train,
            features_of(train, cache, difference=difference, progress=step),
            features_of(train if recipe.mirrored else [], cache, mirrored=True, progress=step),
            validation,
            features_of(validation, cache, difference=difference, progress=step),
            features_of(
                drawn_pictures(cache / "drawn", drawn, seed), cache, difference=difference, progress=step
            ),
        )
        test_features = features_of(test if final else [], cache, difference=difference, progress=step)

        bar = bars.add_task("fitting the head", total=1)
        head = train_head(parts, classes, recipe, None if learned is None else learned.head)
        about = dict(head.about) | {
            "data": data_hash([*train, *validation]),
            "pictures": {"train": len(train), "validation": len(validation), "test": len(test)},
            "fingerprint": fingerprint(head),
        }
        if learned is not None:
            about["backbone"] = {"rank": rank, "recipes": [dict(recipe) for recipe in learned.recipes]}
        step(1)

        shown = random.Random(seed).sample(validation, min(compare, len(validation)))  # noqa: S311
        if shown:
            bar = bars.add_task("comparing ONNX with torch", total=len(shown))
            about["agreement"] = agreement(head, difference, shown, step)
    if final:
        info = BundleInfo("head", head.characters, head.calibration)
        logits = head.logits(flat(test_features, head.layers))
        about["metrics"] = about["metrics"] | {"test": measure_part(logits, test, info)}
    write_head(out, head.tensors(), about)
    if learned is not None:
        save_file(dict(learned.content), out / CHANGES)
    if card is not None:
        card.write_text(card_of(about), encoding="utf-8")
    for split, figures in about["metrics"].items():
        sure = figures["sure"]
        console.print(
            f"{split}: right {figures['right']['share']:.1%} of {figures['right']['of']}, "
            f"sure {sure['how_often']['share']:.1%} of the time and then "
            f"right {sure['precision']['share'] or 0:.1%}, "
            f"strangers told apart {figures['strangers']['auroc']:.3f}, "
            f"calibration error {figures['calibration_error']:.3f}"
        )
    console.print(f"written to {out}; tensors {about['fingerprint'][:16]}", markup=False)
    return replace(head, about=about)
