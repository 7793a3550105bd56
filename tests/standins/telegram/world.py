"""The state: people, chats, messages, and what the bot may do where."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Literal

from ..discord.waiting import Changes
from .errors import ApiError, bad_request, forbidden
from .media import Files
from .privacy import delivered
from .rights import OWNER_RIGHTS

Payload = dict[str, Any]
Kind = Literal["private", "group", "supergroup", "channel"]
ANONYMOUS: Payload = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}
HERE = ("member", "administrator", "restricted")


@dataclass
class Person:
    """Somebody with an account; bots are people too."""

    id: int
    first_name: str
    username: str
    language_code: str | None
    is_bot: bool = False

    def payload(self) -> Payload:
        out: Payload = {
            "id": self.id,
            "is_bot": self.is_bot,
            "first_name": self.first_name,
            "username": self.username,
        }
        if self.language_code:
            out["language_code"] = self.language_code
        return out


@dataclass
class Stored:
    """A message. ``payload`` is the Bot API's Message less ``reply_to_message``."""

    chat_id: int
    id: int
    payload: Payload
    reply_to: int | None = None
    by_bot: bool = False
    meant_for_bot: bool = False
    edits: int = 0
    deleted: bool = False
    reactions: tuple[str, ...] = ()
    silent: bool = False


@dataclass
class ChatState:
    """A chat. ``bot`` is the bot's status in it, ``members`` everybody else's; a private chat has neither."""

    id: int
    kind: Kind
    title: str
    person: Person | None = None
    forum: bool = False
    bot: str = "member"
    members: dict[int, str] = field(default_factory=dict)
    anonymous: set[int] = field(default_factory=set)
    messages: dict[int, Stored] = field(default_factory=dict)
    answers: dict[int, list[Stored]] = field(default_factory=dict)
    topics: dict[int, str] = field(default_factory=dict)
    last_bot: int | None = None
    migrated_to: int | None = None
    started: bool = False
    blocked: bool = False
    muted: bool = False

    def payload(self) -> Payload:
        if self.person is not None:
            named = {"first_name": self.person.first_name, "username": self.person.username}
            return {"id": self.id, "type": "private", **named}
        out: Payload = {"id": self.id, "type": self.kind, "title": self.title}
        return {**out, "is_forum": True} if self.forum else out


