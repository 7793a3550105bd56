"""The worker as a process behind a socket: what it answers, what it refuses, and how it goes."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import psutil
import pytest

from model.classifier import Output
from model.client import WorkerClient
from model.errors import PictureError, WorkerBusy, WorkerError
from model.preprocess import Preprocess
from model.types import Answer, BundleInfo, Calibration, Ranked, Sight, Verdict
from model.worker import protocol
from model.worker.batching import Batching
from model.worker.cache import Cache, Known
from model.worker.options import WorkerOptions, parse
from model.worker.queue import Admission, FairQueue
from model.worker.seat import Seat
from tests.model.test_decode import png, repeated_gif
from tests.model.test_decoders import until_gone
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

ROOT = Path(__file__).parents[2]
SLOW = 700  # rounds: some 0.15 s a picture


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


async def until(condition: Callable[[], Any], seconds: float = 10) -> None:
    """Wait for something to become true, sync or async."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if await found if asyncio.iscoroutine(found) else found:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not become true in time")


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


@pytest.fixture
async def http(worker: Running) -> AsyncIterator[aiohttp.ClientSession]:
    connector = aiohttp.UnixConnector(worker.url.removeprefix("unix:"))
    async with aiohttp.ClientSession("http://worker", connector=connector) as session:
        yield session


async def counters(client: WorkerClient) -> dict[str, int]:
    return dict((await client.status())["counters"])


# what it answers


async def test_the_reply_holds_everything_that_the_protocol_names(
    worker: Running, http: aiohttp.ClientSession
) -> None:
    data = drawing("red", kind="JPEG")
    async with http.post("/v1/identify", data=data, headers={protocol.REQUEST_ID: "r1"}) as response:
        assert response.status == 200
        assert response.headers[protocol.REQUEST_ID] == "r1"
        reply = await response.json()
    assert set(reply) == {
        *("ranked", "verdict", "known", "confidence", "character", "logits", "embedding", "near_key"),
        *("sha256", "width", "height", "bundle", "level", "milliseconds", "cached"),
        *("marks", "calibration"),
    }
    assert (reply["verdict"], reply["character"], reply["cached"]) == ("sure", "iron-man", False)
    assert reply["sha256"] == hashlib.sha256(data).hexdigest()
    assert (reply["width"], reply["height"]) == (320, 240)
    assert len(np.frombuffer(base64.b64decode(reply["embedding"]), "<f4")) == 192
    assert len(reply["logits"]) == 6
    assert 0 < reply["milliseconds"] < 10_000
    async with http.get("/healthz") as response:
        assert response.status == 200
    async with http.get("/readyz") as response:
        assert (await response.json())["backend"] == "onnx"
    async with http.get("/v1/bundle") as response:
        assert "iron-man" in (await response.json())["characters"]
    assert worker.said[-1] == f"ready {worker.url}"
    assert any(line.startswith("progress ") for line in worker.said)


async def test_a_picture_is_looked_at_once_and_kept_when_asked(worker: Running) -> None:
    data = drawing("blue", kind="JPEG", size=(1600, 1200))
    async with WorkerClient(worker.url) as client:
        first, again = await client.look(data), await client.look(data)
        assert (first.cached, again.cached) == (False, True)
        assert (again.answer, again.logits, again.embedding) == (first.answer, first.logits, first.embedding)
        assert (again.near_key, again.width, again.stored) == (first.near_key, 1600, None)
        kept = await client.look(data, keep=True)
        assert kept.cached
        assert kept.stored_format == "webp"
        assert kept.stored
        assert kept.stored[8:12] == b"WEBP"
        fresh = await client.look(drawing("blue", seed=5), keep=True)
        assert not fresh.cached
        assert fresh.stored
        counted = await counters(client)
    assert (counted["cache hits"], counted["cache misses"], counted["batches"]) == (2, 2, 2)


