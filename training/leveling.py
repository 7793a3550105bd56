"""Faster levels of a bundle: several forms look at the same pictures, the fastest that is good enough stays.

Forms are chosen on the validation part, by what `model.levels.admitting` asks for, and each level gets a
calibration of its own there. Half a point of accuracy cannot be told from chance on some hundred pictures:
how far the answers' probabilities are from the exact ones can, and decides first. The test part is only
measured.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort  # type: ignore[import-untyped]
from numpy.typing import NDArray

from model.bundle import ONNX, Bundle
from model.errors import LevelRefused
from model.levels.admitting import shortfall
from model.levels.forms import Form
from model.levels.making import opened, usual
from model.levels.reading import Vit
from model.levels.writing import write
from model.preprocess import Floats, Preprocess
from model.types import LEVELS, NOBODY, BundleInfo, Calibration, Targets
from training.errors import PicturesError
from training.evening import evened_by
from training.fitting import calibrated, fit_calibration
from training.looking import pixels_of
from training.measuring import measure
from training.paired import calibration_change, lower_bound
from training.pictures import Picture
from training.targets import fit_targets

EXACT = "exact"
PRECISION = 0.95  # of what is called sure, where nobody sets another target
TWO_SIDED = 1.959964
FEW = 40  # pictures: fewer say nothing of half a point
NEAR = {"fast": 0.001, "turbo": math.inf}
"""The mean divergence of answers from the exact ones up to which the fastest form is taken. Some 99 % of
first answers are the same at the first. *turbo* is for who wants speed above all: of what may be admitted
the fastest, since where it is hardly faster than *fast* nobody needs it."""

Step = Callable[[int], None]


@dataclass(frozen=True)
class Seen:
    """What a form says of N pictures: logits [N, C], embedding [N, D]; what each cost, [N].

    Seconds are those of the processor, which others on the same machine do not prolong much.
    """

    logits: Floats
    embedding: Floats
    seconds: NDArray[np.float64]


@dataclass(frozen=True)
class Level:
    """A form that was measured, as it stands in a manifest or in ``levels.json``."""

    form: Form
    figures: Mapping[str, Any]
    calibration: Calibration
    targets: Targets
    refused: str = ""

    def to_json(self) -> dict[str, Any]:
        """For `model.levels.making.add_levels`."""
        return {
            "form": self.form.to_json(),
            **self.figures,
            "calibration": asdict(self.calibration),
            "targets": {name: [list(pair) for pair in value] for name, value in asdict(self.targets).items()},
            "refused": self.refused,
        }


def make_levels(
    bundle: Bundle,
    pictures: Sequence[Picture],
    *,
    threads: int = 0,
    forms: Mapping[str, Sequence[Form]] | None = None,
    step: Step = lambda _: None,
) -> dict[str, Level]:
    """Measure forms of a bundle and choose one for each level; nothing is written.

    Args:
        pictures: of the validation part.
        forms: by level those to choose from; `usual_forms` if not given.

    Returns:
        for each level, of the forms that may be admitted, the fastest that is `NEAR` enough, or the nearest;
        the one that agrees most, refused, where none may be admitted.

    Raises:
        PicturesError: there are too few of the characters that the bundle knows.
        LevelRefused: the bundle is no vision transformer as these are known here.
    """
    if bundle.onnx is None:
        raise LevelRefused(f"{bundle.folder} has no {ONNX} to make faster")
    known = [each for each in pictures if each.slug in bundle.info.characters]
    if len(known) < FEW:
        raise PicturesError(
            f"{len(known)} pictures of its characters are too few to measure levels, {FEW} would do"
        )
    vit = opened(bundle.onnx)
    asked = forms or usual_forms(vit, known, bundle.preprocess, threads=threads)
    named = {f"{level} {number}": form for level in asked for number, form in enumerate(asked[level])}
    seen = looked_at(bundle.onnx, vit, named, known, bundle.preprocess, threads=threads, step=step)
    chosen: dict[str, Level] = {}
    for level in asked:
        tried = []
        for number, form in enumerate(asked[level]):
            one = seen[f"{level} {number}"]
            calibration, targets = calibrated_for(one.logits, known, bundle.info)
            info = replace(bundle.info, calibration=calibration, targets=targets)
            figures = figures_of(one, seen[EXACT], known, info, bundle.info)
            found = Level(form, figures, calibration, targets, shortfall(level, figures))
            tried.append((rank(level, found, float(np.median(one.seconds))), number, found))
        chosen[level] = min(tried, key=lambda each: each[:2])[2]
    return chosen


def rank(level: str, found: Level, seconds: float) -> tuple[int, float]:
    """The least is chosen: near and fast, then near at all, then what agrees most among the refused."""
    if found.refused:
        return 2, -float(found.figures["top1_agreement"])
    divergence = float(found.figures["divergence"])
    return (0, seconds) if divergence <= NEAR[level] else (1, divergence)


def usual_forms(
    vit: Vit, pictures: Sequence[Picture], how: Preprocess, *, threads: int = 0, quick: bool = False
) -> dict[str, tuple[Form, ...]]:
    """By level the forms to choose from, made for this network by what it does with some pictures.

    Args:
        quick: only those that are most often chosen.
    """
    evened = evened_by(vit, pictures, how, threads=threads)
    found = {level: usual(level, vit, evened.floats, evened.smooth) for level in LEVELS[1:]}
    return {"fast": found["fast"][:1], "turbo": found["turbo"][1:]} if quick else found


def measured(
    bundle: Bundle,
    pictures: Sequence[Picture],
    chosen: Mapping[str, Level],
    *,
    threads: int = 0,
    step: Step = lambda _: None,
) -> dict[str, dict[str, Any]]:
    """Figures of levels that were chosen, on other pictures: those of the test part."""
    assert bundle.onnx is not None
    known = [each for each in pictures if each.slug in bundle.info.characters]
    forms = {level: each.form for level, each in chosen.items()}
    seen = looked_at(
        bundle.onnx, opened(bundle.onnx), forms, known, bundle.preprocess, threads=threads, step=step
    )
    infos = {
        level: replace(bundle.info, calibration=each.calibration, targets=each.targets)
        for level, each in chosen.items()
    }
    return {level: figures_of(seen[level], seen[EXACT], known, infos[level], bundle.info) for level in chosen}


def looked_at(
    exact: Path,
    vit: Vit,
    forms: Mapping[str, Form],
    pictures: Sequence[Picture],
    how: Preprocess,
    *,
    threads: int = 0,
    step: Step = lambda _: None,
) -> dict[str, Seen]:
    """What the exact file and each form say of every picture, in turns; ``exact`` is among the names."""
    sessions = {EXACT: _session(exact.read_bytes(), threads)}
    sessions |= {
        name: _session(write(vit, form).SerializeToString(), threads) for name, form in forms.items()
    }
    rows: dict[str, list[tuple[Floats, Floats, float]]] = {name: [] for name in sessions}
    for picture in pictures:
        values = how.normalise(pixels_of(picture, how)[None])
        for name, session in sessions.items():
            began = time.process_time()
            logits, embedding = session.run(["logits", "embedding"], {"pixel_values": values})
            rows[name].append((logits[0], embedding[0], time.process_time() - began))
        step(1)
    return {
        name: Seen(*(np.array([row[part] for row in each]) for part in range(3)))
        for name, each in rows.items()
    }


def figures_of(
    seen: Seen, exact: Seen, pictures: Sequence[Picture], info: BundleInfo, exact_info: BundleInfo
) -> dict[str, Any]:
    """What `model.levels.admitting.shortfall` judges, and the interval of the loss.

    ``accuracy_loss`` is over all classes and pictures; its interval (95 %) is that of a difference of paired
    shares, see `training.paired.lower_bound`. The nearest picture is looked for among all others but near
    copies, by this level's embedding in those of the exact form, as the memory does after a change of level.
    ``divergence`` is that of Kullback and Leibler, in nats, both at the exact form's temperature.
    """
    slugs, sources = [each.slug for each in pictures], [each.source for each in pictures]
    labels = np.array([info.characters.index(slug) for slug in slugs])
    ours, theirs = seen.logits.argmax(axis=1), exact.logits.argmax(axis=1)
    gained = int(((ours == labels) & (theirs != labels)).sum())
    lost = int(((ours != labels) & (theirs == labels)).sum())
    count = len(labels)
    exactly, said = (calibrated(each.logits, exact_info.calibration) for each in (exact, seen))
    cosine = (seen.embedding * exact.embedding).sum(axis=1)
    answers = [
        (p.max(axis=1), p.argmax(axis=1) == labels)
        for p in (
            calibrated(exact.logits, exact_info.calibration),
            calibrated(seen.logits, info.calibration),
        )
    ]
    return {
        "pictures": count,
        "top1_agreement": round(float((ours == theirs).mean()), 4),
        "divergence": round(float(divergence(exactly, said).mean()), 6),
        "accuracy": round(float((ours == labels).mean()), 4),
        "accuracy_exact": round(float((theirs == labels).mean()), 4),
        "accuracy_loss": round((lost - gained) / count, 4),
        "accuracy_loss_interval": [
            round(lower_bound(lost, gained, count, TWO_SIDED), 4),
            round(-lower_bound(gained, lost, count, TWO_SIDED), 4),
        ],
        "calibration_error": measure(seen.logits, slugs, sources, info)["calibration_error"],
        "calibration_error_exact": measure(exact.logits, slugs, sources, exact_info)["calibration_error"],
        "calibration_error_growth_error": round(calibration_change(*answers).error, 4),
        "embedding_cosine": round(float(cosine.mean()), 4),
        "embedding_cosine_lowest_5_percent": round(float(np.quantile(cosine, 0.05)), 4),
        "neighbour_right": _neighbours(seen, exact, pictures, labels),
        "neighbour_right_exact": _neighbours(exact, exact, pictures, labels),
    }


def divergence(p: Floats, q: Floats) -> Floats:
    """Of the rows [N, C] of ``q`` from those of ``p``, [N]: the sum of p log(p / q)."""
    least = np.float32(1e-12)
    return np.asarray((p * (np.log(p + least) - np.log(q + least))).sum(axis=1), np.float32)


def calibrated_for(
    logits: Floats, pictures: Sequence[Picture], info: BundleInfo
) -> tuple[Calibration, Targets]:
    """A level's own temperature and thresholds, fitted as those of the bundle are."""
    labels = np.array([info.characters.index(each.slug) for each in pictures], np.int64)
    nobody = info.characters.index(NOBODY) if NOBODY in info.characters else None
    fitted = fit_calibration(logits, labels, nobody, precision=PRECISION, known=info.calibration.known)
    fitted = replace(
        fitted, known_scale=info.calibration.known_scale, known_offset=info.calibration.known_offset
    )
    return fitted, fit_targets(calibrated(logits, fitted), labels, nobody, fitted.known)


def _neighbours(seen: Seen, exact: Seen, pictures: Sequence[Picture], labels: NDArray[np.int64]) -> float:
    """How often the nearest other picture is of the same class."""
    groups = np.unique([each.group for each in pictures], return_inverse=True)[1]
    near = np.asarray(seen.embedding @ exact.embedding.T, np.float64)
    near[groups[:, None] == groups[None]] = -2.0
    return round(float((labels[near.argmax(axis=1)] == labels).mean()), 4)


def _session(content: bytes, threads: int) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
