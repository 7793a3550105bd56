"""``whosthat dataset check``: what is in a folder of pictures, and what is wrong with it."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.errors import ModelError
from model.types import NOBODY
from training.dataset.contact_sheet import Cell
from training.dataset.labels import Judged, Suspect, judge_labels
from training.dataset.near_groups import Look, look_at, near_groups
from training.errors import PicturesError
from training.pictures import SPLITS, Picture, read_dataset, two_labels

SMALL = 64
"""Pixels on the shorter side below which a picture is reported as small: a model sees 224."""

FEW = 10
"""Different pictures below which a character is reported as having few."""

Progress = Callable[[str, int, int], None]
"""What is done, how much of it, and how much it is."""


@dataclass(frozen=True)
class Checked:
    """All that was found; ``groups`` has a name for each of ``pictures``, see `near_groups`.

    ``inside`` and ``across`` are near copies in one part and in several; ``twice`` the same bytes under two
    labels; ``judged`` is nothing when labels were not looked at, and then ``notes`` says why.
    """

    folder: Path
    pictures: tuple[Picture, ...]
    groups: tuple[str, ...]
    looks: Mapping[Path, Look]
    inside: tuple[tuple[Picture, ...], ...]
    across: tuple[tuple[Picture, ...], ...]
    twice: tuple[tuple[Picture, ...], ...]
    judged: Judged | None
    notes: tuple[str, ...] = field(default=())

    @property
    def suspects(self) -> tuple[Suspect, ...]:
        """Suspected wrong labels, the most suspect first."""
        return self.judged.suspects if self.judged is not None else ()

    @property
    def damaged(self) -> list[Picture]:
        """Those that do not decode."""
        return [picture for picture in self.pictures if self.looks[picture.path].trouble]

    def counts(self) -> dict[str, dict[str, int]]:
        """Pictures of each character in each part."""
        counted = Counter((picture.slug, picture.split) for picture in self.pictures)
        slugs = sorted({slug for slug, _ in counted}, key=lambda slug: (slug == NOBODY, slug))
        return {slug: {split: counted[slug, split] for split in SPLITS} for slug in slugs}

    def to_json(self) -> dict[str, Any]:
        """For machines; paths are from the folder."""

        def file(picture: Picture) -> str:
            return picture.path.relative_to(self.folder).as_posix()

        sides = sorted(min(look.width, look.height) for look in self.looks.values() if not look.trouble)
        return {
            "pictures": len(self.pictures),
            "characters": self.counts(),
            "sources": dict(sorted(Counter(picture.source for picture in self.pictures).items())),
            "formats": dict(sorted(Counter(x.format for x in self.looks.values() if not x.trouble).items())),
            "shorter_side": {
                "least": sides[0] if sides else None,
                "median": statistics.median_low(sides) if sides else None,
                "most": sides[-1] if sides else None,
                "small": sum(side < SMALL for side in sides),
            },
            "damaged": [{"file": file(p), "why": self.looks[p.path].trouble} for p in self.damaged],
            "near_copies_inside": [[file(p) for p in group] for group in self.inside],
            "near_copies_across": [[file(p) for p in group] for group in self.across],
            "two_labels": [[{"file": file(p), "label": p.slug} for p in group] for group in self.twice],
            "labels_judged": self.judged.pictures if self.judged is not None else 0,
            "labels_not_judged": list(self.judged.unjudged) if self.judged is not None else [],
            "suspects": [
                {
                    "file": file(each.picture),
                    "label": each.picture.slug,
                    "looks_like": each.looks_like,
                    "p_label": round(each.own, 4),
                    "p_looks_like": round(each.other, 4),
                }
                for each in self.suspects
            ],
            "notes": list(self.notes),
        }


def check_dataset(
    folder: Path,
    *,
    table: Path | None = None,
    labels: bool = True,
    cache: Path | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Checked:
    """Look at every picture of a folder, and judge the labels of all but the test part.

    What is measured on is neither judged nor tuned: a model that chose its own test would flatter itself.

    Args:
        labels: judge them; takes a look of the built-in backbone at every picture, kept in ``cache``.

    Raises:
        PicturesError: see `training.pictures.read_dataset`; near copies in two parts are told, not refused.
    """
    report = progress or (lambda what, done, of: None)
    pictures = read_dataset(folder, table, strict=False)
    paths = list(dict.fromkeys(picture.path for picture in pictures))
    looks = look_at(paths, _counted(report, "decoding", len(paths)))
    groups = near_groups(pictures, looks)
    copies: defaultdict[str, list[Picture]] = defaultdict(list)
    for picture, group in zip(pictures, near_groups(pictures, looks, declared=False), strict=True):
        copies[group].append(picture)
    several = [tuple(group) for group in copies.values() if len(group) > 1]
    notes = []
    judged = None
    if labels:
        try:
            judged = _judged(pictures, groups, looks, cache, seed, report)
        except ImportError as error:
            notes.append(f"labels were not judged: pip install 'whosthat[training]' brings {error.name}")
        except (PicturesError, ModelError) as error:
            notes.append(f"labels were not judged: {error}")
    found = Checked(
        folder,
        tuple(pictures),
        tuple(groups),
        looks,
        inside=tuple(group for group in several if len({p.split for p in group}) == 1),
        across=tuple(group for group in several if len({p.split for p in group}) > 1),
        twice=tuple(tuple(group) for group in two_labels(pictures)),
        judged=judged,
    )
    return _with_notes(found, notes)


def cells_of(suspects: Sequence[Suspect]) -> list[Cell]:
    """Suspects for a contact sheet."""
    return [
        Cell(
            each.picture.path,
            (
                f"{number}. {each.picture.slug} {each.own:.2f}",
                f"→ {each.looks_like} {each.other:.2f}",
                each.picture.path.name,
            ),
        )
        for number, each in enumerate(suspects, 1)
    ]


def _judged(
    pictures: Sequence[Picture],
    groups: Sequence[str],
    looks: Mapping[Path, Look],
    cache: Path | None,
    seed: int,
    report: Progress,
) -> Judged:
    from training.head import default_cache

    fit = [
        i
        for i, picture in enumerate(pictures)
        if picture.split != "test"
        and not looks[picture.path].trouble
        and looks[picture.path].format != "heic"
    ]
    return judge_labels(
        [pictures[i] for i in fit],
        [groups[i] for i in fit],
        cache or default_cache(),
        seed=seed,
        progress=_counted(report, "judging labels", len(fit)),
    )


def _with_notes(found: Checked, notes: list[str]) -> Checked:
    """What should be said of the folder as a whole."""
    different: defaultdict[str, set[str]] = defaultdict(set)
    for picture, group in zip(found.pictures, found.groups, strict=True):
        different[picture.slug].add(group)
    characters = {slug: len(groups) for slug, groups in different.items() if slug != NOBODY}
    if len(characters) < 2:
        notes.append("there is one character alone: a model needs two, or pictures of nobody beside it")
    few = [slug for slug, count in sorted(characters.items()) if count < FEW]
    if few:
        named = ", ".join(few[:5]) + (f" and {len(few) - 5:,} more" if len(few) > 5 else "")
        notes.append(f"fewer than {FEW} different pictures: {named}")
    if found.judged is not None and found.judged.unjudged:
        notes.append(f"too few pictures to judge the labels of {len(found.judged.unjudged):,} characters")
    heic = sum(look.format == "heic" for look in found.looks.values())
    if heic:
        notes.append(f"the labels of {heic:,} HEIC pictures were not judged")
    return Checked(**{**found.__dict__, "notes": tuple(notes)})


def _counted(report: Progress, what: str, of: int) -> Callable[[int], None]:
    done = 0

    def step(count: int) -> None:
        nonlocal done
        done += count
        report(what, done, of)

    return step
