"""Telegram: floods, repeated and forged updates, people who leave, webhooks, starting and stopping."""

from __future__ import annotations

import asyncio
import io
import socket
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest
from telegram.error import NetworkError
from telegram.request import HTTPXRequest

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.settings import load
from bot.telegram_adapter.adapter import TelegramAdapter
from bot.telegram_adapter.connection import passes_unsent
from bot.telegram_adapter.turns import MOST_WAITING, Turns
from tests.bot.telegram_room import Room, room, toast
from tests.standins.drawings import drawing
from tests.standins.ledgers import open_ledger
from tests.standins.page import TableEyes
from tests.standins.telegram import Limits, TelegramStandin


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Room]:
    async with room(tmp_path) as made:
        yield made


async def test_floods_are_waited_out_and_nothing_is_lost(tmp_path: Path) -> None:
    limits = Limits(chat=(1, 1.0), group=(3, 4.0))
    async with room(tmp_path, enforce_limits=limits) as here:
        sent = [
            await here.ann.send_photo(chat, drawing("red", seed=seed), "/whois@whosthat_test_bot")
            for seed in range(3)
            for chat in (here.private, here.group)
        ]
        for each in sent:
            assert "Iron Man" in (await here.telegram.wait_reply(to=each, timeout=20)).text
        assert any(each.status == 429 for each in here.telegram.calls("sendMessage"))
        assert all(len(here.telegram.answers_to(each)) == 1 for each in sent)


async def test_one_chat_that_must_wait_keeps_nobody_else_waiting(here: Room) -> None:
    bob = here.telegram.user("Bob")
    reply = await here.ask("red")
    here.telegram.fail_next("sendMessage", 429, retry_after=4)
    slow = await here.ann.send_photo(here.private, drawing("green"))
    await here.telegram.wait_until(
        lambda: any(each.status == 429 for each in here.telegram.calls("sendMessage"))
    )
    began = time.monotonic()
    assert "Captain America" in (await here.ask("blue", seed=1, who=bob)).text
    assert "Thank you" in await toast(await here.ann.press(reply, "Right"))
    assert time.monotonic() - began < 3
    assert here.telegram.answers_to(slow) == []
    assert "Hulk" in (await here.telegram.wait_reply(to=slow)).text


async def test_what_fails_for_a_moment_is_tried_again(here: Room) -> None:
    reply = await here.ask("red")
    here.telegram.fail_next("answerCallbackQuery", 429, retry_after=1)
    here.telegram.fail_next("editMessageReplyMarkup", 502)
    assert "Thank you" in await toast(await here.ann.press(reply, "Right"))
    await here.shows(reply, "Right · 1")
    for status in (500, 502):
        here.telegram.fail_next("sendMessage", status)
        here.telegram.fail_next("getUpdates", 0)
        assert "Hulk" in (await here.ask("green", seed=status)).text
    here.telegram.drop_connections()
    assert "Thanos" in (await here.ask("purple")).text
    assert len(here.telegram.replies(here.private)) == 4


