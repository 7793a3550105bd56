"""``/setup``: a group's admins choose with buttons what holds in their group."""

from __future__ import annotations

import html
import logging

from telegram import MaybeInaccessibleMessage, Message
from telegram.error import TelegramError

from bot.desk.communities import ALL
from bot.desk.desk import Desk
from bot.desk.types import Person, Refused
from bot.telegram_adapter import rendering
from bot.telegram_adapter.admins import Admins
from bot.telegram_adapter.asking import chat_of, is_private, place_of
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.connection import Bot
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.words import Words, words
from corrections.types import LANGUAGES, Address, CommunitySettings

log = logging.getLogger(__name__)

PER_MINUTE = (3, 5, 10, 20)
LANGUAGE_NAMES = {"en": "telegram-language-en", "zh-CN": "telegram-language-zh"}


class Choosing:
    """Shows and changes a community's settings."""

    def __init__(self, desk: Desk, speaker: Speaker, admins: Admins, background: Background) -> None:
        self._desk = desk
        self._admins = admins
        self._speaker = speaker
        self._background = background

    async def show(self, message: Message, who: Person, place: Address, w: Words) -> None:
        """Answer ``/setup``."""
        text, keyboard = html.escape(w("telegram-setup-refused")), None
        try:
            if is_private(place):
                text = html.escape(w("telegram-setup-elsewhere"))
            elif await self._admins.wrote(message):
                text, keyboard = await self._page(place, w)
        except TelegramError as error:  # it does not say whether they are an admin
            log.warning("settings were not shown: %s", error)
            text = html.escape(w("error-trouble"))
        await self._speaker.say(place, text, keyboard)

    async def choose(self, message: MaybeInaccessibleMessage, slot: str, who: Person, place: Address) -> str:
        """Somebody pressed one of the settings; what they read."""
        w = words(await self._desk.language(who, place))
        changes = _changes(slot)
        if is_private(place) or changes is None:
            return w("error-old-button")
        if not await self._admins.has(chat_of(place)[0], int(who.id)):
            return w("telegram-setup-refused")
        chosen = await self._desk.change_settings(who, place, **changes)
        if isinstance(chosen, Refused):
            return refusal(chosen, w)
        self._background.start(self._redraw(place_of(message), w), "settings")
        return w("telegram-setup-noted")

    async def _redraw(self, place: Address, w: Words) -> None:
        await self._speaker.change(place, *(await self._page(place, w)))

    async def _page(self, place: Address, w: Words) -> tuple[str, object]:
        chosen = await self._desk.settings(place)
        everything = ALL in (chosen.watched or ())
        lines = [w("telegram-setup")]
        if everything and not await self._sees_everything(place):
            lines.append(w("telegram-setup-privacy"))
        return html.escape("\n\n".join(lines)), rendering.options(_rows(chosen, everything, w))

    async def _sees_everything(self, place: Address) -> bool:
        bot: Bot = self._speaker.bot
        if bot.bot.can_read_all_group_messages:
            return True
        return await self._admins.has(chat_of(place)[0], bot.id)


def _rows(chosen: CommunitySettings, everything: bool, w: Words) -> list[list[tuple[str, str]]]:
    def option(label: str, slot: str, holds: bool) -> tuple[str, str]:
        return (f"✓ {label}" if holds else label), slot

    number = chosen.person_per_minute
    return [
        [
            option(w("telegram-setup-all"), "watched=all", everything),
            option(w("telegram-setup-asked"), "watched=none", not everything),
        ],
        [
            option(w("telegram-setup-quiet"), "chatty=no", not chosen.chatty),
            option(w("telegram-setup-chatty"), "chatty=yes", chosen.chatty),
        ],
        [
            *(
                option(w(LANGUAGE_NAMES[each]), f"language={each}", chosen.language == each)
                for each in LANGUAGES
            ),
            option(w("telegram-setup-own"), "language=", not chosen.language),
        ],
        [
            *(
                option(w("telegram-setup-minute", count=each), f"minute={each}", number == each)
                for each in PER_MINUTE
            ),
            option(w("telegram-setup-any"), "minute=", number is None),
        ],
    ]


def _changes(slot: str) -> dict[str, object] | None:
    """What a button chooses; None for what no button of ours says."""
    name, _, value = slot.partition("=")
    match name:
        case "watched" if value in ("all", "none"):
            return {"watched": (ALL,) if value == "all" else ()}
        case "chatty" if value in ("yes", "no"):
            return {"chatty": value == "yes"}
        case "language" if value in ("", *LANGUAGES):
            return {"language": value}
        case "minute" if value in ("", *map(str, PER_MINUTE)):
            return {"person_per_minute": int(value) if value else None}
    return None
