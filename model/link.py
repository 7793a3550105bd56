"""One worker at one address: a single try, and what came of it.

What goes wrong on the way is told apart by what it means for the request: it was never sent (another worker
may be asked), it was in flight when the connection died (it may be what the worker died of), or whatever
answers there cannot be used as it is set up, which waiting does not mend.
"""

from __future__ import annotations

import asyncio
import errno
import io
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from model.errors import PictureError, WorkerGone, WorkerMisconfigured
from model.line import Lines
from model.trust import distrust
from model.worker import protocol
from model.worker.options import unix_path

_STREAMED = 2**20  # bytes; from here on a body goes out in pieces, so that the event loop is not held
_ASKED_FIRST = 2**20  # bytes; before so much is sent the worker says whether there is room for it
_CONNECT = 3.0  # seconds; a machine that is switched off refuses nothing
_KEPT = 15.0  # seconds that a connection is kept open; servers and proxies keep it for 60 and more
_PULSE = 1.0  # seconds between two looks at whether a worker that is asked lives
_PULSE_TIMEOUT = 3.0


class Away(Exception):
    """It takes no requests right now; this one was not looked at. ``gone`` says it in a sentence."""

    def __init__(self, gone: WorkerGone) -> None:
        super().__init__(str(gone))
        self.gone = gone


class Died(Away):
    """The connection died while the request was in flight."""


