"""One vote a person a picture, changeable, undoable, counted where it was given."""

from __future__ import annotations

import pytest

from corrections.errors import BadLabel, NotFound, UnknownLabel
from corrections.ledger import Ledger
from corrections.types import Tally
from tests.corrections.conftest import Post
from tests.corrections.support import ANNA, BELA, CARO, GUILD, OTHER, address, digest, moment

THOR, LOKI, BOTH, NOBODY = (
    frozenset({"thor"}),
    frozenset({"loki"}),
    frozenset({"thor", "loki"}),
    frozenset[str](),
)


async def test_a_vote_is_given_changed_and_undone_step_by_step(ledger: Ledger, post: Post) -> None:
    pid = (await post(1)).prediction_id
    first = await ledger.vote(pid, BELA, THOR, moment(1))
    assert (first.labels, first.previous, first.changed) == (THOR, None, True)
    again = await ledger.vote(pid, BELA, THOR, moment(2))
    assert (again.labels, again.previous, again.changed) == (THOR, THOR, False)
    assert (await ledger.vote(pid, BELA, NOBODY, moment(3))).previous == THOR
    assert (await ledger.vote(pid, BELA, BOTH, moment(4))).previous == NOBODY

    back = await ledger.undo(BELA, pid, at=moment(5))
    assert back is not None and (back.labels, back.previous) == (NOBODY, BOTH)
    back = await ledger.undo(BELA, pid, at=moment(6))
    assert back is not None and (back.labels, back.previous) == (THOR, NOBODY)
    back = await ledger.undo(BELA, pid, at=moment(7))
    assert back is not None and (back.labels, back.previous) == (None, THOR)
    assert await ledger.undo(BELA, pid, at=moment(8)) is None
    assert await ledger.votes_of(BELA) == []


async def test_undo_without_a_picture_goes_back_in_time(ledger: Ledger, post: Post) -> None:
    a, b = (await post(1)).prediction_id, (await post(2)).prediction_id
    await ledger.vote(a, BELA, THOR, moment(1))
    await ledger.vote(b, BELA, LOKI, moment(2))
    await ledger.vote(a, BELA, NOBODY, moment(3))
    await ledger.vote(b, CARO, THOR, moment(4))
    steps = [await ledger.undo(BELA, at=moment(5)) for _ in range(4)]
    assert [(s.prediction_id, s.labels) if s else None for s in steps] == [
        (a, THOR),
        (b, None),
        (a, None),
        None,
    ]
    assert await ledger.undo(("discord", "a stranger"), at=moment(6)) is None
    assert (await ledger.tally(b)).characters == {"thor": 1}


async def test_the_tally_counts_one_voice_a_person_over_near_copies(ledger: Ledger, post: Post) -> None:
    original = (await post(1, "still")).prediction_id
    copy = (await post(2, "still", flips=20)).prediction_id
    stranger = (await post(3, "another")).prediction_id
    await ledger.vote(original, ANNA, THOR, moment(1))
    await ledger.vote(copy, BELA, BOTH, moment(2))
    await ledger.vote(copy, CARO, THOR, moment(3))
    await ledger.vote(original, CARO, NOBODY, moment(4))  # her latest word counts, on whichever copy
    assert await ledger.tally(original) == Tally({"thor": 2, "loki": 1}, nobody=1, voters=3)
    assert await ledger.tally(copy) == await ledger.tally(original)
    assert await ledger.tally(stranger) == Tally({}, nobody=0, voters=0)


async def test_a_vote_counts_where_it_was_given_only(ledger: Ledger, post: Post) -> None:
    here = (await post(1, "still")).prediction_id
    there = (await post(2, "still", community="elsewhere")).prediction_id
    await ledger.vote(here, BELA, THOR, moment(1))
    assert (await ledger.tally(here)).voters == 1
    assert (await ledger.tally(there)).voters == 0
    receipt = await ledger.vote(there, BELA, THOR, moment(2))
    assert not receipt.changed
    assert (await ledger.tally(there)).voters == 1
    assert (await ledger.tally(here)).voters == 1
    assert len(await ledger.votes_of(BELA)) == 1
    await ledger.undo(BELA, at=moment(3))
    assert (await ledger.tally(there)).voters == (await ledger.tally(here)).voters == 0


async def test_a_name_of_one_community_is_not_told_to_another(ledger: Ledger, post: Post) -> None:
    here = (await post(1, "still")).prediction_id
    there = (await post(2, "still", community="elsewhere")).prediction_id
    local = await ledger.propose("Moon Knight", BELA, GUILD, moment())
    await ledger.vote(there, BELA, THOR, moment(1))
    with pytest.raises(UnknownLabel):
        await ledger.vote(there, BELA, frozenset({local.slug}), moment(1))
    await ledger.vote(here, BELA, frozenset({local.slug}), moment(2))
    assert (await ledger.tally(here)).characters == {local.slug: 1}
    assert await ledger.tally(there) == Tally({}, nobody=0, voters=0)
    assert local not in await ledger.characters(OTHER)


async def test_labels_may_be_slugs_names_or_aliases(ledger: Ledger, post: Post) -> None:
    pid = (await post(1)).prediction_id
    receipt = await ledger.vote(pid, BELA, frozenset({"spidey", "钢铁侠", "thor"}), moment(1))
    assert receipt.labels == frozenset({"spider-man", "iron-man", "thor"})


@pytest.mark.parametrize("label", ["batman", "nobody", "", "..", "@everyone", "x" * 10_000, "<b>thor</b>"])
async def test_a_label_that_is_no_character_is_refused_and_nothing_is_kept(
    ledger: Ledger, post: Post, label: str
) -> None:
    pid = (await post(1)).prediction_id
    if label == "<b>thor</b>":
        assert not await ledger.resolve(label)
    with pytest.raises(UnknownLabel):
        await ledger.vote(pid, BELA, frozenset({"thor", label}), moment(1))
    assert (await ledger.tally(pid)).voters == 0


async def test_unknown_predictions_and_too_many_labels(ledger: Ledger, post: Post) -> None:
    pid = (await post(1)).prediction_id
    with pytest.raises(NotFound, match="no prediction 999"):
        await ledger.vote(999, BELA, THOR, moment(1))
    with pytest.raises(NotFound):
        await ledger.undo(BELA, 999, at=moment(1))
    with pytest.raises(NotFound):
        await ledger.tally(999)
    with pytest.raises(BadLabel, match="too-many"):
        await ledger.vote(pid, BELA, frozenset(f"c{n}" for n in range(50)), moment(1))


async def test_my_votes_are_read_in_pages(ledger: Ledger, post: Post) -> None:
    pids = [(await post(n)).prediction_id for n in range(5)]
    for n, pid in enumerate(pids):
        await ledger.vote(pid, BELA, BOTH if n % 2 else NOBODY, moment(n))
    first = await ledger.votes_of(BELA, limit=3)
    rest = await ledger.votes_of(BELA, limit=3, before=first[-1].position)
    assert [v.prediction_id for v in first + rest] == pids[::-1]
    assert [v.labels for v in first + rest] == [NOBODY, BOTH, NOBODY, BOTH, NOBODY]
    assert first[0].address == address(4) and first[0].blob_sha256 == digest(4)
    assert first[0].said == "iron-man" and first[0].at == moment(4)
