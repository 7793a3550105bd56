"""``whosthat db copy``: a ledger goes to a PostgreSQL server and back, and says how much it was."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from corrections.ledger import Ledger
from corrections.lock import DataDirLock
from corrections.schema import head
from tests.command import whosthat
from tests.corrections.support import ANNA, BELA, address, answer, moment, seen
from tests.standins.postgres import PASSWORD, QUOTED, Server


@pytest.fixture
async def origin(tmp_path: Path) -> str:
    """The address of a ledger with a vote, in the folder of a bot that is stopped."""
    folder = tmp_path / "data"
    url = f"sqlite:///{folder}/whosthat.db"
    ledger = await Ledger.open(url, folder)
    done = await ledger.record(address(1), 0, ANNA, seen(1), "b", "l", answer(), 1.0, moment())
    await ledger.vote(done.prediction_id, BELA, frozenset({"thor"}), moment())
    await ledger.close()
    return url


async def test_to_a_server_and_back(origin: str, server: Server, tmp_path: Path) -> None:
    target = server.fresh()
    there = await whosthat(tmp_path, "db", "copy", origin, target)
    assert there.code == 0, there
    assert re.search(r"^votes: one row, [0-9a-f]{16}$", there.out, re.MULTILINE), there.out
    assert re.search(r"^characters: 18 rows, [0-9a-f]{16}$", there.out, re.MULTILINE)
    assert f"{tmp_path}/data" in there.lines[-1] and "person.key" in there.lines[-1]
    settings = {"WHOSTHAT_DATABASE__URL": target}
    now = await whosthat(tmp_path, "db", "current", **settings)
    assert now.code == 0 and head() in now.out

    again = await whosthat(tmp_path, "db", "copy", origin, target, **settings)
    assert "is not empty" in again.sentence
    wrong = await whosthat(tmp_path, "db", "copy", origin, target.replace(QUOTED, "wrong%21"))
    assert "refuses that user or password" in wrong.sentence
    backup = await whosthat(tmp_path, "backup", tmp_path / "b.tar.gz", **settings)
    assert "pg_dump" in backup.sentence

    back = await whosthat(tmp_path, "db", "copy", target, f"sqlite:///{tmp_path}/new/ledger.db")
    assert back.lines == there.lines
    assert (tmp_path / "new" / "ledger.db").stat().st_mode & 0o077 == 0
    for said in (there, now, again, wrong, backup, back):
        for password in (PASSWORD, QUOTED, "wrong!", "wrong%21"):
            assert password not in said.out + said.err
    server.drop(target)


async def test_while_a_bot_runs_here_nothing_is_copied(origin: str, tmp_path: Path) -> None:
    with DataDirLock(tmp_path / "data"):
        said = await whosthat(tmp_path, "db", "copy", origin, f"sqlite:///{tmp_path}/new.db")
    assert "is in use by another whosthat" in said.sentence
    assert not (tmp_path / "new.db").exists()
