"""A bundle that has just been trained gets its faster levels, so that a level goes on meaning the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from model.bundle import read_bundle
from model.levels.making import add_levels, opened
from training.job import Job
from training.leveling import make_levels, usual_forms

MOST = 500
"""Validation pictures that levels are measured on at most: each is looked at in four ways."""


def with_levels(folder: Path, job: Job, threads: int, say: Callable[[str], None]) -> None:
    """Measure levels on the validation part and add those that are good enough.

    What goes wrong is one line: the bundle is as good without.
    """
    try:
        chosen = _made(folder, job, threads)
    except Exception as error:  # a network of whatever shape, and ONNX Runtime has errors of its own
        say(f"it has no faster levels: {' '.join(str(error).split()) or type(error).__name__}")
        return
    for level, refused in chosen.items():
        say(f"its level {level} is refused: {refused}" if refused else f"it has the level {level}")


def _made(folder: Path, job: Job, threads: int) -> dict[str, str]:
    """By level, why it is refused, or nothing."""
    bundle = read_bundle(folder)
    known = [each for each in job.validation if each.slug in bundle.info.characters]
    shown = random.Random(job.seed).sample(known, min(MOST, len(known)))  # noqa: S311
    assert bundle.onnx is not None
    vit = opened(bundle.onnx)
    with job.progress.phase("measuring faster levels", len(shown)) as step:
        forms = usual_forms(vit, shown, bundle.preprocess, threads=threads, quick=True)
        chosen = make_levels(bundle, shown, threads=threads, forms=forms, step=step)
    add_levels(folder, {level: each.to_json() for level, each in chosen.items()}, vit)
    return {level: each.refused for level, each in chosen.items()}
