"""Whatever stands in the way of opening is said in one sentence."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from corrections.engine import create_engine, writers
from corrections.errors import (
    BadUrl,
    LedgerClosed,
    LedgerError,
    LedgerLocked,
    NotALedger,
    PersonKeyError,
    SchemaTooNew,
    Unwritable,
)
from corrections.ledger import Ledger
from corrections.people import load_secret
from corrections.types import VoteReceipt
from tests.corrections.raw import change, everything, file_of
from tests.corrections.support import ANNA, BELA, ON_SQLITE, address, answer, moment, seen


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


async def refuse(url: str, data_dir: Path, error: type[LedgerError], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        await Ledger.open(url, data_dir, busy_timeout=0.2)
    sentence = str(caught.value)
    assert "\n" not in sentence and "Traceback" not in sentence and "sqlalche.me" not in sentence


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ledger.db", "not a database address"),
        ("", "not a database address"),
        ("mysql://localhost/x", "SQLite or PostgreSQL"),
        ("sqlite://", "needs a file"),
        ("sqlite:///:memory:", "needs a file"),
    ],
)
async def test_a_wrong_address(url: str, says: str, tmp_path: Path) -> None:
    await refuse(url, tmp_path, BadUrl, says)


@ON_SQLITE
async def test_a_file_that_is_no_database(url: str, tmp_path: Path) -> None:
    (tmp_path / "ledger.db").write_bytes(b"a letter to my grandmother " * 100)
    await refuse(url, tmp_path, NotALedger, "is not a ledger")
    assert (tmp_path / "ledger.db").read_bytes().startswith(b"a letter")


async def test_a_database_of_something_else(blank_url: str, tmp_path: Path) -> None:
    url = blank_url
    change(url, "CREATE TABLE recipes (name TEXT)")
    await refuse(url, tmp_path, NotALedger, "database of something else")


async def test_a_newer_schema(url: str, tmp_path: Path) -> None:
    await (await Ledger.open(url, tmp_path)).close()
    change(url, "UPDATE alembic_version SET version_num = '9999'")
    await refuse(url, tmp_path, SchemaTooNew, "newer version of this program")


async def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    await refuse(
        f"sqlite:///{tmp_path}/ledger.db", tmp_path / "file" / "data", Unwritable, "cannot be written"
    )
    await refuse(f"sqlite:///{tmp_path}/file/x/ledger.db", tmp_path, Unwritable, "cannot be written")
    (tmp_path / "folder.db").mkdir()
    await refuse(f"sqlite:///{tmp_path}/folder.db", tmp_path, Unwritable, "cannot be opened")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
async def test_a_read_only_folder(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    await refuse(f"sqlite:///{tmp_path}/ledger.db", locked, Unwritable, "cannot be written")


async def test_a_database_that_another_process_holds(url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open(url, tmp_path, busy_timeout=0.2)
    done = await ledger.record(address(1), 0, ANNA, seen(1), "b", "l", answer(), 1.0, moment())
    engine = create_engine(url)
    async with writers(engine).begin():
        await refuse(url, tmp_path, LedgerLocked, "another process is writing")
        with pytest.raises(LedgerLocked, match="does not let go"):
            await ledger.vote(done.prediction_id, BELA, frozenset({"thor"}), moment())
        assert await ledger.prediction(done.prediction_id) is not None  # reading goes on meanwhile
    await engine.dispose()
    assert (await ledger.vote(done.prediction_id, BELA, frozenset({"thor"}), moment())).changed
    await ledger.close()


async def test_a_closed_ledger_says_so(url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open(url, tmp_path)
    await ledger.close()
    await ledger.close()
    with pytest.raises(LedgerClosed):
        await ledger.characters()
    with pytest.raises(LedgerClosed):
        await ledger.replied([], address(1))


async def test_closing_waits_for_the_votes_under_way(url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open(url, tmp_path)
    done = await ledger.record(address(1), 0, ANNA, seen(1), "b", "l", answer(), 1.0, moment())
    voting = [
        asyncio.create_task(
            ledger.vote(done.prediction_id, ("discord", f"{n}"), frozenset({"thor"}), moment())
        )
        for n in range(10)
    ]
    await voting[0]
    for task in voting[5:]:
        task.cancel()  # nobody waits for these any more; their transactions end all the same
    await ledger.close()
    ends = await asyncio.gather(*voting, return_exceptions=True)
    assert all(isinstance(end, VoteReceipt | LedgerClosed | asyncio.CancelledError) for end in ends)
    again = await Ledger.open(url, tmp_path)
    for n, end in enumerate(ends):
        standing = len(await again.votes_of(("discord", f"{n}")))
        assert standing == 1 if isinstance(end, VoteReceipt) else standing in (0, 1)
    await again.close()


async def test_the_key_is_the_owners_and_belongs_to_the_ledger(url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open(url, tmp_path)
    key = ledger.person_key(ANNA)
    await ledger.close()
    file = tmp_path / "person.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600 and file.stat().st_size == 32
    assert not [name for name in os.listdir(tmp_path) if name.endswith(".tmp")]  # noqa: PTH208
    again = await Ledger.open(url, tmp_path)
    assert again.person_key(ANNA) == key != again.person_key(("telegram", "1"))
    await again.close()

    secret = file.read_bytes()
    file.unlink()
    await refuse(url, tmp_path, PersonKeyError, "is missing")
    assert not file.exists()
    file.write_bytes(b"short")
    await refuse(url, tmp_path, PersonKeyError, "is damaged")
    file.write_bytes(bytes(32))
    await refuse(url, tmp_path, PersonKeyError, "begun with another")
    file.write_bytes(secret)
    assert load_secret(tmp_path, make=True) == secret


async def test_nothing_in_the_files_says_who_anybody_is(url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open(url, tmp_path)
    who = ("discord", "481516234200815")
    done = await ledger.record(address(1), 0, who, seen(1), "b", "l", answer(), 1.0, moment())
    await ledger.vote(done.prediction_id, who, frozenset({"thor"}), moment())
    await ledger.close()
    kept = contents(tmp_path)
    assert {"person.key"} <= set(kept) and (file_of(url) is None or "ledger.db" in kept)
    assert who[1] not in everything(url)
    assert not [name for name, content in kept.items() if who[1].encode() in content]