BAD: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "zero bytes": (lambda: b"", 415, "empty"),
    "not a picture": (lambda: b"this is a text\n" * 100, 415, "not-a-picture"),
    "truncated": (lambda: drawing(kind="JPEG")[:2000], 422, "truncated"),
    "30,000 x 30,000": (lambda: png(30_000, 30_000, rows=300), 422, "too-many-pixels"),
    "a bomb": (lambda: png(60_000, 60_000, rows=500), 422, "too-many-pixels"),
    "damaged": (lambda: bytes(drawing(kind="WEBP")[:20]) + bytes(5000), 422, "damaged"),
    "packed": (lambda: gzip.compress(bytes(100_000_000)), 415, "not-a-picture"),
    "40 MB": (lambda: drawing() + bytes(40_000_000), 413, "too-many-bytes"),
}


async def test_each_bad_input_gets_its_reason_and_the_next_picture_is_answered(
    worker: Running, http: aiohttp.ClientSession
) -> None:
    for number, (name, (make, status, reason)) in enumerate(BAD.items()):
        data = make()
        headers = {"Content-Encoding": "gzip"} if name == "packed" else {}
        async with http.post("/v1/identify", data=io.BytesIO(data), headers=headers) as response:
            body = await response.json()
            assert (response.status, body["reason"]) == (status, reason), name
            assert len(body["detail"]) > len(reason), name
        async with WorkerClient(worker.url) as client:
            with pytest.raises(PictureError) as caught:
                await client.look(data)
            assert caught.value.reason == reason, name
            assert (await client.look(drawing("green", seed=number))).answer.character == "hulk"
    assert worker.process.returncode is None


async def test_a_gif_of_two_thousand_frames_is_one_picture(quick: WorkerOptions, folder: Path) -> None:
    async with (
        running(replace(quick, listen=f"unix:{folder}/w", max_bytes=20 * 2**20)) as worker,
        WorkerClient(worker.url) as client,
    ):
        seen = await client.look(repeated_gif(2000))
        assert (seen.answer.character, seen.width) == ("hulk", 640)


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


async def test_fifty_at_once(worker: Running) -> None:
    async with WorkerClient(worker.url) as client:
        seen = await asyncio.gather(*(client.look(drawing("red", seed=n, kind="JPEG")) for n in range(50)))
    assert {one.answer.character for one in seen} == {"iron-man"}
    assert len({one.near_key for one in seen}) == 50


# when there is too much to do


async def test_when_full_it_says_when_to_come_back(slow: WorkerOptions) -> None:
    async with (
        running(replace(slow, queue=4, per_key=3)) as worker,
        WorkerClient(worker.url) as client,
        aiohttp.ClientSession(worker.url) as http,
    ):
        greedy = [asyncio.create_task(client.look(drawing(seed=n), fairness_key="greedy")) for n in range(3)]
        await until(lambda: _inside(client, 3))
        with pytest.raises(WorkerBusy) as caught:  # one key cannot fill it
            await client.look(drawing(seed=9), fairness_key="greedy")
        assert 0 < caught.value.retry_after <= 30
        other = asyncio.create_task(client.look(drawing(seed=10), fairness_key="other"))
        await until(lambda: _inside(client, 4))
        async with http.post("/v1/identify", data=drawing(seed=11)) as response:  # now it is full
            body = await response.json()
            assert (response.status, body["reason"]) == (503, "busy")
            assert int(response.headers["Retry-After"]) >= 1
            assert body["retry_after"] > 0
        assert len(await asyncio.gather(*greedy, other)) == 4
        assert (await client.look(drawing(seed=11))).answer.character == "iron-man"


async def _inside(client: WorkerClient, count: int) -> bool:
    return (await counters(client))["inside"] >= count


async def test_one_who_posts_much_does_not_keep_the_others_waiting(slow: WorkerOptions) -> None:
    async with running(slow) as worker, WorkerClient(worker.url) as client:
        done: list[str] = []

        async def look(seed: int, key: str) -> None:
            await client.look(drawing(seed=seed), fairness_key=key)
            done.append(key)

        greedy = [asyncio.create_task(look(n, "greedy")) for n in range(10)]
        await until(lambda: _inside(client, 10))
        await look(100, "modest")
        assert done.count("greedy") <= 6
        await asyncio.gather(*greedy)


