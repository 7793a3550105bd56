"""The tables that migrations make are the tables that the code has, from whichever revision they start."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

from corrections.engine import create_engine
from corrections.ledger import Ledger
from corrections.schema import NEWEST, configuration, upgrade
from corrections.tables import Table
from tests.corrections.raw import change
from tests.corrections.support import ON_SQLITE

TABLES = {
    "communities",
    "people",
    "characters",
    "blobs",
    "posts",
    "predictions",
    "replies",
    "votes",
    "vote_labels",
}
TABLES |= {"community_settings", "former_communities"}
TABLES |= {"snapshot_items", "links", "trust"}
TABLES |= {"features", "memory_changes"}
TABLES |= {"cases", "decisions", "consents", "split_groups", "snapshots", "tombstones"}


def differences(connection: Connection) -> list[object]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Table.metadata))


async def test_the_migrated_tables_are_those_of_the_code(blank_url: str) -> None:
    await upgrade(blank_url)
    engine = create_engine(blank_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()
    assert set(Table.metadata.tables) >= TABLES


@ON_SQLITE
async def test_commits_are_durable_and_references_hold(url: str) -> None:
    await upgrade(url)
    engine = create_engine(url)
    async with engine.connect() as connection:
        pragmas = [
            (await connection.exec_driver_sql(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    await engine.dispose()
    assert pragmas == ["wal", 2, 1]


async def test_the_comparison_would_notice(blank_url: str) -> None:
    await upgrade(blank_url, "0001")
    engine = create_engine(blank_url)
    async with engine.connect() as connection:
        assert await connection.run_sync(differences) != []
    await engine.dispose()


def revisions() -> list[str]:
    scripts = ScriptDirectory.from_config(configuration())
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def test_the_revisions_are_one_line() -> None:
    assert revisions()[:5] == ["0001", "0002", "0003", "0004", "0005"]
    assert len(ScriptDirectory.from_config(configuration()).get_heads()) == 1


@pytest.mark.parametrize("revision", revisions())
async def test_a_file_of_any_revision_is_brought_up_and_keeps_what_it_has(
    blank_url: str, tmp_path: Path, revision: str
) -> None:
    await upgrade(blank_url, revision)
    change(blank_url, "INSERT INTO communities VALUES (7, 'discord', 'guild', '2026-03-01 12:00:00')")
    change(
        blank_url,
        "INSERT INTO cases (id, community_id, status, created_at)"
        " VALUES (8, 7, 'open', '2026-03-01 12:00:00')",
    )
    ledger = await Ledger.open(blank_url, tmp_path)
    assert await ledger.resolve("iron man")
    async with ledger.work.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        rows = (await connection.exec_driver_sql("SELECT id, community_id, status FROM cases")).all()
    await ledger.close()
    assert [tuple(row) for row in rows] == [(8, 7, "open")]


async def test_several_may_open_a_new_ledger_at_once(blank_url: str, tmp_path: Path) -> None:
    async with asyncio.timeout(60):
        ledgers = await asyncio.gather(*(Ledger.open(blank_url, tmp_path) for _ in range(4)))
    assert len({ledger.person_key(("discord", "1")) for ledger in ledgers}) == 1
    for ledger in ledgers:
        assert len(await ledger.characters()) == 18
        await ledger.close()


def test_every_table_can_be_made_on_postgresql() -> None:
    dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    for table in Table.metadata.sorted_tables:
        statement = str(CreateTable(table).compile(dialect=dialect))
        assert "DATETIME" not in statement
        if "created_at" in table.columns:
            assert "TIMESTAMP WITH TIME ZONE" in statement
        for index in table.indexes:
            assert len(str(CreateIndex(index).compile(dialect=dialect))) > 0 and len(str(index.name)) <= 63


def test_the_newest_revision_is_the_last_of_the_migrations() -> None:
    assert ScriptDirectory.from_config(configuration()).get_heads() == [NEWEST]


@ON_SQLITE
async def test_who_has_nothing_to_migrate_does_not_wait_for_alembic(url: str, tmp_path: Path) -> None:
    await upgrade(url)
    code = f"""if True:
        import asyncio, sys
        from pathlib import Path
        from corrections.ledger import Ledger

        async def opened() -> None:
            await (await Ledger.open({url!r}, data_dir=Path({str(tmp_path)!r}))).close()

        asyncio.run(opened())
        print("alembic" in sys.modules)
    """
    done = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    said, _ = await done.communicate()
    assert said == b"False\n"
