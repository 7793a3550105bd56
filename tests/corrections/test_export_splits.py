"""Near copies share a split for good, and what was ever in test never trains."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corrections.export.splits import Group, Splitter
from corrections.export.types import Policy, Split
from corrections.ledger import Ledger
from model.near import NEAR
from tests.corrections.exporting import ALL, OPERATOR, Stage, manifest, rows, sha256_of
from tests.corrections.support import ANNA, BELA, OTHER, moment, near_key

TRAIN = Policy(allow_discord=True, validation=0.0, test=0.0)
VALIDATION = Policy(allow_discord=True, validation=1.0, test=0.0)
TEST = Policy(allow_discord=True, validation=0.0, test=1.0)


@pytest.fixture
def stage(ledger: Ledger) -> Stage:
    return Stage(ledger)


async def export(stage: Stage, out: Path, policy: Policy) -> dict[str, str]:
    """By picture its split."""
    await stage.ledger.exports.export(out, ALL, policy, "imagefolder", OPERATOR)
    return {sha256: row["split"] for sha256, row in rows(out).items()}


async def test_near_copies_over_all_communities_share_a_split_for_good(stage: Stage, tmp_path: Path) -> None:
    one = await stage.put(1, "loki")
    two = await stage.put(2, "loki", near=1, flips=20, home=OTHER)
    assert await export(stage, tmp_path / "a", TEST) == {one: "test", two: "test"}
    groups = {row["split_group"] for row in rows(tmp_path / "a").values()}
    assert len(groups) == 1
    # Another policy draws for new groups only.
    three, far = await stage.put(3, "loki", near=1, flips=40), await stage.put(4, "loki")
    assert await export(stage, tmp_path / "b", TRAIN) == {
        one: "test",
        two: "test",
        three: "test",
        far: "train",
    }


async def test_test_wins_and_the_others_leave_training(stage: Stage, tmp_path: Path) -> None:
    held_out = await stage.put("a", "loki", near=1)
    assert await export(stage, tmp_path / "a", TEST) == {held_out: "test"}
    trained = await stage.put("b", "loki", near=1, flips=NEAR + 40)
    assert await export(stage, tmp_path / "b", TRAIN) == {held_out: "test", trained: "train"}
    between = await stage.put("c", "loki", near=1, flips=NEAR - 10)
    assert await export(stage, tmp_path / "c", TRAIN) == {held_out: "test", between: "test"}
    said = manifest(tmp_path / "c")
    assert {
        "reason": "near a test picture",
        "count": 1,
        "sentence": "1 held back: near a test picture",
    } in said["held_back"]
    # For good, and so does what comes near it later.
    late = await stage.put("d", "loki", near=1, flips=NEAR + 80)
    assert late not in await export(stage, tmp_path / "d", TRAIN)
    assert trained not in await export(stage, tmp_path / "e", TRAIN)


async def test_validation_wins_over_training(stage: Stage, tmp_path: Path) -> None:
    chosen_by = await stage.put("a", "loki", near=1)
    assert await export(stage, tmp_path / "a", VALIDATION) == {chosen_by: "validation"}
    trained = await stage.put("b", "loki", near=1, flips=NEAR + 40)
    assert await export(stage, tmp_path / "b", TRAIN) == {chosen_by: "validation", trained: "train"}
    between = await stage.put("c", "loki", near=1, flips=NEAR - 10)
    after = await export(stage, tmp_path / "c", TRAIN)
    assert after == dict.fromkeys((chosen_by, trained, between), "validation")
    assert len({row["split_group"] for row in rows(tmp_path / "c").values()}) == 1
    assert await export(stage, tmp_path / "d", TRAIN) == after


async def test_pictures_without_detail_are_no_copies_of_one_another(stage: Stage, tmp_path: Path) -> None:
    for n in range(4):
        await stage.put(n, "loki", key="0" * 64)
    await export(stage, tmp_path / "a", TRAIN)
    assert len({row["split_group"] for row in rows(tmp_path / "a").values()}) == 4


async def test_the_draw_is_near_to_the_shares_and_the_same_everywhere(stage: Stage) -> None:
    def drawn() -> list[Split | None]:
        splitter = Splitter(Policy(validation=0.2, test=0.1))
        numbers = [splitter.new(near_key(n), sha256_of(n)) for n in range(600)]
        splitter.settle()
        return [splitter.fate(number).split for number in numbers]

    first = drawn()
    assert first == drawn()
    assert 30 <= first.count("test") <= 90 and 80 <= first.count("validation") <= 160


GROUPS = st.lists(st.tuples(st.sampled_from(["train", "validation", "test"]), st.booleans()), max_size=4)
LINKS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12)


@settings(max_examples=200, deadline=None)
@given(
    groups=GROUPS,
    links=LINKS,
    fresh=st.integers(1, 6),
    wanted=st.lists(st.booleans(), min_size=6, max_size=6),
)
def test_whatever_is_near_whatever_no_test_picture_trains(
    groups: list[tuple[Split, bool]], links: list[tuple[int, int]], fresh: int, wanted: list[bool]
) -> None:
    """Families are joined by hand here, as near keys would join them."""
    splitter = Splitter(Policy())
    known = []
    for number, (split, was_test) in enumerate(groups, 1):
        splitter.known(
            Group(number, split, was_test or split == "test"), near_key(f"g{number}"), sha256_of(number)
        )
        known.append(splitter.number_of(number))
    new = [
        splitter.new(near_key(f"n{n}"), sha256_of(f"n{n}"), "test" if wanted[n] else None)
        for n in range(fresh)
    ]
    nodes = [*known, *new]
    joined: list[tuple[int, int]] = []
    for a, b in links:
        if len(new) and a < len(nodes):
            pair = nodes[a], new[b % len(new)]
            splitter._join(*pair)
            joined.append(pair)
    splitter.settle()
    family = {node: splitter._root(node) for node in nodes}
    for node in nodes:
        mates = [other for other in nodes if family[other] == family[node]]
        splits = {splitter.fate(other).split for other in mates}
        # Dropped pictures aside, a family has one split.
        assert len(splits - {None}) <= 1
        held_out = [groups[number] for number, other in enumerate(known) if other in mates]
        if any(split == "test" or was for split, was in held_out) or any(
            wanted[n] for n, other in enumerate(new) if other in mates
        ):
            assert splits <= {"test", None}
    for number, (split, was_test) in enumerate(groups):
        fate = splitter.fate(known[number]).split
        if split == "test":
            assert fate == "test"
        elif was_test:
            assert fate is None
        else:
            assert fate != "test"


async def test_a_test_picture_that_was_forgotten_and_comes_back_is_not_drawn_anew(
    stage: Stage, tmp_path: Path
) -> None:
    """Its group went with whoever had posted it; the snapshot that it was in test of is still out there."""
    held_out = await stage.put("a", "loki")
    assert await export(stage, tmp_path / "a", TEST) == {held_out: "test"}
    await stage.ledger.privacy.forget(ANNA, moment(1))
    await stage.put("a", "loki", poster=BELA, home=OTHER, minutes=2)
    fresh = await stage.put("b", "loki", poster=BELA, minutes=2)
    assert await export(stage, tmp_path / "b", TRAIN) == {held_out: "test", fresh: "train"}
