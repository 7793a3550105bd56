"""The only module that talks to CUDA (or to ROCm, which torch has under the same names).

Not yet run on a card: there was none where it was written. What it relies on is in torch's documentation
(*CUDA semantics*: asynchronous execution, streams, pinned memory, CUDA graphs), and whatever a graph gives is
compared with the network as it is written before anybody gets an answer from it (`proving`).
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable
from functools import partial
from weakref import WeakValueDictionary

import torch
from torch import Tensor

from model.backends.torch.runners import Runner
from model.errors import DeviceLost, LevelRefused
from model.preprocess import Floats, Pixels

WARM = 3
"""Runs before one is recorded: libraries choose their kernels and take their memory in the first ones."""
_RECORDING = threading.Lock()  # one recording at a time in a process, as torch wants it
_STREAMS = 32  # of one priority that torch has
_TAKEN: WeakValueDictionary[int, CudaRecorder] = WeakValueDictionary()


def half(device: torch.device) -> torch.dtype:
    """The half precision that a card computes fast in.

    Raises:
        LevelRefused: it has none.
    """
    if torch.version.hip is not None:
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    major, _ = torch.cuda.get_device_capability(device)
    if major >= 8 and torch.cuda.is_bf16_supported(including_emulation=False):
        return torch.bfloat16
    if major >= 7:
        return torch.float16
    name = torch.cuda.get_device_name(device)
    raise LevelRefused(f"{name} computes no faster in half precision: there is no level fast on it")


def single_precision() -> None:
    """Multiply numbers of single precision as such, for the whole process: not as TF32, not reduced."""
    torch.backends.cuda.matmul.fp32_precision = "ieee"
    torch.backends.cudnn.conv.fp32_precision = "ieee"  # type: ignore[attr-defined]
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False


class CudaRecorder:
    """CUDA graphs, all recorded and played on one stream, with one pool of memory.

    Graphs of one pool may overwrite one another's results: on one stream each is played, and its result
    copied away, before the next begins. No other recorder that is in use has the same stream: torch hands out
    32 of them in turns, keeps memory for products of matrices by stream, and gives it back when a graph that
    was recorded on it ends (pytorch issue 193402).
    """

    def __init__(self, device: torch.device) -> None:
        for _ in range(_STREAMS):
            self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
            if self.stream.cuda_stream not in _TAKEN:
                break
        else:
            raise RuntimeError("every stream of this GPU is in use")
        _TAKEN[self.stream.cuda_stream] = self
        self._pool = torch.cuda.graph_pool_handle()

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """See `model.backends.torch.runners.Recorder`. The result is played on the current stream."""
        with _RECORDING, torch.inference_mode():
            self.stream.wait_stream(torch.cuda.current_stream(self.stream.device))
            with torch.cuda.stream(self.stream):
                for _ in range(WARM):
                    work()
            self.stream.synchronize()
            graph = torch.cuda.CUDAGraph()
            collecting = gc.isenabled()
            gc.disable()  # what it would free in this thread may be a bundle of before, and its graphs
            try:
                # another bundle may serve from another thread meanwhile: what that one does is no error here
                with torch.cuda.graph(
                    graph, pool=self._pool, stream=self.stream, capture_error_mode="thread_local"
                ):
                    rows = work()
            finally:
                if collecting:
                    gc.enable()
            return partial(_play, graph, self), rows

    def forget(self) -> None:
        """See `model.backends.torch.runners.Recorder`."""
        self._pool = torch.cuda.graph_pool_handle()
        torch.cuda.empty_cache()


def _play(graph: torch.cuda.CUDAGraph, recorder: CudaRecorder) -> None:
    """Whoever has a recording keeps its recorder, and with it the stream."""
    graph.replay()


class CudaSlot:
    """Pinned memory on both sides of the device, and a stream of its own for the way there."""

    def __init__(
        self,
        runner: Runner,
        most: int,
        picture: tuple[int, int],
        width: int,
        stream: torch.cuda.Stream,
        copies: torch.cuda.Stream,
    ) -> None:
        """
        Args:
            width: C + D.
            stream: the one that ``runner`` computes on.
            copies: the one that pictures are copied on meanwhile.
        """
        self._runner, self._stream, self._copies = runner, stream, copies
        self._host = torch.zeros((most, *picture, 3), dtype=torch.uint8, pin_memory=True)
        self.pixels: Pixels = self._host.numpy()
        self._there = torch.zeros((most, *picture, 3), dtype=torch.uint8, device=stream.device)
        self._rows = torch.zeros((most, width), pin_memory=True)
        self._copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
        # whoever waits for it sleeps: the processor is for the decoders
        self._done = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        # the zeros lie there before another stream writes over them
        torch.cuda.current_stream(stream.device).synchronize()

    def start(self, count: int) -> None:
        """See `model.backends.torch.lanes.Slot`."""
        with torch.inference_mode():
            try:
                with torch.cuda.stream(self._copies):
                    self._there[:count].copy_(self._host[:count], non_blocking=True)
                    self._copied.record(self._copies)
                with torch.cuda.stream(self._stream):
                    self._stream.wait_event(self._copied)
                    rows = self._runner(self._there[:count])
                    self._rows[:count].copy_(rows, non_blocking=True)
                    self._done.record(self._stream)
            except torch.AcceleratorError as error:
                raise DeviceLost(_said(error)) from error
            except BaseException:
                # the slot is used again: nothing may be reading from it any more
                self._copies.synchronize()
                self._stream.synchronize()
                raise

    def wait(self, count: int) -> Floats:
        """See `model.backends.torch.lanes.Slot`."""
        try:
            self._done.synchronize()
        except torch.AcceleratorError as error:
            raise DeviceLost(_said(error)) from error
        return self._rows[:count].numpy().copy()


def _said(error: Exception) -> str:
    """The first line: an error of a kernel is said by the next call, and by every one after it."""
    return f"the GPU has failed: {str(error).strip().partition(chr(10))[0]}"
