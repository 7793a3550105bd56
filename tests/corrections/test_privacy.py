"""Consent: only the poster gives it, it is remembered, and it can be taken back at any time."""

from __future__ import annotations

import asyncio
from itertools import pairwise, product

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from corrections.errors import NotFound, NotPoster
from corrections.ledger import Ledger
from corrections.privacy import STANDINGS, Standing, post_consented
from corrections.tables import CommunityRow, ConsentRow, PersonRow, PostRow, SnapshotItemRow, SnapshotRow
from corrections.types import Recorded
from tests.corrections.conftest import Post
from tests.corrections.support import ANNA, BELA, digest, moment


async def agreed(ledger: Ledger) -> set[int]:
    """The posts that may be learned from, by the expression that everybody uses."""
    async with ledger.work.read() as session:
        return set(await session.scalars(select(PostRow.id).where(post_consented())))


async def snapshot(ledger: Ledger, *pictures: str, community: str | None = None) -> None:
    async def work(session: AsyncSession) -> None:
        row = SnapshotRow(
            name="s", items=len(pictures), manifest_sha256="0" * 64, manifest={}, created_at=moment()
        )
        row.community_id = await session.scalar(
            select(CommunityRow.id).where(CommunityRow.native == community)
        )
        session.add(row)
        await session.flush()
        await session.execute(
            insert(SnapshotItemRow),
            [{"snapshot_id": row.id, "file_name": name, "sha256": digest(name)} for name in pictures],
        )

    await ledger.work.write(work)


async def withdrawn(ledger: Ledger) -> set[str]:
    async with ledger.work.read() as session:
        return set(
            await session.scalars(
                select(SnapshotItemRow.file_name).where(SnapshotItemRow.withdrawn_at.is_not(None))
            )
        )


async def test_one_picture_and_what_comes_later(ledger: Ledger, post: Post) -> None:
    before, this = await post(1), await post(2)
    assert await ledger.privacy.standing(ANNA) == "ask"
    assert await ledger.privacy.asks(this.prediction_id)
    assert await ledger.privacy.allow(this.prediction_id, ANNA, moment(1))
    assert not await ledger.privacy.allow(this.prediction_id, ANNA, moment(2))
    later = await post(3, minutes=3)
    assert await ledger.privacy.standing(ANNA) == "from-now"
    assert await agreed(ledger) == {this.post_id, later.post_id}
    assert not await ledger.privacy.asks(later.prediction_id)
    assert not await ledger.privacy.allow(later.prediction_id, ANNA, moment(4))
    assert await ledger.privacy.allow(before.prediction_id, ANNA, moment(4))
    assert await agreed(ledger) == {before.post_id, this.post_id, later.post_id}


async def test_only_the_poster_can(ledger: Ledger, post: Post) -> None:
    done = await post(1)
    for somebody in (BELA, ("telegram", ANNA[1])):
        with pytest.raises(NotPoster):
            await ledger.privacy.allow(done.prediction_id, somebody, moment(1))
    await post(2, poster=BELA)
    with pytest.raises(NotPoster):
        await ledger.privacy.allow(done.prediction_id, BELA, moment(1))
    with pytest.raises(NotFound):
        await ledger.privacy.allow(999, ANNA, moment(1))
    with pytest.raises(ValueError, match="not a standing"):
        await ledger.privacy.choose(ANNA, "maybe", moment(1))  # type: ignore[arg-type]
    assert await agreed(ledger) == set() and not await ledger.privacy.asks(999)


async def test_the_same_picture_of_another_is_anothers(ledger: Ledger, post: Post) -> None:
    mine, theirs = await post(1, "same"), await post(2, "same", poster=BELA)
    await ledger.privacy.allow(mine.prediction_id, ANNA, moment(1))
    await ledger.privacy.choose(BELA, "never", moment(1))
    assert await agreed(ledger) == {mine.post_id}
    assert not await ledger.privacy.asks(theirs.prediction_id)


async def test_standings(ledger: Ledger, post: Post) -> None:
    """What each choice covers: a picture agreed to singly, an earlier one, a later one."""
    single, early = await post("single"), await post("early")
    await ledger.privacy.allow(single.prediction_id, ANNA, moment(1))

    async def covered(standing: Standing, minutes: float) -> set[str]:
        await ledger.privacy.choose(ANNA, standing, moment(minutes))
        late = await post(("late", minutes), minutes=minutes + 1)
        assert await ledger.privacy.standing(ANNA) == standing
        found = await agreed(ledger)
        names = {single.post_id: "single", early.post_id: "early", late.post_id: "late"}
        return {name for post_id, name in names.items() if post_id in found}

    assert await covered("ask", 10) == {"single"}
    assert await covered("from-now", 20) == {"single", "late"}
    assert await covered("all", 30) == {"single", "early", "late"}
    assert await covered("never", 40) == set()
    assert await covered("ask", 50) == set()  # what was withdrawn stays so
    assert await covered("all", 60) == {"single", "early", "late"}
    assert await covered("from-now", 70) == {"late"}


