"""Ten times what a worker can do, for ``WHOSTHAT_BENCH_MINUTES`` (1; the documented figures are of 5).

    WHOSTHAT_BENCH_MINUTES=5 python -m tests.bench --only overload

The worker is the real one around a stub that takes 20 ms a picture and takes them one by one, so that it can
do 50 a second whatever else the machine does. First it is asked by as many as wait for it (its best); then
requests come at ten times that rate whether answered or not, each with a body, half of them from one person
and half from 200 people of one server. Beside them two people in two other places ask twice a second each:
theirs have to be answered. Memory is the proportional set size of the worker and its children
(``smaps_rollup``), every 2 seconds. After that a desk is asked in the same way: `tests.bench.overload_desk`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np
import psutil

from model.worker import protocol
from tests.bench.console import p95
from tests.bench.overload_desk import measured as desk
from tests.bench.posting import stub_worker
from tests.bench.rows import Bench, Row

STUB = 20.0  # milliseconds
TIMES = 10
QUEUE = 64
BEST_SECONDS, WINDOW, SAMPLE = 10.0, 10.0, 2.0
CROWD = 200
QUIET_EVERY = 0.5  # seconds
BODY = bytes(60_000)
REFUSED = 503
LATE = "HTTP 504"


@dataclass
class Seen:
    """What came of the requests of one kind: when they were answered, and milliseconds."""

    answered: list[tuple[float, float]] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)


def rows(bench: Bench) -> list[Row]:
    """One run of so many minutes, and of the desk one minute."""
    minutes = float(os.environ.get("WHOSTHAT_BENCH_MINUTES") or 1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wb-")))
        flags = ("--blind", "--batch", "1", "--queue", str(QUEUE), "--cache-entries", "0")
        worker, path = stack.enter_context(stub_worker(folder, STUB, *flags))
        found = asyncio.run(_measured(worker.pid, path, 60 * minutes))
    return found + asyncio.run(desk(bench.folder, min(60.0, 60 * minutes)))


async def _measured(pid: int, path: str, seconds: float) -> list[Row]:
    connector = aiohttp.UnixConnector(path, limit=0)
    async with aiohttp.ClientSession("http://worker", connector=connector) as session:
        rate = await best(session, BEST_SECONDS)
        memory, sampling = list[tuple[float, float]](), asyncio.Event()
        watching = asyncio.create_task(_memory(pid, memory, sampling))
        seen, took = await flood(session, TIMES * rate, seconds)
        sampling.set()
        await watching
        after = await best(session, BEST_SECONDS)
    return _rows(seen, took, (rate, after), memory)


async def best(session: aiohttp.ClientSession, seconds: float) -> float:
    """Answers a second when there are always some that wait."""
    seen, loop = Seen(), asyncio.get_running_loop()
    begun = loop.time()

    async def poster(number: int) -> None:
        while loop.time() < begun + seconds:
            await _ask(session, f"best {number}", seen, begun)

    await asyncio.gather(*(poster(number) for number in range(8)))
    return len(seen.answered) / (loop.time() - begun)


async def flood(session: aiohttp.ClientSession, rate: float, seconds: float) -> tuple[dict[str, Seen], float]:
    """Requests at a rate, whether answered or not, and the quiet ones beside them."""
    seen, loop = defaultdict[str, Seen](Seen), asyncio.get_running_loop()
    begun, under_way = loop.time(), set[asyncio.Task[None]]()

    async def quiet(name: str) -> None:
        while loop.time() < begun + seconds:
            await asyncio.gather(_ask(session, name, seen["quiet"], begun), asyncio.sleep(QUIET_EVERY))

    others = [asyncio.create_task(quiet(f"place {number}|somebody")) for number in range(2)]
    for number in itertools.count():
        due = begun + number / rate
        if due > begun + seconds:
            break
        if (wait := due - loop.time()) > 0:
            await asyncio.sleep(wait)
        elif number % 50 == 0:
            await asyncio.sleep(0)  # late: the others shall not starve of it
        key = "direct|one" if number % 2 else f"server|{number // 2 % CROWD}"
        task = asyncio.create_task(_ask(session, key, seen["noisy"], begun))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    took = loop.time() - begun
    await asyncio.gather(*others, *under_way)
    return seen, took


async def _ask(session: aiohttp.ClientSession, key: str, seen: Seen, begun: float) -> None:
    headers = {protocol.FAIRNESS_KEY: key, protocol.DEADLINE: "20000"}
    asked = time.perf_counter()
    try:
        async with session.post("/v1/identify", data=BODY, headers=headers) as reply:
            took = 1000 * (time.perf_counter() - asked)
            await reply.read()
            if reply.status == 200:
                at = asyncio.get_running_loop().time() - begun
                seen.answered.append((at, 1000 * (time.perf_counter() - asked)))
            elif reply.status == REFUSED and int(reply.headers["Retry-After"]) >= 1:
                seen.refused.append(took)
            else:
                seen.failed.append(f"HTTP {reply.status}")
    except (aiohttp.ClientError, OSError, TimeoutError, KeyError) as error:
        seen.failed.append(repr(error))


async def _memory(pid: int, samples: list[tuple[float, float]], stop: asyncio.Event) -> None:
    """Seconds and MiB, until told to stop."""
    begun = time.monotonic()
    while not stop.is_set():
        mebibytes = await asyncio.to_thread(_proportional, pid)
        samples.append((time.monotonic() - begun, mebibytes))
        try:
            await asyncio.wait_for(stop.wait(), SAMPLE)
        except TimeoutError:
            continue


def _proportional(pid: int) -> float:
    """The proportional set size of a process and its children, MiB."""
    total = 0
    for each in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
        try:
            text = Path(f"/proc/{each.pid}/smaps_rollup").read_text(encoding="ascii")
        except OSError:  # it has ended meanwhile
            continue
        total += next(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total / 1024


def _rows(
    seen: dict[str, Seen], took: float, best: tuple[float, float], memory: list[tuple[float, float]]
) -> list[Row]:
    noisy, quiet = seen["noisy"], seen["quiet"]
    failed = noisy.failed + quiet.failed
    if any(each != LATE for each in failed):
        raise SystemExit(f"neither answered nor refused: {[each for each in failed if each != LATE][:5]}")
    windows = int(took // WINDOW)
    counts = [0] * windows
    for at, _ in noisy.answered + quiet.answered:
        if at < windows * WINDOW:
            counts[int(at // WINDOW)] += 1
    rates = tuple(count / WINDOW for count in counts)
    half = [sample for sample in memory if sample[0] >= took / 5]  # buffers and pools have filled
    times, sizes = np.array(half).T
    slope = float(np.polyfit(times, sizes, 1)[0] * 60)
    offered = (len(noisy.answered) + len(noisy.refused) + len(quiet.answered) + len(quiet.refused)) / took
    answered = 100 * len(quiet.answered) / (len(quiet.answered) + len(quiet.refused))
    # QUEUE is shared by all: who is let in waits for no more than are inside
    bound = f"< {1000 * QUEUE / best[0] + STUB:.0f}"
    waits, theirs = (p95([ms for _, ms in each.answered]) for each in (noisy, quiet))
    return [
        Row("answers a second, flooded", rates, "/s", best, "at its best", "≥ 0.95×", more=True),
        Row("… offered", (offered,), "/s", best, "its best", f"{TIMES}×", more=True),
        Row(
            "… let in: 95 % wait less than",
            (waits,),
            "ms",
            bound=bound,
        ),
        Row("… refused with Retry-After: 95 % within", (p95(noisy.refused),), "ms", bound="≤ 50"),
        Row("… let in and too late", (100 * len(failed) / (len(failed) + sum(counts)),), "%", bound="0"),
        Row("… the quiet ones are answered", (answered,), "%", bound="100"),
        Row(
            "… and 95 % of them wait less than",
            (theirs,),
            "ms",
            bound=bound,
        ),
        Row("… memory of the worker", tuple(mebibytes for _, mebibytes in half), "MiB"),
        Row("… grows by, a minute", (slope,), "MiB", bound="< 1"),
    ]
