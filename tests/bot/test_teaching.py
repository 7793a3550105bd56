"""Teaching on Discord and Telegram: one set of tests for both, real sockets, a real ledger."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.teaching import COMMANDS
from bot.discord_adapter.adapter import DiscordAdapter
from bot.settings import load
from bot.telegram_adapter.adapter import TelegramAdapter
from bot.telegram_adapter.listing import ABOUTS
from corrections.labels import comparable
from corrections.ledger import Ledger
from corrections.review.types import Filter, Moderator
from corrections.types import Community
from model.errors import WorkerBusy
from model.types import Sight
from tests.standins.discord import DiscordStandin
from tests.standins.discord.people import Channel, User
from tests.standins.discord.snapshots import MessageSnapshot
from tests.standins.drawings import drawing
from tests.standins.ledgers import open_ledger
from tests.standins.page import TableEyes
from tests.standins.telegram import Chat, TelegramStandin
from tests.standins.telegram import MessageSnapshot as TelegramMessage
from tests.standins.telegram import User as TelegramUser


@dataclass(frozen=True)
class Said:
    """What was answered to a lesson; ``button``: it can be insisted on."""

    text: str
    button: bool = False
    handle: Any = None


class Teacher(Protocol):
    """Somebody who teaches on one platform."""

    async def teach(self, name: str, *pictures: bytes) -> Said: ...
    async def insist(self, said: Said) -> str: ...


class DiscordTeacher:
    """By the slash command."""

    def __init__(self, discord: DiscordStandin, channel: Channel, user: User) -> None:
        self._discord, self._channel, self._user = discord, channel, user

    async def teach(self, name: str, *pictures: bytes) -> Said:
        given = {f"picture{n or ''}": (f"{n}.png", each) for n, each in _numbered(pictures)}
        sent = await self._user.slash(self._channel, "teach", {"name": name, **given})
        await sent.response()
        return self._read(await sent.original(timeout=60))

    async def insist(self, said: Said) -> str:
        await self._user.click(said.handle, "They are right")
        shown = await self._discord.wait_edit(said.handle, edits=said.handle.edits + 1, timeout=60)
        assert not shown.buttons
        return self._read(shown).text

    def _read(self, message: MessageSnapshot) -> Said:
        assert message.ephemeral
        return Said(message.content.replace("**", ""), bool(message.buttons), message)


def _numbered(pictures: Sequence[bytes]) -> list[tuple[int, bytes]]:
    return [(number if number > 1 else 0, each) for number, each in enumerate(pictures, start=1)]


class TelegramTeacher:
    """By the caption of a picture; several in a group in privacy mode as a reply to the bot's question."""

    def __init__(self, telegram: TelegramStandin, chat: Chat, user: TelegramUser) -> None:
        self.telegram, self.chat, self.user = telegram, chat, user

    async def teach(self, name: str, *pictures: bytes) -> Said:
        caption = f"/teach@{self.telegram.bot_username} {name}"
        private = self.chat.id == self.user.id
        if len(pictures) == 1:
            sent = await self.user.send_photo(self.chat, pictures[0], caption)
        elif private:
            (sent, *_) = await self.user.send_album(self.chat, pictures, caption)
        else:
            asked = await self.said(await self.user.send_text(self.chat, caption))
            assert "Reply to this message with 1 to 10 pictures" in asked.text
            (sent, *_) = await self.user.send_album(self.chat, pictures, reply_to=asked)
        return self._read(await self.said(sent))

    async def insist(self, said: Said) -> str:
        pressed = await (await self.user.press(said.handle, "They are right")).answer()
        if pressed.text:
            return str(pressed.text)
        return self._read(await self.telegram.wait_edit(said.handle, timeout=60)).text

    async def said(self, to: TelegramMessage) -> TelegramMessage:
        return await self.telegram.wait_reply(to=to, timeout=60)

    def _read(self, message: TelegramMessage) -> Said:
        return Said(message.text, bool(message.buttons), message)


@dataclass(frozen=True)
class Room:
    """A server or group with a moderator and a member."""

    moderator: Teacher
    member: Teacher
    alone: Teacher
    eyes: TableEyes
    ledger: Ledger
    home: Community

    async def approved(self) -> list[tuple[str, ...]]:
        found = await self.ledger.review.next(Moderator(("discord", "0"), self.home), Filter("approved"), 50)
        return sorted(each.decided or () for each in found)

    async def names(self) -> dict[str, str]:
        """The community's own names and their state."""
        return {each.slug: each.status for each in await self.ledger.characters(self.home) if each.community}


