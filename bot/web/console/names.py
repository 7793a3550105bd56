"""Names for the reader: of characters in their language, of communities as far as the ledger knows any."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from bot.desk.desk import Desk
from bot.desk.naming import in_language
from bot.desk.types import Person, Refused
from bot.web import render
from bot.web.console import html
from corrections.review.types import Moderator
from corrections.types import Community


class Names:
    """Looks names up at the desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def of(self, request: web.Request, community: Community | None) -> Callable[[str], str]:
        """From a slug to the name that the reader knows; the operator (None) knows those of all places."""
        language = render.spoken(request).language
        named = await self._desk.moderation.named(community or ("", ""), language)
        if community is not None:
            return named
        everybody = await self._desk.moderation.characters(request[html.SIGNED_IN].moderator)
        local = {} if isinstance(everybody, Refused) else {c.slug: c.names for c in everybody if c.community}
        return lambda slug: in_language(local[slug], language) if slug in local else named(slug)

    def person(self, request: web.Request) -> Person:
        """The moderator as the desk knows people, with the language that their browser speaks."""
        platform, native = request[html.SIGNED_IN].moderator.person
        return Person(platform, native, render.spoken(request).language)

    async def communities(self, moderator: Moderator) -> list[Community]:
        """Those that an operator may choose from; a moderator has one and nothing to choose."""
        return await self._desk.moderation.communities(moderator)
