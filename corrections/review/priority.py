"""Which case is worth a look first: the formula of docs/reviewing.md as a pure function."""

from __future__ import annotations

from corrections.review.agreement import Weighed
from corrections.review.types import Guess, Labels, Reason
from model.types import Verdict

GONE = -100.0
"""Priority of a case without any bytes left: there is nothing to look at, so it is in no queue."""

SKIPPED = -10.0
"""What is added for a case that a moderator skipped: it comes after all others."""

UNHEARD = -1.0
"""What is added for a case that nobody has said anything of."""

DISAGREEMENT, SUSPECTED, MARGIN, RARE, FEW = 4.0, 2.0, 1.0, 0.75, 0.5


def priority(weighed: Weighed, guess: Guess | None, approved: int) -> tuple[Reason, float]:
    """Why and how much a case is worth a look, from -1 (nobody spoke) up to 8.25.

    Args:
        weighed: what people said.
        guess: what the bot said.
        approved: how many approved cases the leading character has.
    """
    doubt = 1 - weighed.probability
    parts: dict[Reason, float] = {
        "disagreement": DISAGREEMENT * doubt if len(weighed.opinions) > 1 else 0.0,
        "suspected": SUSPECTED * _contradiction(weighed, guess),
        "margin": MARGIN * (1 - _margin(guess)),
        "rare": RARE / (1 + approved / 10),
        "few": FEW / (1 + weighed.voters),
    }
    if weighed.leading is None:
        return "few", UNHEARD + parts["margin"] / (MARGIN * 1.001)
    if weighed.agreed and not parts["suspected"]:
        return "agreed", doubt
    reason = max(parts, key=lambda key: parts[key])
    return reason, sum(parts.values())


def said(guess: Guess) -> Labels:
    """The bot's answer as a label set."""
    return () if guess.verdict is Verdict.NOBODY else (guess.character,)


def _contradiction(weighed: Weighed, guess: Guess | None) -> float:
    """How surely a certain bot and the people contradict one another, from 0 to 1."""
    if guess is None or guess.verdict is not Verdict.SURE or weighed.leading in (None, said(guess)):
        return 0.0
    return guess.confidence * weighed.probability


def _margin(guess: Guess | None) -> float:
    """How far the bot's best answer was ahead of the next, from 0 to 1."""
    if guess is None or not guess.ranked:
        return 0.0
    if guess.verdict is Verdict.NOBODY:
        return abs(1 - 2 * guess.known)
    second = guess.ranked[1].probability if len(guess.ranked) > 1 else 0.0
    return min(1.0, max(0.0, guess.ranked[0].probability - second))
