"""A whole ledger goes from one database into another, and back, and is the same."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from corrections.copying import TABLES, copy
from corrections.engine import create_engine, ledger_url, writers
from corrections.errors import CopyError, LedgerLocked, SchemaTooNew
from corrections.export.types import ExportQuery
from corrections.ledger import Ledger
from corrections.memory.features import features
from corrections.schema import upgrade
from corrections.types import Address, CommunitySettings
from model.types import Ranked
from tests.corrections import raw
from tests.corrections.conftest import NewUrl
from tests.corrections.exporting import OPEN, OPERATOR, TELEGRAM, Stage, sha256_of
from tests.corrections.support import ANNA, BELA, CARO, GUILD, ON_POSTGRES, OTHER, moment
from tests.standins.postgres import Server

SECONDS = 120


@pytest.fixture
async def other_url(request: pytest.FixtureRequest, database: str, tmp_path: Path) -> AsyncIterator[str]:
    """The address of a new ledger on the other kind of database: migrated, and nothing in it."""
    if database == "postgresql":
        folder = tmp_path / "other"
        folder.mkdir()
        url = f"sqlite:///{folder}/ledger.db"
        await upgrade(url)
        yield url
        return
    server: Server = request.getfixturevalue("server")
    made = server.fresh()
    yield made
    server.drop(made)


async def live(ledger: Ledger, folder: Path) -> None:
    """Something in every table, and numbers that were used and are free again."""
    stage = Stage(ledger)
    for n in range(6):
        await stage.put(n, "loki" if n % 2 else "thor", home=GUILD if n % 3 else TELEGRAM)
    first = await stage.post("first")
    await ledger.vote(first, BELA, frozenset({"thor", "loki"}), moment(1))
    await ledger.vote(first, BELA, frozenset({"hulk"}), moment(2))
    await ledger.vote(first, CARO, frozenset(), moment(3))
    await ledger.undo(BELA, at=moment(4))
    await ledger.replied([first], Address(*GUILD, "pictures", "our-answer"))
    judged = await stage.post("judged")
    await ledger.vote(judged, BELA, frozenset({"thor"}), moment(4))
    await stage.approve(judged, "thor", minutes=5)
    proposed = await ledger.propose("Zoë „the“ Ω 星云", ANNA, GUILD, moment(4))
    twin = await ledger.propose("Zoe Twin", ANNA, GUILD, moment(4))
    await ledger.review.merge(OPERATOR, proposed.slug, twin.slug, moment(5))  # to a row with a greater number
    await ledger.change_settings(GUILD, ANNA, CommunitySettings(language="zh-CN"), moment(5))
    await ledger.community_moved(OTHER, ("discord", "moved"))
    await ledger.links.make("login", moment(5), 10, ANNA, GUILD)
    await ledger.privacy.choose(CARO, "from-now", moment(5))
    seen = features("b1", tuple(n / 7 for n in range(384)), b"\x00\xff", (Ranked("loki", 0.1),))
    assert seen is not None and await ledger.memory.looked(1, seen, moment(6))
    await ledger.exports.export(folder / "out", ExportQuery(), OPEN, "imagefolder", OPERATOR)
    await stage.post("last", poster=("discord", "forgotten"))
    await ledger.privacy.forget(("discord", "forgotten"), moment(7))


def empty(url: str) -> bool:
    return all(raw.rows(url, f'SELECT count(*) FROM "{table.name}"') == [(0,)] for table in TABLES)


async def test_there_and_back_again(url: str, other_url: str, tmp_path: Path, new_url: NewUrl) -> None:
    ledger = await Ledger.open(url, tmp_path)
    await live(ledger, tmp_path)
    votes, stats = await ledger.votes_of(CARO), await ledger.review.stats(OPERATOR)
    await ledger.close()
    full = {table.name for table in TABLES if raw.rows(url, f'SELECT count(*) FROM "{table.name}"') != [(0,)]}
    assert full == {table.name for table in TABLES}, "something of everything is copied here"

    parts: list[float] = []
    there = await copy(url, other_url, parts.append)
    assert parts == sorted(parts) and parts[-1] == 1.0 and len(parts) > len(TABLES)
    for each in there:
        assert raw.rows(other_url, f'SELECT count(*) FROM "{each.table}"') == [(each.rows,)]
    moved = await Ledger.open(other_url, tmp_path)  # with the same pictures and the same key
    assert await moved.votes_of(CARO) == votes and await moved.review.stats(OPERATOR) == stats
    assert await moved.picture(sha256_of("first"))
    await moved.close()

    (tmp_path / "back").mkdir()
    back = new_url(tmp_path / "back")
    if raw.file_of(back) is None:
        await upgrade(back)
    again = await copy(other_url, back)
    assert again == there, "opening it has changed nothing"
    assert raw.everything(back) == raw.everything(url)


async def test_no_number_is_used_twice(url: str, other_url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open(url, tmp_path)
    await live(ledger, tmp_path)
    used = await Stage(ledger).post("gone", poster=("discord", "gone"))
    await ledger.privacy.forget(("discord", "gone"), moment(9))
    assert await ledger.prediction(used) is None
    await ledger.close()
    await copy(url, other_url)
    moved = await Ledger.open(other_url, tmp_path)
    fresh = await Stage(moved).post("fresh")
    assert fresh > used, "its number is in a button that may be pressed still"
    assert await moved.vote(fresh, BELA, frozenset({"thor"}), moment(10))
    await moved.close()


async def test_what_cannot_be_copied(url: str, other_url: str, tmp_path: Path) -> None:
    nothing = f"sqlite:///{tmp_path}/nothing/ledger.db"
    with pytest.raises(CopyError, match=r"there is no ledger"):
        await copy(nothing, other_url)
    assert not (tmp_path / "nothing").exists()
    await (await Ledger.open(url, tmp_path)).close()
    with pytest.raises(CopyError, match=r"into itself"):
        await copy(url, url)
    if raw.file_of(url) is None:
        with pytest.raises(CopyError, match=r"into itself"):
            await copy(url, url.replace("127.0.0.1", "localhost"))
    before = raw.everything(url)

    await (await Ledger.open(other_url, tmp_path)).close()  # a bot has begun there
    begun = raw.everything(other_url)
    with pytest.raises(CopyError, match=r"is not empty: .*new database"):
        await copy(url, other_url)
    assert raw.everything(other_url) == begun

    raw.change(url, "UPDATE alembic_version SET version_num = '0004'")
    with pytest.raises(CopyError, match=r"has revision 0004, .* db upgrade"):
        await copy(url, other_url)
    raw.change(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(SchemaTooNew, match=r"newer version"):
        await copy(url, other_url)
    raw.change(url, "UPDATE alembic_version SET version_num = '0005'")
    assert raw.everything(url) == before


async def test_a_bot_that_writes_there_is_waited_for_and_not_overtaken(
    url: str, other_url: str, tmp_path: Path
) -> None:
    ledger = await Ledger.open(url, tmp_path)
    await ledger.close()
    engine = create_engine(other_url)
    async with writers(engine).begin():
        with pytest.raises(LedgerLocked):
            await copy(url, other_url)
    await engine.dispose()
    assert empty(other_url)
    assert await copy(url, other_url)


async def test_what_arrives_as_something_else_is_noticed(url: str, other_url: str, tmp_path: Path) -> None:
    """A trigger of somebody's changes what is written: nothing stays."""
    ledger = await Ledger.open(url, tmp_path)
    await live(ledger, tmp_path)
    await ledger.close()
    if raw.file_of(other_url) is None:
        raw.change(
            other_url,
            "CREATE FUNCTION meddle() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN NEW.native := 'x' || NEW.native; RETURN NEW; END $$",
        )
        raw.change(
            other_url,
            "CREATE TRIGGER meddle BEFORE INSERT ON communities FOR EACH ROW EXECUTE FUNCTION meddle()",
        )
    else:
        raw.change(
            other_url,
            "CREATE TRIGGER meddle AFTER INSERT ON communities BEGIN"
            " UPDATE communities SET native = 'x' || native WHERE id = NEW.id; END",
        )
    with pytest.raises(CopyError, match=r"the table communities arrived .* as something else"):
        await copy(url, other_url)
    assert empty(other_url)


