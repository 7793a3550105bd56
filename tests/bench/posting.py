"""Posters: so many at a time, each with its next request when it has the last answer, connections kept."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import psutil

from tests.bench.rows import ROOT, environ
from tests.bench.starting import until_line

STEP_SECONDS = 30.0


@dataclass
class Taken:
    """What came of it: the milliseconds of every answer, and the answers in a second."""

    milliseconds: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers a second."""
        return len(self.milliseconds) / self.seconds


async def posting(
    session: aiohttp.ClientSession, path: str, clients: int, seconds: float, body: Callable[[int], bytes]
) -> Taken:
    """Ask for so long; every answer has to be one. ``body`` gives the bytes of the n-th request."""
    loop, taken, numbers = asyncio.get_running_loop(), Taken(), itertools.count()
    begun = loop.time()

    async def client() -> None:
        while loop.time() < begun + seconds:
            asked = time.perf_counter()
            async with session.post(path, data=body(next(numbers))) as reply:
                await reply.read()
                if reply.status != 200:
                    raise SystemExit(f"HTTP {reply.status} from {path}")
            taken.milliseconds.append(1000 * (time.perf_counter() - asked))

    await asyncio.gather(*(client() for _ in range(clients)))
    taken.seconds = loop.time() - begun
    return taken


@contextmanager
def process(*command: str, ready: str = "ready", until: bool = True) -> Iterator[subprocess.Popen[str]]:
    """A module of this package in a process of its own, once it has said that it is ready."""
    started = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=ROOT,
        env=environ(),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        if until:
            until_line(started, ready)
        yield started
    finally:
        # its children first: some servers leave them behind
        for each in psutil.Process(started.pid).children(recursive=True) if not until else ():
            each.kill()
        started.terminate()
        try:
            started.wait(timeout=20)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
        for stream in (started.stdin, started.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def stub_worker(
    folder: Path, milliseconds: float, *flags: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The worker around a stub that takes so long: its process, and its socket's path."""
    path = str(folder / "w")
    command = ("tests.bench.stub", str(milliseconds), *flags, "--listen", f"unix:{path}")
    with process(*command) as started:
        yield started, path


async def until_answered(session: aiohttp.ClientSession, path: str, body: bytes) -> None:
    """A server that does not say when it is ready is asked until it answers."""
    async with asyncio.timeout(STEP_SECONDS):
        while True:
            try:
                async with session.post(path, data=body) as reply:
                    if reply.status == 200:
                        return
                    if reply.status < 500:
                        raise SystemExit(f"HTTP {reply.status}: {await reply.text()}")
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(0.1)
