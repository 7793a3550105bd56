"""One platform with the real adapter, desk and ledger on it, and people who talk with the bot there."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.discord_adapter.adapter import DiscordAdapter
from bot.settings import Settings, load
from bot.telegram_adapter.adapter import TelegramAdapter
from bot.web.app import WebAdapter
from corrections.ledger import Ledger
from model.reasons import Explainer
from model.types import Eyes
from tests.bot.conversations.discord import DiscordConversation, DiscordReviewing
from tests.bot.conversations.spoken import Conversation, Reviewing
from tests.bot.conversations.telegram import TelegramConversation, TelegramReviewing
from tests.bot.conversations.web import WebConversation
from tests.standins.discord import DiscordStandin
from tests.standins.ledgers import open_ledger
from tests.standins.page import SECRET, TableEyes
from tests.standins.telegram import TelegramStandin


@dataclass(frozen=True)
class Place:
    """One platform with the bot on it: `talk` with it, and look into its ledger.

    ``moderator`` may review here, ``passer_by`` may not.
    """

    talk: Conversation
    other: Conversation
    eyes: TableEyes
    ledger: Ledger
    settings: Settings
    moderator: Reviewing | None = None
    passer_by: Reviewing | None = None


@asynccontextmanager
async def place(
    platform: str,
    folder: Path,
    eyes: Eyes | None = None,
    explainer: Explainer | None = None,
    **variables: str,
) -> AsyncIterator[Place]:
    """The real adapter, desk and ledger of one platform, and two people talking with it."""
    async with AsyncExitStack() as stack:
        environ = {"WHOSTHAT_WEB__PORT": "0", "WHOSTHAT_DATA_DIR": str(folder / "data")}
        environ |= {f"WHOSTHAT_{key.upper()}": value for key, value in variables.items()}
        table = TableEyes()
        standin = await stack.enter_async_context(DiscordStandin()) if platform == "discord" else None
        if standin:
            environ |= {
                "DISCORD_TOKEN": standin.token,
                "WHOSTHAT_DISCORD__API_BASE": standin.api_base,
                "WHOSTHAT_DISCORD__GATEWAY_URL": standin.gateway_url,
                "WHOSTHAT_DISCORD__CDN_HOSTS": standin.cdn_host,
            }
        telegram = await stack.enter_async_context(TelegramStandin()) if platform == "telegram" else None
        if telegram:
            environ |= {"TELEGRAM_TOKEN": telegram.token, "WHOSTHAT_TELEGRAM__API_BASE": telegram.api_base}
        settings = load(environ=environ, folder=folder)
        ledger = await open_ledger(settings)
        stack.push_async_callback(ledger.close)
        limits = RateLimits(settings.limits.person_per_minute, settings.limits.community_per_minute)
        desk = Desk(
            eyes or table,
            ledger,
            limits,
            caps={"mebibytes": 20, "megapixels": 64},
            discord_training=settings.discord.allow_training,
        )
        if explainer is not None:
            desk.explain_with(explainer)
        if standin:
            adapter = await stack.enter_async_context(DiscordAdapter(desk, settings, lambda line: None))
            await standin.wait_ready()
            guild = standin.guild("Fans")
            channel = guild.text_channel("pictures")
            ann, bob = (
                DiscordConversation(standin, channel, guild.member(name), lambda: adapter.busy)
                for name in ("ann", "bob")
            )
            boss = guild.member("mia", roles=[guild.role("bosses", "manage_guild")])
            reviewing = [DiscordReviewing(channel, each) for each in (boss, guild.member("cleo"))]
            yield Place(ann, bob, table, ledger, settings, *reviewing)
            assert standin.violations == []
            assert all(not message.pings for message in standin.replies(channel))
        elif telegram:
            bot = await stack.enter_async_context(TelegramAdapter(desk, settings, lambda line: None))
            await telegram.wait_ready()
            group = telegram.group("Fans")
            people = [telegram.user(name) for name in ("ann", "bob")]
            for user in people:
                group.add(user)
            one, other = (
                TelegramConversation(telegram, group, user, lambda: bool(bot.busy)) for user in people
            )
            mia, cleo = telegram.user("mia"), telegram.user("cleo")
            group.add(mia, admin=True)
            group.add(cleo)
            boards = (
                TelegramReviewing(telegram, group, user, lambda: bool(bot.busy)) for user in (mia, cleo)
            )
            yield Place(one, other, table, ledger, settings, *boards)
            assert telegram.violations == []
            assert all(message.silent for message in telegram.replies(group))
        else:
            web = await stack.enter_async_context(WebAdapter(desk, settings, SECRET))
            yield Place(
                WebConversation(web.url, stack), WebConversation(web.url, stack), table, ledger, settings
            )
