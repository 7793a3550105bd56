"""The files: pictures in Telegram's sizes, stickers, clips; and the server that hands them out."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import secrets
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from aiohttp import web
from PIL import Image

from ..discord.cdn import Behaviour, Cut, Fail, Hang, Slow
from ..discord.waiting import Changes

BOXES = (90, 320, 800, 1280)
"""Longest sides of Telegram's sizes s, m, x and y. Nothing is made larger than it was sent."""
THUMBNAIL = 320
DOWNLOAD_LIMIT = 20 * 1024 * 1024
# the least that says "MP4" to those who look at the first bytes; nobody here plays it
MP4 = bytes.fromhex("00000018667479706d703432000000006d70343269736f6d") + b"\0\0\0\x08mdat"
WEBM = bytes.fromhex("1a45dfa39f4286810142f7810142f2810442f381084282847765626d") + b"\0" * 64
TGS = gzip.compress(b'{"tgs":1,"v":"5.5.2","fr":60,"ip":0,"op":60,"w":512,"h":512,"layers":[]}', mtime=0)


@dataclass(frozen=True)
class Kept:
    """A file as it lies on the server; ``size`` is what Telegram says of it."""

    data: bytes
    path: str
    name: str
    unique_id: str
    size: int


@dataclass
class Download:
    """One request for a file's bytes."""

    path: str
    name: str
    status: int = 0


