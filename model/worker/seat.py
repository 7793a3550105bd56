"""A loaded classifier, the one thread that may call it, and the pictures that wait for it: `Seat`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from model.classifier import Classifier
from model.errors import ModelError, WorkerError
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
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="classifier")
        self._waiting: deque[_Pending] = deque()
        self._came = asyncio.Event()
        self._users = 0
        self._left = asyncio.Event()
        self._left.set()
        self._task = asyncio.create_task(self._run())

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
        pending = _Pending(pixels, wanted, asyncio.get_running_loop().create_future())
        self._waiting.append(pending)
        self.batching.arrived(time.perf_counter())
        self._came.set()
        return await pending.output

    async def close(self) -> None:
        """When the last one has what it came for."""
        await self._left.wait()
        self._task.cancel()
        await asyncio.wait([self._task])
        # its last exception holds this object: without this the model stays until Python looks for circles
        del self._task
        self._thread.shutdown(wait=False)

    async def _run(self) -> None:
        while True:
            batch = await self._batch()
            if not batch or await self._together(batch) or len(batch) == 1:
                continue
            # either one of them is poison, and the others shall not suffer, or there are too many
            if all([await self._together([pending]) for pending in batch]):
                self.batching.too_large(len(batch))

    async def _batch(self) -> list[_Pending]:
        """Those who are next, less those whom nobody waits for."""
        while not self._waiting:
            await self._next(None)
        began = time.perf_counter()
        while (
            seconds := self.batching.wait(len(self._waiting), time.perf_counter() - began)
        ) and await self._next(seconds):
            pass
        batch = []
        for _ in range(self.batching.take(len(self._waiting))):
            pending = self._waiting.popleft()
            if not pending.wanted():
                self._counters["dropped"] += 1
                pending.output.cancel()
            if not pending.output.done():
                batch.append(pending)
        return batch

    async def _next(self, seconds: float | None) -> bool:
        """Whether one more has come within so many seconds."""
        self._came.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._came.wait()
        except TimeoutError:
            return False
        return True

    async def _together(self, batch: list[_Pending]) -> bool:
        pixels = np.stack([pending.pixels for pending in batch])
        began = time.perf_counter()
        try:
            output = await asyncio.get_running_loop().run_in_executor(self._thread, self.classifier, pixels)
        except Exception as error:
            log.exception("the classifier failed")
            if len(batch) == 1:
                _fail(batch[0].output, WorkerError(f"the model failed on this picture: {error}"))
            return False
        seconds = time.perf_counter() - began
        self.batching.took(len(batch), seconds)
        self._ran(len(batch), seconds)
        self._counters["batches"] += 1
        self._counters["batched"] += len(batch)
        for row, pending in enumerate(batch):
            if not pending.output.done():
                pending.output.set_result((output.logits[row].copy(), output.embedding[row].copy()))
        return True


def batching_of(classifier: Classifier, most: int | None = None) -> Batching:
    """As many together as pay, at most ``most`` and what the classifier's own ``batch`` says, if anything.

    A classifier whose answer for one picture depends on what lies beside it says 1.
    """
    bounds = [each for each in (most, getattr(classifier, "batch", None)) if each]
    return Batching(min(bounds)) if bounds else Batching()


def _fail(future: asyncio.Future[tuple[Floats, Floats]], error: ModelError) -> None:
    if not future.done():
        future.set_exception(error)
