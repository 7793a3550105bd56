"""The memory follows the ledger, whoever writes to it, and answers with what is there by then."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from bot.memory.engine import Engine
from bot.memory.following import Memory, MemoryRules
from bot.memory.rebuilding import Rebuilding
from bot.memory.types import Entry
from corrections.errors import LedgerError
from corrections.ledger import Ledger
from corrections.privacy import STANDINGS
from corrections.types import Community, Recalled
from model.errors import PictureError, WorkerBusy
from model.types import BundleInfo, Ranked, Sight
from tests.corrections.support import ANNA, BELA, answer, moment, near_key, seen
from tests.corrections.test_memory import MARKS, OPERATOR, decide, embedding, record

HERE: Community = ("telegram", "guild")
THERE: Community = ("telegram", "elsewhere")
AT_MOST = 2.0
"""Seconds after which an approval counts in every process."""


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    async with opened(tmp_path) as one:
        yield one


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Ledger]:
    one = await Ledger.open(f"sqlite:///{folder}/ledger.db", folder)
    try:
        yield one
    finally:
        await one.close()


def sight(name: object, flips: int = 0, bundle: str = "b1") -> Sight:
    """What the worker says of a picture, or of a copy of it."""
    return Sight(
        answer=answer(),
        logits=(),
        embedding=embedding(name),
        near_key=near_key(name, flips),
        sha256=seen(name, flips).sha256,
        width=640,
        height=480,
        bundle=bundle,
        level="fp32",
        milliseconds=10.0,
        marks=MARKS,
    )


async def remembering(ledger: Ledger, **rules: object) -> Memory:
    memory = Memory(ledger, MemoryRules(**rules))  # type: ignore[arg-type]
    await memory.begin("b1")
    return memory


class KeptEngine(Engine):
    """An engine whose entries can be looked at."""

    def __init__(self, bound: int, *, shared: bool = False) -> None:
        super().__init__(bound, shared=shared)
        self.kept: dict[tuple[int, int], Entry] = {}

    def put(self, entry: Entry) -> None:
        super().put(entry)
        self.kept[entry.community, entry.blob] = entry

    def drop(self, community: int, blob: int) -> None:
        super().drop(community, blob)
        del self.kept[community, blob]


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.memory.following.Engine", KeptEngine)


def entries(memory: Memory) -> list[Entry]:
    """What the memory has put into its engine, in the order in which it was decided."""
    engine = memory._engine
    assert isinstance(engine, KeptEngine)
    held = [(each.community, each.blob) for each in memory._held.all()]
    assert set(held) == set(engine.kept) and len(engine) == len(held)
    return [engine.kept[key] for key in held]


async def until(so: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until it is so; nothing tells when a poll has found something."""
    end = time.monotonic() + seconds
    while not so():
        assert time.monotonic() < end, "it did not come to that"
        await asyncio.sleep(0.01)


def told(memory: Memory, name: object, home: Community = HERE, flips: int = 3) -> tuple[str, ...] | None:
    """What people said of a copy of that picture; None when nothing is remembered of it."""
    found = memory.recall(home, sight(name, flips))
    if found.how != "same":
        assert found.answer == answer()  # just as without a memory
        return None
    return found.slugs


async def test_an_approval_counts_and_an_undo_takes_it_out(ledger: Ledger) -> None:
    memory = await remembering(ledger)
    first = await record(ledger, "a")
    await ledger.vote(first.prediction_id, BELA, frozenset({"loki"}), moment())
    assert not await memory.follow() and told(memory, "a") is None
    await decide(ledger, first, ("loki",))
    assert await memory.follow() and told(memory, "a") == ("loki",) and told(memory, "b") is None
    version = memory.version
    assert memory.recall(HERE, sight("a", 3)).version == version
    await decide(ledger, first, ("thor",), 2)
    await memory.follow()
    assert told(memory, "a") == ("thor",) and memory.version > version
    await ledger.review.undo(OPERATOR, moment(3))
    await memory.follow()
    assert told(memory, "a") == ("loki",)
    await decide(ledger, first, None, 4, "reject")
    await memory.follow()
    assert told(memory, "a") is None and len(memory) == 0


