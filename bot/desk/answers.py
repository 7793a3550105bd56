"""Answering: which pictures are looked at, once each, and what is worth saying about them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

from bot.desk.communities import Communities
from bot.desk.limits import RateLimits
from bot.desk.naming import Names, guesses
from bot.desk.types import Already, Ask, Identified, Refused, Reply, Voice
from bot.errors import FetchError
from bot.words import FALLBACK
from corrections.errors import LedgerError, Withdrawn
from corrections.ledger import Ledger
from corrections.types import Address, CommunitySettings, Recorded, Seen
from model.errors import ModelError, PictureError, WorkerBusy
from model.types import Eyes, Sight, Verdict

log = logging.getLogger(__name__)


class _Underway:
    """A message that is being answered right now, and whether it was deleted meanwhile."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.deleted = False


class Answers:
    """What is being answered right now, and how.

    ``caps`` are the numbers that the words of a refusal may name (``mebibytes``, ``megapixels``).
    """

    def __init__(
        self,
        eyes: Eyes,
        ledger: Ledger,
        limits: RateLimits,
        communities: Communities,
        *,
        deadline: float,
        caps: dict[str, int],
    ) -> None:
        self._eyes = eyes
        self._ledger = ledger
        self._limits = limits
        self._communities = communities
        self._deadline = deadline
        self._caps = caps
        self._names = Names(ledger)
        self._answering: dict[Address, _Underway] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    async def answer(self, ask: Ask, voice: Voice) -> None:
        """Look at the pictures of one message and say who is in them, once.

        The same message delivered twice is answered once: while it is being answered it is known here,
        afterwards in the ledger. In a watched channel nothing is said when there is nothing worth saying.
        """
        while (other := self._answering.get(ask.address)) is not None:
            if not ask.direct:
                return
            await other.done.wait()
        underway = self._answering[ask.address] = _Underway()
        self._idle.clear()
        try:
            language = await self._communities.language(ask.asker, ask.address.home)
            said = await self._ledger.reply_to(ask.address)
            if said is None:
                await self._answer_once(ask, voice, underway, language)
            elif ask.direct:
                await voice.say(Already(said, language))
        except Exception as error:
            log.exception("a message on %s was not answered", ask.address.platform)
            key = "error-ledger" if isinstance(error, LedgerError) else "error-trouble"
            if ask.direct or self._limits.first_refusal(*ask.asker.key):
                await voice.say(Reply((Refused(key),), ask.asker.language or FALLBACK))
        finally:
            del self._answering[ask.address]
            underway.done.set()
            if not self._answering:
                self._idle.set()
        if underway.deleted:
            await voice.unsay(await self._ledger.message_deleted(ask.address))

    async def _answer_once(self, ask: Ask, voice: Voice, underway: _Underway, language: str) -> None:
        chosen = await self._communities.of(ask.address.home)
        outcomes = await asyncio.gather(
            *(self._one(ask, slot, fetch, chosen, language) for slot, fetch in enumerate(ask.pictures))
        )
        everything = ask.direct or chosen.chatty
        told = [each for each in outcomes if each is not None and (everything or _worth_saying(each))]
        if not told or underway.deleted:
            await voice.drop()
            return
        reply = Reply(_each_once(told), language, ask.left_out if ask.direct else 0)
        address = await voice.say(reply)
        if address is not None and reply.identified:
            await self._ledger.replied([each.prediction_id for each in reply.identified], address)

    async def _one(
        self,
        ask: Ask,
        slot: int,
        fetch: Callable[[], Awaitable[bytes]],
        chosen: CommunitySettings,
        language: str,
    ) -> Identified | Refused | None:
        if refused := self._over_limit(ask, slot, chosen.person_per_minute):
            return refused if ask.direct or self._limits.first_refusal(*ask.asker.key) else None
        try:
            picture = await fetch()
            sight = await self._eyes.look(
                picture, fairness_key="/".join(ask.asker.key), keep=True, deadline=self._deadline
            )
        except (FetchError, ModelError) as error:
            return self._refusal(error, slot)
        assert sight.stored is not None, "asked to keep it"
        try:
            recorded = await self._record(ask, slot, sight, sight.stored)
        except Withdrawn:
            return None
        named = await self._names.of(ask.address.home, language)
        return Identified(
            slot=slot,
            prediction_id=recorded.prediction_id,
            verdict=sight.answer.verdict,
            ranked=guesses(sight.answer.ranked, named),
            bundle=sight.bundle,
            milliseconds=sight.milliseconds,
        )

    async def _record(self, ask: Ask, slot: int, sight: Sight, stored: bytes) -> Recorded:
        return await self._ledger.record(
            ask.address,
            slot,
            poster=ask.poster.key,
            seen=Seen(
                near_key=sight.near_key,
                stored=stored,
                stored_format=sight.stored_format,
                width=sight.width,
                height=sight.height,
                sha256=sight.sha256,
            ),
            bundle=sight.bundle,
            level=sight.level,
            answer=sight.answer,
            milliseconds=sight.milliseconds,
            at=datetime.now(UTC),
        )

    def _over_limit(self, ask: Ask, slot: int, person_per_minute: int | None) -> Refused | None:
        here = ask.address.home
        if person_per_minute and (seconds := self._limits.take_of(person_per_minute, *here, *ask.asker.key)):
            return Refused("error-person-limit", {"seconds": seconds}, slot)
        if seconds := self._limits.take("person", *ask.asker.key):
            return Refused("error-person-limit", {"seconds": seconds}, slot)
        if seconds := self._limits.take("community", *here):
            return Refused("error-community-limit", {"seconds": seconds}, slot)
        return None

    def _refusal(self, error: FetchError | ModelError, slot: int) -> Refused:
        values = {**self._caps}
        if isinstance(error, WorkerBusy):
            values["seconds"] = max(1, round(error.retry_after))
        elif not isinstance(error, FetchError | PictureError):
            log.warning("a picture was not answered: %s", error)
        return Refused(f"error-{error.reason}", values, slot)

    async def settled(self, place: Address) -> None:
        """Our message is seen before we have noted where it stands: wait for what is under way there."""
        for address, underway in list(self._answering.items()):
            if (address.platform, address.channel) == (place.platform, place.channel):
                await underway.done.wait()

    async def message_deleted(self, address: Address) -> list[Address]:
        """A posted message is gone: its unapproved bytes go too; returns our replies, to be deleted."""
        if address in self._answering:
            self._answering[address].deleted = True
        return await self._ledger.message_deleted(address)

    async def finish(self, seconds: float) -> None:
        """Wait until everything that is being answered has been, at most that long."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            log.warning("%d answers were not finished in time", len(self._answering))


def _worth_saying(outcome: Identified | Refused) -> bool:
    """What is said unasked: everything but that it is nobody."""
    return not (isinstance(outcome, Identified) and outcome.verdict is Verdict.NOBODY)


def _each_once(outcomes: list[Identified | Refused]) -> tuple[Identified | Refused, ...]:
    """The outcomes in order; a refusal that says the same for several pictures is said once."""
    said: dict[object, Identified | Refused] = {}
    for outcome in outcomes:
        key = outcome.key if isinstance(outcome, Refused) else outcome.slot
        said.setdefault(key, outcome)
    return tuple(said.values())
