"""What becomes of a picture that was asked about: it is recorded or refused, and told or kept quiet about."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from bot.desk.types import Ask, Identified, Refused
from bot.errors import FetchError
from corrections.ledger import Ledger
from corrections.types import Recalled, Recorded, Seen
from model.errors import ModelError, PictureError, WorkerBusy
from model.types import Sight, Verdict

log = logging.getLogger(__name__)


async def record(
    ledger: Ledger, ask: Ask, slot: int, sight: Sight, since: datetime, recalled: Recalled | None = None
) -> Recorded:
    """Write down what was said of a picture that was looked at to be kept, and what memory made of it.

    Raises:
        WasForgotten: its poster is forgotten meanwhile.
        Withdrawn: the message is deleted meanwhile.
    """
    return await ledger.record(
        ask.address,
        slot,
        poster=ask.poster.key,
        seen=seen_of(sight),
        bundle=sight.bundle,
        level=sight.level,
        answer=sight.answer,
        milliseconds=sight.milliseconds,
        at=datetime.now(UTC),
        since=since,
        recalled=recalled,
    )


def seen_of(sight: Sight) -> Seen:
    """A picture that was looked at to be kept, as the ledger keeps it."""
    assert sight.stored is not None, "asked to keep it"
    return Seen(
        near_key=sight.near_key,
        stored=sight.stored,
        stored_format=sight.stored_format,
        width=sight.width,
        height=sight.height,
        sha256=sight.sha256,
        embedding=sight.embedding,
        marks=sight.marks,
    )


def refusal_of(error: FetchError | ModelError, slot: int, caps: Mapping[str, int]) -> Refused:
    """Why a picture could not be looked at; ``caps`` are the numbers that the words may name."""
    values: dict[str, int] = dict(caps)
    if isinstance(error, WorkerBusy):
        values["seconds"] = max(1, round(error.retry_after))
    elif not isinstance(error, FetchError | PictureError):
        log.warning("a picture was not answered: %s", error)
    return Refused(f"error-{error.reason}", values, slot)


def worth_saying(outcome: Identified | Refused) -> bool:
    """What is said unasked: everything but that it is nobody."""
    return not (isinstance(outcome, Identified) and outcome.verdict is Verdict.NOBODY)


def described(outcomes: Iterable[Identified | Refused | None]) -> str:
    """The outcomes as a log may name them: verdicts and reasons, nobody's name."""
    said = (
        each.verdict.value if isinstance(each, Identified) else each.key if each is not None else "withdrawn"
        for each in outcomes
    )
    return ", ".join(said)


def each_once(outcomes: Iterable[Identified | Refused]) -> tuple[Identified | Refused, ...]:
    """The outcomes in order; a refusal that says the same for several pictures is said once."""
    said: dict[object, Identified | Refused] = {}
    for outcome in outcomes:
        key = outcome.key if isinstance(outcome, Refused) else outcome.slot
        said.setdefault(key, outcome)
    return tuple(said.values())
