"""What memory made of an answer, written beside what the bundle alone said."""

from __future__ import annotations

from typing import Any, cast

from corrections.tables import PredictionRow
from corrections.types import How, Recalled
from model.types import Answer, Ranked, Verdict


def written(recalled: Recalled | None, own: Answer, ranked_kept: int) -> dict[str, Any] | None:
    """For the column ``said``; None when memory changed nothing, not even how sure the answer is."""
    if recalled is None or (not recalled.how and recalled.answer == own):
        return None
    answer = recalled.answer
    return {
        "verdict": answer.verdict.value,
        "character": answer.character,
        "confidence": answer.confidence,
        "known": answer.known,
        "ranked": [[each.character, each.probability] for each in answer.ranked[:ranked_kept]],
        "slugs": list(recalled.slugs),
        "here": recalled.here,
    }


def own_of(row: PredictionRow) -> Answer:
    """What the bundle alone said."""
    ranked = tuple(Ranked(character, probability) for character, probability in row.ranked)
    return Answer(Verdict(row.verdict), row.character, row.confidence, row.known, ranked)


def said_of(row: PredictionRow) -> Answer:
    """What was said: by the bundle, or by what memory made of it."""
    if row.said is None:
        return own_of(row)
    said = row.said
    ranked = tuple(Ranked(character, probability) for character, probability in said["ranked"])
    return Answer(Verdict(said["verdict"]), said["character"], said["confidence"], said["known"], ranked)


def recalled_of(row: PredictionRow) -> Recalled | None:
    """What memory had to do with it; None when there was none."""
    if row.memory is None:
        return None
    said = row.said or {}
    slugs, here = tuple(said.get("slugs", ())), bool(said.get("here", True))
    return Recalled(row.memory, cast(How, row.how), said_of(row), slugs, here)
