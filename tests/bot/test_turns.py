"""Those who wait at the desk take turns by place, and who cannot wait is told at once."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.looking import AT_ONCE
from bot.desk.turns import Turns, key_of
from corrections.ledger import Ledger
from model.errors import WorkerBusy
from tests.bot.test_desk import Voice, asking
from tests.standins.drawings import drawing
from tests.standins.page import TableEyes


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


async def test_who_is_let_in_is_let_out_when_it_is_written_down(ledger: Ledger) -> None:
    """Where the ledger is slower than the worker, answers do not pile up between the two."""
    writing, most = 0, 0
    eyes, record = TableEyes(), ledger.record

    async def slowly(*arguments: Any, **named: Any) -> Any:
        nonlocal writing, most
        writing += 1
        most = max(most, writing)
        await asyncio.sleep(0.02)
        try:
            return await record(*arguments, **named)
        finally:
            writing -= 1

    ledger.record = slowly  # type: ignore[method-assign]
    desk = Desk(eyes, ledger, RateLimits(1000, 1000))
    voices = [Voice() for _ in range(2 * AT_ONCE)]
    async with asyncio.timeout(30):
        await asyncio.gather(
            *(desk.answer(asking(drawing("red"), message=str(n)), voice) for n, voice in enumerate(voices))
        )
    assert all(voice.said for voice in voices)
    assert 1 < most <= AT_ONCE
