"""The desk's answers in words, the same on every platform. ``bold`` marks a name as the platform does."""

from __future__ import annotations

from collections.abc import Callable

from bot import wording_memory
from bot.desk.types import Allowed, Already, Identified, Refused, TakenBack, Tallied, Thanks
from bot.words import Words
from model.types import Verdict

DISCORD_POLICY = "https://support-dev.discord.com/hc/en-us/articles/8563934450327-Discord-Developer-Policy"
"""Where Discord publishes its developer policy."""

WORTH_NAMING = 0.1
"""A second character less likely than this is not named in a sentence."""


def _plain(name: str) -> str:
    return name


def headline(answer: Identified, w: Words, bold: Callable[[str], str] = _plain) -> str:
    """Who, and how sure; or who people say it is, where they have said so."""
    told = answer.told
    if told is not None and told.how == "same":
        return wording_memory.recalled(told, w, bold)
    sentence = _own(answer, w, bold)
    return sentence if told is None else f"{sentence} {wording_memory.leaning(told, w, bold)}"


def _own(answer: Identified, w: Words, bold: Callable[[str], str]) -> str:
    best, second = answer.best, answer.ranked[1] if len(answer.ranked) > 1 else None
    percent = w.percent(best.probability)
    if answer.verdict is Verdict.SURE:
        return w("answer-sure", name=bold(best.name), percent=percent)
    if answer.verdict is Verdict.NOBODY:
        if best.probability < WORTH_NAMING:
            return w("answer-nobody")
        return w("answer-nobody-close", name=bold(best.name), percent=percent)
    if second is None or second.probability < WORTH_NAMING:
        return w("answer-unsure-one", name=bold(best.name), percent=percent)
    return w(
        "answer-unsure-two",
        name=bold(best.name),
        percent=percent,
        second=bold(second.name),
        second_percent=w.percent(second.probability),
    )


def tallied(tally: Tallied | None, w: Words, bold: Callable[[str], str] = _plain) -> str:
    """What people said, or nothing if nobody has."""
    if tally is None:
        return ""
    parts = [w("tally-agree", count=tally.agree)] if tally.agree else []
    parts += [w("tally-others", name=bold(name), count=count) for name, count in tally.others[:3]]
    parts += [w("tally-nobody", count=tally.nobody)] if tally.nobody else []
    return " ".join(parts)


def refusal(refused: Refused, w: Words) -> str:
    """One sentence: why not."""
    return w(refused.key, **refused.values)


def thanked(thanks: Thanks, w: Words, bold: Callable[[str], str] = _plain) -> str:
    """One sentence, said only after the vote is in the ledger."""
    if thanks.slug:
        return w(f"thanks-{thanks.how}", name=bold(thanks.name))
    return w(
        {"changed": "thanks-changed-nobody", "again": "thanks-again-nobody"}.get(thanks.how, "thanks-nobody")
    )


def taken_back(undone: TakenBack, w: Words, bold: Callable[[str], str] = _plain) -> str:
    """One sentence about an undo."""
    if not undone.restored:
        return w("undone")
    return w("undone-to", name=bold(undone.name)) if undone.name else w("undone-to-nobody")


def already(said: Already, link: str, w: Words) -> str:
    """Where the answer stands."""
    return w("answer-already", link=link) if link else w("answer-already-here")


def allowed(outcome: Allowed, w: Words) -> str:
    """One sentence about a consent that is in the ledger."""
    return w("learn-thanks" if outcome.new else "learn-again")


def discord_training(on: bool, w: Words) -> str:
    """Whether pictures from Discord are learned from, and what its developer policy asks for."""
    return w("training-discord-on" if on else "training-discord-off", policy=DISCORD_POLICY)


def said(
    outcome: Thanks | TakenBack | Allowed | Refused, w: Words, bold: Callable[[str], str] = _plain
) -> str:
    """One sentence about a click."""
    if isinstance(outcome, Allowed):
        return allowed(outcome, w)
    if isinstance(outcome, Thanks):
        return thanked(outcome, w, bold)
    if isinstance(outcome, TakenBack):
        return taken_back(outcome, w, bold)
    return refusal(outcome, w)
