"""How good a bundle is on one part of the pictures: counts with intervals, calibration, strangers, speed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.types import NOBODY
from training.answers import Answers, answers_of
from training.errors import EvaluationError
from training.measuring import (
    Flags,
    auroc,
    calibration_floor,
    coverage_at,
    expected_calibration_error,
    share,
)
from training.pictures import Picture
from training.predicting import Predictions

PRECISION = 0.95


@dataclass(frozen=True)
class Report:
    """All figures of one bundle on one set of pictures; shares have ``right``, ``of`` and a 95 % interval.

    ``accuracy``, ``macro_f1`` and ``by_character`` (recall) are over pictures of characters that the bundle
    knows: right is when the likeliest of all its characters is the one of the label. ``calibration_error``
    is over all pictures and of whatever is likeliest, nobody among it; ``calibration_floor`` is what a
    perfectly honest model would show on as many pictures, mean and 95th percentile. ``coverage`` is the
    largest share of all pictures that could be answered so that 95 % of the answers are right. ``sure`` is
    what the bundle says with certainty by its own threshold, ``told`` what it does not call *nobody*.
    ``auroc`` tells how well pictures of nobody are told apart: 1 is always, 0.5 never; None without them.
    """

    bundle: str
    pictures: int
    strangers: int
    damaged: int
    unknown: Mapping[str, int]
    accuracy: Mapping[str, Any]
    macro_f1: float
    by_character: Mapping[str, Mapping[str, Any]]
    by_source: Mapping[str, Mapping[str, Any]]
    calibration_error: float
    calibration_floor: tuple[float, float]
    coverage: float
    sure: Mapping[str, Mapping[str, Any]]
    told: Mapping[str, Mapping[str, Any]]
    auroc: float | None
    milliseconds: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `json.dumps`."""
        return asdict(self)


@dataclass(frozen=True)
class Judged:
    """The pictures that can be judged, and what was said of them: those read, of a label that is known."""

    rows: NDArray[np.int64]
    slugs: NDArray[np.str_]
    answers: Answers
    unknown: Counter[str]
    damaged: int

    @property
    def strangers(self) -> Flags:
        """[N]: pictures of nobody."""
        return np.asarray(self.slugs == NOBODY)

    def right(self) -> Flags:
        """[N]: the likeliest character is the label's."""
        return self.answers.right(self.slugs)


def judged(predictions: Predictions, pictures: Sequence[Picture]) -> Judged:
    """Leave out what says nothing of the bundle: damaged files, and characters that it does not know.

    Raises:
        EvaluationError: nothing is left.
    """
    if len(pictures) != len(predictions.logits):
        raise EvaluationError(f"{len(pictures)} pictures, but predictions of {len(predictions.logits)}")
    read = predictions.read
    known = {*predictions.characters, NOBODY}
    kept = [row for row, picture in enumerate(pictures) if read[row] and picture.slug in known]
    unknown = Counter(p.slug for row, p in enumerate(pictures) if read[row] and p.slug not in known)
    if all(pictures[row].slug == NOBODY for row in kept):
        raise EvaluationError(
            f"{predictions.info.id} knows none of the characters in the pictures"
            + (f" ({', '.join(sorted(unknown)[:5])}{', …' if len(unknown) > 5 else ''})" if unknown else "")
        )
    rows = np.array(kept, np.int64)
    slugs = np.array([pictures[row].slug for row in kept])
    answers = answers_of(predictions.logits[rows], predictions.info)
    return Judged(rows, slugs, answers, unknown, int((~read).sum()))


def check_several(pictures: Sequence[Picture]) -> None:
    """Raises:
    EvaluationError: all pictures have one label, so that whoever always says it is always right.
    """
    labels = {picture.slug for picture in pictures}
    if len(labels) == 1:
        raise EvaluationError(
            f"all {len(pictures)} pictures are of {labels.pop()}: there is nobody to be told apart"
        )


def evaluate(predictions: Predictions, pictures: Sequence[Picture]) -> Report:
    """All figures.

    Args:
        pictures: those that the predictions are of, in the same order.

    Raises:
        EvaluationError: the bundle knows none of the characters in the pictures, or they all have one label.
    """
    check_several(pictures)
    found = judged(predictions, pictures)
    slugs, answers, strangers = found.slugs, found.answers, found.strangers
    somebody, right = ~strangers, found.right()
    sources = np.array([pictures[row].source for row in found.rows])
    here = [slug for slug in answers.characters if (slugs == slug).any()]
    top, top_right = answers.top(slugs)
    seconds = predictions.seconds[found.rows]
    seconds = seconds[np.isfinite(seconds)]
    return Report(
        bundle=predictions.info.id,
        pictures=len(slugs),
        strangers=int(strangers.sum()),
        damaged=found.damaged,
        unknown=dict(sorted(found.unknown.items())),
        accuracy=share(right[somebody]),
        macro_f1=round(_macro_f1(slugs[somebody], _first(answers)[somebody], here), 4),
        by_character={slug: share(right[slugs == slug]) for slug in here},
        by_source={
            name: share(right[somebody & (sources == name)]) for name in sorted(set(sources[somebody]))
        },
        calibration_error=round(expected_calibration_error(top, top_right), 4),
        calibration_floor=tuple(round(value, 4) for value in calibration_floor(top)),  # type: ignore[arg-type]
        coverage=round(coverage_at(PRECISION, answers.confidence, right), 4),
        sure={"right": share(right[answers.sure]), "how_often": share(answers.sure)},
        told={"characters": share(answers.told[somebody]), "nobody": share(~answers.told[strangers])},
        auroc=round(auroc(answers.known[strangers], answers.known[somebody]), 4) if strangers.any() else None,
        milliseconds={
            "median": round(1000 * float(np.median(seconds)), 3),
            "p95": round(1000 * float(np.quantile(seconds, 0.95)), 3),
        }
        if len(seconds)
        else {},
    )


def worst(
    predictions: Predictions, pictures: Sequence[Picture], most: int = 24
) -> list[tuple[Picture, tuple[str, ...]]]:
    """The mistakes said with the most confidence, named strangers among them, each with a caption."""
    found = judged(predictions, pictures)
    answers, right = found.answers, found.right()
    # of a stranger who was turned away nothing wrong was said
    wrong = np.flatnonzero(~right & (answers.told | ~found.strangers))
    order = wrong[np.argsort(-answers.confidence[wrong], kind="stable")][:most]
    first, confidence = _first(answers), answers.confidence
    return [
        (pictures[found.rows[row]], (f"said {first[row]} {confidence[row]:.0%}", f"label {found.slugs[row]}"))
        for row in order
    ]


def _first(answers: Answers) -> NDArray[np.str_]:
    return np.array(answers.characters)[answers.first]


def _macro_f1(truth: NDArray[np.str_], said: NDArray[np.str_], slugs: Sequence[str]) -> float:
    """The mean over the characters of 2 TP / (2 TP + FP + FN)."""
    values = []
    for slug in slugs:
        hits = int(((truth == slug) & (said == slug)).sum())
        values.append(2 * hits / int((truth == slug).sum() + (said == slug).sum()))
    return float(np.mean(values))
