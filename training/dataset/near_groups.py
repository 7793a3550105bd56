"""What the commands on folders need to know of every picture: whether it decodes, how large, whose copy.

Decoding happens in children (`model.decoders`), so that a damaged picture takes none but itself down.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.decoders import DecoderOptions, Decoders
from model.errors import PictureError
from model.near import group
from model.preprocess import Preprocess
from training.errors import PicturesError
from training.pictures import Picture

_SMALL = Preprocess(height=32, width=32)  # the pixels are not used here, and come over a pipe
IN_FLIGHT = 8


@dataclass(frozen=True, slots=True)
class Look:
    """One file as it decodes; ``trouble`` is empty, or one sentence, and then nothing else holds."""

    near_key: str = ""
    width: int = 0
    height: int = 0
    format: str = ""
    trouble: str = ""


def look_at(
    paths: Sequence[Path],
    progress: Callable[[int], None] | None = None,
    options: DecoderOptions | None = None,
) -> dict[Path, Look]:
    """Decode every file once.

    Raises:
        model.errors.WorkerGone: no child can be started.
    """
    return asyncio.run(_look_at(paths, progress or (lambda _: None), options or DecoderOptions()))


async def _look_at(
    paths: Sequence[Path], progress: Callable[[int], None], options: DecoderOptions
) -> dict[Path, Look]:
    looks: dict[Path, Look] = {}
    waiting = iter(paths)

    async with Decoders(options) as decoders:

        async def worker() -> None:
            for path in waiting:
                looks[path] = await _one(path, decoders)
                progress(1)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(IN_FLIGHT):
                tasks.create_task(worker())
    return looks


async def _one(path: Path, decoders: Decoders) -> Look:
    try:
        data = await asyncio.to_thread(_read, path, decoders.options.limits.bytes)
        decoded = await decoders.decode(data, _SMALL)
    except PictureError as error:
        return Look(trouble=str(error))
    except OSError as error:
        return Look(trouble=f"it cannot be read: {error.strerror}")
    return Look(decoded.near_key, decoded.width, decoded.height, decoded.format)


def _read(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        return file.read(most + 1)  # one too many is told by the decoder


def flat(near_key: str) -> bool:
    """A picture without any detail shares its key with all such pictures: only its very bytes are a copy."""
    return int(near_key, 16).bit_count() <= 1


def near_groups(
    pictures: Sequence[Picture], looks: Mapping[Path, Look], *, declared: bool = True
) -> list[str]:
    """A name for the group of each picture: near copies, the same bytes, and what shares a group already.

    The name is the smallest SHA-256 in the group, cut to 16 digits: the same pictures give the same names,
    whatever their order.

    Args:
        looks: what `look_at` said of each picture; one that does not decode is near to its own bytes alone.
        declared: also put together what shares ``Picture.group``.
    """
    parent = list(range(len(pictures)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    def join(i: int, j: int) -> None:
        a, b = root(i), root(j)
        parent[max(a, b)] = min(a, b)

    first: dict[Hashable, int] = {}
    for i, picture in enumerate(pictures):
        join(i, first.setdefault(("bytes", picture.sha256), i))
        if declared:
            join(i, first.setdefault(("group", picture.group), i))
    keyed = [
        i
        for i, picture in enumerate(pictures)
        if not looks[picture.path].trouble and not flat(looks[picture.path].near_key)
    ]
    for i, j in zip(keyed, group([looks[pictures[i].path].near_key for i in keyed]), strict=True):
        join(i, keyed[j])
    smallest: defaultdict[int, list[str]] = defaultdict(list)
    for i, picture in enumerate(pictures):
        smallest[root(i)].append(picture.sha256)
    names = {i: min(members)[:16] for i, members in smallest.items()}
    return [names[root(i)] for i in range(len(pictures))]


def refuse_damaged(pictures: Sequence[Picture], looks: Mapping[Path, Look], folder: Path) -> None:
    """Raises:
    PicturesError: some picture does not decode.
    """
    damaged = [picture.path for picture in pictures if looks[picture.path].trouble]
    if damaged:
        count = f"{len(damaged):,} pictures do" if len(damaged) > 1 else "one picture does"
        raise PicturesError(
            f"{count} not decode, first {damaged[0]} ({looks[damaged[0]].trouble}): "
            f"`whosthat dataset check {folder} --fix OUT` makes a copy without"
        )
