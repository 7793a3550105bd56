"""What the memory makes of an answer."""

from __future__ import annotations

import math

import pytest

from bot.memory.engine import Engine
from bot.memory.types import Entry
from model.decode import to_luma
from model.near import near_key
from model.types import Answer, Ranked, Sight, Verdict
from tests.standins.drawings import picture

THOR = (Ranked("thor", 0.6), Ranked("loki", 0.2), Ranked("hulk", 0.1))


def sight_of(key: str, ranked: tuple[Ranked, ...] = THOR) -> Sight:
    known = sum(each.probability for each in ranked)
    answer = Answer(Verdict.UNSURE, ranked[0].character, ranked[0].probability, known, ranked)
    return Sight(answer, (), (), key, "", 320, 240, "bundle", "exact", 1.0)


def key_of(seed: int) -> str:
    return near_key(to_luma(picture(seed=seed)))


def entry(blob: int = 1, community: int = 1, slugs: tuple[str, ...] = ("loki",), seed: int = 1) -> Entry:
    return Entry(blob, blob, community, slugs, key_of(seed))


def test_what_was_said_of_the_very_same_picture_is_answered() -> None:
    engine = Engine()
    engine.put(entry())
    found = engine.recall(1, sight_of(key_of(1)))
    assert (found.how, found.slugs, found.blobs) == ("same", ("loki",), (1,))
    assert (found.answer.verdict, found.answer.character) == (Verdict.SURE, "loki")
    assert found.answer.confidence == pytest.approx(0.99)


@pytest.mark.parametrize("slugs", [(), ("loki",), ("thor",), ("thor", "loki"), ("wong",), ("wong", "hulk")])
def test_an_answer_stays_a_distribution(slugs: tuple[str, ...]) -> None:
    engine = Engine()
    engine.put(entry(slugs=slugs))
    answer = engine.recall(1, sight_of(key_of(1))).answer
    assert math.fsum(each.probability for each in answer.ranked) == pytest.approx(answer.known)
    assert 0 <= answer.known <= 1
    assert list(answer.ranked) == sorted(answer.ranked, key=lambda each: -each.probability)
    assert {each.character for each in answer.ranked} == {"thor", "loki", "hulk", *slugs}
    assert answer.verdict is (Verdict.SURE if slugs else Verdict.NOBODY)
    assert answer.character == (slugs[0] if slugs else "thor")


def test_a_picture_that_is_not_remembered_is_answered_as_before() -> None:
    engine = Engine()
    engine.put(entry())
    sight = sight_of(key_of(2))
    found = engine.recall(1, sight)
    assert found.answer == sight.answer
    assert (found.how, found.slugs, found.blobs) == ("", (), ())


def test_what_is_taken_out_counts_no_more() -> None:
    engine = Engine()
    engine.put(entry())
    engine.put(entry(blob=2, slugs=("hulk",), seed=2))
    engine.drop(1, 1)
    engine.drop(1, 1)
    engine.drop(7, 7)
    assert len(engine) == 1
    assert engine.recall(1, sight_of(key_of(1))).how == ""
    assert engine.recall(1, sight_of(key_of(2))).slugs == ("hulk",)


def test_a_later_word_replaces_an_earlier_one() -> None:
    engine = Engine()
    engine.put(entry())
    engine.put(entry(slugs=("thor",)))
    assert len(engine) == 1
    assert engine.recall(1, sight_of(key_of(1))).slugs == ("thor",)


def test_what_is_taught_in_one_community_is_local_unless_shared() -> None:
    engine = Engine()
    engine.put(entry(community=2))
    assert engine.recall(1, sight_of(key_of(1))).how == ""
    assert engine.recall(1, sight_of(key_of(1)), shared=True).slugs == ("loki",)
    engine.put(entry(community=1, slugs=("hulk",)))
    assert engine.recall(1, sight_of(key_of(1)), shared=True).slugs == ("hulk",)


def test_it_is_bounded() -> None:
    engine = Engine(bound=3)
    for number in range(5):
        engine.put(entry(blob=number, seed=number))
    assert len(engine) == 3
    assert engine.recall(1, sight_of(key_of(0))).how == ""
    assert engine.recall(1, sight_of(key_of(4))).how == "same"
