"""The queue, decisions and undoing them, through a real ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from corrections.errors import BadLabel, NotFound, Stale, UnknownLabel
from corrections.ledger import Ledger
from corrections.review.agreement import ReviewRules
from corrections.review.types import CaseView, Filter, Moderator
from corrections.types import Person
from tests.corrections.conftest import Post
from tests.corrections.support import ANNA, GUILD, OTHER, address, answer, digest, moment, seen

MIRA, NOAH = Moderator(("discord", "mira"), GUILD), Moderator(("discord", "noah"), GUILD)
ELSEWHERE = Moderator(("discord", "mira"), OTHER)
OPERATOR = Moderator(("terminal", "op"))
PEOPLE: list[Person] = [("discord", f"voter {n}") for n in range(8)]
LATER = 60 * 24 * 10.0  # minutes: nobody is new any more


async def say(ledger: Ledger, prediction: int, *labels: str | None, minutes: float = LATER) -> None:
    """One person after the other says something; None is nobody on the list."""
    for person, label in zip(PEOPLE, labels, strict=False):
        said = frozenset({label}) if label else frozenset[str]()
        await ledger.vote(prediction, person, said, moment(minutes))


@pytest.fixture
async def old(ledger: Ledger, post: Post) -> None:
    """Everybody has been here for ten days."""
    pid = (await post("first", community="long ago")).prediction_id
    await say(ledger, pid, *["thor"] * len(PEOPLE), minutes=0)


async def only(ledger: Ledger, who: Moderator, filter: Filter = Filter()) -> CaseView:  # noqa: A002, B008
    (case,) = await ledger.review.next(who, filter, at=moment(LATER))
    return case


async def test_a_case_says_what_bot_and_people_say(ledger: Ledger, post: Post, old: None) -> None:
    pid = (await post(1, "still")).prediction_id
    await post(2, "still", flips=20)
    await say(ledger, pid, "thor", "thor", "loki", None)
    case = await only(ledger, MIRA)
    assert (case.status, case.community, case.copies, case.voters) == ("open", GUILD, 2, 4)
    assert {picture.sha256 for picture in case.pictures} == {digest("still"), digest("still", 20)}
    assert [(each.labels, each.people) for each in case.opinions] == [(("thor",), 2), ((), 1), (("loki",), 1)]
    assert (case.leading, case.agreed, case.reason) == (("thor",), False, "disagreement")
    assert case.guess is not None and case.guess.character == "iron-man"
    assert not case.taken and not case.may_leave


async def test_one_decision_decides_all_copies_and_counts_for_the_voters(
    ledger: Ledger, post: Post, old: None
) -> None:
    first, copy = await post(1, "still"), await post(2, "still", flips=20)
    await ledger.vote(first.prediction_id, PEOPLE[0], frozenset({"thor"}), moment(LATER))
    await ledger.vote(copy.prediction_id, PEOPLE[1], frozenset({"loki"}), moment(LATER))
    case = await only(ledger, MIRA)
    done = await ledger.review.decide(MIRA, case.case_id, case.revision, "approve", ("Thor",), moment(LATER))
    assert (done.status, done.decided, done.revision) == ("approved", ("thor",), case.revision + 1)
    assert await ledger.review.next(MIRA, at=moment(LATER)) == []
    report = await ledger.review.agreement(MIRA)
    assert (report.judged, report.confirmed) == (2, 1)


async def test_undo_goes_back_step_by_step_and_takes_back_what_it_said_of_people(
    ledger: Ledger, post: Post, old: None
) -> None:
    for n in range(3):
        await say(ledger, (await post(n)).prediction_id, "thor", "loki")
    verbs: list[int] = []
    for verb in ("approve", "reject", "skip"):
        case = await only(ledger, MIRA)
        await ledger.review.decide(MIRA, case.case_id, case.revision, verb, None, moment(LATER))  # type: ignore[arg-type]
        verbs.append(case.case_id)
    for left, case_id in reversed(list(enumerate(verbs))):
        assert (await ledger.review.progress(MIRA, moment(LATER))).mine == left + 1
        back = await ledger.review.undo(MIRA, moment(LATER))
        assert back is not None and (back.case_id, back.status, back.decided) == (case_id, "open", None)
    assert await ledger.review.undo(MIRA, moment(LATER)) is None
    assert (await ledger.review.progress(MIRA, moment(LATER))).mine == 0
    report = await ledger.review.agreement(MIRA)
    assert (report.judged, report.confirmed) == (0, 0)
    history = await ledger.review.history(MIRA)
    assert [entry.action for entry in history] == ["undo"] * 3 + ["skip", "reject", "approve"]
    assert all(entry.mine for entry in history)


async def test_a_decision_on_something_else_than_was_shown_is_refused(
    ledger: Ledger, post: Post, old: None
) -> None:
    await say(ledger, (await post(1)).prediction_id, "thor", "loki")
    case = await only(ledger, MIRA)
    done = await ledger.review.decide(NOAH, case.case_id, case.revision, "approve", ("loki",), moment(LATER))
    with pytest.raises(Stale) as caught:
        await ledger.review.decide(MIRA, case.case_id, case.revision, "reject", None, moment(LATER))
    assert caught.value.case.decided == ("loki",)
    again = await ledger.review.decide(NOAH, case.case_id, case.revision, "approve", ("loki",), moment(LATER))
    assert (again.revision, again.decided) == (done.revision, ("loki",))
    assert len(await ledger.review.history(MIRA)) == 1


async def test_approving_what_leads_never_approves_what_came_after(
    ledger: Ledger, post: Post, old: None
) -> None:
    pid = (await post(1)).prediction_id
    await say(ledger, pid, "thor")
    case = await only(ledger, MIRA)
    await say(ledger, pid, "thor", "loki", "loki")
    with pytest.raises(Stale) as caught:
        await ledger.review.decide(MIRA, case.case_id, case.revision, "approve", None, moment(LATER))
    now = caught.value.case
    assert (now.status, now.leading) == ("open", ("loki",))
    done = await ledger.review.decide(MIRA, now.case_id, now.revision, "approve", None, moment(LATER))
    assert done.decided == ("loki",)


async def test_nobody_and_several_can_be_approved_and_nonsense_cannot(ledger: Ledger, post: Post) -> None:
    for n in range(2):
        await say(ledger, (await post(n)).prediction_id, "thor")
    one, other = await ledger.review.next(MIRA, count=2, at=moment())
    done = await ledger.review.decide(MIRA, one.case_id, one.revision, "approve", (), moment())
    assert done.decided == ()
    with pytest.raises(UnknownLabel):
        await ledger.review.decide(MIRA, other.case_id, other.revision, "approve", ("../etc",), moment())
    with pytest.raises(BadLabel):
        many = tuple(f"{n}" for n in range(13))
        await ledger.review.decide(MIRA, other.case_id, other.revision, "approve", many, moment())
    done = await ledger.review.decide(
        MIRA, other.case_id, other.revision, "approve", ("thor", "loki"), moment()
    )
    assert done.decided == ("loki", "thor")


async def test_nobody_reaches_another_community(ledger: Ledger, post: Post) -> None:
    await say(ledger, (await post(1)).prediction_id, "thor")
    case = await only(ledger, MIRA)
    for stranger in (ELSEWHERE, Moderator(("discord", "mira"), ("discord", "never heard of"))):
        assert await ledger.review.next(stranger) == []
        assert (await ledger.review.progress(stranger)).open == 0
        assert await ledger.review.history(stranger) == []
        with pytest.raises(NotFound):
            await ledger.review.case(stranger, case.case_id)
        with pytest.raises(NotFound):
            await ledger.review.picture(stranger, case.case_id, digest(1))
        with pytest.raises(NotFound):
            await ledger.review.decide(stranger, case.case_id, case.revision, "reject", None, moment())
        assert await ledger.review.approve_agreed(stranger) == 0
        assert await ledger.review.next(stranger, Filter(community=GUILD)) == []
    assert await ledger.review.picture(MIRA, case.case_id, digest(1)) == (seen(1).stored, "webp")
    with pytest.raises(NotFound):
        await ledger.review.picture(MIRA, case.case_id, digest("another"))
    assert (await ledger.review.case(OPERATOR, case.case_id)).case_id == case.case_id
    for nonsense in (0, -1, 10**30):
        with pytest.raises(NotFound):
            await ledger.review.case(OPERATOR, nonsense)


@pytest.fixture
async def second(url: str, tmp_path: Path, ledger: Ledger) -> AsyncIterator[Ledger]:
    opened = await Ledger.open(url, tmp_path)
    yield opened
    await opened.close()


async def test_two_moderators_in_two_processes_never_have_the_same_case(
    ledger: Ledger, second: Ledger, post: Post
) -> None:
    for n in range(24):
        await say(ledger, (await post(n)).prediction_id, "thor")

    async def work(its: Ledger, who: Moderator) -> list[int]:
        mine = []
        while cases := await its.review.next(who, count=2, at=moment()):
            for case in cases:
                mine.append(case.case_id)
                await its.review.decide(who, case.case_id, case.revision, "approve", ("thor",), moment())
        return mine

    mine, theirs = await asyncio.gather(work(ledger, MIRA), work(second, NOAH))
    assert len(mine) + len(theirs) == 24
    assert not set(mine) & set(theirs)


async def test_a_claim_ends_by_itself_and_can_be_given_back(ledger: Ledger, post: Post) -> None:
    await say(ledger, (await post(1)).prediction_id, "thor")
    case = await only(ledger, MIRA)
    assert await ledger.review.next(NOAH, at=moment(LATER)) == []
    assert (await ledger.review.case(NOAH, case.case_id, at=moment(LATER))).taken
    assert await only(ledger, MIRA) == case
    assert (await ledger.review.next(NOAH, at=moment(LATER + 2.5)))[0].case_id == case.case_id
    await ledger.review.release(MIRA, [case.case_id])  # it is Noah's by now
    assert await ledger.review.next(MIRA, at=moment(LATER + 2.5)) == []
    await ledger.review.release(NOAH, [case.case_id])
    assert len(await ledger.review.next(MIRA, at=moment(LATER + 2.5))) == 1


async def test_skipped_cases_come_last(ledger: Ledger, post: Post) -> None:
    for n in range(3):
        await say(ledger, (await post(n)).prediction_id, "thor", "loki")
    first = await only(ledger, MIRA)
    await ledger.review.decide(MIRA, first.case_id, first.revision, "skip", None, moment(LATER))
    order = [case.case_id for case in await ledger.review.next(MIRA, count=9, at=moment(LATER))]
    assert len(order) == 3 and order[-1] == first.case_id


async def test_what_people_agree_on_is_approved_in_bulk(ledger: Ledger, post: Post, old: None) -> None:
    for n in range(5):
        await say(ledger, (await post(n)).prediction_id, *["thor"] * 5)
    await say(ledger, (await post("split")).prediction_id, "thor", "thor", "loki", "loki")
    told: list[tuple[int, int]] = []
    seen_by_noah = await only(ledger, NOAH, Filter(agreed=True))
    assert await ledger.review.approve_agreed(MIRA, at=moment(LATER), progress=lambda *n: told.append(n)) == 4
    assert told[-1][0] == told[-1][1]
    await ledger.review.release(NOAH, [seen_by_noah.case_id])
    assert await ledger.review.approve_agreed(MIRA, at=moment(LATER)) == 1
    progress = await ledger.review.progress(MIRA, moment(LATER))
    assert (progress.open, progress.agreed, progress.approved) == (1, 0, 5)
    assert (await ledger.review.agreement(MIRA)).judged == 0  # nobody looked at them


async def test_a_bulk_approval_is_undone_as_one_but_for_what_was_decided_since(
    ledger: Ledger, post: Post, old: None
) -> None:
    for n in range(6):
        await say(ledger, (await post(n)).prediction_id, *["thor"] * 5)
    first = await only(ledger, MIRA)
    await ledger.review.decide(MIRA, first.case_id, first.revision, "reject", None, moment(LATER))
    assert await ledger.review.approve_agreed(MIRA, at=moment(LATER + 1)) == 5
    changed, *_ = await ledger.review.next(NOAH, Filter("approved"), at=moment(LATER + 2))
    await ledger.review.decide(
        NOAH, changed.case_id, changed.revision, "approve", ("loki",), moment(LATER + 2)
    )
    back = await ledger.review.undo(MIRA, moment(LATER + 3))
    assert back is not None and back.status == "open"
    progress = await ledger.review.progress(MIRA, moment(LATER + 3))
    assert (progress.open, progress.approved, progress.rejected) == (4, 1, 1)
    assert (await ledger.review.case(MIRA, changed.case_id)).decided == ("loki",)


async def test_a_bulk_approval_is_undone_though_one_of_its_posters_was_forgotten(
    ledger: Ledger, post: Post, old: None
) -> None:
    gone = ("discord", "4711")
    for n in range(4):
        poster = gone if n % 2 else PEOPLE[0]
        await say(ledger, (await post(n, poster=poster)).prediction_id, *["thor"] * 5)
    assert await ledger.review.approve_agreed(MIRA, at=moment(LATER)) == 4
    await ledger.privacy.forget(gone, moment(LATER + 1))
    assert await ledger.review.undo(MIRA, moment(LATER + 2)) is not None
    progress = await ledger.review.progress(MIRA, moment(LATER + 2))
    assert (progress.open, progress.approved) == (2, 0)
    assert await ledger.review.undo(MIRA, moment(LATER + 3)) is None


async def test_small_servers_may_let_agreement_approve(url: str, tmp_path: Path) -> None:
    ledger = await Ledger.open(url, tmp_path, review=ReviewRules(quorum=3, auto_approve="agreed"))
    try:
        where = address("first", community="long ago")
        first = await ledger.record(where, 0, ANNA, seen("first"), "b1", "fp32", answer(), 1.0, moment())
        await say(ledger, first.prediction_id, *["thor"] * len(PEOPLE), minutes=0)
        recorded = await ledger.record(
            address(1), 0, PEOPLE[0], seen(1), "b1", "fp32", answer(), 1.0, moment()
        )
        await say(ledger, recorded.prediction_id, *["thor"] * 2)
        assert (await ledger.review.progress(MIRA)).approved == 0
        await say(ledger, recorded.prediction_id, *["thor"] * 5)
        (entry,) = await ledger.review.history(MIRA)
        assert (entry.who, entry.action) == ("auto", "auto")
        (case,) = await ledger.review.next(MIRA, Filter("approved"))
        assert case.decided == ("thor",)
    finally:
        await ledger.close()
