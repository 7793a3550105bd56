"""*Why?* in words, the same on every platform. ``bold`` marks a name as the platform does."""

from __future__ import annotations

from collections.abc import Callable

from bot.desk.why import Because
from bot.words import Words
from model.types import Verdict

FALLS = 0.7
"""A probability that falls below this part of itself has lost what it hangs on."""


def _plain(name: str) -> str:
    return name


def why_title(because: Because, w: Words, bold: Callable[[str], str] = _plain) -> str:
    """One sentence: whose reasons these are, and if it is not who was named, why."""
    name = bold(because.explained)
    if because.answered != because.explained:
        return w("why-other", name=name, said=bold(because.answered))
    if because.verdict is Verdict.NOBODY:
        return w("why-closest", name=name)
    return w("why-title", name=name)


def why_heat(because: Because, w: Words, bold: Callable[[str], str] = _plain) -> str:
    """One sentence: what the bright part is worth."""
    fell = because.without < FALLS * because.probability
    return w(
        "why-falls" if fell else "why-holds",
        name=bold(because.explained),
        percent=w.percent(because.probability),
        left=w.percent(because.without),
    )


def why_nearest(because: Because, w: Words, bold: Callable[[str], str] = _plain) -> str:
    """One sentence: whom people named in the pictures that are shown, from left to right."""
    if not because.nearest:
        return w("why-nearest-none")
    names = ", ".join(bold(each) if each else w("mine-nobody") for each in because.nearest)
    return w("why-nearest", names=names, count=len(because.nearest))


def why_text(because: Because, w: Words, bold: Callable[[str], str] = _plain) -> str:
    """All of it, a line each, with what it is and is not."""
    lines = (
        why_title(because, w, bold),
        why_heat(because, w, bold),
        why_nearest(because, w, bold),
        w("why-honest"),
    )
    return "\n".join(lines)
