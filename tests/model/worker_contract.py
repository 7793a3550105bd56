"""What whoever asks a worker may rely on, whatever runs it: statuses, bodies, deadlines, fairness, bundles.

`WorkerContract` is collected where it is subclassed: our own worker process, and a Ray cluster.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import gzip
import hashlib
import io
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest

from model.client import WorkerClient
from model.errors import BundleError, DeadlinePassed, PictureError, WorkerBusy
from model.types import Sight
from model.worker import protocol
from model.worker.options import WorkerOptions
from tests.model.test_decode import png
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

SLOW = 700
"""Rounds of the slow bundle: some 0.15 s a picture."""
Serving = Callable[[WorkerOptions], AbstractAsyncContextManager[str]]
"""Puts up a worker with these options, under an address that `WorkerClient` takes."""

_seeds = itertools.count(10_000)


def fresh(colour: str = "red", **how: Any) -> bytes:
    """A drawing that no worker has seen."""
    return drawing(colour, seed=next(_seeds), **how)


@contextlib.asynccontextmanager
async def http_to(url: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A plain HTTP session with a worker."""
    path = url.removeprefix("unix:")
    connector = aiohttp.UnixConnector(path) if path != url else None
    async with aiohttp.ClientSession("http://worker" if path != url else url, connector=connector) as session:
        yield session


