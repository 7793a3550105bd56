"""The nearest named pictures: of that community alone, and only what may be shown there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from corrections.ledger import Ledger
from corrections.nearest import nearest
from corrections.types import Person, Recorded
from tests.corrections.support import ANNA, BELA, OTHER, address, digest, moment
from tests.corrections.test_memory import OPERATOR, decide, record


async def named(
    ledger: Ledger,
    name: object,
    *labels: str,
    poster: Person = ANNA,
    agreed: bool = True,
    minutes: float = 0.0,
    **more: object,
) -> Recorded:
    """A picture that was posted, agreed to, and approved as these characters."""
    about = await record(ledger, name, minutes, poster=poster, **more)  # type: ignore[arg-type]
    if agreed:
        await ledger.privacy.allow(about.prediction_id, poster, moment(minutes))
    await decide(ledger, about, labels, minutes + 0.5)
    return about


async def found(
    ledger: Ledger,
    about: Recorded,
    slug: str = "loki",
    *,
    allow_discord: bool = False,
    may_see: Callable[[str], bool] = lambda channel: True,
    most: int = 4,
) -> list[tuple[str, tuple[str, ...]]]:
    """Names of pictures and who is in them."""
    names = {digest(each, flips): f"{each}{flips or ''}" for each in "abcdefgh" for flips in (0, 3)}
    pictures = await nearest(
        ledger.work,
        about.prediction_id,
        slug,
        allow_discord=allow_discord,
        may_see=may_see,
        most=most,
    )
    return [(names[each.sha256], each.slugs) for each in pictures]


async def test_nothing_named_nothing_shown(ledger: Ledger) -> None:
    await record(ledger, "a")
    about = await record(ledger, "b")
    assert await found(ledger, about) == []


async def test_what_people_named_is_shown_with_who_they_said(ledger: Ledger) -> None:
    await named(ledger, "a", "loki")
    await named(ledger, "b", "thor", minutes=1)
    await named(ledger, "c", minutes=2)
    about = await record(ledger, "d", 9)
    assert sorted(await found(ledger, about)) == [("a", ("loki",)), ("b", ("thor",)), ("c", ())]
    assert len(await found(ledger, about, most=2)) == 2


async def test_copies_come_first_and_the_picture_itself_never(ledger: Ledger) -> None:
    about = await named(ledger, "a", "loki")
    await named(ledger, "b", "thor", minutes=1)
    again = await record(ledger, "a", 9, flips=3)
    assert (await found(ledger, again))[0] == ("a", ("loki",))
    assert ("a", ("loki",)) not in await found(ledger, about)


async def test_what_another_model_saw_is_not_compared(ledger: Ledger) -> None:
    await named(ledger, "a", "loki", bundle="old")
    await named(ledger, "b", "thor", bundle="old", minutes=1)
    about = await record(ledger, "c", 9, bundle="new")
    assert await found(ledger, about) == [("a", ("loki",))]


async def test_never_another_communitys(ledger: Ledger) -> None:
    await named(ledger, "a", "loki", community=OTHER[1])
    about = await record(ledger, "b", 9)
    assert await found(ledger, about) == []
    await named(ledger, "c", "loki", minutes=10)
    assert await found(ledger, about) == [("c", ("loki",))]


async def test_a_picture_in_two_communities_is_shown_where_it_was_approved_and_agreed_to(
    ledger: Ledger,
) -> None:
    """Approved here but agreed to there only, it is shown in neither."""
    await named(ledger, "a", "loki", agreed=False)
    there = await record(ledger, "a", 1, poster=BELA, community=OTHER[1], message="there")
    await ledger.privacy.allow(there.prediction_id, BELA, moment(1))
    for community in ("guild", OTHER[1]):
        about = await record(ledger, "b", 9, community=community, message=f"asked-{community}")
        assert await found(ledger, about) == []


@pytest.mark.parametrize("how", ["consent", "undo", "deleted", "swept", "forgotten", "refused"])
async def test_what_is_taken_back_is_shown_no_more(ledger: Ledger, how: str) -> None:
    kept = await named(ledger, "a", "loki")
    about = await record(ledger, "b", 9, poster=BELA)
    assert await found(ledger, about) == [("a", ("loki",))]
    match how:
        case "consent":
            await ledger.privacy.choose(ANNA, "never", moment(10))
        case "undo":
            await ledger.review.undo(OPERATOR, moment(10))
        case "deleted":
            view = await ledger.prediction(kept.prediction_id)
            assert view is not None
            assert view.address is not None
            await ledger.message_deleted(view.address)
        case "swept":
            await ledger.privacy.choose(ANNA, "never", moment(10))
            await ledger.sweep(moment(60) + timedelta(days=90))
        case "forgotten":
            await ledger.privacy.forget(ANNA, moment(10))
        case _:
            case = await decide(ledger, kept, None, 10, "reject")
            assert case
    assert await found(ledger, about) == []


async def test_discord_needs_the_operators_switch(ledger: Ledger) -> None:
    await named(ledger, "a", "loki", platform="discord")
    about = await record(ledger, "b", 9, platform="discord")
    assert await found(ledger, about) == []
    assert await found(ledger, about, allow_discord=True) == [("a", ("loki",))]


async def test_a_channel_that_the_reader_may_not_see_stays_unseen(ledger: Ledger) -> None:
    await named(ledger, "a", "loki")
    about = await record(ledger, "b", 9)
    channel = address("x").channel
    assert await found(ledger, about, may_see=lambda each: each != channel) == []


async def test_a_copy_that_came_after_the_decision_is_nobodys_to_show(ledger: Ledger) -> None:
    await named(ledger, "a", "loki", agreed=False)
    later = await record(ledger, "a", 5, flips=3, poster=BELA)
    await ledger.privacy.allow(later.prediction_id, BELA, moment(5))
    about = await record(ledger, "b", 9)
    assert await found(ledger, about) == []


async def test_a_prediction_that_is_none_has_no_neighbours(ledger: Ledger) -> None:
    pictures = await nearest(
        ledger.work, 404, "loki", allow_discord=True, may_see=lambda channel: True, most=4
    )
    assert pictures == []
