"""Teaching a character with some pictures: at once by moderators, else a proposal; ``desk.teaching``.

A lesson is taken as a whole or not at all, but for files that are no pictures, which are named and left out.
Where the model knows the character and is sure that a picture shows somebody else, or nobody on the list, the
lesson waits in memory until its moderator says that it is right.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from bot.desk.communities import Communities
from bot.desk.lessons import (
    MOST_PICTURES,
    Doubt,
    Doubted,
    Taught,
    Teach,
    WaitingLesson,
    WaitingLessons,
)
from bot.desk.limits import RateLimits
from bot.desk.naming import Names
from bot.desk.outcomes import refusal_of, seen_of
from bot.desk.turns import key_of
from bot.desk.types import Person, Refused
from bot.errors import FetchError
from corrections.errors import (
    BadLabel,
    Contradicted,
    LedgerError,
    NotFound,
    TooManyProposals,
    WasForgotten,
    Withdrawn,
)
from corrections.labels import clean_label, comparable
from corrections.ledger import Ledger
from corrections.lessons import Example, Learned, Lesson
from corrections.review.types import Moderator
from corrections.types import Address, is_private
from model.errors import ModelError, PictureError
from model.types import Eyes, Sight, Verdict

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Pictures of lessons that are fetched and looked at at a time: others want answers meanwhile."""
DISCORD = "discord"
COMMANDS = frozenset(
    {
        *("about", "cancel", "characters", "console", "correct", "export", "forgetme", "help", "privacy"),
        *("mycorrections", "retrain", "review", "setup", "start", "stats", "teach", "undo", "whois", "why"),
        *("nobody", "nobodyonthelist", "somebody", "someoneelse", "unknown"),
    }
)
"""What means something else to the bot, compared as `corrections.labels.comparable` does: no new name."""


