"""What the bot asks about itself, chats and files."""

from __future__ import annotations

import re
from typing import Any

from .errors import bad_request
from .media import DOWNLOAD_LIMIT
from .params import Params
from .world import ChatState, Payload, World

Command = dict[str, str]
NAMES = {"name": 64, "description": 512, "short_description": 120}


def scope_key(scope: dict[str, Any] | None) -> str:
    """A scope as a word: "default", "all_group_chats", "chat:-1001" or "chat_member:-1001:5"."""
    given = {"type": "default", **(scope or {})}
    return ":".join(str(given[name]) for name in ("type", "chat_id", "user_id") if name in given)


class Account:
    """Each method takes the call's parameters and returns its ``result``."""

    def __init__(self, world: World, *, can_join_groups: bool, supports_inline: bool) -> None:
        self.commands: dict[tuple[str, str], list[Command]] = {}
        self.texts: dict[tuple[str, str], str] = {}
        self.closed = ""
        self._world = world
        self._can_join_groups = can_join_groups
        self._supports_inline = supports_inline

    def get_me(self, params: Params) -> Payload:
        return {
            **self._world.bot.payload(),
            "can_join_groups": self._can_join_groups,
            "can_read_all_group_messages": not self._world.privacy,
            "supports_inline_queries": self._supports_inline,
            "can_connect_to_business": False,
            "has_main_web_app": False,
        }

    def log_out(self, params: Params) -> bool:
        """From now on every call is refused, as the cloud does to a bot that moved to its own server."""
        self.closed = "Logged out"
        return True

    def close(self, params: Params) -> bool:
        return True

    # -- commands and descriptions

    def set_my_commands(self, params: Params) -> bool:
        commands = params.json("commands") or []
        if len(commands) > 100:
            raise bad_request("BOT_COMMANDS_TOO_MUCH")
        for command in commands:
            if not re.fullmatch(r"[a-z0-9_]{1,32}", str(command.get("command", "")).removeprefix("/")):
                raise bad_request("BOT_COMMAND_INVALID")
            if not 1 <= len(str(command.get("description", ""))) <= 256:
                raise bad_request("BOT_COMMAND_DESCRIPTION_INVALID")
        self.commands[self._place(params)] = [dict(command) for command in commands]
        return True

    def get_my_commands(self, params: Params) -> list[Command]:
        return self.commands.get(self._place(params), [])

    def delete_my_commands(self, params: Params) -> bool:
        self.commands.pop(self._place(params), None)
        return True

    def set_text(self, name: str, params: Params) -> bool:
        """setMyName, setMyDescription and setMyShortDescription."""
        if len(params.text(name)) > NAMES[name]:
            raise bad_request(f"BOT_{'ABOUT' if name.startswith('short') else name.upper()}_INVALID")
        self.texts[name, params.text("language_code")] = params.text(name)
        return True

    def get_text(self, name: str, params: Params) -> dict[str, str]:
        code = params.text("language_code")
        return {name: self.texts.get((name, code)) or self.texts.get((name, ""), "")}

    def _place(self, params: Params) -> tuple[str, str]:
        code = params.text("language_code")
        if code and not re.fullmatch(r"[a-z]{2}", code):
            raise bad_request("BOT_COMMAND_LANGUAGE_CODE_INVALID" if "-" in code else "invalid language code")
        return scope_key(params.json("scope")), code

    # -- chats

    def get_chat(self, params: Params) -> Payload:
        chat = self._world.visible(params.text("chat_id"))
        gifts = dict.fromkeys(
            (
                "unlimited_gifts",
                "limited_gifts",
                "unique_gifts",
                "premium_subscription",
                "gifts_from_channels",
            ),
            False,
        )
        return {
            **chat.payload(),
            "accent_color_id": 0,
            "max_reaction_count": 11,
            "accepted_gift_types": gifts,
        }

    def get_chat_member(self, params: Params) -> Payload:
        chat = self._world.visible(params.text("chat_id"))
        user_id = params.number("user_id") or 0
        person = self._world.people.get(user_id)
        if person is None:
            raise bad_request("PARTICIPANT_ID_INVALID" if chat.kind != "private" else "user not found")
        if person is self._world.bot:
            return self._world.member_of_bot(chat)
        return self._world.member(chat, person)

    def get_chat_administrators(self, params: Params) -> list[Payload]:
        chat = self._group(params, "there are no administrators in the private chat")
        people = [
            self._world.people[id_] for id_, s in chat.members.items() if s in ("creator", "administrator")
        ]
        found = [self._world.member(chat, person) for person in people if not person.is_bot]
        return [*found, self._world.member_of_bot(chat)] if chat.bot == "administrator" else found

    def get_chat_member_count(self, params: Params) -> int:
        chat = self._world.visible(params.text("chat_id"))
        return 2 if chat.kind == "private" else 1 + len(chat.members)

    def leave_chat(self, params: Params) -> bool:
        chat = self._group(params, "chat is a private chat")
        self._world.bot_becomes(chat, self._world.bot.payload(), "left")
        return True

    def _group(self, params: Params, otherwise: str) -> ChatState:
        chat = self._world.visible(params.text("chat_id"))
        if chat.kind == "private":
            raise bad_request(otherwise)
        return chat

    # -- files

    def get_file(self, params: Params) -> Payload:
        kept = self._world.files.kept.get(params.text("file_id"))
        if kept is None:
            raise bad_request("invalid file_id" if params.text("file_id") else "file_id is not specified")
        if kept.size > DOWNLOAD_LIMIT:
            raise bad_request("file is too big")
        return {
            "file_id": params.text("file_id"),
            "file_unique_id": kept.unique_id,
            "file_size": kept.size,
            "file_path": kept.path,
        }
