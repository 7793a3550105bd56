"""What a line of the log holds, and what it does not."""

from __future__ import annotations

import ast
import asyncio
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot import logs
from model import tracing

SECRET = "4711:a-token-of-ours"
WHO = frozenset({"chat", "group", "guild", "id", "person", "here", "address"})


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    names = {*logs.LIBRARIES, *logs.TALKATIVE, "discord.client", "aiohttp.server"}
    levels = {name: logging.getLogger(name).level for name in names}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)


def said(capsys: pytest.CaptureFixture[str], message: str, *values: object, as_json: bool = True) -> str:
    logs.set_up("info", as_json, [SECRET])
    logging.getLogger("bot.somewhere").info(message, *values)
    return capsys.readouterr().err.strip()


@pytest.mark.parametrize("as_json", [True, False])
def test_a_line_has_the_id_of_what_it_is_about(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    with tracing.traced("abc123"):
        line = said(capsys, "hello", as_json=as_json)
    if as_json:
        assert json.loads(line)["id"] == "abc123"
    else:
        assert line.endswith("INFO bot.somewhere: [abc123] hello")
    alone = said(capsys, "hello", as_json=as_json)
    assert "id" not in json.loads(alone) if as_json else alone.endswith("INFO bot.somewhere: hello")


@pytest.mark.parametrize(
    ("message", "written"),
    [
        (f"it said {SECRET}!", "it said [secret]!"),
        (
            "GET https://cdn.example/attachments/1/2/me-and-ann.png?ex=6a&hm=77: gone",
            "GET https://cdn.example/… gone",
        ),
        ("see https://ann:word@db.example:5432/whosthat", "see https://db.example:5432/…"),
        ("(wss://gateway.example/?v=10&token=x) closed", "(wss://gateway.example/…) closed"),
        ("ready on http://127.0.0.1:8787", "ready on http://127.0.0.1:8787"),
        ("ready on unix:/tmp/whosthat-x/w", "ready on unix:/tmp/whosthat-x/w"),
    ],
)
def test_secrets_and_links_are_not_written(
    capsys: pytest.CaptureFixture[str], message: str, written: str
) -> None:
    assert json.loads(said(capsys, "%s", message))["message"] == written


def test_a_traceback_is_one_line_without_links(capsys: pytest.CaptureFixture[str]) -> None:
    logs.set_up("info", True, [SECRET])
    try:
        raise ValueError(f"https://api.example/bot{SECRET}/getFile")
    except ValueError:
        logging.getLogger("bot.somewhere").exception("it failed")
    line = json.loads(capsys.readouterr().err)
    assert "ValueError: https://api.example/…" in line["trouble"]
    assert SECRET not in line["trouble"]


def test_what_libraries_say_of_events_is_not_heard_even_when_debugging(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.set_up("debug", True, [])
    for name in ("discord.gateway", "telegram.ext.ExtBot", "httpx", "aiosqlite", "sqlalchemy.engine.Engine"):
        logging.getLogger(name).debug("WebSocket Event: {'username': 'ann'}")
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT 1")
    assert capsys.readouterr().err == ""
    logging.getLogger("bot.somewhere").debug("ours")
    assert json.loads(capsys.readouterr().err)["level"] == "debug"


async def test_an_id_follows_into_tasks_and_ends_with_its_block() -> None:
    async def inner() -> str:
        return tracing.current()

    with tracing.traced() as id_:
        assert await asyncio.create_task(inner()) == id_
        with tracing.traced() as same:
            assert same == id_
        with tracing.traced("other") as other:
            assert other == "other"
        assert tracing.current() == id_
        assert 0 < tracing.seconds() < 5
    assert (tracing.current(), tracing.seconds()) == ("", 0.0)


def test_an_id_from_elsewhere_cannot_forge_a_line() -> None:
    assert tracing.cleaned('x"}\n{"level": "error"') == "xlevelerror"
    assert len(tracing.cleaned("a" * 1000)) == tracing.LONGEST
    assert tracing.cleaned("\n\n") not in ("", tracing.cleaned("\n\n"))


def test_no_line_names_a_chat_a_message_or_a_person() -> None:
    """What a line is filled in with is never an id, of all lines that the bot can write."""
    lines = 0
    for file in sorted((Path(__file__).parents[2] / "bot").rglob("*.py")):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            if not (isinstance(call.func.value, ast.Name) and call.func.value.id == "log"):
                continue
            lines += 1
            for given in call.args[1:]:
                said = given.attr if isinstance(given, ast.Attribute) else getattr(given, "id", "")
                assert said not in WHO and not said.endswith("_id"), f"{file}:{call.lineno} says {said}"
    assert lines > 50