async def test_it_counts_within_two_seconds_in_every_process(ledger: Ledger, tmp_path: Path) -> None:
    async with opened(tmp_path) as other:
        memory = await remembering(other)
        task = asyncio.create_task(memory.keep())
        try:
            first = await record(ledger, "a")
            for labels in (("loki",), ("thor",), ()):
                await decide(ledger, first, labels, random.random())
                # on a busy machine; on a quiet one it takes a quarter of what is allowed
                await until(lambda labels=labels: told(memory, "a") == labels, 10 * AT_MOST)  # type: ignore[misc]
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def test_it_is_local_to_a_community(ledger: Ledger) -> None:
    await decide(ledger, await record(ledger, "a"), ("loki",))
    memory, shared = await remembering(ledger), await remembering(ledger, shared=True)
    assert told(memory, "a") == told(shared, "a") == ("loki",)
    assert told(memory, "a", THERE) is None and told(shared, "a", THERE) == ("loki",)
    assert shared.recall(HERE, sight("a")).here and not shared.recall(THERE, sight("a")).here


async def test_a_shared_memory_tells_nobodys_own_names(ledger: Ledger) -> None:
    first = await record(ledger, "a")
    name = await ledger.propose("Zorblax", ANNA, HERE, moment())
    await decide(ledger, first, (name.slug,))
    shared = await remembering(ledger, shared=True)
    assert told(shared, "a") == (name.slug,) and told(shared, "a", THERE) is None


async def test_names_follow(ledger: Ledger) -> None:
    first = await record(ledger, "a")
    name = await ledger.propose("Zorblax", ANNA, HERE, moment())
    await decide(ledger, first, (name.slug,))
    memory = await remembering(ledger)
    assert told(memory, "a") == (name.slug,)
    await ledger.review.merge(OPERATOR, name.slug, "loki", moment(2))
    await memory.follow()
    assert told(memory, "a") == ("loki",)


async def test_a_community_that_moves(ledger: Ledger) -> None:
    await decide(ledger, await record(ledger, "a"), ("loki",))
    memory = await remembering(ledger)
    await ledger.community_moved(HERE, ("telegram", "grown"))
    await memory.follow()
    assert told(memory, "a", ("telegram", "grown")) == told(memory, "a", HERE) == ("loki",)


async def test_forgetting_and_withdrawing(ledger: Ledger) -> None:
    mine, theirs = await record(ledger, "a"), await record(ledger, "b", poster=BELA)
    for each in (mine, theirs):
        await decide(ledger, each, ("loki",))
    for person in (ANNA, BELA):
        await ledger.privacy.choose(person, "all", moment(2))
    memory = await remembering(ledger)
    assert [each.leans for each in entries(memory)] == [True, True]
    await ledger.privacy.choose(BELA, "never", moment(3))
    await memory.follow()
    assert [each.leans for each in entries(memory)] == [True, False]
    await ledger.privacy.forget(ANNA, moment(4))
    await memory.follow()
    assert told(memory, "a") is None and told(memory, "b") == ("loki",)


async def test_what_is_left_out_comes_in_when_there_is_room(ledger: Ledger) -> None:
    posted = [await record(ledger, name) for name in range(4)]
    for minutes, each in enumerate(posted):
        await decide(ledger, each, ("loki",), 1 + minutes)
    memory = await remembering(ledger, most=2)
    assert [told(memory, name) for name in range(4)] == [None, None, ("loki",), ("loki",)]
    await decide(ledger, posted[3], None, 9, "reject")
    await memory.follow()
    assert [told(memory, name) for name in range(4)] == [None, ("loki",), ("loki",), None]


async def test_another_ledger_in_its_place_is_read_anew(ledger: Ledger) -> None:
    await decide(ledger, await record(ledger, "a"), ("loki",))
    memory = await remembering(ledger)
    memory.version = 10**6  # as after a backup was put back
    assert await memory.follow() and told(memory, "a") == ("loki",) and memory.version < 10**6


