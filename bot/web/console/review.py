"""The queue: one case at a time and the next one already there, decided with a key or with a form.

Without scripts a decision is a form whose answer is the next page. With them it is answered with what has
become of it, how far the review is, and the case after the one that is already shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Literal

from aiohttp import web

from bot import wording, wording_review
from bot.desk.desk import Desk
from bot.desk.types import Person, Refused
from bot.web import render
from bot.web.console import forms, html, sentences
from bot.web.console.names import Names
from bot.web.console.sentences import SAID, Said
from bot.web.console.shown import REASONS, Shown, shown
from corrections.review.types import CaseView, Filter, Labels, Moderator, Progress
from corrections.types import Address

AHEAD = 2
"""Cases that a moderator has at once: the one that is shown and the one after it."""
BLIND = "whosthat-blind"
"""Cookie of whoever wants to see what the bot said only when they ask for it."""
YEAR = 365 * 24 * 3600

STATUSES = (
    ("open", "console-status-open"),
    ("approved", "console-status-approved"),
    ("rejected", "console-status-rejected"),
)
"""What one may filter by, and its words."""


class Review:
    """The handlers of the queue."""

    def __init__(self, desk: Desk, names: Names) -> None:
        self._desk = desk
        self._names = names

    def routes(self) -> list[web.RouteDef]:
        """The addresses, all of them for who is signed in."""
        return [
            web.get("/review", self.queue),
            web.get("/review/case/{case:[0-9]{1,18}}", self.single),
            web.post("/review/decide", self.decide),
            web.post("/review/undo", self.undo),
            web.post("/review/release", self.release),
            web.post("/review/guess", self.guess),
            web.get("/review/suggest", self.suggest),
        ]

    async def queue(self, request: web.Request) -> web.Response:
        """``GET /review``: the case that is worth a look first, under the filter in the address."""
        moderator, wanted = _who(request)
        about, said = request.query.get("about", ""), await self._told(request)
        without = {forms.number(about)} if about else set()
        cases = await self._desk.moderation.next(moderator, wanted, AHEAD, without=without)
        if isinstance(cases, Refused):
            return html.refusal(request, cases)
        return await self._page(request, cases, wanted, said)

    async def single(self, request: web.Request) -> web.Response:
        """``GET /review/case/{case}``: that very case, decided or not."""
        moderator, wanted = _who(request)
        case = await self._desk.moderation.case(moderator, forms.number(request.match_info["case"]))
        if isinstance(case, Refused):
            return html.refusal(request, case)
        said = await self._told(request, case)
        return await self._page(request, [case], wanted, said)

    async def decide(self, request: web.Request) -> web.Response:
        """``POST /review/decide``: case, revision, do (``is:…``, ``reject``, ``skip``) or q with slug."""
        moderator, wanted = _who(request)
        sent = await forms.fields(request)
        case_id, revision = forms.number(sent.get("case", "")), forms.number(sent.get("revision", ""))
        showing, deciding = _ids(sent.get("showing", "")), _ids(sent.get("deciding", ""))
        verb, labels = _decision(sent.get("do", ""))
        if verb is None:
            found = await self._looked_up(request, case_id, sent)
            if not isinstance(found, tuple):
                return found
            verb, labels = "approve", found
        outcome = await self._desk.moderation.decide(moderator, case_id, revision, verb, labels)
        said: Said = verb
        if isinstance(outcome, Refused):
            now = await self._desk.moderation.case(moderator, case_id)
            if isinstance(now, Refused) or now.revision == revision:
                return html.refusal(request, outcome)
            outcome, said = now, "stale"
        again = said == "stale" and outcome.status == "open"
        if not render.wants_fragment(request):
            query = forms.address(wanted)
            place = f"/review/case/{case_id}" if again else "/review"
            raise html.to(f"{place}{query}{'&' if query else '?'}said={said}&about={case_id}")
        lacking = AHEAD - len(showing)
        # Somebody waits with a key in their hand: what can be asked at once is.
        further, progress = await asyncio.gather(
            self._further(moderator, wanted, lacking, {case_id, *showing, *deciding}),
            self._desk.moderation.progress(moderator),
        )
        told = await self._tell(request, outcome, said)
        cases = [*([outcome] if again else []), *further]
        return await self._parts(request, cases, told, said, progress)

    async def _further(
        self, moderator: Moderator, wanted: Filter, count: int, without: set[int]
    ) -> list[CaseView]:
        if count <= 0:
            return []
        found = await self._desk.moderation.next(moderator, wanted, count, without=without)
        return [] if isinstance(found, Refused) else found

    async def undo(self, request: web.Request) -> web.Response:
        """``POST /review/undo``: take this moderator's latest decision back, and show its case."""
        moderator, wanted = _who(request)
        w = render.spoken(request)
        outcome = await self._desk.moderation.undo(moderator)
        if isinstance(outcome, CaseView):
            if (await forms.fields(request)).get("back") == "agreed":
                back = forms.address(Filter(character=wanted.character, community=wanted.community))
                raise html.to(f"/review/agreed{back}")
            if not render.wants_fragment(request):
                query = forms.address(wanted)
                raise html.to(f"/review/case/{outcome.case_id}{query}{'&' if query else '?'}said=undo")
            progress = await self._desk.moderation.progress(moderator)
            told = await self._tell(request, outcome, "undo")
            return await self._parts(request, [outcome], told, "undo", progress)
        sentence = w("review-undo-nothing") if outcome is None else wording.refusal(outcome, w)
        if render.wants_fragment(request):
            return html.page(request, "line.html", {"sentence": sentence}, 409)
        return html.page(request, "sentence.html", {"sentence": sentence}, 409)

    async def release(self, request: web.Request) -> web.Response:
        """``POST /review/release``: somebody else may look at these now."""
        moderator, _ = _who(request)
        ids = [forms.number(each) for each in await forms.many(request, "case")]
        await self._desk.moderation.release(moderator, ids)
        return web.Response(status=204)

    async def guess(self, request: web.Request) -> web.Response:
        """``POST /review/guess``: whether what the bot said is hidden until it is asked for."""
        _, wanted = _who(request)
        blind = (await forms.fields(request)).get("blind") == "yes"
        response = web.Response(status=303, headers={"Location": f"/review{forms.address(wanted)}"})
        response.set_cookie(
            BLIND, "yes" if blind else "no", max_age=YEAR, path="/review", httponly=True, samesite="Strict"
        )
        return response

    async def suggest(self, request: web.Request) -> web.Response:
        """``GET /review/suggest?case=…&q=…``: names for the type-ahead."""
        moderator, _ = _who(request)
        case = await self._desk.moderation.case(moderator, forms.number(request.query.get("case", "")))
        if isinstance(case, Refused):
            return html.refusal(request, case)
        person, place = self._asker(request, case)
        return render.options(
            request, await self._desk.suggest(person, place, request.query.get("q", ""), limit=8)
        )

    # -- what is shown -----------------------------------------------------------------------------

    async def _page(
        self, request: web.Request, cases: Sequence[CaseView], wanted: Filter, said: str
    ) -> web.Response:
        moderator, _ = _who(request)
        w = render.spoken(request)
        progress = await self._desk.moderation.progress(moderator)
        if isinstance(progress, Refused):
            return html.refusal(request, progress)
        context = {
            "cases": await self._shown(request, cases),
            "progress": progress,
            "wanted": wanted,
            "query": forms.address(wanted),
            "said": said,
            "blind": _blind(request),
            "choices": await self._names.choices(request),
            "communities": await self._names.communities(moderator),
            "done": sentences.done(progress, wanted, w),
            "statuses": STATUSES,
            "reasons": tuple(REASONS.items()),
        }
        return html.page(request, "review.html", context)

    async def _parts(
        self,
        request: web.Request,
        cases: Sequence[CaseView],
        told: str,
        said: Said,
        progress: Progress | Refused,
    ) -> web.Response:
        _, wanted = _who(request)
        if isinstance(progress, Refused):
            return html.refusal(request, progress)
        context = {
            "cases": await self._shown(request, cases),
            "progress": progress,
            "said": told,
            "stale": said == "stale",
            "done": sentences.done(progress, wanted, render.spoken(request)),
            "query": forms.address(wanted),
            "blind": _blind(request),
        }
        return html.page(request, "parts.html", context, 409 if said == "stale" else 200)

    async def _shown(self, request: web.Request, cases: Sequence[CaseView]) -> list[Shown]:
        w, blind = render.spoken(request), _blind(request)
        named = {each: await self._names.of(request, each) for each in {case.community for case in cases}}
        return [shown(case, named[case.community], w, blind) for case in cases]

    async def _told(self, request: web.Request, case: CaseView | None = None) -> str:
        """What the address says was just done, as the ledger has it by now."""
        said, about = request.query.get("said", ""), request.query.get("about", "")
        if said not in SAID:
            return ""
        if case is None and about:
            found = await self._desk.moderation.case(_who(request)[0], forms.number(about))
            case = None if isinstance(found, Refused) else found
        return "" if case is None else await self._tell(request, case, said)  # type: ignore[arg-type]

    async def _tell(self, request: web.Request, case: CaseView, said: Said) -> str:
        w = render.spoken(request)
        named = await self._names.of(request, case.community)
        return sentences.sentence(case, said, wording_review.people_in(case.decided or (), named, w), w)

    # -- what was typed ----------------------------------------------------------------------------

    async def _looked_up(
        self, request: web.Request, case_id: int, sent: Mapping[str, str]
    ) -> Labels | web.Response:
        """Whom the search field means; a page to choose on when that is not sure."""
        if slug := sent.get("slug", ""):
            return forms.labels(slug)
        moderator, wanted = _who(request)
        case = await self._desk.moderation.case(moderator, case_id)
        if isinstance(case, Refused):
            return html.refusal(request, case)
        person, place = self._asker(request, case)
        found = await self._desk.look_up(person, place, sent.get("q", ""), limit=8)
        if isinstance(found, Refused):
            return html.refusal(request, found)
        if found.exact:
            return (found.choices[0].slug,)
        context = {"found": found, "case": case, "query": forms.address(wanted)}
        template = "which-part.html" if render.wants_fragment(request) else "which.html"
        return html.page(request, template, context)

    def _asker(self, request: web.Request, case: CaseView) -> tuple[Person, Address]:
        return self._names.person(request), Address(*case.community, channel="", message="")


def _who(request: web.Request) -> tuple[Moderator, Filter]:
    signed = request[html.SIGNED_IN]
    return signed.moderator, forms.chosen(request.query, signed.operator)


def _ids(text: str) -> list[int]:
    found = [forms.number(each) for each in text.split(",") if each]
    if len(found) > forms.MOST_CASES:
        raise web.HTTPBadRequest
    return found


def _blind(request: web.Request) -> bool:
    return request.cookies.get(BLIND) == "yes"


def _decision(do: str) -> tuple[Literal["approve", "reject", "skip"] | None, Labels | None]:
    """What a button says; (None, None): nothing, so the search field does."""
    if do.startswith("is:"):
        return "approve", forms.labels(do[3:])
    if do == "reject":
        return "reject", None
    if do == "skip":
        return "skip", None
    if do:
        raise web.HTTPBadRequest
    return None, None
