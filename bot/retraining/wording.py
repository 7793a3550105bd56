"""A retraining in words, the same in the terminal, in chat and in the console."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bot.desk.desk import Desk
from bot.retraining.reasoning import found_text
from bot.retraining.telling import Agreed
from bot.retraining.types import STEPS_SAID, NotNow, Phase, Reason, Status
from bot.words import Words
from corrections.types import Address


def status_text(status: Status, w: Words) -> str:
    """One sentence: how far it is, or how it ended."""
    values = dict(status.values)
    if status.phase is Phase.FAILED:
        values["step"] = w(STEPS_SAID[str(values["step"])])
    if status.at_work:
        values["percent"] = w.percent(status.fraction)
    return w(status.key, **values)


def not_now(refused: NotNow, w: Words) -> str:
    """One sentence: why nothing was done."""
    return w(refused.key, **refused.values)


def reason_text(reason: Reason, w: Words) -> str:
    """One line: what was asked, whether it holds, and the figures."""
    figures = found_text(reason.key, reason.passed, reason.figures, w) or reason.sentence
    return w("retrain-reason", check=w(reason.key), sign="✓" if reason.passed else "✗", figures=figures)


def report_lines(status: Status, w: Words) -> list[str]:
    """The sentence, and below it what the gate asked, what does not hold first."""
    reasons = sorted(status.reasons, key=lambda reason: reason.passed)
    return [status_text(status, w), *(reason_text(reason, w) for reason in reasons)]


async def agreements(
    desk: Desk, reply: Address, agreed: Sequence[Agreed], w: Words, bold: Callable[[str], str]
) -> list[str]:
    """A line a picture: the new model agrees; numbered where the reply answers several."""
    named = await desk.moderation.named(reply.home, w.language)
    found = await desk.reply_of(agreed[0].prediction_id)
    several = found is not None and len(found[1]) > 1
    lines = []
    for each in agreed:
        line = w("agrees-now", name=bold(named(each.slug))) if each.slug else w("agrees-now-nobody")
        if several and (answer := await desk.recall(each.prediction_id, w.language)) is not None:
            line = f"{w('answer-picture', number=answer.slot + 1)} {line}"
        lines.append(line)
    return lines