async def test_a_ledger_that_does_not_answer_for_a_while(
    ledger: Ledger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.memory.following.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("bot.memory.following.TROUBLE_SECONDS", 0.01)
    await decide(ledger, await record(ledger, "a"), ("loki",))
    memory = await remembering(ledger)
    async with ledger.work.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE memory_changes RENAME TO hidden")
    task = asyncio.create_task(memory.keep())
    await until(lambda: bool(caplog.records))
    assert told(memory, "a") == ("loki",)
    async with ledger.work.engine.begin() as connection:
        await connection.exec_driver_sql("ALTER TABLE hidden RENAME TO memory_changes")
    await decide(ledger, await record(ledger, "b"), ("thor",))
    await until(lambda: told(memory, "b") == ("thor",))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len([each for each in caplog.records if "brought up to date" in each.message]) == 1
    with pytest.raises(LedgerError):
        await ledger.close()
        await memory.follow()


async def test_a_fault_costs_nobody_an_answer(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    await decide(ledger, await record(ledger, "a"), ("loki",))
    memory = await remembering(ledger)
    odd = replace(sight("a"), near_key="no key at all")
    for _ in range(3):
        assert memory.recall(HERE, odd) == Recalled(memory.version, "", answer())
    assert len([each for each in caplog.records if "memory has a fault" in each.message]) == 1


# -- another model, and damage


@dataclass
class Looking:
    """Eyes that see in every picture what belongs to its bytes."""

    serving: str = "b2"
    looked: list[bytes] = field(default_factory=list)
    troubles: list[Exception] = field(default_factory=list)

    async def bundle(self) -> BundleInfo:
        return BundleInfo(self.serving, ("loki",))

    async def look(
        self, picture: bytes, *, fairness_key: str = "", keep: bool = False, deadline: float | None = None
    ) -> Sight:
        assert fairness_key == "memory" and not keep
        if self.troubles:
            raise self.troubles.pop()
        self.looked.append(picture)
        name = next(name for name in "abcd" if seen(name).stored == picture)
        return replace(sight(f"{name} as {self.serving} sees it"), bundle=self.serving)


async def test_another_model_looks_at_what_is_remembered(ledger: Ledger) -> None:
    for name in "abc":
        await decide(ledger, await record(ledger, name), ("loki",))
    await ledger.privacy.choose(ANNA, "all", moment(3))
    memory, eyes = await remembering(ledger), Looking()
    assert [each.embedding is not None for each in entries(memory)] == [True] * 3
    rebuilding = Rebuilding(memory, ledger, eyes, 6000)
    assert await rebuilding.rebuild() == 0  # it has heard of the other model
    await memory.follow()
    assert memory.bundle == "b2" and told(memory, "a") == ("loki",)
    assert [(each.embedding, each.leans, each.marks) for each in entries(memory)] == [
        (None, False, MARKS)
    ] * 3
    assert await rebuilding.rebuild() == 3 and sorted(eyes.looked) == sorted(seen(n).stored for n in "abc")
    await memory.follow()
    assert not memory.lacking() and await rebuilding.rebuild() == 0
    for name, each in zip("abc", entries(memory), strict=True):
        assert each.embedding is not None and each.leans
        assert tuple(each.embedding) == embedding(f"{name} as b2 sees it")
    assert memory.recall(HERE, sight("a", bundle="b2")).how == "same"


async def test_an_answer_of_another_model_is_compared_with_nothing(ledger: Ledger) -> None:
    await decide(ledger, await record(ledger, "a"), ("loki",))
    memory = await remembering(ledger)
    assert memory.recall(HERE, sight("a", 3, bundle="b9")).slugs == ("loki",)
    assert memory.bundle == "b1"
    await memory.follow()
    assert memory.bundle == "b9" and [each.there for each in memory.lacking()] == [True]


async def test_while_workers_differ_the_memory_stays_with_the_model_that_leads(ledger: Ledger) -> None:
    await decide(ledger, await record(ledger, "a"), ("loki",))
    leads = "b1"
    memory = Memory(ledger, MemoryRules(), lambda: leads)
    await memory.begin("b1")
    for bundle in ("b2", "b1", "b2"):  # they take turns
        assert memory.recall(HERE, sight("a", 3, bundle=bundle)).slugs == ("loki",)
        await memory.follow()
        assert memory.bundle == "b1"
    leads = "b2"
    memory.recall(HERE, sight("a", 3, bundle="b2"))
    await memory.follow()
    assert memory.bundle == "b2"


async def test_pictures_that_cannot_be_looked_at_are_left_alone(ledger: Ledger) -> None:
    for name in "ab":
        await decide(ledger, await record(ledger, name), ("loki",))
    memory, eyes = await remembering(ledger), Looking()
    memory.serves("b2")
    await memory.follow()
    eyes.troubles = [PictureError("truncated"), WorkerBusy(0.0)]
    rebuilding = Rebuilding(memory, ledger, eyes, 6000)
    assert await rebuilding.rebuild() == 0 and not eyes.looked
    assert await rebuilding.rebuild() == 1  # the busy one; the other one never
    await memory.follow()
    assert await rebuilding.rebuild() == 0 and len(memory.lacking()) == 1
    assert await Rebuilding(memory, ledger, eyes, 0).rebuild() == 0


async def test_people_come_first(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.memory.rebuilding.PATIENCE", 0.05)
    await decide(ledger, await record(ledger, "a"), ("loki",))
    memory, eyes, quiet = await remembering(ledger), Looking(), asyncio.Event()

    async def nobody_waits() -> None:
        await quiet.wait()

    memory.serves("b2")
    await memory.follow()
    rebuilding = Rebuilding(memory, ledger, eyes, 6000, nobody_waits)
    assert await rebuilding.rebuild() == 0 and not eyes.looked
    quiet.set()
    assert await rebuilding.rebuild() == 1


async def test_what_is_damaged_is_seen_again(
    ledger: Ledger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in "ab":
        await decide(ledger, await record(ledger, name), ("loki",))
    with sqlite3.connect(tmp_path / "ledger.db") as file:
        file.execute("UPDATE features SET embedding = zeroblob(32) WHERE blob_id = 1")
    file.close()
    with caplog.at_level(logging.WARNING):
        memory = await remembering(ledger)
    assert len([each for each in caplog.records if "damaged" in each.message]) == 1
    assert told(memory, "a") == told(memory, "b") == ("loki",)  # what people said is not damaged
    assert [each.embedding is None for each in entries(memory)] == [True, False]
    eyes = Looking("b1")
    assert await Rebuilding(memory, ledger, eyes, 6000).rebuild() == 1
    await memory.follow()
    assert not memory.lacking() and [each.embedding is None for each in entries(memory)] == [False, False]


async def test_whoever_follows_remembers_the_same_as_who_begins(ledger: Ledger) -> None:
    """Whatever happens in whatever order: what was followed is what would be read anew."""
    chance = random.Random(6)
    memory = await remembering(ledger, most=12)
    people = [("telegram", str(n)) for n in range(4)]
    posted = [await record(ledger, n, n / 100, poster=chance.choice(people)) for n in range(18)]
    gone: set[int] = set()
    for step in range(60):
        at = 1 + step / 10
        number = chance.randrange(len(posted))
        match chance.choice(["approve", "approve", "reject", "undo", "consent", "forget", "copy"]):
            case "approve" if number not in gone:
                labels = tuple(chance.sample(["loki", "thor", "hela"], chance.randint(0, 2)))
                await attempt(decide(ledger, posted[number], labels, at))
            case "reject" if number not in gone:
                await attempt(decide(ledger, posted[number], None, at, "reject"))
            case "undo":
                await attempt(ledger.review.undo(OPERATOR, moment(at)))
            case "consent":
                standing = chance.choice(STANDINGS)
                await ledger.privacy.choose(chance.choice(people), standing, moment(at))
            case "copy" if number not in gone:
                await record(ledger, number, at, flips=chance.randint(0, 20), message=f"copy-{step}")
            case "forget" if step % 5 == 0:
                await ledger.privacy.forget(chance.choice(people), moment(at))
                for n, each in enumerate(posted):
                    if await ledger.prediction(each.prediction_id) is None:
                        gone.add(n)
        if step % 3 == 0:
            await memory.follow()
            anew = await remembering(ledger, most=12)
            assert [plain(each) for each in entries(memory)] == [plain(each) for each in entries(anew)], step
    assert len(entries(memory)) > 2


async def attempt(doing: Awaitable[object]) -> None:
    """What is refused changes nothing."""
    with contextlib.suppress(LedgerError):
        await doing


def plain(entry: Entry) -> tuple[object, ...]:
    numbers = None if entry.embedding is None else tuple(entry.embedding)
    ranked: tuple[Ranked, ...] = entry.ranked
    return entry.blob, entry.case, entry.slugs, entry.near_key, entry.marks, entry.leans, numbers, ranked
