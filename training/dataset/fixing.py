"""``whosthat dataset check --fix OUT``: a copy without what is wrong, and a list of what was left out.

The original is read and never written. Nothing of the test part is left out for its label.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from model.bundle import sha256_of
from training.dataset.checking import Checked, cells_of
from training.dataset.contact_sheet import draw_sheet
from training.dataset.placing import empty_place, room_for
from training.dataset.splitting import table_of
from training.errors import DatasetWriteError, PicturesError
from training.pictures import SPLITS, TABLE, Picture, data_hash

REPORT, SHEET = "report.json", "left_out.png"
_RANK = {split: rank for rank, split in enumerate(reversed(SPLITS))}  # test keeps what is in several parts


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A picture that is not in the copy: ``why`` is a word for machines, ``detail`` for people."""

    picture: Picture
    why: str
    detail: str


def left_out(found: Checked, margin: float) -> list[LeftOut]:
    """What a cleaned copy lacks, each picture for its first reason, in the order of the folder.

    Args:
        margin: suspects are left out whose other character is likelier by this much, 0 to 1.
    """
    looks, best = found.looks, dict[str, Picture]()
    two = {picture.sha256: group for group in found.twice for picture in group}
    suspects = {each.picture.path: each for each in found.suspects if each.margin >= margin}
    wins: dict[str, str] = {}
    for picture, group in zip(found.pictures, found.groups, strict=True):
        if not looks[picture.path].trouble and picture.sha256 not in two:
            wins[group] = min(wins.get(group, picture.split), picture.split, key=_RANK.__getitem__)
    result = []
    for picture, group in zip(found.pictures, found.groups, strict=True):
        trouble = looks[picture.path].trouble
        if trouble:
            result.append(LeftOut(picture, "damaged", trouble))
        elif picture.sha256 in two:
            others = sorted({each.slug for each in two[picture.sha256]})
            result.append(LeftOut(picture, "two-labels", f"the same picture is {' and '.join(others)}"))
        elif wins[group] != picture.split:
            result.append(LeftOut(picture, "across-parts", f"a near copy is in {wins[group]}"))
        elif picture.sha256 in best:
            result.append(LeftOut(picture, "same-bytes", f"it is {best[picture.sha256].path.name} again"))
        elif picture.path in suspects:
            each = suspects[picture.path]
            detail = f"looks like {each.looks_like} ({each.other:.2f}, {picture.slug} {each.own:.2f})"
            result.append(LeftOut(picture, "label", detail))
        else:
            best[picture.sha256] = picture
    return result


def write_fixed(
    found: Checked, out: Path, *, margin: float, progress: Callable[[str, int, int], None] | None = None
) -> list[LeftOut]:
    """Copy what is right to ``out`` with a table, a report and a contact sheet of suspects left out.

    Raises:
        PicturesError: nothing would be left, or a picture has changed since it was looked at.
        DatasetWriteError: the place is taken, or the disk does not take it; nothing is left there.
    """
    from model.folders import new_folder

    empty_place(out, found.folder)
    without = left_out(found, margin)
    gone = {id(each.picture) for each in without}
    pairs = [
        (picture, group)
        for picture, group in zip(found.pictures, found.groups, strict=True)
        if id(picture) not in gone
    ]
    if not pairs:
        raise PicturesError(f"nothing of {found.folder} is right: there is nothing to copy")
    room_for([picture for picture, _ in pairs], out)
    try:
        with new_folder(out) as draft:
            kept = []
            for number, (picture, group) in enumerate(pairs, 1):
                place = draft / picture.path.relative_to(found.folder)
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(picture.path, place)
                if sha256_of(place) != picture.sha256:
                    raise PicturesError(f"{picture.path} is not the picture that it was: check again")
                kept.append(replace(picture, path=place, group=group))
                if progress is not None:
                    progress("copying", number, len(pairs))
            (draft / TABLE).write_bytes(table_of(draft, kept))
            (draft / REPORT).write_text(_report(found, kept, without, margin), encoding="utf-8")
            suspects = [each for each in found.suspects if id(each.picture) in gone]
            if suspects:
                draw_sheet(cells_of(suspects), draft / SHEET)
    except OSError as error:
        raise DatasetWriteError(f"{out} cannot be written: {error.strerror or error}") from error
    return without


def _report(found: Checked, kept: list[Picture], without: list[LeftOut], margin: float) -> str:
    rows = [
        {
            "file": each.picture.path.relative_to(found.folder).as_posix(),
            "label": each.picture.slug,
            "split": each.picture.split,
            "why": each.why,
            "detail": each.detail,
        }
        for each in without
    ]
    whole = {
        "schema": 1,
        "kept": len(kept),
        "data": data_hash(kept),
        "from": data_hash(found.pictures),
        "margin": margin,
        "why": dict(sorted(Counter(each.why for each in without).items())),
        "left_out": rows,
    }
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
