"""How Telegram's clients learn of the commands: which are shown where, in each language."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Sequence

from telegram import (
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeChat,
    BotCommandScopeChatAdministrators,
    BotCommandScopeDefault,
)
from telegram.error import TelegramError

from bot.telegram_adapter.asking import PLATFORM
from bot.telegram_adapter.connection import Bot
from bot.words import languages, words

log = logging.getLogger(__name__)

ABOUTS = {
    "whois": "telegram-about-whois",
    "teach": "telegram-about-teach",
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
    "retrain": "telegram-about-retrain",
    "setup": "telegram-about-setup",
}
EVERYBODYS = ("whois", "teach", "undo", "help", "about", "privacy")
IN_PRIVATE = ("whois", "teach", "undo", "mycorrections", "privacy", "forgetme", "help", "about")
LISTED = ("review", "stats", "characters", "export", "console")
TRAINERS = ("retrain",)
"""Of groups in ``training.communities``; nobody else is shown what only answers with a no."""
MODERATORS = (*LISTED, *TRAINERS)
SCOPES: dict[BotCommandScope, tuple[str, ...]] = {
    BotCommandScopeDefault(): EVERYBODYS,
    BotCommandScopeAllPrivateChats(): IN_PRIVATE,
    BotCommandScopeAllChatAdministrators(): (*EVERYBODYS, *LISTED, "setup"),
}


async def register(bot: Bot, communities: Iterable[str] = ()) -> None:
    """Tell Telegram the commands of each scope in each language; English for all others.

    Args:
        communities: those whose moderators may retrain, written ``platform:id``.
    """
    for scope, names in SCOPES.items():
        await _set(bot, scope, names)
    for each in communities:
        platform, _, group = each.partition(":")
        if platform == PLATFORM and re.fullmatch(r"-?[0-9]{1,18}", group):
            try:
                admins = BotCommandScopeChatAdministrators(int(group))
                await _set(bot, admins, (*EVERYBODYS, *MODERATORS, "setup"))
            except TelegramError as error:  # we are not in it (yet)
                log.warning("the admins of a group are not shown /retrain: %s", error)


async def register_moderator(bot: Bot, chat: int, *, trains: bool) -> None:
    """Show somebody who is an admin of a group the moderators' commands in their private chat too."""
    await _set(bot, BotCommandScopeChat(chat), (*IN_PRIVATE, *(MODERATORS if trains else LISTED)))


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