@dataclass
class SomeEyes(TableEyes):
    """The table, until something goes wrong."""

    error: Exception | None = None

    async def look(
        self, picture: bytes, *, fairness_key: str = "", keep: bool = False, deadline: float | None = None
    ) -> Sight:
        if self.error is not None and self.looked > 1:
            raise self.error
        return await super().look(picture, fairness_key=fairness_key, keep=keep, deadline=deadline)


@asynccontextmanager
async def a_room(platform: str, folder: Path, **variables: str) -> AsyncIterator[Room]:
    environ = {"WHOSTHAT_DATA_DIR": str(folder / "data"), **variables}
    eyes = SomeEyes()
    async with DiscordStandin() if platform == "discord" else TelegramStandin() as standin:
        if isinstance(standin, DiscordStandin):
            environ |= {
                "DISCORD_TOKEN": standin.token,
                "WHOSTHAT_DISCORD__API_BASE": standin.api_base,
                "WHOSTHAT_DISCORD__GATEWAY_URL": standin.gateway_url,
                "WHOSTHAT_DISCORD__CDN_HOSTS": standin.cdn_host,
            }
        else:
            environ |= {"TELEGRAM_TOKEN": standin.token, "WHOSTHAT_TELEGRAM__API_BASE": standin.api_base}
        settings = load(environ=environ, folder=folder)
        ledger = await open_ledger(settings)
        try:
            limits = RateLimits(settings.limits.person_per_minute, settings.limits.community_per_minute)
            caps = {"mebibytes": 20, "megapixels": 64}
            training = settings.discord.allow_training
            desk = Desk(eyes, ledger, limits, caps=caps, discord_training=training)
            if isinstance(standin, DiscordStandin):
                async with DiscordAdapter(desk, settings, lambda line: None):
                    await standin.wait_ready()
                    guild = standin.guild("Fans")
                    channel = guild.text_channel("pictures")
                    mia = guild.member("mia", roles=[guild.role("bosses", "manage_guild")])
                    ann = guild.member("ann")
                    yield Room(
                        DiscordTeacher(standin, channel, mia),
                        DiscordTeacher(standin, channel, ann),
                        DiscordTeacher(standin, standin.dm(ann), ann),
                        eyes,
                        ledger,
                        ("discord", str(guild.id)),
                    )
                    assert standin.replies(channel) == []  # all of it is for whoever teaches
            else:
                async with TelegramAdapter(desk, settings, lambda line: None):
                    await standin.wait_ready()
                    group = standin.group("Fans")
                    boss, member = standin.user("mia"), standin.user("ann")
                    group.add(boss, admin=True)
                    group.add(member)
                    yield Room(
                        TelegramTeacher(standin, group, boss),
                        TelegramTeacher(standin, group, member),
                        TelegramTeacher(standin, standin.private(member), member),
                        eyes,
                        ledger,
                        ("telegram", str(group.id)),
                    )
            assert standin.violations == []
        finally:
            await ledger.close()


@pytest.fixture(params=("discord", "telegram"))
async def room(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Room]:
    async with a_room(request.param, tmp_path, WHOSTHAT_DISCORD__ALLOW_TRAINING="true") as made:
        yield made


def some(colour: str, count: int, seed: int = 0) -> list[bytes]:
    return [drawing(colour, seed=seed + n) for n in range(count)]


async def test_a_moderator_teaches_and_it_counts_at_once(room: Room) -> None:
    said = await room.moderator.teach("Winter Soldier", *some("orange", 3))
    assert said.text == (
        "Learned: Winter Soldier. 3 pictures are examples from now on.\n"
        "I learn fictional characters only: please never teach a private person."
    )
    assert await room.approved() == [("winter-soldier",)] * 3
    assert await room.names() == {"winter-soldier": "known"}
    more = await room.moderator.teach("winter soldier", drawing("orange", seed=9))
    assert more.text == "One more picture is an example of Winter Soldier from now on."