@pytest.mark.parametrize(("first", "second"), list(product(STANDINGS, repeat=2)))
async def test_any_choice_after_any_other(
    ledger: Ledger, post: Post, first: Standing, second: Standing
) -> None:
    done = await post(1)
    for at, standing in enumerate((first, first, second, second)):
        await ledger.privacy.choose(ANNA, standing, moment(1 + at))
        assert await ledger.privacy.standing(ANNA) == standing
    assert await agreed(ledger) == ({done.post_id} if second == "all" else set())
    async with ledger.work.read() as session:
        rows = list(await session.scalars(select(ConsentRow).order_by(ConsentRow.id)))
    expected = [each for each in dict.fromkeys((first, second)) if each != "ask"]
    assert len(rows) == len(expected)  # nothing is written twice, and nothing is removed
    assert all(one.withdrawn_at is not None for one, _ in pairwise(rows))


async def test_a_yes_to_one_picture_after_the_no_to_all(ledger: Ledger, post: Post) -> None:
    one, two = await post(1), await post(2)
    await ledger.privacy.allow(one.prediction_id, ANNA, moment(1))
    await ledger.privacy.choose(ANNA, "never", moment(2))
    assert await ledger.privacy.allow(two.prediction_id, ANNA, moment(3))
    assert await agreed(ledger) == {two.post_id}
    assert await ledger.privacy.standing(ANNA) == "ask"
    assert await ledger.privacy.asks(one.prediction_id)


async def test_whoever_never_chose_is_not_written_down(ledger: Ledger) -> None:
    await ledger.privacy.choose(ANNA, "ask", moment())
    assert await ledger.privacy.standing(ANNA) == "ask"
    async with ledger.work.read() as session:
        assert await session.scalar(select(func.count()).select_from(PersonRow)) == 0
    await ledger.privacy.choose(ANNA, "all", moment())  # before their first picture is fine
    assert await ledger.privacy.standing(ANNA) == "all"


async def test_clicks_at_once_count_once(ledger: Ledger, post: Post) -> None:
    done = await post(1)
    new = await asyncio.gather(*(ledger.privacy.allow(done.prediction_id, ANNA, moment(n)) for n in range(8)))
    assert sum(new) == 1
    async with ledger.work.read() as session:
        assert await session.scalar(select(func.count()).select_from(ConsentRow)) == 2


async def test_snapshots_say_what_was_withdrawn(ledger: Ledger, post: Post) -> None:
    mine: list[Recorded] = [await post(name) for name in ("a", "b")]
    theirs = await post("b-too", "b", poster=BELA)
    await post("c", poster=BELA)
    for person in (ANNA, BELA):
        await ledger.privacy.choose(person, "all", moment(1))
    await snapshot(ledger, "a", "b", "c")
    await ledger.privacy.choose(ANNA, "never", moment(2))
    assert await withdrawn(ledger) == {"a"}
    await ledger.privacy.choose(BELA, "ask", moment(3))
    assert await withdrawn(ledger) == {"a", "b", "c"}
    await ledger.privacy.allow(theirs.prediction_id, BELA, moment(4))
    assert await withdrawn(ledger) == {"a", "c"}
    await ledger.privacy.allow(mine[0].prediction_id, ANNA, moment(5))
    assert await withdrawn(ledger) == {"c"}


async def test_in_a_communitys_snapshot_its_own_posters_count(ledger: Ledger, post: Post) -> None:
    await post("a")
    await post("a-too", "a", poster=BELA, community="elsewhere")
    for person in (ANNA, BELA):
        await ledger.privacy.choose(person, "all", moment(1))
    await snapshot(ledger, "a", community="guild")
    await ledger.privacy.choose(BELA, "never", moment(2))
    assert await withdrawn(ledger) == set()
    await ledger.privacy.choose(BELA, "all", moment(3))
    await ledger.privacy.choose(ANNA, "never", moment(4))
    assert await withdrawn(ledger) == {"a"}


async def test_the_expression_holds_for_an_alias_and_inside_others(ledger: Ledger, post: Post) -> None:
    done, other = await post(1), await post(2, poster=BELA)
    await ledger.privacy.choose(ANNA, "all", moment(1))
    post_of = aliased(PostRow)
    async with ledger.work.read() as session:
        through_alias = select(post_of.id).where(post_consented(post_of))
        assert set(await session.scalars(through_alias)) == {done.post_id}
        refused = select(PostRow.id, ConsentRow.id).where(
            ~post_consented(), ConsentRow.person_id != PostRow.person_id
        )
        assert {row[0] for row in await session.execute(refused)} == {other.post_id}
