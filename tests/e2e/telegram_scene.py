"""Ann, a bot and Telegram's stand-in: where the end-to-end tests of Telegram take place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.e2e.running import VOTES, Bot, running_bot, telegram_settings
from tests.standins.drawings import drawing
from tests.standins.telegram import Chat, MessageSnapshot, Pressed, TelegramStandin, User


@dataclass
class Scene:
    """Ann, her private chat with the bot, a group in which both are, and the bot."""

    telegram: TelegramStandin
    ann: User
    private: Chat
    group: Chat
    bot: Bot

    async def ask(self, colour: str = "red", *, seed: int = 0) -> MessageSnapshot:
        sent = await self.ann.send_photo(self.private, drawing(colour, seed=seed))
        return await self.telegram.wait_reply(to=sent)

    async def whois(self, colour: str = "red", *, seed: int = 0) -> MessageSnapshot:
        sent = await self.ann.send_photo(self.group, drawing(colour, seed=seed), "/whois")
        return await self.telegram.wait_reply(to=sent)

    async def shows(self, message: MessageSnapshot, label: str) -> MessageSnapshot:
        """The message, once it has a button."""

        def shown() -> MessageSnapshot | None:
            now = self.telegram.message(message)
            return now if now and any(label in each.label for each in now.buttons) else None

        return await self.telegram.wait_until(shown, what=f"a button {label!r}")

    def votes(self) -> list[str | None]:
        return [slug for (slug,) in self.bot.rows(VOTES)]


async def toast(pressed: Pressed) -> str:
    return (await pressed.answer()).text


@asynccontextmanager
async def scene(
    folder: Path,
    bundle: Path,
    standin: dict[str, Any] | None = None,
    language: str | None = "en",
    **more: str,
) -> AsyncIterator[Scene]:
    async with TelegramStandin(**(standin or {})) as telegram:
        ann, group = telegram.user("Ann", language_code=language), telegram.group("Fans")
        group.add(ann)
        async with running_bot(folder, bundle, **telegram_settings(telegram, **more)) as bot:
            await telegram.wait_ready()
            yield Scene(telegram, ann, telegram.private(ann), group, bot)
            assert telegram.token not in bot.output
            assert "Traceback" not in bot.output
        assert telegram.violations == []
        assert telegram.spinners == []
