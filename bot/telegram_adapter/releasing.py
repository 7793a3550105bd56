"""``/export`` and ``/console``: what leaves, and a link that works once; only in private chats."""

from __future__ import annotations

import asyncio
import html

from bot.desk.desk import Desk
from bot.desk.releases import Nothing, Released
from bot.desk.types import Refused
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.wording_review import exported_text
from bot.words import Words
from corrections.review.types import Moderator
from corrections.types import Address

DOCUMENT_BYTES = 50 << 20
"""What a bot may upload."""
PATIENCE_SECONDS = 2.0
"""After so long somebody is told that it takes a while."""


class Releasing:
    """Hands out exports and links, to one moderator alone."""

    def __init__(self, desk: Desk, speaker: Speaker, kept_hours: int) -> None:
        self._desk = desk
        self._speaker = speaker
        self._kept_hours = kept_hours

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
        """Everything that is approved and may leave: a file, or a link where it is too large for the chat."""
        work = asyncio.ensure_future(self._desk.moderation.export(moderator))
        try:
            done, _ = await asyncio.wait({work}, timeout=PATIENCE_SECONDS)
            if not done:
                await self._speaker.say(place, html.escape(f"{w('export-under-way')}…"))
            outcome = await work
        finally:
            work.cancel()
        if isinstance(outcome, Refused):
            await self._speaker.say(place, html.escape(refusal(outcome, w)))
        elif isinstance(outcome, Nothing):
            await self._speaker.say(place, html.escape(exported_text(None, outcome.counts, w)))
        else:
            await self._hand_over(moderator, outcome, place, w)

    async def _hand_over(self, moderator: Moderator, released: Released, place: Address, w: Words) -> None:
        text = html.escape(exported_text(released.name, released.counts, w))
        if released.size <= DOCUMENT_BYTES and await self._speaker.hand_over(place, released.file, text):
            await self._desk.moderation.exported(released)
            return
        link = await self._desk.moderation.export_link(moderator, released)
        if isinstance(link, Refused):
            behind = refusal(link, w)
        else:
            behind = f"{w('release-link', hours=self._kept_hours)} {link}"
        await self._speaker.say(place, f"{text}\n{html.escape(behind)}")
