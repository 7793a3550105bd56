"""Whoever asks to be forgotten is: nothing that is theirs stays, and nothing of anybody else's goes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from pathlib import Path

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.blobs import BlobStore
from corrections.errors import LedgerError, NotFound, WasForgotten
from corrections.export.types import ExportQuery, Policy
from corrections.ledger import Ledger
from corrections.people import FORGOTTEN_PERSON
from corrections.review.types import Filter, Moderator
from corrections.tables import (
    BlobRow,
    CaseRow,
    CharacterRow,
    CommunityRow,
    ConsentRow,
    DecisionRow,
    LinkRow,
    PersonRow,
    PostRow,
    PredictionRow,
    ReplyRow,
    SnapshotItemRow,
    SnapshotRow,
    TombstoneRow,
    TrustRow,
    VoteCaseRow,
    VoteEventRow,
    VoteRow,
)
from corrections.types import Address, CommunitySettings
from tests.corrections.conftest import Post
from tests.corrections.many import number_on
from tests.corrections.raw import everything, file_of
from tests.corrections.support import (
    ANNA,
    BELA,
    CARO,
    GUILD,
    address,
    answer,
    digest,
    moment,
    near_key,
    seen,
)

THOR, LOKI = frozenset({"thor"}), frozenset({"loki"})
PERSON = ("discord", "424242424242")
"""Somebody whose id is not found in a file by chance."""


def files(folder: Path) -> set[str]:
    return {name for _, _, names in os.walk(folder / "blobs") for name in names}


async def statuses(ledger: Ledger) -> list[str]:
    async with ledger.work.read() as session:
        return list(await session.scalars(select(CaseRow.status).order_by(CaseRow.id)))


async def test_nothing_of_them_is_left(ledger: Ledger, post: Post, url: str, tmp_path: Path) -> None:
    mine = await post("mine", poster=PERSON)
    theirs = await post("theirs", poster=BELA)
    reply = Address("discord", "guild", "pictures", "our-answer")
    await ledger.replied([mine.prediction_id], reply)
    await ledger.vote(mine.prediction_id, PERSON, THOR, moment(1))
    await ledger.vote(theirs.prediction_id, PERSON, THOR, moment(2))
    await ledger.vote(theirs.prediction_id, PERSON, LOKI, moment(3))
    await ledger.privacy.choose(PERSON, "all", moment(4))
    await ledger.propose("Rocket Raccoon", PERSON, GUILD, moment(4))
    await ledger.links.make("login", moment(4), 10, PERSON, GUILD)
    key = ledger.person_key(PERSON)

    done = await ledger.privacy.forget(PERSON, moment(5))
    assert (done.pictures, done.votes, done.replies) == (1, 2, (reply,))
    assert await ledger.privacy.standing(PERSON) == "ask"
    assert await ledger.votes_of(PERSON) == []
    assert await ledger.prediction(mine.prediction_id) is None
    assert await ledger.picture(digest("mine")) is None and await ledger.picture(digest("theirs"))
    assert (await ledger.tally(theirs.prediction_id)).voters == 0
    assert await ledger.answered_by(reply) == ()
    assert files(tmp_path) == {f"{digest('theirs')[2:]}.webp"}
    assert await statuses(ledger) == ["withdrawn", "open"]
    async with ledger.work.read() as session:
        for table in (VoteRow, VoteEventRow, ConsentRow, LinkRow):
            assert await session.scalar(select(func.count()).select_from(table)) == 0, table
        assert await session.scalar(select(CharacterRow.status).where(CharacterRow.slug == "rocket-raccoon"))
        assert not await session.scalar(select(CharacterRow.id).where(CharacterRow.proposed_by.is_not(None)))
    kept = everything(url)
    for trace in (PERSON[1], key, digest("mine"), near_key("mine"), seen("mine").sha256, "our-answer"):
        assert trace not in kept, trace
    file = file_of(url)
    for each in (file, file.with_name(f"{file.name}-wal")) if file else ():  # nor between the rows
        raw = each.read_bytes()
        for trace in (PERSON[1], key, digest("mine"), near_key("mine"), seen("mine").sha256, "our-answer"):
            assert trace.encode() not in raw, (each.name, trace)
    again = await ledger.privacy.forget(PERSON, moment(6))
    assert (again.pictures, again.votes, again.replies) == (0, 0, ())


async def test_what_others_said_stays_and_is_theirs_to_change(ledger: Ledger, post: Post) -> None:
    mine = await post("mine")
    copy = await post("copy", "mine", flips=2, poster=CARO)
    await ledger.vote(mine.prediction_id, BELA, THOR, moment(1))
    await ledger.vote(mine.prediction_id, ANNA, LOKI, moment(1))
    await ledger.privacy.forget(ANNA, moment(2))
    assert await statuses(ledger) == ["open", "withdrawn"]  # the second is a shell for Bela's vote
    assert (await ledger.tally(copy.prediction_id)).characters == {"thor": 1}
    (said,) = await ledger.votes_of(BELA)
    assert (said.labels, said.address) == (THOR, None)
    assert said.blob_sha256 != digest("mine")
    undone = await ledger.undo(BELA, said.prediction_id, at=moment(3))
    assert undone is not None and undone.labels is None
    with pytest.raises(NotFound):
        await ledger.replied([mine.prediction_id], address("too late"))
    with pytest.raises(NotFound):
        await ledger.privacy.allow(mine.prediction_id, ANNA, moment(4))
    assert not await ledger.privacy.asks(mine.prediction_id)


async def test_cases_are_counted_again(ledger: Ledger, post: Post) -> None:
    theirs = await post("theirs", poster=CARO)
    await ledger.vote(theirs.prediction_id, ANNA, THOR, moment(1))
    operator = Moderator(("discord", "9"))
    (before,) = await ledger.review.next(operator, at=moment(2))
    assert (before.leading, before.voters) == (("thor",), 1)
    await ledger.review.release(operator, [before.case_id])
    await ledger.privacy.forget(ANNA, moment(3))
    (after,) = await ledger.review.next(operator, at=moment(4))
    assert (after.leading, after.voters) == (None, 0) and after.revision > before.revision


async def test_what_is_withdrawn_is_out_of_a_moderators_reach(ledger: Ledger, post: Post) -> None:
    """Also the picture of another community that a forgotten one was a copy of, and also by undoing."""
    mine = await post("mine", "shared")
    await post("theirs", "shared", poster=CARO, community="elsewhere")
    await ledger.vote(mine.prediction_id, BELA, THOR, moment(1))
    moderator = Moderator(("discord", "9"), GUILD)
    (case,) = await ledger.review.next(moderator, at=moment(2))
    await ledger.review.decide(moderator, case.case_id, case.revision, "approve", ("thor",), moment(2))
    await ledger.privacy.forget(ANNA, moment(3))
    for status in ("open", "approved", "rejected", "withdrawn"):
        assert await ledger.review.next(moderator, Filter(status=status), at=moment(4)) == []
    with pytest.raises(NotFound):
        await ledger.review.case(moderator, case.case_id)
    with pytest.raises(NotFound):
        await ledger.review.picture(moderator, case.case_id, digest("shared"))
    with pytest.raises(NotFound):
        await ledger.review.decide(moderator, case.case_id, case.revision + 2, "reject", None, moment(4))
    assert await ledger.review.undo(moderator, moment(4)) is None
    assert await ledger.picture(digest("shared"))
    # The same picture posted there by somebody else is a case of its own.
    await post("again", "shared", poster=BELA, minutes=5)
    (fresh,) = await ledger.review.next(moderator, at=moment(6))
    assert (fresh.status, fresh.decided, fresh.voters) == ("open", None, 0)
    assert fresh.case_id != case.case_id


async def test_a_picture_that_somebody_else_posted_too_stays(
    ledger: Ledger, post: Post, tmp_path: Path
) -> None:
    await post("a", "shared")
    other = await post("b", "shared", poster=BELA, community="elsewhere")
    await post("c", "shared", poster=ANNA)
    assert (await ledger.privacy.forget(ANNA, moment(1))).pictures == 2
    assert await ledger.picture(digest("shared")) == seen("shared").stored
    assert await statuses(ledger) == ["withdrawn", "open"]
    view = await ledger.prediction(other.prediction_id)
    assert view is not None and view.blob_sha256 == digest("shared")
    assert (await ledger.privacy.forget(BELA, moment(2))).pictures == 1
    assert files(tmp_path) == set() and await statuses(ledger) == ["withdrawn", "withdrawn"]


async def test_two_who_leave_a_voted_case_leave_nothing_of_it(ledger: Ledger, post: Post) -> None:
    for person in (ANNA, BELA):
        done = await post(person[1], "same", poster=person)
        await ledger.vote(done.prediction_id, CARO, THOR, moment(1))
    await ledger.privacy.forget(ANNA, moment(2))
    assert await statuses(ledger) == ["open", "withdrawn"] and await ledger.picture(digest("same"))
    await ledger.privacy.forget(BELA, moment(3))
    assert set(await statuses(ledger)) == {"withdrawn"} and await ledger.picture(digest("same")) is None
    assert len(await ledger.votes_of(CARO)) == 1


async def test_whoever_comes_back_is_somebody_new(ledger: Ledger, post: Post) -> None:
    await post("old")
    await ledger.privacy.choose(ANNA, "all", moment(1))
    await ledger.privacy.forget(ANNA, moment(2))
    fresh = await post("new", "old", minutes=3)
    assert fresh.new and await ledger.privacy.asks(fresh.prediction_id)
    assert await ledger.picture(digest("old"))
    assert await statuses(ledger) == ["withdrawn", "open"]
    near = await post("near", "old", flips=3, poster=BELA, minutes=4)
    assert near.new and await statuses(ledger) == ["withdrawn", "open"]


async def test_a_process_that_still_knows_a_near_key_opens_the_case_again(
    ledger: Ledger, post: Post, url: str, tmp_path: Path
) -> None:
    await post("old")
    await post("another", poster=BELA)  # from here on this process knows the near key of the first
    elsewhere = await Ledger.open(url, tmp_path)
    try:
        await elsewhere.privacy.forget(ANNA, moment(1))
    finally:
        await elsewhere.close()
    assert await statuses(ledger) == ["withdrawn", "open"]
    await post("new", "old", flips=3, poster=BELA, minutes=2)
    assert await statuses(ledger) == ["open", "open"]


async def test_an_old_message_is_not_taken_for_a_new_one(ledger: Ledger, post: Post, tmp_path: Path) -> None:
    await post("old")
    await ledger.privacy.forget(ANNA, moment(1))
    with pytest.raises(WasForgotten):
        await post("old", minutes=60)
    assert files(tmp_path) == set()


async def test_what_is_on_its_way_is_not_kept(ledger: Ledger, post: Post, tmp_path: Path) -> None:
    """Looked at before, recorded after: also under the person's new row, and also for a new person."""
    for already_back in (False, True):
        forgotten = moment(20 if already_back else 10)
        await ledger.privacy.forget(ANNA, forgotten)
        if already_back:
            await post("back", minutes=21)
        with pytest.raises(WasForgotten):
            await ledger.record(
                address("slow"),
                0,
                ANNA,
                seen("slow"),
                "b1",
                "fp32",
                answer(),
                1.0,
                moment(30),
                since=moment(9),
            )
        assert f"{digest('slow')[2:]}.webp" not in files(tmp_path)
    other = await post("other", poster=BELA, minutes=22)
    with pytest.raises(WasForgotten):
        await ledger.vote(other.prediction_id, ANNA, THOR, moment(19))
    await ledger.vote(other.prediction_id, ANNA, THOR, moment(23))
    # A day later nothing is on its way any more, and the hash of who they were goes as well.
    for minutes, left in ((60, 1), (2 * 24 * 60, 0)):
        await ledger.sweep(moment(minutes))
        async with ledger.work.read() as session:
            buried = select(func.count()).where(TombstoneRow.kind == FORGOTTEN_PERSON)
            assert await session.scalar(buried) == left


