"""What communities choose is kept, says who chose it, and follows them to another id."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from corrections.errors import BadSetting
from corrections.ledger import Ledger
from corrections.tables import CommunityRow, DecisionRow
from corrections.types import Address, Community, CommunitySettings
from tests.corrections.support import ANNA, BELA, GUILD, OTHER, answer, moment, seen

CHOSEN = CommunitySettings(("12", "34"), ("56",), "zh-CN", True, 7)
SMALL, LARGE = ("telegram", "-4001"), ("telegram", "-1002004001")


async def decisions(ledger: Ledger) -> list[DecisionRow]:
    async with ledger.work.read() as session:
        return list(await session.scalars(select(DecisionRow).order_by(DecisionRow.id)))


async def test_what_was_never_chosen_is_the_operators(ledger: Ledger) -> None:
    assert await ledger.community_settings(GUILD) == CommunitySettings(None, (), "", False, None)
    await ledger.change_settings(GUILD, ANNA, CommunitySettings(), moment())
    assert await decisions(ledger) == []


async def test_a_choice_is_kept_and_written_down(ledger: Ledger, url: str, tmp_path: Path) -> None:
    assert await ledger.change_settings(GUILD, ANNA, CHOSEN, moment()) == CHOSEN
    again = await ledger.change_settings(GUILD, BELA, replace(CHOSEN, watched=()), moment(1))
    assert again.watched == () != CommunitySettings().watched
    await ledger.change_settings(GUILD, BELA, again, moment(2))  # nothing new
    there = await Ledger.open(url, tmp_path)
    assert await there.community_settings(GUILD) == again
    assert await there.community_settings(OTHER) == CommunitySettings()
    assert await there.change_settings(GUILD, BELA, CommunitySettings(), moment(3)) == CommunitySettings()
    assert await ledger.community_settings(GUILD) == CommunitySettings()
    first, second, third = await decisions(there)
    assert first.action == "settings" and first.created_at == moment()
    assert first.before is not None and first.before["watched"] is None
    assert first.after == {
        "community": ["discord", "guild"], "watched": ["12", "34"], "moderator_roles": ["56"],
        "language": "zh-CN", "chatty": True, "person_per_minute": 7,
    }  # fmt: skip
    assert second.before == first.after and third.before == second.after
    assert first.person_id != second.person_id == third.person_id
    await there.close()


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (CommunitySettings(language="fr"), "language"),
        (CommunitySettings(language="zh"), "language"),
        (CommunitySettings(person_per_minute=0), "number"),
        (CommunitySettings(person_per_minute=-5), "number"),
        (CommunitySettings(person_per_minute=1001), "number"),
        (CommunitySettings(person_per_minute=10**30), "number"),
        (CommunitySettings(person_per_minute=True), "number"),
        (CommunitySettings(watched=("all", "12")), "channel"),
        (CommunitySettings(watched=("general",)), "channel"),
        (CommunitySettings(watched=("",)), "channel"),
        (CommunitySettings(watched=("1" * 99,)), "channel"),
        (CommunitySettings(watched=tuple(map(str, range(501)))), "too-many"),
        (CommunitySettings(moderator_roles=("@mods",)), "role"),
        (CommunitySettings(moderator_roles=tuple(map(str, range(101)))), "too-many"),
    ],
)
async def test_what_cannot_be_chosen(ledger: Ledger, wrong: CommunitySettings, reason: str) -> None:
    await ledger.change_settings(GUILD, ANNA, CHOSEN, moment())
    with pytest.raises(BadSetting) as caught:
        await ledger.change_settings(GUILD, ANNA, wrong, moment(1))
    assert caught.value.reason == reason and reason in BadSetting.REASONS
    assert await ledger.community_settings(GUILD) == CHOSEN and len(await decisions(ledger)) == 1


async def test_the_same_thing_named_twice_is_kept_once(ledger: Ledger) -> None:
    wanted = CommunitySettings(("-1001:7", "12", "-1001:7"), ("5", "5"))
    kept = await ledger.change_settings(GUILD, ANNA, wanted, moment())
    assert kept == await ledger.community_settings(GUILD) == CommunitySettings(("-1001:7", "12"), ("5",))
    assert (await ledger.change_settings(GUILD, ANNA, CommunitySettings(("all",)), moment())).watched == (
        "all",
    )


async def test_many_change_at_once(ledger: Ledger) -> None:
    every = [replace(CHOSEN, person_per_minute=n) for n in range(1, 21)]
    async with asyncio.timeout(30):
        await asyncio.gather(*(ledger.change_settings(GUILD, ANNA, each, moment()) for each in every))
    written = await decisions(ledger)
    assert len(written) == 20
    assert all(later.before == earlier.after for earlier, later in itertools.pairwise(written))
    last = written[-1].after
    assert last and (await ledger.community_settings(GUILD)).person_per_minute == last["person_per_minute"]


async def recorded(ledger: Ledger, home: Community, message: str, picture: object, flips: int = 0) -> int:
    where = Address(home[0], home[1], home[1], message)
    done = await ledger.record(
        where, 0, ("telegram", "1"), seen(picture, flips), "b1", "fp32", answer(), 1.0, moment()
    )
    await ledger.replied([done.prediction_id], Address(home[0], home[1], home[1], f"re-{message}"))
    return done.prediction_id


@pytest.mark.parametrize("met", [False, True])
async def test_a_group_that_moved_keeps_everything(
    ledger: Ledger, url: str, tmp_path: Path, met: bool
) -> None:
    elsewhere = await Ledger.open(url, tmp_path)
    mine = CommunitySettings((SMALL[1],), (), "zh-CN", False, 3)
    await ledger.change_settings(SMALL, ANNA, mine, moment())
    old = await recorded(ledger, SMALL, "1", "helmet")
    await ledger.vote(old, ("telegram", "2"), frozenset({"thor"}), moment())
    assert (await elsewhere.tally(old)).voters == 1
    await ledger.propose("Moon Knight", ("telegram", "2"), SMALL, moment())
    new = await recorded(ledger, LARGE, "1", "shield") if met else None  # it wrote before we were told
    for _ in range(2):  # the platform tells of it in both places
        await ledger.community_moved(SMALL, LARGE)

    for each in (ledger, elsewhere):
        assert await each.community_settings(LARGE) == replace(mine, watched=(LARGE[1],))
        assert await each.community_settings(SMALL) == await each.community_settings(LARGE)
        assert (await each.resolve("moon knight", LARGE)).slug == "moon-knight"
        assert not await each.resolve("moon knight", OTHER)
        assert await each.current_community(SMALL) == LARGE == await each.current_community(LARGE)
        view = await each.prediction(old)
        assert view is not None and view.community == LARGE
        assert (await each.tally(old)).characters == {"thor": 1}
    copy = await recorded(elsewhere, LARGE, "2", "helmet", flips=2)
    assert (await ledger.tally(copy)).characters == {"thor": 1}, "a near copy is the same case"
    late = await recorded(ledger, SMALL, "late", "hammer")  # was under way meanwhile
    view = await ledger.prediction(late)
    assert view is not None and view.community == LARGE
    if new is not None:
        await ledger.vote(new, ("telegram", "2"), frozenset({"loki"}), moment())
        assert (await ledger.tally(await recorded(ledger, LARGE, "3", "shield"))).voters == 1
    async with ledger.work.read() as session:
        rows = list(await session.scalars(select(CommunityRow)))
    assert [(row.platform, row.native) for row in rows] == [LARGE]
    await elsewhere.close()


async def test_what_the_new_group_chose_holds(ledger: Ledger) -> None:
    await ledger.change_settings(SMALL, ANNA, CHOSEN, moment())
    await ledger.change_settings(LARGE, ANNA, CommunitySettings(language="en"), moment())
    await ledger.community_moved(SMALL, LARGE)
    assert await ledger.community_settings(LARGE) == CommunitySettings(language="en")
    larger = ("telegram", "-1009")
    await ledger.community_moved(LARGE, larger)
    assert await ledger.current_community(SMALL) == larger
    assert await ledger.community_settings(SMALL) == CommunitySettings(language="en")


async def test_a_group_that_we_never_met(ledger: Ledger) -> None:
    await ledger.community_moved(SMALL, LARGE)
    await ledger.community_moved(LARGE, LARGE)
    assert await ledger.current_community(SMALL) == LARGE
    await ledger.change_settings(SMALL, ANNA, CHOSEN, moment())
    assert await ledger.community_settings(LARGE) == CHOSEN
