"""One picture of a message: within the limits, in its turn, looked at and written down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime

from bot.desk.limits import RateLimits
from bot.desk.naming import Names, guesses
from bot.desk.outcomes import record, refusal_of
from bot.desk.recalling import told
from bot.desk.turns import Turns, key_of
from bot.desk.types import Ask, Identified, Refused
from bot.errors import FetchError
from bot.memory.following import Memory
from bot.metrics import Metrics
from corrections.errors import WasForgotten, Withdrawn
from corrections.ledger import Ledger
from corrections.types import CommunitySettings
from model import tracing
from model.errors import ModelError
from model.types import Answer, Eyes, Sight

AT_ONCE = 16
"""Pictures that are fetched and looked at at a time: each is in memory meanwhile."""
WAITING = 256
"""Pictures that wait here or are looked at; nobody would wait for the end of a longer queue."""


class Looking:
    """Looks at pictures, for `bot.desk.answers.Answers`; ``explains``: *Why?* can be asked."""

    def __init__(
        self,
        eyes: Eyes,
        ledger: Ledger,
        limits: RateLimits,
        *,
        deadline: float,
        caps: dict[str, int],
        discord_training: bool,
        memory: Memory | None,
        metrics: Metrics,
    ) -> None:
        self._eyes = eyes
        self._memory = memory
        self._metrics = metrics
        self._ledger = ledger
        self._limits = limits
        self._deadline = deadline
        self._caps = caps
        self._discord_training = discord_training
        self.explains = False
        self._names = Names(ledger)
        self._adopted: dict[str, dict[str, str]] = {}
        self.turns = Turns(AT_ONCE, WAITING)

    async def one(
        self,
        ask: Ask,
        slot: int,
        fetch: Callable[[], Awaitable[bytes]],
        chosen: CommunitySettings,
        language: str,
    ) -> Identified | Refused | None:
        """What comes of one picture; None when nothing is to be said of it."""
        outcome = await self._looked(ask, slot, fetch, chosen, language)
        if isinstance(outcome, Identified):
            self._metrics.answered(ask.address.platform, outcome, tracing.seconds())
        elif outcome is not None:
            self._metrics.refused(ask.address.platform, outcome)
        return outcome

    async def _looked(
        self,
        ask: Ask,
        slot: int,
        fetch: Callable[[], Awaitable[bytes]],
        chosen: CommunitySettings,
        language: str,
    ) -> Identified | Refused | None:
        since = datetime.now(UTC)
        if refused := self._over_limit(ask, slot, chosen.person_per_minute):
            return refused if ask.waiting or self._limits.first_refusal(*ask.asker.key) else None
        key = key_of(ask.address.home, ask.asker.key)
        try:
            # until it is written down: where the ledger is slower than the worker, those would pile up
            async with self.turns.taken(key, self._deadline):
                sight = await self._look(key, fetch)
                recalled = None if self._memory is None else self._memory.recall(ask.address.home, sight)
                recorded = await record(self._ledger, ask, slot, sight, since, recalled)
        except (FetchError, ModelError) as error:
            return refusal_of(error, slot, self._caps)
        except WasForgotten:
            return Refused("error-forgotten", slot=slot) if ask.direct else None
        except Withdrawn:
            return None
        named = await self._names.of(ask.address.home, language)
        said = sight.answer if recalled is None else recalled.answer
        return Identified(
            slot=slot,
            prediction_id=recorded.prediction_id,
            verdict=said.verdict,
            ranked=guesses(said.ranked, named),
            bundle=sight.bundle,
            milliseconds=sight.milliseconds,
            may_ask=await self.may_ask(ask.address.platform, recorded.prediction_id),
            may_why=self.explains,
            memory=None if recalled is None else recalled.version,
            told=told(recalled, named),
        )

    async def _look(self, key: str, fetch: Callable[[], Awaitable[bytes]]) -> Sight:
        sight = await self._eyes.look(await fetch(), fairness_key=key, keep=True, deadline=self._deadline)
        return replace(sight, answer=await self._in_our_words(sight))

    async def _in_our_words(self, sight: Sight) -> Answer:
        """The answer in the vocabulary's slugs: a bundle may know others, and call them otherwise."""
        answer = sight.answer
        ours = self._adopted.setdefault(sight.bundle, {})
        if new := [each.character for each in answer.ranked if each.character not in ours]:
            ours.update(await self._ledger.adopt(new))
        ranked = tuple(replace(each, character=ours[each.character]) for each in answer.ranked)
        return replace(answer, character=ours[answer.character], ranked=ranked)

    def _over_limit(self, ask: Ask, slot: int, person_per_minute: int | None) -> Refused | None:
        here = ask.address.home
        if person_per_minute and (seconds := self._limits.take_of(person_per_minute, *here, *ask.asker.key)):
            return Refused("error-person-limit", {"seconds": seconds}, slot)
        if seconds := self._limits.take("person", *ask.asker.key):
            return Refused("error-person-limit", {"seconds": seconds}, slot)
        if seconds := self._limits.take("community", *here):
            return Refused("error-community-limit", {"seconds": seconds}, slot)
        return None

    async def may_ask(self, platform: str, prediction_id: int) -> bool:
        """Whether the poster of a picture is to be asked if it may be learned from."""
        if platform == "discord" and not self._discord_training:
            return False
        return await self._ledger.privacy.asks(prediction_id)
