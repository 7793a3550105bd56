"""Reading one picture out of a request, within its cap and without waiting for what is over it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.multipart import MultipartReader

from bot.desk.types import Refused

SECONDS = 120.0
"""A slow telephone may need this long to send a picture."""
OVERHEAD = 1 << 16
"""What a form may weigh beside its picture, in bytes."""
CHUNK = 1 << 16
_TOKEN = re.compile(r"[0-9a-f]{32}")


class UploadRefused(Exception):  # it says what happened
    """No picture came; ``refused`` says why."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.key)
        self.refused = refused


@contextmanager
def well_formed() -> Iterator[None]:
    """A body that is not what its headers say is a bad request, and no trouble of ours."""
    try:
        yield
    except (web.RequestPayloadError, HttpProcessingError, LookupError, ValueError):
        raise web.HTTPBadRequest from None


async def read_picture(request: web.Request, max_bytes: int) -> tuple[bytes, str]:
    """The bytes of the one picture in a form, or of a bare body, and the form's token ("" if it has none).

    Raises:
        UploadRefused: too large (said as soon as it is known), not exactly one picture, or too slow.
    """
    too_large = UploadRefused(Refused("error-too-many-bytes", {"mebibytes": max(1, max_bytes >> 20)}))
    if (request.content_length or 0) > max_bytes + OVERHEAD:
        raise too_large
    try:
        async with asyncio.timeout(SECONDS):
            with well_formed():
                return await _read_body(request, max_bytes, too_large)
    except TimeoutError:
        raise UploadRefused(Refused("error-too-slow")) from None


async def _read_body(request: web.Request, max_bytes: int, too_large: UploadRefused) -> tuple[bytes, str]:
    if request.content_type == "multipart/form-data":
        return await _from_form(await request.multipart(), max_bytes, too_large)
    body = bytearray()
    async for chunk in request.content.iter_chunked(CHUNK):
        body += chunk
        if len(body) > max_bytes:
            raise too_large
    return bytes(body), ""


async def _from_form(form: MultipartReader, max_bytes: int, too_large: UploadRefused) -> tuple[bytes, str]:
    picture: bytes | None = None
    token = ""
    while (part := await form.next()) is not None:
        if not isinstance(part, BodyPartReader):
            raise UploadRefused(Refused("web-one-picture"))
        if part.name == "token":
            token = (await _read(part, OVERHEAD, too_large)).decode("ascii", "replace")
        elif part.name == "picture":
            # A form whose file was not chosen has the part all the same, without a name.
            if picture is not None or not part.filename:
                raise UploadRefused(Refused("web-one-picture"))
            picture = await _read(part, max_bytes, too_large)
        else:
            await _read(part, OVERHEAD, too_large)
    if picture is None:
        raise UploadRefused(Refused("web-one-picture"))
    return picture, token if _TOKEN.fullmatch(token) else ""


async def _read(part: BodyPartReader, most: int, too_large: UploadRefused) -> bytes:
    body = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        body += chunk
        if len(body) > most:
            raise too_large
    return bytes(body)
