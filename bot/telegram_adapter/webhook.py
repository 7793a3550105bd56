"""The webhook: a small server that Telegram calls, through a proxy with TLS."""

from __future__ import annotations

import hmac
import logging
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from aiohttp import web
from telegram import Update

from bot.settings_tree import Telegram
from bot.telegram_adapter.connection import Bot
from bot.telegram_adapter.updates import WANTED, Updates

log = logging.getLogger(__name__)

HEADER = "X-Telegram-Bot-Api-Secret-Token"


class Webhook:
    """Listens while ``async with`` holds it. ``secret`` is what Telegram sends along with each update.

    400: no update; 403: not Telegram; 503: stopping, to be sent again later.
    """

    def __init__(self, bot: Bot, updates: Updates, settings: Telegram, secret: str) -> None:
        self._bot = bot
        self._updates = updates
        self._settings = settings
        self._secret = secret
        self._closing = False
        self.trouble = ""
        """Nothing is known to be wrong while we listen."""
        app = web.Application(client_max_size=1 << 20)
        app.router.add_post(urlsplit(settings.webhook_url).path, self._take)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=3)

    async def __aenter__(self) -> Self:
        """Listen.

        Raises:
            OSError: the address is taken.
        """
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._settings.webhook_host, self._settings.webhook_port).start()
        except OSError:
            await self._runner.cleanup()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Telegram keeps calling and keeps the updates meanwhile: the next start goes on with them.
        await self._runner.cleanup()

    async def register(self) -> None:
        """Let Telegram call."""
        url = self._settings.webhook_url
        await self._bot.set_webhook(url, allowed_updates=WANTED, secret_token=self._secret)

    def stop(self) -> None:
        """Take no more updates."""
        self._closing = True

    async def _take(self, request: web.Request) -> web.Response:
        # A header may be any bytes; those that are no UTF-8 come as surrogates.
        given = request.headers.get(HEADER, "")
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), self._secret.encode()):
            return web.Response(status=403)
        if self._closing:
            return web.Response(status=503)
        try:
            told = await request.json()
            update = Update.de_json(told, self._bot) if isinstance(told, dict) else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return web.Response(status=400)
        if update is None or not isinstance(update.update_id, int):
            return web.Response(status=400)
        await self._updates.take([update])
        return web.Response()
