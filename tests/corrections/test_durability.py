"""What was acknowledged survives ``kill -9``."""

from __future__ import annotations

import asyncio
import json
import random
import sys
from collections import Counter, defaultdict
from pathlib import Path

from corrections.ledger import Ledger
from tests.corrections.raw import file_of, rows
from tests.corrections.support import digest

KILLS = 15
STANDING = """
SELECT max(blobs.sha256), max(people.person_key), max(characters.slug)
FROM votes JOIN blobs ON blobs.id = votes.blob_id JOIN people ON people.id = votes.person_id
LEFT JOIN vote_labels ON vote_labels.vote_id = votes.id
LEFT JOIN characters ON characters.id = vote_labels.character_id
GROUP BY votes.id
"""
HISTORY = """
SELECT blobs.sha256, people.person_key, labels
FROM vote_history AS h JOIN blobs ON blobs.id = h.blob_id JOIN people ON people.id = h.person_id
ORDER BY h.id
"""
Place = tuple[str, str]  # picture, voter


async def killed_after(url: str, folder: Path, round_: int, lines: int, pause: float) -> list[str]:
    """Let the process vote, kill it some time after so many lines; all that it acknowledged."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.corrections.vote_loop", url, str(folder), str(round_),
        cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    said: list[str] = []
    try:
        async with asyncio.timeout(60):
            assert await process.stdout.readline() == b"ready\n"
            for _ in range(lines):
                said.append((await process.stdout.readline()).decode())
            await asyncio.sleep(pause)  # not to wait for anything: the moment of the kill is to be random
    finally:
        process.kill()
    async with asyncio.timeout(60):
        said += (await process.stdout.read()).decode().splitlines(keepends=True)
        await process.wait()
    return [line.strip() for line in said if line.endswith("\n")]


async def test_every_acknowledged_vote_is_there_exactly_once(url: str, tmp_path: Path) -> None:
    dice = random.Random()
    acknowledged: defaultdict[Place, list[str]] = defaultdict(list)
    for round_ in range(KILLS):
        for line in await killed_after(url, tmp_path, round_, dice.randrange(80), dice.random() * 0.02):
            picture, voter, label = line.split()
            acknowledged[picture, voter].append(label)
    assert sum(map(len, acknowledged.values())) > KILLS

    ledger = await Ledger.open(url, tmp_path)
    voters = {ledger.person_key(("discord", f"{r}-{n}")): f"{r}-{n}" for r in range(KILLS) for n in range(3)}
    pictures = {digest(n): str(n) for n in range(50)}
    missing = [sha256 for sha256, name in pictures.items() if await ledger.picture(sha256) is None]
    await ledger.close()
    if file_of(url):
        assert rows(url, "PRAGMA integrity_check") == [("ok",)]
        assert rows(url, "PRAGMA foreign_key_check") == []
    known = {sha256 for (sha256,) in rows(url, "SELECT sha256 FROM blobs")}
    standing = [((pictures[s], voters[p]), label or "nobody") for s, p, label in rows(url, STANDING)]
    history: defaultdict[Place, list[str]] = defaultdict(list)
    for sha256, person, labels in rows(url, HISTORY):
        history[pictures[sha256], voters[person]].append(",".join(json.loads(labels)) or "nobody")

    assert not known & set(missing), "the picture of a recorded post is there"
    assert len(dict(standing)) == len(standing), "one vote a person a picture"
    assert dict(standing) == {place: labels[-1] for place, labels in history.items()}
    # Of each voter the one call that was under way at the kill may be there without its acknowledgement.
    unheard: Counter[str] = Counter()
    for place, labels in history.items():
        heard = acknowledged.get(place, [])
        assert labels[: len(heard)] == heard, place
        unheard[place[1]] += len(labels) - len(heard)
    assert set(acknowledged) <= set(history)
    assert max(unheard.values()) <= 1
