"""The parts of the operator's commands that need no bot: lines, reasons, the picture."""

from __future__ import annotations

import errno
import io
import json
import os
import socket
from pathlib import Path

import aiohttp
import pytest
from PIL import Image

from bot.operators import machine
from bot.operators.findings import State, bad, ok, skipped, why_not
from bot.settings import Settings, load


def settings(tmp_path: Path, **variables: str) -> Settings:
    return load(environ=variables, folder=tmp_path)


def test_a_finding_is_one_line_for_people_and_one_object_for_programs() -> None:
    findings = [ok("a", "A: fine."), bad("b", "B: mend “it”."), skipped("c", "C: 无")]
    assert [each.line() for each in findings] == ["✓ A: fine.", "✗ B: mend “it”.", "– C: 无"]
    assert json.loads(findings[1].as_json()) == {"check": "b", "state": "bad", "text": "B: mend “it”."}
    assert findings[2].state is State.SKIPPED and all("\n" not in each.as_json() for each in findings)


def test_the_picture_is_one_that_every_reader_reads() -> None:
    with Image.open(io.BytesIO(machine.drawing())) as picture:
        picture.load()
        assert picture.format == "PNG" and picture.size == (96, 96)
        assert picture.getpixel((48, 48)) == (0xB0, 0x10, 0x18)


async def test_why_not_says_no_address() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/bot123:secret/getMe"
        async with aiohttp.ClientSession() as session:
            with pytest.raises(aiohttp.ClientError) as caught:
                await session.get(address)
    for error in (
        caught.value,
        TimeoutError(),
        TimeoutError(),
        OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH)),
        aiohttp.InvalidURL(address),
        aiohttp.ClientPayloadError(address),
        ValueError(address),
        KeyError("result"),
    ):
        assert why_not(error) and "secret" not in why_not(error)


def test_the_disk_has_to_hold_what_may_still_come(tmp_path: Path) -> None:
    tight = settings(tmp_path, WHOSTHAT_RETENTION__DISK_GIBIBYTES="1000000")
    assert machine.disk(tight, 0).state is State.BAD
    assert machine.disk(tight, 1_000_000 << 30).state is State.OK  # all of it is there already
    assert (
        machine.disk(settings(tmp_path, WHOSTHAT_RETENTION__DISK_GIBIBYTES="0.000001"), 0).state is State.OK
    )


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for place in ("file", "file/below"):
        found = machine.folder(settings(tmp_path, WHOSTHAT_DATA_DIR=str(tmp_path / place)))
        assert found.state is State.BAD and "data_dir" in found.text
    assert machine.folder(settings(tmp_path, WHOSTHAT_DATA_DIR=str(tmp_path / "new"))).state is State.SKIPPED
    assert not (tmp_path / "new").exists()