async def connected(url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A bare connection to a worker."""
    if url.startswith("unix:"):
        return await asyncio.open_unix_connection(url.removeprefix("unix:"))
    host, port = url.removeprefix("http://").rsplit(":", 1)
    return await asyncio.open_connection(host, int(port))


async def until(condition: Callable[[], Any], seconds: float = 30) -> None:
    """Wait for something to become true, sync or async."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = condition()
        if await found if asyncio.iscoroutine(found) else found:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it did not become true in time")


async def counters(client: WorkerClient) -> dict[str, int]:
    """What was counted so far."""
    return dict((await client.status())["counters"])


async def inside(client: WorkerClient, count: int) -> bool:
    """Whether so many are admitted right now."""
    return (await counters(client))["inside"] >= count


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


class WorkerContract:
    """Subclasses have a fixture ``serving``, see `Serving`."""

    @pytest.fixture(scope="class")
    @classmethod
    def bundles(cls, tmp_path_factory: pytest.TempPathFactory) -> Path:
        """A folder with a quick bundle, a slow one, and one that sees Iron Man everywhere."""
        folder = tmp_path_factory.mktemp("contract")
        tiny_bundle(folder / "quick")
        tiny_bundle(folder / "slow", name="slow", slow=SLOW)
        tiny_bundle(folder / "biased", name="biased", bias=100.0)
        return folder

    @pytest.fixture(scope="class")
    @classmethod
    def quick(cls, bundles: Path) -> WorkerOptions:
        """Answers at once, and takes 4 MiB at most."""
        return WorkerOptions(
            use=str(bundles / "quick"), models_dir=bundles, max_bytes=4 * 2**20, decoders=1, threads=1
        )

    @pytest.fixture(scope="class")
    @classmethod
    def slow(cls, bundles: Path) -> WorkerOptions:
        """Takes its time."""
        return WorkerOptions(use=str(bundles / "slow"), models_dir=bundles, threads=1, decoders=1)

    async def test_the_reply_holds_everything_that_the_protocol_names(
        self, serving: Serving, quick: WorkerOptions
    ) -> None:
        data = fresh("red", kind="JPEG")
        async with serving(quick) as url, http_to(url) as http:
            headers = {protocol.REQUEST_ID: "r1"}
            async with http.post("/v1/identify", data=data, headers=headers) as response:
                assert response.status == 200
                assert response.content_type == "application/json"
                assert set(response.headers.getall(protocol.REQUEST_ID)) == {"r1"}
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
            async with http.get("/healthz") as response:
                assert response.status == 200
            async with http.get("/readyz") as response:
                assert (await response.json())["backend"] == "onnx"
            async with http.get("/v1/bundle") as response:
                assert "iron-man" in (await response.json())["characters"]
            async with http.get("/nowhere") as response:
                assert (response.status, (await response.json())["reason"]) == (404, "request")

    async def test_a_picture_is_looked_at_once_and_kept_when_asked(
        self, serving: Serving, quick: WorkerOptions
    ) -> None:
        data = fresh("blue", kind="JPEG", size=(1600, 1200))
        async with serving(quick) as url, WorkerClient(url) as client:
            before = await counters(client)
            first, again = await client.look(data), await client.look(data)
            assert (first.cached, again.cached) == (False, True)
            assert (again.answer, again.logits, again.embedding) == (
                first.answer,
                first.logits,
                first.embedding,
            )
            assert (again.near_key, again.width, again.stored) == (first.near_key, 1600, None)
            kept = await client.look(data, keep=True)
            assert kept.cached
            assert kept.stored_format == "webp"
            assert kept.stored
            assert kept.stored[8:12] == b"WEBP"
            once_more = await client.look(data, keep=True)
            assert once_more == replace(kept, milliseconds=once_more.milliseconds)
            other = await client.look(fresh("blue"), keep=True)
            assert not other.cached
            assert other.stored
            after = await counters(client)
        # decoded again for what is stored, but that only once
        names = ("cache hits", "cache misses", "batches", "decoded")
        assert [after[name] - before.get(name, 0) for name in names] == [3, 2, 2, 3]

    async def test_each_bad_input_gets_its_reason_and_the_next_picture_is_answered(
        self, serving: Serving, quick: WorkerOptions
    ) -> None:
        async with serving(quick) as url, WorkerClient(url) as client, http_to(url) as http:
            for name, (make, status, reason) in BAD.items():
                data = make()
                headers = {"Content-Encoding": "gzip"} if name == "packed" else {}
                async with http.post("/v1/identify", data=io.BytesIO(data), headers=headers) as response:
                    body = await response.json()
                    assert (response.status, body["reason"]) == (status, reason), name
                    assert len(body["detail"]) > len(reason), name
                with pytest.raises(PictureError) as caught:
                    await client.look(data)
                assert caught.value.reason == reason, name
                assert (await client.look(fresh("green"))).answer.character == "hulk"

    async def test_a_body_without_end_is_refused_while_it_comes_in(
        self, serving: Serving, quick: WorkerOptions
    ) -> None:
        async with serving(quick) as url:
            reader, writer = await connected(url)
            writer.write(b"POST /v1/identify HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n")

            async def endless() -> None:
                chunk = b"40000\r\n" + bytes(0x40000) + b"\r\n"
                with contextlib.suppress(ConnectionError):
                    while True:
                        writer.write(chunk)
                        await writer.drain()

            sending = asyncio.create_task(endless())
            head = await asyncio.wait_for(reader.readuntil(b"\r\n"), 30)
            assert b" 413 " in head
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
            async with WorkerClient(url) as client:
                assert (await client.look(fresh())).answer.character == "iron-man"

    async def test_fifty_at_once(self, serving: Serving, quick: WorkerOptions) -> None:
        async with serving(quick) as url, WorkerClient(url, deadline=60) as client:
            seen = await asyncio.gather(*(client.look(fresh("red", kind="JPEG")) for _ in range(50)))
        assert {one.answer.character for one in seen} == {"iron-man"}
        assert len({one.near_key for one in seen}) == 50

    async def test_why_and_a_sheet_come_through(self, serving: Serving, quick: WorkerOptions) -> None:
        async with serving(quick) as url, WorkerClient(url, deadline=60) as client:
            reason = await client.why(fresh("green"))
            assert reason.character == "hulk"
            assert reason.picture.startswith(b"\xff\xd8")
            assert (await client.sheet([fresh("green"), fresh("blue")])).startswith(b"\xff\xd8")

    async def test_a_bundle_is_swapped_under_load_without_a_failure(
        self, serving: Serving, quick: WorkerOptions, bundles: Path
    ) -> None:
        async with serving(quick) as url, WorkerClient(url, deadline=60) as client:
            before = (await client.bundle()).id
            seen: list[Sight] = []
            stop = asyncio.Event()

            async def ask() -> None:
                while not stop.is_set():
                    seen.append(await client.look(fresh("green", kind="JPEG")))

            asking = [asyncio.create_task(ask()) for _ in range(4)]
            await until(lambda: len(seen) > 20)
            info = await client.swap(str(bundles / "biased"))
            swapped = len(seen)
            await until(lambda: len(seen) > swapped + 20)
            stop.set()
            await asyncio.gather(*asking)
            assert info.id == (await client.bundle()).id != before
            assert {one.bundle for one in seen} == {before, info.id}
            assert {one.bundle for one in seen[swapped + 4 :]} == {info.id}
            for one in seen:
                assert one.answer.character == ("hulk" if one.bundle == before else "iron-man")

    async def test_a_bundle_that_does_not_load_leaves_the_old_one(
        self, serving: Serving, quick: WorkerOptions, bundles: Path
    ) -> None:
        async with serving(quick) as url, http_to(url) as http, WorkerClient(url) as client:
            before = await client.bundle()
            for use in (str(bundles / "nothing here"), "hub:nobody", ""):
                async with http.post("/v1/bundle", json={"use": use}) as response:
                    assert response.status == (409 if use else 400)
                    body = await response.json()
                    assert body["detail"]
                    assert "Traceback" not in body["detail"]
            with pytest.raises(BundleError):
                await client.swap(str(bundles / "nothing here"))
            assert await client.bundle() == before
            body = json.dumps({"use": str(bundles / "biased")})
            for headers in (  # what a page in somebody's browser can send, and what a proxy passes on
                {"Content-Type": "text/plain"},
                {"Content-Type": "application/json", "Origin": "http://evil.example"},
                {"Content-Type": "application/json", "X-Forwarded-For": "203.0.113.9"},
            ):
                async with http.post("/v1/bundle", data=body, headers=headers) as response:
                    assert response.status == 403
            assert await client.bundle() == before

    async def test_one_who_posts_much_does_not_keep_the_others_waiting(
        self, serving: Serving, slow: WorkerOptions
    ) -> None:
        async with serving(slow) as url, WorkerClient(url, deadline=120) as client:
            done: list[str] = []

            async def look(key: str) -> None:
                await client.look(fresh(), fairness_key=key)
                done.append(key)

            greedy = [asyncio.create_task(look("greedy")) for _ in range(12)]
            await until(lambda: inside(client, 10))
            await look("modest")
            assert done.count("greedy") <= 8
            await asyncio.gather(*greedy)

    async def test_what_comes_too_late_is_not_looked_at(self, serving: Serving, slow: WorkerOptions) -> None:
        async with serving(slow) as url, WorkerClient(url, deadline=120) as client, http_to(url) as http:
            before = await counters(client)
            first = [asyncio.create_task(client.look(fresh())) for _ in range(6)]
            await until(lambda: inside(client, 6))
            late = {protocol.DEADLINE: "100"}
            async with http.post("/v1/identify", data=fresh(), headers=late) as response:
                assert (response.status, (await response.json())["reason"]) == (504, "too-late")
            with pytest.raises(DeadlinePassed):
                await client.look(fresh(), deadline=0.05)
            await asyncio.gather(*first)
            after = await counters(client)
            assert (
                after["answered"] - before.get("answered", 0) == 6
            )  # those that were late are not among them
            assert (await client.look(fresh())).answer.character == "iron-man"

    async def test_work_nobody_waits_for_is_dropped(self, serving: Serving, slow: WorkerOptions) -> None:
        async with serving(slow) as url, WorkerClient(url, deadline=120) as client:
            before = await counters(client)
            async with WorkerClient(url, deadline=120) as leaving:
                gone = [asyncio.create_task(leaving.look(fresh())) for _ in range(20)]
                await until(lambda: inside(client, 20))
                for task in gone:
                    task.cancel()
                await asyncio.gather(*gone, return_exceptions=True)

            async def empty() -> bool:
                return not await inside(client, 1)

            await until(empty)
            assert (await client.look(fresh())).answer.character == "iron-man"
            after = await counters(client)
            assert after["answered"] - before.get("answered", 0) <= 15
            assert after["inside"] == 0

    async def test_when_full_it_says_when_to_come_back(self, serving: Serving, slow: WorkerOptions) -> None:
        async with (
            serving(replace(slow, queue=4, per_key=3)) as url,
            WorkerClient(url, deadline=120) as client,
            http_to(url) as http,
        ):
            greedy = [asyncio.create_task(client.look(fresh(), fairness_key="greedy")) for _ in range(3)]
            await until(lambda: inside(client, 3))
            with pytest.raises(WorkerBusy) as caught:  # one key cannot fill it
                await client.look(fresh(), fairness_key="greedy")
            assert 0 < caught.value.retry_after <= 30
            other = asyncio.create_task(client.look(fresh(), fairness_key="other"))
            await until(lambda: inside(client, 4))
            async with http.post("/v1/identify", data=fresh()) as response:  # now it is full
                body = await response.json()
                assert (response.status, body["reason"]) == (503, "busy")
                assert int(response.headers["Retry-After"]) >= 1
                assert body["retry_after"] > 0
            assert len(await asyncio.gather(*greedy, other)) == 4
            assert (await client.look(fresh())).answer.character == "iron-man"
