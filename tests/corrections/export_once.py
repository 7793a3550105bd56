"""One export in a process of its own, which says how far it is, and then how much memory it took.

``python -m tests.corrections.export_once URL DATA_DIR OUT FORMAT [BYTES]``; files may have BYTES at most.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import sys
from pathlib import Path

from corrections.errors import LedgerError
from corrections.ledger import Ledger
from tests.corrections.exporting import ALL, OPEN, OPERATOR

url, data_dir, out, form, *most = sys.argv[1:]


async def main() -> None:
    ledger = await Ledger.open(url, Path(data_dir))
    if most:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(most[0]), int(most[0])))
    said = 0

    def progress(part: float) -> None:
        nonlocal said
        if int(part * 10) > said:
            said = int(part * 10)
            print(f"at {said}", flush=True)

    try:
        write = ledger.exports.archive if out.endswith(".zip") else ledger.exports.export
        done = await write(Path(out), ALL, OPEN, form, OPERATOR, progress)  # type: ignore[arg-type]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        print(json.dumps({"name": done.name, "items": done.items, "peak_kib": peak}), flush=True)
    finally:
        await ledger.close()


try:
    asyncio.run(main())
except LedgerError as error:
    print(f"{type(error).__name__}: {error}", flush=True)
    sys.exit(1)
except KeyboardInterrupt:
    sys.exit(130)