async def test_a_member_proposes(room: Room) -> None:
    said = await room.member.teach("Winter Soldier", *some("orange", 3))
    assert said.text.startswith(
        "Thank you, proposed: Winter Soldier, with 3 pictures. A moderator looks at that before it counts."
    )
    assert await room.approved() == []
    assert await room.names() == {"winter-soldier": "proposed"}
    again = await room.member.teach("Winter Soldier", *some("orange", 3))
    assert again.text == "Nothing new: I have these pictures of Winter Soldier already."
    accepted = await room.moderator.teach("Winter Soldier", *some("orange", 3))
    assert accepted.text.startswith("3 more pictures are examples of Winter Soldier")
    assert await room.names() == {"winter-soldier": "known"}


async def test_alone_whoever_runs_it_decides(room: Room) -> None:
    said = await room.alone.teach("Winter Soldier", *some("orange", 2))
    assert "Whoever runs me looks at that before it counts." in said.text
    assert await room.names() == {}


async def test_a_cat_is_not_iron_man_unless_a_moderator_says_so(room: Room) -> None:
    refused = await room.member.teach("Iron Man", drawing("grey", seed=1), drawing("red", seed=2))
    assert refused.text == (
        "Nothing is taught as Iron Man yet:\n• picture 1 shows nobody I know\n"
        "If they are right all the same, a moderator can teach them."
    )
    assert not refused.button
    doubted = await room.moderator.teach("Iron Man", drawing("grey", seed=1), drawing("red", seed=2))
    assert doubted.button
    assert doubted.text.endswith("Say so if they are right all the same.")
    assert await room.approved() == []
    said = await room.moderator.insist(doubted)
    assert said == "2 more pictures are examples of Iron Man from now on."
    assert await room.approved() == [("iron-man",)] * 2


async def test_a_picture_that_is_somebody_else_is_named(room: Room) -> None:
    doubted = await room.moderator.teach("Thor", drawing("red", seed=1), drawing("blue", seed=2))
    assert "• picture 1 shows Iron Man, I am sure" in doubted.text
    assert "• picture 2 shows Captain America, I am sure" in doubted.text


async def test_one_picture_is_not_two_characters(room: Room) -> None:
    await room.moderator.teach("Winter Soldier", drawing("orange", seed=1))
    for teacher in (room.member, room.moderator):
        said = await teacher.teach("Falcon", drawing("orange", seed=2), drawing("orange", seed=1))
        assert said.text.startswith("Moderators have decided that picture 2 shows Winter Soldier")
    assert await room.names() == {"winter-soldier": "known"}
    assert await room.approved() == [("winter-soldier",)]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("undo", "“undo” means something else to me"),
        ("My Corrections", "means something else to me"),
        ("Nobody", "means something else to me"),
        ("/whois", "A name cannot hold links, slashes"),
        ("12345", "A name needs letters"),
        ("x" * 65, "That name is too long"),
    ],
)
async def test_a_bad_name_is_one_sentence(room: Room, name: str, sentence: str) -> None:
    said = await room.moderator.teach(name, drawing("orange"))
    assert sentence in said.text
    assert "\n" not in said.text
    assert room.eyes.looked == 0
    assert await room.names() == {}


async def test_files_that_are_no_pictures_are_left_out(tmp_path: Path) -> None:
    async with a_room("discord", tmp_path, WHOSTHAT_DISCORD__ALLOW_TRAINING="true") as room:
        whole = drawing("orange", seed=1, kind="JPEG")
        pictures = (whole, whole[:2000], b"no picture", drawing("orange"))
        lines = (await room.moderator.teach("Winter Soldier", *pictures)).text.split("\n")
        assert lines[0] == "Learned: Winter Soldier. 2 pictures are examples from now on."
        assert lines[1].startswith("Picture 2 is left out. That picture breaks off")
        assert lines[2].startswith("Picture 3 is left out. That is not a picture I can read")
        assert await room.approved() == [("winter-soldier",)] * 2


async def test_a_busy_worker_leaves_nothing_half_written(room: Room) -> None:
    assert isinstance(room.eyes, SomeEyes)
    room.eyes.error = WorkerBusy(3.0)
    said = await room.moderator.teach("Winter Soldier", *some("orange", 5))
    assert said.text == "Many pictures are waiting right now: please try again in 3 seconds."
    assert (await room.approved(), await room.names()) == ([], {})
    assert not list((room.ledger._store.folder).glob("*/*"))
    room.eyes.error = None
    assert (await room.moderator.teach("Winter Soldier", *some("orange", 5))).text.startswith("Learned")


