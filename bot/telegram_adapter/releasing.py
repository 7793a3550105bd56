"""``/export`` and ``/console``: what leaves, and a link that works once; only in private chats."""

from __future__ import annotations

import html
import logging

from bot.desk.desk import Desk
from bot.desk.types import Refused
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.words import Words
from corrections.review.types import Moderator
from corrections.types import Address

log = logging.getLogger(__name__)

DOCUMENT_BYTES = 50 << 20
"""What a bot may upload."""


class Releasing:
    """Hands out exports and links, to one moderator alone."""

    def __init__(self, desk: Desk, speaker: Speaker, background: Background) -> None:
        self._desk = desk
        self._speaker = speaker
        self._background = background

    async def console(self, moderator: Moderator, place: Address, w: Words) -> None:
        """A link to the review in the browser."""
        link = await self._desk.moderation.console_link(moderator)
        text = (
            refusal(link, w)
            if isinstance(link, Refused)
            else w("telegram-console", link=link, minutes=self._desk.moderation.link_minutes)
        )
        await self._speaker.say(place, html.escape(text))

    async def export(self, moderator: Moderator, place: Address, w: Words) -> None:
        """Everything that is approved and may leave."""
        raise NotImplementedError
