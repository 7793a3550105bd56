"""Pages that only tell: how much people agree, and who decided what when, both without anybody's name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.desk.desk import Desk
from bot.desk.types import Refused
from bot.web import render
from bot.web.console import forms, html
from bot.web.console.names import Names
from bot.words import Words
from corrections.review.types import DecisionView

A_PAGE = 50

ACTIONS = {
    "approve": "console-did-approve",
    "auto": "console-did-auto",
    "reject": "console-did-reject",
    "skip": "console-did-skip",
    "undo": "console-did-undo",
    "accept": "console-did-accept",
    "refuse": "console-did-refuse",
    "rename": "console-did-rename",
    "merge": "console-did-merge",
    "add": "console-did-add",
    "settings": "console-did-settings",
    "export": "console-did-export",
    "import": "console-did-import",
}
STATES = {
    "open": "console-status-open",
    "approved": "console-status-approved",
    "rejected": "console-status-rejected",
    "withdrawn": "console-status-withdrawn",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the history in words."""

    view: DecisionView
    action: str
    before: str
    after: str


class Figures:
    """The handlers of agreement and history."""

    def __init__(self, desk: Desk, names: Names) -> None:
        self._desk = desk
        self._names = names

    def routes(self) -> list[web.RouteDef]:
        """The addresses, all of them for who is signed in."""
        return [web.get("/review/agreement", self.agreement), web.get("/review/history", self.history)]

    async def agreement(self, request: web.Request) -> web.Response:
        """``GET /review/agreement``"""
        report = await self._desk.moderation.agreement(request[html.SIGNED_IN].moderator)
        if isinstance(report, Refused):
            return html.refusal(request, report)
        most = max(report.histogram, default=0) or 1
        context = {"report": report, "heights": [count / most for count in report.histogram]}
        return html.page(request, "agreement.html", context)

    async def history(self, request: web.Request) -> web.Response:
        """``GET /review/history``: every decision, the latest first."""
        moderator = request[html.SIGNED_IN].moderator
        before = request.query.get("before", "")
        found = await self._desk.moderation.history(
            moderator, A_PAGE, forms.number(before) if before else None
        )
        if isinstance(found, Refused):
            return html.refusal(request, found)
        w, named = render.spoken(request), await self._names.of(request, moderator.community)
        context = {
            "entries": [_entry(each, named, w) for each in found],
            "further": found[-1].position if len(found) == A_PAGE else None,
        }
        return html.page(request, "history.html", context)


def _entry(view: DecisionView, named: Callable[[str], str], w: Words) -> Entry:
    key = ACTIONS.get(view.action)
    if view.character:
        name = named(view.character)
        return Entry(view, w(key) if key else view.action, "", _character(view.after, name))
    return Entry(
        view,
        w(key) if key else view.action,
        _case(view.before, named, w),
        _case(view.after, named, w),
    )


def _case(state: Mapping[str, object] | None, named: Callable[[str], str], w: Words) -> str:
    """What a case was or became: its names if it was approved, else its status; an export by its name."""
    if not state:
        return ""
    if "snapshot" in state:
        return str(state["snapshot"])
    status, decided = state.get("status"), state.get("decided")
    if isinstance(decided, list):
        return w("review-and").join(named(str(each)) for each in decided) or w("mine-nobody")
    return w(STATES[str(status)]) if status in STATES else ""


def _character(state: Mapping[str, object] | None, name: str) -> str:
    names = (state or {}).get("names")
    if isinstance(names, Mapping) and names:
        return " / ".join(dict.fromkeys(str(each) for each in names.values()))
    return name
