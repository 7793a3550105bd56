"""The routes: each reads a request, asks the desk, and renders what it says."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.types import (
    Allowed,
    Already,
    Ask,
    Identified,
    LookUp,
    Person,
    Refused,
    Reply,
    TakenBack,
    Thanks,
)
from bot.desk.why import Because
from bot.web import render
from bot.web.session import Sessions
from bot.web.upload import UploadRefused, read_picture, well_formed
from bot.web.view import View
from corrections.types import Address
from model import tracing

log = logging.getLogger(__name__)

PLATFORM = "web"
CHANNEL = "page"
STATIC = Path(__file__).parent / "static"
FILES = frozenset({"htmx.min.js", "page.js", "page.css", "logo.svg", "drop.svg"})
"""Every file that is served; a request can only name one of them, so that no path leads anywhere else."""
PERSON = web.RequestKey("person", Person)


class Pages:
    """The handlers. A person's session is the community that their pictures and votes belong to."""

    def __init__(self, desk: Desk, sessions: Sessions, max_bytes: int, limits: RateLimits | None) -> None:
        self._desk = desk
        self._sessions = sessions
        self._max_bytes = max_bytes
        self._limits = limits
        self._asking: dict[Address, asyncio.Task[Identified | Refused]] = {}

    def routes(self) -> list[web.RouteDef]:
        """Every address that there is."""
        return [
            web.get("/", self.start),
            web.post("/ask", self.ask),
            web.post("/right", self.right),
            web.post("/correct", self.correct),
            web.post("/name", self.name),
            web.post("/new", self.new),
            web.post("/undo", self.undo),
            web.post("/learn", self.learn),
            web.post("/why", self.why),
            web.get("/privacy", self.privacy),
            web.post("/privacy", self.choose),
            web.post("/forget", self.forget),
            web.get("/characters", self.characters),
            web.get("/static/{name}", self.static),
            web.get("/healthz", self.healthz),
        ]

    async def close(self, _: web.Application) -> None:
        """End what is still being answered; for ``on_cleanup``, when the time to finish is over."""
        for asking in list(self._asking.values()):
            asking.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    @web.middleware
    async def with_person(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Know who it is, and give whoever is new a cookie."""
        tracing.trace()
        known = self._sessions.read(request)
        person = known or self._sessions.new()
        request[PERSON] = Person(PLATFORM, person, render.spoken(request).language)
        response = await handler(request)
        handled = request.match_info.handler
        if known is None and handled in (self.start, self.ask, self.privacy, self.choose):
            self._sessions.remember(request, response, person)
        return response

    async def start(self, request: web.Request) -> web.Response:
        """``GET /``"""
        return render.start(request)

    async def ask(self, request: web.Request) -> web.Response:
        """``POST /ask``: one picture, as a form or as a bare body."""
        person = request[PERSON]
        # A new session costs nothing, so that the address is counted too.
        if self._limits and (seconds := self._limits.take("community", PLATFORM, request.remote or "")):
            return render.refusal(request, Refused("error-community-limit", {"seconds": seconds}))
        try:
            picture, token = await read_picture(request, self._max_bytes)
        except UploadRefused as error:
            return render.refusal(request, error.refused)
        log.info("a message on the page, pictures: 1")
        # The same form with the same picture is the same message, however often it is sent.
        message = f"{token or secrets.token_hex(16)}-{hashlib.sha256(picture).hexdigest()[:16]}"
        address = Address(PLATFORM, person.id, CHANNEL, message)
        asking = self._asking.get(address)
        if asking is None:
            asking = asyncio.create_task(self._answered(address, person, picture))
            self._asking[address] = asking
            asking.add_done_callback(lambda _: self._asking.pop(address, None))
        outcome = await asyncio.shield(asking)
        if isinstance(outcome, Refused):
            return render.refusal(request, outcome)
        return render.view(request, View(outcome))

    async def _answered(self, address: Address, person: Person, picture: bytes) -> Identified | Refused:
        async def fetch() -> bytes:
            return picture

        voice = _Heard(address)
        await self._desk.answer(Ask(address, person, person, (fetch,), direct=True, waiting=True), voice)
        if isinstance(voice.said, Already):
            prediction = int(voice.said.reply.message.rpartition("-")[2])
            return await self._desk.recall(prediction, person.language) or Refused("error-prediction-gone")
        if voice.said is None:
            raise RuntimeError("the desk said nothing to a direct question")
        return voice.said.outcomes[0]

    async def right(self, request: web.Request) -> web.Response:
        """``POST /right``: prediction"""
        person, prediction, _ = await self._form(request)
        return await self._show(
            request, prediction, await self._desk.confirm(person, _place(person), prediction)
        )

    async def correct(self, request: web.Request) -> web.Response:
        """``POST /correct``: prediction, slug (or ``nobody``)"""
        person, prediction, form = await self._form(request)
        if not form.get("slug"):
            return await self._show(request, prediction, Refused("error-old-button"))
        said = await self._desk.correct(person, _place(person), prediction, form["slug"])
        return await self._show(request, prediction, said)

    async def name(self, request: web.Request) -> web.Response:
        """``POST /name``: prediction, q (a name as it was typed), slug (if it was picked from the list)"""
        person, prediction, form = await self._form(request)
        if form.get("slug"):
            said = await self._desk.correct(person, _place(person), prediction, form["slug"])
            return await self._show(request, prediction, said)
        found = await self._desk.look_up(person, _place(person), form.get("q", ""))
        if isinstance(found, Refused):
            return await self._show(request, prediction, found)
        return await self._show(request, prediction, None, found)

    async def new(self, request: web.Request) -> web.Response:
        """``POST /new``: prediction, q (a name that is new)"""
        person, prediction, form = await self._form(request)
        said = await self._desk.propose(person, _place(person), prediction, form.get("q", ""))
        return await self._show(request, prediction, said)

    async def undo(self, request: web.Request) -> web.Response:
        """``POST /undo``: prediction"""
        person, prediction, _ = await self._form(request)
        return await self._show(
            request, prediction, await self._desk.undo(person, _place(person), prediction)
        )

    async def learn(self, request: web.Request) -> web.Response:
        """``POST /learn``: prediction; *may I learn from this?* Yes."""
        person, prediction, _ = await self._form(request)
        said = await self._desk.privacy.allow(person, _place(person), prediction)
        return await self._show(request, prediction, said)

    async def why(self, request: web.Request) -> web.Response:
        """``POST /why``: prediction; what its answer hangs on."""
        person, prediction, _ = await self._form(request)
        if self._desk.why is None:
            raise web.HTTPNotFound
        if self._limits and (seconds := self._limits.take("community", PLATFORM, request.remote or "")):
            refused = Refused("error-community-limit", {"seconds": seconds})
            return await self._show(request, prediction, refused)
        said = await self._desk.why.explain(person, _place(person), prediction)
        if isinstance(said, Refused):
            return await self._show(request, prediction, said)
        return await self._show(request, prediction, None, because=said)

    async def privacy(self, request: web.Request) -> web.Response:
        """``GET /privacy``: what holds for this session's pictures, and what could."""
        return render.privacy(request, await self._desk.privacy.standing(request[PERSON]))

    async def choose(self, request: web.Request) -> web.Response:
        """``POST /privacy``: standing (ask, from-now, all or never)"""
        person = request[PERSON]
        with well_formed():
            sent = await request.post()
        chosen = await self._desk.privacy.choose(person, str(sent.get("standing", "")))
        if isinstance(chosen, Refused):
            return render.privacy(request, await self._desk.privacy.standing(person), refused=chosen)
        return render.privacy(request, chosen, chosen=True)

    async def forget(self, request: web.Request) -> web.Response:
        """``POST /forget``: sure (yes). Whoever is forgotten is somebody new from then on."""
        person = request[PERSON]
        with well_formed():
            sent = await request.post()
        if sent.get("sure") != "yes":
            raise web.HTTPBadRequest
        done = await self._desk.privacy.forget(person, _place(person))
        if isinstance(done, Refused):
            return render.privacy(request, await self._desk.privacy.standing(person), refused=done)
        response = render.privacy(request, "ask", forgotten=(done.pictures, done.votes))
        self._sessions.remember(request, response, self._sessions.new())
        return response

    async def characters(self, request: web.Request) -> web.Response:
        """``GET /characters?q=``: whom somebody may be typing."""
        person = request[PERSON]
        found = await self._desk.suggest(person, _place(person), request.query.get("q", ""), limit=12)
        return render.options(request, found)

    async def static(self, request: web.Request) -> web.FileResponse:
        """``GET /static/{name}``: script, style and drawings."""
        name = request.match_info["name"]
        if name not in FILES:
            raise web.HTTPNotFound
        return web.FileResponse(STATIC / name)

    async def healthz(self, request: web.Request) -> web.Response:
        """``GET /healthz``: whether the page is served."""
        return web.json_response({"status": "ok"})

    async def _form(self, request: web.Request) -> tuple[Person, int, dict[str, str]]:
        with well_formed():
            sent = await request.post()
        fields = {key: value for key, value in sent.items() if isinstance(value, str)}
        number = fields.get("prediction", "")
        if not (number.isascii() and number.isdecimal() and len(number) < 19):
            raise web.HTTPBadRequest
        return request[PERSON], int(number), fields

    async def _show(
        self,
        request: web.Request,
        prediction: int,
        said: Thanks | TakenBack | Allowed | Refused | None,
        look_up: LookUp | None = None,
        because: Because | None = None,
    ) -> web.Response:
        """The answer again, with what was just said. Somebody else's answer is not shown."""
        person = request[PERSON]
        replied = await self._desk.reply_of(prediction)
        answer = await self._desk.recall(prediction, person.language) if replied else None
        if replied is None or answer is None:
            return render.refusal(request, Refused("error-prediction-gone"))
        if (replied[0].platform, replied[0].community) != (PLATFORM, person.id):
            return render.refusal(request, Refused("error-not-yours"))
        return render.view(request, View(answer, said, look_up, because))


class _Heard:
    """The desk's voice on the page: what it says becomes the response."""

    def __init__(self, asked: Address) -> None:
        self._asked = asked
        self.said: Reply | Already | None = None

    async def say(self, reply: Reply | Already) -> Address | None:
        self.said = reply
        if isinstance(reply, Already) or not reply.identified:
            return None
        # The prediction in the address leads back to the answer when the same form comes again.
        message = f"{self._asked.message}-{reply.identified[0].prediction_id}"
        return Address(PLATFORM, self._asked.community, CHANNEL, message)

    async def drop(self) -> None:
        """Nothing posted on the page can be withdrawn while it is answered."""

    async def unsay(self, replies: list[Address]) -> None:
        """Nothing on the page can be deleted behind somebody's back."""


def _place(person: Person) -> Address:
    return Address(PLATFORM, person.id, CHANNEL, "")
