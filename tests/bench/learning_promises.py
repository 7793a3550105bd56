"""Whether *sure* is right as often as the settings ask, and which threshold keeps its word.

`told` measures the embedded model: thresholds from the validation part, kept or not on *test*.
`procedures` compares ways to choose them, on what heads over the wheel's backbone (which has seen none of
the pictures) say of training and validation pictures that they have not seen: as many as the validation
part has are drawn to choose by, the rest shows what comes of it; or all of one source are the rest, and
the others choose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from model.preprocess import Floats
from tests.bench.learning_material import Material, nobody, softmax
from tests.bench.learning_strangers import fit_plainly
from training.fitting import Labels, calibrated, fit_calibration
from training.measuring import Flags, wilson
from training.targets import answered, lower, sure_from

TARGETS = (0.8, 0.9, 0.95, 0.98)
FOLDS = 5
Way = Callable[[Floats, Flags, float], float | None]


def luckiest(confidence: Floats, right: Flags, target: float) -> float | None:
    """The lowest threshold above which enough were right: what the bot did at first."""
    return _lowest(confidence, right, target, lambda hits, count, _: hits / count)


def bounded(confidence: Floats, right: Flags, target: float) -> float | None:
    """The same by the lower bound of Wilson at 95 %, one-sided."""
    return _lowest(confidence, right, target, lambda hits, count, _: lower(hits, count, 1.645))


def believed(confidence: Floats, right: Flags, target: float) -> float | None:
    """By the mean of the calibrated probabilities alone."""
    return _lowest(confidence, right, target, lambda _, count, total: total / count)


WAYS: Mapping[str, Way] = {
    "the luckiest threshold": luckiest,
    "lower bound of 95 %": bounded,
    "mean probability": believed,
    "both, as served": sure_from,
}


def told(seen: Material) -> dict[str, Any]:
    """Of the embedded model, by target and way: how often sure is said on *test*, and how often rightly."""
    last = nobody(seen.slugs)
    test = seen.parts["test"]
    confidence, known, right = _answers(seen, "validation", last)
    asked, there, hit = _answers(seen, "test", last)
    sources = np.array([picture.source for picture in test.pictures])
    let_in = known >= seen.calibration.known
    found: dict[str, Any] = {}
    for target in TARGETS:
        for name, way in WAYS.items():
            threshold = way(confidence[let_in], right[let_in], target)
            if threshold is None:
                found[f"{target} {name}"] = None
                continue
            sure = (there >= seen.calibration.known) & (asked >= threshold)
            count, of = int(hit[sure].sum()), int(sure.sum())
            found[f"{target} {name}"] = {
                "threshold": threshold,
                "said": of / len(test.labels),
                "right": count / max(of, 1),
                "interval": wilson(count, of),
                "by source": {
                    source: float(hit[sure & (sources == source)].mean())
                    for source in sorted(set(sources[sure].tolist()))
                },
            }
    return found


def procedures(wheel: Material, build: Path, draws: int = 100) -> dict[str, Any]:
    """By target and way: ``kept`` is the share of draws in which the rest was right often enough."""
    logits, labels, groups, sources = _unseen(wheel, build)
    last, count = nobody(wheel.slugs), len(wheel.parts["validation"].labels)
    names, number = np.unique(groups, return_inverse=True)
    dice = np.random.default_rng(0)
    rows: dict[tuple[str, float, str], list[tuple[float, float]]] = {}
    for _ in range(draws):
        drawn = dice.permutation(len(names)) < len(names) * count / len(labels)
        chosen = drawn[number]
        _try(rows, "drawn", (logits, labels, last), chosen, ~chosen, TARGETS)
        for source in sorted(set(sources.tolist()) - {"other"}):
            there = sources == source
            _try(rows, source, (logits, labels, last), chosen & ~there, there, (0.95,))
    return {
        kind: {
            f"{target} {way}": {
                "kept": float(np.mean([not of or right >= target for right, of in said])),
                "right": float(np.mean([right for right, of in said if of] or [0.0])),
                "said": float(np.mean([of for _, of in said])),
            }
            for (which, target, way), said in rows.items()
            if which == kind
        }
        for kind in sorted({which for which, _, _ in rows})
    }


def _try(
    rows: dict[tuple[str, float, str], list[tuple[float, float]]],
    kind: str,
    pool: tuple[Floats, Labels, int],
    chosen: Flags,
    rest: Flags,
    targets: tuple[float, ...],
) -> None:
    """Calibrate and choose on some, see what comes of it on others."""
    logits, labels, last = pool
    calibration = fit_calibration(logits[chosen], labels[chosen], last, precision=0.95)
    confidence, known, right = answered(calibrated(logits, calibration), labels, last)
    let_in = known >= calibration.known
    for target in targets:
        for name, way in WAYS.items():
            threshold = way(confidence[chosen & let_in], right[chosen & let_in], target)
            sure = rest & let_in & (confidence >= (2.0 if threshold is None else threshold))
            said = float(sure.sum() / rest.sum())
            rows.setdefault((kind, target, name), []).append(
                (float(right[sure].mean()) if sure.any() else 0.0, said)
            )


def _unseen(wheel: Material, build: Path) -> tuple[Floats, Labels, NDArray[np.str_], NDArray[np.str_]]:
    """What heads say of the training and validation part that have not seen the picture or a near copy."""
    parts = [wheel.parts[name] for name in ("train", "validation")]
    z, labels = np.concatenate([p.z for p in parts]), np.concatenate([p.labels for p in parts])
    groups = np.concatenate([p.groups for p in parts])
    sources = np.array([picture.source for p in parts for picture in p.pictures])
    place = build / "strangers" / f"unseen-{len(labels)}-{wheel.bundle[:12].strip()}.npy"
    if not place.is_file():
        names, number = np.unique(groups, return_inverse=True)
        fold = (np.random.default_rng(5).permutation(len(names)) % FOLDS)[number]
        trusted = np.concatenate([wheel.believed, np.ones(len(parts[1].labels), np.bool_)])
        logits = np.zeros((len(labels), len(wheel.slugs)), np.float32)
        for each in range(FOLDS):
            rows = (fold != each) & trusted
            weight, bias = fit_plainly(z[rows], labels[rows], len(wheel.slugs))
            logits[fold == each] = z[fold == each] @ weight.T + bias
        place.parent.mkdir(parents=True, exist_ok=True)
        np.save(place, logits)
    return np.load(place), labels, groups, sources


def _answers(seen: Material, split: str, last: int) -> tuple[Floats, Floats, Flags]:
    part = seen.parts[split]
    return answered(softmax(part.logits / np.float32(seen.calibration.temperature)), part.labels, last)


def _lowest(
    confidence: Floats,
    right: Flags,
    target: float,
    share: Callable[[Labels, Labels, Floats], Any],
) -> float | None:
    order = np.argsort(-confidence, kind="stable")
    ordered, count = confidence[order], np.arange(1, len(order) + 1)
    enough = np.flatnonzero(share(np.cumsum(right[order]), count, np.cumsum(ordered)) >= target)
    return float(ordered[enough[-1]]) if len(enough) else None


def tables(found: Mapping[str, Any]) -> list[Table]:
    """Of what `told` and `procedures` found."""
    made = []
    if "sure" in found:
        table = Table("sure, asked for", "threshold", "said", "right", title=f"on test, {found['bundle']}")
        for name, each in found["sure"].items():
            if each is None:
                table.add_row(name, "", "never", "")
                continue
            low, high = each["interval"]
            right = f"{each['right']:.1%} ({low:.1%} to {high:.1%})"
            table.add_row(name, f"{each['threshold']:.3f}", f"{each['said']:.1%}", right)
        made.append(table)
    for kind, said in found.get("sure, procedures", {}).items():
        title = "drawn from all sources" if kind == "drawn" else f"{kind}, chosen by the other sources"
        table = Table("sure, asked for", "kept its word", "right on average", "said", title=title)
        for name, each in said.items():
            table.add_row(name, *(f"{each[key]:.1%}" for key in ("kept", "right", "said")))
        made.append(table)
    return made
