"""``whosthat dataset split``: training, validation and test parts, near copies together.

Groups of near copies are dealt by character, and by source within a character, each to the part that lacks
most of its share; what rounding leaves over is made up for by the next one. The first group of a character
always trains: nobody can be measured on somebody that no model was shown. Pictures, ratio and seed decide
everything: the same give the same bytes.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import random
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from training.dataset.near_groups import look_at, near_groups, refuse_damaged
from training.dataset.placing import empty_place, put_file, room_for
from training.errors import DatasetWriteError, PicturesError
from training.pictures import COLUMNS, SPLITS, TABLE, Picture, data_hash, read_dataset, two_labels

MANIFEST = "splits.json"


@dataclass(frozen=True, slots=True)
class Split:
    """``pictures`` with their new parts, by path; ``counts`` of each part by character."""

    pictures: tuple[Picture, ...]
    counts: dict[str, dict[str, int]]


def split_dataset(
    folder: Path,
    ratio: Sequence[float],
    *,
    seed: int = 0,
    out: Path | None = None,
    again: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Split:
    """Split a folder: ``splits.csv`` and its manifest in it, or a copy in parts at ``out``.

    Args:
        ratio: of training, validation and test; adds up to 1.
        again: also a folder that has parts; what was tested on may then be trained on.
        progress: called with what is done, how much of it, and how much it is.

    Raises:
        PicturesError: see `training.pictures.read_dataset`; also a ratio that is none, pictures that do not
            decode, one picture with two labels, and too few for a part that is asked for.
        DatasetWriteError: the place is taken, or the disk does not take it.
    """
    _check_ratio(ratio)
    pictures = sorted(read_dataset(folder), key=lambda picture: picture.path)
    if not again and (
        len({picture.split for picture in pictures}) > 1 or (out is None and (folder / TABLE).exists())
    ):
        raise PicturesError(
            f"{folder} is split already: --again splits it anew, "
            "and what was a test picture may then be trained on"
        )
    twice = two_labels(pictures)
    if twice:
        a, b = twice[0][:2]
        raise PicturesError(
            f"{a.path} and {b.path} are one picture with two labels, {a.slug} and {b.slug}"
            f"{f', and there are {len(twice) - 1} more' if len(twice) > 1 else ''}: take one away, "
            f"or `whosthat dataset check {folder} --fix OUT` makes a copy without"
        )
    if out is not None:
        empty_place(out, folder)
        room_for(pictures, out)

    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        if progress is not None:
            progress("looking at the pictures", done, len(pictures))

    looks = look_at([picture.path for picture in pictures], step)
    refuse_damaged(pictures, looks, folder)
    groups = near_groups(pictures, looks)
    parts = deal(pictures, groups, ratio, seed)
    divided = [
        replace(picture, group=group, split=part)
        for picture, group, part in zip(pictures, groups, parts, strict=True)
    ]
    for split, share in zip(SPLITS, ratio, strict=True):
        if share and split not in parts:
            raise PicturesError(
                f"{folder} has too few pictures: {len(pictures)} leave none for {split}; "
                "collect more, or give it no share"
            )
    counts = {
        split: dict(sorted(Counter(p.slug for p in divided if p.split == split).items())) for split in SPLITS
    }
    facts = {"schema": 1, "ratio": list(ratio), "seed": seed, "data": data_hash(divided), "counts": counts}
    if out is None:
        _write_here(folder, divided, facts)
    else:
        _write_copy(folder, out, divided, facts, progress)
    return Split(tuple(divided), counts)


def deal(pictures: Sequence[Picture], groups: Sequence[str], ratio: Sequence[float], seed: int) -> list[str]:
    """The part of each picture; those of one group are in one part."""
    members: defaultdict[str, list[Picture]] = defaultdict(list)
    for picture, group in zip(pictures, groups, strict=True):
        members[group].append(picture)
    strata: defaultdict[str, defaultdict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for group in sorted(members):
        # of a group with several labels or sources the most frequent counts, the first by name of equals
        kinds = Counter((picture.slug, picture.source) for picture in members[group])
        slug, source = min(kinds, key=lambda kind: (-kinds[kind], kind))
        strata[slug][source].append(group)
    dice = random.Random(seed)  # noqa: S311  # nothing is to be kept secret
    part_of: dict[str, str] = {}
    over = [0.0] * len(SPLITS)
    for slug in sorted(strata):
        first = True
        for source in sorted(strata[slug]):
            dealt = strata[slug][source]
            dice.shuffle(dealt)
            dealt.sort(key=lambda group: -len(members[group]))  # large ones first, while there is room
            size = sum(len(members[group]) for group in dealt)
            # rounding is made up for, but no character pays for what another one's size did
            lacking = [
                share * size + max(-1.0, min(1.0, rest)) for share, rest in zip(ratio, over, strict=True)
            ]
            for group in dealt:
                best = 0 if first else max(range(len(SPLITS)), key=lambda i: (ratio[i] > 0, lacking[i], -i))
                first = False
                part_of[group] = SPLITS[best]
                lacking[best] -= len(members[group])
            over = lacking
    return [part_of[group] for group in groups]


def table_of(folder: Path, pictures: Sequence[Picture]) -> bytes:
    """``splits.csv`` as `training.pictures.read_pictures` reads it; paths are from ``folder``."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for p in pictures:
        file = p.path.relative_to(folder).as_posix()
        writer.writerow([file, p.sha256, p.group, p.split, p.source, p.name])
    return text.getvalue().encode()


def _check_ratio(ratio: Sequence[float]) -> None:
    if (
        len(ratio) != len(SPLITS)
        or not all(math.isfinite(share) and share >= 0 for share in ratio)
        or abs(sum(ratio) - 1) > 1e-6
        or not ratio[0]
    ):
        raise PicturesError(
            "--ratio is three shares of 1, for training, validation and test, such as .8 .1 .1; "
            "training needs some"
        )


def _manifest(table: bytes, facts: dict[str, object]) -> bytes:
    whole = {**facts, TABLE: hashlib.sha256(table).hexdigest()}
    return (json.dumps(whole, indent=2, ensure_ascii=False) + "\n").encode()


def _write_here(folder: Path, pictures: Sequence[Picture], facts: dict[str, object]) -> None:
    table = table_of(folder, pictures)
    put_file(folder / MANIFEST, _manifest(table, facts))
    put_file(folder / TABLE, table)


def _write_copy(
    folder: Path,
    out: Path,
    pictures: Sequence[Picture],
    facts: dict[str, object],
    progress: Callable[[str, int, int], None] | None,
) -> None:
    """``OUT/<split>/<slug>/<sha256><suffix>``, which image loaders of others read as well."""
    from model.folders import new_folder

    try:
        with new_folder(out) as draft:
            placed = []
            for number, picture in enumerate(pictures, 1):
                name = f"{picture.sha256[:32]}{picture.path.suffix.lower()}"
                place = draft / picture.split / picture.slug / name
                if not place.exists():  # the same bytes are there once
                    place.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(picture.path, place)
                    placed.append(replace(picture, path=place))
                if progress is not None:
                    progress("copying", number, len(pictures))
            table = table_of(draft, placed)
            (draft / TABLE).write_bytes(table)
            (draft / MANIFEST).write_bytes(_manifest(table, facts))
    except OSError as error:
        raise DatasetWriteError(f"{out} cannot be written: {error.strerror or error}") from error
