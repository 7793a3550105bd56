"""Messages that become one another: a case after the next, in the same place."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from dataclasses import dataclass
from typing import Any

from telegram.constants import ParseMode
from telegram.error import BadRequest

from bot.telegram_adapter.asking import chat_of
from bot.telegram_adapter.voices import NO_PREVIEW, Speaker
from corrections.types import Address

log = logging.getLogger(__name__)

SIDE = 1280
"""Pixels: Telegram shows photos no larger."""
THIN = 18
"""How many times longer than wide a photo may be shown; Telegram takes 20."""
_UNCHANGED = re.compile("not modified", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Frame:
    """Where to show something: in the place of a message of ours, or ``below`` a message of theirs."""

    place: Address
    below: bool = False


async def show(
    speaker: Speaker, frame: Frame, text: str, photo: bytes | None = None, markup: Any = None
) -> None:
    """Show HTML, with a JPEG if there is one; a new message replaces one that cannot become that."""
    if not frame.below and await _becomes(speaker, frame.place, text, photo, markup):
        return
    sent = await speaker.show(frame.place, photo, text, markup) if photo else None
    if sent is None:
        sent = await speaker.say(frame.place, text, markup)
    if sent is not None and not frame.below:
        await speaker.delete(frame.place)


async def _becomes(speaker: Speaker, place: Address, text: str, photo: bytes | None, markup: Any) -> bool:
    try:
        if photo:
            await speaker.exchange(place, photo, text, markup)
        else:
            await speaker.bot.edit_message_text(
                text,
                chat_of(place)[0],
                int(place.message),
                parse_mode=ParseMode.HTML,
                link_preview_options=NO_PREVIEW,
                reply_markup=markup,
            )
    except BadRequest as error:  # a photo cannot become a text, and what was deleted nothing at all
        log.info("a message could not become another: %s", error)
        return bool(_UNCHANGED.search(error.message))
    return True


async def as_jpeg(stored: bytes, suffix: str) -> bytes | None:
    """A kept picture as Telegram certainly takes photos, which WebP and long strips are not.

    Args:
        stored: as the ledger keeps it: encoded by ourselves, not by whoever posted it.
        suffix: its file suffix.
    """
    return await asyncio.to_thread(_as_jpeg, stored, suffix)


def _as_jpeg(stored: bytes, suffix: str) -> bytes | None:
    from PIL import Image  # of the few processes that need it, only when somebody reviews

    try:
        with Image.open(io.BytesIO(stored), formats=(suffix.upper().replace("JPG", "JPEG"),)) as opened:
            opened.thumbnail((SIDE, SIDE))
            image = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        log.warning("a kept picture (%s) cannot be read", suffix)
        return None
    least = -(-max(image.size) // THIN)
    if min(image.size) < least:
        wide = Image.new("RGB", (max(image.width, least), max(image.height, least)), "white")
        wide.paste(image, ((wide.width - image.width) // 2, (wide.height - image.height) // 2))
        image = wide
    shown = io.BytesIO()
    image.save(shown, "JPEG", quality=87)
    return shown.getvalue()
