"""Starting, watching and stopping Telegram."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from types import TracebackType
from typing import Self

from telegram.error import InvalidToken, TimedOut
from tenacity import AsyncRetrying, before_sleep_log, retry_if_exception

from bot.desk.desk import Desk
from bot.settings import Settings
from bot.telegram_adapter.admins import Admins
from bot.telegram_adapter.announcing import TelegramAnnouncer
from bot.telegram_adapter.asking import PLATFORM, Pictures
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.boards import Boards
from bot.telegram_adapter.casting import Casting
from bot.telegram_adapter.choosing import Choosing
from bot.telegram_adapter.clicks import Clicks
from bot.telegram_adapter.commands import Commands
from bot.telegram_adapter.connection import make_bot, passes, pause
from bot.telegram_adapter.listing import register
from bot.telegram_adapter.messages import Messages
from bot.telegram_adapter.moderation import Moderation
from bot.telegram_adapter.moderators import Moderators
from bot.telegram_adapter.polling import Polling
from bot.telegram_adapter.privacy import Privacy
from bot.telegram_adapter.prompts import Prompts
from bot.telegram_adapter.releasing import Releasing
from bot.telegram_adapter.reviewing import Reviewing
from bot.telegram_adapter.teaching import Teaching
from bot.telegram_adapter.training import Retrain
from bot.telegram_adapter.updates import Updates
from bot.telegram_adapter.voices import Speaker
from bot.telegram_adapter.webhook import Webhook
from bot.watching import ENDED, NOT_CONNECTED
from bot.words import words
from corrections.people import load_secret

log = logging.getLogger(__name__)

FINISH_SECONDS = 5.0


class TelegramAdapter:
    """Takes updates in the background; ``async with`` it.

    A refused token and another program with the same token are said through ``report`` in one sentence
    each; everything else goes on.

    When stopped it takes a few seconds to finish. An answer that a chat's flood limit holds back for longer
    is lost then, and its update does not come again: Telegram takes them as confirmed up to a number, with
    all that came before. Whoever misses it asks again.
    """

    def __init__(self, desk: Desk, settings: Settings, report: Callable[[str], None]) -> None:
        self._settings = settings
        self._report = report
        self._background = Background()
        self._bot = bot = make_bot(settings.telegram, partial(desk.metrics.called, PLATFORM))
        speaker = Speaker(bot, desk)
        self.announcer = TelegramAnnouncer(desk, speaker)
        """Edits replies when a new model agrees with people."""
        admins, background = Admins(bot), self._background
        boards = Boards(desk, speaker, background)
        choosing = Choosing(desk, speaker, admins, background)
        prompts = Prompts(desk, speaker, background)
        moderators = Moderators(desk, speaker, admins)
        desk.moderation.rights.register(PLATFORM, moderators.still)
        privacy = Privacy(desk, speaker, boards, moderators, background)
        reviewing = Reviewing(desk, speaker, moderators, background)
        casting = Casting(desk, speaker, moderators, background)
        releasing = Releasing(desk, speaker, settings.export.kept_hours)
        self._retrain = retrain = Retrain(desk, speaker, moderators, background)
        moderation = Moderation(
            desk, speaker, admins, moderators, reviewing, casting, releasing, retrain, background
        )
        commands = Commands(desk, speaker, boards, choosing, privacy, moderation)
        pictures = Pictures(bot, settings.worker.max_mebibytes << 20, settings.limits.pictures_per_message)
        teaching = Teaching(desk, speaker, pictures, admins, background)
        age = timedelta(minutes=settings.telegram.max_age_minutes)
        self._messages = Messages(
            desk, speaker, pictures, commands, prompts, reviewing, casting, teaching, background, age
        )
        clicks = Clicks(
            desk,
            speaker,
            boards,
            prompts,
            choosing,
            commands,
            privacy,
            reviewing,
            casting,
            retrain,
            teaching,
            background,
        )
        self._updates = Updates(desk, self._messages, clicks, self._background)
        self._source: Polling | Webhook | None = None
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run(), name="telegram")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_asking()
        await self._retrain.close()
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=FINISH_SECONDS)
            await self._background.finish(FINISH_SECONDS)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._bot.shutdown()
        await self._bot.request.shutdown()  # the bot leaves it open when its token was refused

    @property
    def busy(self) -> int:
        """How many things are under way."""
        return self._background.busy

    async def trouble(self) -> str:
        """Why no pictures come from Telegram; empty while they do."""
        if self._task is None or self._task.done():
            return ENDED
        return NOT_CONNECTED if self._source is None else self._source.trouble

    def stop_asking(self) -> None:
        """Take no new updates, which wait at Telegram; what is being answered goes on."""
        self._stopping.set()
        self._messages.albums.hurry()
        if self._source is not None:
            self._source.stop()

    async def _run(self) -> None:
        w = words()
        try:
            await self._up()
            if self._settings.telegram.mode == "webhook":
                await self._listen()
            else:
                await self._poll()
        except InvalidToken:
            self._report(w("run-telegram-refused"))
        except Exception as error:
            log.exception("Telegram ended")
            self._report(w("run-telegram-failed", why=str(error) or type(error).__name__))

    async def _up(self) -> None:
        """Ask Telegram who we are, for as long as it takes."""
        await _waiting_out_trouble(self._bot.initialize)
        me = self._bot.bot
        self._report(words()("run-telegram-on", bot=f"@{me.username}"))
        if not me.can_read_all_group_messages:
            self._report(words()("run-telegram-privacy"))
        self._background.start(register(self._bot, self._settings.training.communities), "commands")

    async def _poll(self) -> None:
        # Updates that wait are kept: they are worked off, and what is too old to answer is left alone.
        await _waiting_out_trouble(self._bot.delete_webhook)
        polling = self._source = Polling(
            self._bot, self._updates, lambda: self._report(words()("run-telegram-conflict"))
        )
        if not self._stopping.is_set():
            await polling.run()

    async def _listen(self) -> None:
        settings = self._settings.telegram
        secret = await asyncio.to_thread(webhook_secret, self._settings)
        async with AsyncExitStack() as stack:
            webhook = self._source = Webhook(self._bot, self._updates, settings, secret)
            await stack.enter_async_context(webhook)
            await _waiting_out_trouble(webhook.register)
            self._report(words()("run-telegram-webhook", url=settings.webhook_url))
            await self._stopping.wait()


def webhook_secret(settings: Settings) -> str:
    """What Telegram sends along: derived, so that there is one secret to keep, and of this token only."""
    token = settings.telegram.token.get_secret_value()
    return hmac.digest(
        load_secret(settings.data_dir, make=False), f"telegram-webhook:{token}".encode(), "sha256"
    ).hex()


async def _waiting_out_trouble(call: Callable[[], Awaitable[object]]) -> None:
    retrying = AsyncRetrying(
        retry=retry_if_exception(lambda error: passes(error) or isinstance(error, TimedOut)),
        wait=pause,
        before_sleep=before_sleep_log(log, logging.WARNING),
    )
    await retrying(call)
