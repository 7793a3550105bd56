"""What is said of a case after a decision, and when there is none to show."""

from __future__ import annotations

from typing import Literal

from bot.web.console import forms
from bot.words import Words
from corrections.review.types import CaseView, Filter, Progress

Said = Literal["approve", "reject", "skip", "undo", "stale"]
SAID = ("approve", "reject", "skip", "undo", "stale")


def done(progress: Progress, wanted: Filter, w: Words) -> str:
    """Why there is no case to show."""
    if forms.address(wanted):
        return w("console-nothing-fits")
    return w("review-done-taken" if progress.open else "review-done")


def sentence(case: CaseView, said: Said, name: str, w: Words) -> str:
    """What has become of a case. It says what is so, whatever was meant."""
    if said == "stale":
        if case.status == "approved":
            return w("console-stale-approved", name=name)
        return w("console-stale-rejected" if case.status == "rejected" else "console-stale")
    if said == "undo":
        return w("review-undone")
    if case.status == "approved":
        return w("review-approved", name=name)
    return w("review-rejected" if case.status == "rejected" else "review-skipped")
