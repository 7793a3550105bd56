"""Which messages the bot gets to see, by https://core.telegram.org/bots/faq#what-messages-will-my-bot-get .

All bots get service messages, everything in private chats and in channels that they are in; none gets
messages of other bots. Admins, and bots without privacy mode, get everything in groups too. With privacy
mode:

* commands explicitly meant for them (/command@this_bot),
* general commands (/start) if the bot was the last bot to send a message to the group,
* messages sent via this bot,
* replies to any messages implicitly or explicitly meant for this bot (so also to its own).

A plain @mention is not among them, whatever BotFather's own words on /setprivacy promise, and people who
tried report that it never arrives; ``TelegramStandin(mentions=True)`` delivers it all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .entities import part

if TYPE_CHECKING:
    from .world import ChatState, Stored, World

SERVICE = (
    "new_chat_members",
    "left_chat_member",
    "new_chat_title",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "pinned_message",
    "forum_topic_created",
    "group_chat_created",
)


def delivered(world: World, chat: ChatState, stored: Stored) -> bool:
    """Whether the bot gets this message; notes at the message whether it was meant for the bot."""
    payload = stored.payload
    if stored.by_bot or (
        chat.kind != "private" and chat.bot not in ("member", "administrator", "restricted")
    ):
        return False
    if chat.kind == "private" and chat.blocked:
        return False
    stored.meant_for_bot = _meant(world, chat, stored)
    if chat.kind in ("private", "channel") or any(name in payload for name in SERVICE):
        return True
    return chat.bot == "administrator" or not world.privacy or stored.meant_for_bot


def _meant(world: World, chat: ChatState, stored: Stored) -> bool:
    payload = stored.payload
    answered = chat.messages.get(stored.reply_to) if stored.reply_to is not None else None
    if answered is not None and (answered.by_bot or answered.meant_for_bot):
        return True
    if (payload.get("via_bot") or {}).get("id") == world.bot.id:
        return True
    text = payload.get("text") or payload.get("caption") or ""
    for entity in payload.get("entities") or payload.get("caption_entities") or []:
        said = part(text, entity)
        if entity["type"] == "bot_command" and entity["offset"] == 0:
            _, _, name = said.partition("@")
            # in a group where no bot has spoken yet, a general command reaches the bot
            if name.lower() == world.bot.username.lower() or (
                not name and chat.last_bot in (None, world.bot.id)
            ):
                return True
        mentioned = said.lower() == f"@{world.bot.username.lower()}"
        if entity["type"] == "mention" and mentioned and world.mentions:
            return True
    return False