class World:
    """Everything there is. ``emit`` takes (kind of update, its payload)."""

    def __init__(self, changes: Changes, bot: Person, *, privacy: bool, mentions: bool) -> None:
        self.changes = changes
        self.bot = bot
        self.privacy = privacy
        self.mentions = mentions
        self.files = Files(changes)
        self.people: dict[int, Person] = {bot.id: bot}
        self.chats: dict[int, ChatState] = {}
        self.emit: Callable[[str, Payload], object] = lambda kind, payload: None
        self._ids = itertools.count(5_000_001)
        # private chats and basic groups share one row of message ids; supergroups and channels have their own
        self._shared = itertools.count(101)
        self._own: dict[int, itertools.count[int]] = {}

    # -- people and chats

    def person(self, name: str, language_code: str | None, *, is_bot: bool = False) -> Person:
        number = next(self._ids)
        username = f"{''.join(c for c in name if c.isascii() and c.isalnum())}_{number}"
        made = Person(number, name, username + ("_bot" if is_bot else ""), language_code, is_bot)
        self.people[made.id] = made
        if not is_bot:
            self.chats[made.id] = ChatState(made.id, "private", "", person=made)
        return made

    def chat(self, kind: Kind, title: str, *, forum: bool = False) -> ChatState:
        number = next(self._ids)
        id_ = -number if kind == "group" else -(10**12 + number)
        made = self.chats[id_] = ChatState(id_, kind, title, forum=forum)
        return made

    def for_bot(self, given: str | int | None) -> ChatState:
        """The chat that a call names, if the bot may write there.

        Raises:
            ApiError: 400 or 403, as Telegram words it.
        """
        chat = self.visible(given)
        if chat.kind == "private":
            if not chat.started:
                raise forbidden("bot can't initiate conversation with a user")
            if chat.blocked:
                raise forbidden("bot was blocked by the user")
        elif chat.muted:
            raise bad_request("not enough rights to send text messages to the chat")
        return chat

    def visible(self, given: str | int | None) -> ChatState:
        """The chat that a call names, if the bot is in it."""
        if given in (None, ""):
            raise bad_request("chat_id is empty")
        try:
            chat = self.chats.get(int(given or 0))
        except ValueError:
            chat = None
        if chat is None:
            raise bad_request("chat not found")
        if chat.migrated_to is not None:
            raise bad_request(
                "group chat was upgraded to a supergroup chat", migrate_to_chat_id=chat.migrated_to
            )
        if chat.kind != "private" and chat.bot not in HERE:
            raise forbidden(_outside(chat))
        return chat

    # -- messages

    def next_id(self, chat: ChatState) -> int:
        if chat.kind in ("private", "group"):
            return next(self._shared)
        return next(self._own.setdefault(chat.id, itertools.count(1)))

    def find(self, chat_id: int, message_id: int) -> Stored | None:
        """The message, unless it was deleted."""
        chat = self.chats.get(chat_id)
        found = chat.messages.get(message_id) if chat else None
        return None if found is None or found.deleted else found

    def add(
        self,
        chat: ChatState,
        content: Payload,
        *,
        sender: Payload,
        reply_to: int | None = None,
        thread: int | None = None,
        date: int | None = None,
        announce: bool = True,
    ) -> Stored:
        """A new message of ``sender`` ({"from": ...}, {"sender_chat": ...} or both)."""
        id_ = self.next_id(chat)
        payload: Payload = {"message_id": id_, "date": date or int(time.time()), "chat": chat.payload()}
        payload |= sender | content
        payload |= self._thread(chat, reply_to, thread)
        author = sender.get("from") or {}
        stored = Stored(chat.id, id_, payload, reply_to, by_bot=author.get("id") == self.bot.id)
        if chat.forum and reply_to is None and thread in chat.topics:
            # what is written into a topic "answers" the message that made the topic: a real trap for bots
            stored.reply_to = thread
        chat.messages[id_] = stored
        if stored.reply_to is not None:
            chat.answers.setdefault(stored.reply_to, []).append(stored)
        if author.get("is_bot") and author["id"] != ANONYMOUS["id"]:
            chat.last_bot = author["id"]
        elif announce:
            self.announce(stored)
        self.changes.notify()
        return stored

    def _thread(self, chat: ChatState, reply_to: int | None, thread: int | None) -> Payload:
        target = chat.messages.get(reply_to) if reply_to is not None else None
        if chat.forum:
            if thread is None and target is not None:
                thread = target.payload.get("message_thread_id")
            return {} if thread is None else {"message_thread_id": thread, "is_topic_message": True}
        if chat.kind == "supergroup" and target is not None:
            # replies in ordinary supergroups carry the root of their thread, though there are no topics
            return {"message_thread_id": target.payload.get("message_thread_id", target.id)}
        return {}

    def announce(self, stored: Stored, *, edited: bool = False) -> None:
        """Tell the bot of a message, if it is one that the bot gets to see."""
        chat = self.chats[stored.chat_id]
        if not delivered(self, chat, stored):
            return
        kind = "channel_post" if chat.kind == "channel" else "message"
        self.emit(f"edited_{kind}" if edited else kind, self.render(stored))

    def render(self, stored: Stored) -> Payload:
        """The message with the whole message that it answers, as it is now."""
        payload = deepcopy(stored.payload)
        target = self.find(stored.chat_id, stored.reply_to) if stored.reply_to is not None else None
        if target is not None:
            payload["reply_to_message"] = deepcopy(target.payload)
        return payload

    # -- the bot's membership

    def bot_becomes(self, chat: ChatState, by: Payload, status: str) -> None:
        """Change the bot's status in a chat and tell it: my_chat_member."""
        before = self.member_of_bot(chat)
        if chat.kind == "private":
            chat.blocked = status == "kicked"
        chat.bot = status
        change: Payload = {"chat": chat.payload(), "from": by, "date": int(time.time())}
        change |= {"old_chat_member": before, "new_chat_member": self.member_of_bot(chat)}
        self.emit("my_chat_member", change)

    def member_of_bot(self, chat: ChatState) -> Payload:
        return member(self.bot.payload(), chat.bot)

    def member(self, chat: ChatState, person: Person) -> Payload:
        """A ChatMember of somebody other than the bot."""
        status = chat.members.get(person.id, "left")
        return member(person.payload(), status, anonymous=person.id in chat.anonymous)


def member(user: Payload, status: str, *, anonymous: bool = False) -> Payload:
    """A ChatMember with this status."""
    out: Payload = {"status": status, "user": user}
    match status:
        case "creator":
            out["is_anonymous"] = anonymous
        case "administrator":
            out |= {"can_be_edited": False, "is_anonymous": anonymous, **dict.fromkeys(OWNER_RIGHTS, True)}
        case "kicked":
            out["until_date"] = 0
    return out


def _outside(chat: ChatState) -> str:
    kind = "channel" if chat.kind == "channel" else f"{chat.kind}"
    return (
        f"bot was kicked from the {kind} chat"
        if chat.bot == "kicked"
        else f"bot is not a member of the {kind} chat"
    )


__all__ = ["ANONYMOUS", "ApiError", "ChatState", "Kind", "Payload", "Person", "Stored", "World", "member"]
