"""The same picture again: through the real worker and its socket, the first time and the second, in turns.

Every picture is new to the worker, then asked once more, as the bot asks when somebody posts a meme again.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from model.supervisor import WorkerSupervisor
from model.worker.options import WorkerOptions
from tests.bench.rows import Bench, Row
from tests.standins.drawings import drawing
from tests.standins.photographs import jpeg, photograph

NAME = "first time"
BOUND = ">= 50x"


def rows(bench: Bench) -> list[Row]:
    """A telephone's photograph and an ordinary picture, each bare and with what is stored of it."""
    photo = jpeg(photograph(1, texture=0.55))
    ordinary = jpeg(photograph(2, size=(1280, 960)), quality=88)
    drawn = drawing("red", seed=1, size=(1280, 960), kind="JPEG")
    kinds = {"photo of 12 MP": photo, "photo of 1280 x 960": ordinary, "drawing of 1280 x 960": drawn}
    result = []
    for name, data in kinds.items():
        # what follows the end of a JPEG makes it other bytes, and no other picture
        files = [data + number.to_bytes(4, "big") for number in range(2 * bench.pictures)]
        result += asyncio.run(_asked(bench, f"{name} ({len(data) / 1e6:.1f} MB)", files))
    return result


async def _asked(bench: Bench, name: str, files: Sequence[bytes]) -> list[Row]:
    options = WorkerOptions(use="builtin", models_dir=bench.folder / "models", decoders=2)
    async with WorkerSupervisor(options) as worker, worker.client() as client:
        await client.look(files[0][:-4])
        result = []
        for keep, some in ((False, files[::2]), (True, files[1::2])):
            times: tuple[list[float], list[float]] = [], []
            for data in some:
                for again, taken in enumerate(times):
                    begun = time.perf_counter()
                    sight = await client.look(data, keep=keep)
                    taken.append(1000 * (time.perf_counter() - begun))
                    assert sight.cached == bool(again)
            what = f"{name} again{', as the bot asks' if keep else ''}"
            result.append(Row(what, tuple(times[1]), "ms", tuple(times[0]), NAME, BOUND))
        counters = (await client.status())["counters"]
        assert counters["cache hits"] == len(files), counters
        return result