async def test_ten_are_taken_and_limits_hold(tmp_path: Path) -> None:
    async with a_room("discord", tmp_path, WHOSTHAT_LIMITS__PERSON_PER_MINUTE="5") as room:
        said = await room.moderator.teach("Winter Soldier", *some("orange", 10))
        assert "10 pictures are examples" in said.text  # let in as a whole, and counted
        assert "discord.allow_training is off" in said.text
        over = await room.moderator.teach("Winter Soldier", drawing("orange", seed=20))
        assert "That is a lot of pictures: please go on in" in over.text


def test_no_command_can_be_taught() -> None:
    assert {comparable(each) for each in ABOUTS} <= COMMANDS
    assert all(each == comparable(each) for each in COMMANDS)


async def test_no_command_of_discord_can_be_taught(tmp_path: Path) -> None:
    async with DiscordStandin() as standin:
        environ = {
            "WHOSTHAT_DATA_DIR": str(tmp_path / "data"),
            "DISCORD_TOKEN": standin.token,
            "WHOSTHAT_DISCORD__API_BASE": standin.api_base,
            "WHOSTHAT_DISCORD__GATEWAY_URL": standin.gateway_url,
        }
        settings = load(environ=environ, folder=tmp_path)
        ledger = await open_ledger(settings)
        desk = Desk(TableEyes(), ledger, RateLimits(20, 120))
        async with DiscordAdapter(desk, settings, lambda line: None):
            await standin.wait_ready()
            channel = standin.guild("Fans").text_channel("pictures")
            await standin.wait_command("teach", channel)
            names = {each["name"] for each in standin.registered_commands}
        await ledger.close()
    assert {comparable(each) for each in names if re.fullmatch(r"[a-z]+", each)} <= COMMANDS


async def test_telegram_asks_for_pictures_and_the_name_is_in_its_question(tmp_path: Path) -> None:
    """So it works after a restart; a picture that is there already can be replied to, too."""
    async with a_room("telegram", tmp_path) as room:
        mia = room.moderator
        assert isinstance(mia, TelegramTeacher)
        command = f"/teach@{mia.telegram.bot_username}"
        how = await mia.said(await mia.user.send_text(mia.chat, command))
        assert "Write /teach and the character's name" in how.text
        asked = await mia.said(await mia.user.send_text(mia.chat, f"{command} Bucky"))
        assert "Reply to this message with 1 to 10 pictures that show Bucky." in asked.text
        assert "never teach a private person" in asked.text
        (first, *_) = await mia.user.send_album(mia.chat, some("orange", 2), reply_to=asked)
        assert (await mia.said(first)).text.startswith("Learned: Bucky. 2 pictures")
        posted = await mia.user.send_photo(mia.chat, drawing("orange", seed=7))
        sent = await mia.user.send_text(mia.chat, f"{command} Bucky", reply_to=posted)
        assert (await mia.said(sent)).text.startswith("One more picture is an example of Bucky")
        refused = await mia.said(await mia.user.send_text(mia.chat, f"{command} undo"))
        assert "means something else to me" in refused.text
        (first, *_) = await mia.user.send_album(mia.chat, some("orange", 3, 20), f"{command} Bucky")
        cut_off = await mia.said(first)  # in privacy mode the rest of the album does not reach us
        assert cut_off.text.lstrip("\u200b").startswith("Of an album I see the first picture only here")
        assert "Reply to this message with 1 to 10 pictures that show Bucky." in cut_off.text
        assert len(await room.approved()) == 3


async def test_another_persons_picture_is_only_known_again(tmp_path: Path) -> None:
    async with a_room("telegram", tmp_path) as room:
        mia, ann = room.moderator, room.member
        assert isinstance(mia, TelegramTeacher)
        assert isinstance(ann, TelegramTeacher)
        posted = await ann.user.send_photo(ann.chat, drawing("orange", seed=7))
        command = f"/teach@{mia.telegram.bot_username} Winter Soldier"
        said = await mia.said(await mia.user.send_text(mia.chat, command, reply_to=posted))
        assert "They are somebody else's pictures: until their poster agrees" in said.text
        assert await room.approved() == [("winter-soldier",)]


async def test_only_the_teacher_insists_on_telegram(tmp_path: Path) -> None:
    async with a_room("telegram", tmp_path) as room:
        doubted = await room.moderator.teach("Iron Man", drawing("grey", seed=1))
        assert "Only moderators can do that here." in await room.member.insist(doubted)
        assert await room.approved() == []
        assert "One more picture" in await room.moderator.insist(doubted)
