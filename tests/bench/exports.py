"""How long an export takes and how much memory: ``python -m tests.bench.exports 10000 100000``.

Pictures are a few hundred bytes each and none is near another, which is the worst case for the near copies.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from corrections.ledger import Ledger
from tests.corrections.many import fill


async def prepared(url: str, folder: Path, count: int) -> None:
    ledger = await Ledger.open(url, folder)
    await fill(ledger, folder, count)
    await ledger.close()


def main(counts: list[int]) -> None:
    for count in counts:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            url = f"sqlite:///{folder}/ledger.db"
            asyncio.run(prepared(url, folder, count))
            for name, form in (
                ("first", "imagefolder"),
                ("again", "imagefolder"),
                ("p", "parquet"),
                ("z.zip", "csv"),
            ):
                begun = time.monotonic()
                done = subprocess.run(
                    [
                        sys.executable,
                        "-m",
                        "tests.corrections.export_once",
                        url,
                        place,
                        str(folder / name),
                        form,
                    ],
                    stdout=subprocess.PIPE,
                    check=True,
                )
                said = json.loads(done.stdout.splitlines()[-1])
                seconds, mebibytes = time.monotonic() - begun, said["peak_kib"] / 1024
                print(
                    f"{count:>7} {name:<6} {form:<11} {seconds:7.1f} s  {mebibytes:6.0f} MiB peak", flush=True
                )


if __name__ == "__main__":
    main([int(each) for each in sys.argv[1:]] or [10_000, 100_000])
