"""A loaded classifier, the one thread that may call it, and the pictures that wait for it: `Seat`."""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from model.classifier import Ahead, Classifier, Output, Running
from model.errors import DeviceLost, WorkerError
from model.preprocess import Floats, Pixels
from model.types import BundleInfo
from model.worker.batching import Batching

log = logging.getLogger(__name__)

LOST = 70
"""The exit status of a worker whose GPU has failed."""


@dataclass(eq=False, slots=True)
class _Pending:
    pixels: Pixels
    wanted: Callable[[], bool]
    output: asyncio.Future[tuple[Floats, Floats]]


@dataclass(eq=False, slots=True)
class _Flight:
    """A batch under way on a device, or why it did not get there."""

    batch: list[_Pending]
    began: float
    running: Running | None = None
    error: str = ""


class Seat:
    """Pictures come one by one, and are looked at together where that pays, see `Batching`.

    A device that computes by itself (`model.classifier.Ahead`) has the next batch handed over while it is at
    one: by the thread that otherwise looks itself, while a second one waits for what comes back. The next
    batch is handed over as soon as it is full, and one that is not when the device has nothing else to do:
    until then more may come, and would wait no longer together.
    """

    def __init__(
        self,
        classifier: Classifier,
        counters: Counter[str],
        batching: Batching | None = None,
        ran: Callable[[int, float], None] = lambda pictures, seconds: None,
        lost: Callable[[], None] = lambda: None,
    ) -> None:
        """Start the thread.

        Args:
            counters: *batches* (runs), *batched* (pictures in them) and *dropped* (nobody waited) count up.
            batching: by default a new one, which tries no more together than the classifier allows.
            ran: is told of every run, how many pictures it was over and how many seconds it took.
            lost: is told, in a thread, when the device will do nothing any more in this process.
        """
        self.classifier = classifier
        self.batching = batching or batching_of(classifier)
        self._counters = counters
        self._ran, self._lost = ran, lost
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()  # holds what follows, and the batching
        self._waiting: deque[_Pending] = deque()
        self._closed = False
        self._users = 0
        self._left = asyncio.Event()
        self._left.set()
        self._ahead: Ahead | None = None
        self._under_way = 0  # batches that were handed over
        self._flights: queue.SimpleQueue[_Flight | None] = queue.SimpleQueue()
        self._handing = threading.Lock()  # one caller at a time
        self._landed = 0.0  # when the last one came back
        work = self._run
        if isinstance(classifier, Ahead) and classifier.ahead > 1:
            self._ahead, work = classifier, self._hand_over
            threading.Thread(target=self._bring_back, name="classifier's answers", daemon=True).start()
        threading.Thread(target=work, name="classifier", daemon=True).start()

    @property
    def info(self) -> BundleInfo:
        """Of the bundle in this seat."""
        return self.classifier.info

    def __enter__(self) -> Seat:
        self._users += 1
        self._left.clear()
        return self

    def __exit__(self, *_: object) -> None:
        self._users -= 1
        if not self._users:
            self._left.set()

    async def look(self, pixels: Pixels, wanted: Callable[[], bool]) -> tuple[Floats, Floats]:
        """Logits [C] and embedding [D] of pixels [H, W, 3]; cancelled when it is no longer wanted."""
        pending = _Pending(pixels, wanted, self._loop.create_future())
        with self._changed:
            self._waiting.append(pending)
            self.batching.arrived(time.perf_counter())
            self._changed.notify()
        return await pending.output

    async def close(self) -> None:
        """When the last one has what it came for."""
        await self._left.wait()
        self.stop()

    def stop(self) -> None:
        """End the thread when it has done what it is at; who waits then waits in vain."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def _run(self) -> None:
        """In the thread: it takes the next batch itself, so that no model waits for a busy event loop."""
        while (batch := self._batch()) is not None:
            if not batch or self._together(batch) or len(batch) == 1:
                continue
            # either one of them is poison, and the others shall not suffer, or there are too many
            alone = [self._together([pending]) for pending in batch]
            if all(alone):
                with self._changed:
                    self.batching.too_large(len(batch))

    def _hand_over(self) -> None:
        """In the thread, for a device that computes by itself."""
        while (batch := self._batch()) is not None:
            if batch:
                with self._changed:
                    self._under_way += 1
                self._flights.put(self._begun(batch))
        self._flights.put(None)

    def _bring_back(self) -> None:
        """In the other thread: batches come back in the order in which they were handed over."""
        while (flight := self._flights.get()) is not None:
            if not self._back(flight) and len(flight.batch) > 1:
                alone = [self._back(self._begun([pending])) for pending in flight.batch]
                if all(alone):
                    with self._changed:
                        self.batching.too_large(len(flight.batch))
            with self._changed:
                self._under_way -= 1
                self._changed.notify()

    def _begun(self, batch: list[_Pending]) -> _Flight:
        assert self._ahead is not None
        flight = _Flight(batch, time.perf_counter())
        try:
            with self._handing:
                flight.running = self._ahead.begin([pending.pixels for pending in batch])
        except Exception as error:
            self._wrong(flight, error)
        return flight

    def _back(self, flight: _Flight) -> bool:
        """Wait for what a device found and hand it on; False when it failed, which one picture is told."""
        if flight.running is not None:
            try:
                output = flight.running.result()
            except Exception as error:
                self._wrong(flight, error)
            else:
                now = time.perf_counter()
                # what it cost the device: until the one before came back it was at that
                seconds, self._landed = now - max(flight.began, self._landed), now
                self._done(flight.batch, output, seconds)
                return True
        if len(flight.batch) == 1:
            self._tell(_failed, flight.batch[0], f"the model failed on this picture: {flight.error}")
        return False

    def _wrong(self, flight: _Flight, error: Exception) -> None:
        log.exception("the classifier failed")
        flight.error = str(error)
        if isinstance(error, DeviceLost):
            self._lost()

    def _ready(self) -> bool:
        """Whether the next batch is taken now."""
        if not self._under_way or self._ahead is None:
            return bool(self._waiting)
        return self._under_way < self._ahead.ahead and len(self._waiting) >= self.batching.full

    def _batch(self) -> list[_Pending] | None:
        """Those who are next, less those whom nobody waits for; None when the seat is closed."""
        with self._changed:
            while not self._ready() and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            began = time.perf_counter()
            while (
                not self._under_way
                and (seconds := self.batching.wait(len(self._waiting), time.perf_counter() - began))
                and self._changed.wait(seconds)
            ):
                pass
            taken = [self._waiting.popleft() for _ in range(self.batching.take(len(self._waiting)))]
        unwanted = [pending for pending in taken if not pending.wanted()]
        if unwanted:
            self._counters["dropped"] += len(unwanted)
            self._tell(_cancelled, unwanted)
        return [pending for pending in taken if pending not in unwanted and not pending.output.done()]

    def _together(self, batch: list[_Pending]) -> bool:
        began = time.perf_counter()
        try:
            output = self.classifier(np.stack([pending.pixels for pending in batch]))
        except Exception as error:
            log.exception("the classifier failed")
            if len(batch) == 1:
                self._tell(_failed, batch[0], f"the model failed on this picture: {error}")
            return False
        self._done(batch, output, time.perf_counter() - began)
        return True

    def _done(self, batch: list[_Pending], output: Output, seconds: float) -> None:
        with self._changed:
            self.batching.took(len(batch), seconds)
        self._ran(len(batch), seconds)
        self._counters["batches"] += 1
        self._counters["batched"] += len(batch)
        self._tell(_delivered, batch, output)

    def _tell(self, what: Callable[..., None], *arguments: object) -> None:
        with suppress(RuntimeError):  # the event loop has ended: nobody waits
            self._loop.call_soon_threadsafe(what, *arguments)


def _delivered(batch: list[_Pending], output: Output) -> None:
    for row, pending in enumerate(batch):
        if not pending.output.done():
            pending.output.set_result((output.logits[row].copy(), output.embedding[row].copy()))


def _cancelled(batch: list[_Pending]) -> None:
    for pending in batch:
        pending.output.cancel()


def _failed(pending: _Pending, detail: str) -> None:
    if not pending.output.done():
        pending.output.set_exception(WorkerError(detail))


def batching_of(classifier: Classifier, most: int | None = None) -> Batching:
    """As many together as pay, at most ``most`` and what the classifier's own ``batch`` says, if anything.

    A classifier whose answer for one picture depends on what lies beside it says 1.
    """
    bounds = [each for each in (most, getattr(classifier, "batch", None)) if each]
    return Batching(min(bounds)) if bounds else Batching()


def end() -> None:
    """A GPU that has failed does nothing any more in this process: whoever watches over it starts another."""
    log.critical("the GPU has failed: this worker ends")
    sys.stderr.flush()
    os._exit(LOST)
