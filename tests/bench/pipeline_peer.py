"""The pipeline of `tests.bench.peer` as a bot would call it: asyncio, and a pool of threads around it.

Told ``SECONDS``, so many posters ask for that long, each for its next picture when it has the last answer;
the milliseconds of every answer, and the seconds that it took in all, come back as one line of JSON.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.bench.peer import loaded

NAME = "pipeline in an executor"


async def posting(classify: Any, pictures: list[Path], posters: int, seconds: float) -> dict[str, Any]:
    """Milliseconds of every answer, and seconds in all."""
    loop, taken = asyncio.get_running_loop(), list[float]()
    first_asked = loop.time()
    end = first_asked + seconds

    async def poster(first: int, threads: ThreadPoolExecutor) -> None:
        for picture in itertools.cycle(pictures[first:] + pictures[:first]):
            if loop.time() >= end:
                return
            begun = time.perf_counter()
            await loop.run_in_executor(threads, classify, str(picture))
            taken.append(1000 * (time.perf_counter() - begun))

    with ThreadPoolExecutor() as threads:
        await asyncio.gather(*(poster(each * len(pictures) // posters, threads) for each in range(posters)))
    return {"milliseconds": taken, "seconds": loop.time() - first_asked}


def main(model: Path, folder: Path, posters: int) -> None:
    """Load, say so, answer."""
    classify = loaded(model)
    pictures = sorted(folder.glob("*.jpg"))
    classify(str(pictures[0]))
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(asyncio.run(posting(classify, pictures, posters, float(line)))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
