"""What many agree on, as a grid: a look over it, a tick less here and there, one button."""

from __future__ import annotations

from datetime import UTC, datetime

from aiohttp import web

from bot.desk.desk import Desk
from bot.desk.types import Refused
from bot.web import render
from bot.web.console import forms, html
from bot.web.console.names import Names
from bot.web.console.shown import shown
from corrections.review.types import CaseView, Filter, Labels, Moderator

AT_ONCE = 48
"""Pictures on one page: as many as one looks over in one go."""
PAGE = "/review/agreed"


class Bulk:
    """The handlers of the grid."""

    def __init__(self, desk: Desk, names: Names) -> None:
        self._desk = desk
        self._names = names

    def routes(self) -> list[web.RouteDef]:
        """The addresses, all of them for who is signed in."""
        return [
            web.get(PAGE, self.grid),
            web.post(PAGE, self.approve),
            web.post(f"{PAGE}/all", self.everything),
        ]

    async def grid(self, request: web.Request) -> web.Response:
        """``GET /review/agreed``: open cases that enough people agree on, kept for this moderator."""
        moderator, wanted = _who(request)
        cases = await self._desk.moderation.next(moderator, wanted, AT_ONCE)
        progress = await self._desk.moderation.progress(moderator)
        if isinstance(cases, Refused) or isinstance(progress, Refused):
            return html.refusal(request, cases if isinstance(cases, Refused) else Refused("error-ledger"))
        w = render.spoken(request)
        named = {each: await self._names.of(request, each) for each in {case.community for case in cases}}
        context = {
            "cases": [shown(case, named[case.community], w, True) for case in cases],
            "left": {forms.number(each) for each in request.query.getall("left", [])},
            "agreed": progress.agreed,
            "query": forms.address(wanted) if wanted.character or wanted.community else "",
            "said": _said(request),
        }
        return html.page(request, "agreed.html", context)

    async def approve(self, request: web.Request) -> web.Response:
        """``POST /review/agreed``: approve what is ticked as it was shown, let go of the rest."""
        moderator, wanted = _who(request)
        ticked, left = await _sent(request)
        await self._desk.moderation.release(moderator, left)
        done, late, now = 0, 0, datetime.now(UTC)
        for case_id, revision, labels in ticked:
            outcome = await self._desk.moderation.decide(
                moderator, case_id, revision, "approve", labels, together=now
            )
            if isinstance(outcome, CaseView):
                done += 1
            else:
                late += 1
        raise html.to(_back(wanted, done, late, left))

    async def everything(self, request: web.Request) -> web.Response:
        """``POST /review/agreed/all``: approve all that are agreed on but what has lost its tick."""
        moderator, wanted = _who(request)
        _, left = await _sent(request)
        done = await self._desk.moderation.approve_agreed(moderator, wanted, without=left)
        if isinstance(done, Refused):
            return html.refusal(request, done)
        raise html.to(_back(wanted, done, 0, left))


def _who(request: web.Request) -> tuple[Moderator, Filter]:
    signed = request[html.SIGNED_IN]
    asked = forms.chosen(request.query, signed.operator)
    return signed.moderator, Filter(character=asked.character, agreed=True, community=asked.community)


async def _sent(request: web.Request) -> tuple[list[tuple[int, int, Labels]], list[int]]:
    """What is ticked, and the cases whose tick was taken off."""
    ticked = [_ticked(each) for each in await forms.many(request, "case")]
    listed = {forms.number(each) for each in await forms.many(request, "listed")}
    return ticked, sorted(listed - {case_id for case_id, _, _ in ticked})


def _ticked(text: str) -> tuple[int, int, Labels]:
    case_id, _, rest = text.partition(".")
    revision, _, labels = rest.partition(".")
    return forms.number(case_id), forms.number(revision), forms.labels(labels)


def _back(wanted: Filter, done: int, late: int, left: list[int]) -> str:
    query = forms.address(Filter(character=wanted.character, community=wanted.community))
    unticked = "".join(f"&left={case_id}" for case_id in left)
    return f"{PAGE}{query}{'&' if query else '?'}done={done}&late={late}{unticked}"


def _said(request: web.Request) -> str:
    """How many were approved, as the address says."""
    done, late = request.query.get("done", ""), request.query.get("late", "") or "0"
    if not done:
        return ""
    w = render.spoken(request)
    text = w("console-bulk-done", count=forms.number(done))
    return f"{text} {w('console-bulk-late', count=forms.number(late))}" if forms.number(late) else text
