"""The client against workers that die, are away, or are none."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from model.client import WorkerClient
from model.errors import BundleMissing, DeadlinePassed, PictureError, WorkerBusy, WorkerError, WorkerGone
from model.types import Eyes
from model.worker import protocol
from model.worker.options import WorkerOptions
from tests.model.test_worker import folder, running
from tests.model.worker_contract import until
from tests.standins.bundles import tiny_bundle
from tests.standins.drawings import drawing

__all__ = ["folder"]  # a fixture


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> WorkerOptions:
    models = tmp_path_factory.mktemp("models")
    tiny_bundle(models / "tiny")
    return WorkerOptions(use=str(models / "tiny"), models_dir=models)


@asynccontextmanager
async def answering(
    address: str, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> AsyncIterator[None]:
    """Something that listens where a worker should."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, address).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
def path(folder: Path) -> Iterator[str]:
    yield str(folder / "w")


async def test_over_tcp_and_over_a_unix_socket(tiny: WorkerOptions, path: str) -> None:
    for listen in ("tcp://127.0.0.1:0", f"unix:{path}"):
        async with running(replace(tiny, listen=listen)) as worker, WorkerClient(worker.url) as client:
            eyes: Eyes = client
            assert (await eyes.look(drawing("blue"), fairness_key="Zoë 🙂\r\nX: y")).answer.character == (
                "captain-america"
            )
            assert await client.ready()
            assert (await client.bundle()).id.startswith("tiny")
            with pytest.raises(BundleMissing, match="nowhere"):
                await client.swap("/nowhere")
    async with WorkerClient(path) as client:  # a bare path is one of a unix socket
        assert client.address == f"unix:{path}"


async def test_a_worker_that_starts_later_is_waited_for(tiny: WorkerOptions, path: str) -> None:
    async with WorkerClient(path) as client:
        assert not await client.ready()
        asked = asyncio.create_task(client.look(drawing("green")))
        async with running(replace(tiny, listen=f"unix:{path}")):
            assert (await asked).answer.character == "hulk"


async def test_a_worker_that_never_comes_is_waited_for_until_the_deadline(path: str) -> None:
    began = time.monotonic()
    async with WorkerClient(path) as client:
        with pytest.raises(WorkerGone, match="no worker listens"):
            await client.look(drawing(), deadline=0.5)
    assert time.monotonic() - began < 3
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        async with WorkerClient(f"http://127.0.0.1:{free.getsockname()[1]}") as client:
            with pytest.raises(WorkerGone):
                await client.look(drawing(), deadline=0.2)


@pytest.mark.parametrize("deaths", [1, 2])
async def test_a_connection_that_dies_with_the_request_in_flight_is_tried_once_more(
    path: str, deaths: int
) -> None:
    seen = 0

    async def dies(request: web.Request) -> web.StreamResponse:
        nonlocal seen
        if request.path == "/healthz":
            return web.json_response({"alive": True})
        seen += 1
        await request.read()
        if seen <= deaths:
            assert request.transport
            request.transport.abort()
            return web.Response()
        return web.json_response({"reason": "truncated", "detail": "it breaks off"}, status=422)

    async with answering(path, dies), WorkerClient(path) as client:
        with pytest.raises(PictureError if deaths == 1 else WorkerGone):
            await client.look(drawing())
    assert seen == 2


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (413, {"reason": "too-many-bytes"}, PictureError),
        (415, {"reason": "not-a-picture"}, PictureError),
        (422, {"reason": "too-slow"}, PictureError),
        (500, {"reason": "trouble", "detail": "a fault"}, WorkerError),
        (503, {"reason": "busy", "retry_after": 2.5}, WorkerBusy),
        (504, {"reason": "too-late"}, DeadlinePassed),
        (404, {"reason": "request"}, WorkerGone),
        (200, {"hello": "world"}, WorkerGone),
    ],
)
async def test_what_is_refused_is_refused_at_once(
    path: str, status: int, body: dict[str, object], error: type[Exception]
) -> None:
    asked = 0

    async def refuse(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return web.json_response(body, status=status)

    async with answering(path, refuse), WorkerClient(path) as client:
        with pytest.raises(error) as caught:
            await client.look(drawing())
    assert asked == 1
    if isinstance(caught.value, WorkerBusy):
        assert caught.value.retry_after == 2.5
    if isinstance(caught.value, PictureError):
        assert caught.value.reason == body["reason"]


async def test_a_queue_of_connections_that_is_full_is_no_death(path: str) -> None:
    """On a unix socket whose queue is full a connection looks made until something is written to it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(1)

    def serve() -> None:
        # one after the other, so that the queue is full nearly all the time
        for _ in range(10_000):
            try:
                each, _ = listener.accept()
            except OSError:
                return
            with each:
                if each.recv(65536):
                    each.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    served = asyncio.create_task(asyncio.to_thread(serve))
    try:
        async with WorkerClient(f"unix:{path}", deadline=60) as client:
            assert await asyncio.gather(*(client.status() for _ in range(200))) == [{}] * 200
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        await served


async def test_a_worker_without_a_model_yet_is_waited_for(path: str) -> None:
    asked = 0

    async def warming(_: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        if asked < 3:
            return web.json_response({"reason": "warming", "detail": "wait"}, status=503)
        return web.json_response({"id": "b", "characters": ["loki"], "names": {}, "calibration": {}})

    async with answering(path, warming), WorkerClient(path) as client:
        assert (await client.bundle()).id == "b"
        assert asked == 3
        asked = -1000
        client.deadline = 0.2
        with pytest.raises(WorkerGone, match="loading"):
            await client.bundle()


async def test_what_is_no_worker_is_said_so(path: str) -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text="<h1>It works!</h1>", content_type="text/html")

    async with answering(path, page), WorkerClient(path) as client:
        with pytest.raises(WorkerGone, match="no worker"):
            await client.look(drawing())


async def test_a_worker_that_says_nothing_is_given_up_at_the_deadline(path: str) -> None:
    async def sleeps(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with answering(path, sleeps), WorkerClient(path) as client:
        began = time.monotonic()
        with pytest.raises(DeadlinePassed):
            await client.look(drawing(), deadline=0.2)
        assert time.monotonic() - began < 3


async def test_a_question_that_is_not_answered_leaves_time_to_send_the_picture(
    tiny: WorkerOptions, path: str
) -> None:
    async with running(replace(tiny, listen=f"unix:{path}")) as worker, WorkerClient(worker.url) as client:
        sight = await client.look(drawing("green"))
    asked: list[bool] = []

    async def handler(request: web.Request) -> web.Response:
        asked.append(bool(await request.read()))
        if not asked[-1]:
            await asyncio.sleep(30)
        if float(request.headers[protocol.DEADLINE]) < 300:  # what looking takes
            status, body, _ = protocol.error_to_http(DeadlinePassed("too late"))
            return web.json_response(body, status=status)
        return web.json_response(protocol.sight_to_json(sight))

    async with answering(path, handler), WorkerClient(path) as client:
        await client.look(drawing("green"))
        for deadline in (1.0, 0.6):
            assert (await client.look(drawing("green"), deadline=deadline)).sha256 == sight.sha256
    assert asked == [True, False, True, False, True]


async def test_a_client_that_is_closed_opens_again(tiny: WorkerOptions, path: str) -> None:
    client = WorkerClient(path)
    async with running(replace(tiny, listen=f"unix:{path}")) as worker:
        assert await client.ready()
        await client.close()
        await client.close()
        assert await client.ready()
        os.kill(worker.process.pid, signal.SIGTERM)
        await worker.status(0)
        await until(lambda: not Path(path).exists())
    await client.close()
