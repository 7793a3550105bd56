"""Chats as a test holds them, and what happens to the bot in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .snapshots import MessageSnapshot, snapshot
from .world import ANONYMOUS, ChatState, Payload

if TYPE_CHECKING:
    from .people import User
    from .server import TelegramStandin

CONTENT = (
    "text",
    "entities",
    "photo",
    "caption",
    "caption_entities",
    "document",
    "sticker",
    "animation",
    "video",
)
"""What a forward takes along."""


@dataclass(frozen=True)
class Chat:
    """A private chat with the bot, a group, a supergroup or a channel."""

    id: int
    name: str
    _standin: TelegramStandin

    @property
    def state(self) -> ChatState:
        return self._standin.world.chats[self.id]

    @property
    def owner(self) -> User:
        """Who made the group."""
        for id_, status in self.state.members.items():
            if status == "creator":
                return self._standin.known(id_)
        raise AssertionError(f"{self.name} has no owner")

    # -- people

    def add(self, user: User, *, admin: bool = False, anonymous: bool = False) -> None:
        """Let somebody be a member; nobody is told. ``anonymous``: an admin who writes as the group."""
        self.state.members[user.id] = "administrator" if admin or anonymous else "member"
        (self.state.anonymous.add if anonymous else self.state.anonymous.discard)(user.id)

    def remove(self, user: User) -> None:
        self.state.members[user.id] = "left"

    def topic(self, name: str) -> int:
        """Open a topic in a group with topics; its ``message_thread_id``."""
        assert self.state.forum, f"{self.name} has no topics"
        world = self._standin.world
        made = world.add(
            self.state,
            {"forum_topic_created": {"name": name, "icon_color": 7322096}},
            sender={"from": self.owner.payload()},
            announce=False,
        )
        made.payload |= {"message_thread_id": made.id, "is_topic_message": True}
        self.state.topics[made.id] = name
        world.announce(made)
        return made.id

    def close_topic(self, thread: int) -> None:
        """Delete a topic with all that is in it."""
        del self.state.topics[thread]
        for stored in self.state.messages.values():
            if stored.payload.get("message_thread_id") == thread:
                stored.deleted = True

    # -- the bot

    def kick_bot(self, by: User | None = None) -> None:
        """Throw the bot out."""
        self._bot(by, "kicked")

    def add_bot(self, by: User | None = None, *, admin: bool = False) -> None:
        """Let the bot in (again)."""
        self._bot(by, "administrator" if admin else "member")
        members = {"new_chat_members": [self._standin.world.bot.payload()]}
        self._service(members, {"from": (by or self.owner).payload()})

    def promote_bot(self, by: User | None = None) -> None:
        """Make the bot an admin: from now on it gets every message."""
        self._bot(by, "administrator")

    def demote_bot(self, by: User | None = None) -> None:
        self._bot(by, "member")

    def mute_bot(self, muted: bool = True) -> None:
        """Take the right to write from the bot, or give it back; nobody tells it."""
        self.state.muted = muted

    def other_bot_speaks(self, text: str = "beep") -> MessageSnapshot:
        """Another bot writes: ours sees nothing, and general commands are that one's from now on."""
        other = self._standin.world.person("other", None, is_bot=True)
        return self._service({"text": text}, {"from": other.payload()})

    def migrate(self) -> Chat:
        """Turn this basic group into a supergroup: another id; calls with the old one are refused."""
        world, old = self._standin.world, self.state
        assert old.kind == "group", f"{self.name} is no basic group: make it with basic=True"
        new = world.chat("supergroup", old.title)
        new.members, new.anonymous, new.bot = dict(old.members), set(old.anonymous), old.bot
        self._service({"migrate_to_chat_id": new.id}, {"from": self.owner.payload()})
        old.migrated_to = new.id
        chat = Chat(new.id, self.name, self._standin)
        chat._service({"migrate_from_chat_id": old.id}, {"from": ANONYMOUS, "sender_chat": new.payload()})
        return chat

    # -- channels

    def post(self, text: str = "", picture: bytes | None = None) -> MessageSnapshot:
        """A post of this channel."""
        assert self.state.kind == "channel", f"{self.name} is no channel"
        content: Payload = {"text": text}
        if picture is not None:
            content = {"photo": self._standin.world.files.photo(picture)}
            content |= {"caption": text} if text else {}
        return self._service(content, {"sender_chat": self.state.payload()})

    def auto_forward(self, post: MessageSnapshot, group: Chat) -> MessageSnapshot:
        """Telegram's own copy of a channel's post in the group that discusses it."""
        content: Payload = {name: part for name, part in post.payload.items() if name in CONTENT}
        origin = {"type": "channel", "date": post.date, "chat": self.state.payload(), "message_id": post.id}
        content |= {"forward_origin": origin, "is_automatic_forward": True}
        telegram = {"id": 777000, "is_bot": False, "first_name": "Telegram"}
        return group._service(content, {"from": telegram, "sender_chat": self.state.payload()})

    def _bot(self, by: User | None, status: str) -> None:
        self._standin.world.bot_becomes(self.state, (by or self.owner).payload(), status)

    def _service(self, content: Payload, sender: dict[str, Any]) -> MessageSnapshot:
        return snapshot(self._standin.world.add(self.state, content, sender=sender))
