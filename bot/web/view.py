"""One answer as the page shows it: what its template reads, and the fields that a script gets instead."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any

from bot import wording
from bot.desk.types import Allowed, Guess, Identified, LookUp, Refused, TakenBack, Thanks
from bot.desk.why import Because
from bot.wording_why import why_text
from bot.words import Words
from model.types import Verdict

WORTH_A_BAR = 0.005
"""A character less likely than this gets no bar: it would say 1 %, which is more than it has."""


@dataclass(frozen=True, slots=True)
class View:
    """One answer, and what was last said about it."""

    answer: Identified
    said: Thanks | TakenBack | Allowed | Refused | None = None
    look_up: LookUp | None = None
    because: Because | None = None

    @property
    def bars(self) -> tuple[Guess, ...]:
        """The characters that are drawn as bars."""
        return tuple(guess for guess in self.others if guess.probability >= WORTH_A_BAR)

    @property
    def others(self) -> tuple[Guess, ...]:
        """Whom it could be if the answer is wrong."""
        return self.answer.ranked[0 if self.nobody else 1 :]

    @property
    def nobody(self) -> bool:
        """Whether the answer was that it is nobody on the list."""
        return self.answer.verdict is Verdict.NOBODY

    @property
    def thanked(self) -> bool:
        """Whether there is something to undo."""
        return isinstance(self.said, Thanks)

    @property
    def good(self) -> bool:
        """Whether what was said is a thank-you."""
        return isinstance(self.said, Thanks | Allowed)


def reason_of(key: str) -> str:
    """The word that a script tells a refusal by."""
    return key.removeprefix("error-").removeprefix("web-")


def as_json(shown: View, w: Words) -> dict[str, Any]:
    """The fields of ``identify --json`` that the desk has, the prediction to correct, and what was said."""
    answer = shown.answer
    fields: dict[str, Any] = {
        "prediction": answer.prediction_id,
        "verdict": str(answer.verdict),
        "character": answer.best.slug,
        "confidence": answer.best.probability,
        "ranked": [
            {"character": each.slug, "name": each.name, "probability": each.probability}
            for each in answer.ranked
        ],
        "bundle": answer.bundle,
        "milliseconds": answer.milliseconds,
        "sentence": wording.headline(answer, w),
        "may_ask": answer.may_ask,
        "memory": answer.memory,
        "told": answer.told.how if answer.told else "",
    }
    if isinstance(shown.said, Refused):
        return {"error": wording.refusal(shown.said, w), "reason": reason_of(shown.said.key)}
    if isinstance(shown.said, Thanks):
        fields |= {"how": shown.said.how, "said": shown.said.slug, "sentence": wording.said(shown.said, w)}
    elif isinstance(shown.said, Allowed):
        fields |= {"how": "allowed" if shown.said.new else "again", "sentence": wording.said(shown.said, w)}
    elif shown.said is not None:
        fields |= {"how": "undone", "said": shown.said.name, "sentence": wording.said(shown.said, w)}
    if shown.because is not None:
        fields["why"] = _why(shown.because, w)
    if shown.look_up is not None:
        found = shown.look_up
        fields |= {
            "exact": found.exact,
            "choices": [{"character": each.slug, "name": each.name} for each in found.choices],
            "proposal": found.proposal,
        }
    return fields


def _why(because: Because, w: Words) -> dict[str, Any]:
    return {
        "explained": because.explained,
        "probability": because.probability,
        "without": because.without,
        "sentence": why_text(because, w),
        "picture": jpeg(because.picture),
        "nearest": list(because.nearest),
        "sheet": jpeg(because.sheet) if because.sheet else None,
    }


def jpeg(picture: bytes) -> str:
    """A picture that nothing else has an address for: whoever may not see it cannot ask for it."""
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode('ascii')}"
