"""Where our latest messages are, by the messages that they answer: no need to look in the ledger."""

from __future__ import annotations

from collections import OrderedDict

from corrections.types import Address

REMEMBERED = 10_000

Message = tuple[str, str, str]


def message_of(address: Address) -> Message:
    """A message; which community it is in, not every event says."""
    return address.platform, address.channel, address.message


class Said:
    """The newest answers or refusals, at most `REMEMBERED` of them; whose pictures they are about, too."""

    def __init__(self) -> None:
        self._ours: OrderedDict[Message, tuple[Address, tuple[str, str] | None]] = OrderedDict()
        self._asked: dict[Message, Message] = {}  # the other way round

    def put(self, asked: Address, ours: Address, poster: tuple[str, str] | None = None) -> None:
        """A message was answered there; the ledger does not say whose it was."""
        key = message_of(asked)
        self.pop(key)
        self._ours[key] = ours, poster
        self._asked[message_of(ours)] = key
        if len(self._ours) > REMEMBERED:
            self.pop(next(iter(self._ours)))

    def to(self, asked: Address) -> Address | None:
        """The message of ours that answers this one, if it is remembered."""
        found = self._ours.get(message_of(asked))
        return found[0] if found else None

    def pop(self, asked: Message) -> Address | None:
        """A message is gone; ours that answered it, which is not remembered any more."""
        if (found := self._ours.pop(asked, None)) is None:
            return None
        self._asked.pop(message_of(found[0]), None)
        return found[0]

    def unsaid(self, ours: Address) -> None:
        """A message of ours is gone, so that what it answered is not answered."""
        if (asked := self._asked.get(message_of(ours))) is not None:
            self.pop(asked)

    def forget(self, poster: tuple[str, str]) -> list[Address]:
        """Somebody is forgotten: let go of what was said of their pictures, or may have been.

        Returns those messages of ours.
        """
        theirs = [asked for asked, (_, whose) in self._ours.items() if whose in (poster, None)]
        return [ours for asked in theirs if (ours := self.pop(asked)) is not None]
