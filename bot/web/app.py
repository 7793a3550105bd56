"""The page's application, and the adapter that serves it."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from types import TracebackType

import aiohttp_jinja2
import jinja2
from aiohttp import web

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.errors import StartError
from bot.settings import Settings
from bot.watching import Watch
from bot.web import guard, render
from bot.web.console.routes import TEMPLATES, add_console
from bot.web.pages import Pages
from bot.web.session import Sessions
from bot.words import words

HERE = Path(__file__).parent
FORM_BYTES = 1 << 20
"""Most that a form without a picture may weigh."""


def build_app(
    desk: Desk,
    *,
    max_bytes: int,
    secret: bytes,
    unvoted_hours: int,
    host: str = "127.0.0.1",
    limits: RateLimits | None = None,
    public_url: str = "",
    link_minutes: int = 10,
    session_hours: int = 8,
    watch: Watch | None = None,
) -> web.Application:
    """The page over ``desk``.

    Args:
        max_bytes: the largest picture that is taken.
        secret: 32 bytes that sign the session cookies; the same after a restart, or everybody is new.
        unvoted_hours: how long a picture is kept when nobody said anything about it; the page says so.
        host: where it will listen; on loopback, requests under any other name are refused.
        limits: counts pictures by network address, beside what the desk counts by session.
        public_url: where a proxy shows the page to others; its name is one of ours then.
        link_minutes: how long a link into the console works.
        session_hours: how long somebody stays signed in there.
        watch: shows beside the page how everything is.
    """
    pages = Pages(desk, Sessions(secret), max_bytes, limits)
    app = web.Application(
        client_max_size=FORM_BYTES,
        middlewares=[guard.errors_in_words, guard.guard(host, public_url), pages.with_person],
    )
    app[render.MAX_BYTES] = max_bytes
    app[render.HOURS] = unvoted_hours
    app.on_response_prepare.append(guard.add_headers)
    aiohttp_jinja2.setup(
        app,
        loader=jinja2.ChoiceLoader(
            [
                jinja2.FileSystemLoader(HERE / "templates"),
                jinja2.PrefixLoader({"console": jinja2.FileSystemLoader(TEMPLATES)}),
            ]
        ),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    app.add_routes(pages.routes())
    if watch is not None:
        app.add_routes(watch.routes())
    add_console(app, desk, secret=secret, minutes=link_minutes, hours=session_hours, public_url=public_url)
    app.on_cleanup.append(pages.close)
    return app


class WebAdapter:
    """Serves the page while its ``async with`` block runs; ``url`` is what to open.

    On the way out it accepts nothing new and lets answers in flight finish, for ``worker.deadline_seconds``
    at most.

    Raises:
        StartError: on entering, when the address cannot be listened on; one sentence naming the key.
    """

    def __init__(self, desk: Desk, settings: Settings, secret: bytes, watch: Watch | None = None) -> None:
        self._settings = settings
        app = build_app(
            desk,
            max_bytes=settings.worker.max_mebibytes << 20,
            secret=secret,
            unvoted_hours=settings.retention.unvoted_hours,
            host=settings.web.host,
            limits=RateLimits(settings.limits.person_per_minute, settings.limits.community_per_minute),
            public_url=settings.web.public_url,
            link_minutes=settings.review.link_minutes,
            session_hours=settings.review.session_hours,
            watch=watch,
        )
        self._desk = desk
        self._app = app
        self._compiling: asyncio.Task[None] | None = None
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=settings.worker.deadline_seconds)
        self.url = ""

    async def __aenter__(self) -> WebAdapter:
        host, port = self._settings.web.host, self._settings.web.port
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, host, port).start()
        except OSError as error:
            await self._runner.cleanup()
            raise StartError(_why_not(error, host, port)) from None
        listening = self._runner.addresses[0]
        self.url = _url(listening[0], listening[1])
        self._desk.moderation.link_minutes = self._settings.review.link_minutes
        self._desk.moderation.console = self.console
        self._compiling = asyncio.create_task(asyncio.to_thread(_compile, self._app), name="templates")
        return self

    @property
    def console(self) -> str:
        """How links into the console begin; empty where only strangers' machines would be meant."""
        public = self._settings.web.public_url.rstrip("/")
        return public or (self.url if guard.is_loopback(self._settings.web.host) else "")

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._desk.moderation.console = ""
        if self._compiling is not None:
            await self._compiling
        await self._runner.cleanup()


def _compile(app: web.Application) -> None:
    """Have every template ready before somebody asks for it: compiling one holds whoever does it 30 ms."""
    environment = aiohttp_jinja2.get_env(app)
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)


def _url(address: str, port: int) -> str:
    """What a person on this machine can open."""
    here = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(address)  # noqa: S104  # compared, not bound
    return f"http://{here or (f'[{address}]' if ':' in address else address)}:{port}"


def _why_not(error: OSError, host: str, port: int) -> str:
    w = words()
    if error.errno == errno.EADDRINUSE:
        return w("run-web-taken", port=str(port))
    if error.errno in (errno.EACCES, errno.EPERM):
        return w("run-web-not-allowed", port=str(port))
    return w("run-web-no-address", host=host)
