"""Names for the reader: of characters in their language, of communities as far as the ledger knows any."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

from bot.desk.desk import Desk
from bot.desk.types import Person
from bot.web import render
from bot.web.console import html
from corrections.review.types import Moderator
from corrections.types import Community


class Names:
    """Looks names up at the desk."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def of(self, request: web.Request, community: Community | None) -> Callable[[str], str]:
        """From a slug to the name that the reader knows."""
        language = render.spoken(request).language
        return await self._desk.moderation.named(community or ("", ""), language)

    def person(self, request: web.Request) -> Person:
        """The moderator as the desk knows people, with the language that their browser speaks."""
        platform, native = request[html.SIGNED_IN].moderator.person
        return Person(platform, native, render.spoken(request).language)

    async def communities(self, moderator: Moderator) -> list[Community]:
        """Those that an operator may choose from; a moderator has one and nothing to choose."""
        return await self._desk.moderation.communities(moderator)
