"""Child processes that decode pictures, so that a poisonous one takes none but itself down.

``pebble.ProcessPool`` keeps them, ends one that takes too long and starts another. Each child has a cap on
its memory, a low priority, no ear for Ctrl-C, and dies with its parent.
"""

from __future__ import annotations

import asyncio
import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as PebbleTimeout
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.context import BaseContext
from types import TracebackType
from typing import Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from model.decode import Decoded, DecodeLimits, decode, store
from model.errors import PictureError, WorkerGone
from model.preprocess import Preprocess

log = logging.getLogger(__name__)

T = TypeVar("T")

_PR_SET_PDEATHSIG = 1  # prctl(2)
_START_SECONDS = 60.0
_BEHIND = 0.25  # seconds that storing waits for a child that has nothing else to do
_PIPE = 2**20  # bytes; the most that Linux allows everybody
_PICTURES_A_CHILD = 2000  # then a fresh one, in case a library leaks


@dataclass(frozen=True, slots=True)
class DecoderOptions:
    """``children`` (0: as many as pay here), ``seconds`` a picture, ``memory`` in bytes of address space."""

    children: int = 0
    seconds: float = 10.0
    memory: int = 3 * 2**29
    limits: DecodeLimits = field(default_factory=DecodeLimits)

    @property
    def count(self) -> int:
        """At least two, so that others are still served while one picture takes its time."""
        return self.children or max(2, min(4, (os.cpu_count() or 2) // 2))


class Decoders:
    """A pool of decoding children: ``async with Decoders(options) as decoders``."""

    def __init__(self, options: DecoderOptions) -> None:
        self.options = options
        self._pool: ProcessPool | None = None
        self._given = 0  # tasks that the pool has
        self._free = asyncio.Event()
        self._storing: set[asyncio.Future[bytes]] = set()

    async def __aenter__(self) -> Self:
        self._pool = self._started()
        await self._warm()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """End the children; what they were doing is lost."""
        for storing in self._storing:
            storing.cancel()
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.to_thread(_ended, pool)

    async def decode(
        self, data: bytes, how: Preprocess, *, keep: bool = False, apart: bool = False
    ) -> Decoded:
        """Decode one picture in a child, see `model.decode.decode`.

        Raises:
            PictureError: it is not read; also *damaged* when it killed the child, *too-slow* out of time.
            WorkerGone: no child can be started.
        """
        return await self.call(_decode_here, data, self.options.limits, how, keep, apart)

    async def store(self, data: bytes, how: Preprocess) -> bytes:
        """What is stored of one picture, see `model.decode.store`; behind those who wait for `decode`.

        Raises:
            PictureError, WorkerGone: see `decode`.
        """
        with suppress(TimeoutError):  # then it is in nobody's way, or has its turn like everybody
            async with asyncio.timeout(_BEHIND):
                while self._given >= self.options.count:
                    self._free.clear()
                    await self._free.wait()
        self._given += 1
        storing = asyncio.ensure_future(self._called(_store_here, data, self.options.limits, how))
        self._storing.add(storing)
        storing.add_done_callback(self._stored)
        # cancelled, it is finished all the same: else its child would be ended, and another started
        return await asyncio.shield(storing)

    async def call(self, work: Callable[..., T | PictureError], *arguments: object) -> T:
        """Have a child do ``work``, which returns a PictureError instead of raising it.

        Raises:
            PictureError, WorkerGone: see `decode`.
        """
        self._given += 1
        try:
            return await self._called(work, *arguments)
        finally:
            self._done()

    async def _called(self, work: Callable[..., T | PictureError], *arguments: object) -> T:
        for _ in range(2):  # a pool can break for reasons that are none of this picture's
            pool = self._working()
            future = pool.schedule(work, args=arguments, timeout=self.options.seconds)
            try:
                done: T | PictureError = await asyncio.wrap_future(future)
            except PebbleTimeout:
                raise PictureError(
                    "too-slow", f"the picture was not decoded within {self.options.seconds:g} s"
                ) from None
            except ProcessExpired as error:
                log.warning("a picture killed its decoder (exit code %s)", error.exitcode)
                raise PictureError("damaged", "the picture crashed its decoder") from None
            except MemoryError:
                raise PictureError(
                    "too-many-pixels", "the picture takes more memory than there is for one"
                ) from None
            except RuntimeError as error:  # BrokenProcessPool is one
                log.warning("the decoders are started again: %s", error)
                self._broken(pool)
            else:
                if isinstance(done, PictureError):
                    raise done
                return done
        raise WorkerGone("the processes that decode pictures do not stay alive")

    def _stored(self, storing: asyncio.Future[bytes]) -> None:
        self._storing.discard(storing)
        if not storing.cancelled():
            storing.exception()  # somebody has been told, or nobody wants to know
        self._done()

    def _done(self) -> None:
        self._given -= 1
        self._free.set()

    def pids(self) -> list[int]:
        """The children's process ids."""
        return list(self._working()._pool_manager.worker_manager.workers)

    def _started(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self.options.count,
            max_tasks=_PICTURES_A_CHILD,
            initializer=_prepare_child,
            initargs=(os.getpid(), self.options.memory),
            context=_context(),
        )

    def _working(self) -> ProcessPool:
        if self._pool is None:
            raise WorkerGone("the decoders were closed")
        if not self._pool.active:
            self._broken(self._pool)
        return self._pool

    def _broken(self, pool: ProcessPool) -> None:
        """Replace a pool that broke, once."""
        if self._pool is pool:
            self._pool = self._started()
            asyncio.get_running_loop().run_in_executor(None, _ended, pool)

    async def _warm(self) -> None:
        """Wait until every child has started, so that the first picture does not."""
        pool = self._working()
        _widen(pool)
        started: set[int] = set()
        try:
            async with asyncio.timeout(_START_SECONDS):
                while len(started) < self.options.count:  # one that is quick may take several of these
                    futures = [pool.schedule(_say_hello) for _ in range(self.options.count)]
                    started.update(await asyncio.gather(*map(asyncio.wrap_future, futures)))
        except TimeoutError:
            raise WorkerGone("the processes that decode pictures do not start in time") from None
        except (ProcessExpired, RuntimeError) as error:
            raise WorkerGone(f"the processes that decode pictures do not start: {error}") from error


def _widen(pool: ProcessPool) -> None:
    """Let a whole picture into the pipes: with their usual 64 KiB each piece waits for the other side."""
    if sys.platform == "linux":
        import fcntl

        ways = pool._pool_manager.worker_manager.pool_channel
        for way in (ways.reader, ways.writer) if ways is not None else ():
            with suppress(OSError):  # all pipes of a user together have a bound, too
                fcntl.fcntl(way.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)


def _say_hello() -> int:
    time.sleep(0.01)  # leaves the next one to another child
    return os.getpid()


def _decode_here(
    data: bytes, limits: DecodeLimits, how: Preprocess, keep: bool, apart: bool
) -> Decoded | PictureError:
    """Errors are returned: one that is raised keeps its frames, and their pictures, until the next task."""
    try:
        return decode(data, limits, how, keep, apart=apart)
    except PictureError as error:
        return PictureError(error.reason, str(error))


def _store_here(data: bytes, limits: DecodeLimits, how: Preprocess) -> bytes | PictureError:
    """The same of what is stored."""
    try:
        return store(data, limits, how)
    except PictureError as error:
        return PictureError(error.reason, str(error))


def _ended(pool: ProcessPool) -> None:
    pool.stop()  # type: ignore[no-untyped-call]
    pool.join()


def start_fork_server() -> None:
    """Start what children are forked from before the first pool needs it; Linux only."""
    _context()
    from multiprocessing import forkserver

    forkserver.ensure_running()


def _context() -> BaseContext:
    """Never fork: the parent has threads. A fork server starts a replacement in milliseconds."""
    if sys.platform == "linux":
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["model.decode"])
        return context
    return multiprocessing.get_context("spawn")


def _prepare_child(ancestor: int, memory: int) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # no Python handler runs inside a decoder written in C
    if sys.platform == "linux":
        # the fork server is the parent here, and it ends when the ancestor's pipe to it closes
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            os._exit(1)
    if hasattr(os, "nice"):
        os.nice(5)
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (memory, hard))
    except (ImportError, ValueError, OSError):  # Windows has none, macOS refuses it
        pass
