"""The real Telegram adapter, desk and ledger in this process, against the stand-in; the eyes are a table."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.settings import Settings, load
from bot.telegram_adapter.adapter import TelegramAdapter
from corrections.ledger import Ledger
from tests.standins.drawings import drawing
from tests.standins.ledgers import open_ledger
from tests.standins.page import TableEyes
from tests.standins.telegram import Chat, MessageSnapshot, Pressed, TelegramStandin, User

VOTES = """SELECT characters.slug FROM votes LEFT JOIN vote_labels ON vote_labels.vote_id = votes.id
           LEFT JOIN characters ON characters.id = vote_labels.character_id ORDER BY votes.id"""


@dataclass
class Room:
    """Ann, her private chat with the bot, and a group with her and the bot in it."""

    telegram: TelegramStandin
    ann: User
    private: Chat
    group: Chat
    eyes: TableEyes
    ledger: Ledger
    settings: Settings
    adapter: TelegramAdapter
    said: list[str] = field(default_factory=list)

    async def ask(self, colour: str = "red", *, seed: int = 0, who: User | None = None) -> MessageSnapshot:
        """Send a picture in private; the answer."""
        who = who or self.ann
        sent = await who.send_photo(self.telegram.private(who), drawing(colour, seed=seed))
        return await self.telegram.wait_reply(to=sent)

    async def whois(self, colour: str = "red", *, seed: int = 0, **where: Any) -> MessageSnapshot:
        """Ask in the group; the answer."""
        chat = where.pop("chat", self.group)
        sent = await self.ann.send_photo(
            chat, drawing(colour, seed=seed), "/whois@whosthat_test_bot", **where
        )
        return await self.telegram.wait_reply(to=sent)

    async def told(self, text: str, chat: Chat | None = None, who: User | None = None) -> MessageSnapshot:
        """Write something; what is replied."""
        who = who or self.ann
        sent = await who.send_text(chat or self.telegram.private(who), text)
        return await self.telegram.wait_reply(to=sent)

    async def shows(self, message: MessageSnapshot, label: str) -> MessageSnapshot:
        """The message, once it has a button whose label has this in it."""

        def shown() -> MessageSnapshot | None:
            now = self.telegram.message(message)
            return now if now and any(label in each.label for each in now.buttons) else None

        return await self.telegram.wait_until(shown, what=f"a button {label!r}")

    async def at_rest(self) -> None:
        """Until the bot has nothing to do any more."""
        await self.telegram.settle(busy=lambda: bool(self.adapter.busy))

    def votes(self) -> list[str | None]:
        """The standing votes; None is nobody on the list."""
        with closing(sqlite3.connect(self.settings.data_dir / "whosthat.db")) as database:
            return [slug for (slug,) in database.execute(VOTES)]


async def toast(pressed: Pressed) -> str:
    """What the person reads when the spinner stops."""
    return (await pressed.answer()).text


@asynccontextmanager
async def room(
    folder: Path, language: str | None = "en", more: dict[str, str] | None = None, **standin: Any
) -> AsyncIterator[Room]:
    """A room on a fresh stand-in; ``more`` are variables."""
    async with TelegramStandin(**standin) as telegram:
        ann, group = telegram.user("Ann", language_code=language), telegram.group("Fans")
        group.add(ann)
        environ = {
            "TELEGRAM_TOKEN": telegram.token,
            "WHOSTHAT_TELEGRAM__API_BASE": telegram.api_base,
            "WHOSTHAT_DATA_DIR": str(folder / "data"),
            **(more or {}),
        }
        settings = load(environ=environ, folder=folder)
        ledger = await open_ledger(settings)
        try:
            eyes, said = TableEyes(), list[str]()
            limits = RateLimits(settings.limits.person_per_minute, settings.limits.community_per_minute)
            desk = Desk(eyes, ledger, limits, caps={"mebibytes": 20, "megapixels": 64})
            async with TelegramAdapter(desk, settings, said.append) as adapter:
                await telegram.wait_ready()
                private = telegram.private(ann)
                yield Room(telegram, ann, private, group, eyes, ledger, settings, adapter, said)
        finally:
            await ledger.close()
        assert telegram.violations == []
        assert telegram.spinners == []
