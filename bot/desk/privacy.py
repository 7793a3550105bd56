"""Consent and being forgotten, in the desk's words: see `corrections.privacy.Privacy`."""

from __future__ import annotations

import dataclasses
import logging
from datetime import UTC, datetime

from bot.desk.answers import Answers
from bot.desk.types import Allowed, Person, Refused
from corrections.errors import LedgerError, NotFound, NotPoster
from corrections.ledger import Ledger
from corrections.privacy import STANDINGS, Forgotten, Standing
from corrections.types import Address

log = logging.getLogger(__name__)


class PrivacyDesk:
    """What somebody may decide about what is known of them; reached as ``desk.privacy``.

    All of it is that person's own business: whoever calls this has made sure who they are.
    """

    def __init__(self, ledger: Ledger, answers: Answers) -> None:
        self._ledger = ledger
        self._answers = answers

    async def standing(self, person: Person) -> Standing:
        """What they chose for all of their pictures."""
        return await self._ledger.privacy.standing(person.key)

    async def choose(self, person: Person, standing: str) -> Standing | Refused:
        """Choose for all of their pictures; the choice that holds now, or why it was not written."""
        if standing not in STANDINGS:
            return Refused("error-old-button")
        try:
            await self._ledger.privacy.choose(person.key, standing, datetime.now(UTC))
        except LedgerError:
            log.exception("a choice about consent was not written")
            return Refused("error-ledger")
        return standing

    async def allow(self, person: Person, place: Address, prediction_id: int) -> Allowed | Refused:
        """*May I learn from this?* Yes, says its poster; nobody else can."""
        try:
            new = await self._ledger.privacy.allow(prediction_id, person.key, datetime.now(UTC))
        except NotFound:
            return Refused("error-prediction-gone")
        except NotPoster:
            return Refused("error-not-poster")
        except LedgerError:
            log.exception("a consent was not written")
            return Refused("error-ledger")
        return Allowed(prediction_id, new)

    async def forget(self, person: Person, place: Address) -> Forgotten | Refused:
        """Remove everything of theirs; the adapter deletes the messages that ``replies`` names.

        What is being looked at for them right now is answered with a refusal, and not kept.
        """
        try:
            done = await self._ledger.privacy.forget(person.key, datetime.now(UTC))
        except LedgerError:
            log.exception("somebody was not forgotten")
            return Refused("error-ledger")
        refusals = self._answers.forgotten(person)
        return dataclasses.replace(done, replies=tuple(dict.fromkeys([*done.replies, *refusals])))
