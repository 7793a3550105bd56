"""The console put together: every page for who is signed in, its two files, and the way in."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from bot.desk.desk import Desk
from bot.web.console import html
from bot.web.console.bulk import Bulk
from bot.web.console.characters import Characters
from bot.web.console.exports import Exports
from bot.web.console.figures import Figures
from bot.web.console.names import Names
from bot.web.console.pictures import Pictures
from bot.web.console.review import Review
from bot.web.console.session import ConsoleSessions
from bot.web.console.signin import SignIn
from bot.web.console.teaching import TeachingPage
from bot.web.console.training import TrainingPage

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
STATIC = HERE / "static"
FILES = frozenset({"console.css", "console.js", "typeahead.js"})
"""Every file that is served; a request can only name one of them."""


def add_console(
    app: web.Application, desk: Desk, *, secret: bytes, minutes: int, hours: int, public_url: str = ""
) -> None:
    """Serve every address below ``/review``, and ``/download``.

    Args:
        secret: what the session cookies' key is derived from.
        minutes: how long a link works.
        hours: how long a session lasts.
        public_url: where a proxy shows the page to others.
    """
    names = Names(desk)
    door = SignIn(desk.moderation, ConsoleSessions(secret, hours, public_url), minutes)
    exports = Exports(desk, names)
    parts = (
        *(Review(desk, names), Bulk(desk, names), Characters(desk, names)),
        *(Figures(desk, names), Pictures(desk), exports, TrainingPage(desk)),
        TeachingPage(desk, names),
    )
    inside = [
        web.RouteDef(each.method, each.path, door.inside(each.handler), each.kwargs)
        for part in parts
        for each in part.routes()
    ]
    app[html.MODERATION] = desk.moderation
    files = web.get("/review/static/{name}", _static)
    app.add_routes([*door.routes(), *exports.open_routes(), files, *inside])
    app.on_cleanup.append(exports.close)


async def _static(request: web.Request) -> web.FileResponse:
    """``GET /review/static/{name}``: script and style."""
    name = request.match_info["name"]
    if name not in FILES:
        raise web.HTTPNotFound
    return web.FileResponse(STATIC / name)
