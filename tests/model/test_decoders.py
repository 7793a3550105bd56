"""The children that decode: what kills one, and that the next picture is answered all the same."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable

import numpy as np
import psutil
import pytest
from PIL import Image

from model.decode import DecodeLimits, decode
from model.decoders import DecoderOptions, Decoders
from model.errors import PictureError, WorkerGone
from model.preprocess import Preprocess
from tests.standins.drawings import drawing, encoded

HOW = Preprocess(height=64, width=64)


@pytest.fixture(scope="module")
def huge() -> bytes:
    """63 megapixels of 16 bits: takes about a second and 455 MB to decode, from a file of 120 kB."""
    return encoded(Image.fromarray(np.zeros((7900, 8000), np.uint16)), "PNG")


@pytest.fixture
async def decoders() -> AsyncIterator[Decoders]:
    async with Decoders(DecoderOptions(children=2)) as started:
        yield started


async def until_gone(processes: list[psutil.Process], seconds: float = 10.0) -> None:
    """Wait until none of them runs (an orphan may stay a zombie for a while); fail when one still does."""

    def runs(process: psutil.Process) -> bool:
        try:
            return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
        except psutil.NoSuchProcess:
            return False

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not any(map(runs, processes)):
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"still there: {[process for process in processes if runs(process)]}")


async def test_a_child_gives_what_the_function_gives(decoders: Decoders) -> None:
    data = drawing("red", kind="JPEG")
    here = decode(data, DecodeLimits(), HOW, True)
    there = await decoders.decode(data, HOW, keep=True)
    assert np.array_equal(here.pixels, there.pixels)
    assert (here.near_key, here.width, here.stored) == (there.near_key, there.width, there.stored)


async def test_reasons_come_back_from_the_child(decoders: Decoders) -> None:
    for data, reason in [(b"", "empty"), (b"text", "not-a-picture"), (drawing()[:300], "truncated")]:
        with pytest.raises(PictureError) as caught:
            await decoders.decode(data, HOW)
        assert caught.value.reason == reason
        assert str(caught.value) != reason  # the sentence, too


async def test_many_at_once(decoders: Decoders) -> None:
    data = [drawing("green", seed=n, kind="JPEG") for n in range(30)]
    seen = await asyncio.gather(*(decoders.decode(one, HOW) for one in data))
    assert len({one.near_key for one in seen}) == 30


async def test_children_are_polite_and_have_a_cap(decoders: Decoders) -> None:
    assert len(decoders.pids()) == 2
    for pid in decoders.pids():
        child = psutil.Process(pid)
        assert child.nice() == psutil.Process().nice() + 5
        if sys.platform == "linux":
            assert child.rlimit(psutil.RLIMIT_AS)[0] == DecoderOptions().memory
        os.kill(pid, signal.SIGINT)  # Ctrl-C in a terminal reaches everybody
    assert (await decoders.decode(drawing(), HOW)).width == 320
    assert all(psutil.pid_exists(pid) for pid in decoders.pids())


async def busy_child(decoders: Decoders, seconds: float = 10.0) -> int:
    """The child that is at work, as soon as one is: by the time that it has used."""
    before = {pid: sum(psutil.Process(pid).cpu_times()[:2]) for pid in decoders.pids()}
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for pid, used in before.items():
            if sum(psutil.Process(pid).cpu_times()[:2]) > used + 0.02:
                return pid
        await asyncio.sleep(0.005)
    raise AssertionError("no child is at work")


async def test_a_picture_that_kills_its_child_fails_alone(decoders: Decoders, huge: bytes) -> None:
    poison = asyncio.create_task(decoders.decode(huge, HOW, keep=True))
    os.kill(await busy_child(decoders), signal.SIGKILL)
    others = [asyncio.create_task(decoders.decode(drawing(seed=n), HOW)) for n in range(5)]
    with pytest.raises(PictureError) as caught:
        await poison
    assert caught.value.reason == "damaged"
    assert all(one.width == 320 for one in await asyncio.gather(*others))


async def test_idle_children_that_are_killed_are_replaced(decoders: Decoders) -> None:
    for _ in range(2):
        for pid in decoders.pids():
            os.kill(pid, signal.SIGKILL)
        assert (await asyncio.wait_for(decoders.decode(drawing(), HOW), 10)).width == 320


async def test_a_picture_that_takes_too_long_is_given_up(huge: bytes) -> None:
    async with Decoders(DecoderOptions(children=1, seconds=0.1)) as decoders:
        with pytest.raises(PictureError) as caught:
            await decoders.decode(huge, HOW, keep=True)
        assert caught.value.reason == "too-slow"
        assert (await asyncio.wait_for(decoders.decode(drawing(), HOW), 10)).width == 320


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux keeps a cap on the address space")
async def test_a_picture_that_takes_too_much_memory_is_given_up(huge: bytes) -> None:
    async with Decoders(DecoderOptions(children=1, memory=400 * 2**20)) as decoders:
        pid = decoders.pids()
        with pytest.raises(PictureError) as caught:
            await decoders.decode(huge, HOW)
        assert caught.value.reason == "too-many-pixels"
        assert (await decoders.decode(drawing(), HOW)).width == 320
        assert decoders.pids() == pid  # nobody had to die of it


async def test_what_is_stored_waits_for_those_whom_the_model_waits_for(huge: bytes) -> None:
    data, done = drawing("red", kind="JPEG"), []
    async with Decoders(DecoderOptions(children=1)) as decoders:

        async def noted(name: str, work: Awaitable[object]) -> None:
            await work
            done.append(name)

        first = asyncio.create_task(noted("first", decoders.decode(huge, HOW)))
        await busy_child(decoders)
        behind = asyncio.create_task(noted("stored", decoders.store(data, HOW)))
        dropped = asyncio.create_task(decoders.store(data, HOW))
        for _ in range(10):  # turns of the loop: both had their chance to go ahead
            await asyncio.sleep(0)
        others = [asyncio.create_task(noted("other", decoders.decode(data, HOW))) for _ in range(3)]
        dropped.cancel()
        await asyncio.wait_for(asyncio.gather(first, behind, *others), 30)
    assert done == ["first", "other", "other", "other", "stored"]
    assert dropped.cancelled()


async def test_what_is_stored_has_its_turn_among_decodings_without_end() -> None:
    data, how = drawing("red", size=(1280, 960), kind="JPEG"), Preprocess()
    async with Decoders(DecoderOptions(children=1)) as decoders:

        async def endless() -> None:
            while True:
                await decoders.decode(data, how)

        others = [asyncio.create_task(endless()) for _ in range(4)]
        await asyncio.sleep(0)
        try:
            assert await asyncio.wait_for(decoders.store(data, how), 10)
        finally:
            for other in others:
                other.cancel()
            await asyncio.gather(*others, return_exceptions=True)


async def test_who_drops_what_is_being_stored_ends_no_child(huge: bytes) -> None:
    async with Decoders(DecoderOptions(children=1)) as decoders:
        pids = decoders.pids()
        storing = asyncio.create_task(decoders.store(huge, HOW))
        await busy_child(decoders)
        storing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await storing
        assert (await decoders.decode(drawing(), HOW)).width == 320
        assert decoders.pids() == pids


async def test_what_is_being_stored_when_the_decoders_close_is_lost(huge: bytes) -> None:
    async with Decoders(DecoderOptions(children=1)) as decoders:
        storing = asyncio.create_task(decoders.store(huge, HOW))
        await busy_child(decoders)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(storing, 10)


async def test_closed_decoders_say_so_and_leave_no_child() -> None:
    decoders = Decoders(DecoderOptions(children=2))
    async with decoders:
        children = [psutil.Process(pid) for pid in decoders.pids()]
    await until_gone(children)
    with pytest.raises(WorkerGone):
        await decoders.decode(drawing(), HOW)


PARENT = """
import asyncio
from model.decoders import DecoderOptions, Decoders

async def main():
    async with Decoders(DecoderOptions(children=2)):
        print("ready", flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no kill -9")
async def test_children_die_with_their_parent_even_by_kill_9() -> None:
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout
    assert await asyncio.wait_for(parent.stdout.readline(), 20) == b"ready\n"
    children = psutil.Process(parent.pid).children(recursive=True)
    assert len(children) >= 2
    parent.kill()
    await parent.wait()
    await until_gone(children)
