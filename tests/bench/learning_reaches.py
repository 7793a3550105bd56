"""What is measured: copies (1), a new character (2), a run of corrections (3), and what it costs (5)."""

from __future__ import annotations

import hashlib
import io
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bot.memory.engine import Engine
from bot.memory.kernel import Constants
from bot.memory.types import Entry
from model.classifier import Classifier
from model.decode import Decoded, DecodeLimits, decode
from model.preprocess import Preprocess
from model.types import NOBODY, Sight
from tests.bench.learning_copies import CHANGES
from tests.bench.learning_fit import SIZES, blended, floods, right
from tests.bench.learning_material import Material, answers, nobody, softmax, train_without
from training.measuring import calibration_floor, expected_calibration_error, wilson
from training.pictures import Picture

Say = Callable[[str], None]
CORRECTED = 50
CHECKPOINTS = (0, 25, 50, 100, 200, 300, 400, 500)


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
            _key(index, part),
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
    marks = {name: _decoded(seen.parts[name].pictures, how, cache) for name in (*beside, "test")}
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
            engine.put(Entry(blob, 0, 1, _said(picture.slug), near, mark, vector))
    for row, sight in enumerate(asked):
        got = engine.recall(1, _with(sight, *marks["test"][row]))
        if got.how == "same" and got.slugs != _said(test.pictures[row].slug):
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
                sight = _with(
                    asked[row], decoded.near_key, decoded.marks, tuple(output.embedding[0].tolist())
                )
                got = engine.recall(1, sight)
                found[name].append(got.how == "same" and got.answer.character == said and got.blobs[0] == row)
        for row in range(len(asked)):
            if row in set(chosen.tolist()):
                continue
            near, mark = marks["test"][row]
            got = engine.recall(1, _with(asked[row], near, mark))
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


def new_character(
    seen: Material, seeds: int, constants: Constants, retrain: bool, say: Say
) -> dict[str, Any]:
    """Reach 2: each character left out of the head and of its training, then taught with 1 to 50 pictures.

    Compared: memory; a head trained anew with the same pictures (recipe *head*); the nearest remembered
    picture alone, from a similarity on that loses one point of the rest on the validation part.
    """
    train, validation, test = (seen.parts[name] for name in ("train", "validation", "test"))
    last = nobody(seen.slugs)
    rows: list[dict[str, Any]] = []
    for missing in range(last):
        model = train_without(seen, missing, np.arange(len(train.z)))
        kept_of, asked, tuning = (
            model.see(train.z[train.labels == missing]),
            model.see(test.z),
            model.see(validation.z),
        )
        mine, rest = test.labels == missing, (test.labels != missing) & (test.labels != last)
        before = right(asked.p, test.labels)
        for size in SIZES:
            for seed in range(seeds):
                drawn = np.random.default_rng([missing, size, seed, 1]).permutation(len(kept_of.p))[:size]
                kept = kept_of.embedding[drawn]
                cosines = asked.embedding @ kept.T
                p = blended(asked.p, cosines, np.full(len(drawn), missing), constants)
                now = right(p, test.labels)
                told = 1 - p[:, last] >= model.calibration.known
                row: dict[str, Any] = {
                    "character": seen.slugs[missing],
                    "pictures": size,
                    "seed": seed,
                    "memory": float(now[mine].mean()),
                    "memory, told": float((now & told)[mine].mean()),
                    "memory lost": float(before[rest].mean() - now[rest].mean()),
                }
                others = (validation.labels != missing) & (validation.labels != last)
                near = (tuning.embedding @ kept.T).max(axis=1)
                was = right(tuning.p, validation.labels)
                level = _level(near[others], was[others], 0.01)
                taken = cosines.max(axis=1) >= level
                row["nearest"] = float(taken[mine].mean())
                row["nearest lost"] = float((before & taken)[rest].mean())
                if retrain and seed < 2:
                    extra = train.z[np.flatnonzero(train.labels == missing)[drawn]]
                    anew = train_without(seen, missing, np.arange(len(train.z)), extra).see(test.z)
                    hit = right(anew.p, test.labels)
                    row["retrained"] = float(hit[mine].mean())
                    row["retrained lost"] = float(before[rest].mean() - hit[rest].mean())
                rows.append(row)
        five = [
            row["memory"] for row in rows if row["character"] == seen.slugs[missing] and row["pictures"] == 5
        ]
        say(f"{seen.slugs[missing]}: with 5 pictures {np.mean(five):.3f}")
    names = [key for key in rows[0] if key not in ("character", "pictures", "seed")]
    curve = {
        size: {
            name: float(np.mean([row[name] for row in rows if row["pictures"] == size and name in row]))
            for name in names
        }
        for size in SIZES
    }
    return {"backbone": seen.bundle, "curve": curve, "rows": rows}


