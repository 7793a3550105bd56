"""How Telegram's clients learn of the commands: which are shown where, in each language."""

from __future__ import annotations

from collections.abc import Sequence

from telegram import (
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    BotCommandScopeDefault,
)

from bot.telegram_adapter.connection import Bot
from bot.words import languages, words

ABOUTS = {
    "whois": "telegram-about-whois",
    "undo": "telegram-about-undo",
    "mycorrections": "telegram-about-mycorrections",
    "help": "telegram-about-help",
    "about": "telegram-about-about",
    "privacy": "telegram-about-privacy",
    "forgetme": "telegram-about-forgetme",
    "review": "telegram-about-review",
    "stats": "telegram-about-stats",
    "characters": "telegram-about-characters",
    "export": "telegram-about-export",
    "console": "telegram-about-console",
    "setup": "telegram-about-setup",
}
EVERYBODYS = ("whois", "undo", "help", "about", "privacy")
IN_PRIVATE = ("whois", "undo", "mycorrections", "privacy", "forgetme", "help", "about")
MODERATORS = ("review", "stats", "characters", "export", "console")
SCOPES: dict[BotCommandScope, tuple[str, ...]] = {
    BotCommandScopeDefault(): EVERYBODYS,
    BotCommandScopeAllPrivateChats(): IN_PRIVATE,
    BotCommandScopeAllChatAdministrators(): (*EVERYBODYS, *MODERATORS, "setup"),
}


async def register(bot: Bot) -> None:
    """Tell Telegram the commands of each scope in each language; English for all others."""
    for scope, names in SCOPES.items():
        await _set(bot, scope, names)


async def register_moderator(bot: Bot, chat: int) -> None:
    """Show somebody who is an admin of a group the moderators' commands in their private chat too."""
    await _set(bot, BotCommandScopeChat(chat), (*IN_PRIVATE, *MODERATORS))


async def unregister_moderator(bot: Bot, chat: int) -> None:
    """Show them there no longer."""
    for language in languages():
        await bot.delete_my_commands(scope=BotCommandScopeChat(chat), language_code=_code(language))


async def _set(bot: Bot, scope: BotCommandScope, names: Sequence[str]) -> None:
    for language in languages():
        w = words(language)
        commands = [BotCommand(name, w(ABOUTS[name])) for name in names]
        await bot.set_my_commands(commands, scope=scope, language_code=_code(language))


def _code(language: str) -> str | None:
    return None if language == "en" else language.split("-")[0]
