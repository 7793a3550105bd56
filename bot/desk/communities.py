"""What a server, group or private chat has chosen for itself, and whose language is spoken there."""

from __future__ import annotations

import dataclasses
import logging
import time
from collections import OrderedDict
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from bot.desk.types import Person, Refused
from bot.words import FALLBACK, spoken
from corrections.errors import BadSetting
from corrections.ledger import Ledger
from corrections.types import Address, Community, CommunitySettings

log = logging.getLogger(__name__)

FRESH_SECONDS = 3.0
"""For how long a look into the ledger counts; another process may have changed something since."""
REMEMBERED = 10_000

ALL = "all"


class Communities:
    """The communities' own settings, remembered for a moment because every message asks for them."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: OrderedDict[Community, tuple[float, CommunitySettings]] = OrderedDict()

    async def of(self, community: Community) -> CommunitySettings:
        """What holds there."""
        looked, settings = self._known.get(community, (0.0, None))
        if settings is None or time.monotonic() - looked > FRESH_SECONDS:
            settings = await self._ledger.community_settings(community)
            self._remember(community, settings)
        return settings

    def remembered(self, community: Community) -> CommunitySettings | None:
        """What held there when somebody last looked, however long ago."""
        known = self._known.get(community)
        return known[1] if known else None

    async def change(self, person: Person, place: Address, **changes: Any) -> CommunitySettings | Refused:
        """Change some of the settings; whether this person may is the adapter's business."""
        before = await self._ledger.community_settings(place.home)
        try:
            after = await self._ledger.change_settings(
                place.home, person.key, dataclasses.replace(before, **changes), datetime.now(UTC)
            )
        except BadSetting as error:
            log.info("a setting was refused: %s", error)
            return Refused("error-setting")
        self._remember(place.home, after)
        return after

    async def moved(self, old: Community, new: Community) -> None:
        """The platform has given a community another id."""
        await self._ledger.community_moved(old, new)
        for each in (old, new):
            self._known.pop(each, None)

    def forget(self, person: Person) -> None:
        """Somebody is forgotten: what their private chat is called, and what it chose, goes too."""
        for native in (f"dm:{person.id}", person.id):
            self._known.pop((person.platform, native), None)

    async def language(self, person: Person, community: Community) -> str:
        """The person's client says it; where it speaks none of ours, the community has chosen, or English."""
        return language_of(person, await self.of(community))

    async def watches(self, place: Address, default: Collection[str]) -> bool:
        """Whether pictures in that channel are answered unasked; ``default`` where nobody has chosen."""
        chosen = (await self.of(place.home)).watched
        watched = default if chosen is None else chosen
        return ALL in watched or place.channel in watched

    def _remember(self, community: Community, settings: CommunitySettings) -> None:
        self._known[community] = (time.monotonic(), settings)
        self._known.move_to_end(community)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def language_of(person: Person, settings: CommunitySettings) -> str:
    """The language of `Communities.language` where the community's settings are known."""
    return spoken(person.language) or settings.language or FALLBACK
