"""What is held when there is more than there is room for: the same in every process, and fair."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from bot.memory.holding import Holding
from corrections.memory.reading import Remembered
from tests.corrections.support import moment, near_key


def remembered(
    blob: int, slugs: str = "loki", community: int = 1, minutes: float | None = None, case: int | None = None
) -> Remembered:
    at = moment() + timedelta(minutes=blob if minutes is None else minutes)
    return Remembered(
        blob,
        blob if case is None else case,
        community,
        ("telegram", str(community)),
        tuple(filter(None, slugs.split("+"))),
        near_key(blob),
        f"{blob:064x}",
        at,
        leans=True,
        there=True,
    )


def holding(most: int, found: list[Remembered]) -> Holding:
    held = Holding(most)
    held.replace({each.case for each in found}, found)
    return held


def blobs(held: Holding) -> list[int]:
    return [each.blob for each in held.all()]


def test_the_oldest_of_what_has_most_goes_first() -> None:
    held = holding(5, [remembered(n) for n in range(4)])
    assert len(held) == 4 and not held.incomplete
    held.replace({10}, [remembered(10, "thor")])
    change = held.replace({11}, [remembered(11, "thor")])
    assert [each.blob for each in change.put] == [11] and change.drop == ((1, 0),)
    assert blobs(held) == [1, 2, 3, 10, 11] and held.incomplete


def test_a_flood_in_one_community_pushes_out_nothing_of_another() -> None:
    held = holding(20, [remembered(n, community=2) for n in range(5)])
    for n in range(100, 400):
        held.replace({n}, [remembered(n, random.Random(n).choice(["loki", "thor"]))])
    assert len(held) == 20
    assert {each.blob for each in held.all() if each.community == 2} == set(range(5))


def test_what_is_pushed_out_at_once_is_not_put() -> None:
    held = holding(2, [remembered(5), remembered(6)])
    change = held.replace({1}, [remembered(1)])  # decided before the others
    assert not change.put and not change.drop and blobs(held) == [5, 6]


def test_what_is_taken_back_goes() -> None:
    held = holding(10, [remembered(1), remembered(2)])
    change = held.replace({1}, [])
    assert change.drop == ((1, 1),) and not change.put and (1, 2) in held and (1, 1) not in held
    assert held.replace({1, 99}, []).drop == ()


def test_what_is_decided_anew_is_put_again() -> None:
    held = holding(10, [remembered(1)])
    change = held.replace({1}, [remembered(1, "thor", minutes=9)])
    assert [each.slugs for each in change.put] == [("thor",)] and not change.drop
    assert [each.slugs for each in held.replace({1}, [remembered(1, "thor", minutes=9)]).put] == [("thor",)]
    again = holding(10, [remembered(1, "thor", minutes=9), remembered(3)]).instead_of(held)
    assert [each.blob for each in again.put] == [3] and not again.drop
    assert held.instead_of(holding(10, [remembered(7)])).drop == ((1, 7),)


def test_one_picture_in_two_cases_is_as_decided_last() -> None:
    held = holding(10, [remembered(1, "loki", minutes=1, case=1), remembered(1, "thor", minutes=2, case=2)])
    assert [each.slugs for each in held.all()] == [("thor",)]
    held.replace({1}, [remembered(1, "loki", minutes=1, case=1)])
    assert [each.slugs for each in held.all()] == [("thor",)]
    held.replace({1}, [remembered(1, "loki", minutes=3, case=1)])
    assert [each.slugs for each in held.all()] == [("loki",)]


@pytest.mark.parametrize("seed", range(20))
def test_one_by_one_comes_to_the_same_as_all_at_once(seed: int) -> None:
    chance = random.Random(seed)
    everything = [
        remembered(n, chance.choice(["loki", "thor", "hela", "", "loki+thor"]), chance.randint(1, 3), n)
        for n in range(150)
    ]
    at_once, one_by_one = holding(40, everything), Holding(40)
    engine: set[tuple[int, int]] = set()
    for each in everything:
        change = one_by_one.replace({each.case}, [each])
        engine -= set(change.drop)
        engine |= {(put.community, put.blob) for put in change.put}
    assert blobs(at_once) == blobs(one_by_one)
    assert engine == {(each.community, each.blob) for each in one_by_one.all()}
