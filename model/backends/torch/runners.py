"""What carries out a network on a device: as it is written, or recorded for a few sizes of batches.

A network of a hundred small kernels keeps a GPU waiting for Python when batches are small. Recorded once and
played again (a *CUDA graph*) they follow one another without it. A recording has one shape, so there is one
for each of a ladder of sizes, `BUCKETS`, and a batch is filled up to the next of them. Nothing here knows
CUDA: what records is a `Recorder`, that of `model.backends.torch.cuda` in earnest.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

log = logging.getLogger(__name__)

BUCKETS = (1, 2, 4, 8, 16, 32, 64)
"""Sizes of batches, those that `model.worker.batching` tries as well."""


class Runner(Protocol):
    """Looks at pictures that are on the device. ``most`` at a time; ``name`` is for the log."""

    name: str
    most: int

    def __call__(self, pixels: Tensor) -> Tensor:
        """Uint8 ``[B, H, W, 3]`` to float32 ``[B, C + D]``, which may be overwritten by the next call."""
        ...


class Recorder(Protocol):
    """Records what a device is told to do."""

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """Something that does ``work`` again on the same memory, and where its result lies then.

        What ``work`` reads, weights and input, has to be kept by whoever asks for it.
        """
        ...

    def forget(self) -> None:
        """Free what a recording that failed has left."""
        ...


class Eager:
    """The network as it is written."""

    name = "eager"

    def __init__(self, whole: Callable[[Tensor], Tensor], most: int = BUCKETS[-1]) -> None:
        self._whole = whole
        self.most = most

    def __call__(self, pixels: Tensor) -> Tensor:
        """See `Runner`."""
        return self._whole(pixels)


class Recorded:
    """One recording for each size, the largest first, so that the smaller ones find its memory."""

    name = "graphs"

    def __init__(
        self,
        whole: Callable[[Tensor], Tensor],
        recorder: Recorder,
        picture: tuple[int, int],
        device: torch.device,
        buckets: Sequence[int] = BUCKETS,
    ) -> None:
        """Record all sizes that the device has room for.

        Args:
            picture: height and width.

        Raises:
            torch.OutOfMemoryError: it has no room for a single one.
            RuntimeError: the network cannot be recorded.
        """
        self._whole = whole  # a recording knows the addresses of the weights, and does not keep them
        self._plays: dict[int, tuple[Callable[[], None], Tensor]] = {}
        left = sorted(set(buckets), reverse=True)
        while True:
            try:
                self._input = torch.zeros((left[0], *picture, 3), dtype=torch.uint8, device=device)
                for size in left:
                    self._plays[size] = recorder.record(partial(whole, self._input[:size]))
                break
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error) or len(left) == 1:
                    raise
                self._plays.clear()
                self._input = torch.empty(0)
                del error  # it knows the frames, and they the memory
                recorder.forget()
                log.warning("the device has no room for %d pictures at a time", left[0])
                left = left[1:]
        self.buckets = tuple(sorted(left))
        self.most = self.buckets[-1]

    def __call__(self, pixels: Tensor) -> Tensor:
        """See `Runner`."""
        count = len(pixels)
        size = bucket_of(count, self.buckets)
        # what an earlier batch left in the rest of the bucket is looked at again, and nobody reads it
        self._input[:count].copy_(pixels)
        play, rows = self._plays[size]
        play()
        return rows[:count]


def bucket_of(count: int, buckets: Sequence[int]) -> int:
    """The smallest size that has room for so many.

    Raises:
        ValueError: there is none.
    """
    for size in buckets:
        if count <= size:
            return size
    raise ValueError(f"{count} pictures are more than {buckets[-1]} at a time")


def out_of_memory(error: BaseException | None) -> bool:
    """Whether an error, or one that it came of, says that there is no memory."""
    while error is not None:
        if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
            return True
        error = error.__cause__ or error.__context__
    return False
