"""What is said of lessons, the same on every platform. ``bold`` marks a name as the platform does."""

from __future__ import annotations

from collections.abc import Callable

from bot.desk.lessons import Doubted, Taught
from bot.desk.types import Refused
from bot.wording import refusal
from bot.words import Words

Bold = Callable[[str], str]


def _plain(name: str) -> str:
    return name


def lesson_text(outcome: Taught | Doubted | Refused, w: Words, bold: Bold = _plain) -> str:
    """What came of a lesson, a line each."""
    if isinstance(outcome, Refused):
        return refusal(outcome, w)
    return doubted(outcome, w, bold) if isinstance(outcome, Doubted) else taught(outcome, w, bold)


def taught(outcome: Taught, w: Words, bold: Bold = _plain) -> str:
    """What is learned or proposed, what was left out, and what it is good for."""
    lines = [_first(outcome, w, bold)]
    for each in outcome.left_out:
        lines.append(w("teach-left-out", number=each.slot + 1, why=refusal(each, w)))
    match outcome.only_same:
        case "discord":
            lines.append(w("teach-only-same-discord"))
        case "never":
            lines.append(w("teach-only-same-never"))
        case "others":
            lines.append(w("teach-only-same-others"))
    if outcome.new:
        lines.append(w("teach-notice"))
    return "\n".join(lines)


def _first(outcome: Taught, w: Words, bold: Bold) -> str:
    name, count = bold(outcome.name), outcome.count
    if not count:
        return w("teach-again", name=name)
    if not outcome.waits:
        return w("teach-learned" if outcome.new else "teach-more", name=name, count=count)
    proposed = w("teach-proposed" if outcome.new else "teach-proposed-more", name=name, count=count)
    return proposed + " " + w("teach-waits-operator" if outcome.waits == "operator" else "teach-waits")


def doubted(outcome: Doubted, w: Words, bold: Bold = _plain) -> str:
    """Which pictures show somebody else, as far as the model can tell, and what to do about that."""
    lines = [w("teach-doubted", name=bold(outcome.name))]
    for each in outcome.doubts:
        key = "teach-doubt" if each.name else "teach-doubt-nobody"
        values = {"name": bold(each.name)} if each.name else {}
        lines.append("• " + w(key, number=each.slot + 1, **values))
    lines.append(w("teach-insist-hint" if outcome.number else "teach-insist-moderator"))
    return "\n".join(lines)
