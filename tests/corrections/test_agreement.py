"""The rule of agreement and the order of the queue, as pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corrections.review.agreement import Record, ReviewRules, accuracy, key_of, weigh, weight
from corrections.review.figures import alpha
from corrections.review.peers import (
    CLEAR,
    MOST_COMPARED,
    MOST_SAME,
    ROUNDS,
    Heard,
    Peers,
    compare,
)
from corrections.review.priority import UNHEARD, priority
from corrections.review.rescoring import with_peers
from corrections.review.types import Guess, Labels
from model.types import Ranked, Verdict

RULES = ReviewRules()
THOR, LOKI, NOBODY = ("thor",), ("loki",), ()
UNKNOWN, NEW, TRUSTED, LIAR = Record(), Record(new=True), Record(40, 39), Record(40, 2)


def case(*voices: tuple[Labels, Record], rules: ReviewRules = RULES):  # type: ignore[no-untyped-def]
    return weigh([(labels, weight(record, labels)) for labels, record in voices], rules)


def test_people_whom_moderators_confirm_count_for_more_and_newcomers_for_less() -> None:
    assert weight(TRUSTED) > weight(UNKNOWN) > weight(NEW) > 0 > weight(LIAR)
    assert weight(Record(400, 400)) == pytest.approx(math.log(0.98 / 0.02))


def test_enough_people_who_are_known_agree_and_as_many_newcomers_do_not() -> None:
    assert case(*[(THOR, TRUSTED)] * 3).agreed
    assert case(*[(NOBODY, UNKNOWN)] * 4).agreed
    assert not case(*[(THOR, UNKNOWN)] * 3).agreed
    assert not case(*[(THOR, NEW)] * 6).agreed
    assert not case(*[(THOR, TRUSTED)] * 3, *[(LOKI, TRUSTED)] * 2).agreed
    assert case(*[(THOR, TRUSTED)] * 4, (LOKI, UNKNOWN)).agreed


@given(
    st.integers(-3, 2),
    st.floats(0.5, 0.9999),
    st.integers(0, 10_000),
    st.lists(st.sampled_from([LOKI, NOBODY]), max_size=4),
)
def test_nobody_ever_decides_alone(quorum: int, certainty: float, judged: int, others: list[Labels]) -> None:
    rules = ReviewRules(quorum, certainty)
    alone = case((THOR, Record(judged, judged)), *[(each, LIAR) for each in others], rules=rules)
    assert not (alone.agreed and alone.leading == THOR)


def test_a_liar_counts_against_what_they_say_but_not_for_anything_else() -> None:
    assert (
        case((THOR, UNKNOWN), (THOR, UNKNOWN)).probability
        > case((THOR, UNKNOWN), (THOR, UNKNOWN), (THOR, LIAR)).probability
    )
    assert case((THOR, LIAR)).probability < 0.2
    assert case().leading is None


@given(
    st.lists(st.tuples(st.sampled_from([THOR, LOKI, NOBODY]), st.floats(-3.9, 3.9)), min_size=1, max_size=300)
)
def test_the_probability_is_a_softmax_with_room_for_something_else(
    voices: list[tuple[Labels, float]],
) -> None:
    found = weigh(voices, RULES)
    sums = {each.labels: each.weight for each in found.opinions}
    most = max(0.0, *sums.values())
    total = math.exp(-most) + sum(math.exp(value - most) for value in sums.values())
    assert found.leading is not None
    assert found.probability == pytest.approx(math.exp(sums[found.leading] - most) / total)
    assert 0 <= found.probability <= 1
    assert found.voters == len(voices) == sum(each.people for each in found.opinions)


def slowly(votes: Sequence[Heard], records: dict[int, Record]) -> dict[int, tuple[float, float]]:
    """`compare` without arrays, as its documentation says it."""
    bare = {person: Record(r.judged, r.confirmed, r.new) for person, r in records.items()}
    now = bare
    for _ in range(ROUNDS):
        each: dict[int, dict[Labels, list[bool]]] = {person: {} for person in records}
        for vote in votes:
            others = [
                (other.labels, weight(now[other.person]))
                for other in votes
                if other.case == vote.case and other.person != vote.person
            ]
            clear = weigh(others, RULES)
            if clear.leading is not None and clear.probability >= CLEAR - 1e-9:
                each[vote.person].setdefault(vote.labels, []).append(vote.labels == clear.leading)
        totals = {}
        for person, by_label in each.items():
            n = sum(min(len(hits), MOST_SAME) for hits in by_label.values())
            m = sum(min(len(hits), MOST_SAME) * sum(hits) / len(hits) for hits in by_label.values())
            share = min(1.0, MOST_COMPARED / n) if n else 1.0
            totals[person] = (n * share, m * share)
        now = {p: Record(r.judged, r.confirmed, r.new, *totals[p]) for p, r in bare.items()}
    return totals


@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(0, 5), st.sampled_from([THOR, LOKI, NOBODY])), max_size=40
    ),
    st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1), st.booleans()), min_size=6, max_size=6),
)
def test_comparing_people_is_what_its_documentation_says(
    said: list[tuple[int, int, Labels]], known: list[tuple[int, float, bool]]
) -> None:
    one_each = {(where, person): labels for where, person, labels in said}
    votes = [Heard(where, person, labels, n) for n, ((where, person), labels) in enumerate(one_each.items())]
    records = {
        person: Record(judged, round(judged * share), new)
        for person, (judged, share, new) in enumerate(known)
    }
    found = compare(votes, records)
    for person, (compared, matched) in slowly(votes, records).items():
        assert found[person].compared == pytest.approx(compared, abs=0.01)
        # others who weigh exactly the same for two label sets may be read as either
        assert found[person].matched == pytest.approx(matched, abs=0.01)


def test_people_who_agree_with_others_count_for_more_and_liars_are_found_without_a_moderator() -> None:
    votes = [
        Heard(n, person, (("thor", "loki", "hulk")[n % 3],) if person != 5 else ("groot",), n)
        for n in range(30)
        for person in range(6)
    ]
    records = {person: Record() for person in range(6)}
    known = with_peers(records, compare(votes, records))
    assert all(accuracy(known[person]) > 0.95 for person in range(5))
    assert accuracy(known[5]) < 0.5
    assert known[5].bursts == {"groot": 0.0}


def test_friends_who_name_one_character_gain_little_from_one_another() -> None:
    votes = [Heard(n, person, THOR, n) for n in range(500) for person in range(6)]
    records = {person: Record() for person in range(6)}
    assert compare(votes, records)[0] == Peers(MOST_SAME, MOST_SAME)
    new = {person: Record(new=True) for person in range(6)}
    assert accuracy(with_peers(new, compare(votes, new))[0]) == accuracy(NEW)


def test_a_burst_counts_for_less_even_from_somebody_trusted_and_so_do_several_together() -> None:
    records = {person: Record(60, 58) for person in range(10)}
    honest = [Heard(n, person, THOR, n) for n in range(12) for person in range(5)]
    alone = [Heard(n, 5, LOKI, n) for n in range(6)]
    known = with_peers(records, compare([*honest, *alone], records))
    assert known[5].bursts == {"loki": 0.0}
    assert weight(known[5], LOKI) == 0.0
    assert weight(known[5], THOR) > 1
    together = [Heard(n, 5 + n % 4, LOKI, n) for n in range(12)]
    known = with_peers(records, compare([*honest, *together], records))
    assert all(known[person].bursts == {"loki": 0.0} for person in range(5, 9))
    assert not known[9].bursts and not known[0].bursts


def test_one_who_is_right_against_many_in_various_cases_is_no_burst() -> None:
    names = [(name,) for name in ("thor", "loki", "hulk", "groot", "wasp", "vision")]
    wrong = [Heard(n, person, names[(n + 1) % 6], n) for n in range(6) for person in range(4)]
    right = [Heard(n, 4, names[n], n) for n in range(6)]
    records = {person: Record(60, 58) for person in range(5)}
    assert not compare([*wrong, *right], records)[4].bursts


def guess(verdict: Verdict = Verdict.UNSURE, best: float = 0.6, second: float = 0.3) -> Guess:
    ranked = (Ranked("thor", best), Ranked("loki", second))
    return Guess(1, "thor", verdict, best, best + second, ranked, "b1")


def test_what_is_worth_a_look_comes_first() -> None:
    agreed = case(*[(THOR, TRUSTED)] * 5)
    split = case((THOR, TRUSTED), (LOKI, TRUSTED))
    reasons = {
        "agreed": priority(agreed, guess(), 100),
        "disagreement": priority(split, guess(), 100),
        "suspected": priority(case(*[(LOKI, TRUSTED)] * 5), guess(Verdict.SURE, 0.97, 0.01), 100),
        "margin": priority(case((THOR, TRUSTED)), guess(best=0.41, second=0.4), 100),
        "rare": priority(case((THOR, TRUSTED)), guess(best=0.95, second=0.01), 0),
        "few": priority(case((THOR, TRUSTED)), guess(best=0.95, second=0.01), 1000),
    }
    assert all(reason == found for reason, (found, _) in reasons.items())
    order = sorted(reasons, key=lambda reason: -reasons[reason][1])
    assert order[0] == "disagreement" and order[-1] == "agreed"
    assert UNHEARD <= priority(case(), guess(best=0.4, second=0.4), 0)[1] < 0
    assert priority(case(), None, 0)[1] < priority(agreed, None, 0)[1]


def test_krippendorffs_alpha() -> None:
    # Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), section C: 0.743 (nominal).
    columns = ["111", "2232", "3333", "3333", "2222", "1234", "4444", "1112", "2222", "555", "11", "3"]
    units = [{value: column.count(value) for value in set(column)} for column in columns]
    assert alpha(units) == pytest.approx(0.743, abs=0.001)
    assert alpha([]) is None
    assert alpha([{THOR: 3}]) is None


def test_label_sets_have_keys() -> None:
    assert key_of(("loki", "thor")) != key_of(("loki",))
