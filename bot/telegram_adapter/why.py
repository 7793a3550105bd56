"""*Why?*: what an answer hangs on, in the private chat of whoever asks: a group is not shown it.

A bot cannot write to a person first, so somebody in a group who has never written to it is told to.
"""

from __future__ import annotations

import html

from telegram import MaybeInaccessibleMessage
from telegram.constants import ChatAction
from telegram.error import BadRequest, Forbidden

from bot.desk.desk import Desk
from bot.desk.types import Person, Refused
from bot.telegram_adapter import rendering
from bot.telegram_adapter.asking import PLATFORM, is_private
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.toasts import Alert
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.wording_why import why_heat, why_nearest, why_title
from bot.words import Words
from corrections.types import Address


class Why:
    """Answers the button."""

    def __init__(self, desk: Desk, speaker: Speaker, background: Background) -> None:
        self._desk = desk
        self._speaker = speaker
        self._background = background

    async def press(
        self,
        message: MaybeInaccessibleMessage | None,
        prediction_id: int,
        who: Person,
        place: Address,
        w: Words,
    ) -> str:
        """Begin to explain; what the person reads at once."""
        if self._desk.why is None or not rendering.offers(message, "why"):
            return w("error-old-button")
        to = place if is_private(place) else Address(PLATFORM, f"dm:{who.id}", who.id, "0")
        try:
            await self._speaker.bot.send_chat_action(int(who.id), ChatAction.UPLOAD_PHOTO)
        except (Forbidden, BadRequest):
            return Alert(w("telegram-why-start"))
        self._background.start(self._explain(prediction_id, who, place, to, w), f"why-{prediction_id}")
        return w("telegram-why-looking" if is_private(place) else "telegram-why-private")

    async def _explain(self, prediction_id: int, who: Person, place: Address, to: Address, w: Words) -> None:
        assert self._desk.why is not None
        said = await self._desk.why.explain(who, place, prediction_id)
        if isinstance(said, Refused):
            await self._speaker.say(to, html.escape(refusal(said, w)))
            return
        nearest = why_nearest(said, w, rendering.bold)
        lines = [why_title(said, w, rendering.bold), why_heat(said, w, rendering.bold), w("why-honest")]
        if said.sheet is None:
            lines.append(nearest)
        await self._speaker.show(to, said.picture, "\n".join(lines))
        if said.sheet is not None:
            await self._speaker.show(to, said.sheet, nearest)
