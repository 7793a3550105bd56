"""What moderators read in chat, the same on every platform. ``bold`` marks a name as the platform does."""

from __future__ import annotations

from collections.abc import Callable

from bot.desk.naming import guesses
from bot.desk.types import Identified, Refused
from bot.exporting import held_lines
from bot.wording import headline, refusal
from bot.words import Words
from corrections.export.types import Counts
from corrections.review.types import CaseView, Labels, Progress, Reason, Stats
from model.types import NOBODY, Verdict

Named = Callable[[str], str]
"""From a slug to the name that the reader knows."""
WHY: dict[Reason, str] = {
    "disagreement": "review-why-disagreement",
    "margin": "review-why-margin",
    "rare": "review-why-rare",
    "suspected": "review-why-suspected",
    "few": "review-why-few",
    "agreed": "review-why-agreed",
}


def plain(name: str) -> str:
    """A name as it is."""
    return name


def people_in(labels: Labels, named: Named, w: Words, bold: Named = plain) -> str:
    """Names, or *nobody on the list*."""
    return w("review-and").join(bold(named(each)) for each in labels) if labels else w("mine-nobody")


def offered(case: CaseView) -> Labels | None:
    """What *Approve* approves: what leads among people, else what the bot said; None if there is neither."""
    if case.leading is not None:
        return case.leading
    return None if case.guess is None else _guessed(case)


def likeliest(case: CaseView, most: int = 24) -> list[Labels]:
    """Who it may be, best first: what people say, then what the bot said. Nobody is not among them."""
    said = [each.labels for each in case.opinions if each.labels]
    ranked = (
        [(each.character,) for each in case.guess.ranked if each.character != NOBODY] if case.guess else []
    )
    return list(dict.fromkeys([*said, *ranked]))[:most]


def case_text(case: CaseView, named: Named, w: Words, bold: Named = plain) -> str:
    """What there is to know about a case, a line each."""
    lines = [_said(case, named, w, bold), _people(case, named, w, bold)]
    if case.leading is not None and case.voters:
        who, percent = people_in(case.leading, named, w, bold), w.percent(case.agreement)
        lines.append(w("review-agreed" if case.agreed else "review-agreement", name=who, percent=percent))
    lines.append(w(WHY[case.reason]))
    if case.copies > 1:
        lines.append(w("review-copies", count=case.copies))
    if not case.may_leave:
        lines.append(w("review-no-consent"))
    if not any(each.there for each in case.pictures):
        lines.append(w("review-gone"))
    return "\n".join(lines)


def _said(case: CaseView, named: Named, w: Words, bold: Named) -> str:
    if case.guess is None:
        return w("review-unseen")
    ranked = guesses(case.guess.ranked, named)
    answer = Identified(
        0, case.guess.prediction_id, case.guess.verdict, ranked, case.guess.bundle, milliseconds=0.0
    )
    return w("review-said", answer=headline(answer, w, bold))


def _people(case: CaseView, named: Named, w: Words, bold: Named) -> str:
    if not case.opinions:
        return w("review-people-none")
    opinions = [
        w("review-opinion", count=each.people, name=people_in(each.labels, named, w, bold))
        for each in case.opinions[:5]
    ]
    return w("review-people", opinions=w("review-and").join(opinions))


def _guessed(case: CaseView) -> Labels:
    assert case.guess is not None, "asked by `offered` only then"
    nobody = case.guess.verdict is Verdict.NOBODY or case.guess.character == NOBODY
    return () if nobody else (case.guess.character,)


def not_decided(refused: Refused, w: Words) -> str:
    """Why a decision was not taken; a message shows one case at a time, so the next one follows."""
    return w("review-stale") if refused.key == "error-stale" else refusal(refused, w)


def progress_text(progress: Progress, w: Words) -> str:
    """How far the review is, in a line."""
    return w(
        "review-progress",
        open=progress.open,
        agreed=progress.agreed,
        approved=progress.approved,
        rejected=progress.rejected,
        mine=progress.mine,
    )


def finished_text(progress: Progress, w: Words) -> str:
    """There is nothing (more) to show."""
    sentence = w("review-done-taken" if progress.open else "review-done")
    return f"{sentence}\n{progress_text(progress, w)}"


def accuracy_text(
    stats: Stats, w: Words, said: str = "stats-accuracy", none: str = "stats-accuracy-none"
) -> str:
    """How often the bot is right where it was judged; in chat it says so itself."""
    if not stats.judged:
        return w(none)
    percent = w("percent", part=stats.right / stats.judged)  # counted, so it may well be 0 or 100 %
    return w(said, right=stats.right, judged=stats.judged, percent=percent)


def stats_text(stats: Stats, named: Named, w: Words, bold: Named = plain, most: int = 20) -> str:
    """Progress, how often the bot is right, and the characters with the most pictures."""
    lines = [bold(w("stats-title")), progress_text(stats.progress, w), accuracy_text(stats, w)]
    counted = sorted(
        (each for each in stats.characters if each.approved or each.open or each.judged),
        key=lambda each: (-each.approved - each.open, each.slug),
    )
    for each in counted[:most]:
        key = "stats-character-judged" if each.judged else "stats-character"
        values = {"approved": each.approved, "open": each.open}
        judged = {"right": each.right, "judged": each.judged} if each.judged else {}
        lines.append("• " + w(key, name=bold(named(each.slug)), **values, **judged))
    if not counted:
        lines.append(w("stats-none"))
    elif len(counted) > most:
        lines.append(w("stats-more", count=len(counted) - most))
    return "\n".join(lines)


def exported_text(name: str | None, counts: Counts, w: Words) -> str:
    """What is in an export (``name`` None: nothing is), and what was held back and why."""
    first = w("release-nothing") if name is None else w("release-done", count=counts.items, name=name)
    return "\n".join([first, *held_lines(counts, w)])
