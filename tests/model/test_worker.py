"""The worker as a process behind a socket: what it answers, what it refuses, and how it goes."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from model.classifier import Output
from model.client import WorkerClient
from model.errors import WorkerBusy, WorkerError
from model.preprocess import Preprocess
from model.types import Answer, BundleInfo, Calibration, Ranked, Sight, Verdict
from model.worker import protocol
from model.worker.batching import Batching
from model.worker.cache import Cache, Kept, Known
from model.worker.options import WorkerOptions, parse
from model.worker.queue import Admission, FairQueue
from model.worker.seat import Seat
from tests.model.test_decode import repeated_gif
from tests.model.test_decoders import until_gone
from tests.model.worker_contract import SLOW, Serving, WorkerContract, http_to, inside, until
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def bundles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a quick bundle, a slow one, and one that sees Iron Man everywhere."""
    folder = tmp_path_factory.mktemp("bundles")
    tiny_bundle(folder / "quick")
    tiny_bundle(folder / "slow", name="slow", slow=SLOW)
    tiny_bundle(folder / "biased", name="biased", bias=100.0)
    return folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """Somewhere with a short path, for sockets."""
    with tempfile.TemporaryDirectory(prefix="wt-") as name:
        yield Path(name)


class Running:
    """A worker process, and what it said on stdout."""

    def __init__(self, process: asyncio.subprocess.Process, said: list[str], url: str) -> None:
        self.process, self.said, self.url = process, said, url

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)

    async def status(self, code: int = 0, seconds: float = 20) -> None:
        assert await asyncio.wait_for(self.process.wait(), seconds) == code


