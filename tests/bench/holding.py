"""For how long the bot's event loop is held, while pictures, clicks, console pages and rebuilds go on.

The real page, desk, ledger (10,000 open cases) and memory (10,000 pictures, all read anew five times) run on
one loop here, with a real worker for the pictures. Every callback that the loop runs is timed, by the clock
and by the CPU time of its thread: on a busy machine the first also counts what other processes took. What
asks runs there too, and is not counted.

``python -m tests.bench.holding`` also names what held it longest.
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from asyncio import events
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.memory.following import Memory, MemoryRules
from corrections.ledger import Ledger
from corrections.memory.features import features, keep
from corrections.tables import CaseRow, ConsentRow, PostRow
from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions
from tests.bench.console import _forms, fill
from tests.bench.rows import Bench, Row
from tests.standins.console import moderating
from tests.standins.drawings import drawing
from tests.standins.page import page_served

ASKS = "asks"
"""How the tasks are named that are not the bot's."""
PICTURES, DECISIONS, PAGES, REBUILDS = 60, 80, 40, 5
REMEMBERED = 10_000
"""Approved pictures, with what the model saw in them: as many as the memory holds."""
RULES = MemoryRules(REMEMBERED, False, True)
LONGEST = 20.0
"""Milliseconds for which it shall never be held."""


@dataclass
class Holds:
    """Milliseconds of every callback, by the clock and of CPU, and what it was, for the longest."""

    clock: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    longest: list[tuple[float, float, str]] = field(default_factory=list)

    def add(self, clock: float, cpu: float, what: Callable[[], str]) -> None:
        """One callback; ``what`` is asked only of a long one."""
        self.clock.append(1000 * clock)
        self.cpu.append(1000 * cpu)
        if 1000 * clock > LONGEST / 4:
            self.longest.append((1000 * cpu, 1000 * clock, what()[:300]))


def rows(bench: Bench) -> list[Row]:
    """The longest hold, and how long 999 of 1000 callbacks take at most."""
    holds = asyncio.run(measure(bench.folder))
    return [
        Row("event loop held longest, CPU time", (max(holds.cpu),), "ms", bound=f"< {LONGEST:g} ms"),
        Row("event loop held longest, by the clock", (max(holds.clock),), "ms", bound=f"< {LONGEST:g} ms"),
        Row("999 of 1000 callbacks within", (_most(holds.clock),), "ms"),
    ]


async def measure(
    folder: Path,
    cases: int = 10_000,
    use: str = "builtin",
    decisions: int = DECISIONS,
    remembered: int = REMEMBERED,
) -> Holds:
    """All that goes on at once, until each has done its part."""
    async with AsyncExitStack() as stack:
        options = WorkerOptions(use=use, models_dir=folder / "models", decoders=1, threads=1)
        worker = await stack.enter_async_context(WorkerSupervisor(options))
        eyes = await stack.enter_async_context(worker.client())
        limits = {"limits__person_per_minute": "100000", "limits__community_per_minute": "100000"}
        served = await stack.enter_async_context(page_served(folder, eyes, **limits))
        await fill(served, cases + remembered)
        bundle = (await eyes.bundle()).id
        await _approve(served.ledger, cases, bundle, len((await eyes.look(drawing("red"))).embedding))
        memory = Memory(served.ledger, RULES)
        await memory.begin(bundle)
        for task in (memory.keep(), served.ledger.review.keep_fresh()):
            running = asyncio.create_task(task)
            stack.callback(running.cancel)
        pictures = [
            await asyncio.to_thread(drawing, "red", seed=seed, size=(1280, 960), kind="JPEG")
            for seed in range(PICTURES)
        ]
        browser = await stack.enter_async_context(moderating(served))
        guest = await stack.enter_async_context(aiohttp.ClientSession(served.url))
        gc.collect()
        gc.freeze()  # as the bot does
        with timed() as holds:
            await asyncio.gather(
                _asking(_post(guest, pictures)),
                _asking(_decide(browser, decisions)),
                _asking(_read(browser)),
                _rebuild(served.ledger, bundle, remembered),
            )
        gc.unfreeze()
    return holds


