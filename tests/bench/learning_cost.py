"""Reach 5: what the memory costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bot.memory.engine import Engine
from bot.memory.kernel import Constants
from bot.memory.types import Entry
from model.classifier import Classifier
from model.decode import DecodeLimits, decode
from tests.bench.learning_material import Material
from tests.bench.learning_sights import decoded_of, sights, with_marks


def cost(seen: Material, look: Classifier, cache: Path, entries: int, constants: Constants) -> dict[str, Any]:
    """Reach 5: milliseconds of `Engine.put` and `Engine.recall`, and of an answer without them.

    Of one thread's computing, which hardly changes when others compute as well; the model runs on one too.
    """
    part = seen.parts["validation"]
    decoded = decoded_of(part.pictures, look.preprocess, cache)
    dice = np.random.default_rng(0)
    width = part.embedding.shape[1]
    engine = Engine(2 * entries, constants)
    puts = []
    for number in range(entries):
        vector = np.asarray(dice.standard_normal((width,)), np.float32)  # the engine brings it to length 1
        key = dice.bytes(32).hex()
        mark = decoded[number % len(decoded)][1]
        slug = seen.slugs[number % (len(seen.slugs) - 1)]
        entry = Entry(number, number, 1, (slug,), key, mark, vector, True)
        start = time.thread_time()
        engine.put(entry)
        puts.append(time.thread_time() - start)
    recalls = []
    for row, sight in enumerate(sights(seen, "validation")[:300]):
        sight = with_marks(sight, dice.bytes(32).hex(), decoded[row][1])
        start = time.thread_time()
        engine.recall(1, sight)
        recalls.append(time.thread_time() - start)
    whole = []
    for picture in part.pictures[:60]:
        content = picture.path.read_bytes()
        start = time.thread_time()
        look(decode(content, DecodeLimits(), look.preprocess, keep=True).pixels[None])
        whole.append(time.thread_time() - start)
    return {
        "entries": entries,
        "put": _median(puts),
        "put, 99 of 100": float(np.quantile(puts, 0.99) * 1000),
        "recall": _median(recalls),
        "recall, 99 of 100": float(np.quantile(recalls, 0.99) * 1000),
        "answer without": _median(whole),
        "share": _median(recalls) / _median(whole),
    }


def _median(seconds: Sequence[float]) -> float:
    return float(np.median(seconds) * 1000)