@dataclass
class Files:
    """Keeps what was sent and serves it."""

    changes: Changes
    kept: dict[str, Kept] = field(default_factory=dict)
    downloads: list[Download] = field(default_factory=list)
    in_flight: int = 0
    _paths: dict[str, Kept] = field(default_factory=dict)
    _behaviours: dict[str, Behaviour] = field(default_factory=dict)
    _failed: dict[str, int] = field(default_factory=dict)
    _closing: asyncio.Event = field(default_factory=asyncio.Event)

    def keep(self, data: bytes, folder: str, ending: str, *, name: str = "", size: int | None = None) -> Kept:
        """Keep a file under a new id; the same bytes have the same ``file_unique_id``."""
        unique = hashlib.sha256(data + folder.encode()).hexdigest()[:16]
        path = f"{folder}/file_{len(self.kept)}{ending}"
        made = Kept(data, path, name or path.rpartition("/")[2], unique, len(data) if size is None else size)
        self._paths[path] = made
        return made

    def described(self, kept: Kept) -> dict[str, Any]:
        """What every kind of file says of itself; the id is new each time, as Telegram's may be."""
        file_id = f"AgAC{secrets.token_urlsafe(36)}"
        self.kept[file_id] = kept
        return {"file_id": file_id, "file_unique_id": kept.unique_id, "file_size": kept.size}

    # -- what Telegram makes of what people send

    def photo(self, data: bytes) -> list[dict[str, Any]]:
        """PhotoSize objects, smallest first; the last is the largest."""
        return [self._size(jpeg, size, "photos") for jpeg, size in photo_sizes(data)]

    def thumbnail(self, data: bytes) -> dict[str, Any]:
        jpeg, size = next(s for s in reversed(photo_sizes(data)) if max(s[1]) <= THUMBNAIL)
        return self._size(jpeg, size, "thumbnails")

    def document(
        self, data: bytes, name: str, mime: str | None, *, thumbnail: bytes | None, size: int | None
    ) -> dict[str, Any]:
        ending = f".{name.rpartition('.')[2]}" if "." in name else ""
        out = self.described(self.keep(data, "documents", ending, name=name, size=size))
        out["file_name"] = name
        if mime is not None:
            out["mime_type"] = mime
        return out if thumbnail is None else {**out, "thumbnail": self.thumbnail(thumbnail)}

    def sticker(self, picture: bytes, kind: str, emoji: str) -> dict[str, Any]:
        """``kind``: "static" (.webp), "animated" (.tgs) or "video" (.webm)."""
        data, ending = {"animated": (TGS, ".tgs"), "video": (WEBM, ".webm")}.get(kind) or (
            _webp(picture),
            ".webp",
        )
        out = self.described(self.keep(data, "stickers", ending))
        out |= {"type": "regular", "width": 512, "height": 512, "emoji": emoji, "set_name": "drawings"}
        out |= {"is_animated": kind == "animated", "is_video": kind == "video"}
        return {**out, "thumbnail": self.thumbnail(picture)}

    def clip(self, picture: bytes | None, folder: str, size: int | None = None) -> dict[str, Any]:
        """An Animation or Video: an MP4 that begins with ``picture``; None: Telegram made no thumbnail."""
        data = MP4 + (picture or b"")
        out = self.described(self.keep(data, folder, ".mp4", size=size))
        out |= {"width": 320, "height": 240, "duration": 3, "mime_type": "video/mp4"}
        out["file_name"] = "animation.gif.mp4" if folder == "animations" else "video.mp4"
        return out if picture is None else {**out, "thumbnail": self.thumbnail(picture)}

    def _size(self, jpeg: bytes, size: tuple[int, int], folder: str) -> dict[str, Any]:
        return {**self.described(self.keep(jpeg, folder, ".jpg")), "width": size[0], "height": size[1]}

    # -- the server

    def behave(self, name: str, behaviour: Behaviour | None) -> None:
        """From now on hand out files of this name or folder ("photos") so; None: well again."""
        if behaviour is None:
            self._behaviours.pop(name, None)
        else:
            self._behaviours[name] = behaviour

    def close(self) -> None:
        self._closing.set()

    async def serve(self, request: web.Request, path: str) -> web.StreamResponse:
        kept = self._paths.get(path)
        record = Download(path, kept.name if kept else "")
        self.downloads.append(record)
        self.in_flight += 1
        try:
            return await self._answer(request, record, kept)
        finally:
            self.in_flight -= 1
            self.changes.notify()

    async def _answer(self, request: web.Request, record: Download, kept: Kept | None) -> web.StreamResponse:
        record.status = 200
        if kept is None or kept.size > DOWNLOAD_LIMIT:
            record.status = 404
            return web.json_response({"ok": False, "error_code": 404, "description": "Not Found"}, status=404)
        folder = record.path.partition("/")[0]
        key = kept.name if kept.name in self._behaviours else folder
        match self._behaviours.get(key):
            case Fail(status, times) if self._failed.get(key, 0) < times:
                self._failed[key] = self._failed.get(key, 0) + 1
                record.status = status
                return web.Response(status=status, text="upstream error")
            case Cut() | Hang() | Slow() as behaviour:
                return await self._stream(request, kept.data, behaviour)
            case _:
                return web.Response(body=kept.data, content_type="application/octet-stream")

    async def _stream(
        self, request: web.Request, data: bytes, behaviour: Cut | Hang | Slow
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
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
        except (ConnectionError, OSError):
            pass  # the bot had enough and hung up, as it should
        return response


@lru_cache(maxsize=256)
def photo_sizes(data: bytes) -> tuple[tuple[bytes, tuple[int, int]], ...]:
    """A picture as Telegram keeps photos: JPEG, in each size that is not larger than it was."""
    with Image.open(io.BytesIO(data)) as opened:
        image = opened.convert("RGB")
    longest = max(image.size)
    boxes = [box for box in BOXES if box < longest]
    sizes = [*boxes, min(longest, BOXES[-1])] if longest <= BOXES[-1] else boxes
    out = []
    for box in sizes:
        scale = box / longest
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        shown = image if size == image.size else image.resize(size, Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        shown.save(buffer, "JPEG", quality=87)
        out.append((buffer.getvalue(), size))
    return tuple(out)


def _webp(picture: bytes) -> bytes:
    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("RGBA")
    image.thumbnail((512, 512))
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=90)
    return buffer.getvalue()
