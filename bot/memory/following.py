"""The memory of this process: it follows the ledger, whoever writes to it, and answers with what is there.

``bot.memory.engine`` is what remembers. What goes into it is read from the ledger at the start, and again for
every case that the ledger's list of changes names, which is looked at twice a second: what is approved, taken
back, withdrawn or forgotten by any process counts here within that time and a read. The engine belongs to one
bundle. When another one serves, a new engine takes its place as soon as it is filled; until then, and for
pictures that the new bundle has not looked at yet (`bot.memory.rebuilding`), only copies are recalled.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from bot.memory.engine import Engine
from bot.memory.holding import Change, Holding, Key
from bot.memory.types import Entry
from corrections.errors import LedgerError
from corrections.ledger import Ledger
from corrections.memory.changes import KEPT
from corrections.memory.facade import Features, Remembered
from corrections.types import Community, Recalled
from model.types import Sight

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How often it is looked whether something has changed."""

TROUBLE_SECONDS = 10.0
"""How often while the ledger does not answer."""

REFILL_SECONDS = 30.0
"""How often everything is read anew at most because there is room again."""

PAGE = 100
"""Features read in one go."""

AT_ONCE = 8
"""Entries put before others have their turn on the event loop."""

NOWHERE = 0
"""The row of a community that has none."""


@dataclass(frozen=True, slots=True)
class MemoryRules:
    """The settings of the memory, see ``[memory]``; ``allow_discord`` is ``discord.allow_training``."""

    most: int = 10_000
    shared: bool = False
    allow_discord: bool = False


