"""What admins of a group do with its corrections, alone with the bot: the commands, and which group is meant.

In a group they are answered with a button that leads to the private chat and says which group. There, a
command alone is about the group that was chosen last.
"""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message
from telegram.error import TelegramError

from bot.desk.desk import Desk
from bot.desk.types import Person, Refused
from bot.telegram_adapter import rendering
from bot.telegram_adapter.admins import Admins
from bot.telegram_adapter.asking import is_private
from bot.telegram_adapter.background import Background
from bot.telegram_adapter.casting import Casting
from bot.telegram_adapter.listing import MODERATORS, register_moderator, unregister_moderator
from bot.telegram_adapter.moderators import Moderators, group_of, home_of
from bot.telegram_adapter.releasing import Releasing
from bot.telegram_adapter.reviewing import Reviewing
from bot.telegram_adapter.training import Retrain
from bot.telegram_adapter.voices import Speaker
from bot.wording import refusal
from bot.wording_review import stats_text
from bot.words import Words
from corrections.review.types import Moderator
from corrections.types import Address

_ELSEWHERE = re.compile(rf"({'|'.join(MODERATORS)})_(-[0-9]{{1,18}})")


def from_link(argument: str) -> tuple[str, int] | None:
    """What a link that leads here stands for: a command, and the group that it is about."""
    found = _ELSEWHERE.fullmatch(argument)
    return (found[1], int(found[2])) if found else None


class Moderation:
    """Answers the moderators' commands."""

    def __init__(
        self,
        desk: Desk,
        speaker: Speaker,
        admins: Admins,
        moderators: Moderators,
        reviewing: Reviewing,
        casting: Casting,
        releasing: Releasing,
        retrain: Retrain,
        background: Background,
    ) -> None:
        self._desk = desk
        self._speaker = speaker
        self._admins = admins
        self._moderators = moderators
        self._reviewing = reviewing
        self._casting = casting
        self._releasing = releasing
        self._retrain = retrain
        self._background = background
        self._listed: dict[int, bool] = {}  # whether /retrain is among what their client shows

    async def run(self, name: str, message: Message, who: Person, place: Address, w: Words) -> None:
        """A command as it was typed, in a group or in private."""
        async with self._said(place, w):
            groups = self._moderators.groups(who.id)
            if not is_private(place):
                await self._lead_away(name, message, who, place, w)
            elif len(groups) == 1 or (groups and name != "review"):
                await self._do(name, groups[0], who, place, w)
            else:
                await self._ask_which(name, groups, place, w)

    async def about(self, name: str, group: int, who: Person, place: Address, w: Words) -> None:
        """A command about a group, by a link that led to the private chat."""
        async with self._said(place, w):
            await self._do(name, group, who, place, w)

    @asynccontextmanager
    async def _said(self, place: Address, w: Words) -> AsyncIterator[None]:
        """That Telegram does not tell who is an admin is said, and logged."""
        try:
            yield
        except TelegramError:
            await self._speaker.say(place, html.escape(w("error-trouble")))
            raise

    async def _do(self, name: str, group: int, who: Person, place: Address, w: Words) -> None:
        moderator = await self._moderators.let_in(who, group, name)
        self._list(int(place.channel), None if isinstance(moderator, Refused) else moderator)
        if isinstance(moderator, Refused):
            await self._speaker.say(place, html.escape(refusal(moderator, w)))
            return
        match name:
            case "review":
                await self._reviewing.open(moderator, who, place, w)
            case "stats":
                await self._stats(moderator, place, w)
            case "characters":
                await self._casting.open(moderator, place, w)
            case "export":
                await self._releasing.export(moderator, place, w)
            case "console":
                await self._releasing.console(moderator, place, w)
            case "retrain":
                await self._retrain.open(moderator, place, w)

    async def _lead_away(self, name: str, message: Message, who: Person, place: Address, w: Words) -> None:
        if not await self._admins.wrote(message):
            refused = await self._desk.moderation.denied(who, place, name)
            await self._speaker.say(place, html.escape(refusal(refused, w)), minor=True)
            return
        button = self._link(name, int(place.community), w("telegram-alone-button"))
        await self._speaker.say(place, html.escape(w("telegram-alone")), InlineKeyboardMarkup([[button]]))

    def _list(self, chat: int, moderator: Moderator | None) -> None:
        """Let somebody's client show the commands that they may use."""
        bot = self._speaker.bot
        if moderator is not None:
            training = self._desk.moderation.training
            trains = training is not None and training.may(moderator)
            if chat not in self._listed or trains > self._listed[chat]:
                self._listed[chat] = trains
                self._background.start(register_moderator(bot, chat, trains=trains), f"commands-{chat}")
        elif chat in self._listed and not self._moderators.groups(str(chat)):
            del self._listed[chat]
            self._background.start(unregister_moderator(bot, chat), f"commands-{chat}")

    async def _ask_which(self, name: str, groups: list[int], place: Address, w: Words) -> None:
        if not groups:
            await self._speaker.say(place, html.escape(w("telegram-no-group", command=f"/{name}")))
            return
        rows = [[self._link(name, each, await self._moderators.title(each))] for each in groups]
        await self._speaker.say(place, html.escape(w("telegram-which-group")), InlineKeyboardMarkup(rows))

    def _link(self, name: str, group: int, label: str) -> InlineKeyboardButton:
        url = f"https://t.me/{self._speaker.bot.username}?start={name}_{group}"
        return InlineKeyboardButton(label, url=url)

    async def _stats(self, moderator: Moderator, place: Address, w: Words) -> None:
        stats = await self._desk.moderation.stats(moderator)
        if isinstance(stats, Refused):
            text = html.escape(refusal(stats, w))
        else:
            named = await self._desk.moderation.named(home_of(group_of(moderator)).home, w.language)
            text = stats_text(stats, lambda slug: html.escape(named(slug)), w, lambda name: f"<b>{name}</b>")
            title = await self._moderators.title(group_of(moderator))
            text = f"{rendering.bold(title)}\n{text}"
        await self._speaker.say(place, text)