@pytest.mark.parametrize("first", [True, False])
async def test_forgetting_and_recording_at_once(
    ledger: Ledger, post: Post, tmp_path: Path, first: bool
) -> None:
    """Whichever wins: afterwards the picture is not there."""
    await post("one")

    async def record() -> None:
        with contextlib.suppress(WasForgotten):
            await post("two", minutes=1)

    forget = ledger.privacy.forget(ANNA, moment(2))
    await asyncio.gather(*((forget, record()) if first else (record(), forget)))
    assert files(tmp_path) == set()
    async with ledger.work.read() as session:
        assert await session.scalar(select(func.count()).select_from(PostRow)) == 0


async def test_a_picture_posted_by_another_at_that_moment_is_kept(
    ledger: Ledger, post: Post, tmp_path: Path
) -> None:
    for n in range(20):
        await post(("mine", n), ("shared", n), minutes=n - 0.5)
        await asyncio.gather(
            ledger.privacy.forget(ANNA, moment(n)),
            post(("theirs", n), ("shared", n), poster=BELA, minutes=n),
        )
        assert await ledger.picture(digest(("shared", n))) == seen(("shared", n)).stored


async def test_a_private_chat_loses_its_name(ledger: Ledger, post: Post, url: str) -> None:
    home = ("discord", f"dm:{PERSON[1]}")
    mine = await post("mine", poster=PERSON, community=home[1])
    await ledger.vote(mine.prediction_id, PERSON, THOR, moment(1))
    await ledger.propose("My dog Rex", PERSON, home, moment(1))
    await ledger.change_settings(home, PERSON, CommunitySettings(language="zh-CN"), moment(1))
    await ledger.links.make("login", moment(1), 10, PERSON, home)

    async def snapshot(session: AsyncSession) -> None:
        where = await session.scalar(select(CommunityRow.id).where(CommunityRow.native == home[1]))
        session.add(
            SnapshotRow(
                community_id=where,
                name="s",
                items=0,
                manifest_sha256="0" * 64,
                manifest={"query": {"community": list(home)}, "items": 0},
                created_at=moment(1),
            )
        )

    await ledger.work.write(snapshot)
    await ledger.privacy.forget(PERSON, moment(2))
    kept = everything(url)
    for trace in (PERSON[1], "Rex", "rex"):
        assert trace not in kept, trace
    assert await ledger.community_settings(home) == CommunitySettings()
    assert not await ledger.resolve("My dog Rex", home)


