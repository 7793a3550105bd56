"""What a message of ours is about, in a link that nobody sees: it is there after a restart too.

Only our own messages are read, since anybody could write such a link; and what is in one is never a right:
whoever acts on it is asked for theirs again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from telegram import MaybeInaccessibleMessage, Message
from telegram.constants import MessageEntityType

_LINK = re.compile(r"https://t\.me/\w+\?start=(of|case|cast)_([0-9]{1,18})((?:_[0-9a-z-]{1,40}){0,4})")


@dataclass(frozen=True, slots=True)
class Mark:
    """``kind``: *of* (a moderators' message about a group), *case* (asks for a name for a case), *cast* (asks
    for the name of a character). ``group`` is the chat's id, and ``rest`` whatever else is needed."""

    kind: str
    group: int
    rest: tuple[str, ...] = ()

    def html(self, username: str) -> str:
        """The link, for a message of the bot of that name."""
        payload = "_".join((self.kind, str(-self.group), *self.rest))
        return f'<a href="https://t.me/{username}?start={payload}">\u200b</a>'


def mark_in(message: MaybeInaccessibleMessage | None, bot_id: int) -> Mark | None:
    """What a text or caption of our own carries."""
    if not isinstance(message, Message) or message.from_user is None or message.from_user.id != bot_id:
        return None
    for entity in (*message.entities, *message.caption_entities):
        found = _LINK.fullmatch(entity.url or "") if entity.type == MessageEntityType.TEXT_LINK else None
        if found:
            return Mark(found[1], -int(found[2]), tuple(found[3].split("_")[1:]))
    return None
