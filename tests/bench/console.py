"""What a decision costs a moderator: through the page's own HTTP, with 10,000 open cases in the ledger.

The cases are written by the ledger's own tables in one go (recording 10,000 pictures one by one would measure
something else), with votes on each, and brought up to date by the ledger itself. What is measured is what
the script of the page sends: decide one case, and be given the one after the next.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.tables import (
    BlobRow,
    CaseRow,
    CharacterRow,
    CommunityRow,
    PersonRow,
    PostRow,
    PredictionRow,
    VoteCaseRow,
    VoteEventRow,
    VoteLabelRow,
    VoteRow,
)
from tests.standins.console import GUILD, moderating
from tests.standins.page import Served, page_served

CASES = 10_000
PEOPLE = 200
VOTES = 3
SLUGS = ("iron-man", "thor", "hulk", "loki", "spider-man")


async def fill(served: Served, cases: int) -> None:
    """Write open cases with votes."""
    dice, now = random.Random(7), datetime.now(UTC) - timedelta(days=20)
    ledger = served.ledger

    async def work(session: AsyncSession) -> None:
        found = await session.execute(select(CharacterRow.slug, CharacterRow.id))
        characters = {each.slug: each.id for each in found}
        community = CommunityRow(platform=GUILD[0], native=GUILD[1], created_at=now)
        session.add(community)
        await session.flush()
        everybody = range(1, PEOPLE + 1)
        await session.execute(
            insert(PersonRow),
            [
                {"id": n, "person_key": ledger.person_key((GUILD[0], f"p{n}")), "created_at": now}
                for n in everybody
            ],
        )
        rows: dict[type, list[dict[str, object]]] = {
            each: []
            for each in (
                BlobRow,
                CaseRow,
                PostRow,
                PredictionRow,
                VoteEventRow,
                VoteRow,
                VoteCaseRow,
                VoteLabelRow,
            )
        }
        event = 0
        for n in range(1, cases + 1):
            at = now + timedelta(seconds=n)
            sha256 = f"{dice.getrandbits(256):064x}"
            rows[BlobRow].append(
                {
                    "id": n, "sha256": sha256, "near_key": f"{dice.getrandbits(256):064x}", "size": 1,
                    "format": "webp", "width": 640, "height": 480, "created_at": at, "posted_at": at,
                }
            )  # fmt: skip
            rows[CaseRow].append({"id": n, "community_id": community.id, "status": "open", "created_at": at})
            rows[PostRow].append(
                {
                    "id": n, "blob_id": n, "case_id": n, "person_id": dice.choice(everybody),
                    "community_id": community.id, "platform": GUILD[0], "channel": "c", "message": str(n),
                    "slot": 0, "original_sha256": sha256, "created_at": at,
                }
            )  # fmt: skip
            said = dice.sample(SLUGS, 3)
            rows[PredictionRow].append(
                {
                    "id": n, "post_id": n, "bundle": "bench", "level": "reference", "verdict": "sure",
                    "character": said[0], "confidence": 0.8, "known": 0.9,
                    "ranked": [(said[0], 0.8), (said[1], 0.1), (said[2], 0.05)],
                    "milliseconds": 40.0, "created_at": at,
                }
            )  # fmt: skip
            for person in dice.sample(everybody, VOTES):
                event += 1
                slug = said[0] if dice.random() < 0.8 else dice.choice(SLUGS)
                rows[VoteEventRow].append(
                    {
                        "id": event, "person_id": person, "blob_id": n, "prediction_id": n, "case_id": n,
                        "action": "vote", "labels": [slug], "created_at": at,
                    }
                )  # fmt: skip
                rows[VoteRow].append(
                    {
                        "id": event, "person_id": person, "blob_id": n, "prediction_id": n, "event_id": event,
                        "created_at": at,
                    }
                )  # fmt: skip
                rows[VoteCaseRow].append({"vote_id": event, "case_id": n})
                rows[VoteLabelRow].append({"vote_id": event, "character_id": characters[slug]})
        for table, each in rows.items():
            await session.execute(insert(table), each)

    await ledger.work.write(work)
    await ledger.review.rescore(everything=True)


async def measure(folder: Path, decisions: int = 200, cases: int = CASES) -> list[float]:
    """Milliseconds of each decision, from the key to the next case's page."""
    async with AsyncExitStack() as stack:
        served = await stack.enter_async_context(page_served(folder))
        await fill(served, cases)
        rescoring = asyncio.create_task(served.ledger.review.keep_fresh())  # as in the bot
        stack.callback(rescoring.cancel)
        browser = await stack.enter_async_context(moderating(served))
        async with browser.get("/review") as response:
            waiting = _forms(await response.text())
        taken: list[float] = []
        verbs = ("approve", "is:loki", "reject", "skip")
        for number in range(decisions):
            case, revision, leading = waiting.pop(0)
            verb = verbs[number % len(verbs)]
            data = {
                "case": case, "revision": revision, "do": leading if verb == "approve" else verb,
                "showing": ",".join(each[0] for each in waiting), "deciding": case,
            }  # fmt: skip
            begun = time.perf_counter()
            async with browser.post(
                "/review/decide", data=data, headers={"HX-Request": "true", "Sec-Fetch-Site": "same-origin"}
            ) as response:
                shown = await response.text()
                assert response.status == 200, shown
            taken.append(1000 * (time.perf_counter() - begun))
            waiting += _forms(shown)
    return taken


def _forms(page: str) -> list[tuple[str, str, str]]:
    """Case, revision and what Enter sends, of every case in a page."""
    found = []
    for card in re.findall(r"<article.*?</article>", page, flags=re.DOTALL):
        values = dict(re.findall(r'name="(case|revision)" value="(\d+)"', card))
        leading = re.search(r'value="(is:[^"]+)" data-key="Enter"', card)
        found.append((values["case"], values["revision"], leading[1] if leading else "is:nobody"))
    return found


def p95(values: Sequence[float]) -> float:
    """What 95 of 100 stay below."""
    return sorted(values)[min(len(values) - 1, int(0.95 * len(values)))]


if __name__ == "__main__":
    import statistics
    import tempfile

    with tempfile.TemporaryDirectory() as temporary:
        took = asyncio.run(measure(Path(temporary)))
    print(f"a decision: median {statistics.median(took):.1f} ms, 95 % below {p95(took):.1f} ms ({len(took)})")
