"""Reach 1: a picture that was corrected is answered so again, and so are its copies."""

from __future__ import annotations

import io
import random
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bot.memory.engine import Engine
from bot.memory.kernel import Constants
from bot.memory.types import Entry
from model.classifier import Classifier
from model.decode import DecodeLimits, decode
from model.types import NOBODY
from tests.bench.learning_copies import CHANGES
from tests.bench.learning_material import Material, nobody
from tests.bench.learning_sights import Say, decoded_of, sights, slugs_of, with_marks
from training.measuring import wilson
from training.pictures import Picture

CORRECTED = 50


def copies(
    seen: Material,
    look: Classifier,
    cache: Path,
    draws: int,
    constants: Constants,
    say: Say,
    beside: Sequence[str],
) -> dict[str, Any]:
    """Reach 1: 50 pictures of the test part are corrected, beside others; their copies are asked.

    Remembered besides: every picture of the parts ``beside``, as named in the table, so that a copy has to be
    found among them. Pulled over is a picture of the test part, not remembered and in another group of the
    split, that is taken for one of the 50. What is taken for one of the others under another name than the
    table's is counted apart: looked at, these were copies that the split does not know of, named differently.
    """
    how = look.preprocess
    marks = {name: decoded_of(seen.parts[name].pictures, how, cache) for name in (*beside, "test")}
    asked = sights(seen, "test")
    test = seen.parts["test"]
    found: dict[str, list[bool]] = defaultdict(list)
    pulled: list[tuple[str, str]] = []
    elsewhere: list[tuple[str, str]] = []
    free = 0
    engine = Engine(100_000, constants)
    others: dict[int, Picture] = {}
    for name in beside:
        for picture, (near, mark), vector in zip(
            seen.parts[name].pictures, marks[name], seen.parts[name].embedding, strict=True
        ):
            blob = len(asked) + len(others)
            others[blob] = picture
            engine.put(Entry(blob, 0, 1, slugs_of(picture.slug), near, mark, vector))
    for row, sight in enumerate(asked):
        got = engine.recall(1, with_marks(sight, *marks["test"][row]))
        if got.how == "same" and got.slugs != slugs_of(test.pictures[row].slug):
            elsewhere.append((test.pictures[row].sha256[:12], others[got.blobs[0]].sha256[:12]))
    for draw in range(draws):
        dice = np.random.default_rng(draw)
        chosen = dice.permutation(np.flatnonzero(test.labels != nobody(seen.slugs)))[:CORRECTED]
        for row in chosen.tolist():
            wrong = [slug for slug in seen.slugs if slug not in (NOBODY, test.pictures[row].slug)]
            near, mark = marks["test"][row]
            said = str(dice.choice(wrong))  # another name than any model would give it
            engine.put(Entry(row, 0, 1, (said,), near, mark, test.embedding[row], True))
            with Image.open(test.pictures[row].path) as opened:
                image = opened.convert("RGB")
            for name, change in CHANGES.items():
                changed = _encoded(change(image, random.Random(f"{draw}/{row}/{name}")))
                decoded = decode(changed, DecodeLimits(), how, keep=False)
                output = look(decoded.pixels[None])
                sight = with_marks(
                    asked[row], decoded.near_key, decoded.marks, tuple(output.embedding[0].tolist())
                )
                got = engine.recall(1, sight)
                found[name].append(got.how == "same" and got.answer.character == said and got.blobs[0] == row)
        for row in range(len(asked)):
            if row in set(chosen.tolist()):
                continue
            near, mark = marks["test"][row]
            got = engine.recall(1, with_marks(asked[row], near, mark))
            free += 1
            mine = got.how == "same" and got.blobs[0] < len(asked)
            if mine and test.groups[got.blobs[0]] != test.groups[row]:
                pulled.append((test.pictures[row].sha256[:12], test.pictures[got.blobs[0]].sha256[:12]))
        for row in chosen.tolist():
            engine.drop(1, row)
        say(f"copies, draw {draw}: {np.mean([x for each in found.values() for x in each]):.4f}")
    hits = sum(sum(each) for each in found.values())
    count = sum(len(each) for each in found.values())
    return {
        "answered as corrected": [hits, count, wilson(hits, count)],
        "by change": {name: float(np.mean(each)) for name, each in found.items()},
        "pulled over": [len(pulled), free, wilson(len(pulled), free)],
        "pairs": pulled,
        "copies named differently": [len(elsewhere), len(asked), elsewhere],
        "remembered": len(engine) + CORRECTED,
    }


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
