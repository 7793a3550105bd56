"""REST under /api/v10: tokens, faults and limits first, then simcord's routes, then what it leaves out."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import BodyPartReader, web
from simcord.backend.access import channel_accessible
from simcord.backend.errors import BackendError, SetupError
from simcord.http import router
from simcord.http import routes as _routes  # noqa: F401  importing registers every route

from . import payloads
from .checks import Checker
from .snapshots import response
from .traffic import Failure, RestRequest, Traffic, route_of
from .waiting import Changes
from .world import World

PREFIX = "/api/v10"
WITHOUT_TOKEN = ("/interactions/", "/webhooks/")
CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"
MESSAGES = "/channels/{channel_id}/messages"


@dataclass
class UploadedFile:
    """A file of a multipart request, in the shape simcord reads."""

    filename: str
    fp: io.BytesIO
    description: str | None


class Rest:
    """Answers one request after another from the world."""

    def __init__(
        self,
        world: World,
        changes: Changes,
        traffic: Traffic,
        *,
        token: str,
        gateway_url: Callable[[], str],
        application_flags: int,
        content_access: bool,
        checker: Checker,
    ) -> None:
        self._world = world
        self._changes = changes
        self._traffic = traffic
        self._token = token
        self._gateway_url = gateway_url
        self._application_flags = application_flags
        self._content_access = content_access
        self._checker = checker

    async def handle(self, request: web.Request) -> web.StreamResponse:
        path = request.rel_url.raw_path.removeprefix(PREFIX)
        record = RestRequest(request.method, path, route_of(path), dict(request.query))
        record.reason = request.headers.get("X-Audit-Log-Reason")
        self._traffic.log.append(record)
        self._traffic.in_flight += 1
        try:
            response = await self._respond(request, record)
            record.status = response.status
        finally:
            self._traffic.in_flight -= 1
            record.seconds = time.monotonic() - record.at
            self._changes.notify()
        return response

    async def _respond(self, request: web.Request, record: RestRequest) -> web.Response:
        body, files = await _read(request)
        record.json = body
        record.files = tuple((f.filename, len(f.fp.getbuffer())) for f in files)
        hold = self._traffic.hold_for(record.method, record.path, record.route)
        if hold is not None:
            hold.held += 1
            self._changes.notify()
            await hold.free.wait()
        failure = self._traffic.failure_for(record.method, record.path, record.route)
        if failure is not None and not failure.lost:
            return _failed(failure)
        if not record.path.startswith(WITHOUT_TOKEN):
            if request.headers.get("Authorization", "") != f"Bot {self._token}":
                return _json(401, {"message": "401: Unauthorized", "code": 0})
            over, headers, left = self._traffic.limit(record.method, record.path, record.route)
        else:
            over, headers, left = False, {}, 0.0
        if over:
            return _failed(Failure("", "", 429, 1, left, False, False), headers)
        status, answer = self._answer(record, body, files)
        self._checker.call(record.method, record.route, body, status, answer)
        if failure is not None:
            return _failed(failure)
        return _json(status, answer, headers)

    def _answer(self, record: RestRequest, body: Any, files: list[UploadedFile]) -> tuple[int, Any]:
        try:
            if any(len(f.fp.getbuffer()) > self._world.upload_limit for f in files):
                return 413, {"code": 40005, "message": "Request entity too large"}
            answer = self._dispatch(record, body, files)
        except (router.RouteNotImplemented, router.UnsupportedField) as gap:
            self._checker.violations.append(
                f"{record.method} {record.path}: the stand-in cannot do this: {gap.message}"
            )
            return 501, {"code": 0, "message": gap.message}
        except BackendError as error:
            return error.status, error.to_json()
        except (SetupError, ValueError, KeyError, TypeError) as error:
            self._checker.violations.append(f"{record.method} {record.path}: not understood: {error!r}")
            return 400, {"code": 50035, "message": "Invalid Form Body", "errors": {}}
        if answer is None:
            return 204, None
        return 200, answer

    def _dispatch(self, record: RestRequest, body: Any, files: list[UploadedFile]) -> Any:
        match (record.method, record.route):
            case ("GET", "/gateway"):
                return {"url": self._gateway_url()}
            case ("GET", "/gateway/bot"):
                limit = {"total": 1000, "remaining": 999, "reset_after": 86_400_000, "max_concurrency": 1}
                limit["max_concurrency"] = self._world.max_concurrency
                shards = self._world.shards
                return {"url": self._gateway_url(), "shards": shards, "session_start_limit": limit}
            case ("POST", route) if route == MESSAGES:
                return self._send(record, body, files)
            case ("POST", route) if route == CALLBACK:
                return self._callback(record, body, files)
        answer = self._simcord(record, body, files)
        if record.route in ("/oauth2/applications/@me", "/applications/@me"):
            guilds = len(self._world.guilds)
            return payloads.application(answer, flags=self._application_flags, guilds=guilds)
        if record.route == "/users/@me":
            return payloads.own_account(answer)
        if record.route.endswith("/commands"):
            return [payloads.command(one) for one in answer]
        return answer

    def _simcord(self, record: RestRequest, body: Any, files: list[UploadedFile]) -> Any:
        path = "/oauth2/applications/@me" if record.path == "/applications/@me" else record.path
        answer = router.dispatch(
            self._world,
            record.method,
            path,
            json=body,
            params=record.query,
            files=files,
            reason=record.reason,
            message_content_access=self._content_access,
        )
        return payloads.complete(answer)

    def _send(self, record: RestRequest, body: Any, files: list[UploadedFile]) -> Any:
        """Send a message; an enforced nonce seen before gives the first message again, as Discord does."""
        channel_id = int(record.path.split("/")[2])
        body = dict(body or {})
        nonce = str(body.get("nonce")) if body.get("enforce_nonce") and body.get("nonce") is not None else ""
        first = self._world.tallies.nonces.get((channel_id, nonce)) if nonce else None
        if first is not None and self._world.find_message(first) is not None:
            again = RestRequest("GET", f"{record.path}/{first}", record.route, {})
            return self._simcord(again, None, [])
        reference = body.get("message_reference")
        if isinstance(reference, dict) and reference.get("type", 0) == 0:
            if not channel_accessible(self._world, channel_id, self._world.bot_user.id, history=True):
                text = "Cannot reply without permission to read message history"
                raise BackendError(403, 160002, text)
            known = self._world.messages.get(channel_id, {})
            if int(reference.get("message_id", 0)) not in known:
                if reference.get("fail_if_not_exists", True):
                    raise BackendError(400, 50035, "Invalid Form Body", errors=_UNKNOWN_REFERENCE)
                del body["message_reference"]
        answer = self._simcord(record, body, files)
        if nonce:
            self._world.tallies.nonces[(channel_id, nonce)] = int(answer["id"])
            answer["nonce"] = nonce
        return answer

    def _callback(self, record: RestRequest, body: Any, files: list[UploadedFile]) -> Any:
        answer = self._simcord(record, body, files)
        interaction = answer["interaction"]
        self._world.tallies.answers[int(interaction["id"])] = response(self._world, interaction, body)
        for key in ("response_message_id", "activity_instance_id"):
            if interaction.get(key) is None:
                interaction.pop(key, None)
        wanted = record.query.get("with_response", "").lower() in ("1", "true")
        return answer if wanted else None


_UNKNOWN_REFERENCE = {
    "message_reference": {"_errors": [{"code": "REPLIES_UNKNOWN_MESSAGE", "message": "Unknown message"}]}
}


async def _read(request: web.Request) -> tuple[Any, list[UploadedFile]]:
    """The JSON body and the files, from either kind of request."""
    if request.content_type != "multipart/form-data":
        text = await request.text()
        return (json.loads(text) if text else None), []
    body: Any = None
    files: dict[int, UploadedFile] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            continue
        data = bytes(await part.read())
        name = part.name or ""
        if name == "payload_json":
            body = json.loads(data)
        elif name.startswith("files["):
            files[int(name[6:-1])] = UploadedFile(part.filename or "unknown", io.BytesIO(data), None)
    described = (body or {}).get("data", body) or {}
    for item in described.get("attachments") or ():
        index = int(item["id"])
        if index in files:
            files[index].description = item.get("description")
            files[index].filename = item.get("filename") or files[index].filename
    return body, [files[index] for index in sorted(files)]


def _json(status: int, answer: Any, headers: dict[str, str] | None = None) -> web.Response:
    headers = {"Via": "1.1 google", **(headers or {})}
    if status == 204:
        return web.Response(status=204, headers=headers)
    # exactly this content type: discord.py reads anything else, even with a charset, as plain text
    headers["Content-Type"] = "application/json"
    return web.Response(status=status, body=json.dumps(answer).encode(), headers=headers)


def _failed(failure: Failure, headers: dict[str, str] | None = None) -> web.Response:
    if failure.status == 429:
        wait = round(failure.retry_after, 3)
        body = {"message": "You are being rate limited.", "retry_after": wait, "global": failure.is_global}
        scope = "global" if failure.is_global else "user"
        extra = {"Retry-After": str(max(1, round(wait))), "X-RateLimit-Scope": scope, **(headers or {})}
        if failure.is_global:
            extra["X-RateLimit-Global"] = "true"
        return _json(429, body, extra)
    if failure.status == 502:
        return web.Response(
            status=502, text="<html><title>502 Bad Gateway</title></html>", content_type="text/html"
        )
    return _json(failure.status, {"message": f"{failure.status}: Internal Server Error", "code": 0})
