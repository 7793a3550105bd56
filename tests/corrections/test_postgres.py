"""What a ledger on a PostgreSQL server has of its own: who writes, what is tried again, what it says."""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.checkup import examine, examine_key
from corrections.engine import create_engine, ledger_url, place_of, secrets_in
from corrections.errors import BadUrl, LedgerError, LedgerLocked, NotMigrated, PersonKeyError, Unwritable
from corrections.ledger import Ledger
from corrections.schema import current, head, upgrade
from corrections.tables import PropertyRow
from corrections.unit_of_work import UnitOfWork
from tests.corrections import raw
from tests.corrections.conftest import Post
from tests.corrections.support import ANNA, BELA, ON_POSTGRES, address, answer, moment, seen
from tests.standins.postgres import PASSWORD, QUOTED, Server

SECONDS = 60


async def count_of(work: UnitOfWork) -> int:
    async with work.read() as session:
        return int(await session.scalar(select(PropertyRow.value).where(PropertyRow.name == "count")) or 0)


async def one_more(session: AsyncSession) -> None:
    """Looks first and writes then, as everything in the ledger does."""
    row = await session.get(PropertyRow, "count")
    if row is None:
        session.add(PropertyRow(name="count", value="1"))
    else:
        before = int(row.value)
        await asyncio.sleep(0)
        row.value = str(before + 1)


async def test_whoever_writes_has_seen_what_was_written_before(ledger: Ledger, url: str) -> None:
    """Two processes, each with many writes at once: nothing is overwritten unseen."""
    other = UnitOfWork(create_engine(url, busy_timeout=SECONDS))
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*(work.write(one_more) for _ in range(20) for work in (ledger.work, other)))
    assert await count_of(ledger.work) == await count_of(other) == 40
    await other.close()


async def test_all_that_one_reads_is_of_the_same_moment(ledger: Ledger) -> None:
    await ledger.work.write(one_more)
    query = select(PropertyRow.value).where(PropertyRow.name == "count")
    async with ledger.work.read() as session:
        assert await session.scalar(query) == "1"
        await ledger.work.write(one_more)
        assert await session.scalar(query) == "1"
    assert await count_of(ledger.work) == 2


@ON_POSTGRES
@pytest.mark.parametrize("code", ["40001", "40P01"])
async def test_what_the_database_gave_up_is_done_again(ledger: Ledger, code: str) -> None:
    tries = 0

    async def work(session: AsyncSession) -> int:
        nonlocal tries
        await one_more(session)
        await session.flush()
        tries += 1
        if tries < 4:
            await session.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$"))
        return tries

    assert await ledger.work.write(work) == 4
    assert await count_of(ledger.work) == 1

    async def never(session: AsyncSession) -> None:
        await session.execute(text(f"DO $$ BEGIN RAISE SQLSTATE '{code}'; END $$"))

    with pytest.raises(LedgerLocked):
        await ledger.work.write(never)


@ON_POSTGRES
async def test_a_deadlock_with_somebody_else_ends(ledger: Ledger, url: str) -> None:
    """A tool that locks rows of its own, the other way around: whoever is given up begins again."""
    for name in ("a", "b"):
        raw.change(url, "INSERT INTO properties VALUES (?, '0')", name)
    engine = create_engine(url)
    holding, tries = asyncio.Event(), 0

    def touch(name: str) -> object:
        return update(PropertyRow).where(PropertyRow.name == name).values(value="touched")

    async def work(session: AsyncSession) -> None:
        nonlocal tries
        tries += 1
        await session.execute(touch("a"))  # type: ignore[call-overload]
        holding.set()
        await waiting.wait()
        await session.execute(touch("b"))  # type: ignore[call-overload]

    waiting = asyncio.Event()
    async with asyncio.timeout(SECONDS):
        writing = asyncio.create_task(ledger.work.write(work))
        await holding.wait()
        async with engine.connect() as outsider:
            await outsider.execution_options(isolation_level="READ COMMITTED")
            await outsider.execute(touch("b"))  # type: ignore[call-overload]
            blocked = asyncio.create_task(outsider.execute(touch("a")))  # type: ignore[call-overload]
            while raw.rows(url, "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock'") == []:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            waiting.set()
            done = await asyncio.gather(blocked, return_exceptions=True)
            if isinstance(done[0], BaseException):
                await outsider.rollback()  # it was the one that was given up
            else:
                await outsider.commit()
        await writing
    await engine.dispose()
    assert tries in (1, 2)
    found = raw.rows(url, "SELECT value FROM properties WHERE name IN ('a', 'b')")
    assert found == [("touched",), ("touched",)]


@ON_POSTGRES
async def test_a_connection_that_breaks_before_the_end_is_made_anew(ledger: Ledger, post: Post) -> None:
    tries = 0

    async def work(session: AsyncSession) -> None:
        nonlocal tries
        tries += 1
        await one_more(session)
        await session.flush()
        if tries == 1:
            await session.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    await ledger.work.write(work)
    assert (tries, await count_of(ledger.work)) == (2, 1)
    done = await post("still there")
    assert (await ledger.vote(done.prediction_id, BELA, frozenset({"thor"}), moment())).changed


