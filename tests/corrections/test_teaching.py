"""Lessons in the ledger: all or nothing, approved or proposed, and folded in through the export."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from corrections.errors import (
    BadLabel,
    Contradicted,
    NotFound,
    SharedCharacter,
    TooManyProposals,
    UnknownLabel,
    WasForgotten,
)
from corrections.export.types import ExportQuery, Policy
from corrections.ledger import Ledger
from corrections.lessons import Example, Lesson, address_of
from corrections.review.types import Filter, Moderator
from corrections.tables import BlobRow, CaseRow, CharacterRow, DecisionRow, PostRow, VoteRow
from corrections.types import Person
from tests.corrections.conftest import Post
from tests.corrections.support import ANNA, BELA, GUILD, OTHER, address, answer, digest, moment, seen

MARA = Moderator(ANNA, GUILD)
OPERATOR = Moderator(("whosthat", "operator"))


def lesson(name: str, *pictures: object, message: object = "m", minutes: float = 0.0, **more: Any) -> Lesson:
    """ANNA, who moderates, teaches with pictures of her own."""
    made = Lesson(
        address=address(message),
        poster=ANNA,
        teacher=ANNA,
        name=name,
        examples=tuple(
            Example(
                slot,
                each if not isinstance(each, str) else seen(each),  # type: ignore[arg-type]
                "b1",
                "fp32",
                answer(),
                12.5,
            )
            for slot, each in enumerate(pictures)
        ),
        moderator=MARA,
        at=moment(minutes),
        since=moment(minutes),
    )
    return replace(made, **more)


def by(person: Person, of: Lesson) -> Lesson:
    """The same as a proposal of somebody else's."""
    return replace(of, poster=person, teacher=person, moderator=None)


async def rows(ledger: Ledger, table: Any) -> int:
    async with ledger.work.read() as session:
        return await session.scalar(select(func.count()).select_from(table)) or 0


async def cases(ledger: Ledger) -> list[tuple[str, list[str] | None]]:
    async with ledger.work.read() as session:
        found = await session.execute(select(CaseRow.status, CaseRow.decided).order_by(CaseRow.id))
        return [(status, decided) for status, decided in found]


TABLES = (BlobRow, CaseRow, CharacterRow, DecisionRow, PostRow, VoteRow)


@pytest.fixture
def counted(ledger: Ledger) -> Callable[[], Any]:
    """How many rows there are of what a lesson writes."""

    async def count() -> list[int]:
        return [await rows(ledger, each) for each in TABLES]

    return count


async def test_a_moderators_pictures_count_at_once(ledger: Ledger) -> None:
    done = await ledger.teaching.teach(lesson("Winter Soldier", "a", "b", "c"))
    assert (done.character.slug, done.new, done.fresh, done.agreed) == ("winter-soldier", True, 3, True)
    assert done.character.status == "known"
    assert done.character.community == GUILD
    assert await cases(ledger) == [("approved", ["winter-soldier"])] * 3
    found = {each.slug: each for each in await ledger.review.characters(MARA)}
    assert found["winter-soldier"].approved == 3
    assert "winter-soldier" not in {each.slug for each in await ledger.characters(OTHER)}
    undone = await ledger.review.undo(MARA)  # a lesson is one decision
    assert undone is not None
    assert await cases(ledger) == [("open", None)] * 3


async def test_the_same_lesson_again_adds_nothing(ledger: Ledger, counted: Callable[[], Any]) -> None:
    first = await ledger.teaching.teach(lesson("Winter Soldier", "a", "b"))
    before = await counted()
    again = await ledger.teaching.teach(lesson("winter  soldier", "a", "b", minutes=1))
    assert (again.fresh, again.new, again.predictions) == (0, False, first.predictions)
    assert await counted() == before


async def test_copies_in_one_lesson_are_one_case(ledger: Ledger) -> None:
    done = await ledger.teaching.teach(lesson("Winter Soldier", "a", seen("a", flips=5), "b"))
    assert done.fresh == 3
    assert await cases(ledger) == [("approved", ["winter-soldier"])] * 2


async def test_others_propose_and_a_moderator_accepts(ledger: Ledger) -> None:
    done = await ledger.teaching.teach(by(BELA, lesson("Winter Soldier", "a", "b", "c")))
    assert (done.character.status, done.new, done.fresh, done.agreed) == ("proposed", True, 3, True)
    assert await cases(ledger) == [("open", None)] * 3
    queue = await ledger.review.next(MARA, Filter(), 10, moment(1))
    assert [each.leading for each in queue] == [("winter-soldier",)] * 3
    for each in queue:
        await ledger.review.decide(MARA, each.case_id, each.revision, "approve", None, moment(2))
    assert await cases(ledger) == [("approved", ["winter-soldier"])] * 3
    assert (await ledger.resolve("Winter Soldier", GUILD)).character.status == "known"  # type: ignore[union-attr]


