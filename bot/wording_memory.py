"""What people said of a picture, in words, the same on every platform."""

from __future__ import annotations

from collections.abc import Callable

from bot.desk.types import Identified, Told
from bot.words import Words


def plain(name: str) -> str:
    """A name as it is."""
    return name


def recalled(told: Told, w: Words, bold: Callable[[str], str] = plain) -> str:
    """One sentence in place of the model's: what people said of this very picture."""
    if not told.names:
        return w("memory-here-nobody" if told.here else "memory-elsewhere-nobody")
    key = "memory-here" if told.here else "memory-elsewhere"
    return w(key, names=listed([bold(name) for name in told.names], w))


def leaning(told: Told, w: Words, bold: Callable[[str], str] = plain) -> str:
    """One sentence behind the answer's: why it leans that way."""
    if not told.names:
        return w("memory-like-nobody")
    return w("memory-like", names=listed([bold(name) for name in told.names], w))


def listed(names: list[str], w: Words) -> str:
    """Names in a row: *Thor*, *Thor and Loki*, *Thor, Hela and Loki*."""
    if len(names) < 2:
        return "".join(names)
    return w("memory-and", names=w("memory-comma").join(names[:-1]), last=names[-1])


def answered_by(answer: Identified, w: Words) -> str:
    """The small print: which model answered, how fast, and with which memory."""
    milliseconds = round(answer.milliseconds)
    if answer.memory is None:
        return w("web-bundle", bundle=answer.bundle, milliseconds=milliseconds)
    return w("web-bundle-memory", bundle=answer.bundle, milliseconds=milliseconds, memory=str(answer.memory))