class Teaching:
    """Takes lessons.

    ``caps`` are the numbers that the words of a refusal may name.
    """

    def __init__(
        self,
        eyes: Eyes,
        ledger: Ledger,
        limits: RateLimits,
        communities: Communities,
        names: Names,
        *,
        deadline: float,
        caps: dict[str, int],
        discord_training: bool,
    ) -> None:
        self._eyes = eyes
        self._ledger = ledger
        self._limits = limits
        self._communities = communities
        self._names = names
        self._deadline = deadline
        self._caps = caps
        self._discord_training = discord_training
        self._hands = asyncio.Semaphore(AT_ONCE)
        self._waiting = WaitingLessons()

    async def name(self, text: str, place: Address) -> str | Refused:
        """The name as it would be kept, or why nobody can be called so."""
        try:
            cleaned = clean_label(text)
        except BadLabel as error:
            return Refused(f"error-label-{error.reason}")
        if not await self._ledger.resolve(cleaned, place.home) and comparable(cleaned) in COMMANDS:
            return Refused("error-teach-command", {"name": cleaned})
        return cleaned

    async def teach(self, ask: Teach) -> Taught | Doubted | Refused:
        """Look at the pictures, and keep them as examples of the name."""
        since = datetime.now(UTC)
        if not ask.pictures:
            return Refused("error-teach-none", {"limit": MOST_PICTURES})
        if len(ask.pictures) > MOST_PICTURES:
            return Refused("error-teach-many", {"count": len(ask.pictures), "limit": MOST_PICTURES})
        try:
            name = await self.name(ask.name, ask.address)
            if isinstance(name, Refused):
                return name
            if refused := await self._over_limit(ask):
                return refused
            return await self._look_and_keep(replace(ask, name=name), since)
        except LedgerError:
            log.exception("a lesson was not written")
            return Refused("error-ledger")

    async def insist(self, number: int, moderator: Moderator, teacher: Person) -> Taught | Refused:
        """The pictures are right, says the moderator who taught them."""
        waiting = self._waiting.get(number)
        before = None if waiting is None else waiting.ask.moderator
        if waiting is None or before is None or before.community != moderator.community:
            return Refused("error-teach-gone")
        if waiting.ask.teacher.key != teacher.key:
            return Refused("error-teach-others")
        ask = replace(waiting.ask, moderator=moderator, insist=True)
        try:
            outcome = await self._keep(ask, waiting.looked, waiting.left_out, waiting.since)
        except LedgerError:
            log.exception("a lesson was not written")
            return Refused("error-ledger")
        if isinstance(outcome, Taught):
            self._waiting.done(number)
        return outcome

    def teacher(self, number: int) -> Teach | None:
        """The lesson that waits under a number, so that an adapter can look at its teacher's rights."""
        waiting = self._waiting.get(number)
        return None if waiting is None else waiting.ask

    async def _look_and_keep(self, ask: Teach, since: datetime) -> Taught | Doubted | Refused:
        seen = await asyncio.gather(*(self._look(ask, fetch) for fetch in ask.pictures))
        looked = tuple((slot, each) for slot, each in enumerate(seen) if isinstance(each, Sight))
        left_out = []
        for slot, each in enumerate(seen):
            if isinstance(each, ModelError) and not isinstance(each, PictureError):
                return refusal_of(each, slot, self._caps)  # busy or gone: the whole lesson may come again
            if isinstance(each, FetchError | PictureError):
                left_out.append(refusal_of(each, slot, self._caps))
        if not looked:
            return left_out[0]
        if not ask.insist and (doubts := await self._doubts(ask, looked)):
            number = 0
            if ask.moderator is not None:
                number = self._waiting.put(WaitingLesson(ask, looked, tuple(left_out), since))
            return Doubted(number, await self._called(ask), doubts)
        return await self._keep(ask, looked, tuple(left_out), since)

    async def _keep(
        self,
        ask: Teach,
        looked: Sequence[tuple[int, Sight]],
        left_out: tuple[Refused, ...],
        since: datetime,
    ) -> Taught | Refused:
        """Write the lesson.

        Raises:
            LedgerError: the ledger does not take it.
        """
        examples = tuple(_example(slot, sight) for slot, sight in looked)
        lesson = Lesson(
            address=ask.address,
            poster=ask.poster.key,
            teacher=ask.teacher.key,
            name=ask.name,
            examples=examples,
            moderator=ask.moderator,
            at=datetime.now(UTC),
            since=since,
        )
        try:
            learned = await self._ledger.teaching.teach(lesson)
        except BadLabel as error:
            return Refused(f"error-label-{error.reason}")
        except TooManyProposals:
            return Refused("error-proposals")
        except Contradicted as error:
            return await self._contradicted(ask, error)
        except WasForgotten:
            return Refused("error-forgotten")
        except (NotFound, Withdrawn):
            return Refused("error-not-found")
        return await self._taught(ask, learned, left_out)

    async def _taught(self, ask: Teach, learned: Learned, left_out: tuple[Refused, ...]) -> Taught:
        home = ask.address.home
        named = await self._named(ask)
        waits = "" if ask.moderator else "operator" if is_private(home) else "moderator"
        only_same = ""
        if not waits:
            if ask.address.platform == DISCORD and not self._discord_training:
                only_same = "discord"
            elif not learned.agreed:
                only_same = "never" if ask.poster.key == ask.teacher.key else "others"
        slug = learned.character.slug
        return Taught(slug, named(slug), learned.fresh, learned.new, waits, left_out, only_same)

    async def _contradicted(self, ask: Teach, error: Contradicted) -> Refused:
        picture = error.slot + 1
        if error.labels is None:
            return Refused("error-teach-rejected", {"number": picture}, error.slot)
        named = await self._named(ask)
        if error.labels:
            key = "error-teach-said" if error.mine else "error-teach-taken"
            who = ", ".join(map(named, error.labels))
            return Refused(key, {"number": picture, "name": who}, error.slot)
        key = "error-teach-said-nobody" if error.mine else "error-teach-taken-nobody"
        return Refused(key, {"number": picture}, error.slot)

    async def _doubts(self, ask: Teach, looked: Sequence[tuple[int, Sight]]) -> tuple[Doubt, ...]:
        """The pictures that show somebody else to a model that knows the character and is sure."""
        slug = (await self._ledger.resolve(ask.name, ask.address.home)).slug
        if slug is None:
            return ()
        named, doubts = await self._named(ask), []
        for slot, sight in looked:
            answer = sight.answer
            if slug not in {each.character for each in answer.ranked}:
                continue
            if answer.verdict is Verdict.NOBODY:
                doubts.append(Doubt(slot, ""))
            elif answer.verdict is Verdict.SURE and answer.character != slug:
                doubts.append(Doubt(slot, named(answer.character)))
        return tuple(doubts)

    async def _look(
        self, ask: Teach, fetch: Callable[[], Awaitable[bytes]]
    ) -> Sight | FetchError | ModelError:
        try:
            async with self._hands:
                sight = await self._eyes.look(
                    await fetch(),
                    fairness_key=key_of(ask.address.home, ask.teacher.key),
                    keep=True,
                    deadline=self._deadline,
                )
        except (FetchError, ModelError) as error:
            return error
        answer = sight.answer
        ours = await self._ledger.adopt([answer.character, *(each.character for each in answer.ranked)])
        ranked = tuple(replace(each, character=ours[each.character]) for each in answer.ranked)
        return replace(sight, answer=replace(answer, character=ours[answer.character], ranked=ranked))

    async def _over_limit(self, ask: Teach) -> Refused | None:
        """A lesson is let in with its first picture; the others are counted too."""
        here, key = ask.address.home, ask.teacher.key
        chosen = (await self._communities.of(here)).person_per_minute
        for number in range(len(ask.pictures)):
            seconds = self._limits.take_of(chosen, *here, *key) if chosen else 0
            if seconds := seconds or self._limits.take("person", *key):
                return None if number else Refused("error-person-limit", {"seconds": seconds})
            if seconds := self._limits.take("community", *here):
                return None if number else Refused("error-community-limit", {"seconds": seconds})
        return None

    async def _named(self, ask: Teach) -> Callable[[str], str]:
        home = ask.address.home
        return await self._names.of(home, await self._communities.language(ask.teacher, home))

    async def _called(self, ask: Teach) -> str:
        slug = (await self._ledger.resolve(ask.name, ask.address.home)).slug
        return (await self._named(ask))(slug) if slug else ask.name


def _example(slot: int, sight: Sight) -> Example:
    return Example(slot, seen_of(sight), sight.bundle, sight.level, sight.answer, sight.milliseconds)
