"""The desk: identify, confirm, correct, undo. Every adapter talks to this and to nothing behind it."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from bot.desk.limits import RateLimits
from bot.desk.naming import Names
from bot.desk.types import (
    Already,
    Ask,
    Choice,
    Guess,
    Identified,
    LookUp,
    Person,
    Refused,
    Reply,
    TakenBack,
    Tallied,
    Thanks,
    Voice,
)
from bot.errors import FetchError
from bot.ids import MAX_NAME_BYTES
from corrections.errors import BadLabel, LedgerError, NotFound, TooManyProposals, UnknownLabel, Withdrawn
from corrections.labels import clean_label
from corrections.ledger import Ledger
from corrections.types import Address, PredictionView, Recorded, Seen, VoteReceipt
from model.errors import ModelError, PictureError, WorkerBusy
from model.types import NOBODY, Eyes, Ranked, Sight, Verdict

log = logging.getLogger(__name__)

RUNNERS_UP = 5
"""Characters that a reply keeps, the best included."""


class _Underway:
    """A message that is being answered right now, and whether it was deleted meanwhile."""

    def __init__(self) -> None:
        self.done = asyncio.Event()
        self.deleted = False


class Desk:
    """One conversation for all platforms.

    ``caps`` are the numbers that the words of a refusal may name (``mebibytes``, ``megapixels``).
    """

    def __init__(
        self,
        eyes: Eyes,
        ledger: Ledger,
        limits: RateLimits,
        *,
        deadline: float = 20.0,
        caps: dict[str, int] | None = None,
    ) -> None:
        self._eyes = eyes
        self._ledger = ledger
        self._limits = limits
        self._deadline = deadline
        self._caps = caps or {}
        self._names = Names(ledger)
        self._answering: dict[Address, _Underway] = {}
        self._idle = asyncio.Event()
        self._idle.set()

    # -- asking ------------------------------------------------------------------------------------

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
            said = await self._ledger.reply_to(ask.address)
            if said is None:
                await self._answer_once(ask, voice, underway)
            elif ask.direct:
                await voice.say(Already(said))
        except Exception as error:
            log.exception("a message on %s was not answered", ask.address.platform)
            key = "error-ledger" if isinstance(error, LedgerError) else "error-trouble"
            if ask.direct or self._limits.first_refusal(*ask.asker.key):
                await voice.say(Reply((Refused(key),), ask.asker.language))
        finally:
            del self._answering[ask.address]
            underway.done.set()
            if not self._answering:
                self._idle.set()
        if underway.deleted:
            await voice.unsay(await self._ledger.message_deleted(ask.address))

    async def _answer_once(self, ask: Ask, voice: Voice, underway: _Underway) -> None:
        outcomes = await asyncio.gather(
            *(self._one(ask, slot, fetch) for slot, fetch in enumerate(ask.pictures))
        )
        told = [each for each in outcomes if each is not None and (ask.direct or self._worth_saying(each))]
        if not told or underway.deleted:
            await voice.drop()
            return
        reply = Reply(_each_once(told), ask.asker.language, ask.left_out if ask.direct else 0)
        address = await voice.say(reply)
        if address is not None and reply.identified:
            await self._ledger.replied([each.prediction_id for each in reply.identified], address)

    @staticmethod
    def _worth_saying(outcome: Identified | Refused) -> bool:
        return not (isinstance(outcome, Identified) and outcome.verdict is Verdict.NOBODY)

    async def _one(
        self, ask: Ask, slot: int, fetch: Callable[[], Awaitable[bytes]]
    ) -> Identified | Refused | None:
        if refused := self._over_limit(ask, slot):
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
        named = await self._names.of(ask.address.home, ask.asker.language)
        return Identified(
            slot=slot,
            prediction_id=recorded.prediction_id,
            verdict=sight.answer.verdict,
            ranked=_guesses(sight.answer.ranked, named),
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
            at=_now(),
        )

    def _over_limit(self, ask: Ask, slot: int) -> Refused | None:
        if seconds := self._limits.take("person", *ask.asker.key):
            return Refused("error-person-limit", {"seconds": seconds}, slot)
        if seconds := self._limits.take("community", ask.address.platform, ask.address.community):
            return Refused("error-community-limit", {"seconds": seconds}, slot)
        return None

    def _refusal(self, error: FetchError | ModelError, slot: int) -> Refused:
        values = {**self._caps}
        if isinstance(error, WorkerBusy):
            values["seconds"] = max(1, round(error.retry_after))
        elif not isinstance(error, FetchError | PictureError):
            log.warning("a picture was not answered: %s", error)
        return Refused(f"error-{error.reason}", values, slot)

    # -- correcting --------------------------------------------------------------------------------

    async def confirm(self, person: Person, place: Address, prediction_id: int) -> Thanks | Refused:
        """*Right*: the answer as it was given."""
        view = await self._view(place, prediction_id)
        if isinstance(view, Refused):
            return view
        slug = "" if view.verdict is Verdict.NOBODY else view.character
        return await self._vote(person, view, slug, right=True)

    async def correct(
        self, person: Person, place: Address, prediction_id: int, slug: str
    ) -> Thanks | Refused:
        """It is that character; `NOBODY` or an empty slug: nobody on the list."""
        view = await self._view(place, prediction_id)
        return view if isinstance(view, Refused) else await self._vote(person, view, slug)

    async def propose(
        self, person: Person, place: Address, prediction_id: int, text: str
    ) -> Thanks | Refused:
        """It is somebody by a name that may be new; a name that is known already is simply voted for."""
        view = await self._view(place, prediction_id)
        if isinstance(view, Refused):
            return view
        try:
            character = await self._ledger.propose(
                text, proposer=person.key, community=view.community, at=_now()
            )
        except BadLabel as error:
            return Refused(f"error-label-{error.reason}")
        except TooManyProposals:
            return Refused("error-proposals")
        thanks = await self._vote(person, view, character.slug)
        if isinstance(thanks, Thanks) and character.status == "proposed" and thanks.how == "corrected":
            return Thanks(thanks.prediction_id, "proposed", thanks.slug, thanks.name)
        return thanks

    async def undo(
        self, person: Person, place: Address, prediction_id: int | None = None
    ) -> TakenBack | Refused:
        """Take back what this person said, of that picture or last."""
        try:
            receipt = await self._ledger.undo(person.key, prediction_id, at=_now())
        except NotFound:
            return Refused("error-prediction-gone")
        except LedgerError:
            log.exception("an undo was not written")
            return Refused("error-ledger")
        if receipt is None:
            return Refused("undo-nothing")
        named = await self._names.of(place.home, person.language)
        if receipt.labels is None:
            return TakenBack(receipt.prediction_id)
        return TakenBack(receipt.prediction_id, True, ", ".join(map(named, sorted(receipt.labels))))

    async def look_up(self, person: Person, place: Address, text: str, limit: int = 4) -> LookUp | Refused:
        """Whom the text may mean: the exact character alone, or the nearest ones."""
        try:
            cleaned = clean_label(text)
        except BadLabel as error:
            return Refused(f"error-label-{error.reason}")
        named = await self._names.of(place.home, person.language)
        found = await self._ledger.resolve(cleaned, place.home)
        if found.slug is not None:
            return LookUp(cleaned, (Choice(found.slug, named(found.slug)),), exact=True)
        choices = await self.suggest(person, place, cleaned, limit)
        if len(cleaned.encode()) <= MAX_NAME_BYTES:
            return LookUp(cleaned, choices, proposal=cleaned)
        return LookUp(cleaned, choices) if choices else Refused("error-label-too-long")

    async def suggest(self, person: Person, place: Address, text: str, limit: int = 25) -> tuple[Choice, ...]:
        """Characters for a type-ahead; no text gives the list from its beginning."""
        suggestions = await self._ledger.suggest(text[:100], place.home, person.language, limit)
        return tuple(Choice(each.slug, each.name) for each in suggestions)

    async def latest(self, place: Address) -> int | None:
        """The first picture of the newest answer in that channel."""
        await self._settled(place)
        newest = await self._ledger.latest_reply(place.platform, place.channel)
        return newest[0] if newest else None

    async def recall(self, prediction_id: int, language: str) -> Identified | None:
        """An answer as it was given, with what people say of it by now."""
        view = await self._ledger.prediction(prediction_id)
        if view is None:
            return None
        named = await self._names.of(view.community, language)
        return Identified(
            slot=view.slot,
            prediction_id=prediction_id,
            verdict=view.verdict,
            ranked=_guesses(view.ranked, named),
            bundle=view.bundle,
            milliseconds=view.milliseconds,
            tally=await self._tally(view, named),
        )

    async def _tally(self, view: PredictionView, named: Callable[[str], str]) -> Tallied:
        counts = await self._ledger.tally(view.prediction_id)
        shown = "" if view.verdict is Verdict.NOBODY else view.character
        others = sorted(
            ((named(slug), count) for slug, count in counts.characters.items() if slug != shown),
            key=lambda each: (-each[1], each[0]),
        )
        return Tallied(
            agree=counts.characters.get(shown, 0) if shown else counts.nobody,
            others=tuple(others),
            nobody=counts.nobody if shown else 0,
        )

    async def reply_of(self, prediction_id: int) -> tuple[Address, tuple[int, ...]] | None:
        """Our own message about that picture, and every prediction in it, in order."""
        view = await self._ledger.prediction(prediction_id)
        if view is not None and view.reply is None and view.address is not None:
            await self._settled(view.address)
            view = await self._ledger.prediction(prediction_id)
        if view is None or view.reply is None:
            return None
        return view.reply, await self._ledger.answered_by(view.reply)

    async def _settled(self, place: Address) -> None:
        """Our message is seen before we have noted where it stands: wait for what is under way there."""
        for address, underway in list(self._answering.items()):
            if (address.platform, address.channel) == (place.platform, place.channel):
                await underway.done.wait()

    async def _view(self, place: Address, prediction_id: int) -> PredictionView | Refused:
        view = await self._ledger.prediction(prediction_id)
        if view is None:
            return Refused("error-prediction-gone")
        if view.community != place.home:
            return Refused("error-not-yours")
        return view

    async def _vote(
        self, person: Person, view: PredictionView, slug: str, right: bool = False
    ) -> Thanks | Refused:
        labels = frozenset() if slug in ("", NOBODY) else frozenset({slug})
        try:
            receipt = await self._cast(person, view, labels)
        except UnknownLabel:
            return Refused("error-old-button")
        except LedgerError:
            log.exception("a vote was not written")
            return Refused("error-ledger")
        named = await self._names.of(view.community, person.language)
        how = "right" if right else "corrected"
        if receipt.previous is not None:
            how = "changed" if receipt.changed else "again"
        said = next(iter(labels), "")
        return Thanks(view.prediction_id, how, said, named(said) if said else "")

    async def _cast(self, person: Person, view: PredictionView, labels: frozenset[str]) -> VoteReceipt:
        try:
            return await self._ledger.vote(view.prediction_id, person.key, labels, at=_now())
        except UnknownLabel:
            # The bundle may know a character that the vocabulary does not: its name becomes a proposal.
            slug = next(iter(labels), "")
            if slug not in {each.character for each in view.ranked}:
                raise
            name = slug.replace("-", " ").title()
            new = await self._ledger.propose(name, proposer=person.key, community=view.community, at=_now())
            return await self._ledger.vote(view.prediction_id, person.key, frozenset({new.slug}), at=_now())

    # -- housekeeping ------------------------------------------------------------------------------

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


def _each_once(outcomes: list[Identified | Refused]) -> tuple[Identified | Refused, ...]:
    """The outcomes in order; a refusal that says the same for several pictures is said once."""
    said: dict[object, Identified | Refused] = {}
    for outcome in outcomes:
        key = outcome.key if isinstance(outcome, Refused) else outcome.slot
        said.setdefault(key, outcome)
    return tuple(said.values())


def _guesses(ranked: Iterable[Ranked], named: Callable[[str], str]) -> tuple[Guess, ...]:
    return tuple(
        Guess(each.character, named(each.character), each.probability)
        for each in itertools.islice(ranked, RUNNERS_UP)
    )


def _now() -> datetime:
    return datetime.now(UTC)
