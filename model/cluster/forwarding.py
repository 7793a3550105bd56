"""Passes an HTTP request on from ASGI to the worker's socket, and its answer back, byte for byte.

A worker that dies with a request in flight is waited for, and asked once more and no oftener, because the
picture may be what it died of. That is what `model.client` does where it talks to a worker itself; here the
client sees one connection, which goes on.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from model.errors import ModelError, WorkerGone
from model.worker import protocol

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# RFC 9110, section 7.6.1: what is said between two ends of one connection only
_OF_ONE_CONNECTION = frozenset(
    (b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade")
) | {b"host", b"expect"}
_OF_THE_PROXY = frozenset((b"date", b"server"))  # it says these itself
_JSON = ((b"content-type", b"application/json; charset=utf-8"),)
_PAUSE = 0.05


class Left(Exception):
    """Whoever asked has gone."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer, whole."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = _JSON

    async def send(self, send: Send) -> None:
        """Say it."""
        length = (b"content-length", str(len(self.body)).encode())
        headers = [pair for pair in self.headers if pair[0] != b"content-length"] + [length]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def refused(status: int, reason: str, detail: str) -> Reply:
    """An answer in the protocol's form."""
    return Reply(status, json.dumps({"reason": reason, "detail": detail}).encode())


def refused_with(error: ModelError) -> Reply:
    """An error as the protocol says it."""
    status, body, more = protocol.error_to_http(error)
    headers = tuple((name.lower().encode(), value.encode()) for name, value in more.items())
    return Reply(status, json.dumps(body).encode(), (*_JSON, *headers))


class Body:
    """What comes in, kept until it was answered, so that it can be sent once more.

    Args:
        receive: of ASGI.
        most: bytes that are kept; a longer body is passed on, and cannot be sent again.
    """

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._kept: list[bytes] = []
        self._size = 0
        self._whole = asyncio.Event()
        self.gone = False

    @property
    def again(self) -> bool:
        """Whether it can be sent once more."""
        return self._size <= self._most

    async def pieces(self) -> AsyncIterator[bytes]:
        """All of it, from the beginning.

        Raises:
            Left: it breaks off.
        """
        for piece in list(self._kept):
            yield piece
        while not self._whole.is_set():
            message = await self._receive()
            if message["type"] == "http.disconnect":
                self.gone = True
                raise Left
            piece = bytes(message.get("body", b""))
            self._size += len(piece)
            if self.again:
                self._kept.append(piece)
            else:
                self._kept.clear()
            if not message.get("more_body", False):
                self._whole.set()
            if piece:
                yield piece

    async def left(self) -> None:
        """Return when whoever asked has gone, once the body is whole."""
        await self._whole.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.gone = True


class Forwarding:
    """To the worker at one unix socket.

    Args:
        path: of the socket.
        most: the largest picture that it takes, in bytes.
        patience: seconds for which one that died is waited for.
    """

    def __init__(self, path: str, *, most: int, patience: float) -> None:
        self._most = most
        self._patience = patience
        self._session = aiohttp.ClientSession(
            # a connection that was kept open may have died meanwhile, and would cost the one second try
            connector=aiohttp.UnixConnector(path, limit=0, force_close=True),
            timeout=aiohttp.ClientTimeout(total=None),  # the worker keeps the deadline
            auto_decompress=False,
            skip_auto_headers=("User-Agent", "Content-Type", "Accept", "Accept-Encoding"),
        )

    async def close(self) -> None:
        """Close what is open."""
        await self._session.close()

    async def answer(self, scope: Scope, receive: Receive) -> Reply:
        """The worker's answer to one request, or what there is to say in its place.

        Raises:
            Left: nobody waits for it any more.
        """
        body = Body(receive, self._most)
        asking = asyncio.ensure_future(self._asked(scope, body))
        leaving = asyncio.ensure_future(body.left())
        try:
            await asyncio.wait((asking, leaving), return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise Left
            return asking.result()
        except ModelError as error:
            return refused_with(error)
        finally:
            for task in (asking, leaving):
                task.cancel()
            await asyncio.gather(asking, leaving, return_exceptions=True)

    async def _asked(self, scope: Scope, body: Body) -> Reply:
        died = False
        while True:
            try:
                return await self._once(scope, body)
            except aiohttp.ClientConnectorError:  # it is started again: the client waits, as it would for it
                starting = refused(503, protocol.WARMING, "the worker is being started")
                return Reply(503, starting.body, (*starting.headers, (b"retry-after", b"1")))
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
                if body.gone:
                    raise Left from error
                if died:
                    raise WorkerGone("the worker died twice with this picture") from error
                if not body.again:
                    raise WorkerGone("the worker died with this picture") from error
                died = True
                await self._alive()

    async def _once(self, scope: Scope, body: Body) -> Reply:
        method = str(scope["method"])
        path = bytes(scope.get("raw_path") or str(scope["path"]).encode()).partition(b"?")[0]
        if query := scope.get("query_string"):
            path += b"?" + bytes(query)
        headers = CIMultiDict(
            (name.decode("latin-1"), value.decode("latin-1"))
            for name, value in scope["headers"]
            if name.lower() not in _OF_ONE_CONNECTION
        )
        data = body.pieces() if method not in ("GET", "HEAD") else None
        url = URL("http://worker" + path.decode("latin-1"), encoded=True)
        async with self._session.request(
            method, url, headers=headers, data=data, allow_redirects=False
        ) as reply:
            text = await reply.read()
            said = tuple(
                (name.lower(), value)
                for name, value in reply.raw_headers
                if name.lower() not in _OF_ONE_CONNECTION | _OF_THE_PROXY
            )
            return Reply(reply.status, text, said)

    async def _alive(self) -> None:
        """Wait until a worker listens again.

        Raises:
            WorkerGone: none does within the patience.
        """
        try:
            async with asyncio.timeout(self._patience):
                while True:
                    try:
                        async with self._session.get("http://worker/healthz"):
                            return
                    except (aiohttp.ClientError, OSError):
                        await asyncio.sleep(_PAUSE)
        except TimeoutError:
            raise WorkerGone("the worker died and does not come back") from None


async def lifespan(receive: Receive, send: Send) -> None:
    """Start and stop, as ASGI wants to hear it: what there is to do Ray has done."""
    while (await receive())["type"] != "lifespan.shutdown":
        await send({"type": "lifespan.startup.complete"})
    await send({"type": "lifespan.shutdown.complete"})