@contextlib.asynccontextmanager
async def running(options: WorkerOptions) -> AsyncIterator[Running]:
    """Start a worker and wait until it is ready; afterwards it is gone, one way or another."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "model.worker", *options.to_arguments()),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    said: list[str] = []
    try:
        assert process.stdout
        async with asyncio.timeout(30):
            async for raw in process.stdout:
                said.append(raw.decode().strip())
                if said[-1].startswith(("ready ", "failed ")):
                    break
        yield Running(process, said, said[-1].removeprefix("ready ") if said else "")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def is_empty(folder: Path) -> bool:
    return not list(folder.iterdir())


@pytest.fixture(scope="module")
def quick(bundles: Path) -> WorkerOptions:
    return WorkerOptions(use=str(bundles / "quick"), models_dir=bundles, max_bytes=4 * 2**20)


@pytest.fixture(scope="module")
def slow(bundles: Path) -> WorkerOptions:
    return WorkerOptions(use=str(bundles / "slow"), models_dir=bundles, threads=1)


@pytest.fixture
async def worker(quick: WorkerOptions, folder: Path) -> AsyncIterator[Running]:
    async with running(replace(quick, listen=f"unix:{folder}/w")) as started:
        yield started


class TestOwnWorker(WorkerContract):
    """The contract, kept by the process that a single machine runs."""

    @pytest.fixture
    def serving(self, folder: Path) -> Serving:
        @contextlib.asynccontextmanager
        async def serving(options: WorkerOptions) -> AsyncIterator[str]:
            async with running(replace(options, listen=f"unix:{folder}/w")) as worker:
                assert worker.said[-1] == f"ready {worker.url}"
                assert any(line.startswith("progress ") for line in worker.said)
                yield worker.url

        return serving


# what it answers


async def test_a_gif_of_two_thousand_frames_is_one_picture(quick: WorkerOptions, folder: Path) -> None:
    async with (
        running(replace(quick, listen=f"unix:{folder}/w", max_bytes=20 * 2**20)) as worker,
        WorkerClient(worker.url) as client,
    ):
        seen = await client.look(repeated_gif(2000))
        assert (seen.answer.character, seen.width) == ("hulk", 640)


async def test_a_picture_that_was_asked_about_before_is_not_sent_again(
    quick: WorkerOptions, bundles: Path, folder: Path
) -> None:
    data = drawing("blue", seed=77, kind="JPEG")
    sha256 = hashlib.sha256(data).hexdigest()
    async with (
        running(replace(quick, listen=f"unix:{folder}/w")) as worker,
        WorkerClient(worker.url) as client,
        http_to(worker.url) as http,
    ):

        async def known(keep: str) -> Mapping[str, Any]:
            headers = {protocol.SHA256: sha256, protocol.KEEP: keep}
            async with http.post("/v1/identify", headers=headers) as response:
                assert response.status == 200
                return await response.json()

        assert await known("0") == protocol.UNKNOWN
        first = await client.look(data)
        assert (await known("0"))["near_key"] == first.near_key
        assert await known("1") == protocol.UNKNOWN  # nothing was stored of it
        assert (await client.look(data, keep=True)).stored
        assert (await known("1"))["stored"]
        # who does not know the form with bytes as they are is not sent it, and reads the same
        headers = {protocol.SHA256: sha256, protocol.KEEP: "1", "Accept": protocol.APART}
        async with http.post("/v1/identify", headers=headers) as response:
            assert response.content_type == protocol.APART
            apart = protocol.sight_from_json(protocol.content(protocol.APART, await response.read()))
        assert replace(apart, milliseconds=0) == replace(
            protocol.sight_from_json(await known("1")), milliseconds=0
        )
        # whatever a client remembers, another model looks again
        await client.swap(str(bundles / "biased"))
        assert await known("1") == protocol.UNKNOWN
        again = await client.look(data, keep=True)
        assert (again.cached, again.bundle == first.bundle) == (False, False)
        # a body is what counts, whatever the header says
        async with http.post(
            "/v1/identify", data=drawing("red", seed=78), headers={protocol.SHA256: sha256}
        ) as response:
            assert (await response.json())["sha256"] != sha256


async def test_too_many_bytes_are_refused_while_they_come_in(worker: Running) -> None:
    """A body without end and without a length: the refusal comes all the same, and nothing is hoarded."""
    before = psutil.Process(worker.process.pid).memory_info().rss
    reader, writer = await asyncio.open_unix_connection(worker.url.removeprefix("unix:"))
    writer.write(b"POST /v1/identify HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n")

    async def endless() -> None:
        chunk = b"40000\r\n" + bytes(0x40000) + b"\r\n"
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(chunk)
                await writer.drain()

    sending = asyncio.create_task(endless())
    head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 10)
    assert b" 413 " in head
    assert psutil.Process(worker.process.pid).memory_info().rss - before < 30 * 2**20
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    writer.close()
    async with WorkerClient(worker.url) as client:
        assert (await client.look(drawing())).answer.character == "iron-man"


# how it begins


async def test_a_start_that_fails_is_one_sentence(bundles: Path, folder: Path) -> None:
    options = WorkerOptions(use=str(bundles / "nothing here"), models_dir=bundles, listen=f"unix:{folder}/w")
    async with running(options) as worker:
        assert worker.said[-1].startswith("failed BundleMissing ")
        await worker.status(3)
    for listen in ("unix:/nowhere/at/all/w", f"unix:/tmp/{'x' * 120}", "ftp://nowhere"):
        async with running(replace(options, use=str(bundles / "quick"), listen=listen)) as worker:
            assert worker.said[-1].startswith("failed Worker"), listen
            await worker.status(3)
    assert is_empty(folder)


# how it goes


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_what_is_in_flight_is_delivered_and_nothing_is_left(
    slow: WorkerOptions, folder: Path, number: signal.Signals
) -> None:
    async with (
        running(replace(slow, listen=f"unix:{folder}/w")) as worker,
        WorkerClient(worker.url) as client,
    ):
        children = worker.children()
        asked = [asyncio.create_task(client.look(drawing(seed=n))) for n in range(4)]
        await until(lambda: inside(client, 4))
        os.kill(worker.process.pid, number)
        seen = await asyncio.gather(*asked)
        assert len(seen) == 4
        assert not await client.ready()
        await worker.status(0)
        await until_gone(children)
        assert is_empty(folder)


async def test_it_can_be_stopped_while_it_starts(quick: WorkerOptions, folder: Path) -> None:
    options = replace(quick, listen=f"unix:{folder}/w")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "model.worker", *options.to_arguments()), cwd=ROOT, stdout=subprocess.PIPE
    )
    try:
        await until(lambda: not is_empty(folder), 30)  # it listens before it has a model
        children = psutil.Process(process.pid).children(recursive=True)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 10) == 0
        await until_gone(children)
        assert is_empty(folder)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_leaves_when_whoever_started_it_does(quick: WorkerOptions, folder: Path) -> None:
    private = folder / "whosthat-x"
    private.mkdir()
    options = replace(quick, listen=f"unix:{private}/w", exit_with_parent=True)
    async with running(options) as worker:
        children = worker.children()
        assert len(children) >= 2
        assert worker.process.stdin
        worker.process.stdin.close()  # what the kernel does to the pipe of a parent that is killed
        await worker.status(0)
        await until_gone(children)
        assert not private.exists()


async def test_its_children_go_even_when_it_is_killed(worker: Running) -> None:
    children = worker.children()
    assert len(children) >= 2
    worker.process.kill()
    await until_gone(children)


# its parts


def test_options_survive_the_command_line() -> None:
    options = WorkerOptions(listen="unix:/tmp/x", queue=3, json_log=True, models_dir=Path("a b"), per_key=0)
    assert parse(options.to_arguments()) == options
    assert parse([]) == WorkerOptions()


def test_a_sight_survives_the_wire() -> None:
    answer = Answer(Verdict.UNSURE, "loki", 0.5, 0.9, (Ranked("loki", 0.5), Ranked("thor", 0.4)))
    sight = Sight(
        answer,
        (0.5, -1.0),
        (0.25, 0.5),
        "00" * 32,
        "ab",
        3,
        4,
        "b",
        "exact",
        1.5,
        True,
        b"x",
        "webp",
        b"marks",
        Calibration(sure=0.7, known=0.3),
    )
    assert protocol.sight_from_json(json.loads(json.dumps(protocol.sight_to_json(sight)))) == sight
    for each in (sight, replace(sight, stored=None, stored_format=""), replace(sight, stored=b"")):
        assert protocol.sight_from_json(protocol.content(protocol.APART, protocol.sight_apart(each))) == each
    assert protocol.content(protocol.APART, b"") is None
    assert protocol.content("application/json", b"<html>") is None
    info = BundleInfo("b", ("loki", "thor"), Calibration(sure=0.7), {"loki": "Loki"})
    assert protocol.info_from_json(json.loads(json.dumps(protocol.info_to_json(info)))) == info


async def test_lines_take_turns() -> None:
    queue: FairQueue[str] = FairQueue()
    for item in ("a1", "a2", "a3", "b1", "c1", "c2"):
        queue.put(item[0], item)
    queue.discard("c", "c1")
    queue.discard("x", "never there")
    assert [await queue.get() for _ in range(5)] == ["a1", "b1", "c2", "a2", "a3"]
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put("z", "z1")
    assert await asyncio.wait_for(waiting, 1) == "z1"
    assert len(queue) == 0


class Fussy:
    """A classifier for which batches pay, and which cannot stand white pictures."""

    info = BundleInfo("fussy", ("loki", "thor"))
    level = "exact"
    backend = "none"
    preprocess = Preprocess(height=4, width=4)

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, pixels: np.ndarray) -> Output:
        self.sizes.append(len(pixels))
        if (pixels == 255).any():
            raise RuntimeError("white")
        mean = pixels.reshape(len(pixels), -1).mean(1, dtype=np.float32)[:, None]
        return Output(np.hstack([mean, -mean]), mean)


async def test_batches_are_made_where_they_pay_and_a_poison_picture_fails_alone() -> None:
    counters: Counter[str] = Counter()
    classifier = Fussy()
    seat = Seat(classifier, counters, Batching(4, size=4))
    with seat:
        values = [10, 20, 255, 40, 50, 60]
        looks = [seat.look(np.full((4, 4, 3), value, np.uint8), lambda: True) for value in values]
        unwanted = seat.look(np.zeros((4, 4, 3), np.uint8), lambda: False)
        *seen, dropped = await asyncio.gather(*looks, unwanted, return_exceptions=True)
    for value, one in zip(values, seen, strict=True):
        if value == 255:
            assert isinstance(one, WorkerError)
        else:
            assert not isinstance(one, BaseException)
            assert one[0].tolist() == [value, -value]
    assert isinstance(dropped, asyncio.CancelledError)
    assert counters["dropped"] == 1
    assert max(classifier.sizes) <= 4
    assert 6 <= sum(classifier.sizes) <= 6 + 4  # those beside the poison are looked at twice
    await seat.close()


def test_admission_counts_keys_and_bytes() -> None:
    door = Admission(total=3, per_key=2, most_bytes=100)
    with door.enter("a") as ticket, door.enter("a"):
        with pytest.raises(WorkerBusy), door.enter("a"):
            pass
        ticket.hold(90)
        with door.enter("b") as other:
            with pytest.raises(WorkerBusy):
                other.hold(20)
            with pytest.raises(WorkerBusy), door.enter("c"):
                pass
        assert len(door) == 2
    assert (len(door), door.bytes) == (0, 0)


def test_the_cache_forgets_the_oldest_first_and_counts() -> None:
    known = Known(np.zeros(10, np.float32), np.zeros(100, np.float32), "00" * 32, 1, 1)
    cache = Cache(entries=2, most_bytes=10_000)
    keys = [(name, "bundle", "exact") for name in "abc"]
    cache.put(keys[0], known)
    cache.put(keys[1], known)
    assert cache.get(keys[0])
    cache.put(keys[2], known)
    assert cache.get(keys[1]) is None
    assert cache.get((keys[0][0], "another bundle", "exact")) is None
    assert (cache.hits, cache.misses, len(cache)) == (1, 2, 2)
    cache.put(keys[2], known)
    assert cache.bytes == 2 * known.bytes
    small = Cache(entries=100, most_bytes=known.bytes * 3)
    for name in range(10):
        small.put((str(name), "b", "e"), known)
    assert len(small) == 3


def test_what_was_stored_is_kept_within_its_bytes_the_latest_longest() -> None:
    kept = Kept(100)
    kept.put("a", bytes(40))
    kept.put("b", bytes(40))
    assert kept.get("a") == bytes(40)
    kept.put("c", bytes(40))  # b is the one that nobody has asked for
    assert [kept.get(sha256) is not None for sha256 in "abc"] == [True, False, True]
    kept.put("a", bytes(50))
    assert kept.bytes == 90
    kept.put("d", bytes(101))
    assert (kept.bytes, kept.get("d")) == (0, None)


def test_nothing_heavy_is_imported_by_those_who_only_ask() -> None:
    code = (
        "import sys, model.client, model.supervisor, model.near\n"
        "print([m for m in ('onnxruntime', 'torch', 'PIL', 'onnx', 'pebble') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == "[]"
