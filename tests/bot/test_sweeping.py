"""``whosthat corrections sweep``, as an operator types it, beside a ledger that is open."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.operators.sweeping import sweep_now
from bot.settings import load
from corrections.ledger import Ledger
from tests.corrections.support import ANNA, address, answer, digest, seen

SECONDS = 60


async def whosthat(folder: Path, *arguments: str, **variables: str) -> tuple[int, str, str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("WHOSTHAT_")}
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("whosthat"),
        *arguments,
        cwd=folder,
        env=environ | variables,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), SECONDS)
    except TimeoutError:
        process.kill()
        raise
    return process.returncode or 0, out.decode(), err.decode()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir(mode=0o700)
    (tmp_path / "config.toml").write_text("[retention]\nunvoted_hours = 2\n", encoding="utf-8")
    return tmp_path


async def test_pictures_past_their_time_go(folder: Path) -> None:
    ledger = await Ledger.open(f"sqlite:///{folder}/data/whosthat.db", folder / "data")
    try:
        now = datetime.now(UTC)
        for name, hours in (("old", 3), ("older", 30), ("young", 1)):
            at = now - timedelta(hours=hours)
            await ledger.record(address(name), 0, ANNA, seen(name, size=1 << 20), "b", "l", answer(), 1.0, at)
        code, out, err = await whosthat(folder, "corrections", "sweep")
        assert (code, out) == (0, "2 pictures were let go (2.0 MiB).\n"), err
        assert [await ledger.picture(digest(name, size=1 << 20)) is None for name in ("old", "young")] == [
            True,
            False,
        ]
        settings = load(environ={}, folder=folder)
        assert await sweep_now(settings) == ["No picture is past its time."]
    finally:
        await ledger.close()


async def test_trouble_is_one_sentence(folder: Path) -> None:
    (folder / "data" / "whosthat.db").write_bytes(b"no database" * 500)
    code, out, err = await whosthat(folder, "corrections", "sweep")
    assert code == 1 and out == ""
    assert "whosthat.db is not a ledger, or it is damaged" in err.replace("\n", " ")
    assert "Traceback" not in err
