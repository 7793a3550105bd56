"""Pictures, predictions and replies: recorded once, found again, forgotten when the message goes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from corrections.errors import NotFound, Withdrawn
from corrections.ledger import Ledger
from corrections.types import Recorded
from model.types import Verdict
from tests.corrections.conftest import Post
from tests.corrections.support import ANNA, BELA, address, answer, digest, moment, near_key, seen


async def test_what_is_recorded_comes_back(ledger: Ledger, post: Post, tmp_path: Path) -> None:
    done = await post(1, slot=2)
    view = await ledger.prediction(done.prediction_id)
    assert view is not None and done.new
    assert view.address == address(1) and view.slot == 2 and view.community == ("discord", "guild")
    assert view.poster_key == ledger.person_key(ANNA) != ledger.person_key(BELA)
    assert (view.character, view.verdict, view.confidence, view.known) == (
        "iron-man",
        Verdict.UNSURE,
        0.7,
        0.9,
    )
    assert view.ranked == answer().ranked[:10]
    assert (view.bundle, view.level, view.milliseconds, view.at) == ("b1", "fp32", 12.5, moment())
    assert view.blob_sha256 == digest(1) and view.reply is None
    assert await ledger.picture(view.blob_sha256) == seen(1).stored
    assert (tmp_path / "blobs" / digest(1)[:2] / f"{digest(1)[2:]}.webp").read_bytes() == seen(1).stored
    assert await ledger.prediction(999) is None
    assert await ledger.picture("0" * 64) is None


async def test_recording_twice_gives_the_same_ids(ledger: Ledger, post: Post) -> None:
    first = await post(1)
    assert await post(1) == Recorded(first.prediction_id, first.post_id, new=False)
    other = await post(1, bundle="b2")
    assert other.post_id == first.post_id and other.prediction_id != first.prediction_id and other.new
    assert (await post(1, slot=1)).post_id != first.post_id


async def test_the_same_message_at_once_is_recorded_once(ledger: Ledger, post: Post) -> None:
    async with asyncio.timeout(60):
        done = await asyncio.gather(*(post(1) for _ in range(10)), *(post(2, "same") for _ in range(10)))
    assert len({d.prediction_id for d in done[:10]}) == len({d.prediction_id for d in done[10:]}) == 1
    assert sum(d.new for d in done) == 2


async def test_two_processes_may_record_the_same_message(url: str, tmp_path: Path) -> None:
    ledgers = [await Ledger.open(url, tmp_path) for _ in range(3)]
    try:
        async with asyncio.timeout(60):
            done = await asyncio.gather(
                *(
                    ledger.record(address(n), 0, ANNA, seen(n % 2), "b1", "fp32", answer(), 1.0, moment())
                    for ledger in ledgers
                    for n in range(6)
                )
            )
        assert sum(d.new for d in done) == 6
        assert len({d.prediction_id for d in done}) == 6
        await ledgers[1].vote(done[0].prediction_id, BELA, frozenset({"thor"}), moment(1))
        views = [await ledger.tally(done[2].prediction_id) for ledger in ledgers]
        assert [v.voters for v in views] == [1, 1, 1]  # one case in all three processes
    finally:
        for ledger in ledgers:
            await ledger.close()


async def test_replies_are_found_by_the_message_they_answer(ledger: Ledger, post: Post) -> None:
    a, b = await post(1, slot=0), await post(1, "another", slot=1)
    assert await ledger.reply_to(address(1)) is None
    reply = address(77)
    await ledger.replied([a.prediction_id, b.prediction_id], reply)
    await ledger.replied([a.prediction_id, b.prediction_id], reply)
    assert await ledger.reply_to(address(1)) == reply
    view = await ledger.prediction(b.prediction_id)
    assert view is not None and view.reply == reply
    assert await ledger.message_deleted(address(1)) == [reply]
    with pytest.raises(NotFound):
        await ledger.replied([a.prediction_id, 999], reply)


async def test_a_deleted_message_is_forgotten_and_its_votes_stay(ledger: Ledger, post: Post) -> None:
    done = await post(1)
    await ledger.replied([done.prediction_id], address(2))
    await ledger.vote(done.prediction_id, BELA, frozenset({"thor"}), moment(1))
    assert await ledger.message_deleted(address(1)) == [address(2)]
    assert await ledger.message_deleted(address(1)) == []
    view = await ledger.prediction(done.prediction_id)
    assert view is not None and view.address is None and view.reply is None
    assert await ledger.reply_to(address(1)) is None
    assert await ledger.picture(digest(1)) is None
    assert (await ledger.tally(done.prediction_id)).characters == {"thor": 1}
    assert (await ledger.votes_of(BELA))[0].address is None
    with pytest.raises(Withdrawn):
        await post(1)


async def test_bytes_that_another_message_shows_stay(ledger: Ledger, post: Post) -> None:
    await post(1, "still")
    await post(2, "still")
    await ledger.message_deleted(address(1))
    assert await ledger.picture(digest("still")) == seen("still").stored
    await ledger.message_deleted(address(2))
    assert await ledger.picture(digest("still")) is None
    await post(3, "still")  # posted again: kept again
    assert await ledger.picture(digest("still")) == seen("still").stored


async def test_a_picture_still_looked_at_when_its_message_goes_is_not_recorded(
    url: str, tmp_path: Path
) -> None:
    ledger = await Ledger.open(url, tmp_path)
    assert await ledger.message_deleted(address(1)) == []
    with pytest.raises(Withdrawn):
        await ledger.record(address(1), 0, ANNA, seen(1), "b1", "fp32", answer(), 1.0, moment())
    await ledger.record(address(2), 0, ANNA, seen(2), "b1", "fp32", answer(), 1.0, moment())
    await ledger.message_deleted(address(2))
    await ledger.close()
    again = await Ledger.open(url, tmp_path)  # known even after a restart
    with pytest.raises(Withdrawn):
        await again.record(address(2), 0, ANNA, seen(2), "b1", "fp32", answer(), 1.0, moment())
    await again.close()


async def test_near_copies_share_a_case_after_a_restart_too(url: str, tmp_path: Path) -> None:
    ids = []
    for n in range(3):
        ledger = await Ledger.open(url, tmp_path)
        done = await ledger.record(
            address(n), 0, ANNA, seen("still", flips=n * 30), "b1", "fp32", answer(), 1.0, moment(n)
        )
        await ledger.vote(done.prediction_id, ("discord", str(n)), frozenset({"thor"}), moment(n))
        ids.append(done.prediction_id)
        assert (await ledger.tally(ids[0])).voters == n + 1
        await ledger.close()


async def test_pictures_without_detail_are_not_one_case(ledger: Ledger) -> None:
    flat = "8" + "0" * 63
    a = await ledger.record(
        address(1), 0, ANNA, replace(seen(1), near_key=flat), "b", "l", answer(), 1.0, moment()
    )
    b = await ledger.record(
        address(2), 0, ANNA, replace(seen(2), near_key=flat), "b", "l", answer(), 1.0, moment()
    )
    await ledger.vote(a.prediction_id, BELA, frozenset({"thor"}), moment())
    assert (await ledger.tally(a.prediction_id)).voters == 1
    assert (await ledger.tally(b.prediction_id)).voters == 0
    assert near_key("x") != near_key("y")


async def test_our_own_messages_are_found_by_their_address(ledger: Ledger, post: Post) -> None:
    second, first = await post(1, slot=1), await post(1, "another", slot=0)
    assert await ledger.latest_reply("discord", "pictures") == ()
    await ledger.replied([second.prediction_id, first.prediction_id], address(10))
    both = (first.prediction_id, second.prediction_id)  # in the order of the pictures
    assert await ledger.answered_by(address(10)) == await ledger.latest_reply("discord", "pictures") == both
    newer = await post(2)
    await ledger.replied([newer.prediction_id], address(11))
    assert await ledger.latest_reply("discord", "pictures") == (newer.prediction_id,)
    assert await ledger.answered_by(address(10)) == both
    assert await ledger.answered_by(address(1)) == () == await ledger.latest_reply("telegram", "pictures")
