"""Reaches 2 and 4 over backbones that have not seen who is left out: ``--tuned-without DIR``.

``DIR`` holds bundles of ``whosthat train --base wheel --recipe full``, each trained and judged on a folder
without the pictures of some characters; which ones, its list of classes tells. Everybody should be missing
in one of them. What they see in the project's pictures is looked at once (in bfloat16 where the machine has
it) and kept in ``build/``.

Two cases are measured. *Alone*: one character is left out of the head, which knows the others, those of the
same bundle among them, although the backbone has not seen those either. *Together*: the head knows whom the
backbone knows and nobody else.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.memory.kernel import Constants
from model.builtin.head import read_head
from model.bundle import read_bundle
from model.preprocess import Floats
from tests.bench import learning_strangers as stranger
from tests.bench.learning_fit import SIZES, Apart
from tests.bench.learning_material import Material, Part, components, nobody, trusted
from tests.bench.learning_new import curve_of, new_character
from tests.bench.learning_sights import Say
from training.pictures import SPLITS, Picture, part, read_pictures

__all__ = ["Apart", "folds", "left_out", "newcomers"]


def folds(pictures: Path, folder: Path, build: Path, say: Say) -> list[tuple[Material, list[int]]]:
    """Of each bundle what it sees, and the characters, by index, that it has not seen."""
    found = []
    for bundle in sorted(path.parent for path in folder.glob("*/manifest.json")):
        seen = _material(pictures, bundle, build, say)
        found.append(seen)
        say(f"{bundle.name} was tuned without {', '.join(seen[0].slugs[index] for index in seen[1])}")
    if not found:
        raise SystemExit(f"{folder} holds no bundles")
    return found


def newcomers(parts: Apart, seeds: int, constants: Constants, retrain: bool, say: Say) -> dict[str, Any]:
    """Reach 2, *alone*."""
    rows = [
        row
        for seen, left in parts
        for row in new_character(seen, seeds, constants, retrain, say, who=left)["rows"]
    ]
    return {"backbone": _named(parts), "curve": curve_of(rows, SIZES), "rows": rows}


def left_out(parts: Apart, build: Path, say: Say) -> dict[str, Any]:
    """Reach 4: ``alone`` and ``together``, each as `learning_strangers.strangers` says it."""
    alone: dict[str, Any] = {}
    together: dict[str, Any] = {}
    for seen, left in parts:
        every = stranger.each_missing(seen, left, build, say)
        alone |= stranger.left_alone(seen, every, left)
        together |= stranger.left_together(seen, left, build)
    return {
        name: {
            "backbone": f"{_named(parts)}, {name}",
            "has seen whom is left out": False,
            "methods": {},
            "left out": found,
            "left out, mean": stranger.mean_of(found),
            "calibration": {},
        }
        for name, found in (("alone", alone), ("together", together))
    }


def _named(parts: Apart) -> str:
    return f"tuned without them, in {len(parts)} folds"


def _material(folder: Path, bundle: Path, build: Path, say: Say) -> tuple[Material, list[int]]:
    head, everything = read_head(), read_pictures(folder, None)
    info = read_bundle(bundle).info
    left = [index for index, slug in enumerate(head.characters) if slug not in info.characters]
    pictures = {split: part(everything, split) for split in SPLITS}
    labels = {
        split: np.array([head.characters.index(each.slug) for each in of], np.int64)
        for split, of in pictures.items()
    }
    groups = {split: np.array([each.group for each in of]) for split, of in pictures.items()}
    name = hashlib.sha256("\n".join([info.id, *(each.sha256 for each in everything)]).encode()).hexdigest()
    place = build / "tuned-without" / f"{name[:20]}.npz"
    if not place.is_file():
        say(f"looking at {len(everything)} pictures with {info.id}")
        features = dict(zip(SPLITS, _look(bundle, [pictures[split] for split in SPLITS]), strict=True))
        z = components(features, ~np.isin(labels["train"], left))
        believed = trusted(z["train"], labels["train"], groups["train"], len(head.characters))
        place.parent.mkdir(parents=True, exist_ok=True)
        np.savez(place, believed=believed, **z)  # type: ignore[arg-type]  # the stub takes no mapping
    with np.load(place) as kept:
        parts = {
            split: Part(of, kept[split], kept[split][:, :0], kept[split][:, :0], labels[split], groups[split])
            for split, of in pictures.items()
        }
        seen = Material(info.id, head.characters, head.calibration, parts, kept["believed"])
    assert nobody(seen.slugs) not in left
    return seen, left


def _look(bundle: Path, parts: Sequence[Sequence[Picture]]) -> list[Floats]:
    from training.bases import find_base
    from training.looking import features_of
    from training.networks import open_network

    network = open_network(find_base(str(bundle), Path("models")))
    return [features_of(network, of, half=True).astype(np.float32) for of in parts]
