"""Connections that are kept open, against a socket that says what no worker should."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from model.line import Lines
from tests.model.test_worker import folder

__all__ = ["folder"]  # a fixture

GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: 2\r\n\r\n{}"


@asynccontextmanager
async def saying(path: Path, *replies: Sequence[bytes]) -> AsyncIterator[list[bytes]]:
    """One reply after the other, each in pieces, whatever is asked; then hangs up. Yields the requests."""
    left, asked, connections = list(replies), [], []

    async def said(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)
        try:
            while left:
                asked.append(await reader.readuntil(b"\r\n\r\n"))
                for piece in left.pop(0):
                    writer.write(piece)
                    await writer.drain()
                    await asyncio.sleep(0.01)  # so that pieces arrive as such
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(said, path)
    try:
        yield asked
    finally:
        server.close()
        for writer in connections:
            writer.close()


async def test_one_connection_serves_one_question_after_the_other(folder: Path) -> None:
    lines = Lines(str(folder / "w"))
    async with asyncio.timeout(5), saying(folder / "w", [GOOD], [GOOD[:20], GOOD[20:-1], GOOD[-1:]]) as asked:
        for number in ("1", "2"):
            reply = await lines.post("/v1/identify", {"X-Number": number})
            assert (reply.status, reply.type, reply.body) == (200, "application/json", b"{}")
        assert [b"X-Number: " in each for each in asked] == [True, True]
        assert asked[0].startswith(b"POST /v1/identify HTTP/1.1\r\n")
        with pytest.raises(OSError, match=r"."):  # it has hung up: a new connection is made, and hung up on
            await lines.post("/v1/identify", {})
    lines.close()


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(
            [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"], id="chunked"
        ),
        pytest.param(
            [GOOD.replace(b"Content-Length: 2", b"Content-Length: 2\r\nContent-Length: 3")], id="two"
        ),
        pytest.param([GOOD + b"HTTP/1.1 200 OK\r\n"], id="more"),
        pytest.param([GOOD.replace(b"h: 2", b"h: 999999999999")], id="huge"),
        pytest.param([b"SSH-2.0-OpenSSH_9.6\r\n\r\n"], id="ssh"),
        pytest.param([b"HTTP/1.1 200 OK\r\nX: " + b"x" * 2**15], id="endless head"),
        pytest.param([GOOD[:-1]], id="breaks off"),
        pytest.param([], id="nothing"),
        pytest.param([GOOD.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")], id="once"),
    ],
)
async def test_what_is_not_read_ends_the_connection_and_the_next_is_answered(
    folder: Path, reply: list[bytes]
) -> None:
    lines = Lines(str(folder / "w"))
    async with asyncio.timeout(5):
        async with saying(folder / "w", reply):
            with pytest.raises(OSError, match=r"."):
                await lines.post("/v1/identify", {})
        (folder / "w").unlink(missing_ok=True)
        async with saying(folder / "w", [GOOD]):
            assert (await lines.post("/v1/identify", {})).body == b"{}"
    lines.close()


async def test_an_answer_that_nobody_waits_for_is_not_the_next_ones(folder: Path) -> None:
    lines = Lines(str(folder / "w"))
    late = GOOD.replace(b"{}", b"[]")
    async with asyncio.timeout(5), saying(folder / "w", [b"", b"", b"", late], [GOOD]):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await lines.post("/v1/identify", {})
        assert (await lines.post("/v1/identify", {})).body == b"{}"
    lines.close()


async def test_nobody_listens_and_a_header_that_would_be_two(folder: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await Lines(str(folder / "w")).post("/v1/identify", {})
    with pytest.raises(ValueError, match="end of a line"):
        await Lines(str(folder / "w")).post("/v1/identify", {"X-Fairness-Key": "a\r\nX-Keep: 1"})