async def test_a_moderator_who_teaches_a_proposal_accepts_it(ledger: Ledger) -> None:
    await ledger.teaching.teach(by(BELA, lesson("Winter Soldier", "a")))
    done = await ledger.teaching.teach(lesson("Winter Soldier", "a", "b", message="n", minutes=1))
    assert (done.character.status, done.new, done.fresh) == ("known", False, 2)
    history = [each.action for each in await ledger.review.history(MARA)]
    assert sorted(history) == ["accept", "approve", "approve"]


async def test_one_picture_is_not_two_characters(ledger: Ledger, counted: Callable[[], Any]) -> None:
    await ledger.teaching.teach(lesson("Winter Soldier", "a"))
    before = await counted()
    for person in (ANNA, BELA):
        taught = lesson("Falcon", "x", seen("a", flips=3), message="n", minutes=1)
        with pytest.raises(Contradicted) as refused:
            await ledger.teaching.teach(taught if person == ANNA else by(person, taught))
        assert (refused.value.slot, refused.value.labels) == (1, ("winter-soldier",))
    assert await counted() == before  # nothing of it is there: no name, no row
    assert await ledger.picture(digest("x")) is None
    assert not list(ledger._store.folder.glob(f"*/{digest('x')[2:]}.*"))  # and no file


async def test_what_a_member_said_before_is_not_taught_over(ledger: Ledger, post: Post) -> None:
    posted = await post("m1", "a", poster=BELA)
    await ledger.vote(posted.prediction_id, BELA, frozenset({"loki"}), moment())
    with pytest.raises(Contradicted) as refused:
        await ledger.teaching.teach(by(BELA, lesson("Falcon", "a", message="n", minutes=1)))
    assert refused.value.mine
    assert refused.value.labels == ("loki",)
    done = await ledger.teaching.teach(lesson("Falcon", "a", message="o", minutes=2))  # a moderator decides
    assert done.fresh == 1
    assert await cases(ledger) == [("approved", ["falcon"])]


async def test_what_moderators_set_aside_is_not_proposed_again(ledger: Ledger) -> None:
    await ledger.teaching.teach(by(BELA, lesson("Winter Soldier", "a")))
    (case,) = await ledger.review.next(MARA, Filter(), 1, moment(1))
    await ledger.review.decide(MARA, case.case_id, case.revision, "reject", None, moment(1))
    with pytest.raises(Contradicted) as refused:
        await ledger.teaching.teach(by(BELA, lesson("Winter Soldier", "a", message="n", minutes=2)))
    assert refused.value.labels is None
    assert (await ledger.teaching.teach(lesson("Winter Soldier", "a", message="o", minutes=3))).fresh == 1


async def test_names_have_the_limits_that_they_always_have(ledger: Ledger) -> None:
    with pytest.raises(BadLabel):
        await ledger.teaching.teach(lesson("@everyone", "a"))
    await ledger.teaching.teach(by(BELA, lesson("Nobody's Hero", "a")))
    await ledger.review.refuse(MARA, (await ledger.resolve("Nobody's Hero", GUILD)).slug or "")
    with pytest.raises(BadLabel) as refused:
        await ledger.teaching.teach(by(BELA, lesson("Nobody's Hero", "b", message="n")))
    assert refused.value.reason == "refused"
    for letter in "abcdefghijkl":
        taught = by(BELA, lesson(f"Name {letter}", f"p{letter}", message=f"o{letter}"))
        try:
            await ledger.teaching.teach(taught)
        except TooManyProposals:
            break
    else:
        pytest.fail("anybody may propose any number of names")


async def test_another_communitys_moderator_is_none_here(ledger: Ledger, counted: Callable[[], Any]) -> None:
    await ledger.teaching.teach(lesson("Winter Soldier", "a"))
    before = await counted()
    with pytest.raises(NotFound):
        taught = lesson("Falcon", "b", message="n", moderator=Moderator(ANNA, OTHER))
        await ledger.teaching.teach(taught)
    assert await counted() == before


async def test_the_operators_names_are_everybodys(ledger: Ledger) -> None:
    place = address_of("console", GUILD, "form")
    done = await ledger.teaching.teach(lesson("Winter Soldier", "a", address=place, moderator=OPERATOR))
    assert done.character.community is None
    assert "winter-soldier" in {each.slug for each in await ledger.characters(OTHER)}
    found = await ledger.review.next(MARA, Filter("approved"), 5, moment(1))
    assert [each.decided for each in found] == [("winter-soldier",)]  # the pictures are GUILD's


async def test_teaching_agrees_to_these_pictures_and_no_others(ledger: Ledger, post: Post) -> None:
    await ledger.teaching.teach(lesson("Winter Soldier", "a"))
    assert await ledger.privacy.standing(ANNA) == "ask"
    assert await ledger.privacy.asks((await post("later")).prediction_id)
    await ledger.privacy.choose(ANNA, "never", moment(1))
    done = await ledger.teaching.teach(lesson("Winter Soldier", "b", message="n", minutes=2))
    assert not done.agreed
    theirs = lesson("Winter Soldier", "c", message="o", minutes=3, poster=BELA)
    assert not (await ledger.teaching.teach(theirs)).agreed


