"""From a link that works once to a signed cookie, and out again."""

from __future__ import annotations

import logging
from datetime import UTC, datetime

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.desk.moderation import Moderation
from bot.web import render
from bot.web.console import forms, html
from bot.web.console.session import ConsoleSessions, SignedIn, signed_in

log = logging.getLogger(__name__)

SIGN_IN = "/review/sign-in"


class SignIn:
    """The way in. ``minutes`` is how long a link works, which the page says."""

    def __init__(self, moderation: Moderation, sessions: ConsoleSessions, minutes: int) -> None:
        self._links = moderation.links
        self._rights = moderation.rights
        self._sessions = sessions
        self._minutes = minutes

    def routes(self) -> list[web.RouteDef]:
        """The addresses that need no session."""
        return [
            web.get(SIGN_IN, self.how),
            web.get("/review/login", self.ask, allow_head=False),
            web.post("/review/login", self.login),
            web.post("/review/sign-out", self.leave),
        ]

    async def who(self, request: web.Request) -> SignedIn | None:
        """Who it is, if their session still goes on and they still are a moderator."""
        who = self._sessions.read(request)
        if who is None or not await self._links.alive(who.session):
            return None
        if await self._rights.lost(who.moderator):
            log.info("a session of the console was ended: whose it was is no moderator there any more")
            await self._links.end(who.session)
            return None
        return who

    def inside(self, handler: Handler) -> Handler:
        """Only for who is signed in; everybody else is told how to get a link."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            who = await self.who(request)
            if who is None:
                if render.wants_fragment(request):
                    return render.sentence(request, "console-signed-out", 401)
                raise html.to(SIGN_IN)
            request[html.SIGNED_IN] = who
            return await handler(request)

        return guarded

    async def how(self, request: web.Request) -> web.Response:
        """``GET /review/sign-in``: how to get a link."""
        return html.page(request, "signin.html", {"token": "", "minutes": self._minutes})

    async def ask(self, request: web.Request) -> web.Response:
        """``GET /review/login``: a button. Whatever only looks at addresses in a chat uses nothing up."""
        token = request.query.get("token", "")
        if await self._links.peek("login", token, _now()) is None:
            return self._stale(request)
        return html.page(request, "signin.html", {"token": token, "minutes": self._minutes})

    async def login(self, request: web.Request) -> web.Response:
        """``POST /review/login``: use the link up and begin a session."""
        token = (await forms.fields(request)).get("token", "")
        link = await self._links.redeem("login", token, _now())
        if link is None:
            log.info("a sign-in link was refused: used, too old, or never made")
            return self._stale(request)
        before = self._sessions.read(request)
        if before is not None:  # one browser, one session
            await self._links.end(before.session)
        who = signed_in(link)
        log.info("a session of the console began, for %s", "the operator" if who.operator else "a moderator")
        response = web.Response(status=303, headers={"Location": "/review"})
        self._sessions.begin(request, response, who)
        return response

    async def leave(self, request: web.Request) -> web.Response:
        """``POST /review/sign-out``"""
        who = self._sessions.read(request)
        if who is not None:
            await self._links.end(who.session)
        response = web.Response(status=303, headers={"Location": SIGN_IN})
        self._sessions.end(response)
        return response

    def _stale(self, request: web.Request) -> web.Response:
        sentence = render.spoken(request)("console-link-stale")
        context = {"token": "", "minutes": self._minutes, "sentence": sentence}
        return html.page(request, "signin.html", context, status=410)


def _now() -> datetime:
    return datetime.now(UTC)
