"""*Why?* on Discord and Telegram: the real adapters over real sockets; shown to nobody but whoever asks."""

from __future__ import annotations

from pathlib import Path

import discord
import pytest

from bot.desk.types import Guess, Identified
from bot.discord_adapter import rendering as on_discord
from bot.telegram_adapter import rendering as on_telegram
from bot.words import words
from model.types import Verdict
from tests.bot.conversations.discord import DiscordConversation
from tests.bot.conversations.places import place
from tests.bot.conversations.telegram import TelegramConversation
from tests.bot.telegram_room import toast
from tests.standins.drawings import drawing
from tests.standins.explaining import TableExplainer


def answer(slot: int = 0, *, may_why: bool = True, may_ask: bool = False) -> Identified:
    ranked = (Guess("loki", "Loki", 0.9), Guess("thor", "Thor", 0.05))
    return Identified(slot, slot + 1, Verdict.SURE, ranked, "b", 1.0, may_ask=may_ask, may_why=may_why)


# where the button stands


@pytest.mark.parametrize("pictures", range(1, 11))
def test_discord_takes_five_buttons_a_row_and_five_rows(pictures: int) -> None:
    answers = [answer(slot, may_ask=slot == 0) for slot in range(pictures)]
    view = on_discord.buttons(answers, words())
    rows: dict[int | None, list[str]] = {}
    for each in view.children:
        assert isinstance(each, discord.ui.Button)
        rows.setdefault(each.row, []).append(str(each.custom_id))
    assert len(rows) <= 5
    assert max(map(len, rows.values())) <= 5
    whys = [each for row in rows.values() for each in row if each.startswith("v1:why:")]
    assert len(whys) == (pictures if pictures <= 5 else 0)


def test_where_there_is_no_room_what_wrong_opens_has_it() -> None:
    labels = [each.label for each in on_discord.choices(answer(), words(), why=True).children]  # type: ignore[attr-defined]
    assert labels == ["Thor", "Someone else…", "Nobody on the list", "Why?"]


def test_where_nobody_explains_there_is_no_button() -> None:
    view = on_discord.buttons([answer(may_why=False)], words())
    assert len(view.children) == 2
    board = on_telegram.board([answer(may_why=False)], words())
    assert board is not None
    assert [len(row) for row in board.inline_keyboard] == [2]


# Discord


async def test_discord_whispers_the_picture(tmp_path: Path) -> None:
    explainer = TableExplainer()
    async with place("discord", tmp_path, explainer=explainer) as here:
        asked = await here.talk.ask(drawing("red"))
        for talk in (here.talk, here.other):  # whoever can see the answer
            assert isinstance(talk, DiscordConversation)
            clicked = await talk._user.click(asked.handle, "Why?")
            await clicked.response()
            shown = await clicked.original()
            assert shown.ephemeral
            assert shown.content.startswith("Why **Iron Man**?")
            assert [each.filename for each in shown.attachments] == ["why.jpg"]
        assert len(explainer.asked) == 2


async def test_discord_says_what_is_refused_to_that_person_alone(tmp_path: Path) -> None:
    async with place("discord", tmp_path, explainer=TableExplainer(), limits__person_per_minute="1") as here:
        asked = await here.talk.ask(drawing("red"))
        assert isinstance(here.talk, DiscordConversation)
        said = await here.talk._said(await here.talk._user.click(asked.handle, "Why?"))
        assert said.startswith("That is a lot of pictures")


async def test_discord_shows_nothing_of_another_server(tmp_path: Path) -> None:
    explainer = TableExplainer()
    async with place("discord", tmp_path, explainer=explainer) as here:
        first = await here.talk.ask(drawing("red"))
        talk = here.talk
        assert isinstance(talk, DiscordConversation)
        guild = talk._discord.guild("Elsewhere")
        channel = guild.text_channel("pictures")
        guild.join(talk._user)
        posted = await talk._user.post(channel, mention_bot=True, files=[("a.png", drawing("green"))])
        reply = await talk._discord.wait_reply(to=posted)
        forged = await talk._user.forge(reply, f"v1:why:{first.prediction}:")
        said = (await forged.response()).message
        assert said is not None
        assert said.attachments == ()
        assert not explainer.asked


# Telegram


async def test_telegram_shows_it_in_the_private_chat_alone(tmp_path: Path) -> None:
    async with place("telegram", tmp_path, explainer=TableExplainer()) as here:
        talk = here.talk
        assert isinstance(talk, TelegramConversation)
        asked = await talk.ask(drawing("red"))
        before = len(talk._telegram.replies(talk._group))
        read = await (await talk._user.press(asked.handle, "Why?")).answer()
        assert read.show_alert
        assert "press Start" in read.text  # they have never written to us
        await talk._user.send_text(talk._private, "/start")
        await talk._telegram.settle(busy=talk._busy)
        assert "private chat" in await toast(await talk._user.press(asked.handle, "Why?"))
        await talk._telegram.settle(busy=talk._busy)
        shown = talk._telegram.replies(talk._private)[-1]
        assert "Why Iron Man?" in shown.text
        assert shown.payload["photo"]
        assert len(talk._telegram.replies(talk._group)) == before


async def test_telegram_in_private_it_is_answered_there(tmp_path: Path) -> None:
    async with place("telegram", tmp_path, explainer=TableExplainer()) as here:
        talk = here.talk
        assert isinstance(talk, TelegramConversation)
        sent = await talk._user.send_photo(talk._private, drawing("red"))
        reply = await talk._telegram.wait_reply(to=sent)
        assert reply.rows[0] == ["Right", "Wrong", "Why?"]
        assert "few seconds" in await toast(await talk._user.press(reply, "Why?"))
        await talk._telegram.settle(busy=talk._busy)
        shown = talk._telegram.replies(talk._private)[-1]
        assert shown.payload["photo"]
        assert "It shows where the answer comes from" in shown.text
