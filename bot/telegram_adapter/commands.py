"""The commands: how they are read, and what they do."""

from __future__ import annotations

import html
import re

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, Message
from telegram.error import TelegramError

from bot.desk.desk import A_PAGE, Desk
from bot.desk.types import Person, Refused
from bot.telegram_adapter import rendering
from bot.telegram_adapter.asking import author, is_private, place_of
from bot.telegram_adapter.boards import Boards
from bot.telegram_adapter.choosing import Choosing
from bot.telegram_adapter.listing import MODERATORS
from bot.telegram_adapter.moderation import Moderation, from_link
from bot.telegram_adapter.privacy import Privacy
from bot.telegram_adapter.voices import Speaker
from bot.wording import said
from bot.words import Words, words
from corrections.types import Address

ALONE = ("mycorrections", "privacy", "forgetme")
"""What is said in private only; in groups a link leads there."""
LONGEST_ARGUMENT = 64

_COMMAND = re.compile(r"/([A-Za-z0-9_]{1,64})(?:@([A-Za-z0-9_]{4,32}))?\s*(.*)", re.DOTALL)


def command_in(message: Message, username: str) -> tuple[str, str] | None:
    """The command that a text or caption begins with, and what follows; None if it is none for this bot."""
    found = _COMMAND.fullmatch(message.text or message.caption or "")
    if found is None or (found[2] and found[2].casefold() != username.casefold()):
        return None
    return found[1].casefold(), found[3].strip()[:LONGEST_ARGUMENT]


class Commands:
    """Answers commands; ``/whois`` is a way to ask and belongs to `messages`."""

    def __init__(
        self,
        desk: Desk,
        speaker: Speaker,
        boards: Boards,
        choosing: Choosing,
        privacy: Privacy,
        moderation: Moderation,
    ) -> None:
        self._desk = desk
        self._speaker = speaker
        self._boards = boards
        self._choosing = choosing
        self._privacy = privacy
        self._moderation = moderation

    async def run(self, name: str, argument: str, message: Message) -> bool:
        """Do it; False for a command that is none of ours."""
        who, place = author(message), place_of(message)
        w = words(await self._desk.language(who, place))
        if name == "start" and is_private(place):  # by a link of ours, which stands for a command
            if linked := from_link(argument):
                await self._moderation.about(*linked, who, place, w)
                return True
            name = argument if argument in ALONE else name
        match name:
            case "privacy" | "forgetme" if not is_private(place):
                await self._speaker.say(place, html.escape(w("telegram-alone")), self._alone(name, w))
            case "privacy":
                await self._privacy.open(who, place, w)
            case "forgetme":
                await self._privacy.ask_forget(place, w)
            case _ if name in MODERATORS:
                await self._moderation.run(name, message, who, place, w)
            case "start" | "help":
                await self.help(place, w)
            case "undo":
                await self._undo(who, place, w)
            case "mycorrections":
                await self._mine(who, place, w)
            case "about":
                about = await self._desk.about()
                text = w("telegram-about", version=about.version, characters=about.characters)
                await self._speaker.say(place, html.escape(text))
            case "setup":
                await self._choosing.show(message, who, place, w)
            case _:
                return False
        return True

    def _alone(self, name: str, w: Words) -> InlineKeyboardMarkup:
        url = f"https://t.me/{self._speaker.bot.username}?start={name}"
        return InlineKeyboardMarkup([[InlineKeyboardButton(w("telegram-alone-button"), url=url)]])

    async def help(self, place: Address, w: Words, before: str = "") -> None:
        """What it does and how to ask; ``before`` comes first, to somebody who had not asked for this."""
        bot = self._speaker.bot.username
        text = w("telegram-help" if is_private(place) else "telegram-help-group", bot=f"@{bot}")
        await self._speaker.say(
            place, html.escape(f"{before}\n{text}" if before else text), minor=bool(before)
        )

    async def _undo(self, who: Person, place: Address, w: Words) -> None:
        outcome = await self._desk.undo(who, place)
        await self._speaker.say(place, said(outcome, w, rendering.bold))
        if not isinstance(outcome, Refused):
            self._boards.refresh(outcome.prediction_id, who, None)

    async def _mine(self, who: Person, place: Address, w: Words) -> None:
        if not is_private(place):  # what somebody said elsewhere is nobody's business here
            url = f"https://t.me/{self._speaker.bot.username}?start=mycorrections"
            await self._speaker.say(place, html.escape(w("telegram-mine-private", link=url)))
            return
        mine = await self._desk.my_corrections(who, place)
        await self._speaker.say(place, *rendering.corrections(mine, len(mine) == A_PAGE, w))

    async def more_of_mine(self, who: Person, place: Address, before: int) -> str:
        """Read on, in the place of what was shown."""
        w = words(await self._desk.language(who, place))
        mine = await self._desk.my_corrections(who, place, before)
        try:
            await self._speaker.change(place, *rendering.corrections(mine, len(mine) == A_PAGE, w))
        except TelegramError:
            return w("error-trouble")
        return ""
