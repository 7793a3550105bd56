"""Names in moderators' hands, figures, and what happens to cases when either changes."""

from __future__ import annotations

import pytest

from corrections.errors import BadLabel, SharedCharacter, Stale, UnknownLabel
from corrections.ledger import Ledger
from corrections.review.types import Filter, Moderator
from tests.corrections.conftest import Post
from tests.corrections.support import ANNA, GUILD, OTHER, moment
from tests.corrections.test_review import (
    ELSEWHERE,
    LATER,
    MIRA,
    NOAH,
    OPERATOR,
    PEOPLE,
    old,  # noqa: F401  # a fixture
    only,
    say,
)


async def proposed(ledger: Ledger, name: str = "Moon Knight") -> str:
    return (await ledger.propose(name, ANNA, GUILD, moment())).slug


async def test_approving_a_proposed_name_accepts_it_in_its_community(ledger: Ledger, post: Post) -> None:
    slug = await proposed(ledger)
    pid = (await post(1)).prediction_id
    await say(ledger, pid, slug)
    case = await only(ledger, MIRA)
    done = await ledger.review.decide(
        MIRA, case.case_id, case.revision, "approve", ("moon knight",), moment()
    )
    assert done.decided == (slug,)
    known = {each.slug: each for each in await ledger.review.characters(MIRA)}[slug]
    assert (known.status, known.community, known.approved) == ("known", GUILD, 1)
    assert slug not in {each.slug for each in await ledger.review.characters(ELSEWHERE)}


async def test_many_agreeing_do_not_accept_a_name(ledger: Ledger, post: Post, old: None) -> None:  # noqa: F811
    slug = await proposed(ledger)
    await say(ledger, (await post(1)).prediction_id, *[slug] * 8)
    assert (await only(ledger, MIRA)).agreed
    assert await ledger.review.approve_agreed(MIRA, at=moment(LATER)) == 0
    await ledger.review.accept(MIRA, slug, {"zh-CN": "月光骑士"})
    assert await ledger.review.approve_agreed(MIRA, at=moment(LATER)) == 1
    assert (await ledger.resolve("yueguang qishi", GUILD)).slug == slug


async def test_a_community_rules_over_its_own_names_and_the_operator_over_all(ledger: Ledger) -> None:
    slug = await proposed(ledger)
    with pytest.raises(UnknownLabel):
        await ledger.review.accept(ELSEWHERE, slug, {})
    for change in (
        ledger.review.accept(MIRA, "thor", {}),
        ledger.review.rename(MIRA, "thor", {"en": "Donald"}),
        ledger.review.merge(MIRA, "thor", "loki"),
        ledger.review.refuse(MIRA, "thor"),
    ):
        with pytest.raises(SharedCharacter):
            await change
    assert (await ledger.review.accept(MIRA, slug, {})).community == GUILD
    shared = await ledger.review.accept(OPERATOR, slug, {})
    assert shared.community is None and (await ledger.resolve("Moon Knight", OTHER)).slug == slug
    with pytest.raises(SharedCharacter):
        await ledger.review.rename(MIRA, slug, {"en": "Marc"})
    assert [entry.action for entry in await ledger.review.history(OPERATOR)] == ["accept", "accept"]
    assert await ledger.review.history(ELSEWHERE) == []


async def test_names_are_cleaned_and_taken_ones_refused(ledger: Ledger) -> None:
    slug = (await ledger.review.add(MIRA, {"en": "Moon  Knight"})).slug
    assert slug == "moon-knight"
    for names, reason in (
        ({"en": "../../etc"}, "markup"),
        ({"en": "Thor"}, "taken"),
        ({"fr": "Chevalier"}, "language"),
        ({"en": " "}, "empty"),
        ({"en": "x" * 300}, "too-long"),
        ({"en": "😀"}, "no-letters"),
    ):
        with pytest.raises(BadLabel) as caught:
            await ledger.review.add(MIRA, names)
        assert caught.value.reason == reason
    other = await ledger.review.add(ELSEWHERE, {"en": "Moon Knight"})
    assert other.slug != slug and other.community == OTHER
    assert (await ledger.review.add(MIRA, {"en": "CON"})).slug.startswith("con-")
    renamed = await ledger.review.rename(MIRA, slug, {"en": "Marc Spector"}, ["Fist of Khonshu"])
    assert renamed.name() == "Marc Spector"
    for text in ("moon knight", "fist of khonshu", "marc spector"):
        assert (await ledger.resolve(text, GUILD)).slug == slug
    with pytest.raises(BadLabel):
        await ledger.review.merge(MIRA, slug, slug)
    with pytest.raises(BadLabel):
        await ledger.review.refuse(MIRA, slug)


