"""The crowd of `make bench-review` in a real ledger, and how long decisions take in a full one."""

from __future__ import annotations

import hashlib
import random
import statistics
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.ledger import Ledger
from corrections.people import community_id, person_id
from corrections.review.agreement import ReviewRules
from corrections.review.types import Filter, Moderator
from corrections.tables import (
    BlobRow,
    CaseRow,
    CharacterRow,
    PostRow,
    PredictionRow,
    VoteCaseRow,
    VoteEventRow,
    VoteLabelRow,
    VoteRow,
)
from corrections.types import Address, Seen
from model.types import Answer
from tests.bench.crowd import CHARACTERS, EVERY, FIRST, GUESS, Outcome, World

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOME = ("discord", "bench")
MODERATOR = Moderator(("discord", "moderator"), HOME)
ANSWER = Answer(GUESS.verdict, GUESS.character, GUESS.confidence, GUESS.known, GUESS.ranked)


def _seen(number: int) -> Seen:
    luck = random.Random(number)
    content = luck.randbytes(400)
    key = f"{luck.getrandbits(256):064x}"
    return Seen(key, content, "webp", 640, 480, hashlib.sha256(content).hexdigest())


async def through_ledger(given: World, folder: Path, rules: ReviewRules) -> Outcome:
    """The same review as `tests.bench.crowd.review`, by the ledger that the bot uses."""
    ledger = await Ledger.open(f"sqlite:///{folder}/bench.db", folder, review=rules)
    try:
        return await _through(given, ledger)
    finally:
        await ledger.close()


async def _through(given: World, ledger: Ledger) -> Outcome:
    people = [("discord", f"{person}") for person in range(given.people)]

    async def post(number: int, community: str, at: datetime) -> int:
        address, seen = Address("discord", community, "pictures", f"{number}"), _seen(number)
        done = await ledger.record(address, 0, people[0], seen, "bench", "fp32", ANSWER, 1.0, at)
        return done.prediction_id

    long_ago = NOON - timedelta(days=10)  # nobody is new
    first = await post(-1, "long ago", long_ago)
    for person in people:
        await ledger.vote(first, person, frozenset(), long_ago)
    number_of = {}
    for case, votes in enumerate(given.votes):
        prediction = await post(case, HOME[1], NOON)
        number_of[hashlib.sha256(_seen(case).stored).hexdigest()] = case
        for person, label in votes:
            await ledger.vote(prediction, people[person], frozenset({label}), NOON)
    luck, decided = given.moderator(), dict[int, str]()
    while len(decided) < FIRST * len(given.truth):
        await ledger.review.rescore(NOON)
        for _ in range(min(EVERY, round(FIRST * len(given.truth)) - len(decided))):
            (shown,) = await ledger.review.next(MODERATOR, at=NOON)
            case = number_of[shown.pictures[0].sha256]
            decided[case] = given.decision(luck, case)
            await ledger.review.decide(
                MODERATOR, shown.case_id, shown.revision, "approve", (decided[case],), NOON
            )
    await ledger.review.approve_agreed(MODERATOR, at=NOON)
    agreed = {}
    for shown in await ledger.review.next(MODERATOR, Filter("approved"), len(given.truth), NOON):
        case = number_of[shown.pictures[0].sha256]
        assert shown.decided is not None
        if case not in decided:
            agreed[case] = shown.decided[0]
        assert decided.get(case, shown.decided[0]) == shown.decided[0]
    return Outcome(decided, agreed)


