"""What is to be remembered: approved, as people decided, for as long as they do; and when that changes."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import func, select

from corrections.ledger import Ledger
from corrections.memory.changes import KEPT
from corrections.memory.features import features
from corrections.memory.reading import PER_CASE, Remembered
from corrections.review.agreement import ReviewRules
from corrections.review.types import Moderator
from corrections.tables import CaseRow, FeatureRow, MemoryChangeRow, PostRow, PredictionRow
from corrections.types import Community, Person, Recalled, Recorded
from model.types import Answer, Ranked, Verdict
from tests.corrections.raw import change, file_of
from tests.corrections.support import (
    ANNA,
    BELA,
    CARO,
    OTHER,
    address,
    answer,
    digest,
    moment,
    seen,
)

OPERATOR = Moderator(("whosthat", "operator"))
LOKI, THOR = frozenset({"loki"}), frozenset({"thor"})
MARKS = b"\x01 what copies are told by"

Posting = Callable[..., Awaitable[Recorded]]


def embedding(name: object) -> tuple[float, ...]:
    """Numbers that depend on the name and are float32 already."""
    chance = random.Random(f"e{name}")
    return tuple(chance.randrange(-128, 128) / 128 for _ in range(8))


@pytest.fixture
def posting(ledger: Ledger) -> Posting:
    return lambda *args, **kwargs: record(ledger, *args, **kwargs)


async def record(
    ledger: Ledger,
    name: object,
    minutes: float = 0.0,
    *,
    flips: int = 0,
    message: object = None,
    poster: Person = ANNA,
    community: str = "guild",
    platform: str = "telegram",
    bundle: str = "b1",
    recalled: Recalled | None = None,
) -> Recorded:
    """Record a picture with what a model saw in it."""
    here = address(f"{name}:{flips}" if message is None else message, community)
    looked = dataclasses.replace(seen(name, flips), embedding=embedding(name), marks=MARKS)
    return await ledger.record(
        dataclasses.replace(here, platform=platform),
        0,
        poster,
        looked,
        bundle,
        "fp32",
        answer(),
        12.5,
        moment(minutes),
        recalled=recalled,
    )


async def decide(
    ledger: Ledger,
    about: Recorded,
    labels: tuple[str, ...] | None,
    minutes: float = 1.0,
    verb: str = "approve",
    moderator: Moderator = OPERATOR,
) -> int:
    """Approve or reject the case of a picture; its id."""
    async with ledger.work.read() as session:
        case, revision = (
            await session.execute(
                select(CaseRow.id, CaseRow.revision)
                .join(PostRow, PostRow.case_id == CaseRow.id)
                .where(PostRow.id == about.post_id)
            )
        ).one()
    await ledger.review.decide(moderator, case, revision, verb, labels, moment(minutes))  # type: ignore[arg-type]
    return int(case)


async def all_of(ledger: Ledger, allow_discord: bool = False) -> list[Remembered]:
    return [each async for page in ledger.memory.remembered(allow_discord) for each in page]


async def told(ledger: Ledger) -> list[tuple[str, tuple[str, ...], bool]]:
    """Picture, slugs and whether pictures like it may lean, in the order of the pictures."""
    names = {digest(name): name for name in ("a", "b", "c", "d")}
    return [(names.get(each.sha256, each.sha256), each.slugs, each.leans) for each in await all_of(ledger)]


async def test_only_an_approval_is_remembered(ledger: Ledger, posting: Posting) -> None:
    first = await posting("a")
    await posting("b")
    await ledger.vote(first.prediction_id, BELA, LOKI, moment(0.5))
    assert await all_of(ledger) == [] and await ledger.memory.version() == 0
    case = await decide(ledger, first, ("loki",))
    (one,) = await all_of(ledger)
    assert (one.sha256, one.slugs, one.leans, one.there) == (digest("a"), ("loki",), False, True)
    changed = await ledger.memory.changes(0)
    assert changed.cases == {case} and changed.version > 0 and not changed.everything
    assert not await ledger.memory.changes(changed.version)
    await ledger.vote(first.prediction_id, CARO, THOR, moment(2))  # a vote changes nothing
    assert not await ledger.memory.changes(changed.version)
    await ledger.review.undo(OPERATOR, moment(3))
    assert await all_of(ledger) == [] and (await ledger.memory.changes(changed.version)).cases == {case}


async def test_a_rejection_and_nobody(ledger: Ledger, posting: Posting) -> None:
    first = await posting("a")
    await decide(ledger, first, ())
    assert await told(ledger) == [("a", (), False)]
    before = await ledger.memory.version()
    await decide(ledger, first, None, 2, "reject")
    assert await told(ledger) == [] and await ledger.memory.changes(before)


async def test_agreement_counts_where_the_settings_let_it_decide(url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open(
        url, tmp_path, review=ReviewRules(quorum=2, certainty=0.6, newcomer_days=0, auto_approve="agreed")
    )
    first = await record(ledger, "a")
    for minutes, voter in enumerate((ANNA, BELA, CARO, ("discord", "4"), ("discord", "5"))):
        await ledger.vote(first.prediction_id, voter, LOKI, moment(1 + minutes))
    assert await told(ledger) == [("a", ("loki",), False)]
    assert await ledger.memory.changes(0)
    await ledger.close()


async def test_leaning_needs_consent_and_on_discord_the_switch(ledger: Ledger, posting: Posting) -> None:
    telegram, discord = await posting("a"), await posting("b", platform="discord", poster=BELA)
    for each in (telegram, discord):
        await decide(ledger, each, ("loki",))
    version = await ledger.memory.version()
    for person in (ANNA, BELA):
        await ledger.privacy.choose(person, "all", moment(2))
    assert len((await ledger.memory.changes(version)).cases) == 2
    assert await told(ledger) == [("a", ("loki",), True), ("b", ("loki",), False)]
    assert [each.leans for each in await all_of(ledger, allow_discord=True)] == [True, True]
    version = await ledger.memory.version()
    await ledger.privacy.choose(ANNA, "never", moment(3))
    assert await ledger.memory.changes(version)
    assert await told(ledger) == [("a", ("loki",), False), ("b", ("loki",), False)]  # recalled all the same


async def test_what_joins_a_decided_case_is_no_example_of_its_own(ledger: Ledger, posting: Posting) -> None:
    first = await posting("a")
    await posting("a", 0.5, flips=9, poster=BELA)
    case = await decide(ledger, first, ("loki",))
    version = await ledger.memory.version()
    await posting("a", 5, flips=20, poster=CARO)
    assert [each.sha256 for each in await all_of(ledger)] == [digest("a"), digest("a", 9)]
    assert (await ledger.memory.changes(version)).cases == {
        case
    }  # it may lend its consent to the same picture
    for flips in range(21, 35):
        await posting("a", 6, flips=flips)
    await decide(ledger, first, ("thor",), 10)
    remembered = await all_of(ledger)
    assert len(remembered) == PER_CASE and {each.slugs for each in remembered} == {("thor",)}


async def test_somebody_elses_consent_to_the_same_picture_counts(ledger: Ledger, posting: Posting) -> None:
    first = await posting("a")
    await decide(ledger, first, ("loki",))
    await ledger.privacy.choose(BELA, "from-now", moment(2))
    version = await ledger.memory.version()
    await posting("a", 3, message="again", poster=BELA)
    assert await ledger.memory.changes(version) and await told(ledger) == [("a", ("loki",), True)]
    await ledger.privacy.choose(BELA, "never", moment(4))
    assert await told(ledger) == [("a", ("loki",), False)]


async def test_names_that_change(ledger: Ledger, posting: Posting) -> None:
    first = await posting("a")
    name = await ledger.propose("Zorblax", ANNA, ("telegram", "guild"), moment())
    await decide(ledger, first, (name.slug,))
    version = await ledger.memory.version()
    await ledger.review.rename(OPERATOR, name.slug, {"en": "Zorblax the Great"}, at=moment(2))
    assert await told(ledger) == [("a", (name.slug,), False)]
    await ledger.review.merge(OPERATOR, name.slug, "loki", moment(3))
    assert (await ledger.memory.changes(version)).everything
    assert await told(ledger) == [("a", ("loki",), False)]


async def test_a_refused_name_is_not_said(ledger: Ledger, posting: Posting, url: str) -> None:
    first = await posting("a")
    name = await ledger.propose("Zorblax", ANNA, ("telegram", "guild"), moment())
    case = await decide(ledger, first, ("loki",))
    # As after an approval that was accepted elsewhere.
    change(url, "UPDATE cases SET decided = ? WHERE id = ?", f'["{name.slug}"]', case)
    version = await ledger.memory.version()
    await ledger.review.refuse(OPERATOR, name.slug, moment(3))
    assert await told(ledger) == [] and (await ledger.memory.changes(version)).everything


async def test_a_community_that_moves_takes_its_memory_along(ledger: Ledger, posting: Posting) -> None:
    first = await posting("a")
    await decide(ledger, first, ("loki",))
    version = await ledger.memory.version()
    old: Community = ("telegram", "guild")
    new: Community = ("telegram", "grown")
    await ledger.community_moved(old, new)
    assert (await ledger.memory.changes(version)).everything
    (one,) = await all_of(ledger)
    homes = await ledger.memory.homes()
    assert one.home == new and homes[new] == homes[old] == one.community


async def kept(ledger: Ledger) -> int:
    async with ledger.work.read() as session:
        return await session.scalar(select(func.count()).select_from(FeatureRow)) or 0


async def test_what_was_seen_goes_with_the_bytes(ledger: Ledger, posting: Posting) -> None:
    first, second = await posting("a"), await posting("b")
    await decide(ledger, first, ("loki",))
    assert await kept(ledger) == 2
    assert second.new
    await ledger.sweep(moment() + timedelta(hours=25))
    assert await kept(ledger) == 1  # nobody said anything of the other one
    version = await ledger.memory.version()
    await ledger.sweep(moment() + timedelta(days=31))
    assert await kept(ledger) == 0
    assert await ledger.memory.changes(version)
    (one,) = await all_of(ledger)  # nobody agreed to it, so its key alone is left to know it by
    assert (one.leans, one.there) == (False, False)


async def test_whoever_is_forgotten_is_not_remembered(ledger: Ledger, posting: Posting, url: str) -> None:
    mine, theirs = await posting("a"), await posting("b", poster=BELA)
    for each in (mine, theirs):
        await decide(ledger, each, ("loki",))
    await ledger.privacy.choose(ANNA, "all", moment(2))
    version = await ledger.memory.version()
    await ledger.privacy.forget(ANNA, moment(3))
    assert (await ledger.memory.changes(version)).cases
    assert await told(ledger) == [("b", ("loki",), False)] and await kept(ledger) == 1
    trace = np.asarray(embedding("a"), dtype="<f4").tobytes()
    file = file_of(url)
    for each in (file, file.with_name(f"{file.name}-wal")) if file else ():
        assert trace not in each.read_bytes(), each.name


async def test_features_come_back_as_they_were_seen(ledger: Ledger, posting: Posting) -> None:
    first = await posting("a")
    await decide(ledger, first, ("loki",))
    (one,) = await all_of(ledger)
    found, damaged = await ledger.memory.features([one.blob, 999])
    assert damaged == [] and set(found) == {one.blob}
    whole = found[one.blob]
    assert tuple(whole.embedding) == embedding("a") and (whole.bundle, whole.marks) == ("b1", MARKS)
    assert whole.ranked[0] == Ranked("iron-man", 0.7)


@pytest.mark.parametrize(
    "harm",
    [
        "embedding = x'00'",
        "embedding = 'text'",
        "embedding = x''",
        "marks = x'ff'",
        "ranked = 'nonsense'",
        "bundle = 'b2'",
        "checksum = ''",
        "embedding = CAST(x'0000c07f' || substr(embedding, 5) AS BLOB)",
    ],
)
async def test_a_damaged_row_is_not_believed(ledger: Ledger, posting: Posting, url: str, harm: str) -> None:
    first = await posting("a")
    await decide(ledger, first, ("loki",))
    if file_of(url) is None:
        harm = re.sub(r"x'(\w*)'", r"'\\x\1'::bytea", harm).replace("CAST(", "(").replace(" AS BLOB", "")
    change(url, f"UPDATE features SET {harm}")
    (one,) = await all_of(ledger)
    assert await ledger.memory.features([one.blob]) == ({}, [one.blob])
    again = features("b2", embedding("again"), MARKS, (Ranked("loki", 0.9),))
    assert again is not None
    version = await ledger.memory.version()
    assert await ledger.memory.looked(one.blob, again, moment(4))
    assert await ledger.memory.changes(version)
    assert not await ledger.memory.looked(one.blob, again, moment(5))  # that is what is written
    found, damaged = await ledger.memory.features([one.blob])
    assert damaged == [] and tuple(found[one.blob].embedding) == embedding("again")


async def test_nothing_is_kept_of_a_picture_that_is_gone(ledger: Ledger, posting: Posting) -> None:
    first = await posting("a")
    await decide(ledger, first, ("loki",))
    await ledger.sweep(moment() + timedelta(days=31))
    (one,) = await all_of(ledger)
    looked = features("b1", embedding("a"), MARKS, ())
    assert looked is not None and not await ledger.memory.looked(one.blob, looked)
    assert not await ledger.memory.looked(999, looked) and await kept(ledger) == 0


def test_nothing_to_keep() -> None:
    assert features("b1", (), b"", ()) is None
    assert features("b1", (float("nan"),), b"", ()) is None


async def test_a_list_of_changes_does_not_grow_for_ever(ledger: Ledger, posting: Posting) -> None:
    for name in ("a", "b", "c"):
        await decide(ledger, await posting(name), ("loki",))
    version = await ledger.memory.version()
    await ledger.sweep(moment() + KEPT / 2)
    assert (await ledger.memory.changes(0)).cases
    await ledger.sweep(moment(1) + KEPT + timedelta(hours=1))
    async with ledger.work.read() as session:
        assert await session.scalar(select(func.count()).select_from(MemoryChangeRow)) == 1
    assert await ledger.memory.version() >= version
    assert (await ledger.memory.changes(10**6)).everything  # a backup was put back meanwhile


async def test_another_process_sees_it(ledger: Ledger, posting: Posting, url: str, tmp_path: Path) -> None:
    other = await Ledger.open(url, tmp_path)
    try:
        first = await posting("a")
        await decide(ledger, first, ("loki",))
        assert await other.memory.changes(0)
        assert [each.slugs for each in await all_of(other)] == [("loki",)]
    finally:
        await other.close()


async def test_what_was_said_stands_beside_what_the_model_said(ledger: Ledger, posting: Posting) -> None:
    instead = Answer(Verdict.SURE, "loki", 0.99, 1.0, (Ranked("loki", 0.99), Ranked("iron-man", 0.01)))
    first = await posting("a", recalled=Recalled(7, "same", instead, ("loki",)))
    view = await ledger.prediction(first.prediction_id)
    assert view is not None and view.recalled == Recalled(7, "same", instead, ("loki",))
    assert (view.character, view.verdict, view.confidence) == ("loki", Verdict.SURE, 0.99)
    async with ledger.work.read() as session:
        row = await session.get_one(PredictionRow, first.prediction_id)
    assert (row.character, row.verdict, row.confidence, row.memory) == ("iron-man", "unsure", 0.7, 7)
    await decide(ledger, first, ("loki",))
    counts = await ledger.review.characters(OPERATOR)
    loki = next(each for each in counts if each.slug == "loki")
    assert (loki.judged, loki.right) == (1, 0)  # the figures are the model's own


async def test_an_answer_that_memory_left_alone(ledger: Ledger, posting: Posting) -> None:
    first = await posting("a", recalled=Recalled(3, "", answer()))
    second = await posting("b")
    views = [await ledger.prediction(each.prediction_id) for each in (first, second)]
    assert views[0] is not None and views[0].recalled is not None and views[0].recalled.version == 3
    assert views[0].character == "iron-man" and views[1] is not None and views[1].recalled is None
    surer = await posting("c", recalled=Recalled(3, "", answer(confidence=0.75)))
    view = await ledger.prediction(surer.prediction_id)
    assert view is not None and view.confidence == 0.75  # as it was said


async def test_reading_on_while_others_decide(ledger: Ledger, posting: Posting) -> None:
    """Whoever reads on from where they were misses nothing."""
    posted = [await posting(name) for name in range(12)]
    version, cases = 0, set[int]()

    async def follow() -> None:
        nonlocal version
        for _ in range(400):
            changed = await ledger.memory.changes(version)
            version, fresh = changed.version, changed.cases
            cases.update(fresh)
            if len(cases) == len(posted):
                return
            await asyncio.sleep(0.01)

    async with asyncio.timeout(60):
        done, *_ = await asyncio.gather(follow(), *(decide(ledger, each, ("loki",)) for each in posted))
    assert done is None and len(cases) == len(posted)
    assert OTHER not in await ledger.memory.homes()
