"""The pictures in `tests.bench.life`, by what they are for, and what the backbone sees in them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from corrections.export.splits import Splitter
from corrections.export.types import Policy
from model.preprocess import Floats
from tests.bench.life_model import Seen
from training.features import features_of, flat
from training.pictures import Picture, part, read_pictures

NOISY = "noisy"
LAYERS = tuple(range(4, 12))
"""What the recipe *head* of the embedded model reads."""
ALONE = f"{0:064x}"
"""A near key that is near to none: near copies are known from the folder's own table."""


@dataclass(frozen=True)
class World:
    """``own``: the operator's pictures, of all sources but the noisy one, in *train* and *validation*.

    ``posted``: what people post, with the split that an export gives it, one of each group of near copies.
    ``judges``: the fixed evaluation set of the gate. ``untouched``: what the curves are measured on.
    """

    own: tuple[Picture, ...]
    posted: tuple[Picture, ...]
    judges: tuple[Picture, ...]
    untouched: tuple[Picture, ...]
    seen: Seen


def world_of(
    folder: Path, cache: Path, measured: str, components: int, say: Callable[[str], None], noisy: bool = True
) -> World:
    """Read the folder; the test part only when that is what is measured.

    Args:
        measured: the part that the curves are measured on.
        components: principal components that are kept, 0 for all features as they are.
        noisy: whether the gate's evaluation set has pictures of the noisy source too.
    """
    everything = read_pictures(folder)
    say("reading what the backbone saw")
    looked: dict[str, Sequence[Picture]] = {
        split: part(everything, split) for split in {"train", "validation", measured}
    }
    x = np.concatenate([flat(features_of(pictures, cache), LAYERS) for pictures in looked.values()])
    pictures = [picture for some in looked.values() for picture in some]
    row = {picture.sha256: number for number, picture in enumerate(pictures)}
    train, judges = looked["train"], looked["validation"]
    learned = np.array([row[picture.sha256] for picture in train])
    own, posted = _apart([p for p in train if p.source != NOISY], [p for p in train if p.source == NOISY])
    seen = Seen(components_of(x, learned, components), row)
    judges = [p for p in judges if noisy or p.source != NOISY]
    return World(tuple(own), tuple(posted), tuple(judges), tuple(looked[measured]), seen)


def _apart(own: Sequence[Picture], noisy: Sequence[Picture]) -> tuple[list[Picture], list[Picture]]:
    """Give both their splits; what is a near copy of an earlier picture is not posted."""
    groups = split_by_export([*own, *noisy])
    # the operator keeps a tenth back to choose and calibrate by, and judges with other pictures
    mine = [replace(p, split="train" if groups[p.group] == "test" else groups[p.group]) for p in own]
    known = {picture.group for picture in own}
    posted = []
    for picture in noisy:
        if picture.group not in known:
            known.add(picture.group)
            posted.append(replace(picture, split=groups[picture.group]))
    return mine, posted


def split_by_export(pictures: Sequence[Picture]) -> Mapping[str, str]:
    """By group the split that `corrections.export` draws: from its smallest SHA-256, 80, 10 and 10 %."""
    smallest: defaultdict[str, list[str]] = defaultdict(list)
    for picture in pictures:
        smallest[picture.group].append(picture.sha256)
    splitter = Splitter(Policy())
    numbers = {group: splitter.new(ALONE, min(digests)) for group, digests in smallest.items()}
    splitter.settle()
    return {group: str(splitter.fate(number).split) for group, number in numbers.items()}


def components_of(x: Floats, learned: np.ndarray[tuple[int], np.dtype[np.int64]], count: int) -> Floats:
    """Standardised by the training part and turned into its first principal directions, none stretched.

    A turn changes nothing for a classifier whose weights are pulled to zero alike in all directions; what
    is lost is what the directions left out would have said. No label is used.
    """
    mean, deviation = x[learned].mean(axis=0), x[learned].std(axis=0) + np.float32(1e-6)
    x = np.asarray((x - mean) / deviation, np.float32)
    if not count or count >= x.shape[1]:
        return x
    return np.asarray(x @ _main_directions(x[learned], count), np.float32)


def _main_directions(x: Floats, count: int) -> Floats:
    """``[F, K]``, by subspace iteration (Halko et al., SIAM Review 2011, 4.4)."""
    block = np.random.default_rng(0).normal(size=(x.shape[1], count + 32)).astype(np.float32)
    for _ in range(3):
        block, _ = np.linalg.qr(x.T @ (x @ block))
    _, _, directions = np.linalg.svd(x @ block, full_matrices=False)
    return np.asarray((block @ directions.T)[:, :count], np.float32)