async def test_a_moderators_decisions_stay_and_are_nobodys(ledger: Ledger, post: Post) -> None:
    done = await post("theirs", poster=BELA)
    await ledger.vote(done.prediction_id, ANNA, THOR, moment(1))

    async def decide(session: AsyncSession) -> int:
        anna = await session.scalar(
            select(PersonRow.id).where(PersonRow.person_key == ledger.person_key(ANNA))
        )
        case = await session.scalar(select(CaseRow))
        community = await session.scalar(select(CommunityRow.id))
        assert anna and case and community
        case.status, case.decided, case.claimed_by, case.claimed_until = "approved", ["thor"], anna, moment(3)
        session.add(
            DecisionRow(
                person_id=anna,
                community_id=community,
                case_id=case.id,
                action="approve",
                created_at=moment(1),
            )
        )
        session.add(TrustRow(community_id=community, person_id=anna, judged=3, confirmed=3))
        return anna

    anna = await ledger.work.write(decide)
    await ledger.privacy.forget(ANNA, moment(2))
    async with ledger.work.read() as session:
        decision = (await session.scalars(select(DecisionRow))).one()
        person = await session.get_one(PersonRow, anna)
        case = (await session.scalars(select(CaseRow))).one()
        assert decision.person_id == anna and person.person_key != ledger.person_key(ANNA)
        assert (case.status, case.decided, case.claimed_by) == ("approved", ["thor"], None)
        assert (await session.scalars(select(TrustRow))).all() == []
    assert await ledger.picture(digest("theirs"))


