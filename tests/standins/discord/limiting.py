"""A rate-limit proxy before the stand-in's REST, as big bots put one before Discord: it forwards or says 429.

It counts in fixed windows, over everything (Discord's *global* limit) and for each route and channel. What it
refuses never reaches the stand-in. ``named=False``: its refusals are its own and carry no ``Via``, as those
of proxies that make them up themselves; discord.py takes such a 429 for a ban and gives the call up.
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL

from .traffic import Bucket, route_of

HOP = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-encoding", "date", "server"}
)
EARLY_SECONDS = 0.01
"""Two clocks are never quite the same."""
EXEMPT = ("/interactions/",)
"""No limit of Discord's own holds for the first answer to an interaction."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """One 429: of which bucket, and until when (monotonic) its callers were told to wait."""

    method: str
    route: str
    bucket: str
    at: float
    until: float


@dataclass
class RateLimitProxy:
    """``async with`` it; ``api_base`` is what the bot gets.

    Args:
        target: the stand-in's own ``api_base``.
        overall: calls and seconds of the global limit.
        a_route: the same for each method, route and channel.
        named: whether a refusal carries ``Via``, as all that comes from Discord does.
        at_first: so many calls are refused whatever the limits are.
    """

    target: str
    overall: tuple[int, float] = (1000, 1.0)
    a_route: tuple[int, float] = (1000, 1.0)
    named: bool = True
    at_first: int = 0
    forwarded: int = 0
    refusals: list[Refusal] = field(default_factory=list)
    impatient: list[str] = field(default_factory=list)
    """Calls that were told to wait, and came again before their time; of messages alone, which
    have their nonce: others may well be asked for twice."""

    async def __aenter__(self) -> Self:
        self._buckets: dict[str, Bucket] = {}
        self._told: dict[tuple[str, str, bytes], float] = {}
        self._session = aiohttp.ClientSession(auto_decompress=False)
        app = web.Application(client_max_size=64 << 20)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.api_base = f"http://127.0.0.1:{self._runner.addresses[0][1]}{URL(self.target).path}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        await self._session.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path.removeprefix(URL(self.target).path)
        route = route_of(path)
        major = "/".join(path.strip("/").split("/")[:2])
        body = await request.read()
        call, now = (request.method, path, body), time.monotonic()
        if request.method == "POST" and now < (told := self._told.pop(call, now)) - EARLY_SECONDS:
            self.impatient.append(f"{request.method} {route}: {told - now:.2f} s before its time")
        if not path.startswith(EXEMPT):
            for name, (most, window) in (
                (f"{request.method} {route} {major}", self.a_route),
                ("global", self.overall),
            ):
                if refused := self._over(request.method, route, name, most, window):
                    self._told[call] = self.refusals[-1].until
                    return refused
        headers = {name: value for name, value in request.headers.items() if name.lower() not in HOP}
        url = URL(str(URL(self.target).origin()) + request.rel_url.raw_path_qs, encoded=True)
        async with self._session.request(request.method, url, data=body or None, headers=headers) as answer:
            self.forwarded += 1
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in HOP}
            return web.Response(status=answer.status, body=await answer.read(), headers=kept)

    def _over(self, method: str, route: str, name: str, most: int, window: float) -> web.Response | None:
        now = time.monotonic()
        bucket = self._buckets.setdefault(name, Bucket(most, window))
        if now >= bucket.until:
            bucket.used, bucket.until = 0, now + window
        if len(self.refusals) < self.at_first:
            bucket.until = now + min(1.0, window)
        elif bucket.used < most:
            bucket.used += 1
            return None
        left, overall = bucket.until - now, name == "global"
        self.refusals.append(Refusal(method, route, name, now, bucket.until))
        headers = {
            "Content-Type": "application/json",
            "Retry-After": str(math.ceil(left)),
            "X-RateLimit-Scope": "global" if overall else "user",
            "X-RateLimit-Limit": str(most),
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Reset": f"{time.time() + left:.3f}",
            "X-RateLimit-Reset-After": f"{left:.3f}",
            "X-RateLimit-Bucket": hashlib.sha256(name.encode()).hexdigest()[:32],
        }
        headers |= {"X-RateLimit-Global": "true"} if overall else {}
        headers |= {"Via": "1.1 google"} if self.named else {"X-Generated-By": "proxy"}
        said = {"message": "You are being rate limited.", "retry_after": round(left, 3), "global": overall}
        return web.Response(status=429, body=json.dumps(said).encode(), headers=headers)
