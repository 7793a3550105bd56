"""What the memory makes of an answer."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from bot.memory.engine import Engine
from bot.memory.places import Place
from bot.memory.types import Entry
from model.decode import to_luma
from model.near import near_key
from model.types import Answer, Calibration, Ranked, Sight, Verdict
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


# pictures that are like it


def towards(number: int, share: float = 1.0, width: int = 16) -> np.ndarray:
    """A unit vector: so much of one direction, the rest of another that nobody else has."""
    vector = np.zeros(width, np.float32)
    vector[number], vector[-1] = share, math.sqrt(1 - share**2)
    return vector


def liked(
    vector: np.ndarray, ranked: tuple[Ranked, ...] = THOR, sure: float = 0.8, known: float = 0.5
) -> Sight:
    seen = sight_of("f0" * 32, ranked)
    return replace(seen, embedding=tuple(vector.tolist()), calibration=Calibration(sure=sure, known=known))


def example(
    blob: int, slugs: tuple[str, ...], vector: np.ndarray, leans: bool = True, community: int = 1
) -> Entry:
    key = np.random.default_rng([blob, community]).bytes(32).hex()
    return Entry(blob, blob, community, slugs, key, embedding=vector, leans=leans)


def is_a_distribution(answer: Answer) -> bool:
    total = math.fsum(each.probability for each in answer.ranked)
    return math.isclose(total, answer.known, abs_tol=1e-9) and all(
        0 <= r.probability <= 1 for r in answer.ranked
    )


def test_a_taught_character_that_the_bundle_does_not_know_is_recognised() -> None:
    engine = Engine()
    for blob in range(5):
        engine.put(example(blob, ("wong",), towards(2, 0.9)))
    found = engine.recall(1, liked(towards(2)))
    assert (found.how, found.slugs, found.answer.character) == ("like", ("wong",), "wong")
    assert set(found.blobs) <= set(range(5))
    assert is_a_distribution(found.answer)
    other = engine.recall(1, liked(towards(3)))
    assert (other.how, other.answer.character) == ("", "thor")
    assert is_a_distribution(other.answer)
    for blob in range(5):
        engine.drop(1, blob)
    assert engine.recall(1, liked(towards(2))).answer == liked(towards(2)).answer


def test_a_picture_leans_toward_what_people_said_of_pictures_like_it() -> None:
    engine = Engine()
    near = (Ranked("thor", 0.42), Ranked("loki", 0.4), Ranked("hulk", 0.08))
    for blob in range(8):
        engine.put(example(blob, ("loki",), towards(1)))
    found = engine.recall(1, liked(towards(1), near))
    assert (found.how, found.slugs) == ("like", ("loki",))
    assert is_a_distribution(found.answer)


@pytest.mark.parametrize("count", [1, 100, 3000])
def test_no_number_of_wrong_corrections_moves_an_answer_further_than_the_cap(count: int) -> None:
    engine = Engine()
    for blob in range(count):
        engine.put(example(blob, ("loki",), towards(1)))
    before = liked(towards(1), (Ranked("thor", 0.9), Ranked("loki", 0.05), Ranked("hulk", 0.01)))
    after = engine.recall(1, before)
    assert after.answer.character == "thor"
    odds = {each.character: each.probability for each in after.answer.ranked}
    moved = math.log(odds["loki"] / odds["thor"]) - math.log(0.05 / 0.9)
    assert 0 < moved <= engine.constants.most_known + 1e-6


def test_what_may_not_lean_is_recalled_for_its_copies_alone() -> None:
    engine = Engine()
    for blob in range(5):
        engine.put(example(blob, ("wong",), towards(2), leans=False))
    sight = liked(towards(2))
    assert engine.recall(1, sight).answer == sight.answer
    assert engine.recall(1, replace(sight, near_key=example(3, (), towards(2)).near_key)).slugs == ("wong",)


def test_pictures_of_nobody_lean_toward_nobody() -> None:
    engine = Engine()
    for blob in range(20):
        engine.put(example(blob, (), towards(1)))
    before = liked(towards(1), (Ranked("thor", 0.5), Ranked("loki", 0.05)), known=0.5)
    after = engine.recall(1, before)
    assert (after.how, after.slugs, after.answer.verdict) == ("like", (), Verdict.NOBODY)
    assert is_a_distribution(after.answer)


def test_what_is_shared_leans_elsewhere_too() -> None:
    engine = Engine()
    for blob in range(5):
        engine.put(example(blob, ("wong",), towards(2), community=2))
    assert engine.recall(1, liked(towards(2))).how == ""
    assert engine.recall(1, liked(towards(2)), shared=True).slugs == ("wong",)
    engine.put(example(9, ("hulk",), towards(4), community=3))
    for blob in range(5):
        engine.drop(2, blob)
    assert engine.recall(1, liked(towards(2)), shared=True).how == ""


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(16, np.float32),
        np.full(16, np.nan, np.float32),
        np.ones(7, np.float32),
        np.zeros(0, np.float32),
    ],
)
def test_an_embedding_that_is_none_counts_for_nothing(vector: np.ndarray) -> None:
    engine = Engine()
    engine.put(example(1, ("wong",), towards(2)))
    engine.put(example(2, ("hulk",), vector))
    assert len(engine) == 2
    sight = liked(towards(3))
    assert engine.recall(1, replace(sight, embedding=tuple(vector.tolist()))).answer == sight.answer
    assert is_a_distribution(engine.recall(1, sight).answer)


def test_a_key_that_is_none_is_refused_and_changes_nothing() -> None:
    engine = Engine()
    engine.put(entry())
    with pytest.raises(ValueError, match="near key"):
        engine.put(replace(entry(), near_key="nonsense"))
    assert len(engine) == 1
    assert engine.recall(1, sight_of(key_of(1))).slugs == ("loki",)


def test_it_agrees_with_one_that_was_filled_anew() -> None:
    """Whatever was put and dropped in whatever order, what is left answers as if it had come alone."""
    dice = np.random.default_rng(0)
    engine, left = Engine(), {}
    for _ in range(400):
        blob = int(dice.integers(0, 60))
        if dice.random() < 0.4:
            engine.drop(1, blob)
            left.pop(blob, None)
        else:
            vector = dice.standard_normal(16).astype(np.float32)
            left.pop(blob, None)
            left[blob] = example(blob, (str(dice.choice(["loki", "wong", "hulk"])),), vector)
            engine.put(left[blob])
    fresh = Engine()
    for each in left.values():
        fresh.put(each)
    assert len(engine) == len(fresh) == len(left)
    for _ in range(50):
        sight = liked(dice.standard_normal(16).astype(np.float32))
        one, two = engine.recall(1, sight), fresh.recall(1, sight)
        assert (one.how, one.slugs) == (two.how, two.slugs)
        assert one.answer.confidence == pytest.approx(two.answer.confidence, rel=1e-5)


def test_rows_of_many_blocks_are_compared_as_one_matrix_would_be() -> None:
    dice = np.random.default_rng(5)
    vectors = dice.normal(size=(700, 8)).astype(np.float32)
    key, place, held = key_of(1), Place(), {}
    for blob, vector in enumerate(vectors):
        place.put(Entry(blob, blob, 1, ("loki",), key, embedding=vector, leans=True))
        held[blob] = vector / np.linalg.norm(vector)
        if blob % 3 == 2:
            gone = int(dice.choice(list(held)))
            place.drop((1, gone))
            del held[gone]
    asked = vectors[0] / np.linalg.norm(vectors[0])
    found = np.sort(place.cosines(asked))
    assert np.allclose(found, np.sort(np.stack(list(held.values())) @ asked), atol=1e-6)
    for blob in list(held):
        place.drop((1, blob))
    assert not len(place.cosines(asked))
    place.put(Entry(1, 1, 1, ("loki",), key, embedding=vectors[0][:4], leans=True))  # another model's
    assert place.cosines(np.array([1, 0, 0, 0], np.float32)).shape == (1,)