async def test_what_comes_too_late_is_not_looked_at(slow: WorkerOptions) -> None:
    async with (
        running(slow) as worker,
        WorkerClient(worker.url) as client,
        aiohttp.ClientSession(worker.url) as http,
    ):
        first = [asyncio.create_task(client.look(drawing(seed=n))) for n in range(6)]
        await until(lambda: _inside(client, 6))
        late = {protocol.DEADLINE: "100"}
        async with http.post("/v1/identify", data=drawing(seed=50), headers=late) as response:
            assert (response.status, (await response.json())["reason"]) == (504, "too-late")
        await asyncio.gather(*first)
        counted = await counters(client)
        assert counted["batches"] == 6  # the late one never reached the model
        assert (await client.look(drawing(seed=51))).answer.character == "iron-man"


async def test_work_nobody_waits_for_is_dropped(slow: WorkerOptions) -> None:
    async with running(slow) as worker, WorkerClient(worker.url) as client:
        async with WorkerClient(worker.url) as leaving:
            gone = [asyncio.create_task(leaving.look(drawing(seed=n))) for n in range(20)]
            await until(lambda: _inside(client, 20))
            for task in gone:
                task.cancel()
            await asyncio.gather(*gone, return_exceptions=True)
        assert (await client.look(drawing(seed=99))).answer.character == "iron-man"
        counted = await counters(client)
        assert counted["batches"] <= 6
        assert counted["inside"] == 0


# bundles


async def test_a_bundle_is_swapped_under_load_without_a_failure(worker: Running, bundles: Path) -> None:
    async with WorkerClient(worker.url) as client:
        before = (await client.bundle()).id
        seen: list[Sight] = []
        stop = asyncio.Event()

        async def ask(start: int) -> None:
            seed = start
            while not stop.is_set():
                seen.append(await client.look(drawing("green", seed=seed, kind="JPEG")))
                seed += 4

        asking = [asyncio.create_task(ask(n)) for n in range(4)]
        await until(lambda: len(seen) > 20)
        info = await client.swap(str(bundles / "biased"))
        swapped = len(seen)
        await until(lambda: len(seen) > swapped + 20)
        stop.set()
        await asyncio.gather(*asking)
        assert info.id == (await client.bundle()).id != before
        assert {one.bundle for one in seen} == {before, info.id}
        for one in seen:
            assert one.answer.character == ("hulk" if one.bundle == before else "iron-man")
        # a picture known to the old bundle is looked at again by the new one
        assert [(await client.look(drawing("green", seed=0, kind="JPEG"))).cached for _ in "ab"] == [
            False,
            True,
        ]


async def test_a_bundle_that_does_not_load_leaves_the_old_one(
    worker: Running, http: aiohttp.ClientSession, bundles: Path
) -> None:
    async with http.get("/v1/bundle") as response:
        before = await response.json()
    for use in (str(bundles / "nothing here"), "hub:nobody", ""):
        async with http.post("/v1/bundle", json={"use": use}) as response:
            assert response.status == (409 if use else 400)
            body = await response.json()
            assert body["detail"]
            assert "Traceback" not in body["detail"]
    async with http.get("/v1/bundle") as response:
        assert await response.json() == before


async def test_a_page_in_a_browser_cannot_swap_bundles(http: aiohttp.ClientSession, bundles: Path) -> None:
    body = json.dumps({"use": str(bundles / "biased")})
    for headers in (
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json", "Origin": "http://evil.example"},
    ):
        async with http.post("/v1/bundle", data=body, headers=headers) as response:
            assert response.status == 403
    async with http.get("/nowhere") as response:
        assert response.status == 404
        assert (await response.json())["reason"] == "request"


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
        await until(lambda: _inside(client, 4))
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
    assert classifier.sizes == [4, 1, 1, 1, 1, 2]
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


def test_nothing_heavy_is_imported_by_those_who_only_ask() -> None:
    code = (
        "import sys, model.client, model.supervisor, model.near\n"
        "print([m for m in ('onnxruntime', 'torch', 'PIL', 'onnx', 'pebble') if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert out.stdout.strip() == "[]"
