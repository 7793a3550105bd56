"""The bytes of a case's pictures, for who may see the case."""

from __future__ import annotations

import re

from aiohttp import hdrs, web

from bot.desk.desk import Desk
from bot.desk.types import Refused
from bot.web.console import forms, html

TYPES = {
    "webp": "image/webp",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "avif": "image/avif",
}
SHA256 = re.compile(r"[0-9a-f]{64}")
SECONDS = 600
"""How long a browser keeps a picture: for going back and forth, not for longer than that."""


class Pictures:
    """``GET /review/case/{case}/{sha256}``"""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    def routes(self) -> list[web.RouteDef]:
        """The address."""
        return [web.get("/review/case/{case:[0-9]{1,18}}/{sha256}", self.picture)]

    async def picture(self, request: web.Request) -> web.Response:
        """One picture; what is gone, what never was and what is another community's is not there."""
        case, sha256 = forms.number(request.match_info["case"]), request.match_info["sha256"]
        if not SHA256.fullmatch(sha256):
            return html.refusal(request, Refused("web-not-found"))
        found = await self._desk.moderation.picture(request[html.SIGNED_IN].moderator, case, sha256)
        if found is None or isinstance(found, Refused):
            return html.refusal(request, found or Refused("web-not-found"))
        data, suffix = found
        return web.Response(
            body=data,
            content_type=TYPES.get(suffix, "application/octet-stream"),
            headers={
                hdrs.CACHE_CONTROL: f"private,max-age={SECONDS},immutable",
                hdrs.CONTENT_DISPOSITION: "inline",
            },
        )
