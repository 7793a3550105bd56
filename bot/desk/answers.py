"""Answering: which pictures are looked at, once each, and what is worth saying about them."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from bot.desk.communities import Communities, language_of
from bot.desk.limits import RateLimits
from bot.desk.looking import Looking
from bot.desk.outcomes import described, each_once, worth_saying
from bot.desk.said import Message, Said, message_of
from bot.desk.turns import key_of
from bot.desk.types import Already, Ask, Person, Refused, Reply, Voice
from bot.memory.following import Memory
from bot.metrics import Metrics
from bot.words import FALLBACK
from corrections.errors import LedgerError, NotFound
from corrections.ledger import Ledger
from corrections.types import Address, CommunitySettings
from model import tracing
from model.types import Eyes

log = logging.getLogger(__name__)

LATEST = 1_000
"""Answers of an earlier process that are known without asking: what is delivered twice is recent."""
APOLOGY_SECONDS = 5.0


class _Underway:
    """A message that is being answered right now, and what happened to it meanwhile."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.work: asyncio.Task[Address | None] | None = None
        self.deleted = False
        self.given_up = False


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
        discord_training: bool = False,
        memory: Memory | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._metrics = metrics or Metrics()
        self._ledger = ledger
        self._limits = limits
        self._communities = communities
        self.looking = Looking(
            eyes,
            ledger,
            limits,
            deadline=deadline,
            caps=caps,
            discord_training=discord_training,
            memory=memory,
            metrics=self._metrics,
        )
        self._answering: dict[Message, _Underway] = {}
        self._answered = Said()
        self._refusals = Said()
        """Those are not in the ledger, but they go when the message goes; a restart may forget them."""
        self._recalling, self._recalled = asyncio.Lock(), False
        self._idle = asyncio.Event()
        self._idle.set()

    async def answer(self, ask: Ask, voice: Voice) -> None:
        """Look at the pictures of one message and say who is in them, once.

        The same message delivered twice is answered once: while it is being answered it is known here,
        afterwards in the ledger. In a watched channel nothing is said when there is nothing worth saying.
        """
        key = message_of(ask.address)
        while (other := self._answering.get(key)) is not None:
            if not ask.direct:
                return
            await other.done.wait()
        underway = self._answering[key] = _Underway()
        self._idle.clear()
        self._metrics.answering(len(self._answering))
        with tracing.traced():
            await self._answer_now(ask, voice, underway)

    async def _answer_now(self, ask: Ask, voice: Voice, underway: _Underway) -> None:
        key, ours = message_of(ask.address), None
        try:
            work = underway.work = asyncio.create_task(self._answer_or_point(ask, voice, underway))
            ours = await work
        except asyncio.CancelledError:
            work.cancel()
            if not underway.given_up:
                raise
            await self._apologise(ask, voice, "error-stopping")
        except Exception as error:
            log.exception("a message on %s was not answered", ask.address.platform)
            trouble = "error-ledger" if isinstance(error, LedgerError) else "error-trouble"
            ours = await self._apologise(ask, voice, trouble)
        finally:
            del self._answering[key]
            self._metrics.answering(len(self._answering))
            underway.done.set()
            if not self._answering:
                self._idle.set()
        if underway.deleted:
            # It may have been deleted before our answer was noted, so what was said is named here too.
            self._answered.pop(key)
            noted = await self._ledger.message_deleted(ask.address)
            await voice.unsay(list(dict.fromkeys([*noted, *([ours] if ours else [])])))

    async def _answer_or_point(self, ask: Ask, voice: Voice, underway: _Underway) -> Address | None:
        if not self._recalled:
            await self._recall_latest()
        home = ask.address.home
        known = self._communities.remembered(home)
        with self.looking.turns.looked_up(key_of(home, ask.asker.key)) as room:
            if room or known is None:
                chosen = await self._communities.of(home)
                said = await self._ledger.reply_to(ask.address)
            else:
                # who finds no room reads so at once: where many do, asking the ledger is what takes long
                chosen, said = known, self._answered.to(ask.address)
        language = language_of(ask.asker, chosen)
        if said is None:
            return await self._answer_once(ask, voice, underway, language, chosen)
        if ask.direct:
            await voice.say(Already(said, language))
        return None

    async def _recall_latest(self) -> None:
        """What was answered before the start may be asked again when there is no room to look it up."""
        async with self._recalling:
            if not self._recalled:
                for asked, ours in await self._ledger.latest_replies(LATEST):
                    self._answered.put(asked, ours)
                self._recalled = True

    async def _answer_once(
        self, ask: Ask, voice: Voice, underway: _Underway, language: str, chosen: CommunitySettings
    ) -> Address | None:
        platform = ask.address.platform
        self._metrics.asked(platform)
        outcomes = await asyncio.gather(
            *(self.looking.one(ask, slot, fetch, chosen, language) for slot, fetch in enumerate(ask.pictures))
        )
        everything = ask.direct or chosen.chatty
        told = [each for each in outcomes if each is not None and (everything or worth_saying(each))]
        if not told or underway.deleted:
            await voice.drop()
            self._metrics.unsaid(platform)
            log.info("nothing is said: %s", described(outcomes))
            return None
        left_out = ask.left_out if ask.direct else 0
        reply = Reply(each_once(told), language, left_out, looked_at=len(ask.pictures))
        address = await voice.say(reply)
        if address is not None or ask.waiting:
            self._metrics.said(platform, tracing.seconds())
            log.info("replied after %.0f ms: %s", tracing.seconds() * 1000, described(outcomes))
        if address is not None and reply.identified:
            try:
                await self._ledger.replied([each.prediction_id for each in reply.identified], address)
            except NotFound:  # the poster was forgotten meanwhile
                await voice.unsay([address])
                return None
            self._answered.put(ask.address, address, ask.poster.key)
        elif address is not None:
            self._refusals.put(ask.address, address, ask.poster.key)
        return address

    async def _apologise(self, ask: Ask, voice: Voice, key: str) -> Address | None:
        self._metrics.refused(ask.address.platform, Refused(key))
        if not ask.direct and not self._limits.first_refusal(*ask.asker.key):
            return None
        address = await voice.say(Reply((Refused(key),), ask.asker.language or FALLBACK))
        if address is not None:
            self._refusals.put(ask.address, address, ask.poster.key)
        return address

    async def settled(self, place: Address) -> None:
        """Our message is seen before we have noted where it stands: wait for what is under way there."""
        for (platform, channel, _), underway in list(self._answering.items()):
            if (platform, channel) == (place.platform, place.channel):
                await underway.done.wait()

    async def message_deleted(self, address: Address) -> list[Address]:
        """A message is gone: a posted one takes its unapproved bytes along, and our replies, returned here.

        One of our own takes nothing along, but whoever asks again is answered anew.
        """
        self._answered.unsaid(address)
        await self._ledger.reply_deleted(address)
        key = message_of(address)
        if key in self._answering:
            self._answering[key].deleted = True
        self._answered.pop(key)
        refusal = self._refusals.pop(key)
        return await self._ledger.message_deleted(address) + ([refusal] if refusal else [])

    def forgotten(self, person: Person) -> list[Address]:
        """Somebody is forgotten: let go of where their pictures were refused; returns those messages."""
        self._communities.forget(person)
        self._answered.forget(person.key)
        return self._refusals.forget(person.key)

    async def quiet(self) -> None:
        """Return when nothing is being answered."""
        await self._idle.wait()

    async def finish(self, seconds: float) -> None:
        """Let what is being answered end, at most that long; whoever still waits then is told so."""
        try:
            await asyncio.wait_for(self._idle.wait(), seconds)
        except TimeoutError:
            log.warning("%d answers were not finished in time", len(self._answering))
            for underway in list(self._answering.values()):
                underway.given_up = True
                if underway.work is not None:
                    underway.work.cancel()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._idle.wait(), APOLOGY_SECONDS)
