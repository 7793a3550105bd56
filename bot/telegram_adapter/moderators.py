"""A group's moderators are its admins: who may what, and which group they are busy with."""

from __future__ import annotations

from collections import OrderedDict

from telegram.error import ChatMigrated, TelegramError

from bot.desk.desk import Desk
from bot.desk.types import Person, Refused
from bot.telegram_adapter.admins import Admins
from bot.telegram_adapter.asking import PLATFORM
from bot.telegram_adapter.voices import Speaker
from corrections.review.types import Moderator
from corrections.types import Address, Community
from corrections.types import Person as Key

REMEMBERED = 10_000
GROUPS = 10
"""Groups that are offered to one person."""


def home_of(group: int) -> Address:
    """A group as a place."""
    return Address(PLATFORM, str(group), str(group), "0")


def group_of(moderator: Moderator) -> int:
    """The group that somebody moderates."""
    assert moderator.community is not None, "nobody on Telegram is the operator"
    return int(moderator.community[1])


class Moderators:
    """Lets admins of a group in, asking Telegram each time, and tells everybody else politely not."""

    def __init__(self, desk: Desk, speaker: Speaker, admins: Admins) -> None:
        self._desk = desk
        self._speaker = speaker
        self._admins = admins
        self._chosen: OrderedDict[str, list[int]] = OrderedDict()
        self._titles: OrderedDict[int, str] = OrderedDict()

    async def let_in(self, who: Person, group: int, what: str) -> Moderator | Refused:
        """Somebody who wants to do something (the command's name) in a group.

        A group that we are not in is one that they are no admin of.

        Raises:
            TelegramError: Telegram does not say whether they may.
        """
        try:
            may = await self._admins.has(group, int(who.id))
        except ChatMigrated as moved:
            await self._speaker.moved(home_of(group), moved.new_chat_id)
            group = moved.new_chat_id
            may = await self._admins.has(group, int(who.id))
        place = home_of(group)
        if not may:
            self._forget(who, group)
            return await self._desk.moderation.denied(who, place, what)
        self._remember(who, group)
        return await self._desk.moderation.moderator(who, place)

    async def still(self, person: Key, community: Community) -> bool | None:
        """Whether somebody is an admin of their group even now; None when Telegram does not say."""
        try:
            return await self._admins.has(int(community[1]), int(person[1]))
        except ChatMigrated as moved:
            return await self.still(person, (PLATFORM, str(moved.new_chat_id)))
        except TelegramError:
            return None

    def groups(self, user: str) -> list[int]:
        """The groups in which somebody was let in, the latest first; none after a restart."""
        return list(self._chosen.get(user, ()))

    async def title(self, group: int) -> str:
        """What a group is called."""
        try:
            title = (await self._speaker.bot.get_chat(group)).title or str(group)
        except TelegramError:
            return self._titles.get(group, str(group))
        self._titles[group] = title
        if len(self._titles) > REMEMBERED:
            self._titles.popitem(last=False)
        return title

    def forget(self, who: Person) -> None:
        """Forget which groups somebody was busy with."""
        self._chosen.pop(who.id, None)

    def _remember(self, who: Person, group: int) -> None:
        others = [each for each in self._chosen.pop(who.id, ()) if each != group]
        self._chosen[who.id] = [group, *others][:GROUPS]
        if len(self._chosen) > REMEMBERED:
            self._chosen.popitem(last=False)

    def _forget(self, who: Person, group: int) -> None:
        if who.id in self._chosen:
            self._chosen[who.id] = [each for each in self._chosen[who.id] if each != group]
