"""Asks a worker: `WorkerClient` is a `model.types.Eyes` over HTTP, on a unix socket or TCP."""

from __future__ import annotations

import asyncio
import errno
import io
import json
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from model import tracing
from model.errors import DeadlinePassed, WorkerGone
from model.reasons import Reason
from model.types import BundleInfo, Sight
from model.worker import protocol, reasons
from model.worker.options import unix_path

T = TypeVar("T")

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 1.0
_STREAMED = 2**20  # bytes; from here on a body goes out in pieces, so that the event loop is not held
_LOADING = 600.0  # seconds; a swap may have to download and build the bundle first


class WorkerClient:
    """Asks the worker at one address, over as many connections as it takes.

    A worker that does not listen, or has no model yet, is waited for until the deadline: it may be starting
    again. When the connection dies with a request in flight, that request is tried once more and no
    oftener, because it may be what the worker died of; before that a worker must be alive again, or the
    second try may end in the last moments of the first one. What the worker refuses is refused at once.
    """

    def __init__(self, address: str, *, deadline: float = 30.0) -> None:
        """Nothing is opened yet.

        Args:
            address: ``http://host:port``, ``unix:/path``, or the bare path of a unix socket.
            deadline: seconds that a request may take which names none.
        """
        if address.startswith("/"):
            address = f"unix:{address}"
        self.address = address
        self.deadline = deadline
        self._path = unix_path(address)
        self._base = "http://worker" if self._path else address.rstrip("/").replace("tcp://", "http://", 1)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def look(
        self, picture: bytes, *, fairness_key: str = "", keep: bool = False, deadline: float | None = None
    ) -> Sight:
        """Look at one encoded picture, see `model.types.Eyes`.

        Raises:
            PictureError, WorkerBusy, DeadlinePassed, WorkerGone, WorkerError: see `model.errors`.
        """
        headers = {
            protocol.REQUEST_ID: tracing.current() or tracing.new(),
            protocol.FAIRNESS_KEY: _header_safe(fairness_key),
            "Content-Type": "application/octet-stream",
        }
        if keep:
            headers[protocol.KEEP] = "1"
        reply = await self._ask(
            "POST", "/v1/identify", picture, headers, self.deadline if deadline is None else deadline
        )
        return _read(protocol.sight_from_json, reply)

    async def why(self, picture: bytes, *, character: str = "", deadline: float | None = None) -> Reason:
        """Explain one encoded picture, see `model.reasons.Explainer`.

        Raises:
            PictureError, WorkerBusy, DeadlinePassed, WorkerGone, WorkerError: see `model.errors`.
        """
        headers = {
            protocol.REQUEST_ID: tracing.current() or tracing.new(),
            reasons.CHARACTER: reasons.slug_to_header(character),
            "Content-Type": "application/octet-stream",
        }
        reply = await self._ask(
            "POST", "/v1/why", picture, headers, self.deadline if deadline is None else deadline
        )
        return _read(reasons.reason_from_json, reply)

    async def sheet(self, pictures: Sequence[bytes], *, deadline: float | None = None) -> bytes:
        """Small versions of a few encoded pictures side by side, as one JPEG.

        Raises:
            PictureError, WorkerBusy, DeadlinePassed, WorkerGone, WorkerError: see `model.errors`.
        """
        headers = {
            protocol.REQUEST_ID: tracing.current() or tracing.new(),
            reasons.SIZES: reasons.sizes_to_header(pictures),
            "Content-Type": "application/octet-stream",
        }
        seconds = self.deadline if deadline is None else deadline
        reply = await self._ask("POST", "/v1/sheet", b"".join(pictures), headers, seconds)
        return _read(reasons.sheet_from_json, reply)

    async def ready(self) -> bool:
        """Whether the worker can answer right now; never raises, never waits long."""
        try:
            async with self._connection().get(
                f"{self._base}/readyz", timeout=aiohttp.ClientTimeout(total=2)
            ) as reply:
                return reply.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    async def status(self) -> Mapping[str, Any]:
        """Bundle, level, backend and counters, as ``GET /readyz`` tells them."""
        return await self._ask("GET", "/readyz", None, {}, self.deadline)

    async def bundle(self) -> BundleInfo:
        """What the worker looks with."""
        return protocol.info_from_json(await self._ask("GET", "/v1/bundle", None, {}, self.deadline))

    async def swap(self, use: str) -> BundleInfo:
        """Have it look with another bundle.

        Raises:
            BundleError: it cannot be loaded; the old one stays.
        """
        body = json.dumps({"use": use}).encode()
        headers = {"Content-Type": "application/json"}
        return protocol.info_from_json(await self._ask("POST", "/v1/bundle", body, headers, _LOADING))

    async def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], seconds: float
    ) -> Mapping[str, Any]:
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        pause = _FIRST_PAUSE
        died = False  # with this request in flight
        alive = True  # as far as is known
        while True:
            left = max(end - loop.time(), 0.001)
            try:
                if not alive:
                    await self._once("GET", "/healthz", None, {}, left)
                    alive = True
                return await self._once(method, path, body, headers, left)
            except TimeoutError:
                raise DeadlinePassed(f"the worker did not answer within {seconds:g} s") from None
            except _WarmingError:
                gone = WorkerGone("the worker is still loading its model")
            except aiohttp.ClientConnectorError as error:
                gone = WorkerGone("no worker listens at its address")
                gone.__cause__ = error
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError, ConnectionError) as error:
                if _unsent(error):
                    gone = WorkerGone("the worker takes no more connections")
                    gone.__cause__ = error
                elif died and alive:
                    raise WorkerGone("the worker died twice with this picture") from error
                else:
                    gone = WorkerGone("the worker died and does not come back")
                    gone.__cause__ = error
                    died, alive = True, False
            if loop.time() + pause >= end:
                raise gone
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _once(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str], seconds: float
    ) -> Mapping[str, Any]:
        # the worker's own deadline comes first, so that it is the one that says so
        headers = headers | {protocol.DEADLINE: str(int(seconds * 1000))}
        data = io.BytesIO(body) if body is not None and len(body) >= _STREAMED else body
        timeout = aiohttp.ClientTimeout(total=seconds + 0.5, ceil_threshold=1e9)
        async with self._connection().request(
            method, self._base + path, data=data, headers=headers, timeout=timeout
        ) as reply:
            text = await reply.read()
            try:
                content = json.loads(text)
            except ValueError:
                content = None
            if not isinstance(content, dict):
                raise WorkerGone(f"what answers at the worker's address is no worker (HTTP {reply.status})")
            if reply.status == 503 and content.get("reason") == protocol.WARMING:
                raise _WarmingError
            if reply.status != 200:
                raise protocol.error_from_http(reply.status, content)
            return content

    def _connection(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            # a connection that was kept open may have died meanwhile, and would cost the one second try
            connector: aiohttp.BaseConnector = (
                aiohttp.UnixConnector(self._path, limit=0, force_close=True)
                if self._path
                else aiohttp.TCPConnector(limit=0, force_close=True)
            )
            self._session = aiohttp.ClientSession(connector=connector)
        return self._session


def _read(read: Callable[[Mapping[str, Any]], T], reply: Mapping[str, Any]) -> T:
    try:
        return read(reply)
    except (KeyError, TypeError, ValueError) as error:
        raise WorkerGone("what answers at the worker's address speaks another protocol") from error


def _unsent(error: Exception) -> bool:
    """Whether the worker cannot have had the whole request, so that it has not died of it.

    To asyncio a unix socket whose queue of connections is full looks connected until it is written to.
    """
    return isinstance(error, aiohttp.ClientConnectionResetError) or (
        isinstance(error, OSError) and error.errno == errno.ENOTCONN
    )


class _WarmingError(Exception):
    """It is there, but has no model yet."""


def _header_safe(key: str) -> str:
    """A fairness key as a header takes it, whatever characters a platform puts into names."""
    return key.encode("ascii", "backslashreplace").decode("ascii").replace("\r", "").replace("\n", "")[:256]
