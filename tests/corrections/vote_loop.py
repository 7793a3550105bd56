"""A process that votes as fast as it can and says so after each vote; made to be killed.

``python -m tests.corrections.vote_loop URL FOLDER ROUND``: three voters record pictures and vote on them,
over and over, with another label each time; after each vote has returned, ``picture voter label`` is printed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from corrections.ledger import Ledger
from tests.corrections.support import ANNA, address, answer, moment, seen

LABELS = ("thor", "loki", "hulk", "nobody")


async def main(url: str, folder: Path, round_: str) -> None:
    ledger = await Ledger.open(url, folder)
    say("ready")

    async def voter(name: int) -> None:
        for n in range(10_000):
            done = await ledger.record(
                address(f"{round_}-{n % 50}"), 0, ANNA, seen(n % 50), "b", "l", answer(), 1.0, moment(n)
            )
            label = LABELS[(n // 50 + n + name) % len(LABELS)]
            labels = frozenset[str]() if label == "nobody" else frozenset({label})
            await ledger.vote(done.prediction_id, ("discord", f"{round_}-{name}"), labels, moment(n))
            say(f"{n % 50} {round_}-{name} {label}")

    await asyncio.gather(*(voter(name) for name in range(3)))


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3]))
