"""What a machine can do with a bundle, through a worker of its own: `measure`, for ``whosthat bench``."""

from __future__ import annotations

import asyncio
import io
import random
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from PIL import Image, ImageDraw

from model.bundle import Bundle, read_bundle
from model.choosing import Kept, Way, Wish, identity
from model.classifier import find_bundle
from model.client import WorkerClient
from model.decode import DecodeLimits, decode
from model.hardware import cores, cpu_model, load, physical_cores
from model.levels import levels_of
from model.supervisor import WorkerSupervisor
from model.types import LEVELS
from model.worker.options import WorkerOptions

Progress = Callable[[str, float], None]

POSTERS = 8
USUAL, LARGE = (1280, 960), (4000, 3000)
"""What chats deliver, and what a telephone takes: 1.2 and 12 megapixels."""
LEAST = 3
"""Measurements of each kind, however slow the machine is."""
BUSY = 0.5
"""From this load for each core on the figures say more of others than of us."""


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """One level: milliseconds from picture to answer one by one, and with `POSTERS` who post at once."""

    level: str
    backend: str
    threads: int
    one_by_one: tuple[float, ...]
    together: tuple[float, ...]
    a_second: float


@dataclass(frozen=True, slots=True)
class Benched:
    """Everything that was measured; times in milliseconds. ``load`` is that of the minute before."""

    bundle: str
    cpu: str
    cores: int
    physical_cores: int
    load: float
    serves: Way | None
    decode_usual: tuple[float, ...]
    decode_large: tuple[float, ...]
    levels: tuple[LevelFigures, ...]

    @property
    def busy(self) -> bool:
        """Whether others had the machine."""
        return self.load > BUSY * self.cores

    def to_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self) | {"busy": self.busy, "posters": POSTERS}


async def measure(options: WorkerOptions, seconds: float, tell: Progress) -> Benched:
    """Measure for about ``seconds``; each level has a worker process of its own, one after another.

    Args:
        options: as a bot's own worker has them.

    Raises:
        ModelError: the bundle cannot be loaded, or the worker does not start.
    """
    before = load()
    bundle = await asyncio.to_thread(_bundle, options, tell)
    levels = levels_of(bundle) if options.level == "auto" else (options.level,)
    parts = 1 + 2 * len(levels)
    share = seconds / (parts + len(levels))  # a start takes as long as a part, about
    tell("decoding", 0.0)
    usual = await asyncio.to_thread(_decoding, bundle, options, USUAL, share / 2)
    large = await asyncio.to_thread(_decoding, bundle, options, LARGE, share / 2)
    found = []
    pictures = _pictures()
    for number, level in enumerate(levels):
        tell(level, (1 + 2 * number) / parts)
        quiet = replace(options, level=level, listen="", cache_entries=0, measure=False, follow=False)
        async with WorkerSupervisor(quiet) as worker, worker.client() as client:
            status = await client.status()
            for _ in range(2):  # the first ones find everything cold
                await client.look(await asyncio.to_thread(next, pictures))
            alone = await _posting(client, pictures, 1, share)
            tell(level, (2 + 2 * number) / parts)
            begun = time.perf_counter()
            together = await _posting(client, pictures, POSTERS, share)
            rate = len(together) / (time.perf_counter() - begun)
        way = status["level"], status["backend"], int(status.get("threads", 0))
        found.append(LevelFigures(*way, tuple(alone), tuple(together), rate))
    tell("", 1.0)
    wish = Wish(options.backend, options.level, options.threads, options.target)
    serves = Kept(options.models_dir).find(identity(bundle), wish)
    machine = cpu_model().rpartition(" ")[0], cores(), physical_cores(), before
    return Benched(bundle.info.id, *machine, serves, tuple(usual), tuple(large), tuple(found))


def median(times: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(times)


def late(times: Sequence[float]) -> float:
    """What 95 of 100 do not take longer than."""
    return sorted(times)[min(len(times) - 1, int(0.95 * len(times)))]


def missing(figures: Benched) -> list[str]:
    """The levels that this bundle does not admit."""
    return [level for level in LEVELS if level not in {each.level for each in figures.levels}]


async def _posting(
    client: WorkerClient, pictures: Iterator[bytes], posters: int, seconds: float
) -> list[float]:
    """Each posts the next one when it has its answer: milliseconds of each answer."""
    end = time.perf_counter() + seconds
    times: list[float] = []
    ahead = [await asyncio.to_thread(next, pictures) for _ in range(2 * posters)]

    async def poster() -> None:
        mine = 0
        while time.perf_counter() < end or mine < LEAST:
            picture = ahead[(len(times) + mine) % len(ahead)]
            begun = time.perf_counter()
            await client.look(picture)
            times.append(1000 * (time.perf_counter() - begun))
            mine += 1

    await asyncio.gather(*(poster() for _ in range(posters)))
    return times


def _bundle(options: WorkerOptions, tell: Progress) -> Bundle:
    return read_bundle(find_bundle(options.use, models_dir=options.models_dir, progress=tell))


def _decoding(bundle: Bundle, options: WorkerOptions, size: tuple[int, int], seconds: float) -> list[float]:
    """Milliseconds from a JPEG of this size to the pixels that the model takes."""
    picture = _drawn(0, size)
    limits = DecodeLimits(bytes=options.max_bytes, pixels=options.max_pixels)
    end, times = time.perf_counter() + seconds, list[float]()
    while len(times) < LEAST or (time.perf_counter() < end and len(times) < 100):
        begun = time.perf_counter()
        decode(picture, limits, bundle.preprocess, False)
        times.append(1000 * (time.perf_counter() - begun))
    return times


def _pictures() -> Iterator[bytes]:
    seed = 0
    while True:
        seed += 1
        yield _drawn(seed, USUAL)


def _drawn(seed: int, size: tuple[int, int]) -> bytes:
    """A JPEG with the edges and the noise of a photograph, so that it is as hard to decode as one."""
    dice = random.Random(seed)  # noqa: S311  # pictures, no secrets
    image = Image.effect_noise((size[0] // 4, size[1] // 4), 40).convert("RGB").resize(size)
    draw = ImageDraw.Draw(image)
    for _ in range(40):
        x, y = dice.randrange(size[0]), dice.randrange(size[1])
        box = (x, y, x + dice.randrange(8, size[0] // 3), y + dice.randrange(8, size[1] // 3))
        draw.ellipse(box, fill=(dice.randrange(256), dice.randrange(256), dice.randrange(256)))
    content = io.BytesIO()
    image.save(content, "JPEG", quality=88)
    return content.getvalue()
