"""People, who do what people do in Telegram."""

# ruff: noqa: ASYNC109  every wait takes its deadline as an argument

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .asking import InlineAnswer, Pressed
from .chats import CONTENT, Chat
from .entities import Entity, found_in, parsed, units
from .snapshots import MessageSnapshot, snapshot
from .world import ANONYMOUS, ChatState, Payload

if TYPE_CHECKING:
    from .server import TelegramStandin


@dataclass(frozen=True)
class User:
    """A person. Everything that is sent returns the message as it then stood."""

    id: int
    name: str
    language_code: str | None
    _standin: TelegramStandin

    def payload(self) -> Payload:
        return self._standin.world.people[self.id].payload()

    @property
    def username(self) -> str:
        return self._standin.world.people[self.id].username

    # -- sending

    async def send_text(
        self,
        chat: Chat,
        text: str,
        *,
        reply_to: MessageSnapshot | None = None,
        thread: int | None = None,
        age: float = 0,
        mention: User | None = None,
    ) -> MessageSnapshot:
        """``age``: so many seconds ago. ``mention``: their name is put before it, as people without a
        username are mentioned (text_mention)."""
        entities: list[Entity] = []
        if mention is not None:
            entities = [
                {
                    "type": "text_mention",
                    "offset": 0,
                    "length": units(mention.name),
                    "user": mention.payload(),
                }
            ]
            text = f"{mention.name} {text}"
        content: Payload = {"text": text}
        if entities := [*entities, *found_in(text)]:
            content["entities"] = entities
        return self._send(chat, content, reply_to, thread, age)

    async def start(self, chat: Chat, argument: str = "") -> MessageSnapshot:
        """Press Start in the private chat."""
        return await self.send_text(chat, f"/start {argument}".strip())

    async def send_photo(
        self,
        chat: Chat,
        picture: bytes,
        caption: str = "",
        *,
        reply_to: MessageSnapshot | None = None,
        thread: int | None = None,
        age: float = 0,
    ) -> MessageSnapshot:
        """A picture, which Telegram makes into JPEGs of several sizes."""
        content = {"photo": self._standin.world.files.photo(picture), **captioned(caption)}
        return self._send(chat, content, reply_to, thread, age)

    async def send_album(
        self,
        chat: Chat,
        pictures: Sequence[bytes],
        caption: str = "",
        *,
        reply_to: MessageSnapshot | None = None,
        thread: int | None = None,
        as_files: bool = False,
    ) -> list[MessageSnapshot]:
        """Several pictures at once: a message (and an update) each, with one ``media_group_id``."""
        album, files, sent = str(secrets.randbelow(10**17)), self._standin.world.files, []
        for number, picture in enumerate(pictures):
            content: Payload = {"media_group_id": album, **captioned(caption if number == 0 else "")}
            if as_files:
                name = f"{number}.png"
                content["document"] = files.document(picture, name, "image/png", thumbnail=picture, size=None)
            else:
                content["photo"] = files.photo(picture)
            sent.append(self._send(chat, content, reply_to, thread))
        return sent

    async def send_document(
        self,
        chat: Chat,
        filename: str,
        data: bytes,
        mime: str | None = None,
        caption: str = "",
        *,
        thumbnail: bytes | None = None,
        size: int | None = None,
        reply_to: MessageSnapshot | None = None,
        thread: int | None = None,
    ) -> MessageSnapshot:
        """A file as it is. ``mime`` is what the sender's client says, ``size`` what Telegram says of it."""
        made = self._standin.world.files.document(data, filename, mime, thumbnail=thumbnail, size=size)
        return self._send(chat, {"document": made, **captioned(caption)}, reply_to, thread)

    async def send_sticker(
        self,
        chat: Chat,
        picture: bytes,
        kind: str = "static",
        *,
        emoji: str = "🙂",
        reply_to: MessageSnapshot | None = None,
        thread: int | None = None,
    ) -> MessageSnapshot:
        """``kind``: "static", "animated" or "video"; the thumbnail shows ``picture``."""
        made = self._standin.world.files.sticker(picture, kind, emoji)
        return self._send(chat, {"sticker": made}, reply_to, thread)

    async def send_animation(
        self, chat: Chat, picture: bytes | None, caption: str = "", *, reply_to: MessageSnapshot | None = None
    ) -> MessageSnapshot:
        """A GIF, which Telegram makes into an MP4; ``picture`` is its thumbnail, None: it has none."""
        made = self._standin.world.files.clip(picture, "animations")
        # an animation is a document too, for bots from before there were animations
        old = {name: made[name] for name in made if name not in ("width", "height", "duration")}
        return self._send(chat, {"animation": made, "document": old, **captioned(caption)}, reply_to)

    async def send_video(
        self,
        chat: Chat,
        picture: bytes | None,
        caption: str = "",
        *,
        size: int | None = None,
        reply_to: MessageSnapshot | None = None,
    ) -> MessageSnapshot:
        made = self._standin.world.files.clip(picture, "videos", size)
        return self._send(chat, {"video": made, **captioned(caption)}, reply_to)

    async def forward(self, message: MessageSnapshot, chat: Chat, *, hidden: bool = False) -> MessageSnapshot:
        """``hidden``: its sender does not want to be linked to in forwards."""
        payload = deepcopy(self._standin.resolve(message).payload)
        sender, date = payload.get("from") or {}, payload["date"]
        origin: Payload
        if payload["chat"]["type"] == "channel":
            origin = {"type": "channel", "chat": payload["chat"], "message_id": payload["message_id"]}
        elif "sender_chat" in payload:
            origin = {"type": "chat", "sender_chat": payload["sender_chat"]}
        elif hidden:
            origin = {"type": "hidden_user", "sender_user_name": sender["first_name"]}
        else:
            origin = {"type": "user", "sender_user": sender}
        content: Payload = {name: part for name, part in payload.items() if name in CONTENT}
        return self._send(chat, {**content, "forward_origin": {**origin, "date": date}})

    async def edit(
        self, message: MessageSnapshot, text: str | None = None, *, picture: bytes | None = None
    ) -> MessageSnapshot:
        """Change the text (or caption) or the photo of an own message."""
        stored = self._standin.resolve(message)
        assert message.sender_id in (self.id, ANONYMOUS["id"]), f"{self.name} did not write that message"
        if picture is not None:
            stored.payload["photo"] = self._standin.world.files.photo(picture)
        if text is not None:
            name, marks = (
                ("text", "entities") if "text" in stored.payload else ("caption", "caption_entities")
            )
            stored.payload |= {name: text, marks: found_in(text)}
        stored.payload["edit_date"] = int(time.time())
        stored.edits += 1
        self._standin.world.announce(stored, edited=True)
        return snapshot(stored)

    async def delete(self, message: MessageSnapshot) -> None:
        """Delete a message; Telegram tells bots nothing of it."""
        self._standin.resolve(message).deleted = True

    # -- asking

    async def press(self, message: MessageSnapshot, label_or_data: str, *, old: bool = False) -> Pressed:
        """Press a button that is there now; ``old``: the bot gets it too late to answer."""
        now = self._standin.message(message)
        assert now is not None, "that message is deleted"
        return self._press(message, now.button(label_or_data).data, old)

    async def press_forged(self, message: MessageSnapshot, data: str, *, old: bool = False) -> Pressed:
        """Press what is not there: another client, or a keyboard from before an edit or a deletion."""
        return self._press(message, data, old)

    async def inline(
        self, query: str, offset: str = "", *, timeout: float = 10.0, old: bool = False
    ) -> InlineAnswer:
        """Type ``@bot query`` somewhere, and the bot's offers."""
        return await self._standin.ask_inline(self, query, offset, timeout=timeout, old=old)

    async def choose(self, answer: InlineAnswer, title_or_id: str, chat: Chat) -> MessageSnapshot:
        """Send one of the offers of an inline query."""
        result = next(r for r in answer.results if title_or_id in (r.id, r.title))
        content = result.payload.get("input_message_content") or {}
        text, entities = parsed(content.get("message_text", result.title), content.get("parse_mode"))
        made: Payload = {"text": text, "via_bot": self._standin.world.bot.payload()}
        made |= {"entities": entities} if entities else {}
        if self._standin.inline_feedback:
            chosen = {"result_id": result.id, "from": self.payload(), "query": answer.query}
            self._standin.world.emit("chosen_inline_result", chosen)
        return self._send(chat, made)

    # -- the bot as such

    def block_bot(self) -> None:
        self._standin.world.bot_becomes(self._private(), self.payload(), "kicked")

    def unblock_bot(self) -> None:
        self._standin.world.bot_becomes(self._private(), self.payload(), "member")

    def _private(self) -> ChatState:
        return self._standin.world.chats[self.id]

    def _press(self, message: MessageSnapshot, data: str, old: bool) -> Pressed:
        world = self._standin.world
        chat = world.chats[message.chat_id]
        stored = world.find(message.chat_id, message.id)
        shown: Payload = {"chat": chat.payload(), "message_id": message.id, "date": 0}  # inaccessible
        if stored is not None:
            shown = world.render(stored)
        instance = str(int.from_bytes(f"{chat.id}".encode()[-7:], "big"))
        payload = {"from": self.payload(), "message": shown, "chat_instance": instance}
        pressed = self._standin.questions.press(data, payload, old=old)
        world.emit("callback_query", pressed.payload)
        return pressed

    def _send(
        self,
        chat: Chat,
        content: Payload,
        reply_to: MessageSnapshot | None = None,
        thread: int | None = None,
        age: float = 0,
    ) -> MessageSnapshot:
        state = chat.state
        sender: Payload = {"from": self.payload()}
        if state.kind == "private":
            assert not state.blocked, f"{self.name} has blocked the bot"
            state.started = True
        else:
            here = state.members.get(self.id, "left")
            assert here in ("creator", "administrator", "member"), f"{self.name} is not in {chat.name}"
        if self.id in state.anonymous:
            sender = {"from": ANONYMOUS, "sender_chat": state.payload()}
        assert thread is None or thread in state.topics, "there is no such topic"
        answered = None if reply_to is None else self._standin.resolve(reply_to).id
        date = int(time.time() - age)
        stored = self._standin.world.add(
            state, content, sender=sender, reply_to=answered, thread=thread, date=date
        )
        return snapshot(stored)


def captioned(caption: str) -> Payload:
    """A caption with what Telegram finds in it."""
    if not caption:
        return {}
    entities = found_in(caption)
    return {"caption": caption, **({"caption_entities": entities} if entities else {})}
