"""Bytes go when their time is over; what people said stays."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.blobs import BlobStore
from corrections.ledger import Ledger
from corrections.tables import CaseRow, ConsentRow, PostRow
from corrections.types import Recorded, Swept
from tests.corrections.conftest import Post
from tests.corrections.support import ANNA, BELA, address, digest, moment, seen

HOUR, DAY = 60, 24 * 60
THOR = frozenset({"thor"})


async def approve(ledger: Ledger, done: Recorded) -> None:
    async def work(session: AsyncSession) -> None:
        case = await session.scalar(select(CaseRow).join(PostRow).where(PostRow.id == done.post_id))
        assert case is not None
        case.status, case.decided, case.decided_at = "approved", ["thor"], moment()

    await ledger.work.write(work)


async def consent(ledger: Ledger, done: Recorded, granted: bool = True) -> None:
    async def work(session: AsyncSession) -> None:
        post = await session.get_one(PostRow, done.post_id)
        session.add(
            ConsentRow(person_id=post.person_id, post_id=post.id, granted=granted, created_at=moment())
        )

    await ledger.work.write(work)


async def kept(ledger: Ledger, *pictures: object) -> set[object]:
    return {picture for picture in pictures if await ledger.picture(digest(picture)) is not None}


async def test_a_day_unvoted_a_month_without_consent(ledger: Ledger, post: Post, tmp_path: Path) -> None:
    done = {
        name: await post(name) for name in ("nothing", "vote", "consent", "vote+consent", "refused", "again")
    }
    for name in ("vote", "vote+consent", "refused"):
        await ledger.vote(done[name].prediction_id, BELA, THOR, moment(1))
    await consent(ledger, done["consent"])
    await consent(ledger, done["vote+consent"])
    await consent(ledger, done["refused"], granted=False)
    await post("later", "again", minutes=10 * HOUR)

    assert await ledger.sweep(moment(23 * HOUR)) == Swept(0, 0)
    assert await ledger.sweep(moment(25 * HOUR)) == Swept(2, 1200)
    assert await kept(ledger, *done) == {"vote", "vote+consent", "refused", "again"}
    assert await ledger.sweep(moment(29 * DAY)) == Swept(1, 600)
    assert await kept(ledger, *done) == {"vote", "vote+consent", "refused"}
    assert await ledger.sweep(moment(31 * DAY)) == Swept(2, 1200)
    assert await kept(ledger, *done) == {"vote+consent"}
    assert await ledger.sweep(moment(31 * DAY)) == Swept(0, 0)
    assert (await ledger.tally(done["vote"].prediction_id)).characters == {"thor": 1}
    files = [file for _, _, files in os.walk(tmp_path / "blobs") for file in files]
    assert files == [f"{digest('vote+consent')[2:]}.webp"]
    again = await post("once more", "nothing", minutes=32 * DAY)  # posted again: kept again
    assert again.new and await kept(ledger, "nothing")


async def test_what_is_approved_and_agreed_to_stays_until_that_is_taken_back(
    ledger: Ledger, post: Post
) -> None:
    """However the poster agreed; approval alone outlives a day, consent alone does not."""
    names = ("single", "all", "from-now", "approved", "agreed", "disagreed")
    people = {name: ("discord", f"poster of {name}") for name in names}
    await ledger.privacy.choose(people["from-now"], "from-now", moment(-1))
    done = {name: await post(name, poster=people[name]) for name in names}
    for name in ("single", "all", "from-now", "approved", "disagreed"):
        await approve(ledger, done[name])
    await ledger.privacy.allow(done["single"].prediction_id, people["single"], moment(1))
    await ledger.privacy.choose(people["disagreed"], "from-now", moment(1))  # too late for that picture
    for name in ("all", "agreed"):
        await ledger.privacy.choose(people[name], "all", moment(1))

    assert await ledger.sweep(moment(25 * HOUR)) == Swept(1, 600)
    assert await kept(ledger, *names) == {*names} - {"agreed"}
    assert await ledger.sweep(moment(31 * DAY)) == Swept(2, 1200)
    assert await kept(ledger, *names) == {"single", "all", "from-now"}
    assert await ledger.sweep(moment(900 * DAY), disk_cap_bytes=0) == Swept(0, 0)
    for days, name in enumerate(("single", "all", "from-now"), 901):
        await ledger.privacy.choose(people[name], "never", moment(days * DAY))
        assert await ledger.sweep(moment(days * DAY + 1)) == Swept(1, 600)
    assert await kept(ledger, *names) == set()


async def test_one_poster_who_agrees_keeps_what_another_posted_too(ledger: Ledger, post: Post) -> None:
    for person in (ANNA, BELA):
        await approve(ledger, await post(person[1], "same", poster=person))
        await ledger.privacy.choose(person, "all", moment(1))
    await ledger.privacy.choose(ANNA, "never", moment(2))
    assert await ledger.sweep(moment(31 * DAY)) == Swept(0, 0)
    await ledger.privacy.choose(BELA, "ask", moment(3))
    assert await ledger.sweep(moment(31 * DAY)) == Swept(1, 600)


async def test_settings_of_the_times(ledger: Ledger, post: Post) -> None:
    await post(1)
    assert await ledger.sweep(moment(61), keep_unvoted=timedelta(hours=1)) == Swept(1, 600)


async def test_the_cap_takes_the_oldest_and_never_what_is_approved_and_consented(
    ledger: Ledger, post: Post
) -> None:
    done = [await post(n, minutes=n) for n in range(6)]
    for each in done[:2]:
        await approve(ledger, each)
    await consent(ledger, done[0])
    for each in done:
        await ledger.vote(each.prediction_id, BELA, THOR, moment(HOUR))
    assert await ledger.sweep(moment(HOUR), disk_cap_bytes=6 * 600) == Swept(0, 0)
    assert await ledger.sweep(moment(HOUR), disk_cap_bytes=4 * 600) == Swept(2, 1200)
    assert await kept(ledger, *range(6)) == {0, 3, 4, 5}
    assert await ledger.sweep(moment(HOUR), disk_cap_bytes=0) == Swept(3, 1800)
    assert await kept(ledger, *range(6)) == {0}
    assert await ledger.sweep(moment(HOUR), disk_cap_bytes=0) == Swept(0, 0)


async def test_many_are_swept_in_batches(ledger: Ledger, post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("corrections.retention.AT_ONCE", 3)
    for n in range(10):
        await post(n)
    assert await ledger.sweep(moment(1), disk_cap_bytes=8 * 600) == Swept(2, 1200)
    assert await ledger.sweep(moment(2 * DAY)) == Swept(8, 4800)


async def test_an_approved_picture_outlives_its_message(ledger: Ledger, post: Post) -> None:
    await approve(ledger, await post(1))
    await ledger.message_deleted(address(1))
    assert await kept(ledger, 1) == {1}
    elsewhere = await post(2, "shared", community="elsewhere")
    await post(3, "shared")
    await approve(ledger, elsewhere)
    await ledger.message_deleted(address(2, "elsewhere"))
    await ledger.message_deleted(address(3))
    assert await kept(ledger, "shared") == {"shared"}


async def test_what_a_crash_left_is_removed(ledger: Ledger, post: Post, tmp_path: Path) -> None:
    await post("known")
    folder = tmp_path / "blobs" / "ab"
    folder.mkdir()
    old, young = folder / f"{'0' * 62}.webp", folder / f"{'1' * 62}.webp"
    draft, foreign = folder / f"{'2' * 62}.webp.123456.tmp", folder / "notes.txt"
    for path in (old, young, draft, foreign):
        path.write_bytes(b"12345")
        if path != young:
            os.utime(path, (0, 0))
    known = BlobStore(tmp_path).path(digest("known"), "webp")
    os.utime(known, (0, 0))
    assert await ledger.sweep(moment(1)) == Swept(3, 15)
    assert young.exists() and known.exists() and not (old.exists() or draft.exists() or foreign.exists())


async def test_a_damaged_or_missing_file_reads_as_gone(ledger: Ledger, post: Post, tmp_path: Path) -> None:
    await post(1)
    path = BlobStore(tmp_path).path(digest(1), "webp")
    path.write_bytes(b"x" * 600)
    assert await ledger.picture(digest(1)) is None
    path.unlink()
    assert await ledger.picture(digest(1)) is None
    await post(2, 1)  # whoever posts it again brings it back
    assert await ledger.picture(digest(1)) == seen(1).stored


@pytest.mark.parametrize(
    ("sha256", "suffix"),
    [("../" + "a" * 61, "webp"), ("a" * 64, "../x"), ("A" * 64, "webp"), ("a" * 63, "webp"), ("a" * 64, "")],
)
def test_names_of_blobs_do_not_reach_outside(tmp_path: Path, sha256: str, suffix: str) -> None:
    with pytest.raises(ValueError, match="not the name of a blob"):
        BlobStore(tmp_path).path(sha256, suffix)
