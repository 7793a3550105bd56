"""``whosthat dataset collect``: pictures of characters by search words, into a folder for each.

For each address that the search gives: fetch (`training.dataset.fetching`), decode in a child that may die of
it (`model.decoders`), turn down near copies of anything in the folder, keep it as WebP without metadata
(`training.dataset.sources`). Run again, it goes on where it was.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from model.bundle import slugify
from model.decode import DecodeLimits
from model.decoders import DecoderOptions, Decoders
from model.errors import PictureError
from model.near import NearIndex
from model.preprocess import Preprocess
from model.types import NOBODY
from training.dataset.fetching import Fetcher, Refused
from training.dataset.near_groups import flat
from training.dataset.searching import Result, Search
from training.dataset.sources import SOURCES, Sources
from training.errors import CollectError, PicturesError
from training.pictures import SEVERAL, SPLITS, files_below
from training.public_addresses import Allowed, is_public

PAGES = 30  # of results for one character
IN_FLIGHT = 4  # pictures that are fetched at once, each from another host
LONGEST = 64  # letters in the name of a folder


@dataclass(frozen=True, slots=True)
class CollectOptions:
    """How much, and how politely.

    ``query`` has ``{}`` where the character's name goes; ``pause`` is in seconds, between pages of results
    and between requests to one host; ``shortest_side`` in pixels: smaller ones are icons.
    """

    limit: int = 100
    query: str = "{}"
    pause: float = 1.0
    shortest_side: int = 100
    most_bytes: int = 4 * 2**30
    leave_free: int = 256 * 2**20
    decoding: DecoderOptions = field(default_factory=lambda: DecoderOptions(limits=DecodeLimits()))
    allowed: Allowed = is_public


@dataclass(slots=True)
class Haul:
    """What became of one character: pictures there now, how many are new, and the others by reason."""

    name: str
    slug: str
    there: int = 0
    new: int = 0
    dropped: Counter[str] = field(default_factory=Counter)


Progress = Callable[[Haul], None]


async def collect(
    names: Sequence[str],
    out: Path,
    search: Search,
    options: CollectOptions,
    progress: Progress | None = None,
) -> list[Haul]:
    """Fill ``out/<slug>/`` for each name up to the limit; what is there already counts.

    Raises:
        CollectError: a name makes no folder, the search does not answer, the disk is full, another run is
            at work in the folder. What was collected before is whole.
    """
    hauls = [Haul(name.strip(), slug) for name, slug in zip(names, folders_of(names), strict=True)]
    with _alone(out):
        fetcher = Fetcher(
            max_bytes=options.decoding.limits.bytes, pause=options.pause, allowed=options.allowed
        )
        async with Decoders(options.decoding) as decoders, fetcher:
            seen = await _known(out, decoders)
            for haul in hauls:
                collector = _Collector(
                    haul, Sources(out / haul.slug, haul.name), seen, fetcher, decoders, options
                )
                await collector.fill(search, progress or (lambda _: None))
    return hauls


def folders_of(names: Sequence[str]) -> list[str]:
    """A slug for each name.

    Raises:
        CollectError: a name makes none, or one that means something else, or two make the same.
    """
    slugs: dict[str, str] = {}
    for name in names:
        slug = slugify(name)
        if not slug or len(slug.encode()) > LONGEST:
            raise CollectError(
                f"{name[:80]!r} makes no folder: a name needs letters or digits, {LONGEST} at most"
            )
        if slug in (NOBODY, SEVERAL, *SPLITS):
            raise CollectError(f"{name!r} is no character: folders called {slug} mean something else")
        if slug in slugs:
            raise CollectError(f"{slugs[slug]!r} and {name!r} would be one folder, {slug}")
        slugs[slug] = name
    if not slugs:
        raise CollectError("nobody to search for: name at least one character")
    return list(slugs)


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """One run at a time in a folder."""
    from filelock import FileLock, Timeout

    try:
        out.mkdir(parents=True, exist_ok=True)
        lock = FileLock(out / ".collect.lock")
        lock.acquire(timeout=0)
    except Timeout:
        raise CollectError(f"another run is collecting into {out}") from None
    except OSError as error:
        raise CollectError(f"{out} cannot be written: {error.strerror or error}") from error
    try:
        yield
    finally:
        lock.release()


async def _known(out: Path, decoders: Decoders) -> NearIndex[str]:
    """Near keys of all that is in the folder, and of what was deleted from it, so that no copy comes back."""
    index: NearIndex[str] = NearIndex()
    keys, strange = await asyncio.to_thread(_described, out)
    for path in strange:
        try:
            decoded = await decoders.decode(await asyncio.to_thread(path.read_bytes), Preprocess())
        except PictureError:
            continue  # `dataset check` tells of it
        except OSError as error:
            raise CollectError(f"{path} cannot be read: {error.strerror or error}") from error
        keys[path] = decoded.near_key
    for path, key in keys.items():
        if not flat(key):
            index.add(key, path.relative_to(out).as_posix())
    return index


def _described(out: Path) -> tuple[dict[Path, str], list[Path]]:
    """Near keys that are written down, and the pictures that we did not put there."""
    try:
        folders = sorted(path.parent for path in out.glob(f"*/{SOURCES}"))
        keys = {folder / name: key for folder in folders for name, key in Sources(folder, "").files.items()}
        return keys, [path for path in files_below(out) if path not in keys]
    except PicturesError as error:
        raise CollectError(str(error)) from error


class _Collector:
    """Fills the folder of one character."""

    def __init__(
        self,
        haul: Haul,
        sources: Sources,
        seen: NearIndex[str],
        fetcher: Fetcher,
        decoders: Decoders,
        options: CollectOptions,
    ) -> None:
        self._haul = haul
        self._sources = sources
        self._seen = seen
        self._fetcher = fetcher
        self._decoders = decoders
        self._options = options
        self._tried: set[str] = set()

    @property
    def _enough(self) -> bool:
        return self._haul.there >= self._options.limit

    async def fill(self, search: Search, progress: Progress) -> None:
        """Page by page, until there are enough or no more."""
        self._haul.there = sum(1 for _ in files_below(self._sources.folder))
        progress(self._haul)
        words = self._options.query.replace("{}", self._haul.name)
        slots = asyncio.Semaphore(IN_FLIGHT)

        async def one(result: Result) -> None:
            async with slots:
                if not self._enough:
                    await self._try(result, words)
                    progress(self._haul)

        for page in range(1, PAGES + 1):
            if self._enough:
                return
            try:
                found = await asyncio.to_thread(search, words, page)
            except CollectError:
                if page == 1:
                    raise
                return  # engines stop answering somewhere; what there is, is there
            new = [each for each in found if each.address not in self._tried]
            if not new:
                return
            self._tried.update(each.address for each in new)
            tasks = [
                asyncio.ensure_future(one(each)) for each in new if each.address not in self._sources.known
            ]
            try:
                await asyncio.gather(*tasks)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            await asyncio.sleep(self._options.pause)

    async def _try(self, result: Result, words: str) -> None:
        self._check_room()
        try:
            data = await self._fetcher.fetch(result.address)
            decoded = await self._decoders.decode(data, Preprocess(), keep=True)
        except Refused as refused:
            self._drop(result, refused.reason, lasting=refused.lasting)
            return
        except PictureError as error:
            self._drop(result, error.reason)
            return
        assert decoded.stored is not None
        # nothing is awaited from here on, so that two copies cannot both be new, nor one be too many
        if self._enough:
            return
        if min(decoded.width, decoded.height) < self._options.shortest_side:
            self._drop(result, "too-small")
            return
        near = [] if flat(decoded.near_key) else self._seen.query(decoded.near_key)
        if near or flat(decoded.near_key):
            self._drop(result, "near-copy" if near else "empty-picture")
            return
        facts = {
            "address": result.address,
            "page": result.page,
            "title": result.title,
            "words": words,
            "width": decoded.width,
            "height": decoded.height,
            "format": decoded.format,
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        name = self._sources.keep(decoded.stored, decoded.near_key, facts)
        self._seen.add(decoded.near_key, f"{self._haul.slug}/{name}")
        self._haul.there += 1
        self._haul.new += 1

    def _drop(self, result: Result, reason: str, *, lasting: bool = True) -> None:
        self._haul.dropped[reason] += 1
        if lasting:
            self._sources.drop(result.address, reason)

    def _check_room(self) -> None:
        if self._fetcher.bytes_read > self._options.most_bytes:
            raise CollectError(
                f"{self._options.most_bytes:,} bytes were read, the most for one run: run it again to go on"
            )
        if shutil.disk_usage(self._sources.folder).free < self._options.leave_free:
            raise CollectError(
                f"the disk of {self._sources.folder} has less than {self._options.leave_free:,} bytes left: "
                "make room and run it again to go on"
            )