async def test_merged_names_count_as_what_they_were_merged_into(
    ledger: Ledger,
    post: Post,
    old: None,  # noqa: F811
) -> None:
    slug = (await ledger.review.add(MIRA, {"en": "Thunder Guy"})).slug
    first, second = (await post(1)).prediction_id, (await post(2)).prediction_id
    await say(ledger, first, slug, slug, "thor", "thor", "thor")
    await say(ledger, second, slug)
    (decided,) = await ledger.review.next(MIRA, Filter(character=slug), at=moment(LATER))
    await ledger.review.decide(MIRA, decided.case_id, decided.revision, "approve", (slug,), moment(LATER))
    await ledger.review.merge(MIRA, slug, "thor")
    assert await ledger.review.rescore(moment(LATER)) >= 1
    (case,) = await ledger.review.next(MIRA, Filter(character="thor"), at=moment(LATER))
    assert [(each.labels, each.people) for each in case.opinions] == [(("thor",), 5)]
    (before,) = await ledger.review.next(MIRA, Filter("approved", character="thor"), at=moment(LATER))
    assert before.decided == ("thor",)
    counts = {each.slug: each for each in await ledger.review.characters(MIRA)}
    assert slug not in counts and (counts["thor"].approved, counts["thor"].open) == (1, 1)


async def test_votes_for_a_refused_name_count_no_longer(ledger: Ledger, post: Post) -> None:
    slug = await proposed(ledger)
    await say(ledger, (await post(1)).prediction_id, slug, slug, "thor")
    assert (await only(ledger, MIRA)).leading == (slug,)
    await ledger.review.refuse(MIRA, slug)
    await ledger.review.rescore(moment(LATER))
    case = await only(ledger, MIRA)
    assert (case.leading, case.voters) == (("thor",), 1)
    with pytest.raises(BadLabel):
        await ledger.propose("Moon Knight", ANNA, GUILD, moment())


async def test_what_is_decided_against_people_is_offered_again_when_more_of_them_object(
    ledger: Ledger,
    post: Post,
    old: None,  # noqa: F811
) -> None:
    pid = (await post(1)).prediction_id
    await say(ledger, pid, "loki")
    case = await only(ledger, MIRA)
    await ledger.review.decide(MIRA, case.case_id, case.revision, "approve", ("thor",), moment(LATER + 1))
    again = Filter("approved", reason="disagreement")
    await say(ledger, pid, "loki", "loki", minutes=LATER + 2)  # the first one said so before
    assert await ledger.review.next(MIRA, again) == []
    await say(ledger, pid, "loki", "loki", "loki", minutes=LATER + 3)
    (offered,) = await ledger.review.next(MIRA, again, at=moment(LATER + 3))
    assert (offered.status, offered.decided, offered.leading) == ("approved", ("thor",), ("loki",))
    done = await ledger.review.decide(
        MIRA, offered.case_id, offered.revision, "approve", ("loki",), moment(LATER + 4)
    )
    assert done.decided == ("loki",)
    assert await ledger.review.next(MIRA, again) == []
    back = await ledger.review.undo(MIRA, moment(LATER + 5))
    assert back is not None and (back.status, back.decided) == ("approved", ("thor",))


async def test_nobody_undoes_what_somebody_else_decided_on_top(ledger: Ledger, post: Post) -> None:
    await say(ledger, (await post(1)).prediction_id, "thor")
    case = await only(ledger, MIRA)
    one = await ledger.review.decide(MIRA, case.case_id, case.revision, "approve", ("thor",), moment())
    await ledger.review.decide(NOAH, case.case_id, one.revision, "reject", None, moment())
    with pytest.raises(Stale):
        await ledger.review.undo(MIRA, moment())
    back = await ledger.review.undo(NOAH, moment())
    assert back is not None and back.decided == ("thor",)


