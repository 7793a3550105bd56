"""Links that work once: redeemed in time, by one, and never made from what the ledger keeps."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from corrections.ledger import Ledger
from corrections.links import TOKEN_BYTES
from tests.corrections.raw import everything, rows
from tests.corrections.support import ANNA, GUILD, NOON, OTHER, moment


async def test_a_link_works_once(ledger: Ledger) -> None:
    token = await ledger.links.make("login", NOON, 10, ANNA, GUILD)
    peeked = await ledger.links.peek("login", token, moment(1))
    assert peeked == await ledger.links.peek("login", token, moment(2))  # looking uses nothing up
    link = await ledger.links.redeem("login", token, moment(3))
    assert link == peeked
    assert link is not None
    assert (link.person, link.community, link.subject) == (ANNA, GUILD, None)
    assert await ledger.links.redeem("login", token, moment(3)) is None
    assert await ledger.links.peek("login", token, moment(3)) is None


async def test_of_two_who_are_as_fast_one_gets_in(ledger: Ledger) -> None:
    token = await ledger.links.make("login", NOON, 10)
    links = await asyncio.gather(*(ledger.links.redeem("login", token, NOON) for _ in range(8)))
    assert sum(link is not None for link in links) == 1


async def test_two_processes_and_one_link(ledger: Ledger, url: str, tmp_path: Path) -> None:
    """``whosthat console`` makes it, the bot that runs redeems it."""
    other = await Ledger.open(url, tmp_path)
    try:
        token = await other.links.make("login", NOON, 10)
        both = await asyncio.gather(
            *(each.links.redeem("login", token, NOON) for each in (ledger, other) for _ in range(3))
        )
        assert sum(link is not None for link in both) == 1
    finally:
        await other.close()


async def test_it_ends_when_its_minutes_are_over(ledger: Ledger) -> None:
    token = await ledger.links.make("login", NOON, 10)
    assert await ledger.links.peek("login", token, moment(9.9)) is not None
    assert await ledger.links.peek("login", token, moment(10)) is None
    assert await ledger.links.redeem("login", token, moment(10)) is None


async def test_each_kind_opens_its_own(ledger: Ledger) -> None:
    token = await ledger.links.make("download", NOON, 10, ANNA, None, "export-1")
    assert await ledger.links.redeem("login", token, NOON) is None
    link = await ledger.links.redeem("download", token, NOON)
    assert link is not None
    assert link.subject == "export-1"
    assert not await ledger.links.alive(link.session)  # a download begins no session


async def test_the_operators_link_is_nobodys(ledger: Ledger) -> None:
    link = await ledger.links.redeem("login", await ledger.links.make("login", NOON, 10), NOON)
    assert link is not None
    assert (link.person, link.community) == (None, None)


@pytest.mark.parametrize("native", ["42", "-100123:7", "a:b:c", "名字", "x" * 60])
async def test_it_says_whose_it_is(ledger: Ledger, native: str) -> None:
    token = await ledger.links.make("login", NOON, 10, ("telegram", native), OTHER)
    link = await ledger.links.redeem("login", token, NOON)
    assert link is not None
    assert link.person == ("telegram", native)


async def test_another_name_in_a_token_makes_it_no_token(ledger: Ledger) -> None:
    token = await ledger.links.make("login", NOON, 10, ANNA, GUILD)
    secret, _, _ = token.partition(".")
    bela = base64.urlsafe_b64encode(b"discord:2").decode().rstrip("=")
    for forged in (f"{secret}.{bela}", secret, f"{secret}.", f"{token}A", token[1:], f" {token}"):
        assert await ledger.links.redeem("login", forged, NOON) is None
    assert await ledger.links.redeem("login", token, NOON) is not None


@pytest.mark.parametrize("token", ["", "x", "é" * 43, "a" * 43, "A" * 10_000, "\x00" * 43, "../" * 14 + "a"])
async def test_what_is_no_token_opens_nothing(ledger: Ledger, token: str) -> None:
    assert await ledger.links.peek("login", token, NOON) is None
    assert await ledger.links.redeem("download", token, NOON) is None


async def test_the_database_knows_neither_token_nor_person(ledger: Ledger, url: str) -> None:
    token = await ledger.links.make("login", NOON, 10, ("discord", "80351110224678912"), GUILD)
    assert len(base64.urlsafe_b64decode(token.partition(".")[0] + "=")) == TOKEN_BYTES
    assert token.partition(".")[0] not in everything(url)
    assert "80351110224678912" not in everything(url)


async def test_a_session_goes_on_until_it_is_ended(ledger: Ledger) -> None:
    token = await ledger.links.make("login", NOON, 10, ANNA, GUILD)
    peeked = await ledger.links.peek("login", token, NOON)
    assert peeked is not None
    assert not await ledger.links.alive(peeked.session)  # a link that was not redeemed is no session
    link = await ledger.links.redeem("login", token, NOON)
    assert link is not None
    assert await ledger.links.alive(link.session)
    await ledger.links.end(link.session)
    await ledger.links.end(link.session)
    assert not await ledger.links.alive(link.session)


async def test_old_links_are_swept_away(ledger: Ledger, url: str) -> None:
    for _ in range(3):
        await ledger.links.make("login", NOON, 10)
    await ledger.links.make("login", moment(60 * 24 * 40), 10)
    assert rows(url, "SELECT count(*) FROM links") == [(1,)]


async def test_the_link_of_a_group_that_moves_opens_what_it_has_become(ledger: Ledger) -> None:
    token = await ledger.links.make("login", NOON, 10, ANNA, ("telegram", "-1"))
    await ledger.community_moved(("telegram", "-1"), ("telegram", "-1001"))
    link = await ledger.links.redeem("login", token, NOON)
    assert link is not None
    assert link.community == ("telegram", "-1001")


async def test_a_link_made_under_the_new_id_before_the_move_was_heard_of(ledger: Ledger) -> None:
    old, new = ("telegram", "-1"), ("telegram", "-1001")
    tokens = [await ledger.links.make("login", NOON, 10, ANNA, each) for each in (old, new)]
    await ledger.community_moved(old, new)
    links = [await ledger.links.redeem("login", token, NOON) for token in tokens]
    assert [link and link.community for link in links] == [new, new]
