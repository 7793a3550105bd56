"""Connections to a worker on this machine that are kept open, for short questions: HTTP/1.1 and nothing more.

For a question of a few headers a client for all of HTTP (redirects, cookies, proxies, packed bodies) takes as
long as the worker does to answer. Here one request is out at a time on a connection, and a reply is a status
and headers with a ``Content-Length`` (RFC 9112, section 6.2). Whatever else comes ends the connection with an
OSError: `model.client` then asks the long way.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass

_MOST_OF_A_HEAD = 2**14  # bytes
_MOST_OF_A_BODY = 2**28
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5]\d\d)[ \r]")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,12})[ \t]*(?=\r\n)")
_TYPE = re.compile(rb"\r\ncontent-type:[ \t]*([^\r\n;]*)")
_OTHER = re.compile(rb"\r\n(?:transfer-encoding|content-encoding|connection:[ \t]*close)")


@dataclass(frozen=True, slots=True)
class Reply:
    """``type`` is that of the body, in small letters and without parameters."""

    status: int
    type: str
    body: bytes


class Lines:
    """As many connections to the unix socket at ``path`` as there are questions at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: list[_Line] = []

    async def post(self, path: str, headers: Mapping[str, str]) -> Reply:
        """The reply to a request without a body.

        Raises:
            OSError: there is no connection, or none any more, or what comes back is not read here.
            ValueError: a header holds the end of a line.
        """
        lines = [f"POST {path} HTTP/1.1", "Host: worker", "Content-Length: 0"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        if any("\r" in line or "\n" in line for line in lines):
            raise ValueError("a header of a request holds the end of a line")
        line = await self._free()
        try:
            reply = await line.ask(("\r\n".join(lines) + "\r\n\r\n").encode("latin-1"))
        except BaseException:  # the answer to this one must not become the next one's
            line.close()
            raise
        if line.open:
            self._idle.append(line)
        return reply

    def close(self) -> None:
        """Close those that nobody uses."""
        idle, self._idle = self._idle, []
        for line in idle:
            line.close()

    async def _free(self) -> _Line:
        while self._idle:
            if (line := self._idle.pop()).open:
                return line
        _, line = await asyncio.get_running_loop().create_unix_connection(_Line, self._path)
        return line


class _Line(asyncio.Protocol):
    """One connection, one question at a time."""

    def __init__(self) -> None:
        self.open = False
        self._transport: asyncio.BaseTransport | None = None
        self._reply: asyncio.Future[Reply] | None = None
        self._got = b""
        self._head: tuple[int, str, int, int] | None = None  # status, type, where the body begins and ends

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self.open = transport, True

    def connection_lost(self, error: Exception | None) -> None:
        self.open = False
        self._fail(error if isinstance(error, OSError) else ConnectionResetError("the worker hung up"))

    async def ask(self, request: bytes) -> Reply:
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._reply = asyncio.get_running_loop().create_future()
        self._got, self._head = b"", None
        self._transport.write(request)
        return await self._reply

    def data_received(self, data: bytes) -> None:
        if self._reply is None:  # nobody has asked
            self.close()
            return
        self._got = self._got + data if self._got else data
        try:
            if self._head is None:
                self._head = _head(self._got)
            if self._head is None or len(self._got) < self._head[3]:
                return
            status, kind, begin, end = self._head
            if len(self._got) > end:
                raise ConnectionAbortedError("the worker says more than it was asked")
        except OSError as error:
            self._fail(error)
            self.close()
            return
        reply, self._reply = self._reply, None
        if not reply.done():
            reply.set_result(Reply(status, kind, self._got[begin:end]))
        self._got = b""

    def close(self) -> None:
        self.open = False
        if isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    def _fail(self, error: OSError) -> None:
        reply, self._reply = self._reply, None
        if reply is not None and not reply.done():
            reply.set_exception(error)


def _head(got: bytes) -> tuple[int, str, int, int] | None:
    """Status, type, where the body begins and ends; None while there is more to come."""
    end = got.find(b"\r\n\r\n", 0, _MOST_OF_A_HEAD)
    if end < 0:
        if len(got) >= _MOST_OF_A_HEAD:
            raise ConnectionAbortedError("the worker's headers do not end")
        return None
    head = got[: end + 2].lower()
    status, lengths, kind = _STATUS.match(got), _LENGTH.findall(head), _TYPE.search(head)
    if status is None or len(lengths) != 1 or int(lengths[0]) > _MOST_OF_A_BODY or _OTHER.search(head):
        raise ConnectionAbortedError("the worker's reply is not one that is read here")
    begin = end + 4
    return int(status[1]), kind[1].decode("latin-1").strip() if kind else "", begin, begin + int(lengths[0])
