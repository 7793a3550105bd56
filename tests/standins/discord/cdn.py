"""The CDN: keeps what was uploaded, serves it under signed-looking addresses, and misbehaves on request."""

from __future__ import annotations

import asyncio
import hashlib
import io
import mimetypes
import re
import time
import warnings
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from aiohttp import web
from PIL import Image
from simcord.backend.cdn import CdnStore

from .waiting import Changes

LIFETIME = 24 * 3600
"""Seconds for which a signed address is good, as on Discord."""


@dataclass(frozen=True)
class Upload:
    """A file as somebody posts it. ``size`` and ``content_type`` may lie; None means the truth."""

    filename: str
    data: bytes
    content_type: str | None = None
    size: int | None = None


@dataclass(frozen=True)
class Redirect:
    """Answer with a redirect to another address."""

    to: str
    status: int = 302


@dataclass(frozen=True)
class Hang:
    """Send nothing (or ``after`` bytes) and keep the connection open."""

    after: int = 0


@dataclass(frozen=True)
class Slow:
    """Send ``chunk`` bytes every ``pause`` seconds."""

    chunk: int = 1024
    pause: float = 0.1


@dataclass(frozen=True)
class Overlong:
    """Go on for ``extra`` bytes more than was announced, without a Content-Length."""

    extra: int


@dataclass(frozen=True)
class Cut:
    """Announce everything, break off after ``after`` bytes."""

    after: int


@dataclass(frozen=True)
class Fail:
    """Answer with this status; ``times`` times, then behave."""

    status: int = 503
    times: int = 1_000_000


Behaviour = Redirect | Hang | Slow | Overlong | Cut | Fail


@dataclass
class CdnRequest:
    """One request that reached the CDN."""

    path: str
    filename: str
    status: int = 0
    at: float = field(default_factory=time.monotonic)


class Cdn(CdnStore):
    """simcord's store with addresses of our own and a server behind them."""

    def __init__(self, changes: Changes) -> None:
        super().__init__()
        self.base = ""
        self.requests: list[CdnRequest] = []
        self.in_flight = 0
        self._changes = changes
        self._files: dict[str, tuple[bytes, str]] = {}
        self._behaviours: dict[str, Behaviour] = {}
        self._failed: dict[str, int] = {}
        self._closing = asyncio.Event()

    # -- what the rest of the stand-in uses

    def store_upload(self, attachment_id: int, channel_id: int, upload: Upload) -> dict[str, Any]:
        """Keep ``upload`` and describe it as Discord would."""
        filename = re.sub(r"[^\w.\-]", "", upload.filename.replace(" ", "_")) or "unknown"
        guessed = mimetypes.guess_type(filename)[0] or "application/octet-stream"
        content_type = upload.content_type or guessed
        path = f"/attachments/{channel_id}/{attachment_id}/{quote(filename)}"
        self._files[path] = (upload.data, content_type)
        url = f"{self.base}{path}?{self._signature(path, int(time.time()) + LIFETIME)}"
        described: dict[str, Any] = {
            "id": str(attachment_id),
            "filename": filename,
            "size": len(upload.data) if upload.size is None else upload.size,
            "url": url,
            "proxy_url": url,
            "content_type": content_type,
        }
        if content_type.startswith("image/") and (size := _pixels(upload.data)):
            described["width"], described["height"] = size
        return described

    def store_attachment(
        self, attachment_id: int, channel_id: int, filename: str, data: bytes, description: str | None
    ) -> dict[str, Any]:
        described = self.store_upload(attachment_id, channel_id, Upload(filename, data))
        if description is not None:
            described["description"] = description
        return described

    def get(self, url: str) -> bytes | None:
        found = self._files.get(url.removeprefix(self.base).partition("?")[0])
        return found[0] if found else None

    def close(self) -> None:
        self._closing.set()

    # -- what tests use

    def behave(self, filename: str, behaviour: Behaviour | None) -> None:
        """From now on serve files of this name so; None: well again. Set it before the file is posted."""
        if behaviour is None:
            self._behaviours.pop(filename, None)
        else:
            self._behaviours[filename] = behaviour

    # -- the server

    def routes(self) -> list[web.RouteDef]:
        return [web.get("/attachments/{channel}/{attachment}/{filename}", self._serve)]

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        filename = request.match_info["filename"]
        record = CdnRequest(request.rel_url.raw_path, filename)
        self.requests.append(record)
        self.in_flight += 1
        try:
            response = await self._answer(request, record)
        finally:
            self.in_flight -= 1
            self._changes.notify()
        return response

    async def _answer(self, request: web.Request, record: CdnRequest) -> web.StreamResponse:
        found = self._files.get(record.path)
        if found is None or not self._signed(record.path, request.query):
            record.status = 404
            return web.Response(status=404, text="This content is no longer available.")
        data, content_type = found
        headers = {"Content-Type": content_type}
        behaviour = self._behaviours.get(record.filename)
        record.status = 200
        match behaviour:
            case Redirect(to, status):
                record.status = status
                return web.Response(status=status, headers={"Location": to})
            case Fail(status, times) if self._failed.get(record.filename, 0) < times:
                self._failed[record.filename] = self._failed.get(record.filename, 0) + 1
                record.status = status
                return web.Response(status=status, text="upstream error")
            case None | Fail():
                return web.Response(body=data, headers=headers)
            case _:
                return await self._stream(request, data, headers, behaviour)

    async def _stream(
        self, request: web.Request, data: bytes, headers: dict[str, str], behaviour: Behaviour
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers=headers)
        if isinstance(behaviour, Cut | Hang | Slow):
            response.content_length = len(data)
        try:
            await response.prepare(request)
            match behaviour:
                case Cut(after):
                    await response.write(data[:after])
                    if request.transport is not None:
                        request.transport.close()
                case Hang(after):
                    await response.write(data[:after])
                    self.in_flight -= 1  # nobody should wait for this one when settling
                    try:
                        await self._closing.wait()
                    finally:
                        self.in_flight += 1
                case Slow(chunk, pause):
                    for start in range(0, len(data), chunk):
                        await response.write(data[start : start + chunk])
                        await asyncio.sleep(pause)
                case Overlong(extra):
                    await response.write(data)
                    block = b"\0" * 65536
                    for left in range(extra, 0, -len(block)):
                        await response.write(block[:left])
        except (ConnectionError, OSError):
            pass  # the bot had enough and hung up, as it should
        return response

    def _signature(self, path: str, expires: int) -> str:
        issued = expires - LIFETIME
        mark = hashlib.sha256(f"{path}|{expires:x}|{issued:x}".encode()).hexdigest()
        return f"ex={expires:x}&is={issued:x}&hm={mark}"

    def _signed(self, path: str, query: Any) -> bool:
        try:
            expires = int(query.get("ex", ""), 16)
        except ValueError:
            return False
        given = f"ex={query.get('ex')}&is={query.get('is')}&hm={query.get('hm')}"
        return expires > time.time() and given == self._signature(path, expires)


def _pixels(data: bytes) -> tuple[int, int] | None:
    """Width and height as Discord reports them, where the header can be read at all."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as image:
                return image.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