class Link:
    """The way to one worker. Connections are made when they are needed.

    Over TCP they are kept open between requests, which saves the handshakes of TLS; a unix socket's are not
    worth it. ``in_flight`` counts what is under way, ``bundle`` is what it last answered with.
    """

    def __init__(self, address: str, *, secret: str = "", tls: ssl.SSLContext | None = None) -> None:
        self.address = f"unix:{address}" if address.startswith("/") else address.rstrip("/")
        self.in_flight = 0
        self.bundle = ""
        self._path = unix_path(self.address)
        self._base = "http://worker" if self._path else self.address.replace("tcp://", "http://", 1)
        self._headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        self._tls = tls
        self._lines = Lines(self._path) if self._path else None
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._waiting: dict[asyncio.Timeout, float] = {}  # since when
        self._pulse: asyncio.Task[None] | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._pulse is not None:
            self._pulse.cancel()
            self._pulse = None
        if self._lines is not None:
            self._lines.close()
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
        *,
        fresh: bool = False,
        watched: bool = False,
        kept: bool = False,
    ) -> Mapping[str, Any]:
        """One try; the reply's JSON.

        Args:
            seconds: until nobody waits any more.
            fresh: over a connection of its own, which cannot have died unnoticed.
            kept: over a connection that was kept open, on a unix socket too: for what need not arrive.
            watched: notice soon when the worker falls silent, because somebody else could be asked.

        Raises:
            Away: it was not sent.
            Died: it was, and no reply came.
            TimeoutError: no reply in time.
            ModelError: what the worker itself says.
            WorkerMisconfigured: something is there, but it cannot be asked as it is set up.
        """
        self.in_flight += 1
        try:
            # the worker's own deadline comes first, so that it is the one that says so
            async with asyncio.timeout(seconds + 0.5) as scope:
                self._waiting[scope] = time.monotonic()
                if watched and (self._pulse is None or self._pulse.done()):
                    self._pulse = asyncio.create_task(self._watch(), name="worker's pulse")
                try:
                    status, content = await self._send(method, path, body, headers, seconds, fresh, kept)
                except (aiohttp.ClientError, OSError) as error:
                    raise await self._meaning(error) from error
                finally:
                    silent = self._waiting.pop(scope) < 0
        except TimeoutError:
            if silent:
                raise Died(WorkerGone(f"the worker at {self.address} fell silent")) from None
            raise
        finally:
            self.in_flight -= 1
        return self._read(status, content)

    async def _send(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        seconds: float,
        fresh: bool,
        kept: bool,
    ) -> tuple[int, Any]:
        sent = {**headers, **self._headers, protocol.DEADLINE: str(int(seconds * 1000))}
        if kept and self._lines is not None and (method, body) == ("POST", None):
            said = await self._lines.post(path, sent)
            return said.status, protocol.content(said.type, said.body)
        data = io.BytesIO(body) if body is not None and len(body) >= _STREAMED else body
        async with self._session(fresh, kept).request(
            method,
            self._base + path,
            data=data,
            headers=sent,
            allow_redirects=False,
            expect100=body is not None and len(body) >= _ASKED_FIRST,
        ) as reply:
            return reply.status, protocol.content(reply.content_type, await reply.read())

    def _read(self, status: int, content: Any) -> Mapping[str, Any]:
        if status == 401:
            raise WorkerMisconfigured(
                f"the worker at {self.address} "
                + (
                    "refuses our secret: WHOSTHAT_WORKER__SECRET must be the same here and there"
                    if self._headers
                    else "wants a secret: set WHOSTHAT_WORKER__SECRET to the one that it was started with"
                )
            )
        if not isinstance(content, dict):
            if status == 413:
                raise PictureError("too-many-bytes", f"what stands before {self.address} takes no such size")
            if status in (500, 502, 503, 504):  # a proxy before it; Ray's says 500 when a replica dies
                gone = WorkerGone(f"what stands before the worker at {self.address} says HTTP {status}")
                raise Away(gone) if status == 503 else Died(gone)
            raise WorkerMisconfigured(f"what answers at {self.address} is no worker (HTTP {status})")
        if status == 503 and content.get("reason") == protocol.WARMING:
            raise Away(WorkerGone(f"the worker at {self.address} is still loading its model"))
        if status != 200:
            error = protocol.error_from_http(status, content)
            if type(error) is WorkerGone:
                raise WorkerMisconfigured(f"what answers at {self.address} is no worker (HTTP {status})")
            raise error
        if isinstance(bundle := content.get("bundle") or content.get("id"), str):
            self.bundle = bundle
        return content

    async def _meaning(self, error: aiohttp.ClientError | OSError) -> Exception:
        """What a failed try says of the worker and of the request."""
        match error:
            case aiohttp.ClientConnectorCertificateError():
                return WorkerMisconfigured(distrust(self.address, error.certificate_error))
            case aiohttp.ClientConnectorSSLError():
                return WorkerMisconfigured(
                    f"what listens at {self.address} does not speak TLS as we do: start the worker with "
                    "--cert and --key, or write http:// in worker.url"
                )
            case aiohttp.ClientConnectorDNSError():
                return Away(WorkerGone(f"the name of the worker at {self.address} is not known here"))
            case aiohttp.ConnectionTimeoutError():
                return Away(WorkerGone(f"the machine of the worker at {self.address} does not answer"))
            case aiohttp.ClientConnectorError():
                return Away(WorkerGone(f"no worker listens at {self.address}"))
            case aiohttp.InvalidURL():
                return WorkerMisconfigured(f"{self.address} is no address of a worker")
        if _unsent(error):
            return Away(WorkerGone(f"the worker at {self.address} takes no more connections"))
        if self._base.startswith("http://") and not self._path and await self._speaks_tls():
            return WorkerMisconfigured(
                f"the worker at {self.address} speaks TLS: write https:// in worker.url"
            )
        return Died(WorkerGone(f"the worker at {self.address} died and does not come back"))

    async def _speaks_tls(self) -> bool:
        """Whether that is why it hung up; nothing is sent to it, so nobody needs to be trusted."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        parts = urlsplit(self._base)
        try:
            async with asyncio.timeout(_CONNECT):
                _, writer = await asyncio.open_connection(parts.hostname, parts.port or 80, ssl=context)
        except (OSError, TimeoutError):
            return False
        writer.transport.abort()
        return True

    async def _watch(self) -> None:
        """While it is asked, see that it lives: a process that hangs says nothing, nor a dead machine."""
        missed = 0
        while self._waiting:
            await asyncio.sleep(_PULSE)
            now = time.monotonic()
            waiting = [scope for scope, since in self._waiting.items() if 0 <= since < now - _PULSE]
            if not waiting:
                continue
            missed = 0 if await self.alive(_PULSE_TIMEOUT) else missed + 1
            if missed > 1:
                for scope in waiting:
                    if scope in self._waiting and not scope.expired():
                        self._waiting[scope] = -1.0
                        scope.reschedule(asyncio.get_running_loop().time())
                missed = 0

    async def alive(self, seconds: float) -> bool:
        """Whether its event loop runs."""
        return await self._answers("/healthz", seconds)

    async def ready(self, seconds: float) -> bool:
        """Whether it can answer right now; never raises."""
        return await self._answers("/readyz", seconds)

    async def _answers(self, path: str, seconds: float) -> bool:
        timeout = aiohttp.ClientTimeout(total=seconds, ceil_threshold=1e9)
        try:
            async with self._session(True).get(
                self._base + path, headers=self._headers, timeout=timeout, allow_redirects=False
            ) as reply:
                await reply.read()
                return reply.status == 200
        except (aiohttp.ClientError, OSError, TimeoutError):
            return False

    def _session(self, fresh: bool, kept: bool = False) -> aiohttp.ClientSession:
        # a connection that was kept open may have died meanwhile, and would cost the one second try
        fresh = fresh or (bool(self._path) and not kept)
        session = self._sessions.get(fresh)
        if session is None or session.closed:
            connector: aiohttp.BaseConnector
            how: dict[str, Any] = {"force_close": True} if fresh else {"keepalive_timeout": _KEPT}
            if self._path:
                connector = aiohttp.UnixConnector(self._path, limit=0, **how)
            else:
                connector = aiohttp.TCPConnector(limit=0, ssl=self._tls or True, **how)
            session = aiohttp.ClientSession(
                connector=connector,
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT, ceil_threshold=1e9),
            )
            self._sessions[fresh] = session
        return session


def _unsent(error: Exception) -> bool:
    """Whether the worker cannot have had the whole request, so that it has not died of it.

    To asyncio a unix socket whose queue of connections is full looks connected until it is written to.
    """
    return isinstance(error, aiohttp.ClientConnectionResetError) or (
        isinstance(error, OSError) and error.errno == errno.ENOTCONN
    )
