"""A worker that follows the choice of `model.versions`: at its start, and whenever it changes.

What is chosen and does not load is not looked with: the worker goes back to what served before and writes
that into the choice, with the reason. A model that kills the worker while it is loaded is tried twice.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import suppress

from model.classifier import Progress
from model.errors import BundleError
from model.registered import WorkerFile
from model.types import BundleInfo
from model.versions import Choice, Versions, write_atomically
from model.worker.engine import Engine

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.2
"""How often the choice is looked at: one call of the file system."""
TRIES = 2
"""So often the worker may die while it loads a choice."""


class Follower:
    """Loads what is chosen into an engine."""

    def __init__(self, engine: Engine, versions: Versions, file: WorkerFile) -> None:
        self._engine = engine
        self._versions = versions
        self._file = file
        self._looks: Choice | None = None
        self._tries = versions.models_dir / ".loading.json"

    async def start(self, progress: Progress | None = None) -> BundleInfo:
        """Load what is chosen, or what was before it if that cannot be.

        Raises:
            BundleError: not even the setting's own model can be loaded.
        """
        self._file.say(-1, "")
        while True:
            choice = self._versions.choice()
            if choice.now == self._versions.setting:
                info = await self._engine.load(choice.now, progress)
            else:
                try:
                    info = await self._load(choice, progress)
                except BundleError as error:
                    try:
                        self._versions.refuse(choice.serial, str(error))
                    except BundleError:  # it cannot be written: then only this time
                        log.exception("that it does not load cannot be noted; model.use holds")
                        info = await self._engine.load(self._versions.setting, progress)
                    else:
                        continue
            self._looking(choice, info)
            return info

    async def watch(self) -> None:
        """Swap whenever something else is chosen, until cancelled."""
        seen: tuple[int, int, int] | None = None
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if (stamp := self._stamp()) == seen:
                continue
            seen = stamp
            try:
                await self._follow(self._versions.choice())
            except Exception:  # whatever it is, the next choice is followed
                log.exception("what was chosen could not be followed")

    async def _follow(self, choice: Choice) -> None:
        looks = self._looks
        assert looks is not None
        if choice.serial == looks.serial:
            return
        if choice.now == looks.now:
            self._looking(choice, None)
            return
        try:
            info = await self._load(choice)
        except BundleError as error:
            back = self._versions.refuse(choice.serial, str(error), stay=looks.now)
            if back.now == looks.now:
                self._looking(back, None)
            return
        self._looking(choice, info)

    async def _load(self, choice: Choice, progress: Progress | None = None) -> BundleInfo:
        try:
            self._count(choice)
            return await self._engine.load(self._versions.use_of(choice.now), progress)
        except BundleError as error:
            log.error("%s is not looked with: %s", choice.now, error)
            raise
        finally:
            self._tries.unlink(missing_ok=True)

    def _looking(self, choice: Choice, info: BundleInfo | None) -> None:
        self._looks = choice
        bundle = info.id if info else self._engine.seat.info.id if self._engine.seat else ""
        self._file.say(choice.serial, bundle)

    def _count(self, choice: Choice) -> None:
        """Note that it is tried; raises BundleError when workers have died of it."""
        tries = 0
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(self._tries.read_text(encoding="utf-8"))
            tries = int(said["tries"]) if said["serial"] == choice.serial else 0
        if tries >= TRIES:
            raise BundleError(f"the worker died {tries} times while it loaded {choice.now}")
        with suppress(OSError):
            write_atomically(self._tries, json.dumps({"serial": choice.serial, "tries": tries + 1}))

    def _stamp(self) -> tuple[int, int, int]:
        try:
            found = self._versions.file.stat()
        except OSError:
            return 0, 0, 0
        return found.st_ino, found.st_mtime_ns, found.st_size
