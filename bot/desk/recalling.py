"""What the ledger remembers, as it is shown: an answer of long ago, its counts, and one's own corrections."""

from __future__ import annotations

from collections.abc import Callable

from bot.desk.naming import guesses
from bot.desk.types import Identified, Mine, Tallied, Told
from corrections.types import MyVote, PredictionView, Recalled, Tally
from model.types import Verdict

Named = Callable[[str], str]
"""From a slug to the name that the reader knows."""


def recalled(view: PredictionView, tally: Tally, named: Named, may_ask: bool) -> Identified:
    """An answer as it was given, with what people say of it by now."""
    return Identified(
        slot=view.slot,
        prediction_id=view.prediction_id,
        verdict=view.verdict,
        ranked=guesses(view.ranked, named),
        bundle=view.bundle,
        milliseconds=view.milliseconds,
        tally=tallied(view, tally, named),
        may_ask=may_ask,
        memory=None if view.recalled is None else view.recalled.version,
        told=told(view.recalled, named),
    )


def told(recalled: Recalled | None, named: Named) -> Told | None:
    """What people had said of such a picture; None when memory changed nothing."""
    if recalled is None or recalled.how == "":
        return None
    return Told(recalled.how, tuple(map(named, recalled.slugs)), recalled.here)


def tallied(view: PredictionView, tally: Tally, named: Named) -> Tallied:
    """The votes of a picture: for what was said of it, and for whom else, those with most first."""
    shown = "" if view.verdict is Verdict.NOBODY else view.character
    others = sorted(
        ((named(slug), count) for slug, count in tally.characters.items() if slug != shown),
        key=lambda each: (-each[1], each[0]),
    )
    return Tallied(
        agree=tally.characters.get(shown, 0) if shown else tally.nobody,
        others=tuple(others),
        nobody=tally.nobody if shown else 0,
    )


def mine(vote: MyVote, named: Named) -> Mine:
    """One of somebody's own corrections."""
    return Mine(
        prediction_id=vote.prediction_id,
        position=vote.position,
        name=", ".join(map(named, sorted(vote.labels))),
        said="" if vote.verdict is Verdict.NOBODY else named(vote.said),
        where=vote.address,
        at=vote.at,
    )