async def test_renamed_merged_and_refused_like_any_name(ledger: Ledger) -> None:
    await ledger.teaching.teach(lesson("Winter Soldier", "a", "b"))
    await ledger.review.rename(MARA, "winter-soldier", {"en": "White Wolf", "zh-CN": "冬兵"})
    again = await ledger.teaching.teach(lesson("冬兵", "c", message="n", minutes=1))
    assert (again.character.slug, again.new) == ("winter-soldier", False)
    await ledger.teaching.teach(lesson("Bucky", "d", message="o", minutes=2))
    await ledger.review.merge(MARA, "winter-soldier", "bucky")
    more = await ledger.teaching.teach(lesson("White Wolf", "e", message="p", minutes=3))
    assert more.character.slug == "bucky"
    same = await ledger.teaching.teach(lesson("Bucky", "a", message="q", minutes=4))
    assert same.fresh == 0  # what was decided before the merge holds for the other one now
    counts = {each.slug: each.approved for each in await ledger.review.characters(MARA)}
    assert counts["bucky"] == 5


async def test_removed_it_is_no_name_and_its_pictures_wait_again(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.teaching.teach(lesson("Winter Soldier", "a", "b"))
    await ledger.teaching.teach(lesson("Falcon", "c", message="n", minutes=1))
    await ledger.review.remove(MARA, "winter-soldier", moment(2))
    assert await cases(ledger) == [("open", None)] * 2 + [("approved", ["falcon"])]
    assert not await ledger.resolve("Winter Soldier", GUILD)
    assert [each.action for each in await ledger.review.history(MARA)][:3] == ["undo", "undo", "remove"]
    again = await ledger.teaching.teach(lesson("Falcon", "a", message="o", minutes=3))
    assert again.fresh == 1
    for who in (OPERATOR, MARA):  # to an admin as well it is said why, not who might
        with pytest.raises(BadLabel) as refused:
            await ledger.review.remove(who, "iron-man", moment(4))
        assert refused.value.reason == "shipped"
    with pytest.raises(UnknownLabel):
        await ledger.review.remove(Moderator(ANNA, OTHER), "falcon", moment(4))
    shared = await ledger.propose("Sersi", proposer=ANNA, community=GUILD, at=moment(4))
    await ledger.review.accept(OPERATOR, shared.slug, {}, moment(5))
    with pytest.raises(SharedCharacter):
        await ledger.review.remove(MARA, shared.slug, moment(6))


async def test_an_export_carries_the_character_and_its_pictures(ledger: Ledger, tmp_path: Path) -> None:
    """What a retraining folds in: pictures, labels and names of everybody who is known there."""
    await ledger.teaching.teach(lesson("冬兵", "a", "b", "c"))
    await ledger.teaching.teach(by(BELA, lesson("Falcon", "d", message="n")))
    slug = (await ledger.resolve("冬兵", GUILD)).slug
    for who, folder in ((MARA, "mara"), (OPERATOR, "operator")):
        policy, query = Policy(True, 0.0, 0.0), ExportQuery(community=who.community)
        await ledger.exports.export(tmp_path / folder, query, policy, "imagefolder", who)
        manifest = json.loads(next((tmp_path / folder).rglob("manifest.json")).read_text(encoding="utf-8"))
        assert manifest["vocabulary"][slug] == {"zh-CN": "冬兵"}
        assert manifest["counts"]["by_character"][slug]["train"] == 3
        assert "falcon" not in manifest["vocabulary"]  # a proposal that nobody has accepted


async def test_forgetting_takes_what_somebody_taught(ledger: Ledger) -> None:
    await ledger.teaching.teach(lesson("Winter Soldier", "a", "b"))
    done = await ledger.privacy.forget(ANNA, moment(10))
    assert done.pictures == 2
    assert {status for status, _ in await cases(ledger)} <= {"withdrawn"}
    assert await ledger.picture(digest("a")) is None
    with pytest.raises(WasForgotten):
        await ledger.teaching.teach(lesson("Winter Soldier", "c", message="n", minutes=9))


async def test_a_lesson_that_is_refused_leaves_the_finder_as_it_was(ledger: Ledger, post: Post) -> None:
    await post("m1", "z")
    with pytest.raises(BadLabel):
        await ledger.teaching.teach(lesson("@everyone", "a", "b"))
    first, copy = await post("m2", "a"), await post("m3", "a", flips=2)
    async with ledger.work.read() as session:
        found = await session.scalars(
            select(PostRow.case_id).where(PostRow.id.in_([first.post_id, copy.post_id]))
        )
        assert len(set(found)) == 1