@contextmanager
def timed() -> Iterator[Holds]:
    """Time whatever the loops of this process run."""
    holds = Holds()
    run = events.Handle._run

    def timing(handle: events.Handle) -> None:
        task = getattr(handle._callback, "__self__", None)  # type: ignore[attr-defined]
        named = task.get_name() if isinstance(task, asyncio.Task) else ""
        begun = time.perf_counter(), time.thread_time()
        run(handle)
        clock, cpu = time.perf_counter() - begun[0], time.thread_time() - begun[1]
        if not named.startswith(ASKS):
            holds.add(clock, cpu, lambda: repr(task if named else handle))

    events.Handle._run = timing  # type: ignore[assignment,method-assign]
    try:
        yield holds
    finally:
        events.Handle._run = run  # type: ignore[method-assign]


async def _asking(work: Coroutine[Any, Any, None]) -> None:
    await asyncio.create_task(work, name=ASKS)


async def _post(guest: aiohttp.ClientSession, pictures: list[bytes]) -> None:
    for picture in pictures:
        async with guest.post("/ask", data=picture, headers={"Accept": "application/json"}) as response:
            found = await response.json()
            assert response.status == 200, found


async def _decide(browser: aiohttp.ClientSession, decisions: int) -> None:
    async with browser.get("/review") as response:
        waiting = _forms(await response.text())
    headers = {"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
    for number in range(decisions):
        case, revision, leading = waiting.pop(0)
        data = {"case": case, "revision": revision, "deciding": case}
        data |= {"do": leading if number % 2 else "is:loki", "showing": ",".join(one[0] for one in waiting)}
        async with browser.post("/review/decide", data=data, headers=headers) as response:
            waiting += _forms(await response.text())


async def _read(browser: aiohttp.ClientSession) -> None:
    for number in range(PAGES):
        async with browser.get(("/review", "/review/characters", "/review/exports")[number % 3]) as response:
            await response.text()
            assert response.status == 200


async def _approve(ledger: Ledger, after: int, bundle: str, width: int) -> None:
    """Approve all cases after this one, with their posters' consent and what a bundle saw in them."""
    dice, at = np.random.default_rng(0), datetime.now(UTC)

    async def work(session: AsyncSession) -> None:
        decided = {"status": "approved", "decided": ["loki"], "decided_at": at}
        approved = update(CaseRow).where(CaseRow.id > after).values(decided)
        await session.execute(approved, execution_options={"synchronize_session": False})
        posts = (await session.execute(select(PostRow.id, PostRow.person_id).where(PostRow.id > after))).all()
        rows = [
            {"post_id": post, "person_id": person, "granted": True, "created_at": at}
            for post, person in posts
        ]
        if rows:
            await session.execute(insert(ConsentRow), rows)
        for post, _ in posts:  # a case, a post and a picture have the same number there
            seen = features(bundle, dice.standard_normal(width).tolist(), dice.bytes(1000), ())
            assert seen is not None
            await keep(session, post, seen, at)

    await ledger.work.write(work)


async def _rebuild(ledger: Ledger, bundle: str, remembered: int) -> None:
    """As a start does, or another model: read everything that is remembered, into a memory of its own."""
    for _ in range(REBUILDS):
        memory = Memory(ledger, RULES)
        await memory.begin(bundle)
        assert len(memory) >= min(remembered, RULES.most)
        await asyncio.sleep(0.2)


def _most(values: list[float]) -> float:
    return sorted(values)[int(0.999 * (len(values) - 1))]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        found = asyncio.run(measure(Path(temporary)))
    print(f"{len(found.cpu)} callbacks; longest {max(found.cpu):.1f} ms of CPU, {max(found.clock):.1f} ms")
    for cpu, clock, what in sorted(found.longest, reverse=True)[:12]:
        print(f"{cpu:6.1f} ms of CPU {clock:6.1f} ms  {what[:240]}")
