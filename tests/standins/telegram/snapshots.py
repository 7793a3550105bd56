"""What a test sees of a message: a frozen copy that later changes do not touch."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from .world import Stored


@dataclass(frozen=True)
class Button:
    """One button of an inline keyboard; ``data`` is empty for buttons that open something."""

    label: str
    data: str
    url: str
    row: int


@dataclass(frozen=True)
class MessageSnapshot:
    """A message as it stood. ``reply_to`` is the id of the message it answers; ``edits`` counts all edits.

    ``text`` is its text or caption; ``payload`` everything, as the Bot API says it.
    """

    chat_id: int
    id: int
    sender_id: int
    text: str
    entities: tuple[tuple[str, int, int], ...]
    buttons: tuple[Button, ...]
    photo: bool
    reply_to: int | None
    thread: int | None
    by_bot: bool
    silent: bool
    edits: int
    reactions: tuple[str, ...]
    date: int
    payload: dict[str, Any]

    @property
    def rows(self) -> list[list[str]]:
        """The labels of the keyboard, row by row."""
        count = max((b.row for b in self.buttons), default=-1) + 1
        return [[b.label for b in self.buttons if b.row == row] for row in range(count)]

    def button(self, label_or_data: str) -> Button:
        """The one button with this label or callback data."""
        hits = [b for b in self.buttons if label_or_data in (b.label, b.data)]
        if len(hits) != 1:
            raise AssertionError(f"{len(hits)} buttons are {label_or_data!r} among {self.rows}")
        return hits[0]


def snapshot(stored: Stored) -> MessageSnapshot:
    payload = deepcopy(stored.payload)
    rows = (payload.get("reply_markup") or {}).get("inline_keyboard", [])
    entities = payload.get("entities") or payload.get("caption_entities") or []
    return MessageSnapshot(
        chat_id=stored.chat_id,
        id=stored.id,
        sender_id=(payload.get("from") or payload.get("sender_chat") or {}).get("id", 0),
        text=payload.get("text") or payload.get("caption") or "",
        entities=tuple((e["type"], e["offset"], e["length"]) for e in entities),
        buttons=tuple(
            Button(b["text"], b.get("callback_data", ""), b.get("url", ""), number)
            for number, row in enumerate(rows)
            for b in row
        ),
        photo="photo" in payload,
        reply_to=stored.reply_to,
        thread=payload.get("message_thread_id"),
        by_bot=stored.by_bot,
        silent=stored.silent,
        edits=stored.edits,
        reactions=stored.reactions,
        date=payload["date"],
        payload=payload,
    )
