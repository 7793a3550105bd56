"""The desk: identify, confirm, correct, undo. Every adapter talks to this and to nothing behind it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from bot.desk.answers import Answers
from bot.desk.communities import Communities
from bot.desk.limits import RateLimits
from bot.desk.moderation import Moderation
from bot.desk.naming import Names
from bot.desk.privacy import PrivacyDesk
from bot.desk.recalling import mine, recalled
from bot.desk.teaching import Teaching
from bot.desk.types import (
    About,
    Ask,
    Choice,
    Identified,
    LookUp,
    Mine,
    Person,
    Refused,
    TakenBack,
    Thanks,
    Voice,
)
from bot.desk.why import Why
from bot.ids import MAX_NAME_BYTES, ButtonId
from bot.memory.following import Memory
from bot.metrics import Metrics
from corrections.errors import BadLabel, LedgerError, NotFound, TooManyProposals, UnknownLabel
from corrections.labels import clean_label
from corrections.ledger import Ledger
from corrections.types import Address, Community, CommunitySettings, PredictionView
from model.reasons import Explainer
from model.types import NOBODY, Eyes, Verdict

log = logging.getLogger(__name__)

A_PAGE = 10
"""Of one's own corrections that are shown at a time."""


class Desk:
    """One conversation for all platforms.

    ``caps`` are the numbers that the words of a refusal may name (``mebibytes``, ``megapixels``).
    ``discord_training``: the setting ``discord.allow_training``. ``memory``: what people said counts at once.
    """

    def __init__(
        self,
        eyes: Eyes,
        ledger: Ledger,
        limits: RateLimits,
        *,
        deadline: float = 20.0,
        caps: dict[str, int] | None = None,
        discord_training: bool = False,
        memory: Memory | None = None,
        metrics: Metrics | None = None,
    ) -> None:
        self._ledger = ledger
        self.metrics = metrics or Metrics()
        """What is counted here, and by the adapters."""
        self._limits = limits
        self._discord_training = discord_training
        self._names = Names(ledger)
        self._communities = Communities(ledger)
        self._answers = Answers(
            eyes,
            ledger,
            limits,
            self._communities,
            deadline=deadline,
            caps=dict(caps or {}),
            discord_training=discord_training,
            memory=memory,
            metrics=self.metrics,
        )
        self.privacy = PrivacyDesk(ledger, self._answers)
        self.moderation = Moderation(ledger, self._names)
        self.why: Why | None = None
        """Says why; None where nobody can, see `explain_with`."""
        self.teaching = Teaching(
            eyes,
            ledger,
            limits,
            self._communities,
            self._names,
            deadline=deadline,
            caps=dict(caps or {}),
            discord_training=discord_training,
        )

    def explain_with(self, explainer: Explainer) -> None:
        """From now on every answer can be asked *Why?*."""
        self.why = Why(
            self._ledger,
            self._names,
            self._limits,
            explainer,
            self._view,
            self.language,
            discord_training=self._discord_training,
        )
        self._answers.looking.explains = True

    # -- asking ------------------------------------------------------------------------------------

    async def answer(self, ask: Ask, voice: Voice) -> None:
        """Look at the pictures of one message and say who is in them, once; see `Answers.answer`."""
        await self._answers.answer(ask, voice)

    async def message_deleted(self, address: Address) -> list[Address]:
        """A posted message is gone: its unapproved bytes go too; returns our replies, to be deleted."""
        return await self._answers.message_deleted(address)

    async def quiet(self) -> None:
        """Return when nobody waits for an answer here."""
        await self._answers.quiet()

    async def finish(self, seconds: float) -> None:
        """Wait until everything that is being answered has been, at most that long."""
        await self._answers.finish(seconds)

    # -- places ------------------------------------------------------------------------------------

    async def settings(self, place: Address) -> CommunitySettings:
        """What the server, group or private chat has chosen for itself."""
        return await self._communities.of(place.home)

    async def change_settings(
        self, person: Person, place: Address, **changes: Any
    ) -> CommunitySettings | Refused:
        """Change some of them; whether this person may is the adapter's business."""
        return await self._communities.change(person, place, **changes)

    async def community_moved(self, old: Community, new: Community) -> None:
        """A community has another id from now on, as Telegram's groups get when they grow."""
        await self._communities.moved(old, new)

    async def watches(self, place: Address, default: Collection[str]) -> bool:
        """Whether pictures in that channel are answered unasked."""
        return await self._communities.watches(place, default)

    async def language(self, person: Person, place: Address) -> str:
        """The language to speak with that person there."""
        return await self._communities.language(person, place.home)

    async def about(self) -> About:
        """What one may want to know of the bot itself."""
        known = [each for each in await self._ledger.characters() if each.status == "known"]
        return About(version("whosthat"), len(known), self._discord_training)

    # -- correcting --------------------------------------------------------------------------------

    async def confirm(self, person: Person, place: Address, prediction_id: int) -> Thanks | Refused:
        """*Right*: the answer as it was given."""
        view = await self._view(place, prediction_id)
        if isinstance(view, Refused):
            return view
        if view.recalled is not None and view.recalled.how == "same":  # all of what people had said
            return await self._vote(person, view, *view.recalled.slugs, right=True)
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
            self.metrics.not_written(place.platform)
            log.exception("an undo was not written")
            return Refused("error-ledger")
        if receipt is None:
            return Refused("undo-nothing")
        self.metrics.voted(place.platform, "undone")
        named = await self._named(person, place.home)
        if receipt.labels is None:
            return TakenBack(receipt.prediction_id)
        return TakenBack(receipt.prediction_id, True, ", ".join(map(named, sorted(receipt.labels))))

    async def press(self, person: Person, place: Address, button: ButtonId) -> Thanks | TakenBack | Refused:
        """A button that says something of a picture, on whatever platform."""
        match button.action:
            case "right":
                return await self.confirm(person, place, button.prediction_id)
            case "is":
                return await self.correct(person, place, button.prediction_id, button.slot)
            case "new":
                return await self.propose(person, place, button.prediction_id, button.slot)
            case "undo":
                return await self.undo(person, place, button.prediction_id)
        return Refused("error-old-button")

    async def look_up(self, person: Person, place: Address, text: str, limit: int = 4) -> LookUp | Refused:
        """Whom the text may mean: the exact character alone, or the nearest ones."""
        try:
            cleaned = clean_label(text)
        except BadLabel as error:
            return Refused(f"error-label-{error.reason}")
        named = await self._named(person, place.home)
        found = await self._ledger.resolve(cleaned, place.home)
        if found.slug is not None:
            return LookUp(cleaned, (Choice(found.slug, named(found.slug)),), exact=True)
        choices = await self.suggest(person, place, cleaned, limit)
        if len(cleaned.encode()) <= MAX_NAME_BYTES:
            return LookUp(cleaned, choices, proposal=cleaned)
        return LookUp(cleaned, choices) if choices else Refused("error-label-too-long")

    async def suggest(self, person: Person, place: Address, text: str, limit: int = 25) -> tuple[Choice, ...]:
        """Characters for a type-ahead; no text gives the list from its beginning."""
        language = await self.language(person, place)
        suggestions = await self._ledger.suggest(text[:100], place.home, language, limit)
        return tuple(Choice(each.slug, each.name) for each in suggestions)

    async def latest(self, place: Address) -> int | None:
        """The first picture of the newest answer in that channel: the one that can be seen there now."""
        newest = await self._ledger.latest_reply(place.platform, place.channel)
        if not newest:
            await self._answers.settled(place)
            newest = await self._ledger.latest_reply(place.platform, place.channel)
        return newest[0] if newest else None

    async def my_corrections(
        self, person: Person, place: Address, before: int | None = None
    ) -> tuple[Mine, ...]:
        """What this person has said, the latest first; ``before`` a position reads on."""
        named = await self._named(person, place.home)
        votes = await self._ledger.votes_of(person.key, A_PAGE, before)
        return tuple(mine(each, named) for each in votes)

    async def recall(self, prediction_id: int, language: str) -> Identified | None:
        """An answer as it was given, with what people say of it by now."""
        view = await self._ledger.prediction(prediction_id)
        if view is None:
            return None
        named = await self._names.of(view.community, language)
        tally = await self._ledger.tally(prediction_id)
        may_ask = await self._answers.looking.may_ask(view.community[0], prediction_id)
        return replace(recalled(view, tally, named, may_ask), may_why=self.why is not None)

    async def reply_of(self, prediction_id: int) -> tuple[Address, tuple[int, ...]] | None:
        """Our own message about that picture, and every prediction in it, in order."""
        view = await self._ledger.prediction(prediction_id)
        if view is not None and view.reply is None and view.address is not None:
            await self._answers.settled(view.address)
            view = await self._ledger.prediction(prediction_id)
        if view is None or view.reply is None:
            return None
        return view.reply, await self._ledger.answered_by(view.reply)

    async def _named(self, person: Person, community: Community) -> Callable[[str], str]:
        return await self._names.of(community, await self._communities.language(person, community))

    async def _view(self, place: Address, prediction_id: int) -> PredictionView | Refused:
        view = await self._ledger.prediction(prediction_id)
        if view is None:
            return Refused("error-prediction-gone")
        # A click below an old message of a group that moved may still name the id it had.
        if place.home != view.community != await self._ledger.current_community(place.home):
            return Refused("error-not-yours")
        return view

    async def _vote(
        self, person: Person, view: PredictionView, *slugs: str, right: bool = False
    ) -> Thanks | Refused:
        labels = frozenset(slugs) - {"", NOBODY}
        try:
            receipt = await self._ledger.vote(view.prediction_id, person.key, labels, at=_now())
        except UnknownLabel:
            return Refused("error-old-button")
        except LedgerError:
            self.metrics.not_written(person.platform)
            log.exception("a vote was not written")
            return Refused("error-ledger")
        named = await self._named(person, view.community)
        how = "right" if right else "corrected"
        if receipt.previous is not None:
            how = "changed" if receipt.changed else "again"
        self.metrics.voted(person.platform, how)
        said = [slug for slug in dict.fromkeys(slugs) if slug in labels]
        return Thanks(view.prediction_id, how, said[0] if said else "", ", ".join(map(named, said)))


def _now() -> datetime:
    return datetime.now(UTC)