async def fill(ledger: Ledger, cases: int, people: int, each: int = 5) -> None:
    """Many open cases with votes, written as rows: through the ledger it would take minutes."""
    luck = random.Random(0)

    async def work(session: AsyncSession) -> None:
        home = await community_id(session, HOME, NOON)
        voters = [
            await person_id(session, ledger.person_key(("discord", f"{n}")), NOON - timedelta(days=30))
            for n in range(people)
        ]
        found = await session.execute(CharacterRow.__table__.select())
        character = {row.slug: row.id for row in found}
        tables = (BlobRow, CaseRow, PostRow, PredictionRow, VoteEventRow, VoteRow, VoteLabelRow, VoteCaseRow)
        rows: dict[type, list[dict[str, object]]] = {table: [] for table in tables}
        vote = 0
        for n in range(1, cases + 1):
            seen = _seen(n)
            rows[BlobRow].append(
                {
                    "id": n,
                    "sha256": hashlib.sha256(seen.stored).hexdigest(),
                    "near_key": seen.near_key,
                    "size": len(seen.stored),
                    "format": "webp",
                    "width": 640,
                    "height": 480,
                    "created_at": NOON,
                    "posted_at": NOON,
                }
            )
            case = {"id": n, "community_id": home, "status": "open", "voters": each, "created_at": NOON}
            rows[CaseRow].append(case)
            rows[PostRow].append(
                {
                    "id": n,
                    "blob_id": n,
                    "case_id": n,
                    "person_id": voters[0],
                    "community_id": home,
                    "platform": "discord",
                    "channel": "c",
                    "message": f"{n}",
                    "slot": 0,
                    "original_sha256": seen.sha256,
                    "created_at": NOON,
                }
            )
            ranked = [(each_.character, each_.probability) for each_ in GUESS.ranked]
            rows[PredictionRow].append(
                {
                    "id": n,
                    "post_id": n,
                    "bundle": "bench",
                    "level": "fp32",
                    "verdict": "unsure",
                    "character": GUESS.character,
                    "confidence": GUESS.confidence,
                    "known": GUESS.known,
                    "ranked": ranked,
                    "milliseconds": 1.0,
                    "created_at": NOON,
                }
            )
            true = luck.choice(CHARACTERS)
            for person in luck.sample(voters, each):
                vote += 1
                label = true if luck.random() < 0.8 else luck.choice(CHARACTERS)
                event = {"id": vote, "person_id": person, "blob_id": n, "prediction_id": n}
                event["created_at"] = NOON
                rows[VoteEventRow].append({**event, "case_id": n, "action": "vote", "labels": [label]})
                rows[VoteRow].append({**event, "event_id": vote})
                rows[VoteLabelRow].append({"vote_id": vote, "character_id": character[label]})
                rows[VoteCaseRow].append({"vote_id": vote, "case_id": n})
        for table, some in rows.items():
            await session.execute(insert(table), some)

    await ledger.work.write(work)


async def speed(folder: Path, cases: int, decisions: int) -> dict[str, list[float]]:
    """Milliseconds of what a moderator waits for, with so many open cases; and of what happens beside."""
    ledger = await Ledger.open(f"sqlite:///{folder}/speed.db", folder)
    took: dict[str, list[float]] = {}

    def since(name: str, began: float) -> float:
        now = time.perf_counter()
        took.setdefault(name, []).append(1000 * (now - began))
        return now

    try:
        await fill(ledger, cases, people=max(60, cases // 20))
        began = time.perf_counter()
        await ledger.review.rescore(NOON, everything=True)
        since(f"first look at {cases} cases", began)
        (shown,) = await ledger.review.next(MODERATOR, at=NOON)
        for number in range(decisions):
            if number % EVERY == 0:
                began = time.perf_counter()
                await ledger.review.rescore(NOON)
                since("rescore, beside", began)
            assert shown.leading is not None
            began = time.perf_counter()
            await ledger.review.decide(
                MODERATOR, shown.case_id, shown.revision, "approve", shown.leading, NOON
            )
            after = since("decide", began)
            (shown, _) = await ledger.review.next(MODERATOR, count=2, at=NOON)
            since("next, two ahead", after)
            since("decide and next", began)
            began = time.perf_counter()
            await ledger.review.progress(MODERATOR, NOON)
            since("progress", began)
        began = time.perf_counter()
        await ledger.review.stats(MODERATOR, NOON)
        since("stats", began)
        began = time.perf_counter()
        await ledger.review.agreement(MODERATOR, NOON)
        since("agreement", began)
        began = time.perf_counter()
        approved = await ledger.review.approve_agreed(MODERATOR, at=NOON)
        since(f"bulk approval of {approved}", began)
    finally:
        await ledger.close()
    return took


def shown_times(values: list[float]) -> str:
    """Median, 95th percentile and most, of milliseconds."""
    if len(values) == 1:
        return f"{values[0]:,.0f} ms"
    ordered = sorted(values)
    late = ordered[int(0.95 * (len(ordered) - 1))]
    return f"{statistics.median(values):.1f} ms (95 %: {late:.1f}, most: {ordered[-1]:.1f})"
