"""What people decide about what the ledger has of them: consent, and being forgotten."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Iterable
from datetime import datetime
from functools import partial
from typing import Protocol

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import consent, forgetting, people
from corrections.cases import CaseFinder
from corrections.consent import STANDINGS, Standing, post_consented
from corrections.errors import LedgerError, NotFound, NotPoster
from corrections.forgetting import Forgotten
from corrections.opening import Parts
from corrections.tables import FORGOTTEN, PersonRow, PostRow, PredictionRow
from corrections.types import Person

__all__ = ["STANDINGS", "Forgotten", "Privacy", "Standing", "post_consented"]


AT_ONCE = 100
"""Cases that are counted again in one transaction."""


class Rescore(Protocol):
    """Brings cases up to date whose votes or pictures have changed."""

    def __call__(self, session: AsyncSession, cases: Iterable[int], at: datetime) -> Awaitable[None]: ...


class Privacy:
    """Consent and forgetting; ``ledger.privacy``."""

    def __init__(self, parts: Parts, finder: CaseFinder, rescore: Rescore) -> None:
        self._work = parts.work
        self._store = parts.store
        self._names = parts.names
        self._finder = finder
        self._rescore = rescore

    async def standing(self, person: Person) -> Standing:
        """What a person chose for all of their pictures; "ask" when they never chose."""
        async with self._work.read() as session:
            who = await people.find_person(session, self._names.person(person))
            return "ask" if who is None else await consent.standing_of(session, who)

    async def choose(self, person: Person, standing: Standing, at: datetime) -> None:
        """Write what a person chooses for all of their pictures; see `corrections.consent.Standing`.

        Pictures that nobody agrees to any more are marked as withdrawn in the snapshots that have them.

        Raises:
            ValueError: that is no standing.
        """
        if standing not in STANDINGS:
            raise ValueError(f"not a standing: {standing!r}")
        key = self._names.person(person)

        async def work(session: AsyncSession) -> None:
            who = await people.find_person(session, key)
            if who is None and standing == "ask":
                return
            who = await people.person_id(session, key, at)
            await consent.choose(session, who, standing, at)

        await self._work.write(work)

    async def allow(self, prediction_id: int, person: Person, at: datetime) -> bool:
        """The poster agrees to one picture, and to later ones if they had never chosen.

        Returns:
            False when it was agreed to already.

        Raises:
            NotFound: there is no such prediction.
            NotPoster: somebody else posted the picture.
        """
        key = self._names.person(person)

        async def work(session: AsyncSession) -> bool:
            post_id, poster = await _post(session, prediction_id)
            if await people.find_person(session, key) != poster:
                raise NotPoster("only whoever posted a picture can agree to it being learned from")
            return await consent.allow(session, post_id, poster, at)

        return await self._work.write(work)

    async def asks(self, prediction_id: int) -> bool:
        """Whether the poster of that picture is to be asked: they never chose, nor agreed to this one."""
        async with self._work.read() as session:
            try:
                post_id, poster = await _post(session, prediction_id)
            except NotFound:
                return False
            if await consent.standing_of(session, poster) != "ask":
                return False
            return not await consent.consented(session, post_id)

    async def forget(self, person: Person, at: datetime) -> Forgotten:
        """Remove a person: pictures, votes, addresses, consents and what they were known by.

        What of theirs is on its way meanwhile is refused (`corrections.errors.WasForgotten`). When this
        returns, it is done, on the disk. Twice is fine.
        """
        whom = forgetting.Leaving(person, self._names)
        outcome = await self._work.write(lambda session: forgetting.forget(session, self._store, whom, at))
        self._finder.drop(outcome.communities)
        # By and by, so that other people's votes do not wait behind it.
        for start in range(0, len(outcome.cases), AT_ONCE):
            some = outcome.cases[start : start + AT_ONCE]
            await self._work.write(partial(self._rescore, cases=some, at=at))
        # A long reader, an export for instance, may keep it from that; then the next sweep does it.
        with contextlib.suppress(LedgerError):
            await self._work.wipe()
        return outcome.done


async def _post(session: AsyncSession, prediction_id: int) -> tuple[int, int]:
    """The post of a prediction and its poster."""
    found = (
        await session.execute(
            select(PostRow.id, PersonRow.id)
            .join(PredictionRow, PredictionRow.post_id == PostRow.id)
            .join(PersonRow, PostRow.person_id == PersonRow.id)
            .where(PredictionRow.id == prediction_id, PostRow.original_sha256 != FORGOTTEN)
        )
    ).one_or_none()
    if found is None:
        raise NotFound(f"there is no prediction {prediction_id}")
    return found[0], found[1]