async def test_a_row_that_the_other_does_not_take_is_named(url: str, other_url: str, tmp_path: Path) -> None:
    await (await Ledger.open(url, tmp_path)).close()
    raw.change(
        other_url,
        "ALTER TABLE characters ADD CONSTRAINT odd CHECK (slug <> 'loki')"
        if raw.file_of(other_url) is None
        else "CREATE TRIGGER odd BEFORE INSERT ON characters WHEN NEW.slug = 'loki'"
        " BEGIN SELECT RAISE(ABORT, 'odd'); END",
    )
    with pytest.raises(CopyError, match=r"a row of the table characters is not taken") as caught:
        await copy(url, other_url)
    assert "\n" not in str(caught.value)
    assert empty(other_url)


KILLED = """
import asyncio, os, signal, sys
from corrections.copying import copy

def progress(part):
    if part > float(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)

asyncio.run(copy(sys.argv[1], sys.argv[2], progress))
"""


@pytest.mark.parametrize("part", ["0.1", "0.45", "0.9"])
async def test_killed_half_way_nothing_is_there_and_again_works(
    url: str, other_url: str, tmp_path: Path, part: str
) -> None:
    ledger = await Ledger.open(url, tmp_path)
    await live(ledger, tmp_path)
    await ledger.close()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, url, other_url, part)
    async with asyncio.timeout(SECONDS):
        assert await process.wait() == -signal.SIGKILL
        assert empty(other_url), "not half a ledger"
        done = await copy(url, other_url)
    assert sum(each.rows for each in done) > 100


