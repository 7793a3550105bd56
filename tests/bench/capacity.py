"""What docs/capacity.md is computed from: what one picture costs the worker, the bot and the ledger.

Costs of a picture are CPU time, which other programs on the machine change little; what the ledger takes is
in writes a second, beside bare commits of the same database on the same disk, in turns.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import sqlite3
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import aiohttp
import asyncpg
import psutil
from prometheus_client.parser import text_string_to_metric_families

from corrections.ledger import Ledger
from corrections.types import Address, Seen
from model.decode import DecodeLimits, decode
from model.preprocess import Preprocess
from model.supervisor import WorkerSupervisor
from model.types import Answer, Ranked, Verdict
from model.worker.options import WorkerOptions
from tests.bench.peer import NAME, Pipeline, made
from tests.bench.rows import Bench, Row
from tests.e2e.running import discord_settings, running_bot
from tests.standins.bundles import tiny_bundle
from tests.standins.discord import DiscordStandin
from tests.standins.drawings import drawing
from tests.standins.postgres import Server, binaries

ROUNDS = 5
WRITES = 30
"""Of each kind a round."""
CLIENTS = 8
"""That write at the same time."""
SIZE = (1920, 1080)
ANSWER = Answer(
    Verdict.SURE,
    "loki",
    0.9,
    0.97,
    tuple(Ranked(*each) for each in (("loki", 0.9), ("thor", 0.06), ("hulk", 0.01))),
)


def rows(bench: Bench) -> list[Row]:
    """The worker's CPU a picture, the decoder's share of it, the bot's, and the ledger's writes a second."""
    pictures = [
        drawing("red", seed=seed, size=SIZE, kind="JPEG", quality=85) for seed in range(bench.pictures)
    ]
    found = [_decoding(pictures)]
    found += asyncio.run(_looking(bench.folder, pictures))
    found.append(asyncio.run(_talking(bench.folder / "bot", max(20, bench.pictures))))
    found += asyncio.run(_ledger_rows("SQLite", _sqlite(bench.folder / "sqlite")))
    if binaries() is not None:
        with Server(fsync="on", full_page_writes="on", autovacuum="on") as server:
            opened = _postgres(server, bench.folder / "postgres")
            found += asyncio.run(_ledger_rows("PostgreSQL", opened, server.pid))
    return found


def _decoding(pictures: list[bytes]) -> Row:
    how, limits, spent = Preprocess(), DecodeLimits(), []
    for picture in pictures:
        began = time.process_time()
        decode(picture, limits, how, keep=True)
        spent.append(1000 * (time.process_time() - began))
    return Row("CPU to decode, keep and prepare a picture of 1920 x 1080", tuple(spent[2:]), "ms")


async def _looking(folder: Path, pictures: list[bytes]) -> list[Row]:
    """The worker's CPU time a picture, everything in it, at *exact*; the pipeline's beside it, in turns."""
    network = await asyncio.to_thread(made, folder / "peer")
    files = []
    for number, picture in enumerate(pictures):
        files.append(folder / f"{number}.jpg")
        files[-1].write_bytes(picture)
    async with AsyncExitStack() as stack:
        options = WorkerOptions(use="builtin", models_dir=folder / "models", decoders=2, cache_entries=0)
        worker = await stack.enter_async_context(WorkerSupervisor(options))
        client = worker.client()
        stack.push_async_callback(client.close)
        peer = stack.enter_context(Pipeline(network))
        assert worker.pid is not None
        ours, theirs, rates = [], [], []
        share = max(1, len(files) // ROUNDS)
        for start in range(0, share * ROUNDS, share):
            part = list(range(start, start + share))
            before, began = _cpu(worker.pid), time.perf_counter()
            await asyncio.gather(*(client.look(pictures[each], keep=True) for each in part))
            rates.append(share / (time.perf_counter() - began))
            ours.append(1000 * (_cpu(worker.pid) - before) / share)
            before = _cpu(peer.pid)
            for each in part:
                await asyncio.to_thread(peer.milliseconds, files[each])
            theirs.append(1000 * (_cpu(peer.pid) - before) / share)
    cores = os.cpu_count() or 1
    return [
        Row(
            "CPU of the worker a picture, decoding and keeping in it",
            tuple(ours[1:]),
            "ms",
            tuple(theirs[1:]),
            NAME,
        ),
        Row(
            f"pictures a second of the worker, {share} at a time on {cores} cores",
            tuple(rates[1:]),
            "/s",
            more=True,
        ),
    ]


def _cpu(pid: int) -> float:
    """Seconds of CPU of a process and of its children, those that ended included."""
    process = psutil.Process(pid)
    every = [process, *process.children(recursive=True)]
    return sum(each.cpu_times().user + each.cpu_times().system for each in every)


async def _talking(folder: Path, posts: int) -> Row:
    """CPU of the bot's own process a picture: Discord's event in, worker asked, ledger written, reply out."""
    bundle = tiny_bundle(folder / "tiny")
    async with DiscordStandin() as discord:
        guild = discord.guild("Fans")
        channel, ann = guild.text_channel("pictures"), guild.member("ann")
        limits = {
            "WHOSTHAT_LIMITS__PERSON_PER_MINUTE": "10000",
            "WHOSTHAT_LIMITS__COMMUNITY_PER_MINUTE": "10000",
        }
        async with running_bot(folder, bundle, **discord_settings(discord, **limits)) as bot:
            await discord.wait_ready()
            url, spent = await bot.url(), []
            for round_ in range(ROUNDS + 1):
                before = await _spent(url)
                # at once: what it does every half second anyway is none of a picture's
                sent = [
                    await ann.post(channel, files=[("a.png", drawing("red", seed=1000 * round_ + seed))])
                    for seed in range(posts // ROUNDS)
                ]
                await asyncio.gather(*(discord.wait_reply(to=each, timeout=60) for each in sent))
                spent.append(1000 * (await _spent(url) - before) / len(sent))
    return Row("CPU of the bot's own process a picture, on Discord", tuple(spent[1:]), "ms")


async def _spent(url: str) -> float:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        text = await response.text()
    return next(
        each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
        if each.name == "process_cpu_seconds_total"
    )


Bare = Callable[[], Awaitable[object]]
Opened = Callable[[], "AsyncIterator[tuple[Ledger, Bare]]"]


def _sqlite(folder: Path) -> Opened:
    async def opened() -> AsyncIterator[tuple[Ledger, Bare]]:
        folder.mkdir()
        ledger = await Ledger.open(f"sqlite:///{folder}/bench.db", folder)
        bare = sqlite3.connect(folder / "bare.db", isolation_level=None, check_same_thread=False)
        bare.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE t (x)")
        try:
            yield ledger, partial(asyncio.to_thread, bare.execute, "INSERT INTO t VALUES (1)")
        finally:
            bare.close()
            await ledger.close()

    return opened


def _postgres(server: Server, folder: Path) -> Opened:
    async def opened() -> AsyncIterator[tuple[Ledger, Bare]]:
        folder.mkdir()
        url = server.fresh()
        ledger = await Ledger.open(url, folder)
        bare = await asyncpg.connect(url.replace("+asyncpg", ""))
        await bare.execute("CREATE TABLE bare (x int)")
        try:
            yield ledger, partial(bare.execute, "INSERT INTO bare VALUES (1)")
        finally:
            await bare.close()
            await ledger.close()

    return opened


async def _ledger_rows(name: str, opened: Opened, server: int | None = None) -> list[Row]:
    """Answers that are recorded and votes a second, by several at a time; and bare commits, one by one."""
    async with asynccontextmanager(opened)() as (ledger, bare):
        answers, votes, commits = [], [], []
        answer_ms, vote_ms = [], []
        for round_ in range(ROUNDS):
            numbers = iter(range(round_ * WRITES, (round_ + 1) * WRITES))
            predictions: list[int] = []

            async def write(numbers: Iterator[int] = numbers, made: list[int] = predictions) -> None:
                for number in numbers:
                    made.append(await _recorded(ledger, number))

            rate, spent = await _rate(write, server)
            answers.append(rate)
            answer_ms.append(spent)
            left = iter(predictions)

            async def vote(left: Iterator[int] = left) -> None:
                for prediction in left:
                    voter = ("discord", f"voter-{prediction % 50}")
                    await ledger.vote(prediction, voter, frozenset({"loki"}), at=datetime.now(UTC))

            rate, spent = await _rate(vote, server)
            votes.append(rate)
            vote_ms.append(spent)
            began = time.perf_counter()
            for _ in range(WRITES):
                await bare()
            commits.append(WRITES / (time.perf_counter() - began))
    beside = f"bare commits of {name}"
    return [
        Row(f"CPU of an answer in {name}, the database's own in it", tuple(answer_ms[1:]), "ms"),
        Row(f"CPU of a vote in {name}", tuple(vote_ms[1:]), "ms"),
        Row(f"answers a second that {name} takes", tuple(answers), "/s", tuple(commits), beside, more=True),
        Row(f"votes a second that {name} takes", tuple(votes), "/s", tuple(commits), beside, more=True),
    ]


async def _rate(work: Callable[[], Awaitable[None]], server: int | None) -> tuple[float, float]:
    """How many a second, and milliseconds of CPU each: ours and those of a server of that number."""

    def spent() -> float:
        return time.process_time() + (_cpu(server) if server else 0.0)

    began, before = time.perf_counter(), spent()
    await asyncio.gather(*(work() for _ in range(CLIENTS)))
    return WRITES / (time.perf_counter() - began), 1000 * (spent() - before) / WRITES


async def _recorded(ledger: Ledger, number: int) -> int:
    luck = random.Random(number)
    content = luck.randbytes(60_000)  # what a kept picture weighs
    key = f"{luck.getrandbits(256):064x}"
    vector = tuple(luck.uniform(-1, 1) for _ in range(256))
    norm = statistics.fsum(each * each for each in vector) ** 0.5
    seen = Seen(
        near_key=key,
        stored=content,
        stored_format="webp",
        width=SIZE[0],
        height=SIZE[1],
        sha256=hashlib.sha256(content).hexdigest(),
        embedding=tuple(each / norm for each in vector),
    )
    address = Address("discord", "bench", "pictures", f"{number}")
    recorded = await ledger.record(
        address,
        0,
        poster=("discord", f"poster-{number % 40}"),
        seen=seen,
        bundle="bench",
        level="exact",
        answer=ANSWER,
        milliseconds=200.0,
        at=datetime.now(UTC),
    )
    await ledger.replied([recorded.prediction_id], Address("discord", "bench", "pictures", f"reply-{number}"))
    return recorded.prediction_id
