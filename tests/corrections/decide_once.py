"""A moderator's decisions in a process of their own, each begun when a line comes in.

``python -m tests.corrections.decide_once URL DATA_DIR PERSON SLUG``; a line is ``case revision``, the answer
is ``won`` or ``late`` with what holds by then.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from corrections.errors import Stale
from corrections.ledger import Ledger
from corrections.review.types import Moderator
from tests.corrections.support import GUILD, moment

url, data_dir, person, slug = sys.argv[1:]


async def main() -> None:
    ledger = await Ledger.open(url, Path(data_dir))
    moderator = Moderator(("discord", person), GUILD)
    await ledger.review.progress(moderator)  # everything is loaded
    print("ready", flush=True)
    while line := sys.stdin.readline():
        case, revision = map(int, line.split())
        try:
            seen = await ledger.review.decide(moderator, case, revision, "approve", (slug,), moment(1))
            print("won", *(seen.decided or ()), flush=True)
        except Stale as error:
            print("late", *(error.case.decided or ()), flush=True)
    await ledger.close()


asyncio.run(main())
