"""What the embedded model sees in the pictures, as the memory is asked with it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.decode import Decoded, DecodeLimits, decode
from model.preprocess import Preprocess
from model.types import NOBODY, Sight
from tests.bench.learning_material import Material, answers, softmax
from training.pictures import Picture

Say = Callable[[str], None]


def sights(seen: Material, part: str) -> list[Sight]:
    """What the embedded model says of a part of the pictures, without keys or marks."""
    of = seen.parts[part]
    p = softmax(of.logits / seen.calibration.temperature)
    given = answers(p, seen.slugs, seen.calibration)
    return [
        Sight(
            each,
            (),
            tuple(row.tolist()),
            far_key(index, part),
            "",
            1,
            1,
            seen.bundle,
            "",
            0.0,
            calibration=seen.calibration,
        )
        for index, (each, row) in enumerate(zip(given, of.embedding, strict=True))
    ]


def decoded_of(pictures: Sequence[Picture], how: Preprocess, cache: Path) -> list[tuple[str, bytes]]:
    """Near key and marks of pictures, kept in the cache."""
    import model.marks

    version = hashlib.sha256(Path(model.marks.__file__).read_bytes()).hexdigest()
    name = hashlib.sha256("".join([version, *(each.sha256 for each in pictures)]).encode()).hexdigest()
    place = cache / f"marks-{name[:20]}.npz"
    if not place.is_file():
        seen: list[Decoded] = [
            decode(each.path.read_bytes(), DecodeLimits(), how, keep=False) for each in pictures
        ]
        keys, marks = [each.near_key for each in seen], [each.marks.hex() for each in seen]
        np.savez_compressed(place, keys=np.array(keys), marks=np.array(marks))
    with np.load(place) as kept:
        return [(str(k), bytes.fromhex(str(m))) for k, m in zip(kept["keys"], kept["marks"], strict=True)]


def with_marks(
    sight: Sight, near_key: str, marks: bytes, embedding: tuple[float, ...] | None = None
) -> Sight:
    embedding = sight.embedding if embedding is None else embedding
    return replace(sight, near_key=near_key, marks=marks, embedding=embedding)


def slugs_of(slug: str) -> tuple[str, ...]:
    return () if slug == NOBODY else (slug,)


def far_key(index: int, part: str) -> str:
    """A near key that is near no other."""
    return hashlib.sha256(f"{part}{index}".encode()).hexdigest()
