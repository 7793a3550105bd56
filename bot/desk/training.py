"""Retraining for moderators: who may, how far it is, what one may press; ``desk.moderation.training``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable

from bot.ids import TrainSlot, mark
from bot.retraining.service import Retraining
from bot.retraining.types import NotNow, Phase, Status
from corrections.review.types import Moderator
from model.errors import ModelError

log = logging.getLogger(__name__)

OFFERS: dict[str, str] = {
    "l": "retrain-look",
    "c": "retrain-cancel",
    "y": "retrain-use",
    "n": "retrain-drop",
}
"""What each verb of a `TrainSlot` is called, in the catalogue."""


def offered(status: Status) -> tuple[TrainSlot, ...]:
    """What may be pressed below a status; harmless when another retraining has begun since.

    A message changes while people look at it: *Use it* stands where nothing stood before, and *Do not use it*
    where *Cancel* did.
    """
    verbs = "lny" if status.phase is Phase.ASKING else "lc" if status.at_work else ""
    return tuple(TrainSlot(verb, run_of(status)) for verb in verbs)


def run_of(status: Status) -> str:
    """Eight digits that stand for this retraining."""
    return mark(status.started_at.isoformat() if status.started_at else "")


class Training:
    """Starts, follows and answers retrainings for whoever the adapter let in as a moderator.

    Args:
        serving: the id of the bundle that answers now.
    """

    def __init__(self, retraining: Retraining, serving: Callable[[], Awaitable[str]]) -> None:
        self._retraining = retraining
        self._serving = serving

    def may(self, moderator: Moderator) -> bool:
        """Whether somebody may retrain: the model serves in every community, not in theirs alone."""
        return self._retraining.may(moderator)

    async def status(self) -> Status:
        """How far it is."""
        return await self._retraining.status()

    async def open(self, moderator: Moderator) -> Status | NotNow:
        """What is under way or waits for an answer; if nothing, one begins."""
        status = await self.status()
        if status.at_work or status.phase is Phase.ASKING:
            return status
        return await self._retraining.start(moderator)

    async def start(self, moderator: Moderator) -> Status | NotNow:
        """Begin one, whatever the last one came to."""
        return await self._retraining.start(moderator)

    async def press(self, moderator: Moderator, slot: TrainSlot) -> Status | NotNow:
        """Do what a button says, if it is about the retraining that there is."""
        if not self.may(moderator):
            return NotNow("retrain-not-allowed")
        status = await self.status()
        if slot.verb == "l":
            return status
        if slot.run != run_of(status):
            return NotNow("retrain-changed")
        match slot.verb:
            case "c":
                return await self._retraining.cancel(moderator)
            case "y":
                return await self._retraining.promote(moderator)
            case _:
                return await self._retraining.decline(moderator)

    async def serving(self) -> str:
        """The id of the bundle that answers now; empty while that cannot be known."""
        try:
            return await self._serving()
        except ModelError as error:
            log.info("it is not known which model serves: %s", error)
            return ""


Show = Callable[[Status], Awaitable[bool]]


class Following:
    """Keeps messages up to date while a retraining goes on: one for each key, and none after a restart.

    Args:
        every: seconds between two looks; a message is written anew only when something changed.
        most: seconds after which one is followed no longer.
    """

    def __init__(self, every: float, most: float) -> None:
        self._every = every
        self._most = most
        self._tasks: dict[Hashable, asyncio.Task[None]] = {}

    def begin(self, key: Hashable, training: Training, shown: Status, show: Show) -> None:
        """Follow from what is shown on, in the place of whatever had that key.

        Args:
            show: writes the message anew; False when there is none any more.
        """
        self.end(key)
        if shown.at_work:
            task = asyncio.create_task(self._follow(training, shown, show), name=f"retraining-{key}")
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))

    def end(self, key: Hashable) -> None:
        """Follow it no longer."""
        if (task := self._tasks.pop(key, None)) is not None:
            task.cancel()

    async def close(self) -> None:
        """Follow nothing any longer."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _follow(self, training: Training, status: Status, show: Show) -> None:
        end = asyncio.get_running_loop().time() + self._most
        shown = _seen(status)
        while status.at_work and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(self._every)
            status = await training.status()
            if _seen(status) != shown:
                shown = _seen(status)
                if not await show(status):
                    return

    def _ended(self, key: Hashable, task: asyncio.Task[None]) -> None:
        if self._tasks.get(key) is task:
            del self._tasks[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a retraining is shown no longer", exc_info=error)


def _seen(status: Status) -> tuple[str, Phase, int]:
    """What makes a message look different."""
    return run_of(status), status.phase, round(status.fraction * 100)
