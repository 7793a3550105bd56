"""What is typed wrongly is one sentence and exit status 1."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.commands import app
from bot.errors import BotError
from bot.exporting import community_of, since_of

NOW = datetime(2026, 3, 10, 15, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "wrong",
    [
        ("export", "x", "--community", "guild"),
        ("export", "x", "--community", "telegram:1"),
        ("export", "x", "--since", "yesterday"),
        ("export", "no/where"),
        ("import", ".", "--community", "telegram:-100"),
        ("import", ".", "--community", "telegram:-100", "--queue", "--approved"),
        ("import", ".", "--community", "telegram", "--queue"),
        ("import", "nowhere", "--community", "telegram:-100", "--queue"),
        ("withdrawn", "s-0123456789"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(
    wrong: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["corrections", *wrong])
    assert said.exit_code == 1 and said.stdout == ""
    assert said.stderr.startswith("whosthat: ") and len(said.stderr.splitlines()) == 1
    assert not (tmp_path / "x").exists()


def test_nothing_was_exported_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = CliRunner().invoke(app, ["corrections", "snapshots"])
    assert (said.exit_code, said.stdout) == (0, "Nothing has been exported yet.\n")


def test_days_begin_at_midnight_so_that_the_same_command_means_the_same_all_day() -> None:
    assert since_of("7d", NOW) == datetime(2026, 3, 3, tzinfo=UTC)
    assert since_of("2w", NOW) == datetime(2026, 2, 24, tzinfo=UTC)
    assert since_of("0d", NOW) == datetime(2026, 3, 10, tzinfo=UTC)
    assert since_of("2026-01-31", NOW) == datetime(2026, 1, 31, tzinfo=UTC)
    assert since_of("2026-01-31T12:00+02:00", NOW) == datetime(2026, 1, 31, 10, tzinfo=UTC)
    for wrong in ("", "tomorrow", "-3d", "99999d", "2026-13-01"):
        with pytest.raises(BotError):
            since_of(wrong, NOW)


def test_communities_are_platform_and_id() -> None:
    assert community_of("Discord:12") == ("discord", "12")
    assert community_of("telegram:-100:5") == ("telegram", "-100:5")
    for wrong in ("", ":", "discord", "discord:", ":1"):
        with pytest.raises(BotError):
            community_of(wrong)