async def test_earlier_snapshots_list_what_was_withdrawn(ledger: Ledger, post: Post) -> None:
    await post("mine")
    await post("both")
    await post("both-too", "both", poster=BELA)
    await post("unrelated", poster=BELA)
    for person in (ANNA, BELA):
        await ledger.privacy.choose(person, "all", moment(1))
    names = ("mine", "both", "unrelated")

    async def snapshot(session: AsyncSession) -> None:
        row = SnapshotRow(name="s", items=3, manifest_sha256="0" * 64, manifest={}, created_at=moment(1))
        session.add(row)
        await session.flush()
        await session.execute(
            insert(SnapshotItemRow),
            [{"snapshot_id": row.id, "file_name": f"{name}.webp", "sha256": digest(name)} for name in names],
        )

    await ledger.work.write(snapshot)
    await ledger.privacy.forget(ANNA, moment(2))
    async with ledger.work.read() as session:
        rows = await session.execute(select(SnapshotItemRow.file_name, SnapshotItemRow.withdrawn_at))
    assert {name.partition(".")[0] for name, at in rows if at is not None} == {"mine"}


async def test_no_later_export_has_it_and_an_earlier_one_says_so(
    ledger: Ledger, post: Post, url: str, tmp_path: Path
) -> None:
    """With the export itself, from a private chat of theirs as well."""
    home = f"dm:{PERSON[1]}"
    for name, poster, community in (
        ("mine", PERSON, "guild"),
        ("home", PERSON, home),
        ("theirs", BELA, "guild"),
    ):
        await post(name, poster=poster, community=community)
        await ledger.privacy.choose(poster, "all", moment(1))
    operator = Moderator(("discord", "9"))
    for case in await ledger.review.next(operator, count=5, at=moment(2)):
        await ledger.review.decide(operator, case.case_id, case.revision, "approve", ("thor",), moment(2))
    policy, everything_, at_home = Policy(True, 0.0, 0.0), ExportQuery(), ExportQuery(("discord", home))
    whole = await ledger.exports.export(tmp_path / "whole", everything_, policy, "csv", operator)
    chat = await ledger.exports.export(tmp_path / "chat", at_home, policy, "csv", operator)
    assert (whole.items, chat.items) == (3, 1)

    await ledger.privacy.forget(PERSON, moment(3))
    later = await ledger.exports.export(tmp_path / "later", everything_, policy, "csv", operator)
    assert (later.items, later.withdrawn) == (1, 0)
    with pytest.raises(LedgerError):
        await ledger.exports.export(tmp_path / "chat-later", at_home, policy, "csv", operator)
    found = {each.name: each.withdrawn for each in await ledger.exports.snapshots(operator)}
    assert found == {whole.name: 2, chat.name: 1, later.name: 0}
    assert len(await ledger.exports.withdrawn(operator, whole.name)) == 2
    assert PERSON[1] not in everything(url)


