"""A device that computes by itself: the next batch is handed over while it is at one, and what goes wrong."""

from __future__ import annotations

import asyncio
import queue
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest

from model.classifier import Output
from model.errors import DeviceLost, WorkerError
from model.preprocess import Pixels, Preprocess
from model.types import BundleInfo
from model.worker.batching import Batching
from model.worker.seat import LOST, Seat

POISON, SLOTS = 250, 2


class Under:
    """A batch on the device below; it is done when the test says so, or at once."""

    def __init__(self, device: Device, pictures: Sequence[Pixels]) -> None:
        self.device, self.pictures = device, list(pictures)
        self.done = threading.Event()

    def result(self) -> Output:
        assert self.done.wait(20)
        self.device.slots.release()
        marks = np.array([picture[0, 0, 0] for picture in self.pictures], np.float32)
        if (marks == POISON).any():
            raise self.device.error
        return Output(np.stack([marks, -marks], axis=1), np.ones((len(marks), 1), np.float32))


class Device:
    """Takes two batches at a time, as a GPU does; `begun` says which."""

    info = BundleInfo("device", ("loki", "thor"))
    level = "fast"
    backend = "none"
    preprocess = Preprocess(height=4, width=4)
    ahead = SLOTS

    def __init__(self, *, at_once: bool = False, room: int = 64) -> None:
        self.begun: queue.SimpleQueue[Under] = queue.SimpleQueue()
        self.slots = threading.Semaphore(SLOTS)
        self.at_once, self.room = at_once, room
        self.error: Exception = ValueError("poison")

    def __call__(self, pixels: Pixels) -> Output:
        raise AssertionError("a device that works by itself is not waited for")

    def begin(self, pictures: Sequence[Pixels]) -> Under:
        if len(pictures) > self.room:
            raise MemoryError("no room")
        assert self.slots.acquire(timeout=20), "more than two batches at a time"
        under = Under(self, pictures)
        if self.at_once:
            under.done.set()
        self.begun.put(under)
        return under


def marked(mark: int) -> Pixels:
    return np.full((4, 4, 3), mark, np.uint8)


def looks(seat: Seat, marks: Sequence[int]) -> list[asyncio.Task[tuple[np.ndarray, np.ndarray]]]:
    return [asyncio.create_task(seat.look(marked(mark), lambda: True)) for mark in marks]


async def next_of(device: Device) -> Under:
    return await asyncio.to_thread(device.begun.get, timeout=20)


async def test_the_next_batch_is_on_its_way_while_one_is_looked_at() -> None:
    device, counters = Device(), Counter[str]()
    seat = Seat(device, counters, Batching(4, size=4))
    tasks = looks(seat, range(12))
    first = await next_of(device)
    second = await next_of(device)
    # nothing has come back yet, and a third one has no place
    assert [len(first.pictures), len(second.pictures)] == [4, 4]
    assert not any(task.done() for task in tasks)
    await asyncio.sleep(0.05)
    assert device.begun.empty()
    first.done.set()
    third = await next_of(device)
    second.done.set()
    third.done.set()
    async with asyncio.timeout(20):
        seen = await asyncio.gather(*tasks)
    assert [logits[0] for logits, _ in seen] == list(range(12))
    assert counters["batches"] == 3
    assert counters["batched"] == 12
    await seat.close()


async def test_what_does_not_fill_a_batch_waits_for_company_until_the_device_is_free() -> None:
    device = Device()
    seat = Seat(device, Counter(), Batching(4, size=4))
    tasks = looks(seat, range(4))
    first = await next_of(device)
    tasks += looks(seat, [4])
    await asyncio.sleep(0.05)
    assert device.begun.empty()
    tasks += looks(seat, [5, 6])
    await asyncio.sleep(0)
    first.done.set()
    second = await next_of(device)
    assert [int(picture[0, 0, 0]) for picture in second.pictures] == [4, 5, 6]
    second.done.set()
    async with asyncio.timeout(20):
        await asyncio.gather(*tasks)
    await seat.close()


async def test_a_poison_picture_fails_alone() -> None:
    device = Device(at_once=True)
    seat = Seat(device, Counter(), Batching(8, size=8))
    async with asyncio.timeout(20):
        for _ in range(5):
            seen = await asyncio.gather(*looks(seat, [1, 2, POISON, 3]), return_exceptions=True)
            assert isinstance(seen[2], WorkerError)
            assert "poison" in str(seen[2])
            assert [each[0][0] for each in seen if not isinstance(each, BaseException)] == [1, 2, 3]
    assert seat.batching.size == 8
    await seat.close()


async def test_what_the_device_has_no_room_for_is_answered_and_not_tried_again() -> None:
    device = Device(at_once=True, room=4)
    seat = Seat(device, Counter(), Batching(16, size=16))
    async with asyncio.timeout(20):
        for _ in range(3):
            seen = await asyncio.gather(*looks(seat, range(16)))
            assert [logits[0] for logits, _ in seen] == list(range(16))
    assert seat.batching.size <= 8
    await seat.close()


async def test_a_seat_that_is_closed_ends_both_its_threads() -> None:
    device = Device(at_once=True)
    before = set(threading.enumerate())
    seat = Seat(device, Counter(), Batching(4, size=4))
    async with asyncio.timeout(20):
        await asyncio.gather(*looks(seat, range(9)))
    ours = set(threading.enumerate()) - before
    assert len({thread for thread in ours if "classifier" in thread.name}) == 2
    seat.stop()
    for thread in ours:
        if "classifier" in thread.name:
            await asyncio.to_thread(thread.join, 20)
            assert not thread.is_alive()


async def test_the_time_of_a_batch_is_the_time_that_the_device_was_at_it() -> None:
    """Else one that waits behind another would seem to take twice as long, and batches not to pay."""
    device, took = Device(), list[tuple[int, float]]()
    seat = Seat(device, Counter(), Batching(2, size=2), lambda *run: took.append(run))
    tasks = looks(seat, range(4))
    first, second = await next_of(device), await next_of(device)
    await asyncio.sleep(0.3)
    first.done.set()
    async with asyncio.timeout(20):
        await asyncio.gather(*tasks[:2])
        second.done.set()
        await asyncio.gather(*tasks)
    assert [count for count, _ in took] == [2, 2]
    assert took[0][1] >= 0.3
    assert took[1][1] < took[0][1]
    await seat.close()


async def test_a_device_that_is_lost_is_told() -> None:
    device, told = Device(at_once=True), threading.Event()
    device.error = DeviceLost("the GPU has failed: an illegal memory access was encountered")
    seat = Seat(device, Counter(), lost=told.set)
    (task,) = looks(seat, [POISON])
    with pytest.raises(WorkerError, match="illegal memory access"):
        await asyncio.wait_for(task, 20)
    assert told.is_set()
    await seat.close()


def test_a_worker_without_its_device_ends() -> None:
    line = [sys.executable, "-c", "from model.worker.seat import end; end()"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == LOST
    assert "the GPU has failed" in done.stderr
