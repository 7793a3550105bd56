"""The HTTP face: token, holds, faults and limits first, then the method."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any
from weakref import WeakSet

from aiohttp import web

from ..discord.waiting import Changes
from .account import NAMES, Account
from .asking import Questions
from .errors import ApiError, bad_request, too_many
from .methods import Messages
from .params import Params, read
from .spec import Checker
from .traffic import ApiRequest, Failure, Traffic, counts
from .updates import Updates
from .world import World

TOKEN = re.compile(r"\d+:[\w-]{30,}")
Method = Callable[[Params], Any]
TROUBLE = {
    400: "Bad Request",
    403: "Forbidden",
    413: "Request Entity Too Large",
    500: "Internal Server Error",
    502: "Bad Gateway",
}


class Api:
    """Answers one request after another from the world."""

    def __init__(
        self,
        world: World,
        changes: Changes,
        traffic: Traffic,
        updates: Updates,
        questions: Questions,
        account: Account,
        checker: Checker,
        token: str,
    ) -> None:
        self._world = world
        self._changes = changes
        self._traffic = traffic
        self._updates = updates
        self._account = account
        self._checker = checker
        self._token = token
        self._transports: WeakSet[asyncio.BaseTransport] = WeakSet()
        self._methods = _methods(Messages(world), questions, account, updates)
        # Telegram takes the names in any case
        self._proper = {name.lower(): name for name in (*self._methods, "getUpdates")}

    def routes(self) -> list[web.RouteDef]:
        return [
            web.route("*", "/bot{token:[^/]+}/{method}", self._handle),
            web.get("/file/bot{token:[^/]+}/{path:.+}", self._file),
        ]

    def drop(self) -> int:
        """Cut every open connection; how many there were."""
        cut = [t for t in self._transports if not t.is_closing()]
        for transport in cut:
            transport.abort() if isinstance(transport, asyncio.WriteTransport) else transport.close()
        return len(cut)

    async def _file(self, request: web.Request) -> web.StreamResponse:
        self._seen(request)
        if request.match_info["token"] != self._token:
            return _json(404, ApiError(404, "Not Found").body())
        return await self._world.files.serve(request, request.match_info["path"])

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self._seen(request)
        params = await read(request)
        method = request.match_info["method"]
        record = ApiRequest(self._proper.get(method.lower(), method), params.plain())
        record.files = tuple((f.filename, len(f.data)) for f in params.files.values())
        self._traffic.log.append(record)
        waits = record.method == "getUpdates"  # a long poll is no work under way
        self._traffic.in_flight += not waits
        try:
            response = await self._respond(request, record, params)
            record.status = response.status
        finally:
            self._traffic.in_flight -= not waits
            record.seconds = time.monotonic() - record.at
            self._changes.notify()
        return response

    async def _respond(self, request: web.Request, record: ApiRequest, params: Params) -> web.Response:
        hold = self._traffic.hold_for(record.method)
        if hold is not None:
            hold.held += 1
            self._changes.notify()
            await hold.free.wait()
        failure = self._traffic.failure_for(record.method)
        if failure is not None and not failure.lost:
            return _failed(request, failure)
        try:
            self._admit(request.match_info["token"])
            self._checker.request(record.method, record.params)
            record.result = await self._call(request, record, params)
            self._checker.result(record.method, record.result)
            status, body = 200, {"ok": True, "result": record.result}
        except ApiError as refused:
            status, body = refused.status, refused.body()
            record.description = refused.description
        if failure is not None:
            return _failed(request, failure)
        return _json(status, body)

    async def _call(self, request: web.Request, record: ApiRequest, params: Params) -> Any:
        if record.method == "getUpdates":
            return await self._updates.get_updates(params, partial(_alive, request))
        method = self._methods.get(record.method)
        if method is None:
            if not self._checker.knows(record.method):
                raise ApiError(404, "Not Found: method not found")
            self._checker.violations.append(f"{record.method}: the stand-in cannot do this")
            raise ApiError(501, "Not Implemented")
        if self._traffic.flood is not None and counts(record.method):
            wait = self._traffic.flood.wait(record.method, record.chat_id)
            if wait:
                raise too_many(wait)
        try:
            return method(params)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            self._checker.violations.append(f"{record.method}: not understood: {error!r}")
            raise bad_request("can't parse the request") from error

    def _admit(self, token: str) -> None:
        """Only the one bot, by its token."""
        if not TOKEN.fullmatch(token):
            raise ApiError(404, "Not Found")
        if token != self._token:
            raise ApiError(401, "Unauthorized")
        if self._account.closed:
            raise bad_request(self._account.closed)

    def _seen(self, request: web.Request) -> None:
        if request.transport is not None:
            self._transports.add(request.transport)


def _methods(
    messages: Messages, questions: Questions, account: Account, updates: Updates
) -> dict[str, Method]:
    named: dict[str, Method] = {
        "getMe": account.get_me,
        "logOut": account.log_out,
        "close": account.close,
        "setWebhook": updates.set_webhook,
        "deleteWebhook": updates.delete_webhook,
        "getWebhookInfo": lambda params: updates.webhook_info(),
        "sendMessage": messages.send_message,
        "sendPhoto": messages.send_photo,
        "sendDocument": messages.send_document,
        "sendChatAction": messages.send_chat_action,
        "editMessageText": messages.edit_message_text,
        "editMessageMedia": messages.edit_message_media,
        "editMessageCaption": messages.edit_message_caption,
        "editMessageReplyMarkup": messages.edit_message_reply_markup,
        "deleteMessage": messages.delete_message,
        "deleteMessages": messages.delete_messages,
        "setMessageReaction": messages.set_message_reaction,
        "answerCallbackQuery": questions.answer_callback_query,
        "answerInlineQuery": questions.answer_inline_query,
        "setMyCommands": account.set_my_commands,
        "getMyCommands": account.get_my_commands,
        "deleteMyCommands": account.delete_my_commands,
        "setChatMenuButton": lambda params: True,
        "setMyDefaultAdministratorRights": lambda params: True,
        "getFile": account.get_file,
        "getChat": account.get_chat,
        "getChatMember": account.get_chat_member,
        "getChatAdministrators": account.get_chat_administrators,
        "getChatMemberCount": account.get_chat_member_count,
        "leaveChat": account.leave_chat,
    }
    for name in NAMES:
        title = "".join(word.capitalize() for word in name.split("_"))
        named[f"setMy{title}"] = partial(account.set_text, name)
        named[f"getMy{title}"] = partial(account.get_text, name)
    return named


def _alive(request: web.Request) -> bool:
    return request.transport is not None and not request.transport.is_closing()


def _failed(request: web.Request, failure: Failure) -> web.Response:
    if failure.status == 0:
        if request.transport is not None:
            request.transport.close()
        return web.Response(status=500)
    if failure.status == 429:
        return _json(429, too_many(failure.retry_after).body())
    if failure.lost:  # Telegram says ``"ok": false`` only of what had no effect; this is a proxy on the way
        page = f"<html><h1>{failure.status} {TROUBLE.get(failure.status, 'Error')}</h1></html>"
        return web.Response(status=failure.status, text=page, content_type="text/html")
    return _json(failure.status, ApiError(failure.status, TROUBLE.get(failure.status, "Error")).body())


def _json(status: int, body: Any) -> web.Response:
    return web.json_response(body, status=status, dumps=partial(json.dumps, ensure_ascii=False))