async def test_nobodys_own_vote_is_confirmed_by_themselves(ledger: Ledger, post: Post) -> None:
    pid = (await post(1)).prediction_id
    await ledger.vote(pid, MIRA.person, frozenset({"thor"}), moment())
    await ledger.vote(pid, PEOPLE[0], frozenset({"thor"}), moment())
    case = await only(ledger, MIRA)
    await ledger.review.decide(MIRA, case.case_id, case.revision, "approve", ("thor",), moment())
    report = await ledger.review.agreement(MIRA)
    assert (report.people, report.judged, report.confirmed) == (2, 1, 1)


async def test_votes_given_after_a_decision_are_not_judged_by_it(ledger: Ledger, post: Post) -> None:
    pid = (await post(1)).prediction_id
    await say(ledger, pid, "loki")
    case = await only(ledger, MIRA)
    await ledger.review.decide(MIRA, case.case_id, case.revision, "approve", ("thor",), moment(LATER))
    await say(ledger, pid, "thor", "thor", minutes=LATER + 1)
    report = await ledger.review.agreement(MIRA)
    assert (report.judged, report.confirmed) == (1, 0)
    await ledger.review.undo(MIRA, moment(LATER + 2))
    assert (await ledger.review.agreement(MIRA)).judged == 0


async def test_figures_say_what_the_bot_takes_for_what(ledger: Ledger, post: Post) -> None:
    for n, label in enumerate(("iron-man", "iron-man", "thor", None, "loki")):
        await say(ledger, (await post(n)).prediction_id, label)
    for case in await ledger.review.next(MIRA, count=9, at=moment(LATER)):
        if case.leading != ("loki",):
            await ledger.review.decide(MIRA, case.case_id, case.revision, "approve", None, moment(LATER))
    stats = await ledger.review.stats(MIRA, moment(LATER))
    assert stats.confusion == {
        ("iron-man", "iron-man"): 2,
        ("thor", "iron-man"): 1,
        ("nobody", "iron-man"): 1,
    }
    assert (stats.judged, stats.right, stats.progress.open, stats.progress.mine) == (4, 2, 1, 4)
    by_slug = {each.slug: each for each in stats.characters}
    assert (by_slug["iron-man"].approved, by_slug["iron-man"].judged, by_slug["iron-man"].right) == (2, 2, 2)
    assert by_slug["loki"].open == 1
    empty = await ledger.review.stats(ELSEWHERE, moment(LATER))
    assert (empty.judged, empty.progress.open, empty.confusion) == (0, 0, {})
    (nobody,) = await ledger.review.next(MIRA, Filter("approved", character="nobody"))
    assert nobody.decided == ()


async def test_what_has_no_picture_left_is_in_no_queue_until_it_is_posted_again(
    ledger: Ledger, post: Post
) -> None:
    await say(ledger, (await post(1)).prediction_id, "thor")
    await ledger.sweep(moment(60 * 24 * 40))
    assert await ledger.review.next(MIRA) == []
    assert (await ledger.review.progress(MIRA)).open == 0
    await post("again", 1, minutes=60 * 24 * 41)
    assert len(await ledger.review.next(MIRA)) == 1


async def test_trust_goes_along_when_a_community_gets_another_id(ledger: Ledger, post: Post) -> None:
    for message, where in ((1, "guild"), (2, "elsewhere")):
        await say(ledger, (await post(message, community=where)).prediction_id, "thor")
        who = Moderator(MIRA.person, ("discord", where))
        (case,) = await ledger.review.next(who, at=moment())
        await ledger.review.decide(who, case.case_id, case.revision, "approve", ("thor",), moment())
    await ledger.community_moved(GUILD, OTHER)
    for known_as in (MIRA, ELSEWHERE):
        report = await ledger.review.agreement(known_as)
        assert (report.judged, report.confirmed) == (2, 2)
        assert len(await ledger.review.history(known_as)) == 2
