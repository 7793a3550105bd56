"""In the running bot: the new model looks again at pictures that people corrected, and says where it agrees.

One picture at a time, behind whatever people ask for, and no more than the setting says. It also starts a
retraining again whose process was killed.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from bot.retraining.service import Retraining
from bot.retraining.state import State
from bot.retraining.types import Phase
from corrections.errors import LedgerError
from corrections.hindsight import Corrected
from corrections.ledger import Ledger
from corrections.types import Address
from model.errors import ModelError, PictureError, WorkerBusy
from model.types import BundleInfo, Eyes, Verdict

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often it is looked whether there is something to do."""
LONGEST_PAUSE = 600.0
PAUSE_SECONDS = 0.2
"""Between two pictures."""
PATIENCE = 60.0
"""Seconds that one picture may take; whoever asks meanwhile comes first."""
BUSY = 5
FAIRNESS_KEY = "hindsight"


@dataclass(frozen=True, slots=True)
class Agreed:
    """A picture of which the new model says what people said: ``slug``, or "" for nobody on the list."""

    prediction_id: int
    slug: str


class Announcer(Protocol):
    """Whoever can edit our replies on one platform."""

    async def agrees(self, reply: Address, agreed: tuple[Agreed, ...]) -> bool:
        """Add to a reply of ours that the new model agrees, once for each picture; False if it is gone."""
        ...


class ModelEyes(Eyes, Protocol):
    """Eyes that know which model they look with."""

    async def bundle(self) -> BundleInfo:
        """The model."""
        ...


class Telling:
    """Tells people, once after each retraining, from the newest picture back.

    Args:
        announcers: by platform.
        most: pictures that are looked at again.
    """

    def __init__(
        self,
        retraining: Retraining,
        ledger: Ledger,
        eyes: ModelEyes,
        announcers: Mapping[str, Announcer],
        most: int,
    ) -> None:
        self._retraining = retraining
        self._disk = retraining.disk
        self._ledger = ledger
        self._eyes = eyes
        self._announcers = dict(announcers)
        self._most = most
        self._resumed: tuple[str, int] | None = None
        self._pause = LOOK_SECONDS
        self._not_before = 0.0

    async def keep(self) -> None:
        """Do it whenever there is something to do, until cancelled."""
        while True:
            try:
                await self._resume()
                await self.tell()
            except (LedgerError, ModelError, OSError):
                log.exception("people were not told where the new model agrees; that is tried again")
            except Exception:
                log.exception("telling people failed; that is tried again")
                await asyncio.sleep(60)
            await asyncio.sleep(LOOK_SECONDS)

    async def _resume(self) -> None:
        """Start a killed process again; ever later while it gets no further, as on a full disk."""
        now = asyncio.get_running_loop().time()
        if now < self._not_before or not await self._retraining.resume():
            return
        state = await asyncio.to_thread(self._disk.read)
        about = (f"{state.run} {state.phase}", state.tries) if state else None
        self._pause = min(2 * self._pause, LONGEST_PAUSE) if about == self._resumed else LOOK_SECONDS
        self._resumed, self._not_before = about, now + self._pause
        log.info("the retraining is started again")

    async def tell(self) -> int:
        """Edit the replies that are left to be edited; how many were."""
        state = await asyncio.to_thread(self._disk.read)
        if state is None or state.phase is not Phase.DONE:
            return 0
        told = await asyncio.to_thread(self._disk.told)
        cursor: int | None = None
        edited = 0
        if told.get("run") == state.run:
            if told.get("over"):
                return 0
            cursor, edited = told.get("cursor"), int(told.get("edited", 0))
        if self._announcers and self._most and (await self._eyes.bundle()).id == state.candidate:
            for newest, reply, pictures in await self._replies(state):
                if cursor is not None and newest >= cursor:
                    continue
                edited += await self._tell(reply, pictures)
                await asyncio.to_thread(self._disk.tell, state.run, newest, False, edited)
        await asyncio.to_thread(self._disk.tell, state.run, cursor, True, edited)
        if edited:
            log.info("%d replies say that the new model agrees", edited)
        return edited

    async def _replies(self, state: State) -> list[tuple[int, Address, list[Corrected]]]:
        """Replies with what is to be looked at in them and the newest prediction, the newest first."""
        found = await self._ledger.corrected(state.candidate, self._announcers, self._most)
        by_reply: dict[Address, list[Corrected]] = {}
        for each in found:
            by_reply.setdefault(each.reply, []).append(each)
        groups = [(max(e.prediction_id for e in some), reply, some) for reply, some in by_reply.items()]
        return sorted(groups, key=lambda group: -group[0])

    async def _tell(self, reply: Address, pictures: list[Corrected]) -> bool:
        order = {number: place for place, number in enumerate(await self._ledger.answered_by(reply))}
        agreed = [
            Agreed(each.prediction_id, each.slug)
            for each in sorted(pictures, key=lambda each: order.get(each.prediction_id, 0))
            if await self._agrees(each)
        ]
        announcer = self._announcers.get(reply.platform)
        if not agreed or announcer is None:
            return False
        try:
            return await announcer.agrees(reply, tuple(agreed))
        except Exception:  # of whatever library; the next reply may be there
            log.exception("a reply could not be edited")
            return False

    async def _agrees(self, corrected: Corrected) -> bool:
        picture = await self._ledger.picture(corrected.blob_sha256)
        if picture is None:
            return False
        for _ in range(BUSY):
            await asyncio.sleep(PAUSE_SECONDS)
            try:
                sight = await self._eyes.look(picture, fairness_key=FAIRNESS_KEY, deadline=PATIENCE)
            except PictureError:
                return False
            except WorkerBusy as busy:
                await asyncio.sleep(busy.retry_after)
            else:
                said = "" if sight.answer.verdict is Verdict.NOBODY else sight.answer.character
                return said == corrected.slug
        return False