def run_of_corrections(seen: Material, seeds: int, constants: Constants, say: Say) -> dict[str, Any]:
    """Reach 3: 500 pictures of the test part named one by one, 5 % wrongly; the untouched rest is asked.

    Two runs: people name whatever is posted; or only what was answered wrongly, which is all that a
    correction is (its wrong ones then are right answers that somebody spoils). Calibration error is of what
    is likeliest, nobody among it.
    """
    every = sights(seen, "test")
    test, last = seen.parts["test"], nobody(seen.slugs)
    p0 = softmax(test.logits / seen.calibration.temperature)
    before = right(p0, test.labels)
    result: dict[str, Any] = {}
    for kind in ("whatever is posted", "wrong answers"):
        change: dict[int, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
        ends, errors = [], []
        for seed in range(seeds):
            dice = np.random.default_rng([seed, 3])
            order = dice.permutation(len(every))
            touched = (
                order[:500]
                if kind == "whatever is posted"
                else _mostly_wrong(order, before, test.labels, last)
            )
            free = np.setdiff1d(order, touched)
            free = free[~np.isin(test.groups[free], test.groups[touched])]
            people = free[test.labels[free] != last]
            said = test.labels[touched].copy()
            wrong = dice.random(len(touched)) < 0.05
            said[wrong] = dice.integers(0, last, wrong.sum())
            cosines = test.embedding[free] @ test.embedding[touched].T
            for mark in sorted({min(mark, len(touched)) for mark in CHECKPOINTS}):
                p = blended(p0[free], cosines[:, :mark], said[:mark], constants) if mark else p0[free]
                now = right(p, test.labels[free])
                for index, row in enumerate(free.tolist()):
                    if test.labels[row] != last:
                        change[mark][row].append(float(now[index]) - float(before[row]))
            ends.append(float(now[np.isin(free, people)].mean() - before[people].mean()))
            top, hit = p.max(axis=1), p.argmax(axis=1) == test.labels[free]
            start = p0[free]
            errors.append(
                [
                    expected_calibration_error(start.max(axis=1), start.argmax(axis=1) == test.labels[free]),
                    expected_calibration_error(top, hit),
                    calibration_floor(top)[1],
                ]
            )
            if seed == 0:  # the engine itself says the same as the arrays
                engine = Engine(100_000, constants)
                for number, row in enumerate(touched.tolist()):
                    slug = _said(seen.slugs[said[number]])
                    engine.put(Entry(row, 0, 1, slug, every[row].near_key, b"", test.embedding[row], True))
                for index in range(0, len(free), 10):
                    got = engine.recall(1, every[free[index]]).answer
                    one = seen.slugs[int(p[index, :last].argmax())]
                    assert got.character == one, (got.character, one)
        points = {}
        for mark, by_row in change.items():
            means = np.array([np.mean(each) for each in by_row.values()])
            bound = means.mean() - 1.645 * means.std(ddof=1) / np.sqrt(len(means)) if len(means) else 0.0
            points[mark] = [float(means.mean()), float(bound)]
        result[kind] = {
            "start": float(before[test.labels != last].mean()),
            "points": points,
            "end by seed": ends,
            "calibration error before, after, floor": np.mean(errors, axis=0).tolist(),
        }
        low = min(each[1] for each in points.values())
        say(f"{kind}: {points[max(points)][0]:+.4f}, one-sided 95 % bound {low:+.4f}")
    return result


def flooded(seen: Material, constants: Constants) -> dict[str, Any]:
    """10,000 wrong corrections of one person that all got through: what the answers lose."""
    train, test, last = seen.parts["train"], seen.parts["test"], nobody(seen.slugs)
    p0 = softmax(test.logits / seen.calibration.temperature)
    dice = np.random.default_rng(0)
    rows = np.resize(np.arange(len(train.labels)), 10_000)
    noise = 0.02 * dice.standard_normal((len(rows), train.embedding.shape[1]))
    kept = np.asarray(train.embedding[rows] + noise, np.float32)
    kept /= np.linalg.norm(kept, axis=1, keepdims=True)
    cosines = test.embedding @ kept.T
    people = test.labels != last
    before = right(p0, test.labels)
    told = before & (1 - p0[:, last] >= seen.calibration.known)
    names = ("at random", "each for the next", "all one character", "all another character", "all nobody")
    result = {}
    for name, said in zip(names, floods(train.labels[rows], last), strict=True):
        p = blended(p0, cosines, said, constants)
        now = right(p, test.labels)
        still = now & (1 - p[:, last] >= seen.calibration.known)
        result[name] = [
            float(now[people].mean() - before[people].mean()),
            float(still[people].mean() - told[people].mean()),
        ]
    wide = np.concatenate([p0[:, :last], np.zeros((len(p0), 1), np.float32), p0[:, last:]], axis=1)
    p = blended(wide, cosines, np.full(len(rows), last), constants)
    result["all a character that is new"] = [
        float((p[:, : last + 1].argmax(axis=1) == test.labels)[people].mean() - before[people].mean()),
        float(
            ((p[:, : last + 1].argmax(axis=1) == test.labels) & (1 - p[:, -1] >= seen.calibration.known))[
                people
            ].mean()
            - told[people].mean()
        ),
    ]
    return result


def cost(seen: Material, look: Classifier, cache: Path, entries: int, constants: Constants) -> dict[str, Any]:
    """Reach 5: milliseconds of `Engine.put` and `Engine.recall`, and of an answer without them.

    Of one thread's computing, which hardly changes when others compute as well; the model runs on one too.
    """
    part = seen.parts["validation"]
    decoded = _decoded(part.pictures, look.preprocess, cache)
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
        sight = _with(sight, dice.bytes(32).hex(), decoded[row][1])
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


def _mostly_wrong(
    order: NDArray[np.int64], before: NDArray[np.bool_], labels: NDArray[np.int64], last: int
) -> NDArray[np.int64]:
    wrong = order[~before[order] & (labels[order] != last)]
    return np.asarray(
        wrong[: len(wrong) * 2 // 3]
    )  # so that some wrongly answered are left among the untouched


def _level(near: NDArray[np.floating], was: NDArray[np.bool_], lost: float) -> float:
    """The similarity from which on taking a picture over loses at most that share of right answers."""
    order = np.argsort(-near, kind="stable")
    gone = np.cumsum(was[order]) / len(near)
    within = np.flatnonzero(gone <= lost)
    return float(near[order][within[-1]]) if len(within) else float("inf")


def _decoded(pictures: Sequence[Picture], how: Preprocess, cache: Path) -> list[tuple[str, bytes]]:
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


def _with(sight: Sight, near_key: str, marks: bytes, embedding: tuple[float, ...] | None = None) -> Sight:
    embedding = sight.embedding if embedding is None else embedding
    return replace(sight, near_key=near_key, marks=marks, embedding=embedding)


def _said(slug: str) -> tuple[str, ...]:
    return () if slug == NOBODY else (slug,)


def _key(index: int, part: str) -> str:
    """A near key that is near no other."""
    return hashlib.sha256(f"{part}{index}".encode()).hexdigest()


def _encoded(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
