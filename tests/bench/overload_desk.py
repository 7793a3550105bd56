"""Ten times what a desk can do: who is refused reads a sentence at once, and the quiet ones are answered.

The desk, its ledger (SQLite) and the worker's client are the real ones, in this process; the worker is the
real one around a stub of 20 ms. What they can do is measured first. Then messages come at ten times that
rate, half of them from one person and half from 200 people of one server, while two people in two other
places post once a second each. From the post to the sentence is what is timed.
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bot.desk.desk import Desk
from bot.desk.limits import RateLimits
from bot.desk.types import Already, Ask, Identified, Person, Refused, Reply
from corrections.ledger import Ledger
from corrections.types import Address
from model.client import WorkerClient
from tests.bench.console import p95
from tests.bench.posting import stub_worker
from tests.bench.rows import Row
from tests.standins.drawings import drawing

STUB = 20.0  # milliseconds
TIMES = 10
BEST_SECONDS = 5.0
CROWD = 200
QUIET_EVERY = 1.0  # seconds
MANY = 10**9


@dataclass
class Seen:
    """Milliseconds from a post to its answer, or to the sentence that says that there are too many."""

    answered: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    others: list[str] = field(default_factory=list)


class Voice:
    """Hears what is said to one message."""

    def __init__(self, address: Address, seen: Seen) -> None:
        self._address, self._seen = address, seen
        self._posted = asyncio.get_running_loop().time()

    async def say(self, reply: Reply | Already) -> Address | None:
        """Note when."""
        took = 1000 * (asyncio.get_running_loop().time() - self._posted)
        for outcome in reply.outcomes if isinstance(reply, Reply) else ():
            if isinstance(outcome, Identified):
                self._seen.answered.append(took)
            elif isinstance(outcome, Refused) and outcome.key == "error-busy":
                self._seen.refused.append(took)
            else:
                self._seen.others.append(str(outcome))
        return Address(*self._address.home, self._address.channel, f"ours-{self._address.message}")

    async def drop(self) -> None:
        """Nothing is said: not to those who ask."""
        self._seen.others.append("silence")

    async def unsay(self, replies: list[Address]) -> None:
        """Nobody deletes anything."""


class Crowd:
    """Who posts, and what came of it."""

    def __init__(self, desk: Desk, picture: bytes) -> None:
        self._desk, self._picture = desk, picture
        self._numbers = itertools.count()
        self.seen = defaultdict[str, Seen](Seen)

    async def post(self, kind: str, place: str, name: str) -> None:
        """One message, until it is answered."""
        number = next(self._numbers)

        async def fetch() -> bytes:
            return self._picture + b"%d" % number

        address = Address("bench", place, "pictures", str(number))
        person = Person("bench", name)
        await self._desk.answer(
            Ask(address, person, person, (fetch,), direct=True), Voice(address, self.seen[kind])
        )

    async def best(self) -> float:
        """Answers a second when there are always some that wait."""
        loop = asyncio.get_running_loop()
        begun = loop.time()

        async def poster(number: int) -> None:
            while loop.time() < begun + BEST_SECONDS:
                await self.post("best", f"best {number}", "somebody")

        await asyncio.gather(*(poster(number) for number in range(8)))
        answered = len(self.seen.pop("best").answered)
        return answered / (loop.time() - begun)

    async def flood(self, rate: float, seconds: float) -> float:
        """Messages at a rate, whether answered or not, and the quiet ones beside them; seconds in all."""
        loop = asyncio.get_running_loop()
        begun, under_way = loop.time(), set[asyncio.Task[None]]()

        async def quiet(number: int) -> None:
            while loop.time() < begun + seconds:
                await asyncio.gather(
                    self.post("quiet", f"quiet {number}", f"quiet {number}"), asyncio.sleep(QUIET_EVERY)
                )

        others = [asyncio.create_task(quiet(number)) for number in range(2)]
        for number in itertools.count():
            due = begun + number / rate
            if due > begun + seconds:
                break
            await asyncio.sleep(max(0.0, due - loop.time()))
            place, name = ("direct", "one") if number % 2 else ("server", f"{number // 2 % CROWD}")
            task = asyncio.create_task(self.post("noisy", place, name))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        await asyncio.gather(*others, *under_way)
        return loop.time() - begun


async def measured(folder: Path, seconds: float) -> list[Row]:
    """One run."""
    picture = drawing("red", size=(64, 64), kind="JPEG")
    async with AsyncExitStack() as stack:
        short = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wb-")))
        flags = ("--batch", "1", "--queue", "64", "--cache-entries", "0", "--decoders", "1")
        _, path = stack.enter_context(stub_worker(short, STUB, *flags))
        client = WorkerClient(f"unix:{path}")
        stack.push_async_callback(client.close)
        ledger = await Ledger.open(f"sqlite+aiosqlite:///{folder}/desk.db", folder)
        stack.push_async_callback(ledger.close)
        desk = Desk(client, ledger, RateLimits(MANY, MANY), caps={"mebibytes": 20, "megapixels": 64})
        crowd = Crowd(desk, picture)
        await crowd.best()  # warms up
        best = await crowd.best()
        took = await crowd.flood(TIMES * best, seconds)
    noisy, quiet = crowd.seen["noisy"], crowd.seen["quiet"]
    if trouble := noisy.others + quiet.others:
        raise SystemExit(f"neither answered nor told that there are too many: {trouble[:5]}")
    rate = (len(noisy.answered) + len(quiet.answered)) / took
    offered = rate + (len(noisy.refused) + len(quiet.refused)) / took
    kept = 100 * len(quiet.answered) / (len(quiet.answered) + len(quiet.refused))
    return [
        Row("the desk: answers a second, flooded", (rate,), "/s", (best,), "at its best", more=True),
        Row("… offered", (offered,), "/s", (best,), "its best", more=True),
        Row("… refused in a sentence: 95 % within", (p95(noisy.refused),), "ms", bound="≤ 50"),
        Row("… the quiet ones are answered", (kept,), "%", bound="100"),
        Row("… and 95 % of them wait less than", (p95(quiet.answered),), "ms"),
    ]
