"""Exports: what would leave and what is held back, one button that makes a snapshot, and its file.

Making one may take minutes, so it goes on by itself while the page looks again; one a moderator at a time.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import hdrs, web

from bot import wording
from bot.desk.desk import Desk
from bot.desk.releases import Nothing, Released, Releases
from bot.desk.types import Refused
from bot.exporting import held_lines
from bot.web import render
from bot.web.console import forms, html
from bot.web.console.names import Names, place
from bot.words import Words
from corrections.export.types import FORMATS, Format
from corrections.review.types import Moderator
from corrections.types import Person

PAGE = "/review/exports"
DOWNLOAD = "/download"
AGAIN_MILLISECONDS = 1000
SNAPSHOT = r"[A-Za-z0-9_-]{1,64}"

Outcome = Released | Nothing | Refused


class Exports:
    """The handlers."""

    def __init__(self, desk: Desk, names: Names) -> None:
        self._desk = desk
        self._names = names
        self._making: dict[Person, asyncio.Task[Outcome]] = {}

    def routes(self) -> list[web.RouteDef]:
        """The addresses for who is signed in."""
        return [
            web.get(PAGE, self.everything),
            web.post(PAGE, self.make),
            web.get(f"{PAGE}/{{name:{SNAPSHOT}}}.zip", self.file),
            web.get(f"{PAGE}/{{name:{SNAPSHOT}}}.withdrawn.txt", self.withdrawn),
        ]

    def open_routes(self) -> list[web.RouteDef]:
        """The addresses for whoever has a link that works once."""
        return [web.get(DOWNLOAD, self.ask, allow_head=False), web.post(DOWNLOAD, self.download)]

    async def everything(self, request: web.Request) -> web.Response:
        """``GET /review/exports``"""
        return await self._page(request)

    async def _page(self, request: web.Request, unread: Refused | None = None) -> web.Response:
        moderator, w = request[html.SIGNED_IN].moderator, render.spoken(request)
        releases = self._desk.moderation.releases
        if releases is None:
            return html.refusal(request, Refused("error-export-trouble"))
        snapshots = await releases.snapshots(moderator)
        if isinstance(snapshots, Refused):
            return html.refusal(request, snapshots)
        task = self._making.get(moderator.person)
        making = task is not None and not task.done()
        said, refused = await self._outcome(moderator, w)
        if unread is not None:
            refused = [*refused, wording.refusal(unread, w)]
        preview = await releases.preview(moderator)
        context = {
            "snapshots": [(each, held_lines(each.counts, w)) for each in snapshots],
            "kept": await releases.kept(),
            "kept_hours": releases.kept_hours,
            "items": preview.items,
            "held": held_lines(preview, w),
            "making": making,
            "again": AGAIN_MILLISECONDS,
            "formats": FORMATS,
            "choices": await self._names.choices(request),
            "place": lambda community: place(community, w),
            "said": said,
            "refused": refused,
        }
        return html.page(request, "exports.html", context, 422 if unread is not None else 200)

    async def make(self, request: web.Request) -> web.Response:
        """``POST /review/exports``: format, since (a day), character."""
        moderator, sent = request[html.SIGNED_IN].moderator, await forms.fields(request)
        releases = self._desk.moderation.releases
        if releases is None:
            return html.refusal(request, Refused("error-export-trouble"))
        asked, day = sent.get("format", FORMATS[0]), sent.get("since", "").strip()
        form, since = next((each for each in FORMATS if each == asked), None), _day(day)
        if form is None:
            return await self._page(request, Refused("console-export-bad-format", {"text": asked[:40]}))
        if day and since is None:
            return await self._page(request, Refused("console-export-bad-day", {"text": day[:40]}))
        before = self._making.get(moderator.person)
        if before is None or before.done():
            making = self._make(releases, moderator, sent.get("character", "")[:64], since, form)
            self._making[moderator.person] = asyncio.create_task(making)
        raise html.to(PAGE)

    async def _make(
        self, releases: Releases, moderator: Moderator, character: str, since: datetime | None, form: Format
    ) -> Outcome:
        return await releases.export(moderator, character=character, since=since, form=form)

    async def _outcome(self, moderator: Moderator, w: Words) -> tuple[str, list[str]]:
        """What has become of the last one, told once."""
        task = self._making.get(moderator.person)
        if task is None or not task.done():
            return "", []
        del self._making[moderator.person]
        if task.cancelled() or task.exception() is not None:
            return "", [w("error-export-trouble")]
        outcome = task.result()
        if isinstance(outcome, Refused):
            return "", [wording.refusal(outcome, w)]
        if isinstance(outcome, Nothing):
            return "", [w("console-export-nothing"), *held_lines(outcome.counts, w)]
        return w("console-export-done", count=outcome.counts.items, snapshot=outcome.name), []

    async def file(self, request: web.Request) -> web.StreamResponse:
        """``GET /review/exports/{name}.zip``: the file of a snapshot, while it is kept."""
        releases, name = self._desk.moderation.releases, request.match_info["name"]
        moderator = request[html.SIGNED_IN].moderator
        found = None if releases is None else await releases.file(moderator, name)
        return html.refusal(request, Refused("web-not-found")) if found is None else _handed(found)

    async def withdrawn(self, request: web.Request) -> web.Response:
        """``GET /review/exports/{name}.withdrawn.txt``: what a retraining must leave out, a file a line."""
        releases, name = self._desk.moderation.releases, request.match_info["name"]
        found: list[str] | Refused = Refused("web-not-found")
        if releases is not None:
            found = await releases.withdrawn(request[html.SIGNED_IN].moderator, name)
        if isinstance(found, Refused):
            return html.refusal(request, found)
        return web.Response(text="".join(f"{each}\n" for each in found), content_type="text/plain")

    async def ask(self, request: web.Request) -> web.Response:
        """``GET /download``: a button, so that a chat's preview uses nothing up."""
        token, releases = request.query.get("token", ""), self._desk.moderation.releases
        if releases is None or not await releases.waits(token):
            return _gone(request)
        return html.page(request, "download.html", {"token": token, "refused": ""})

    async def download(self, request: web.Request) -> web.StreamResponse:
        """``POST /download``: use the link up."""
        token, releases = (await forms.fields(request)).get("token", ""), self._desk.moderation.releases
        found = None if releases is None else await releases.fetch(token)
        return _gone(request) if found is None else _handed(found)

    async def close(self, _: web.Application) -> None:
        """End what is being made; nothing half of it is left."""
        for task in self._making.values():
            task.cancel()
        await asyncio.gather(*self._making.values(), return_exceptions=True)


def _handed(file: Path) -> web.FileResponse:
    return web.FileResponse(
        file,
        headers={
            hdrs.CONTENT_TYPE: "application/zip",
            hdrs.CONTENT_DISPOSITION: f'attachment;filename="{file.name}"',
            hdrs.CACHE_CONTROL: "no-store",
        },
    )


def _gone(request: web.Request) -> web.Response:
    sentence = render.spoken(request)("console-link-stale")
    return html.page(request, "download.html", {"token": "", "refused": sentence}, 410)


def _day(text: str) -> datetime | None:
    """A day such as 2026-01-31, from its first moment (UTC)."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return None
