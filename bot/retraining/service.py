"""Starting, stopping and answering a retraining: `Retraining`, for terminal, chat and console alike."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import Callable

from bot.retraining.state import Disk, State, new_state
from bot.retraining.types import AT_WORK, NotNow, Phase, Status
from bot.settings import Settings, as_tree
from corrections.review.types import Moderator
from model.supervisor import environment

log = logging.getLogger(__name__)

ENDING_SECONDS = 10.0
"""How long a process may take to clear up when it has said how it ended."""
CANCEL_SECONDS = 15.0
"""How long the process may take to end once somebody wants it to."""


class Retraining:
    """One retraining at a time, for whoever may; the work is done in a process of its own.

    Every call looks at the disk: it does not matter which process started it. The methods that change
    something return the new status, or why they did nothing.

    Args:
        program: the module that does the work.
    """

    def __init__(self, settings: Settings, program: str = "bot.retraining") -> None:
        self._settings = settings
        self._program = program
        self.disk = Disk(settings.data_dir)

    def may(self, by: Moderator) -> bool:
        """Whether somebody may start one and answer for its model: it serves in every community."""
        return by.community is None or ":".join(by.community) in self._settings.training.communities

    async def status(self) -> Status:
        """How far it is, or how the last one ended."""
        state = await asyncio.to_thread(self.disk.read)
        return Status() if state is None else state.status()

    async def start(self, by: Moderator) -> Status | NotNow:
        """Begin, unless one is under way or waits for its answer."""

        def begin(state: State | None) -> Status | NotNow:
            if state is not None and state.phase is Phase.ASKING:
                return NotNow("retrain-waiting", {"bundle": state.candidate})
            if state is not None and state.phase in AT_WORK:
                self._spawn()  # it was killed, or is just beginning; a second one leaves at once
                return NotNow("retrain-running")
            self.disk.clear()
            self.disk.cancel(False)
            self.disk.log.unlink(missing_ok=True)
            return self.disk.write(new_state(":".join(by.community or ()))).status()

        return await self._change(by, begin, then_spawn=True)

    async def promote(self, by: Moderator) -> Status | NotNow:
        """Yes: let the model serve that waits for it."""

        def yes(state: State | None) -> Status | NotNow:
            if state is None or state.phase is not Phase.ASKING:
                return NotNow("retrain-nothing-asked")
            return self.disk.write(state.at(Phase.SWAPPING)).status()

        return await self._change(by, yes, then_spawn=True)

    async def decline(self, by: Moderator) -> Status | NotNow:
        """No: the model that waits is thrown away."""

        def no(state: State | None) -> Status | NotNow:
            if state is None or state.phase is not Phase.ASKING:
                return NotNow("retrain-nothing-asked")
            self.disk.clear()
            return self.disk.write(state.at(Phase.DECLINED)).status()

        return await self._change(by, no)

    async def cancel(self, by: Moderator) -> Status | NotNow:
        """End what is under way; nothing half-written stays. What waits for its answer is declined."""
        if not self.may(by):
            return NotNow("retrain-not-allowed")
        state = await asyncio.to_thread(self.disk.read)
        if state is not None and state.phase is Phase.ASKING:
            return await self.decline(by)
        if state is None or state.phase not in AT_WORK:
            return NotNow("retrain-nothing-runs")
        return await asyncio.to_thread(self._cancel)

    async def resume(self) -> bool:
        """Start the process again if it was killed; whether that was so."""
        return await asyncio.to_thread(self._resume)

    def _cancel(self) -> Status | NotNow:
        try:
            self.disk.cancel(True)
            with self.disk.alone(CANCEL_SECONDS) as mine:
                state = self.disk.read()
                if mine and state is not None and state.phase in AT_WORK:  # nobody was there to end it
                    self.disk.clear()
                    state = self.disk.write(state.at(Phase.CANCELLED))
                if mine:
                    self.disk.cancel(False)
                return Status() if state is None else state.status()
        except OSError:
            log.exception("the retraining could not be cancelled")
            return NotNow("retrain-trouble")

    def _resume(self) -> bool:
        state = self.disk.read()
        if state is None or state.phase not in AT_WORK:
            return False
        try:
            with self.disk.alone() as mine:
                if not mine:
                    return False
            self._spawn()
        except OSError:
            log.exception("the retraining could not be started again")
            return False
        return True

    async def _change(
        self,
        by: Moderator,
        change: Callable[[State | None], Status | NotNow],
        *,
        then_spawn: bool = False,
    ) -> Status | NotNow:
        if not self.may(by):
            return NotNow("retrain-not-allowed")

        def work() -> Status | NotNow:
            try:
                state = self.disk.read()
                ending = state is not None and state.phase not in AT_WORK
                with self.disk.alone(ENDING_SECONDS if ending else 0.0) as mine:
                    done = change(self.disk.read()) if mine else NotNow("retrain-running")
                if then_spawn and isinstance(done, Status):
                    self._spawn()
                return done
            except OSError:
                log.exception("the retraining could not be changed")
                return NotNow("retrain-trouble")

        return await asyncio.to_thread(work)

    def _spawn(self) -> None:
        """Start the process; it leaves us at once, so there is nobody to wait for."""
        self.disk.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self.disk.log.open("ab") as said:
            subprocess.run(  # noqa: S603  # ourselves
                [sys.executable, "-P", "-m", self._program],
                input=json.dumps(as_tree(self._settings)).encode(),
                stdout=subprocess.DEVNULL,
                stderr=said,
                cwd=self.disk.folder,
                env=environment(),
                check=True,
            )
