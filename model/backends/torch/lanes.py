"""Two batches under way on a device that computes by itself: one is looked at, the next is on its way there.

A batch takes a *slot*: memory that the device copies from while the processor does other things, its place on
the device, and the memory that the answer is copied to. With two of them the next batch is put together and
copied while the present one is looked at.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from model.backends.torch.runners import Runner
from model.preprocess import Floats, Pixels

DEPTH = 2


class Slot(Protocol):
    """A place for one batch. ``pixels`` uint8 ``[most, H, W, 3]`` is where its pictures are put."""

    pixels: Pixels

    def start(self, count: int) -> None:
        """Have the first so many pictures looked at, and return without waiting for it."""
        ...

    def wait(self, count: int) -> Floats:
        """Their rows ``[count, C + D]``, a copy, when they have been looked at."""
        ...


class PlainSlot:
    """On a CPU, which does it at once."""

    def __init__(self, runner: Runner, most: int, picture: tuple[int, int]) -> None:
        self._runner = runner
        self._memory = torch.zeros((most, *picture, 3), dtype=torch.uint8)
        self.pixels: Pixels = self._memory.numpy()
        self._rows: Tensor | None = None

    def start(self, count: int) -> None:
        """See `Slot`."""
        with torch.inference_mode():
            self._rows = self._runner(self._memory[:count]).clone()

    def wait(self, count: int) -> Floats:
        """See `Slot`."""
        assert self._rows is not None
        return np.array(self._rows.numpy()[:count])


class Flight:
    """A batch under way. `rows` is to be called once, from whichever thread."""

    def __init__(self, slot: Slot, count: int, free: Callable[[Slot], None]) -> None:
        self._slot, self._count, self._free = slot, count, free

    def rows(self) -> Floats:
        """Wait for it; raises what went wrong on the device."""
        try:
            return self._slot.wait(self._count)
        finally:
            self._free(self._slot)


class Lanes:
    """Slots in turns."""

    def __init__(self, slots: Sequence[Slot]) -> None:
        self._free: queue.SimpleQueue[Slot] = queue.SimpleQueue()
        self.depth = len(slots)
        self.most = min(len(slot.pixels) for slot in slots)
        for slot in slots:
            self._free.put(slot)

    def begin(self, pictures: Sequence[Pixels] | Pixels) -> Flight:
        """Start a batch of pictures ``[H, W, 3]``; waits while all slots are taken."""
        slot = self._free.get()
        try:
            for row, picture in enumerate(pictures):
                slot.pixels[row] = picture
            slot.start(len(pictures))
        except BaseException:
            self._free.put(slot)
            raise
        return Flight(slot, len(pictures), self._free.put)
