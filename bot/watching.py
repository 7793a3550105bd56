"""Seen from outside: ``/metrics`` for Prometheus, ``/healthz`` and ``/readyz`` for whatever restarts a bot.

``/healthz`` answers while the event loop runs. ``/readyz`` is 200 when every part is in order, else 503, both
with a JSON object that says for each part what is wrong with it (nothing: empty). What it finds holds for a
second, so that asking often costs nothing. ``/metrics`` has the counts of this process and, where the worker
is on this machine behind a Unix socket, those of the worker, fetched within `WORKER_SECONDS`.
"""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import logging
import os
import time
from collections.abc import Awaitable, Callable
from functools import partial

import aiohttp
from aiohttp import hdrs, web
from yarl import URL

from bot.errors import StartError
from bot.metrics import Metrics
from bot.words import words
from model.worker.options import unix_path

log = logging.getLogger(__name__)

Check = Callable[[], Awaitable[str]]
"""What is wrong in one sentence; empty when nothing is."""

ENDED, NOT_CONNECTED, NO_UPDATES = "ended, see the log", "not connected", "no updates"
"""What may be wrong with a platform; an error's name may follow."""

CHECK_SECONDS = 3.0  # more than a client of the worker takes to find out
WORKER_SECONDS = 1.0
FRESH_SECONDS = 1.0
REVIEW_SECONDS = 15.0
MOST_BYTES = 1 << 20
"""Of a worker's metrics; they have some 10 KB."""
WORKER_NAMES = "whosthat_worker_"
FORWARDED = ("Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Real-IP")
"""Headers by which a proxy betrays itself."""
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Watch:
    """Knows how every part is, and shows it.

    Args:
        metrics: what this process counts.
        token: whoever sends it as ``Authorization: Bearer`` may read ``/metrics``; empty: this machine may.
        enabled: whether there are ``/metrics`` at all.
    """

    def __init__(self, metrics: Metrics, token: str = "", *, enabled: bool = True) -> None:
        self.metrics = metrics
        self._token = token
        self._enabled = enabled
        self._checks: dict[str, Check] = {"start": self._starting}
        self._started = False
        self._found: dict[str, str] = {}
        self._looked = -FRESH_SECONDS
        self._looking = asyncio.Lock()
        self._worker: Callable[[], Awaitable[str]] | None = None
        self._waiting: Callable[[], Awaitable[int]] | None = None
        self._counted = -REVIEW_SECONDS

    def started(self) -> None:
        """Everything has begun."""
        self._started = True
        self._looked = -FRESH_SECONDS

    async def _starting(self) -> str:
        return "" if self._started else "under way"

    def check(self, part: str, check: Check) -> None:
        """From now on that part belongs to being ready."""
        self._checks[part] = check
        self._looked = -FRESH_SECONDS

    def with_worker(self, address: str) -> None:
        """The metrics of the worker at that address are shown as well."""
        self._worker = partial(fetched, address)

    def with_review(self, waiting: Callable[[], Awaitable[int]]) -> None:
        """How many cases wait for a moderator is shown as well."""
        self._waiting = waiting

    def routes(self) -> list[web.RouteDef]:
        """What is served beside the page, or by a server of its own."""
        shown = [web.get("/metrics", self.show)] if self._enabled else []
        return [web.get("/readyz", self.ready), *shown]

    async def trouble(self) -> dict[str, str]:
        """What is wrong with each part, found out at most once a second."""
        async with self._looking:
            if time.monotonic() - self._looked >= FRESH_SECONDS:
                names = list(self._checks)
                found = await asyncio.gather(*(_found(self._checks[name]) for name in names))
                self._found = dict(zip(names, found, strict=True))
                self._looked = time.monotonic()
                self.metrics.parts(self._found)
            return self._found

    async def ready(self, _: web.Request) -> web.Response:
        """``GET /readyz``"""
        found = await self.trouble()
        ready = not any(found.values())
        return web.json_response({"ready": ready, "parts": found}, status=200 if ready else 503)

    async def show(self, request: web.Request) -> web.Response:
        """``GET /metrics``"""
        if self._token:
            given = request.headers.get(hdrs.AUTHORIZATION, "").encode(errors="surrogateescape")
            if not hmac.compare_digest(given, f"Bearer {self._token}".encode()):
                return web.Response(status=401, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})
        elif not from_here(request):
            raise web.HTTPNotFound
        worker, *_ = await asyncio.gather(self._workers(), self.trouble(), self._count())
        return web.Response(text=self.metrics.text() + worker, headers={hdrs.CONTENT_TYPE: TEXT})

    async def _workers(self) -> str:
        if self._worker is None:
            return ""
        try:
            async with asyncio.timeout(WORKER_SECONDS):
                text = await self._worker()
        except Exception as error:  # the rest is worth showing all the same; /readyz says what is wrong
            log.debug("the worker's metrics were not read: %s", error)
            return ""
        return "".join(line for line in text.splitlines(keepends=True) if _is_the_workers(line))

    async def _count(self) -> None:
        if self._waiting is None or time.monotonic() - self._counted < REVIEW_SECONDS:
            return
        self._counted = time.monotonic()
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                self.metrics.review(await self._waiting())
        except Exception as error:
            log.debug("the queue of review was not counted: %s", error)


class WatchServer:
    """Serves `Watch` on a port of its own, while ``async with`` holds it.

    Raises:
        StartError: on entering, when the address cannot be listened on; one sentence naming the keys.
    """

    def __init__(self, watch: Watch, host: str, port: int) -> None:
        app = web.Application()
        app.router.add_get("/healthz", alive)
        app.add_routes(watch.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        self._host, self._port = host, port

    async def __aenter__(self) -> WatchServer:
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, self._port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise StartError(
                words()(
                    "run-metrics-no-address",
                    host=self._host,
                    port=str(self._port),
                    why=os.strerror(error.errno) if error.errno else type(error).__name__,
                )
            ) from None
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()


async def fetched(address: str) -> str:
    """The metrics of one worker.

    Args:
        address: ``unix:/path`` or ``http://host:port``.

    Raises:
        aiohttp.ClientError: there are none.
    """
    path = unix_path(address)
    connector = aiohttp.UnixConnector(path) if path else aiohttp.TCPConnector()
    async with (
        aiohttp.ClientSession("http://worker" if path else address, connector=connector) as session,
        session.get("/metrics", raise_for_status=True) as response,
    ):
        if (response.content_length or 0) > MOST_BYTES:
            raise aiohttp.ClientPayloadError("that is too much")
        return await response.text()


async def alive(_: web.Request) -> web.Response:
    """``GET /healthz``: the event loop runs."""
    return web.json_response({"status": "ok"})


def from_here(request: web.Request) -> bool:
    """Whether it comes from this machine, under its name, and through no proxy that says so."""
    peer = request.transport.get_extra_info("peername") if request.transport else None
    if not peer or any(name in request.headers for name in FORWARDED):
        return False
    try:
        named = URL.build(scheme="http", authority=request.host).host in LOOPBACK_NAMES
        return named and ipaddress.ip_address(peer[0]).is_loopback
    except ValueError:
        return False


def _is_the_workers(line: str) -> bool:
    """Whether a line is of a metric that only a worker has, so that nothing else can slip in."""
    return line.startswith((WORKER_NAMES, f"# HELP {WORKER_NAMES}", f"# TYPE {WORKER_NAMES}"))


async def _found(check: Check) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_SECONDS:g} s"
    except Exception as error:
        return f"it cannot be asked: {type(error).__name__}"
