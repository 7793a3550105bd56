"""A desk that has no room: who is refused reads so without the ledger; what was answered stays answered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Any

from sqlalchemy import Engine, event

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.looking import WAITING
from bot.desk.said import REMEMBERED, Said
from bot.desk.types import Already, Person, Refused, Reply
from corrections.ledger import Ledger
from corrections.types import Address
from tests.bot.test_desk import Voice, asking
from tests.standins.drawings import drawing
from tests.standins.page import TableEyes

RED = drawing("red")


def desk_of(ledger: Ledger) -> Desk:
    return Desk(TableEyes(), ledger, RateLimits(10**6, 10**6))


@asynccontextmanager
async def full(desk: Desk) -> AsyncIterator[None]:
    """All the room there is taken by others until the block ends."""
    await desk.answer(asking(drawing("grey"), message="warm"), Voice())
    turns = desk._answers.looking.turns
    with ExitStack() as crowd:
        for number in range(WAITING):
            assert crowd.enter_context(turns.looked_up(f"place {number}|person"))
        yield


@contextmanager
def statements() -> Iterator[list[str]]:
    """What any ledger is asked meanwhile."""
    asked: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        asked.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield asked
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def refusals(voice: Voice) -> list[str]:
    return [
        outcome.key
        for reply in voice.said
        if isinstance(reply, Reply)
        for outcome in reply.outcomes
        if isinstance(outcome, Refused)
    ]


async def test_who_finds_no_room_is_told_so_without_a_look_into_the_ledger(ledger: Ledger) -> None:
    desk, voice = desk_of(ledger), Voice()
    async with full(desk):
        with statements() as asked:
            chinese = Person("test", "li", "zh-CN")
            await desk.answer(asking(RED, message="late", person=chinese), voice)
        assert asked == []
    assert refusals(voice) == ["error-busy"]
    (reply,) = voice.said
    assert isinstance(reply, Reply)
    assert reply.language == "zh-CN"
    again = Voice()
    with statements() as asked:
        await desk.answer(asking(RED, message="late"), again)
    assert asked, "there is room again: it is looked up"
    assert not refusals(again)
    assert again.said


async def test_what_was_answered_is_not_refused_for_want_of_room(ledger: Ledger) -> None:
    """Neither what this process answered nor what one before it did, as long as our answer is there."""
    before, desk = desk_of(ledger), desk_of(ledger)
    await before.answer(asking(RED, message="before"), Voice(sent=10))
    await desk.answer(asking(RED, message="now"), Voice(sent=20))
    async with full(desk):
        for message in ("before", "now"):
            unasked, direct = Voice(), Voice()
            await desk.answer(asking(RED, message=message, direct=False), unasked)
            assert not unasked.said
            await desk.answer(asking(RED, message=message), direct)
            (said,) = direct.said
            assert isinstance(said, Already)
            assert said.reply == await ledger.reply_to(asking(message=message).address)
        gone = Voice()
        await desk.message_deleted(said.reply)
        await desk.answer(asking(RED, message="now"), gone)
        assert refusals(gone) == ["error-busy"]


def test_only_the_newest_are_remembered_and_those_of_the_forgotten_are_not() -> None:
    said = Said()
    for number in range(REMEMBERED + 2):
        said.put(message(f"a{number}"), message(f"b{number}"), ("test", str(number % 2)))
    assert said.to(message("a1")) is None
    assert said.to(message("a2")) == message("b2")
    said.put(message("a2"), message("again"), ("test", "0"))
    said.unsaid(message("b2"))  # which is not what answers it any more
    assert said.to(message("a2")) == message("again")
    said.unsaid(message("again"))
    assert said.to(message("a2")) is None
    said.put(message("of whom?"), message("ours"))
    theirs = said.forget(("test", "1"))
    assert len(theirs) == REMEMBERED // 2 + 1
    assert said.to(message("a3")) is said.to(message("of whom?")) is None
    assert said.to(message("a4")) == message("b4")


def message(name: str) -> Address:
    return Address("test", "place", "channel", name)
