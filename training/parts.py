"""Which pictures are learned from, which choose and calibrate, and which characters come out."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from model.near import group
from model.types import NOBODY
from training.errors import PicturesError
from training.fitting import Labels
from training.pictures import Picture, part, two_labels

LEAST = 5
"""So many pictures of a character at least, or it is left to the bot's memory, which needs only one."""
ENOUGH = 30
"""So many pictures at least choose and calibrate; fewer say too little."""
HELD = 0.1
"""The share of the training pictures that is held back where there are too few for that."""


@dataclass(frozen=True)
class Parts:
    """The pictures of one training; ``characters`` are slug and name by class, `NOBODY` the last."""

    train: Sequence[Picture]
    validation: Sequence[Picture]
    characters: tuple[tuple[str, str], ...]
    notes: tuple[str, ...] = ()

    @property
    def slugs(self) -> tuple[str, ...]:
        """By class."""
        return tuple(slug for slug, _ in self.characters)

    def labels(self, pictures: Sequence[Picture]) -> Labels:
        """``[N]``, classes."""
        index = {slug: number for number, slug in enumerate(self.slugs)}
        return np.array([index[picture.slug] for picture in pictures], np.int64)


def parts_of(
    folders: Sequence[Sequence[Picture]],
    known: Sequence[tuple[str, str]],
    *,
    key: Callable[[Picture], str],
    seed: int,
    least: int = LEAST,
) -> Parts:
    """Put the pictures of one or more folders together.

    What is a test picture in one folder, or near to one, is not learned from in any. Where fewer than
    `ENOUGH` pictures are there to choose by, some of the training pictures are held back.

    Args:
        known: slug and name of the characters that the base knows; they stay, with pictures or without.
        key: the near key of a picture, asked for only where copies have to be found.
        least: characters with fewer training pictures, unknown to the base, are left out.

    Raises:
        PicturesError: there is too little to learn from.
    """
    notes: list[str] = []
    pictures = [picture for folder in folders for picture in folder]
    plain = len({picture.split for picture in pictures}) == 1
    if len(folders) > 1 or plain:
        pictures = _regrouped(pictures, key, notes)
    train, validation = part(pictures, "train"), part(pictures, "validation")
    double = {each[0].sha256 for each in two_labels(train)}
    if double:
        notes.append(f"{len(double)} pictures that stand there under two names are left out")
    train = _once([picture for picture in train if picture.sha256 not in double])
    names = dict(known) | {p.slug: p.name for p in train if p.slug not in dict(known)}
    train = _with_enough(train, {slug for slug, _ in known}, least, notes)
    slugs = {picture.slug for picture in train}
    if len(slugs) == 1:
        raise PicturesError(
            f"all pictures to learn from are of {names[slugs.pop()]}; it takes two characters"
        )
    if slugs | {slug for slug, _ in known} <= {NOBODY}:
        raise PicturesError("all pictures to learn from are of nobody")
    everybody = slugs | {slug for slug, _ in known}
    validation = _once([picture for picture in validation if picture.slug in everybody])
    if len(validation) < ENOUGH:
        train, held = _held_back(train, ENOUGH - len(validation), seed)
        if held:
            notes.append(f"{len(held)} of the training pictures are held back to choose and calibrate by")
            validation = [*validation, *held]
    if not validation:
        raise PicturesError("there are too few pictures to hold any back to choose and calibrate by")
    order = sorted(slug for slug in everybody if slug != NOBODY)
    order += [NOBODY] * (NOBODY in everybody)
    return Parts(train, validation, tuple((slug, names[slug]) for slug in order), tuple(notes))


def _regrouped(pictures: Sequence[Picture], key: Callable[[Picture], str], notes: list[str]) -> list[Picture]:
    """Near copies in one group over all folders, and in one part: test before validation before train."""
    first = group([key(picture) for picture in pictures])
    parts: defaultdict[int, set[str]] = defaultdict(set)
    for number, picture in zip(first, pictures, strict=True):
        parts[number].add(picture.split)
    kept = []
    for number, picture in zip(first, pictures, strict=True):
        wins = next(split for split in ("test", "validation", "train") if split in parts[number])
        if picture.split == wins:
            kept.append(replace(picture, group=f"near-{number}"))
    if len(kept) < len(pictures):
        notes.append(
            f"{len(pictures) - len(kept)} pictures are left out, near copies of ones in another part"
        )
    return kept


def _once(pictures: Sequence[Picture]) -> list[Picture]:
    """The same bytes once, in the order of their digests: the same pictures are the same training."""
    return [each for _, each in sorted({picture.sha256: picture for picture in pictures}.items())]


def _with_enough(train: Sequence[Picture], known: set[str], least: int, notes: list[str]) -> list[Picture]:
    if not train:
        raise PicturesError("there are no pictures to learn from")
    if len(train) == 1:
        raise PicturesError("there is one picture to learn from; it takes more")
    counts = Counter(picture.slug for picture in train)
    few = sorted(slug for slug, count in counts.items() if count < least and slug not in known)
    if len(counts) - len(few) < 2 and few:
        raise PicturesError(
            f"{len(few)} of {len(counts)} characters have fewer than {least} pictures to learn from, "
            "and two at least need that many"
        )
    if few:
        shown = ", ".join(few[:5]) + (" and others" if len(few) > 5 else "")
        notes.append(f"fewer than {least} pictures to learn from, so left out: {shown}")
    return [picture for picture in train if picture.slug not in few]


def _held_back(train: Sequence[Picture], wanted: int, seed: int) -> tuple[list[Picture], list[Picture]]:
    """Whole groups, of each character in turn, never more than a fifth of its pictures."""
    wanted = max(wanted, round(HELD * len(train)))
    counts = Counter(picture.slug for picture in train)
    groups: defaultdict[str, list[Picture]] = defaultdict(list)
    for picture in train:
        groups[picture.group].append(picture)
    held: list[Picture] = []
    taken: Counter[str] = Counter()
    names = sorted(groups)
    random.Random(seed).shuffle(names)  # noqa: S311  # a draw, not a secret
    # by how many of the character were taken already, so that everybody is represented
    while len(held) < wanted and names:
        name = min(names, key=lambda n: taken[groups[n][0].slug] / counts[groups[n][0].slug])
        names.remove(name)
        slug = groups[name][0].slug
        if taken[slug] + len(groups[name]) > max(1, counts[slug] // 5):
            continue
        taken[slug] += len(groups[name])
        held += groups[name]
    gone = {picture.sha256 for picture in held}
    return [picture for picture in train if picture.sha256 not in gone], _once(held)
