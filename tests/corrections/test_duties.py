"""Duties that fall to one process of several: two real ones on one ledger, one of them killed."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from sqlalchemy import make_url, text

from corrections import duties as module
from corrections.duties import RETRAINING, SPACE, SWEEPING, Duties
from corrections.engine import create_engine
from corrections.errors import LedgerClosed, Unwritable
from corrections.ledger import Ledger
from tests.corrections.support import ON_POSTGRES
from tests.standins.postgres import running

SECONDS = 60.0


class Other:
    """A process that takes duties when it is told to."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def says(self) -> str:
        assert self.process.stdout is not None
        return (await asyncio.wait_for(self.process.stdout.readline(), SECONDS)).decode().strip()

    async def asked(self, line: str) -> str:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())
        return await self.says()


@asynccontextmanager
async def another(url: str, folder: Path) -> AsyncIterator[Other]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.corrections.duty", url, str(folder),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    other = Other(process)
    try:
        assert await other.says() == "ready"
        yield other
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def comes_free(other: Other, name: str) -> None:
    """The system lets go of what a killed process held, in its own time."""
    end = asyncio.get_running_loop().time() + SECONDS
    while await other.asked(name) != "mine":
        assert asyncio.get_running_loop().time() < end, f"{name} does not come free"


async def test_a_duty_is_one_process_s_until_it_ends(url: str, tmp_path: Path) -> None:
    await (await Ledger.open(url, tmp_path)).close()
    async with another(url, tmp_path) as first, another(url, tmp_path) as second:
        assert await first.asked(SWEEPING) == "mine"
        assert await second.asked(SWEEPING) == "theirs"
        assert await second.asked(RETRAINING) == "mine", "another duty is another's"
        assert [await first.asked(each) for each in (SWEEPING, RETRAINING)] == ["mine", "theirs"]
        assert await second.asked(f"-{RETRAINING}") == "given up"
        assert await first.asked(RETRAINING) == "mine"
        first.process.kill()  # -9, with both
        await first.process.wait()
        await comes_free(second, SWEEPING)
        await comes_free(second, RETRAINING)


async def test_of_many_who_ask_at_once_one_has_it(url: str, tmp_path: Path) -> None:
    await (await Ledger.open(url, tmp_path)).close()
    engines = [create_engine(url) for _ in range(8)]
    duties = [Duties(engine) for engine in engines]
    try:
        for _ in range(3):
            mine = await asyncio.gather(*(each.mine(SWEEPING) for each in duties))
            assert sorted(mine) == [False] * 7 + [True]
            await duties[mine.index(True)].give_up(SWEEPING)
    finally:
        for each, engine in zip(duties, engines, strict=True):
            await each.close()
            await engine.dispose()


async def test_a_closed_ledger_has_no_duties(url: str, tmp_path: Path) -> None:
    ledger, later = await Ledger.open(url, tmp_path), await Ledger.open(url, tmp_path)
    assert await ledger.duties.mine(SWEEPING)
    assert not await later.duties.mine(SWEEPING)
    await ledger.close()
    await ledger.close()
    with pytest.raises(LedgerClosed):
        await ledger.duties.mine(SWEEPING)
    assert await later.duties.mine(SWEEPING)
    await later.close()


@ON_POSTGRES
async def test_a_broken_connection_gives_the_duty_up(url: str, tmp_path: Path) -> None:
    ledger, other = await Ledger.open(url, tmp_path), await Ledger.open(url, tmp_path)
    assert await ledger.duties.mine(SWEEPING)
    running().execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid = {SPACE}"
    )
    end = asyncio.get_running_loop().time() + SECONDS
    while not await other.duties.mine(SWEEPING):
        assert asyncio.get_running_loop().time() < end, "it does not come free"
    assert not await ledger.duties.mine(SWEEPING)
    await other.close()
    assert await ledger.duties.mine(SWEEPING)
    await ledger.close()


KEEPALIVES = text(
    "SELECT current_setting('tcp_keepalives_idle'), current_setting('tcp_keepalives_interval'),"
    " current_setting('tcp_keepalives_count')"
)


@ON_POSTGRES
async def test_the_server_asks_whether_the_machine_is_still_there(url: str) -> None:
    """Read from the server's end of the connection; a socket of the same machine has none of it."""
    local = make_url(url).set(host=None, port=None).update_query_dict(
        {"host": str(running().home), "port": str(running().port)}
    )  # fmt: skip
    for each, expected in (
        (url, ("30", "10", "3")),
        (local.render_as_string(hide_password=False), ("0", "0", "0")),
    ):
        engine = create_engine(each)
        duties = Duties(engine)
        assert await duties.mine(SWEEPING)
        assert (await duties._connections[SWEEPING].execute(KEEPALIVES)).one() == expected
        await duties.close()
        await engine.dispose()


class Network:
    """What lies between a process and its server, and can vanish without a word to either."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._there = asyncio.Event()
        self._there.set()
        self._ends: list[asyncio.StreamWriter] = []

    async def between(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, to = await asyncio.open_connection("127.0.0.1", self._port)
        self._ends += [writer, to]
        await asyncio.gather(self._carry(reader, to), self._carry(there, writer))

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with closing(writer):
            while some := await reader.read(65536):
                await self._there.wait()
                writer.write(some)

    def vanish(self) -> None:
        self._there.clear()

    def come_back(self) -> None:
        """As one that has forgotten what went through it."""
        for each in self._ends:
            each.transport.abort()
        self._there.set()


@ON_POSTGRES
@pytest.mark.parametrize("then", ["asked", "given up"])
async def test_a_server_that_vanished_keeps_nobody(
    url: str, monkeypatch: pytest.MonkeyPatch, then: str
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr(module, "TAKING_SECONDS", 1.0)
    network = Network(running().port)
    async with await asyncio.start_server(network.between, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        engine = create_engine(make_url(url).set(port=port).render_as_string(hide_password=False))
        duties = Duties(engine)
        assert await duties.mine(SWEEPING)
        assert await duties.mine(RETRAINING)
        await duties.give_up(RETRAINING)  # its connection waits in the pool
        network.vanish()
        async with asyncio.timeout(20):
            if then == "asked":
                assert not await duties.mine(SWEEPING)
            else:
                await duties.give_up(SWEEPING)
            with pytest.raises(Unwritable, match="does not answer"):
                await duties.mine(SWEEPING)
        network.come_back()
        end = asyncio.get_running_loop().time() + SECONDS
        while not await duties.mine(SWEEPING):
            assert asyncio.get_running_loop().time() < end, "it does not come free"
        await duties.close()
        await engine.dispose()
