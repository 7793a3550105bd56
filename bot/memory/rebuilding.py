"""The remembered pictures that the serving model has not looked at are looked at, one by one, behind people.

That is so for all of them after another model was chosen, and for single ones whose row in the ledger is
damaged, or that were posted while no memory was kept. What is seen goes into the ledger, so that every
process has it. Of the processes that share a ledger and look with the same model, one does it.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Protocol
from zlib import crc32

from bot.memory.following import Memory
from corrections.duties import REBUILDING
from corrections.errors import LedgerError
from corrections.ledger import Ledger
from corrections.memory.facade import Remembered
from corrections.memory.features import features
from model.errors import ModelError, PictureError, WorkerBusy
from model.types import BundleInfo, Eyes, Ranked

log = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How often it is looked whether there is something to do, and which model serves."""

PATIENCE = 60.0
"""Seconds that one picture may take, and that people's answers are waited for; they come first."""

FAIRNESS_KEY = "memory"


class ModelEyes(Eyes, Protocol):
    """Eyes that know which model they look with."""

    async def bundle(self) -> BundleInfo:
        """The model."""
        ...


async def _at_once() -> None:
    """Nobody is waited for."""


class Rebuilding:
    """Looks again at what the memory lacks.

    Args:
        per_minute: pictures at most; none: nothing is looked at again.
        quiet: returns when nobody waits for an answer.
    """

    def __init__(
        self,
        memory: Memory,
        ledger: Ledger,
        eyes: ModelEyes,
        per_minute: int,
        quiet: Callable[[], Awaitable[None]] = _at_once,
    ) -> None:
        self._memory = memory
        self._ledger = ledger
        self._eyes = eyes
        self._pause = 60 / per_minute if per_minute else None
        self._quiet = quiet
        self._hopeless: tuple[str, set[int]] = ("", set())
        self._duty = ""

    async def keep(self) -> None:
        """Do it whenever there is something to do, until cancelled."""
        while True:
            try:
                done = await self.rebuild()
                if done:
                    log.info("%d remembered pictures were looked at again with %s", done, self._memory.bundle)
            except (LedgerError, ModelError) as error:
                log.warning("remembered pictures were not looked at again: %s", error)
            except Exception:
                log.exception("looking at remembered pictures again failed; that is tried again")
                await asyncio.sleep(60)
            await asyncio.sleep(LOOK_SECONDS)

    async def rebuild(self) -> int:
        """Look at whatever is lacking now; how many pictures were.

        Raises:
            LedgerError: what was seen could not be written.
            ModelError: the worker does not answer.
        """
        bundle = (await self._eyes.bundle()).id
        self._memory.serves(bundle)
        if bundle != self._memory.bundle or self._pause is None:
            return 0
        if self._hopeless[0] != bundle:
            self._hopeless = (bundle, set())
        lacking = {each.blob: each for each in self._memory.lacking()}
        left = [each for blob, each in lacking.items() if blob not in self._hopeless[1]]
        if not left or not await self._falls_to_us(bundle):
            return 0
        random.shuffle(left)
        done = 0
        for each in left:
            if self._memory.bundle != bundle:
                break
            done += await self._look(each, bundle)
            await asyncio.sleep(self._pause)
        return done

    async def _falls_to_us(self, bundle: str) -> bool:
        duty = f"{REBUILDING}-{crc32(bundle.encode()):08x}"
        if self._duty not in ("", duty):
            await self._ledger.duties.give_up(self._duty)
        self._duty = duty
        return await self._ledger.duties.mine(duty)

    async def _look(self, each: Remembered, bundle: str) -> bool:
        picture = await self._ledger.picture(each.sha256)
        if picture is None:  # gone in this moment, or its file is
            self._hopeless[1].add(each.blob)
            return False
        try:
            await asyncio.wait_for(self._quiet(), PATIENCE)
        except TimeoutError:
            return False  # a busy hour: later
        try:
            sight = await self._eyes.look(picture, fairness_key=FAIRNESS_KEY, deadline=PATIENCE)
        except PictureError:
            self._hopeless[1].add(each.blob)
            return False
        except WorkerBusy as busy:
            await asyncio.sleep(busy.retry_after)
            return False
        if sight.bundle != bundle:
            self._memory.answered(sight.bundle)
            return False
        ours = await self._ledger.adopt([one.character for one in sight.answer.ranked])
        ranked = [Ranked(ours[one.character], one.probability) for one in sight.answer.ranked]
        seen = features(bundle, sight.embedding, sight.marks, ranked)
        if seen is None:
            self._hopeless[1].add(each.blob)
            return False
        return await self._ledger.memory.looked(each.blob, seen)
