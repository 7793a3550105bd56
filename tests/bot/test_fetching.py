"""Links of strangers: public addresses only, at the moment of connecting, redirects included."""

from __future__ import annotations

import ipaddress
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from bot.errors import FetchError
from bot.fetching import fetch_from_hosts, fetch_public
from tests.standins.drawings import drawing
from training.public_addresses import is_public

PICTURE = drawing("red")
MAX = 1 << 20


def near(address: str) -> bool:
    """A policy for tests: 127.0.0.1 stands for the public internet, the rest of loopback is private."""
    return address == "127.0.0.1"


@asynccontextmanager
async def served(host: str = "127.0.0.1") -> AsyncIterator[str]:
    asked: list[web.Request] = []

    async def picture(_: web.Request) -> web.Response:
        return web.Response(body=PICTURE, content_type="image/png")

    async def away(request: web.Request) -> web.Response:
        raise web.HTTPFound(request.query["to"])

    async def around(_: web.Request) -> web.Response:
        raise web.HTTPFound("/around")

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(64):
            await response.write(b"\0" * (1 << 16))
        return response

    async def flaky(request: web.Request) -> web.Response:
        asked.append(request)
        if len(asked) == 1:
            raise web.HTTPBadGateway
        if len(asked) == 2:
            assert request.transport
            request.transport.abort()
        return await picture(request)

    async def missing(_: web.Request) -> web.Response:
        raise web.HTTPNotFound

    app = web.Application()
    app.add_routes([web.get(f"/{f.__name__}", f) for f in (picture, away, around, endless, flaky, missing)])
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, 0).start()
    try:
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def refused(link: str, **more: object) -> str:
    with pytest.raises(FetchError) as caught:
        await fetch_public(link, MAX, **more)  # type: ignore[arg-type]
    return caught.value.reason


async def test_a_picture_is_fetched_also_behind_a_redirect() -> None:
    async with served() as url:
        assert await fetch_public(f"{url}/picture", MAX, allowed=near) == PICTURE
        assert await fetch_public(f"{url}/away?to=/picture", MAX, allowed=near) == PICTURE


async def test_a_redirect_to_a_private_address_is_refused() -> None:
    async with served() as public, served("127.0.0.2") as private:
        assert await refused(f"{public}/away?to={private}/picture", allowed=near) == "link-refused"
        assert await refused(f"{public}/away?to=file:///etc/passwd", allowed=near) == "link-refused"
        assert await refused(f"{public}/around", allowed=near) == "link-refused"


@pytest.mark.parametrize(
    "link",
    [
        "http://127.0.0.1/x",
        "http://localhost/x",
        "http://[::1]/x",
        "http://[::ffff:127.0.0.1]/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "http://10.0.0.1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://100.64.0.1/x",
        "http://0.0.0.0/x",
        "ftp://example.com/x",
        "file:///etc/passwd",
        "http://",
        "http://[",
    ],
)
async def test_private_and_odd_addresses_are_refused_without_connecting(link: str) -> None:
    assert await refused(link) in ("link-refused", "link-gone")
    assert await refused(link) != "link-slow"


def test_public_means_public() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1::1")
    for private in ("192.168.1.1", "fe80::1", "224.0.0.1", "::ffff:10.0.0.1", "fd00::1"):
        assert not is_public(private), ipaddress.ip_address(private)


async def test_too_much_gone_and_closed_have_their_reasons() -> None:
    async with served() as url:
        assert await refused(f"{url}/endless", allowed=near) == "too-many-bytes"
        assert await refused(f"{url}/missing", allowed=near) == "link-gone"
    assert await refused(f"{url}/picture", allowed=near) == "link-gone"


async def test_an_attachment_that_is_interrupted_is_fetched_again() -> None:
    async with served() as url, aiohttp.ClientSession() as session:
        host = url.removeprefix("http://")
        assert await fetch_from_hosts(session, f"{url}/flaky", [host], MAX) == PICTURE


async def test_attachments_come_from_the_listed_hosts_and_follow_nothing() -> None:
    async with served() as url, aiohttp.ClientSession() as session:
        host = url.removeprefix("http://")
        assert await fetch_from_hosts(session, f"{url}/picture?a=%2F", [host], MAX) == PICTURE
        for link, hosts in (
            (f"{url}/picture", ["cdn.discordapp.com"]),
            (f"{url}/away?to=/picture", [host]),
            (f"http://user@{host}.evil.example/picture", [host]),
            (f"ftp://{host}/picture", [host]),
        ):
            with pytest.raises(FetchError) as caught:
                await fetch_from_hosts(session, link, hosts, MAX)
            assert caught.value.reason == "link-refused", link
