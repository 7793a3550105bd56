"""Names for the reader: of characters in their language, of communities as far as the ledger knows any."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from bot.desk.desk import Desk
from bot.desk.naming import in_language
from bot.desk.types import Choice, Person, Refused
from bot.web import render
from bot.web.console import html
from bot.words import Words
from corrections.review.types import Moderator
from corrections.types import Community, is_private


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

    async def choices(self, request: web.Request) -> list[Choice]:
        """Everybody whom the reader may choose, by name: the operator those of all places."""
        moderator = request[html.SIGNED_IN].moderator
        everybody = await self._desk.moderation.characters(moderator)
        if isinstance(everybody, Refused):
            return []
        named = await self.of(request, moderator.community)
        found = [Choice(each.slug, named(each.slug)) for each in everybody]
        return sorted(found, key=lambda each: each.name.casefold())

    async def communities(self, moderator: Moderator) -> list[Community]:
        """Those that an operator may choose from; a moderator has one and nothing to choose.

        Nobody's private place is among them: its address would say whose it is.
        """
        found = await self._desk.moderation.communities(moderator)
        return [each for each in found if not is_private(each)]


def place(community: Community, w: Words) -> str:
    """What a community is called; somebody's private place is nothing but private."""
    return w("console-private") if is_private(community) else " · ".join(community)
