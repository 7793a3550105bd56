"""Several workers, each a small server that does what a test wants: which is asked, and when another is."""

from __future__ import annotations

import asyncio
import os
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from model import link
from model.client import WorkerClient
from model.errors import PictureError, WorkerBusy, WorkerError, WorkerGone
from model.link import Link
from model.routes import Routes, key_of

BROKEN = {"reason": "truncated", "detail": "it breaks off"}
BUSY = {"reason": "busy", "retry_after": 3.0}
FAULT = {"reason": "trouble", "detail": "a fault"}
Does = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """``does`` what it is told when it is asked for a model or a picture; ``asked`` counts paths."""

    def __init__(self, does: Does) -> None:
        self.does = does
        self.asked: Counter[str] = Counter()
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path] += 1
        if request.path not in ("/v1/bundle", "/v1/identify"):
            return web.json_response({"bundle": "b"})
        return await self.does(request)


def says(body: dict[str, Any], status: int = 200) -> Does:
    async def does(_: web.Request) -> web.StreamResponse:
        return web.json_response(body, status=status)

    return does


async def dies(request: web.Request) -> web.StreamResponse:
    """It took the request, and hangs up."""
    assert request.transport
    request.transport.abort()
    return web.Response()


@asynccontextmanager
async def servers(*does: Does) -> AsyncIterator[tuple[list[Server], WorkerClient]]:
    async with AsyncExitStack() as stack:
        found = []
        for each in does:
            server = Server(each)
            app = web.Application()
            app.router.add_route("*", "/{path:.*}", server.handle)
            runner = web.AppRunner(app, shutdown_timeout=0.1, handler_cancellation=True)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            found.append(server)
        client = await stack.enter_async_context(WorkerClient([each.url for each in found], deadline=20))
        yield found, client


async def post(client: WorkerClient) -> None:
    """Another picture each time, which a worker that is well has looked at: it is none."""
    with pytest.raises(PictureError):
        await client.look(os.urandom(16))


def asked(found: list[Server]) -> list[int]:
    return [each.asked["/v1/identify"] for each in found]


@pytest.mark.parametrize(
    "trouble", [says(BUSY, 503), says(FAULT, 500), dies, says({"reason": "warming"}, 503), says({}, 404)]
)
async def test_what_one_does_not_do_another_does(trouble: Does) -> None:
    async with servers(trouble, says(BROKEN, 422)) as (found, client):
        for _ in range(12):
            await post(client)
        assert asked(found)[0] <= 4  # it is left alone, or asked last
        assert asked(found)[1] == 12


@pytest.mark.parametrize(
    ("trouble", "error"),
    [(says(BUSY, 503), WorkerBusy), (says(FAULT, 500), WorkerError), (dies, WorkerGone)],
)
async def test_a_request_is_tried_twice_and_no_oftener(trouble: Does, error: type[Exception]) -> None:
    async with servers(trouble, trouble, trouble) as (found, client):
        with pytest.raises(error):
            await client.look(b"a picture")
        assert sum(asked(found)) == 2
        assert max(asked(found)) == 1


async def test_a_worker_that_falls_silent_is_left_for_another(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(link, "_PULSE", 0.1)
    monkeypatch.setattr(link, "_PULSE_TIMEOUT", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as hanging:  # as a stopped process: nothing takes connections
        async with servers(says(BROKEN, 422)) as (found, _):
            urls = [f"http://127.0.0.1:{hanging.getsockname()[1]}", found[0].url]
            async with WorkerClient(urls, deadline=30) as client, asyncio.timeout(20):
                while "fell silent" not in caplog.text:
                    await post(client)
                await post(client)


async def test_one_that_is_back_is_asked_again() -> None:
    async with servers(dies, says(BROKEN, 422)) as (found, client), asyncio.timeout(20):
        while not asked(found)[0]:
            await post(client)
        found[0].does = found[1].does
        while asked(found)[0] < 3:
            await post(client)


async def test_the_same_picture_goes_to_the_same_worker_and_none_gets_too_much() -> None:
    routes = Routes([Link(f"http://{name}:1") for name in "abcd"])
    pictures = [key_of(f"picture {number}".encode()) for number in range(400)]
    first = [routes.choose(key) for key in pictures]
    assert first == [routes.choose(key) for key in pictures]
    counts = Counter(each.address for each in first if each)
    assert len(counts) == 4
    assert min(counts.values()) > 60
    # without one of them only its pictures go elsewhere
    fewer = Routes(routes.links[:3])
    for key, before in zip(pictures, first, strict=True):
        after = fewer.choose(key)
        assert after is before or before is routes.links[3]
    # what everybody posts at once does not all wait at one
    for _ in range(40):
        chosen = routes.choose(pictures[0])
        assert chosen
        chosen.in_flight += 1
    assert max(each.in_flight for each in routes.links) <= 13
    assert key_of(b"a" * 10**6) != key_of(b"a" * (10**6 + 1)) != key_of(b"b" + b"a" * 10**6)


async def test_which_model_leads_while_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    routes = Routes([Link(f"http://{name}:1") for name in "abc"])
    for worker in routes.links:
        worker.bundle = "old"
        routes.answered(worker)
    led = []
    for worker in routes.links:
        worker.bundle = "new"
        routes.answered(worker)
        led.append(routes.leading)
    assert led == ["old", "new", "new"]
    assert "new at http://a:1; old at http://b:1, http://c:1" in caplog.text
