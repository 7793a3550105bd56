"""What the console's tests and pictures share: corrections in a ledger, and moderators who have signed in."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import aiohttp

from corrections.types import Address, Community, Person, Recorded, Seen
from tests.standins.drawings import drawing
from tests.standins.page import Served

GUILD: Community = ("discord", "1001")
OTHER: Community = ("discord", "2002")
MARA: Person = ("discord", "51")
NOEL: Person = ("discord", "52")
OLGA: Person = ("discord", "53")


async def posted(
    served: Served,
    picture: bytes,
    *,
    community: Community = GUILD,
    poster: Person = ("discord", "7"),
    votes: Mapping[str, Sequence[str]] | None = None,
    days_ago: float = 30.0,
    message: str = "",
) -> Recorded:
    """A picture in a community that the bot answered and people voted on.

    ``votes``: by slug ("" for nobody) the ids of the people who say so.
    """
    at = datetime.now(UTC) - timedelta(days=days_ago)
    sight = await served.eyes.look(picture, keep=True)
    assert sight.stored is not None
    seen = Seen(sight.near_key, sight.stored, sight.stored_format, sight.width, sight.height, sight.sha256)
    address = Address(*community, channel="pictures", message=message or sight.sha256[:20])
    done = await served.ledger.record(
        address, 0, poster, seen, sight.bundle, sight.level, sight.answer, sight.milliseconds, at
    )
    for slug, people in (votes or {}).items():
        for person in people:
            labels = frozenset({slug} if slug else ())
            await served.ledger.vote(done.prediction_id, (community[0], person), labels, at)
    return done


async def some_cases(served: Served, community: Community = GUILD, seed: int = 0) -> list[Recorded]:
    """Four cases: people disagree, people contradict the bot, many agree, nobody has voted."""
    made = [
        await posted(
            served,
            drawing("orange", seed=seed + 1),
            community=community,
            votes={"iron-man": ["a", "b"], "spider-man": ["c", "d"]},
        ),
        await posted(
            served,
            drawing("green", seed=seed + 2),
            community=community,
            votes={"loki": ["a", "b", "c"], "hulk": ["d"]},
        ),
        await posted(
            served,
            drawing("red", seed=seed + 3),
            community=community,
            votes={"iron-man": ["a", "b", "c", "d", "e", "f"]},
        ),
        await posted(served, drawing("blue", seed=seed + 4), community=community),
    ]
    await served.ledger.review.rescore(everything=True)  # who was new thirty days ago is not new now
    return made


async def token(
    served: Served, person: Person | None = MARA, community: Community | None = GUILD, minutes: float = 10
) -> str:
    """A sign-in link's token; without a person and a community it is the operator's."""
    now = datetime.now(UTC)
    return await served.ledger.links.make("login", now, minutes, person, community)


@asynccontextmanager
async def moderating(
    served: Served, person: Person | None = MARA, community: Community | None = GUILD
) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser of a moderator who has signed in; ``operating`` for the operator's."""
    async with aiohttp.ClientSession(served.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        link = await token(served, person, community)
        async with browser.post("/review/login", data={"token": link}, allow_redirects=False) as response:
            assert (response.status, response.headers["Location"]) == (303, "/review"), await response.text()
        yield browser


def operating(served: Served):  # type: ignore[no-untyped-def]  # what `moderating` gives
    """A browser of the operator."""
    return moderating(served, None, None)


@asynccontextmanager
async def signed_in(said: str) -> AsyncIterator[aiohttp.ClientSession]:
    """A browser that has followed the link in what /console said."""
    link = re.search(r"(http://127\.0\.0\.1:\d+)/review/login\?token=([\w.-]+)", said)
    assert link, said
    async with aiohttp.ClientSession(link[1], cookie_jar=aiohttp.CookieJar(unsafe=True)) as browser:
        data = {"token": link[2]}
        async with browser.post("/review/login", data=data, allow_redirects=False) as response:
            assert response.status == 303
        yield browser
