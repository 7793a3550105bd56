"""What a bundle says of pictures: every figure of training comes from these numbers."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.classifier import Classifier, load_classifier
from model.decode import DecodeLimits, decode
from model.errors import PictureError
from model.preprocess import Floats, Pixels, Preprocess
from model.types import BundleInfo
from training.errors import PicturesError
from training.measuring import Flags
from training.pictures import Picture

CHUNK = 128  # pictures in one file of the cache: what an interruption can lose
LIMITS = DecodeLimits(bytes=256 * 2**20)  # a folder of one's own may hold larger files than a chat
ROUNDS = 60  # pictures that both models are timed on, in turns

Progress = Callable[[int], None]
"""Called with a number of pictures that have just become ready."""


@dataclass(frozen=True)
class Predictions:
    """Of N pictures, in their order: one row each.

    ``logits`` float32 [N, C] in the order of ``info.characters``; ``embedding`` float32 [N, D]; ``seconds``
    float32 [N], what the model took for each alone, without decoding. A picture that does not decode has
    rows of NaN.
    """

    info: BundleInfo
    logits: Floats
    embedding: Floats
    seconds: Floats
    backend: str = ""

    @property
    def characters(self) -> tuple[str, ...]:
        """Slugs by logit index."""
        return self.info.characters

    @property
    def read(self) -> Flags:
        """[N]: which pictures decoded."""
        return np.asarray(np.isfinite(self.logits).all(axis=1))

    def of(self, rows: NDArray[np.int64] | Flags) -> Predictions:
        """The same of some of the pictures, by index or flags."""
        return Predictions(
            self.info, self.logits[rows], self.embedding[rows], self.seconds[rows], self.backend
        )


def predict(
    bundle: Path | str,
    pictures: Sequence[Picture],
    *,
    backend: str = "auto",
    models_dir: Path | None = None,
    threads: int = 0,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """Look at pictures one at a time, decoded as the bot decodes them.

    Args:
        bundle: a folder, or anything that `model.classifier.load_classifier` takes.
        models_dir: where ``builtin`` and models from the hub are kept; needed for these alone.
        cache: a folder where predictions are kept, named by all that they depend on.

    Raises:
        BundleError: the bundle cannot be loaded.
        PicturesError: none of the pictures decodes, or one is not the one that its table names.
    """
    classifier = load_classifier(
        str(bundle), backend=backend, models_dir=models_dir or Path(bundle), threads=threads
    )
    return predict_with(classifier, pictures, cache=cache, progress=progress)


def predict_with(
    classifier: Classifier,
    pictures: Sequence[Picture],
    *,
    cache: Path | None = None,
    progress: Progress | None = None,
) -> Predictions:
    """As `predict`, with a bundle that is loaded already."""
    if not pictures:
        raise PicturesError("there are no pictures to look at")
    parts = []
    for start in range(0, len(pictures), CHUNK):
        chunk = pictures[start : start + CHUNK]
        parts.append(_kept(classifier, chunk, cache) if cache else _look(classifier, chunk))
        if progress is not None:
            progress(len(chunk))
    width = max(embedding.shape[1] for _, embedding, _ in parts)
    widened = [e if e.shape[1] == width else np.full((len(e), width), np.nan) for _, e, _ in parts]
    found = Predictions(
        classifier.info,
        np.concatenate([logits for logits, _, _ in parts]),
        np.concatenate(widened).astype(np.float32),
        np.concatenate([seconds for _, _, seconds in parts]),
        classifier.backend,
    )
    if not found.read.any():
        raise PicturesError(f"none of the {len(pictures)} pictures decodes, {pictures[0].path} for one")
    return found


def pixels_of(picture: Picture, how: Preprocess) -> Pixels | None:
    """uint8 ``[1, H, W, 3]``; nothing for a picture that does not decode.

    Raises:
        PicturesError: its bytes are not those that the table names.
    """
    try:
        content = picture.path.read_bytes()
    except OSError as error:
        raise PicturesError(f"{picture.path} does not read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != picture.sha256:
        raise PicturesError(f"{picture.path} is not the picture that the table names: its SHA-256 differs")
    try:
        return decode(content, LIMITS, how, keep=False).pixels[None]
    except PictureError:
        return None


def time_in_turns(
    first: Classifier, second: Classifier, pictures: Sequence[Picture]
) -> tuple[Floats, Floats]:
    """Seconds that two models take for the same pictures, asked in turns, so that a busy machine hits both.

    Returns:
        two arrays of the same length, `ROUNDS` at most.
    """
    taken: list[tuple[float, float]] = []
    for picture in pictures:
        if len(taken) == ROUNDS:
            break
        pixels = [pixels_of(picture, classifier.preprocess) for classifier in (first, second)]
        if pixels[0] is None or pixels[1] is None:
            continue
        order = (0, 1) if len(taken) % 2 else (1, 0)
        seconds = [0.0, 0.0]
        for index in order:
            start = time.perf_counter()
            (first, second)[index](pixels[index])  # type: ignore[arg-type]
            seconds[index] = time.perf_counter() - start
        taken.append((seconds[0], seconds[1]))
    both = np.array(taken, np.float32).reshape(-1, 2)
    return both[:, 0], both[:, 1]


Rows = tuple[Floats, Floats, Floats]
"""Logits, embedding and seconds of a few pictures."""


def _look(classifier: Classifier, pictures: Sequence[Picture]) -> Rows:
    classes = len(classifier.info.characters)
    logits = np.full((len(pictures), classes), np.nan, np.float32)
    seconds = np.full(len(pictures), np.nan, np.float32)
    rows: dict[int, Floats] = {}
    for row, picture in enumerate(pictures):
        pixels = pixels_of(picture, classifier.preprocess)
        if pixels is None:
            continue
        start = time.perf_counter()
        output = classifier(pixels)
        seconds[row] = time.perf_counter() - start
        logits[row], rows[row] = output.logits[0], output.embedding[0]
    width = len(next(iter(rows.values()))) if rows else 0
    embedding = np.full((len(pictures), width), np.nan, np.float32)
    for row, values in rows.items():
        embedding[row] = values
    return logits, embedding, seconds


def _kept(classifier: Classifier, pictures: Sequence[Picture], cache: Path) -> Rows:
    parts = [
        classifier.info.id,
        classifier.backend,
        classifier.level,
        repr(classifier.preprocess),
        *(picture.sha256 for picture in pictures),
    ]
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    path = cache / f"said-{key[:24]}.npz"
    if path.is_file():
        with np.load(path) as kept:
            return kept["logits"], kept["embedding"], kept["seconds"]
    logits, embedding, seconds = _look(classifier, pictures)
    cache.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft.npz")
    np.savez(draft, logits=logits, embedding=embedding, seconds=seconds)
    draft.replace(path)
    return logits, embedding, seconds
