"""Inline search: ``@bot spidey`` anywhere in Telegram offers characters, in both languages."""

from __future__ import annotations

import logging

from telegram import InlineQuery, InlineQueryResultArticle, InputTextMessageContent
from telegram.error import TelegramError

from bot.desk.desk import Desk
from bot.desk.types import Person
from bot.telegram_adapter.asking import PLATFORM, person
from bot.telegram_adapter.connection import no_trouble
from corrections.types import LANGUAGES, Address

log = logging.getLogger(__name__)

MOST = 50
"""Offers that one answer may have."""
CACHE_SECONDS = 60


async def search(query: InlineQuery, desk: Desk) -> None:
    """Offer the characters that the text may mean; choosing one writes its name."""
    who = person(query.from_user)
    place = Address(PLATFORM, f"dm:{who.id}", who.id, "0")
    found = await desk.suggest(who, place, query.query, MOST)
    names: dict[str, list[str]] = {}
    for language in LANGUAGES:
        every = await desk.suggest(Person(PLATFORM, who.id, language), place, query.query, MOST)
        for choice in every:
            names.setdefault(choice.slug, []).append(choice.name)
    offers = [
        InlineQueryResultArticle(
            id=each.slug[:64],
            title=each.name,
            description=" · ".join(
                name for name in dict.fromkeys(names.get(each.slug, ())) if name != each.name
            ),
            input_message_content=InputTextMessageContent(each.name),
        )
        for each in found
    ]
    try:
        await query.answer(offers, cache_time=CACHE_SECONDS, is_personal=True)
    except TelegramError as error:
        level = logging.INFO if no_trouble(error) else logging.WARNING
        log.log(level, "an inline search was not answered: %s", error)
