"""Teaching a character in the browser: a name and some pictures, which count at once."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from aiohttp import BodyPartReader, web
from aiohttp.multipart import MultipartReader

from bot.desk.desk import Desk
from bot.desk.lessons import MOST_PICTURES, Doubted, Taught, Teach
from bot.desk.types import Refused
from bot.web import render
from bot.web.console import forms, html
from bot.web.console.names import Names, place
from bot.web.console.session import OPERATOR
from bot.web.upload import SECONDS, UploadRefused, well_formed
from bot.wording_teaching import lesson_text
from corrections.lessons import address_of
from corrections.review.types import Moderator
from corrections.types import Community

PAGE = "/review/teach"
PLATFORM = "console"
"""Of the addresses of pictures that are taught here: they are no chat's messages."""
TEXT_BYTES = 4096
"""What a field without a picture may weigh."""
CHUNK = 1 << 16
WHOLE = 4
"""All pictures of one form may weigh so many times as much as one."""
_TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass
class _Sent:
    """What a form brought."""

    texts: dict[str, str] = field(default_factory=dict)
    pictures: list[bytes] = field(default_factory=list)


class TeachingPage:
    """The handlers."""

    def __init__(self, desk: Desk, names: Names) -> None:
        self._desk = desk
        self._names = names

    def routes(self) -> list[web.RouteDef]:
        """The addresses, all of them for who is signed in."""
        return [web.get(PAGE, self.form), web.post(PAGE, self.teach)]

    async def form(self, request: web.Request) -> web.Response:
        """``GET /review/teach``"""
        return await self._page(request, None)

    async def teach(self, request: web.Request) -> web.Response:
        """``POST /review/teach``: name, pictures, community (the operator's); or number, to insist."""
        moderator = request[html.SIGNED_IN].moderator
        try:
            sent = await _read(request)
        except UploadRefused as error:
            return await self._page(request, error.refused)
        if number := sent.texts.get("number", ""):
            teacher = self._names.person(request)
            outcome = await self._desk.teaching.insist(forms.number(number), moderator, teacher)
            return await self._page(request, outcome)
        home = await self._home(moderator, sent.texts.get("community", ""))
        if home is None:
            return html.refusal(request, Refused("error-not-found"))
        token = sent.texts.get("token", "")
        # The same form sent again is the same lesson.
        message = token if _TOKEN.fullmatch(token) else secrets.token_hex(16)
        teacher = self._names.person(request)
        ask = Teach(
            address=address_of(PLATFORM, home, message),
            poster=teacher,
            teacher=teacher,
            name=sent.texts.get("name", ""),
            pictures=tuple(map(_fetching, sent.pictures)),
            moderator=moderator,
        )
        return await self._page(request, await self._desk.teaching.teach(ask), ask.name)

    async def _home(self, moderator: Moderator, chosen: str) -> Community | None:
        """The community that learns; None: no such one."""
        if moderator.community is not None:
            return moderator.community
        wanted = forms.community(chosen)
        return wanted if wanted in await self._homes(moderator) else None

    async def _homes(self, moderator: Moderator) -> list[Community]:
        """Those that the operator may choose from: the communities, and one of the operator's own."""
        found = await self._names.communities(moderator)
        return [*found, OPERATOR] if moderator.community is None and OPERATOR not in found else found

    async def _page(
        self, request: web.Request, outcome: Taught | Doubted | Refused | None, name: str = ""
    ) -> web.Response:
        moderator, w = request[html.SIGNED_IN].moderator, render.spoken(request)
        refused = isinstance(outcome, Refused)
        context = {
            "lines": lesson_text(outcome, w).split("\n") if outcome is not None else [],
            "good": isinstance(outcome, Taught),
            "number": outcome.number if isinstance(outcome, Doubted) else 0,
            "name": name[:64] if not isinstance(outcome, Taught) else "",
            "homes": await self._homes(moderator) if moderator.community is None else [],
            "place": lambda community: place(community, w),
            "choices": await self._names.choices(request),
            "token": secrets.token_hex(16),
            "most": MOST_PICTURES,
        }
        status = html.STATUS.get(outcome.key, 422) if isinstance(outcome, Refused) else 200
        return html.page(request, "teach.html", context, status if refused else 200)


def _fetching(picture: bytes) -> Callable[[], Awaitable[bytes]]:
    async def fetch() -> bytes:
        return picture

    return fetch


async def _read(request: web.Request) -> _Sent:
    """The fields and pictures of a form.

    Raises:
        UploadRefused: too many pictures or too large ones (said as soon as it is known), or too slow.
    """
    if request.content_type != "multipart/form-data":
        return _Sent(dict(await forms.fields(request)))
    try:
        async with asyncio.timeout(SECONDS):
            with well_formed():
                return await _read_parts(await request.multipart(), request.app[render.MAX_BYTES])
    except TimeoutError:
        raise UploadRefused(Refused("error-too-slow")) from None


async def _read_parts(form: MultipartReader, max_bytes: int) -> _Sent:
    sent, weight = _Sent(), 0
    too_large = UploadRefused(Refused("error-too-many-bytes", {"mebibytes": max(1, max_bytes >> 20)}))
    while (part := await form.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise web.HTTPBadRequest
        if part.name != "pictures":
            text = await _content(part, TEXT_BYTES, UploadRefused(Refused("error-label-too-long")))
            sent.texts[part.name or ""] = text.decode("utf-8", "replace")
        elif part.filename:  # a form in which no file was chosen has a part without a name
            if len(sent.pictures) == MOST_PICTURES:
                values = {"count": MOST_PICTURES + 1, "limit": MOST_PICTURES}
                raise UploadRefused(Refused("error-teach-many", values))
            picture = await _content(part, max_bytes, too_large)
            weight += len(picture)
            if weight > WHOLE * max_bytes:
                raise too_large
            sent.pictures.append(picture)
    return sent


async def _content(part: BodyPartReader, most: int, too_large: UploadRefused) -> bytes:
    body = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        body += chunk
        if len(body) > most:
            raise too_large
    return bytes(body)