MEASURED = """
import asyncio, json, resource, sys
from corrections.copying import copy

done = asyncio.run(copy(sys.argv[1], sys.argv[2]))
rows = {each.table: each.rows for each in done}
print(json.dumps([rows["features"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss]))
"""
FEATURES = """
INSERT INTO features (blob_id, bundle, embedding, marks, ranked, checksum, created_at)
SELECT id, 'b', CAST(? AS {blob}), CAST(? AS {blob}), CAST(? AS {blob}), '', created_at FROM blobs
"""


async def test_memory_does_not_grow_with_the_ledger(new_url: NewUrl, server: Server, tmp_path: Path) -> None:
    peaks: list[int] = []
    for count in (500, 5_000):
        folder = tmp_path / f"{count}"
        folder.mkdir()
        url, target = new_url(folder), server.fresh()
        await upgrade(url)
        kind = "BYTEA" if raw.file_of(url) is None else "BLOB"
        blob = (
            "INSERT INTO blobs (id, sha256, near_key, size, format, width, height, created_at, posted_at)"
            " VALUES (?, ?, '0', 1, 'webp', 1, 1, '2026-03-01 12:00:00', '2026-03-01 12:00:00')"
        )
        raw.change_many(url, blob, [(n, f"{n}") for n in range(1, count + 1)])
        raw.change(url, FEATURES.format(blob=kind), bytes(20_000), b"", b"")
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", MEASURED, url, target, stdout=asyncio.subprocess.PIPE
        )
        async with asyncio.timeout(SECONDS):
            out, _ = await process.communicate()
        copied, peak = json.loads(out)
        assert copied == count
        peaks.append(peak)
        server.drop(target)
    # All rows together have 88 MiB more.
    assert peaks[1] - peaks[0] < 32 << 10, peaks


@ON_POSTGRES
async def test_a_database_without_tables_gets_them(url: str, blank_url: str, tmp_path: Path) -> None:
    await (await Ledger.open(url, tmp_path)).close()
    assert ledger_url(blank_url).database != ledger_url(url).database
    done = await copy(url, blank_url)
    assert sum(each.rows for each in done) > 18 and not empty(blank_url)
