"""Whether a candidate may take the place of the bundle in service: a pure function of what both said.

A candidate has to show that it is not worse, rather than not be shown to be worse: with few pictures
nothing is shown, and it is refused. What is asked, and by which test, stands in `training.reasons`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from model.preprocess import Floats
from model.types import NOBODY
from training import reasons as asked
from training.errors import EvaluationError
from training.evaluating import check_several, judged
from training.measuring import Flags
from training.pictures import Picture
from training.predicting import Predictions
from training.reasons import MARGINS, Margins, Pair, Reason


@dataclass(frozen=True)
class Scores:
    """What one bundle said: on the fixed evaluation set and, if there are any, on recent corrections.

    ``milliseconds`` are those of the same pictures for both bundles, taken in turns; may be empty.
    """

    pictures: Sequence[Picture]
    predictions: Predictions
    corrected: Sequence[Picture] = ()
    corrections: Predictions | None = None
    milliseconds: Floats = field(default_factory=lambda: np.zeros(0, np.float32))


@dataclass(frozen=True)
class Ruling:
    """Promoted when every reason holds. ``worse`` are pictures that the bundle in service alone had right,
    those of refused characters first."""

    promoted: bool
    reasons: tuple[Reason, ...]
    worse: tuple[Picture, ...]

    def to_json(self) -> dict[str, Any]:
        """Plain values, for `json.dumps`."""
        worse = [str(picture.path) for picture in self.worse]
        return {"promoted": self.promoted, "reasons": [asdict(r) for r in self.reasons], "worse": worse}


def gate(
    candidate: Scores,
    current: Scores,
    margins: Margins = MARGINS,
    *,
    allow_missing: bool = False,
) -> Ruling:
    """Compare a candidate with the bundle in service.

    Args:
        candidate: its scores, on the very same pictures as those of ``current``.
        allow_missing: a character that the candidate no longer knows is no reason to refuse it.

    Raises:
        EvaluationError: they have no character in common, the pictures are not the same or of one character.
    """
    check_several(candidate.pictures)
    pair = _pair(candidate.pictures, current.predictions, candidate.predictions, current.pictures)
    old, new = ({*each.predictions.characters} - {NOBODY} for each in (current, candidate))
    counts = Counter(picture.slug for picture in candidate.pictures)
    reasons = [
        asked.label_sets(old, new, counts, allow_missing),
        asked.overall(pair, _named_anew(candidate, current), margins),
    ]
    reasons.append(asked.per_character("per character", pair, margins))
    reasons += asked.honesty(pair, margins)
    reasons += asked.strangers(pair, margins)
    if len(candidate.milliseconds) and len(current.milliseconds):
        reasons.append(asked.speed(candidate.milliseconds, current.milliseconds, margins))
    pairs = [pair]
    if candidate.corrections is not None and current.corrections is not None:
        extra = _corrections(candidate, current)
        if extra is not None:
            pairs.append(extra)
            reasons.append(asked.corrected(extra, margins))
            reasons.append(asked.per_character("corrections per character", extra, margins))
    refused = {slug for reason in reasons if not reason.passed for slug in reason.figures.get("worse", ())}
    lost = [picture for each in pairs for picture in _lost(each)]
    lost.sort(key=lambda picture: picture.slug not in refused)
    return Ruling(all(reason.passed for reason in reasons), tuple(reasons), tuple(lost))


def _pair(pictures: Sequence[Picture], now: Predictions, new: Predictions, others: Sequence[Picture]) -> Pair:
    if [p.sha256 for p in pictures] != [p.sha256 for p in others]:
        raise EvaluationError("the candidate and the bundle in service were asked about different pictures")
    both = {*now.characters, NOBODY} & {*new.characters, NOBODY}
    if both == {NOBODY}:
        raise EvaluationError(f"{new.info.id} and {now.info.id} have no character in common")
    read, seen, rows = now.read & new.read, set(), []
    for row, picture in enumerate(pictures):
        if read[row] and picture.slug in both and picture.group not in seen:
            seen.add(picture.group)
            rows.append(row)
    kept, chosen = np.array(rows, np.int64), [pictures[row] for row in rows]
    return Pair(chosen, judged(now.of(kept), chosen), judged(new.of(kept), chosen))


def _corrections(candidate: Scores, current: Scores) -> Pair | None:
    """Nothing when no correction is of a character that both know."""
    assert candidate.corrections is not None and current.corrections is not None
    both = {*candidate.predictions.characters} & {*current.predictions.characters} - {NOBODY}
    read = candidate.corrections.read & current.corrections.read
    if not any(read[row] and picture.slug in both for row, picture in enumerate(candidate.corrected)):
        return None
    return _pair(candidate.corrected, current.corrections, candidate.corrections, current.corrected)


def _named_anew(candidate: Scores, current: Scores) -> Flags:
    """Of each picture of a character that the candidate alone knows whether it is right."""
    new = {*candidate.predictions.characters} - {*current.predictions.characters} - {NOBODY}
    read, seen, rows = candidate.predictions.read & current.predictions.read, set(), []
    for row, picture in enumerate(candidate.pictures):
        if read[row] and picture.slug in new and picture.group not in seen:
            seen.add(picture.group)
            rows.append(row)
    if not rows:
        return np.zeros(0, np.bool_)
    chosen = [candidate.pictures[row] for row in rows]
    return judged(candidate.predictions.of(np.array(rows, np.int64)), chosen).right()


def _lost(pair: Pair) -> list[Picture]:
    rows: list[int] = np.flatnonzero(pair.now.right() & ~pair.new.right() & pair.ours).tolist()
    confidence = pair.new.answers.confidence
    return [pair.pictures[row] for row in sorted(rows, key=lambda row: -confidence[row])]
