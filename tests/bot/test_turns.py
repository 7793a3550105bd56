"""Those who wait at the desk take turns by place, and who cannot wait is told at once."""

from __future__ import annotations

import asyncio

import pytest

from bot.desk.turns import Turns, key_of
from model.errors import WorkerBusy


async def test_a_flood_in_one_place_does_not_stand_before_the_others() -> None:
    turns, done = Turns(1, 64), list[str]()
    first = asyncio.Event()

    async def work(who: str) -> None:
        async with turns.taken(who, 10):
            done.append(who)
            await first.wait()

    noisy = [asyncio.create_task(work(key_of(("d", "noisy"), ("d", str(n))))) for n in range(20)]
    await asyncio.sleep(0)
    quiet = asyncio.create_task(work(key_of(("d", "quiet"), ("d", "1"))))
    await asyncio.sleep(0)
    first.set()
    async with asyncio.timeout(10):
        await asyncio.gather(*noisy, quiet)
    assert done.index("d/quiet|d/1") <= 2
    assert len(done) == 21


async def test_who_finds_no_room_or_waits_too_long_is_told_when_to_come_again() -> None:
    turns = Turns(1, 4)
    async with turns.taken("a|1", 10):
        with pytest.raises(WorkerBusy) as late:
            async with turns.taken("b|1", 0.01):
                pass
        assert late.value.retry_after > 0
        waiting = [asyncio.ensure_future(_pass(turns, f"{n}|1")) for n in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(WorkerBusy) as full:
            async with turns.taken("c|1", 10):
                pass
        assert full.value.retry_after > 0
        waiting[0].cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(*waiting, return_exceptions=True)
        await _pass(turns, "d|1")  # nothing was lost on the way


async def _pass(turns: Turns, key: str) -> None:
    async with turns.taken(key, 10):
        await asyncio.sleep(0)