@ON_POSTGRES
async def test_a_server_that_was_started_anew_is_noticed(ledger: Ledger, server: Server, url: str) -> None:
    assert await ledger.characters()
    server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'whosthat'"
    )
    async with asyncio.timeout(SECONDS):
        assert await ledger.votes_of(ANNA) == []


@ON_POSTGRES
async def test_only_one_of_many_migrates(blank_url: str) -> None:
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*(upgrade(blank_url) for _ in range(4)))
    assert await current(blank_url) == head()
    assert raw.rows(blank_url, "SELECT count(*) FROM alembic_version") == [(1,)]


@ON_POSTGRES
async def test_commits_are_on_the_disk_whatever_the_server_is_used_to(ledger: Ledger, url: str) -> None:
    name = ledger_url(url).database
    raw.change(url, f'ALTER DATABASE "{name}" SET synchronous_commit = off')

    async def setting(session: AsyncSession) -> str | None:
        return await session.scalar(select(func.current_setting("synchronous_commit")))

    later = UnitOfWork(create_engine(url))
    assert await later.write(setting) == "on"
    await later.close()


# -- what it says ----------------------------------------------------------------------------------------


async def refused(url: str, folder: Path, error: type[LedgerError], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        await Ledger.open(url, folder, busy_timeout=0.2)
    trail: BaseException | None = caught.value
    assert "\n" not in str(trail)
    while trail is not None:  # and whatever a log would show of it
        for password in (PASSWORD, QUOTED, "wrong!"):
            assert password not in f"{trail!r} {trail}"
        trail = trail.__cause__ or (None if trail.__suppress_context__ else trail.__context__)


@ON_POSTGRES
async def test_what_stands_in_the_way_is_one_sentence_without_the_password(
    url: str, server: Server, tmp_path: Path, unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await refused(url.replace(QUOTED, "wrong%21"), tmp_path, Unwritable, "refuses that user or password")
    await refused(server.url("nowhere"), tmp_path, Unwritable, "createdb")
    closed = url.replace(f":{server.port}/", f":{unused_tcp_port}/")
    await refused(closed, tmp_path, Unwritable, f"127.0.0.1:{unused_tcp_port}/.* does not answer")
    await refused(f"{url}?colour=red", tmp_path, BadUrl, "option")
    await refused(url.rpartition("/")[0], tmp_path, BadUrl, "names no database")
    await refused(f"{url}?sslmode=require", tmp_path, Unwritable, "refuses the connection|does not answer")
    ledger = await Ledger.open(f"{url}?sslmode=prefer", tmp_path)
    await ledger.close()
    assert PASSWORD not in caplog.text and QUOTED not in caplog.text


@ON_POSTGRES
async def test_a_user_who_may_not_write_and_tables_that_are_gone(
    url: str, server: Server, tmp_path: Path
) -> None:
    await upgrade(url)
    ledger = await Ledger.open(url, tmp_path)
    raw.change(url, "ALTER TABLE trust RENAME TO gone")
    with pytest.raises(NotMigrated):
        async with ledger.work.read() as session:
            await session.execute(text("SELECT * FROM trust"))
    await ledger.close()
    server.execute(f"CREATE ROLE looker LOGIN PASSWORD '{PASSWORD}'")
    try:
        name = str(ledger_url(url).database)
        await refused(server.url(name, "looker"), tmp_path, Unwritable, "does not let its user write")
    finally:
        server.execute("DROP ROLE looker")


def test_passwords_are_known_as_they_are_and_as_they_are_written() -> None:
    url = f"postgresql://anna:{QUOTED}@host:5433/ledger?password=two"
    assert {PASSWORD, QUOTED, "two"} <= set(secrets_in(url))
    assert place_of(ledger_url(url)) == "postgresql://anna@host:5433/ledger"
    assert place_of(ledger_url("postgres:///x?host=/run/postgresql")) == "postgresql:///run/postgresql/x"
    for none in ("", "sqlite:///x.db", "nonsense"):
        assert secrets_in(none) == []


def test_without_its_driver_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    with pytest.raises(BadUrl, match=r"pip install 'whosthat\[postgres\]'") as caught:
        create_engine("postgresql://anna:hush@host/ledger")
    assert "hush" not in str(caught.value)


async def test_the_doctor_looks_at_it_too(blank_url: str, tmp_path: Path) -> None:
    place = place_of(ledger_url(blank_url))
    found = await examine(blank_url)
    assert (found.place, found.revision, found.keyed) == (place, None, False) and PASSWORD not in place
    ledger = await Ledger.open(blank_url, tmp_path)
    await ledger.record(address(1), 0, ANNA, seen(1, size=777), "b", "l", answer(), 1.0, moment())
    found = await examine(blank_url)
    assert found.current and found.keyed and found.picture_bytes == 777
    await examine_key(blank_url, tmp_path)
    (tmp_path / "person.key").write_bytes(bytes(32))
    with pytest.raises(PersonKeyError, match="begun with another"):
        await examine_key(blank_url, tmp_path)
    await ledger.close()