class Memory:
    """What people said, for one process. Not thread-safe: it belongs to the event loop."""

    def __init__(self, ledger: Ledger, rules: MemoryRules, leading: Callable[[], str] = lambda: "") -> None:
        """Args: ``leading``: where several workers answer, the model that most of them look with."""
        self.version = 0
        self.bundle = ""
        self._ledger = ledger
        self._rules = rules
        self._engine = Engine(max(1, rules.most), shared=rules.shared)
        self._held = Holding(rules.most)
        self._homes: dict[Community, int] = {}
        self._private: dict[str, Community] = {}
        self._lacking: dict[Key, Remembered] = {}
        self._wanted = ""
        self._leading = leading
        self._stale = True
        self._read_at = 0.0
        self._refill_at = 0.0
        self._complained = False

    def __len__(self) -> int:
        return len(self._held)

    # -- answering

    def recall(self, home: Community, sight: Sight) -> Recalled:
        """What is said of a picture there, with what is remembered in it.

        Args:
            home: the community that asks.
            sight: what the worker saw; its answer in the vocabulary's slugs.
        """
        if sight.bundle != self.bundle:
            self.answered(sight.bundle)
            sight = replace(sight, embedding=())  # of another model: nothing here compares with it
        try:
            return self._recall(self._homes.get(home, NOWHERE), home, sight)
        except Exception:  # an answer without memory is better than none
            if not self._complained:
                log.exception("the memory has a fault; pictures are answered without it")
            self._complained = True
            return Recalled(self.version, "", sight.answer)

    def _recall(self, where: int, home: Community, sight: Sight) -> Recalled:
        found = self._engine.recall(where, sight, self._rules.shared)
        named = {*found.slugs, *(each.character for each in found.answer.ranked)} & self._private.keys()
        if any(self._private[slug] != home for slug in named):  # a name that is not known here
            found = self._engine.recall(where, sight, False)
        here = not found.blobs or any((where, blob) in self._held for blob in found.blobs)
        return Recalled(self.version, found.how, found.answer, found.slugs, here)

    def serves(self, bundle: str) -> None:
        """That model answers from now on."""
        self._wanted = bundle

    def answered(self, bundle: str) -> None:
        """That model has answered; where several do, it serves only if it leads: they take turns else."""
        self._wanted = self._leading() or bundle

    def lacking(self) -> list[Remembered]:
        """Pictures that the model which serves has not looked at yet, though it could."""
        return list(self._lacking.values())

    # -- following

    async def begin(self, bundle: str) -> None:
        """Read everything, for a bundle.

        Raises:
            LedgerError: it cannot be read.
        """
        self.bundle = self._wanted = bundle
        await self.follow()

    async def keep(self) -> None:
        """Follow the ledger until cancelled."""
        troubled = False
        while True:
            await asyncio.sleep(TROUBLE_SECONDS if troubled else LOOK_SECONDS)
            try:
                await self.follow()
                troubled = False
            except LedgerError as error:
                if not troubled:
                    log.warning("the memory cannot be brought up to date: %s", error)
                troubled = True
            except Exception:
                log.exception("the memory was not brought up to date; that is tried again")
                troubled = self._stale = True

    async def follow(self) -> bool:
        """Take over what has changed since the last time; whether anything had.

        Raises:
            LedgerError: it cannot be read; what was remembered stays, and is read anew later.
        """
        now = asyncio.get_running_loop().time()
        stale = self._stale or now - self._read_at > KEPT.total_seconds() / 2
        changed = await self._ledger.memory.changes(self.version)
        if stale or changed:
            self._stale = True  # until it is done
            everything = stale or changed.everything
            if everything:
                with _uncollected():
                    await self._take_over(None)
            else:
                await self._take_over(changed.cases)
            self._stale = False
        if self._held.incomplete and len(self._held) < self._rules.most and now >= self._refill_at:
            self._refill_at = now + REFILL_SECONDS  # there is room for what was left out
            await self._take_over(None)
        self._read_at, self.version = now, changed.version
        if self._wanted != self.bundle:
            await self._change_bundle(self._wanted)
            return True
        return bool(changed) or stale

    async def _take_over(self, cases: Collection[int] | None) -> None:
        """Read these cases anew, or all."""
        if cases is None:
            self._homes = await self._ledger.memory.homes()
        if self._rules.shared:
            self._private = await self._ledger.memory.private_names()
        change = await (self._everything() if cases is None else self._some(cases))
        for number, key in enumerate(change.drop):
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)
            self._engine.drop(*key)
            self._lacking.pop(key, None)
        await self._put(self._engine, self.bundle, change.put, self._lacking)

    async def _some(self, cases: Collection[int]) -> Change:
        found: list[Remembered] = []
        async for page in self._ledger.memory.remembered(self._rules.allow_discord, cases):
            found += page
        self._homes |= {each.home: each.community for each in found}
        return self._held.replace(cases, found)

    async def _everything(self) -> Change:
        """As after a start; in a thread what takes long, and never more of it at a time than is held."""
        fresh = Holding(self._rules.most)
        async for page in self._ledger.memory.remembered(self._rules.allow_discord):
            cases = {each.case for each in page}
            await asyncio.to_thread(fresh.replace, cases, page)
        lacking = dict(self._lacking)

        def change() -> Change:
            change = fresh.instead_of(self._held)
            again = [each for key, each in lacking.items() if key in fresh]
            put = {(each.community, each.blob): each for each in (*again, *change.put)}
            return Change(tuple(put.values()), change.drop)

        changed = await asyncio.to_thread(change)
        self._held = fresh
        return changed

    async def _put(
        self, engine: Engine, bundle: str, remembered: Sequence[Remembered], lacking: dict[Key, Remembered]
    ) -> None:
        for start in range(0, len(remembered), PAGE):
            page = remembered[start : start + PAGE]
            seen, damaged = await self._ledger.memory.features([each.blob for each in page])
            if damaged:
                log.warning(
                    "what was kept of %d remembered pictures is damaged; they are looked at again",
                    len(damaged),
                )
            for number, each in enumerate(page):
                if number % AT_ONCE == 0:
                    await asyncio.sleep(0)
                key = each.community, each.blob
                if self._remember(engine, bundle, each, seen.get(each.blob)) or not each.there:
                    lacking.pop(key, None)
                else:
                    lacking[key] = each

    def _remember(self, engine: Engine, bundle: str, each: Remembered, seen: Features | None) -> bool:
        """Put it; whether with what this bundle saw in it."""
        bare = Entry(each.blob, each.case, each.community, each.slugs, each.near_key)
        if seen is not None:
            bare = replace(bare, marks=seen.marks)
        if seen is not None and seen.bundle == bundle:
            try:
                engine.put(replace(bare, embedding=seen.embedding, leans=each.leans, ranked=seen.ranked))
                return True
            except ValueError as error:
                log.warning("a remembered picture is looked at again: %s", error)
        engine.put(bare)
        return False

    async def _change_bundle(self, bundle: str) -> None:
        """Remember with what another model saw; what it has not seen yet is recalled by its copies."""
        log.info("the memory of %d pictures changes over to %s", len(self._held), bundle)
        fresh = Engine(max(1, self._rules.most), shared=self._rules.shared)
        lacking: dict[Key, Remembered] = {}
        with _uncollected():
            await self._put(fresh, bundle, self._held.all(), lacking)
        self._engine, self.bundle, self._lacking = fresh, bundle, lacking


@contextmanager
def _uncollected() -> Iterator[None]:
    """Make what stays for long without collections, which would look through all of it while everybody waits.

    What is there in the end is not looked through later either.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()