async def test_of_a_disk_that_refuses_nothing_is_half_forgotten(
    ledger: Ledger, post: Post, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await post("mine")

    def refuse(*_: object) -> int:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr("corrections.blobs.BlobStore.delete", refuse)
        with pytest.raises(Exception, match="cannot be read or written"):
            await ledger.privacy.forget(ANNA, moment(1))
    assert await ledger.picture(digest("mine"))
    assert (await ledger.privacy.forget(ANNA, moment(2))).pictures == 1
    assert files(tmp_path) == set()


MANY, OTHERS = 2_000, 3_000
A_MINUTE = 60.0


async def test_thousands_of_pictures_go_within_a_minute(ledger: Ledger, post: Post, tmp_path: Path) -> None:
    """2,000 pictures and 5,000 votes among 5,000 posts; it takes a tenth of what is allowed, or less."""
    await post("first")
    await post("second", poster=BELA)
    store = BlobStore(tmp_path)
    for n in range(200):  # files in number; the disk's own speed is another matter
        store.put(f"{n:064x}", "webp", b"x")
    await ledger.work.write(_fill)
    await ledger.work.write(number_on)
    began = time.perf_counter()
    done = await ledger.privacy.forget(ANNA, moment(1))
    seconds = time.perf_counter() - began
    print(f"forgetting {done.pictures} pictures and {done.votes} votes took {seconds:.2f} s")
    assert (done.pictures, done.votes, len(done.replies)) == (MANY + 1, MANY + OTHERS, MANY)
    assert seconds < A_MINUTE
    assert files(tmp_path) == {f"{digest('second')[2:]}.webp"}
    async with ledger.work.read() as session:
        left = select(func.count()).select_from(PostRow).where(PostRow.message.is_not(None))
        assert await session.scalar(left) == OTHERS + 1
        assert await session.scalar(select(func.count()).select_from(VoteRow)) == MANY


async def _fill(session: AsyncSession) -> None:
    """Thousands of posts of Anna's and Bela's, each with a case and an answer; Anna votes on all."""
    found = await session.execute(select(PostRow.person_id, PostRow.community_id))
    people = {row.person_id: row.community_id for row in found}
    anna, bela = sorted(people)
    where = people[anna]
    rows = range(MANY + OTHERS)
    at = moment()
    await session.execute(
        insert(CaseRow),
        [{"id": 100 + n, "community_id": where, "status": "open", "created_at": at} for n in rows],
    )
    await session.execute(
        insert(BlobRow),
        [
            {
                "id": 100 + n,
                "sha256": f"{n:064x}",
                "near_key": near_key(n),
                "size": 1,
                "format": "webp",
                "width": 1,
                "height": 1,
                "created_at": at,
                "posted_at": at,
            }
            for n in rows
        ],
    )
    await session.execute(
        insert(PostRow),
        [
            {
                "id": 100 + n,
                "blob_id": 100 + n,
                "case_id": 100 + n,
                "person_id": anna if n < MANY else bela,
                "community_id": where,
                "platform": "discord",
                "channel": "pictures",
                "message": f"many-{n}",
                "slot": 0,
                "original_sha256": f"{n:064x}",
                "created_at": at,
            }
            for n in rows
        ],
    )
    await session.execute(
        insert(PredictionRow),
        [
            {
                "id": 100 + n,
                "post_id": 100 + n,
                "bundle": "b1",
                "level": "fp32",
                "verdict": "sure",
                "character": "thor",
                "confidence": 0.9,
                "known": 0.9,
                "ranked": [["thor", 0.9]],
                "milliseconds": 1.0,
                "created_at": at,
            }
            for n in rows
        ],
    )
    await session.execute(
        insert(ReplyRow),
        [
            {
                "prediction_id": 100 + n,
                "community_id": where,
                "platform": "discord",
                "channel": "pictures",
                "message": f"reply-{n}",
                "created_at": at,
            }
            for n in range(MANY)
        ],
    )
    # Anna votes on everything, Bela on Anna's.
    said = [(anna, n) for n in rows] + [(bela, n) for n in range(MANY)]
    votes = [
        {"person_id": who, "blob_id": 100 + n, "prediction_id": 100 + n, "created_at": at} for who, n in said
    ]
    await session.execute(
        insert(VoteEventRow),
        [
            {**vote, "id": 1 + k, "case_id": vote["blob_id"], "action": "vote", "labels": ["thor"]}
            for k, vote in enumerate(votes)
        ],
    )
    await session.execute(
        insert(VoteRow), [{**vote, "id": 1 + k, "event_id": 1 + k} for k, vote in enumerate(votes)]
    )
    await session.execute(
        insert(VoteCaseRow), [{"vote_id": 1 + k, "case_id": vote["blob_id"]} for k, vote in enumerate(votes)]
    )
