"""A process that takes duties: ``python -m tests.corrections.duty URL DATA_DIR``.

A line is a duty's name; the answer is ``mine`` or ``theirs``. ``-name`` gives it up.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from corrections.ledger import Ledger

url, data_dir = sys.argv[1:]


async def main() -> None:
    ledger = await Ledger.open(url, Path(data_dir))
    print("ready", flush=True)
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if line.startswith("-"):
            await ledger.duties.give_up(line[1:])
            print("given up", flush=True)
        else:
            print("mine" if await ledger.duties.mine(line) else "theirs", flush=True)
    await ledger.close()


asyncio.run(main())
