"""Presses on buttons and inline queries: what people ask of the bot and what it answers them."""

# ruff: noqa: ASYNC109  every wait takes its deadline as an argument

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass, field
from typing import Any

from ..discord.waiting import Changes
from .entities import parsed
from .errors import QUERY_TOO_OLD, bad_request
from .keyboards import keyboard
from .params import Params
from .world import Payload

RESULTS = 50


@dataclass(frozen=True)
class CallbackAnswer:
    """What a person sees when the spinner on the button stops; ``text`` may be empty."""

    text: str
    show_alert: bool
    url: str
    cache_time: int


@dataclass
class Pressed:
    """A press on a button. Until it is answered, a spinner turns on that button."""

    id: str
    data: str
    payload: Payload
    answers: list[CallbackAnswer] = field(default_factory=list)
    expired: bool = False
    _changes: Changes = field(default_factory=Changes)

    async def answer(self, timeout: float = 10.0) -> CallbackAnswer:
        """The bot's answer.

        Raises:
            StandinTimeout: nothing came; the spinner is stuck.
        """
        return await self._changes.until(
            lambda: self.answers[0] if self.answers else None,
            timeout=timeout,
            what=f"an answer to the press on {self.data!r} (the spinner still turns)",
        )

    def expire(self) -> None:
        """From now on it is too old to be answered."""
        self.expired = True


@dataclass(frozen=True)
class InlineResult:
    """One offer of an inline query; ``text`` is what choosing it would send."""

    id: str
    type: str
    title: str
    description: str
    text: str
    payload: Payload


@dataclass(frozen=True)
class InlineAnswer:
    """What the bot offers. ``next_offset`` is empty when there is no more; ``button`` stands above all."""

    query: str
    results: tuple[InlineResult, ...]
    next_offset: str
    cache_time: int
    is_personal: bool
    button: str


@dataclass
class _Inline:
    query: str
    answer: InlineAnswer | None = None
    expired: bool = False


class Questions:
    """Everything that was asked, by its id."""

    def __init__(self, changes: Changes) -> None:
        self.presses: dict[str, Pressed] = {}
        self.inline: dict[str, _Inline] = {}
        self._changes = changes
        self._ids = itertools.count(10**17 + secrets.randbelow(10**9))

    def press(self, data: str, payload: Payload, *, old: bool) -> Pressed:
        id_ = str(next(self._ids))
        made = Pressed(id_, data, {"id": id_, **payload, "data": data}, expired=old, _changes=self._changes)
        self.presses[id_] = made
        return made

    def ask(self, query: str, *, old: bool) -> str:
        id_ = str(next(self._ids))
        self.inline[id_] = _Inline(query, expired=old)
        return id_

    # -- the bot's side

    def answer_callback_query(self, params: Params) -> bool:
        pressed = self.presses.get(params.text("callback_query_id"))
        if pressed is None or pressed.expired:
            raise bad_request(QUERY_TOO_OLD)
        text = params.text("text")
        if len(text) > 200:
            raise bad_request("MESSAGE_TOO_LONG")
        cache = params.number("cache_time") or 0
        # a second answer is taken and changes nothing for the person; ``answers`` keeps them all
        pressed.answers.append(CallbackAnswer(text, params.flag("show_alert"), params.text("url"), cache))
        return True

    def answer_inline_query(self, params: Params) -> bool:
        asked = self.inline.get(params.text("inline_query_id"))
        if asked is None or asked.expired:
            raise bad_request(QUERY_TOO_OLD)
        results = params.json("results") or []
        if len(results) > RESULTS:
            raise bad_request("RESULTS_TOO_MUCH")
        ids = [str(result.get("id", "")) for result in results]
        if any(not 1 <= len(id_.encode()) <= 64 for id_ in ids):
            raise bad_request("RESULT_ID_INVALID")
        if len(set(ids)) < len(ids):
            raise bad_request("RESULT_ID_DUPLICATE")
        if len(params.text("next_offset").encode()) > 64:
            raise bad_request("NEXT_OFFSET_INVALID")
        cache = params.number("cache_time")
        asked.answer = InlineAnswer(
            query=asked.query,
            results=tuple(_result(result) for result in results),
            next_offset=params.text("next_offset"),
            cache_time=300 if cache is None else cache,
            is_personal=params.flag("is_personal"),
            button=(params.json("button") or {}).get("text", ""),
        )
        return True


def _result(result: dict[str, Any]) -> InlineResult:
    content = result.get("input_message_content") or {}
    text, _ = parsed(content.get("message_text", ""), content.get("parse_mode"))
    if result.get("type") == "article":
        if not result.get("title"):
            raise bad_request("can't parse inline query result: Can't find field \"title\"")
        if not text:
            raise bad_request("message text is empty")
    keyboard(result.get("reply_markup"))
    return InlineResult(
        id=str(result["id"]),
        type=str(result.get("type", "")),
        title=str(result.get("title", "")),
        description=str(result.get("description", "")),
        text=text,
        payload=result,
    )
