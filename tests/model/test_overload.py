"""More than a worker can do, through its real process and socket, around a stub that takes 20 ms a run.

Figures are measured by ``python -m tests.bench --only waiting overload``; here bounds are ten times as wide.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from model.client import WorkerClient
from tests.bench.console import p95
from tests.bench.overload import QUEUE, STUB, best, flood
from tests.bench.posting import posting, stub_worker


@pytest.fixture
def folder() -> Iterator[Path]:
    """Somewhere with a short path, for sockets."""
    with tempfile.TemporaryDirectory(prefix="wt-") as name:
        yield Path(name)


def session(path: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession("http://worker", connector=aiohttp.UnixConnector(path, limit=0))


async def test_where_batches_pay_they_are_found_out_to(folder: Path) -> None:
    flags = ("--blind", "--batch", "16", "--cache-entries", "0")
    with stub_worker(folder, STUB, *flags) as (_, path):
        async with session(path) as http, WorkerClient(f"unix:{path}") as client:
            await posting(http, "/v1/identify", 32, 4, lambda n: b"picture %d" % n)
            before = (await client.status())["counters"]
            taken = await posting(http, "/v1/identify", 32, 2, lambda n: b"picture %d" % n)
            after = (await client.status())["counters"]
    assert taken.rate > 1000 / STUB  # what one by one can never be
    runs = after["batches"] - before["batches"]
    assert (after["batched"] - before["batched"]) / runs > 2


async def test_ten_times_what_it_can_do(folder: Path) -> None:
    flags = ("--blind", "--batch", "1", "--queue", str(QUEUE), "--cache-entries", "0")
    with stub_worker(folder, STUB, *flags) as (_, path):
        async with session(path) as http:
            rate = await best(http, 2)
            seen, took = await flood(http, 10 * rate, 4)
            again = await best(http, 1)
    noisy, quiet = seen["noisy"], seen["quiet"]
    assert not noisy.failed
    assert not quiet.failed
    assert not quiet.refused
    assert len(quiet.answered) >= 4
    assert p95(noisy.refused) < 500
    assert len(noisy.answered) / took > rate / 10
    assert p95([ms for _, ms in noisy.answered]) < 10 * (1000 * QUEUE / rate + STUB)
    assert again > rate / 10
