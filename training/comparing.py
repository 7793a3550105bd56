"""A candidate and the bundle in service on the same pictures, down to the ruling of the gate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from model.classifier import Classifier, load_classifier
from training.gating import Ruling, Scores, gate
from training.pictures import Picture
from training.predicting import Predictions, Progress, predict_with, time_in_turns
from training.reasons import Margins


def compare(
    candidate: str,
    current: str,
    pictures: Sequence[Picture],
    corrected: Sequence[Picture] = (),
    *,
    models_dir: Path,
    backend: str = "auto",
    threads: int = 0,
    cache: Path | None = None,
    margins: Margins | None = None,
    allow_missing: bool = False,
    progress: Progress | None = None,
) -> Ruling:
    """Load both, look at everything with both, time both in turns, and rule.

    Args:
        candidate, current: folders, or whatever `model.classifier.load_classifier` takes.
        pictures: the evaluation set.
        corrected: recent corrections that were kept out of training; may be empty.

    Raises:
        ModelError, TrainingError: one sentence.
    """
    both = [
        load_classifier(use, backend=backend, models_dir=models_dir, threads=threads)
        for use in (candidate, current)
    ]
    said = [predict_with(each, pictures, cache=cache, progress=progress) for each in both]
    more = [_corrections(each, corrected, cache, progress) for each in both]
    taken = [1000 * seconds for seconds in time_in_turns(both[0], both[1], pictures)]
    scores = [
        Scores(pictures, said[place], corrected, more[place], np.asarray(taken[place], np.float32))
        for place in (0, 1)
    ]
    return gate(scores[0], scores[1], margins or Margins(), allow_missing=allow_missing)


def _corrections(
    classifier: Classifier, corrected: Sequence[Picture], cache: Path | None, progress: Progress | None
) -> Predictions | None:
    if not corrected:
        return None
    return predict_with(classifier, corrected, cache=cache, progress=progress)
