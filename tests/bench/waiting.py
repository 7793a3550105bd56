"""How long those who post at once wait, and how much of what the model could do is done.

*8 posters*: a model through the real worker and its socket at each level, and `transformers.pipeline` in an
executor of the bot, in turns; distinct pictures, no cache. Who posts when the last answer is there waits for
8 pictures in all, so that what is waited follows the pictures a second, which are shown too. The embedded
model, and a ViT-B/16 with random weights; the embedded model also as the bot asks, with what is stored.

*32 clients*: a stub that takes 20 ms whatever the batch, in our worker and in LitServe, in turns. The ideal
is one full batch every 20 ms: with batches of at most 16 (half of the clients, so that one half can be on its
way while the other is looked at) 800 a second, with batches of 8 400, one by one 50. First no picture is
decoded on either side: what is measured is the way from the socket to the model and back, with LitServe's
default queue and its faster one. Then with pictures that are decoded, as both are used: our worker beside
LitServe as its documentation shows it, and as well tuned as we could (`tests.bench.litserve_peer`). Our
worker begins at a batch of one and finds out that more pay; that is given a few seconds before anything is
counted.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path

import aiohttp

from model.supervisor import WorkerSupervisor
from model.types import LEVELS
from model.worker import protocol
from model.worker.options import WorkerOptions
from tests.bench import pipeline_peer
from tests.bench.console import p95
from tests.bench.peer import made
from tests.bench.posting import Taken, posting, process, stub_worker, until_answered
from tests.bench.rows import Bench, Row
from tests.bench.vit import NAME as LARGE
from tests.bench.vit import vit
from tests.standins.drawings import drawing

POSTERS, CLIENTS = 8, 32
STUB = 20.0  # milliseconds
BATCH = 16
LEARNING, TURN = 8.0, 4.0  # seconds
PICTURE = b"not decoded" + bytes(30_000)
EMBEDDED = "embedded model"
OURS = "ours"


def rows(bench: Bench) -> list[Row]:
    """Posters first, then clients of the stub."""
    folder = bench.folder / "pictures"
    folder.mkdir()
    for seed in range(bench.pictures):
        (folder / f"{seed}.jpg").write_bytes(drawing("red", seed=seed, size=(1280, 960), kind="JPEG"))
    large = vit(bench.folder / "vit")
    pictures = [file.read_bytes() for file in sorted(folder.iterdir())]
    found = asyncio.run(_posters(bench, EMBEDDED, "builtin", made(bench.folder / "peer")))
    found += asyncio.run(_posters(bench, LARGE, str(large), large))
    for batch in (BATCH, 8, 1):
        ways = ("blind", "blind-fast") if batch == BATCH else ("blind",)
        found += asyncio.run(_blind(bench, batch, ways))
    return found + asyncio.run(_decoding(bench, pictures))


async def _posters(bench: Bench, name: str, use: str, network: Path) -> list[Row]:
    folder = bench.folder / "pictures"
    pictures = [file.read_bytes() for file in sorted(folder.iterdir())]
    waits, rates = defaultdict[str, list[float]](list), defaultdict[str, list[float]](list)
    async with AsyncExitStack() as stack:
        workers = {}
        for level in LEVELS:
            options = WorkerOptions(
                use=use, models_dir=bench.folder / "models", decoders=2, cache_entries=0, level=level
            )
            worker = await stack.enter_async_context(WorkerSupervisor(options))
            path = worker.options.listen.removeprefix("unix:")
            workers[level] = await stack.enter_async_context(_session(path))
            if name == EMBEDDED:
                asks = {protocol.KEEP: "1", "Accept": f"{protocol.APART}, application/json"}
                workers[f"{level}, as the bot asks"] = await stack.enter_async_context(_session(path, asks))
        peer = stack.enter_context(
            process("tests.bench.pipeline_peer", str(network), str(folder), str(POSTERS))
        )
        assert peer.stdin
        assert peer.stdout
        for turn in range(bench.runs + 1):
            taken = {
                level: await posting(
                    session, "/v1/identify", POSTERS, TURN, lambda n: pictures[n % len(pictures)]
                )
                for level, session in workers.items()
            }
            peer.stdin.write(f"{TURN}\n")
            peer.stdin.flush()
            taken[pipeline_peer.NAME] = Taken(**json.loads(await asyncio.to_thread(peer.stdout.readline)))
            for each, came in taken.items() if turn else ():  # the first is for all to warm up
                waits[each].append(p95(came.milliseconds))
                rates[each].append(came.rate)
    found = []
    theirs = pipeline_peer.NAME
    for way in workers:
        what = f"{POSTERS} posters, {name}, {way}: 95 % wait less than"
        bound = "≥ 3×" if way in LEVELS else ""  # nothing is stored by the peer
        found += [
            Row(what, tuple(waits[way]), "ms", tuple(waits[theirs]), theirs, bound),
            Row("… pictures a second", tuple(rates[way]), "/s", tuple(rates[theirs]), theirs, more=True),
        ]
    return found


async def _blind(bench: Bench, batch: int, ways: Sequence[str]) -> list[Row]:
    """Nothing is decoded: our worker beside LitServe over its queues."""
    flags = ("--blind", "--batch", str(batch), "--cache-entries", "0", "--per-key", "128")
    taken = await _clients(bench, batch, flags, ways, [PICTURE])
    ideal = batch * 1000 / STUB
    each = f"batches of {batch}" if batch > 1 else "one by one"
    name = f"{CLIENTS} clients, {STUB:.0f} ms, {each}"
    bound = f"≥ {0.95 * ideal:.0f} of {ideal:.0f}" + (", ≥ 2×" if batch == BATCH else "")
    return _rows(name, bound, taken, {"blind": "LitServe", "blind-fast": "LitServe, fast_queue"})


async def _decoding(bench: Bench, pictures: Sequence[bytes]) -> list[Row]:
    """JPEG in, answer out: beside LitServe as it is documented, and tuned."""
    flags = ("--batch", str(BATCH), "--cache-entries", "0", "--per-key", "128")
    taken = await _clients(bench, BATCH, flags, ("documented", "tuned"), pictures)
    name = f"{CLIENTS} clients, {STUB:.0f} ms, JPEG of 1280 x 960"
    names = {"documented": "LitServe as documented", "tuned": "LitServe, tuned"}
    return _rows(name, "≥ 2×", taken, names)


async def _clients(
    bench: Bench, batch: int, flags: Sequence[str], ways: Sequence[str], pictures: Sequence[bytes]
) -> Mapping[str, list[Taken]]:
    """What came of it, ours under `OURS`, each way of LitServe under its own name."""
    # a hash of its own for each request, and JSON that is made beforehand
    same = [json.dumps({"image": base64.b64encode(each).decode()}).encode() for each in pictures]
    found = defaultdict[str, list[Taken]](list)
    async with AsyncExitStack() as stack:
        # a socket's path is short
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="wb-")))
        _, path = stack.enter_context(stub_worker(folder, STUB, *flags))
        worker = await stack.enter_async_context(_session(path))
        peers = {}
        for way in ways:
            url = stack.enter_context(_litserve(way, batch))
            headers = {"Content-Type": "application/json"}
            # LitServe's server closes a connection after 5 s without a question, while it is another's turn
            lasting = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
            peers[way] = await stack.enter_async_context(
                aiohttp.ClientSession(url, headers=headers, connector=lasting)
            )
            await until_answered(peers[way], "/predict", same[0])
        for turn in range(bench.runs + 1):
            seconds = TURN if turn else LEARNING
            taken = {
                OURS: await posting(
                    worker,
                    "/v1/identify",
                    CLIENTS,
                    seconds,
                    lambda n: pictures[n % len(pictures)] + b"%d" % n,
                )
            }
            for way, session in peers.items():
                taken[way] = await posting(session, "/predict", CLIENTS, TURN, lambda n: same[n % len(same)])
            for way, came in taken.items() if turn else ():
                found[way].append(came)
    return found


def _rows(name: str, bound: str, taken: Mapping[str, Sequence[Taken]], names: Mapping[str, str]) -> list[Row]:
    found = []
    for way in taken:
        if way == OURS:
            continue
        rates, theirs = (tuple(each.rate for each in taken[who]) for who in (OURS, way))
        waits, their_waits = (tuple(p95(each.milliseconds) for each in taken[who]) for who in (OURS, way))
        found += [
            Row(name, rates, "/s", theirs, names[way], bound, more=True),
            Row("… 95 % wait less than", waits, "ms", their_waits, names[way]),
        ]
    return found


@contextmanager
def _litserve(way: str, batch: int) -> Iterator[str]:
    """Its address."""
    port = _free_port()
    with process("tests.bench.litserve_peer", way, str(STUB), str(batch), str(port), until=False):
        yield f"http://127.0.0.1:{port}"


def _session(path: str, headers: Mapping[str, str] | None = None) -> aiohttp.ClientSession:
    connector = aiohttp.UnixConnector(path, limit=0)
    return aiohttp.ClientSession("http://worker", connector=connector, headers=headers)


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
