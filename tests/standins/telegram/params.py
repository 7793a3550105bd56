"""Parameters of a call, whether they came as JSON, as a form, in the query or as multipart."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import BodyPartReader, web

from .errors import bad_request


@dataclass(frozen=True)
class UploadedFile:
    """A file of a multipart request."""

    filename: str
    data: bytes


@dataclass
class Params:
    """``values`` as they were sent: strings from forms, typed from JSON."""

    values: dict[str, Any] = field(default_factory=dict)
    files: dict[str, UploadedFile] = field(default_factory=dict)

    def text(self, name: str) -> str:
        value = self.values.get(name)
        return "" if value is None else str(value)

    def number(self, name: str) -> int | None:
        value = self.values.get(name)
        if value in (None, ""):
            return None
        try:
            return int(str(value))
        except ValueError:
            raise bad_request(f"field {name!r} must be a number") from None

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in ("true", "1")

    def json(self, name: str) -> Any:
        """An object or array; None when it was not sent."""
        value = self.values.get(name)
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value) if value else None
        except ValueError:
            raise bad_request(f"can't parse {name}: invalid JSON") from None

    def file(self, name: str) -> UploadedFile | None:
        """The file uploaded as this parameter, directly or by ``attach://``."""
        value = self.text(name)
        return self.files.get(value.removeprefix("attach://") if value.startswith("attach://") else name)

    def plain(self) -> dict[str, Any]:
        """Everything as JSON would have it, for the log and the checks; files by their place."""
        out = {name: _typed(value) for name, value in self.values.items()}
        return out | {name: f"attach://{name}" for name in self.files if not self._attached(name)}

    def _attached(self, name: str) -> bool:
        return any(f"attach://{name}" in str(value) for value in self.values.values())


async def read(request: web.Request) -> Params:
    """The parameters of a request; an unreadable body is an empty one, as on Telegram."""
    out = Params(dict(request.query))
    if request.content_type == "application/json":
        try:
            body = json.loads(await request.read() or b"{}")
        except ValueError:
            return out
        out.values |= body if isinstance(body, dict) else {}
    elif request.content_type == "multipart/form-data":
        async for part in await request.multipart():
            if not isinstance(part, BodyPartReader) or part.name is None:
                continue
            data = bytes(await part.read())
            if part.filename is None:
                out.values[part.name] = data.decode()
            else:
                out.files[part.name] = UploadedFile(part.filename, data)
    else:
        out.values |= dict(await request.post())
    return out


def _typed(value: Any) -> Any:
    """What a form's string stands for where that is plain: objects and arrays only."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
