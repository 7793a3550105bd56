"""A loaded classifier, the one thread that may call it, and the pictures that wait for it: `Seat`."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from model.classifier import Classifier, Output
from model.errors import WorkerError
from model.preprocess import Floats, Pixels
from model.types import BundleInfo
from model.worker.batching import Batching

log = logging.getLogger(__name__)


@dataclass(eq=False, slots=True)
class _Pending:
    pixels: Pixels
    wanted: Callable[[], bool]
    output: asyncio.Future[tuple[Floats, Floats]]


class Seat:
    """Pictures come one by one, and are looked at together where that pays, see `Batching`."""

    def __init__(
        self,
        classifier: Classifier,
        counters: Counter[str],
        batching: Batching | None = None,
        ran: Callable[[int, float], None] = lambda pictures, seconds: None,
    ) -> None:
        """Start the thread.

        Args:
            counters: *batches* (runs), *batched* (pictures in them) and *dropped* (nobody waited) count up.
            batching: by default a new one, which tries no more together than the classifier allows.
            ran: is told of every run, how many pictures it was over and how many seconds it took.
        """
        self.classifier = classifier
        self.batching = batching or batching_of(classifier)
        self._counters = counters
        self._ran = ran
        self._loop = asyncio.get_running_loop()
        self._changed = threading.Condition()  # holds what follows, and the batching
        self._waiting: deque[_Pending] = deque()
        self._closed = False
        self._users = 0
        self._left = asyncio.Event()
        self._left.set()
        threading.Thread(target=self._run, name="classifier", daemon=True).start()

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

    def _batch(self) -> list[_Pending] | None:
        """Those who are next, less those whom nobody waits for; None when the seat is closed."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if self._closed:
                return None
            began = time.perf_counter()
            while (
                seconds := self.batching.wait(len(self._waiting), time.perf_counter() - began)
            ) and self._changed.wait(seconds):
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
        seconds = time.perf_counter() - began
        with self._changed:
            self.batching.took(len(batch), seconds)
        self._ran(len(batch), seconds)
        self._counters["batches"] += 1
        self._counters["batched"] += len(batch)
        self._tell(_delivered, batch, output)
        return True

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