@pytest.mark.parametrize("status", [0, 502])
async def test_an_answer_that_may_have_arrived_is_not_sent_again(
    here: Room, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    here.telegram.fail_next("sendMessage", status, lost=True)
    sent = await here.ann.send_photo(here.private, drawing("red"))
    reply = await here.telegram.wait_reply(to=sent)
    await here.at_rest()
    assert len(here.telegram.calls("sendMessage")) == 1
    assert len(here.telegram.answers_to(sent)) == 1
    assert "Thank you" in await toast(await here.ann.press(reply, "Right"))
    assert "nothing could be said" in caplog.text
    assert not [each for each in caplog.records if each.exc_info]


async def test_whoever_misses_an_answer_asks_again(here: Room) -> None:
    here.telegram.fail_next("sendMessage", 0)
    sent = await here.ann.send_photo(here.private, drawing("red"))
    await here.telegram.wait_call("sendMessage")
    await here.at_rest()
    assert here.telegram.answers_to(sent) == []
    await here.ann.send_text(here.private, "/whois", reply_to=sent)
    assert "Iron Man" in (await here.telegram.wait_reply(to=sent)).text


async def test_a_message_is_sent_again_when_there_was_no_connection() -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        async with HTTPXRequest() as request:
            with pytest.raises(NetworkError) as refused:
                await request.post(f"http://127.0.0.1:{port}/")
    assert passes_unsent(refused.value)


async def test_a_flooded_group_makes_nobody_else_wait(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    more = {f"WHOSTHAT_LIMITS__{each}_PER_MINUTE": "100000" for each in ("PERSON", "COMMUNITY")}
    async with room(tmp_path, more=more, enforce_limits=Limits(group=(3, 60.0))) as here:
        bob = here.telegram.user("Bob")
        reply = await here.ask("red", who=bob)
        pictures = [drawing(colour) for colour in ("green", "blue")]
        for number in range(1100):
            await here.ann.send_photo(here.group, pictures[number % 2], "/whois@whosthat_test_bot")
        began = time.monotonic()
        sent = await bob.send_photo(here.telegram.private(bob), drawing("purple"))
        pressed = await bob.press(reply, "Right")
        assert "Thank you" in (await pressed.answer(timeout=15)).text
        assert "Thanos" in (await here.telegram.wait_reply(to=sent, timeout=15)).text
        assert time.monotonic() - began < 15
        await here.telegram.wait_until(
            lambda: here.telegram.updates.idle and "are left out" in caplog.text, timeout=30
        )
        began = time.monotonic()
        assert "Thor" in (await here.ask("orange", who=bob)).text
        assert time.monotonic() - began < 5
        assert len(here.telegram.replies(here.group)) <= 4


async def test_the_same_click_twice_is_one_click(here: Room) -> None:
    reply = await here.ask("red")
    await toast(await here.ann.press(reply, "Right"))
    await toast(await here.ann.press(reply, "Wrong"))
    await here.shows(reply, "Thor")
    await toast(await here.ann.press(reply, "Thor"))
    await here.shows(reply, "Undo")
    pressed = await here.ann.press(reply, "Undo")
    assert "what you said before holds again: Iron Man" in await toast(pressed)
    await here.telegram.redeliver(pressed)
    await here.at_rest()
    assert here.votes() == ["iron-man"]
    assert len(pressed.answers) == 1


async def test_clicks_on_what_is_gone_old_or_unchanged(here: Room, caplog: pytest.LogCaptureFixture) -> None:
    reply = await here.ask("red")
    number = reply.buttons[0].data.split(":")[2]
    await toast(await here.ann.press(reply, "Wrong"))
    await here.shows(reply, "Thor")
    assert await toast(await here.ann.press(reply, "Wrong")) == "", "it is open already"
    here.telegram.resolve(reply).deleted = True
    assert "Thank you" in await toast(await here.ann.press_forged(reply, f"v1:right:{number}:"))
    assert await toast(await here.ann.press_forged(reply, f"v1:wrong:{number}:")) == ""
    late = await here.ann.press_forged(reply, f"v1:undo:{number}:", old=True)
    await here.at_rest()
    assert late.answers == []
    here.telegram.questions.presses.pop(late.id)  # Telegram has stopped that spinner itself
    assert here.votes() == []
    assert not [each for each in caplog.records if each.levelname in ("WARNING", "ERROR")]


@pytest.mark.parametrize(
    "data", ["v1:drop:1:x", "v9:right:1:", "right", "\u202e", "v1:less:0:", "v1:new:1:@all"]
)
async def test_forged_buttons_are_answered_and_not_obeyed(here: Room, data: str) -> None:
    reply = await here.ask("red")
    assert (await toast(await here.ann.press_forged(reply, data))).endswith((".", "@."))
    assert here.votes() == []


async def test_a_ledger_that_is_locked_leaves_no_spinner_turning(here: Room) -> None:
    reply = await here.ask("red")
    await here.at_rest()
    with closing(sqlite3.connect(here.settings.data_dir / "whosthat.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        pressed = await here.ann.press(reply, "Right")
        assert (await pressed.answer(timeout=12)).text.startswith(
            ("I could not write", "Something went wrong")
        )
        other.rollback()
    again = await toast(await here.ann.press(reply, "Right"))
    assert again.startswith(("Thank you", "You have said so already")), "it may have come through late"
    assert here.votes() == ["iron-man"]


async def test_blocked_muted_thrown_out_and_back_again(here: Room) -> None:
    bob = here.telegram.user("Bob")
    theirs = here.telegram.private(bob)
    with here.telegram.hold("getFile") as held:
        await bob.send_photo(theirs, drawing("red"))
        await here.telegram.wait_until(lambda: held.held == 1)
        bob.block_bot()
    here.group.mute_bot()
    await here.ann.send_photo(here.group, drawing("red", seed=1), "/whois")
    await here.at_rest()
    assert here.telegram.replies(theirs) == here.telegram.replies(here.group) == []
    bob.unblock_bot()
    here.group.mute_bot(False)
    assert "Hulk" in (await here.ask("green", who=bob)).text
    reply = await here.whois("green", seed=1)
    here.group.kick_bot()
    assert "Thank you" in await toast(await here.ann.press(reply, "Right"))
    here.group.add_bot()
    assert "Thanos" in (await here.whois("purple")).text


async def test_what_was_taken_does_not_come_again(tmp_path: Path) -> None:
    async with room(tmp_path) as here:
        reply = await here.ask("red")
        await toast(await here.ann.press(reply, "Right"))
        telegram = here.telegram
    assert telegram.updates.pending == []
    assert here.said == [
        "Telegram: on as @whosthat_test_bot",
        next(line for line in here.said if "privacy mode is on" in line),
    ]


async def test_without_privacy_mode_nothing_is_said_of_it(tmp_path: Path) -> None:
    async with room(tmp_path, privacy=False) as here:
        assert here.said == ["Telegram: on as @whosthat_test_bot"]


def _free_port() -> int:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _hook(port: int) -> dict[str, str]:
    return {
        "WHOSTHAT_TELEGRAM__MODE": "webhook",
        "WHOSTHAT_TELEGRAM__WEBHOOK_URL": f"http://127.0.0.1:{port}/hook",
        "WHOSTHAT_TELEGRAM__WEBHOOK_PORT": str(port),
    }


async def test_the_webhook_takes_updates_of_telegram_only(tmp_path: Path) -> None:
    port = _free_port()
    async with room(tmp_path, more=_hook(port)) as here:
        reply = await here.ask("red")
        assert "Thank you" in await toast(await here.ann.press(reply, "Right"))
        (told,) = here.telegram.calls("setWebhook")
        secret = told.params["secret_token"]
        assert len(secret) == 64
        assert secret not in str(here.said)
        headers = {"X-Telegram-Bot-Api-Secret-Token": secret}
        url = f"http://127.0.0.1:{port}/hook"
        async with aiohttp.ClientSession() as http:
            for body in (b"", b"{", b"[]", b"1", b'"x"', b'{"update_id": "x"}', b"{}", b"\xff"):
                async with http.post(url, data=body, headers=headers) as answer:
                    assert answer.status == 400, body
            async with http.post(url, data=io.BytesIO(b"x" * (2 << 20)), headers=headers) as answer:
                assert answer.status == 413
            async with http.post(url, json={"update_id": 1}) as answer:
                assert answer.status == 403
            assert await _status_with_secret(port, b"\xff\xfe\x80") == 403
            async with http.get(url) as answer:
                assert answer.status == 405
            async with http.post(f"http://127.0.0.1:{port}/", headers=headers) as answer:
                assert answer.status == 404
            here.adapter.stop_asking()
            with pytest.raises(aiohttp.ClientError):  # Telegram keeps what is not taken
                async with asyncio.timeout(10):
                    while True:
                        async with http.post(url, json={"update_id": 1}, headers=headers) as answer:
                            assert answer.status == 503


async def _status_with_secret(port: int, secret: bytes) -> int:
    """What a post is answered whose secret is these bytes, which no client library would send."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = b"POST /hook HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-Telegram-Bot-Api-Secret-Token: "
    writer.write(head + secret + b"\r\n\r\n{}")
    async with asyncio.timeout(5):
        line = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return int(line.split()[1])


async def test_what_waits_too_long_in_a_chat_is_left_out_refusals_first() -> None:
    turns, said = Turns(), list[int]()
    free = asyncio.Event()

    async def send(number: int, *, minor: bool = False) -> None:
        async with turns.turn(1, minor=minor) as ours:
            await free.wait()
            if ours:
                said.append(number)

    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        for number in range(MOST_WAITING + 3):  # one has its turn, one of those that wait is minor
            group.create_task(send(number, minor=number == 50))
        cancelled = group.create_task(send(-1, minor=True))
        other = asyncio.create_task(turns.turn(2, minor=True).__aenter__())
        assert await other, "another chat waits for nothing"
        cancelled.cancel()
        free.set()
    assert said == [0, *(each for each in range(2, MOST_WAITING + 3) if each != 50)]


async def test_a_webhook_that_cannot_listen_is_one_sentence(tmp_path: Path) -> None:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = await _started(tmp_path, _hook(int(taken.getsockname()[1])), "Telegram: off, ")
    assert "in use" in said


async def test_a_refused_token_is_one_sentence(tmp_path: Path) -> None:
    said = await _started(tmp_path, {"TELEGRAM_TOKEN": f"1:{'x' * 35}"}, "Telegram: off, ")
    assert "token was refused" in said
    assert "x" * 35 not in said


async def test_bad_weather_at_the_start_is_waited_out(tmp_path: Path) -> None:
    weather = [
        ("getMe", 502),
        ("getMe", 0),
        ("deleteWebhook", 500),
        ("setMyCommands", 429),
        ("getUpdates", 502),
    ]
    assert await _started(tmp_path, {}, "Telegram: on as", weather) == "Telegram: on as @whosthat_test_bot"


async def _started(
    folder: Path, more: dict[str, str], until: str, weather: Sequence[tuple[str, int]] = ()
) -> str:
    """Start an adapter until it says a line that begins so, and polls if there was bad weather."""
    async with TelegramStandin() as telegram:
        for method, status in weather:
            telegram.fail_next(method, status)
        environ = {
            "TELEGRAM_TOKEN": telegram.token,
            "WHOSTHAT_TELEGRAM__API_BASE": telegram.api_base,
            "WHOSTHAT_DATA_DIR": str(folder / "data"),
            **more,
        }
        settings = load(environ=environ, folder=folder)
        ledger = await open_ledger(settings)
        heard: asyncio.Queue[str] = asyncio.Queue()
        try:
            desk = Desk(TableEyes(), ledger, RateLimits(20, 120))
            async with TelegramAdapter(desk, settings, heard.put_nowait):
                async with asyncio.timeout(10):
                    while not (line := await heard.get()).startswith(until):
                        pass
                if weather:
                    await telegram.wait_ready()
                    await telegram.wait_until(lambda: len(telegram.commands) == 6)
        finally:
            await ledger.close()
        return line
