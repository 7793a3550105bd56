"""What the templates show of a case: names in the reader's language, bars, and what each key would say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot import wording_review
from bot.web.console import forms
from bot.words import Words
from corrections.review.types import CasePicture, CaseView, Labels
from model.types import NOBODY, Verdict

Named = Callable[[str], str]
KEYS = 5
REASONS = {
    "disagreement": "console-reason-disagreement",
    "margin": "console-reason-margin",
    "rare": "console-reason-rare",
    "suspected": "console-reason-suspected",
    "few": "console-reason-few",
    "agreed": "console-reason-agreed",
}
"""Why a case is shown, in a few words."""
"""Names that have a key of their own."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A name with the length of its bar, from 0 to 1, and what stands beside it."""

    name: str
    length: float
    beside: str


@dataclass(frozen=True, slots=True)
class Pick:
    """One of the likeliest: ``value`` is what its button sends."""

    number: int
    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Shown:
    """A case in words. ``approve`` is what the key Enter says, None when there is nothing to approve."""

    case: CaseView
    picture: CasePicture | None
    copies: tuple[CasePicture, ...]
    why: str
    leading: str
    percent: str
    opinions: tuple[Bar, ...]
    guess: str
    guesses: tuple[Bar, ...]
    bundle: str
    picks: tuple[Pick, ...]
    approve: Pick | None
    decided: str


def shown(case: CaseView, named: Named, w: Words, blind: bool) -> Shown:
    """A case for its template.

    Args:
        blind: what the bot said must not be guessed from the order of the names or from what Enter does.
    """
    there = [each for each in case.pictures if each.there]
    offered = case.leading if blind else wording_review.offered(case)
    most = max((each.people for each in case.opinions), default=1)
    guess = case.guess
    nobody = guess is not None and (guess.verdict is Verdict.NOBODY or guess.character == NOBODY)
    return Shown(
        case=case,
        picture=there[0] if there else None,
        copies=tuple(there[1:]),
        why=w(REASONS[case.reason]),
        leading="" if case.leading is None else _people(case.leading, named, w),
        percent=w.percent(case.agreement),
        opinions=tuple(
            Bar(_people(each.labels, named, w), each.people / most, str(each.people))
            for each in case.opinions
        ),
        guess="" if guess is None else (w("mine-nobody") if nobody else named(guess.character)),
        guesses=()
        if guess is None
        else tuple(
            Bar(named(each.character), each.probability, w.percent(each.probability))
            for each in guess.ranked[:KEYS]
        ),
        bundle="" if guess is None else guess.bundle,
        picks=_picks(case, named, blind),
        approve=None if offered is None else Pick(0, _people(offered, named, w), forms.as_text(offered)),
        decided="" if case.decided is None else _people(case.decided, named, w),
    )


def _people(who: Labels, named: Named, w: Words) -> str:
    return wording_review.people_in(who, named, w)


def _picks(case: CaseView, named: Named, blind: bool) -> tuple[Pick, ...]:
    """The five likeliest, people's first; what only the bot thinks of is in the order of names if blind."""
    said = [each.labels for each in case.opinions if len(each.labels) == 1]
    more = [each for each in wording_review.likeliest(case) if len(each) == 1 and each not in said]
    more = more[: max(0, KEYS - len(said))]
    if blind:
        more.sort(key=lambda each: named(each[0]).casefold())
    return tuple(
        Pick(number, named(each[0]), each[0]) for number, each in enumerate([*said, *more][:KEYS], start=1)
    )
