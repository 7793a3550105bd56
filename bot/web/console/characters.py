"""Characters: how many pictures, how often the bot is right, what it confuses, and what they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web

from bot import wording, wording_review
from bot.desk.desk import Desk
from bot.desk.types import Refused
from bot.web import render
from bot.web.console import forms, html
from bot.web.console.names import Names, place
from corrections.review.types import CharacterCount, Moderator, Stats
from corrections.types import LANGUAGES
from model.types import NOBODY

PAGE = "/review/characters"
MOST_CONFUSED = 24
"""Characters that the matrix has room for: those with most decided cases."""
SAID = {
    "accept": "console-did-accept",
    "refuse": "console-did-refuse",
    "rename": "console-did-rename",
    "merge": "console-did-merge",
    "add": "console-did-add",
    "remove": "console-did-remove",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of the matrix; ``share`` of its row, from 0 to 1."""

    count: int
    share: float
    right: bool


@dataclass(frozen=True, slots=True)
class Confusion:
    """The matrix: a row a decided character, a column what the bot said."""

    names: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]


class Characters:
    """The handlers."""

    def __init__(self, desk: Desk, names: Names) -> None:
        self._desk = desk
        self._names = names

    def routes(self) -> list[web.RouteDef]:
        """The addresses, all of them for who is signed in."""
        return [web.get(PAGE, self.everybody), web.post(f"{PAGE}/{{what}}", self.change)]

    async def everybody(self, request: web.Request) -> web.Response:
        """``GET /review/characters``"""
        said = request.query.get("said", "")
        return await self._page(request, render.spoken(request)(SAID[said]) if said in SAID else "")

    async def change(self, request: web.Request) -> web.Response:
        """``POST /review/characters/{what}``: accept, refuse, rename, merge, remove or add."""
        what = request.match_info["what"]
        if what not in SAID:
            raise web.HTTPNotFound
        moderator = request[html.SIGNED_IN].moderator
        outcome = await self._change(moderator, what, await forms.fields(request))
        if not isinstance(outcome, Refused):
            raise html.to(f"{PAGE}?said={what}")
        if html.STATUS.get(outcome.key) == 404:
            return html.refusal(request, outcome)
        return await self._page(request, "", wording.refusal(outcome, render.spoken(request)))

    async def _change(self, moderator: Moderator, what: str, sent: Mapping[str, str]) -> object:
        desk, slug = self._desk.moderation, sent.get("slug", "")[:64]
        given = {language: sent.get(f"name-{language}", "").strip() for language in LANGUAGES}
        names = {language: text for language, text in given.items() if text}
        match what:
            case "accept":
                return await desk.accept(moderator, slug, names)
            case "refuse":
                return await desk.refuse(moderator, slug)
            case "remove":
                return await desk.remove(moderator, slug)
            case "rename":
                aliases = [each.strip() for each in sent.get("aliases", "").splitlines()]
                return await desk.rename(moderator, slug, names, [each for each in aliases if each])
            case "merge":
                return await desk.merge(moderator, slug, sent.get("into", "")[:64])
        return await desk.add(moderator, names)

    async def _page(self, request: web.Request, said: str, refused: str = "") -> web.Response:
        moderator = request[html.SIGNED_IN].moderator
        stats = await self._desk.moderation.stats(moderator)
        if isinstance(stats, Refused):
            return html.refusal(request, stats)
        counts = await self._desk.moderation.characters(moderator)
        if isinstance(counts, Refused):
            return html.refusal(request, counts)
        named = await self._names.of(request, moderator.community)
        w = render.spoken(request)

        def label(slug: str) -> str:
            return w("mine-nobody") if slug == NOBODY else named(slug)

        context = {
            "proposals": [each for each in counts if each.status == "proposed"],
            "characters": sorted(
                (each for each in counts if each.status != "proposed"),
                key=lambda each: (-each.approved - each.open, label(each.slug).casefold()),
            ),
            "stats": stats,
            "confusion": confusion(stats, label),
            "label": label,
            "place": lambda community: place(community, w),
            "accuracy": wording_review.accuracy_text(stats, w, "console-accuracy", "console-accuracy-none"),
            "mine": lambda each: _mine(each, moderator),
            "languages": LANGUAGES,
            "said": said,
            "refused": refused,
        }
        return html.page(request, "characters.html", context, 422 if refused else 200)


def confusion(stats: Stats, label: Callable[[str], str]) -> Confusion | None:
    """The matrix of who was decided and what the bot had said, the most frequent first."""
    decided: Counter[str] = Counter()
    for (truth, said), count in stats.confusion.items():
        decided[truth] += count
        decided[said] += 0
    if not stats.confusion:
        return None
    order = [slug for slug, _ in decided.most_common(MOST_CONFUSED)]
    rows = []
    for truth in order:
        cells = []
        for said in order:
            count = stats.confusion.get((truth, said), 0)
            cells.append(Cell(count, count / decided[truth] if decided[truth] else 0.0, truth == said))
        if decided[truth]:
            rows.append((label(truth), tuple(cells)))
    return Confusion(tuple(map(label, order)), tuple(rows))


def _mine(character: CharacterCount, moderator: Moderator) -> bool:
    return moderator.community is None or character.community == moderator.community
