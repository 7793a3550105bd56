"""Levels of speed: exact, fast and turbo forms of one bundle, and which of them it admits.

*exact* is ``model.onnx``, or torch. *fast* has weights and activations in 8 bits; *turbo* merges tokens as
well. A level has a file of its own beside ``model.onnx``, and an entry in the manifest under ``compiled``
with what it was measured to do on real pictures, with its own calibration, and with the reason if it was
refused. Only what the manifest admits is ever loaded.

    reading.py    finds the layers of a vision transformer in any exporter's graph
    writing.py    writes them anew in a `forms.Form`; merging.py: token merging as operators of a graph
    making.py     level files of a folder and their entries in its manifest
    admitting.py  what a level must keep to be admitted

Nothing of this needs torch; loading a level needs ONNX Runtime alone.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model.bundle import LEVEL_FILES, MANIFEST, Bundle, read_json, sha256_of
from model.errors import LevelRefused
from model.levels.admitting import shortfall
from model.targets import read_targets
from model.types import LEVELS, BundleInfo, Calibration


@dataclass(frozen=True)
class Admitted:
    """A level that a bundle admits: its file, and the bundle's info with the level's own calibration."""

    path: Path
    info: BundleInfo


def levels_of(bundle: Bundle) -> tuple[str, ...]:
    """The levels that a bundle admits, the most exact first; the first is always ``exact``.

    Cheap: files are looked for, not read. One that is damaged is refused when it is loaded.
    """
    found = list(LEVELS[:1])
    for level in LEVELS[1:]:
        try:
            admitted(bundle, level)
        except LevelRefused:
            continue
        found.append(level)
    return tuple(found)


def admitted(bundle: Bundle, level: str, *, whole: bool = False) -> Admitted:
    """One level of a bundle other than ``exact``.

    Args:
        whole: also compare the file with its SHA-256.

    Raises:
        LevelRefused: the manifest does not admit it, or its file is missing or damaged.
    """
    name = LEVEL_FILES[level]
    entry = bundle.manifest.get("compiled", {}).get(name)
    if not isinstance(entry, Mapping):
        raise LevelRefused(f"{bundle.info.id} has no level {level}")
    try:
        short = str(entry.get("refused") or "") or shortfall(level, entry)
        info = _calibrated(bundle.info, entry)
        size, digest = int(entry.get("size", -1)), str(entry.get("sha256", ""))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise LevelRefused(
            f"what {bundle.folder} says of its level {level} does not read: {error!r}"
        ) from error
    if short:
        raise LevelRefused(f"{bundle.info.id} does not admit the level {level}: {short}")
    path = bundle.folder / name
    if not path.is_file():
        raise LevelRefused(f"{bundle.folder} lacks {name}, its level {level}")
    if path.stat().st_size != size or (whole and sha256_of(path) != digest):
        raise LevelRefused(
            f"{path} is not the file that its manifest describes; delete it to have it made again"
        )
    return Admitted(path, info)


def why_not(bundle: Bundle, level: str) -> str:
    """Why a bundle does not admit a level, in one sentence; empty if it does."""
    if level in LEVELS[:1]:
        return ""
    try:
        admitted(bundle, level, whole=True)
    except LevelRefused as error:
        return str(error)
    return ""


def _calibrated(info: BundleInfo, entry: Mapping[str, Any]) -> BundleInfo:
    """The bundle's info with the level's calibration.

    Raises:
        ValueError: it cannot be used; KeyError, TypeError: it does not read.
    """
    calibration = Calibration(**{name: float(value) for name, value in entry["calibration"].items()})
    if not all(map(math.isfinite, dataclasses.astuple(calibration))) or calibration.temperature <= 0:
        raise ValueError("its calibration cannot be used")
    return dataclasses.replace(info, calibration=calibration, targets=read_targets(entry.get("targets", {})))


def has_levels(folder: Path, levels: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether a folder has these levels with these figures already."""
    compiled = read_json(folder / MANIFEST).get("compiled", {})
    for level, about in levels.items():
        entry = compiled.get(LEVEL_FILES[level], {})
        if any(entry.get(name) != value for name, value in about.items()):
            return False
        if not about.get("refused") and not (folder / LEVEL_FILES[level]).is_file():
            return False
    return True
