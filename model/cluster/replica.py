"""One replica: keeps a worker of our own, passes requests on to it, changes its bundle. No Ray in here."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import logging
import struct
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace

from model.client import WorkerClient
from model.cluster.forwarding import (
    Body,
    Forwarding,
    Left,
    Message,
    Receive,
    Reply,
    Scope,
    Send,
    refused,
    refused_with,
)
from model.errors import ModelError, WorkerBusy, WorkerGone
from model.supervisor import WorkerSupervisor
from model.worker.guard import OPEN
from model.worker.options import SECRET, WorkerOptions, unix_path

log = logging.getLogger(__name__)

Spread = Callable[[str, str], Awaitable[None]]
"""Has every replica look with the first bundle instead of the second; BundleError when one of them cannot."""

_MOST_OF_A_SWAP = 2**16  # bytes
_PROBE_SECONDS = 20.0
_FRESH_SECONDS = 5.0
_BACK_SECONDS = 60.0


class Replica:
    """Started by the first `adopt`; `close` ends it.

    Args:
        options: of the worker; ``listen`` and ``use`` are chosen here.
        spread: tells the other replicas.
        secret: who does not send it is not answered; empty: everybody is.
    """

    def __init__(self, options: WorkerOptions, spread: Spread, *, secret: str = "") -> None:
        self._options = options
        self._wanted = f"Bearer {secret}".encode() if secret else b""
        self._spread = spread
        self._supervisor: WorkerSupervisor | None = None
        self._client: WorkerClient | None = None
        self._forwarding: Forwarding | None = None
        self._adopting = asyncio.Lock()
        self._probes = 0
        self._answered = -_FRESH_SECONDS  # when a probe was, by the clock of `time.monotonic`
        self.use = ""

    async def adopt(self, use: str) -> None:
        """Look with this bundle: it is loaded beside the one that is asked now, and then takes its place.

        Raises:
            BundleError: it cannot be loaded; the old one stays.
            WorkerGone: the worker does not start.
        """
        async with self._adopting:
            if use == self.use:
                return
            if self._supervisor is None:
                await self._start(use)
            else:
                assert self._client is not None
                await self._client.swap(use)
            self._adopted(use)

    async def healthy(self) -> None:
        """Return when the worker answers a picture that it has not seen, or has no room for one more.

        Raises:
            ModelError: it does not.
        """
        if self._client is None:
            return  # Ray asks while the first bundle is loaded
        if time.monotonic() - self._answered < _FRESH_SECONDS:
            return  # Ray asks twice at the start
        self._probes += 1
        with suppress(WorkerBusy):  # it is alive, and says so
            await self._client.look(probe(self._probes), fairness_key="health", deadline=_PROBE_SECONDS)
            self._answered = time.monotonic()

    async def close(self) -> None:
        """Finish what is in flight, and end the worker."""
        if self._client is not None:
            await self._client.close()
        if self._forwarding is not None:
            await self._forwarding.close()
        if self._supervisor is not None:
            await self._supervisor.close()

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request, as ASGI."""
        assert self._forwarding is not None
        try:
            if not self._admitted(scope):
                reply = refused(401, "secret", f"this worker answers those who send its {SECRET}")
                reply = replace(reply, headers=(*reply.headers, (b"www-authenticate", b"Bearer")))
            elif (scope["method"], scope["path"]) == ("POST", "/v1/bundle"):
                reply = await self._swap(scope, receive)
            else:
                reply = await self._forwarding.answer(scope, receive)
        except Left:
            return
        await reply.send(send)

    def _admitted(self, scope: Scope) -> bool:
        """What `model.worker.guard` does for a worker that listens itself: this one's socket is private."""
        if not self._wanted or scope["path"] in OPEN:
            return True
        given = next((value for name, value in scope["headers"] if name.lower() == b"authorization"), b"")
        return hmac.compare_digest(given, self._wanted)

    async def _swap(self, scope: Scope, receive: Receive) -> Reply:
        """What the worker says of it; when it is content, all the others get the same bundle."""
        assert self._forwarding is not None
        if not _local(scope):
            return refused(403, "forbidden", "bundles are swapped from this machine, with a JSON body")
        said = bytearray()
        async for piece in Body(receive, 0).pieces():
            said += piece
            if len(said) > _MOST_OF_A_SWAP:
                return refused(413, "request", "that is no request for a bundle")
        # a swap that has begun is finished even when whoever asked has gone
        return await asyncio.shield(asyncio.ensure_future(self._swapped(scope, bytes(said))))

    async def _swapped(self, scope: Scope, said: bytes) -> Reply:
        assert self._forwarding is not None
        async with self._adopting:
            reply = await self._forwarding.answer(scope, _said(said))
            if reply.status != 200:
                return reply
            before, use = self.use, str(json.loads(said)["use"])
            self._adopted(use)
        try:
            await self._spread(use, before)
        except ModelError as error:
            return refused_with(error)
        return reply

    async def _start(self, use: str) -> None:
        if type(asyncio.get_running_loop()).__module__.partition(".")[0] == "uvloop":
            raise WorkerGone("a replica needs RAY_USE_UVLOOP=0 among the env_vars of its runtime_env")
        options = replace(self._options, use=use, listen="")
        supervisor = await WorkerSupervisor(options, start_seconds=900.0).__aenter__()
        path = unix_path(supervisor.options.listen)
        assert path is not None
        self._supervisor, self._client = supervisor, supervisor.client()
        self._forwarding = Forwarding(path, most=options.max_bytes, patience=_BACK_SECONDS)

    def _adopted(self, use: str) -> None:
        """Note it, so that a worker that is started again begins with it."""
        assert self._supervisor is not None
        self.use = use
        self._supervisor.options = replace(self._supervisor.options, use=use)
        log.info("looking with %s", use)


def probe(number: int) -> bytes:
    """A PNG of 16 x 16 pixels, another one for each number: no cache knows it."""
    side = 16
    rows = b"".join(
        b"\0"
        + bytes(
            (7 * row + 3 * column + (number >> 8 * channel)) & 255
            for column in range(side)
            for channel in range(3)
        )
        for row in range(side)
    )

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _said(body: bytes) -> Receive:
    """A request that came whole, from somebody who never leaves."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if not messages:
            await asyncio.Event().wait()
        return messages.pop()

    return receive


def _local(scope: Scope) -> bool:
    """Whether the other end is on loopback of the proxy's machine, and speaks for itself."""
    if any(name.lower() in (b"forwarded", b"x-forwarded-for", b"via") for name, _ in scope["headers"]):
        return False
    try:
        return ipaddress.ip_address((scope.get("client") or ("",))[0]).is_loopback
    except ValueError:
        return False
