"""Whether a bundle may serve: every byte as its manifest says, loaded, and a picture answered."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from model.answering import answer
from model.bundle import Bundle, read_bundle, sha256_of
from model.classifier import Classifier, Progress, find_bundle, load_classifier
from model.errors import BundleDamaged
from model.preprocess import Pixels


def check_bundle(
    use: str, *, backend: str, models_dir: Path, threads: int = 0, progress: Progress | None = None
) -> Bundle:
    """Look at a bundle as nobody does at a start, where it has to be quick. Loads a model runtime.

    Args:
        use: see `model.classifier.load_classifier`, as are the others.

    Raises:
        BundleError: it cannot serve; one sentence.
    """
    bundle = read_bundle(find_bundle(use, models_dir=models_dir, progress=progress))
    try:
        for name, expected in bundle.manifest.get("files", {}).items():
            if sha256_of(bundle.folder / name) != expected["sha256"]:
                raise BundleDamaged(f"{bundle.folder / name} is not the file that its manifest describes")
    except OSError as error:
        raise BundleDamaged(f"{bundle.folder} cannot be read: {error.strerror or error}") from error
    probe(
        load_classifier(
            str(bundle.folder), backend=backend, models_dir=models_dir, threads=threads, progress=progress
        )
    )
    return bundle


def probe(classifier: Classifier) -> None:
    """Have it look at a drawn picture.

    Raises:
        BundleDamaged: what it gives cannot be used.
    """
    name = classifier.info.id
    output = classifier(_drawn(classifier.preprocess.height, classifier.preprocess.width)[None])
    answer(output.logits[0].tolist(), classifier.info)
    embedding = output.embedding
    if embedding.ndim != 2 or len(embedding) != 1 or not embedding.size or not np.isfinite(embedding).all():
        raise BundleDamaged(f"the model {name} gave no usable embedding")


def _drawn(height: int, width: int) -> Pixels:
    """A disc before a slope of colours, uint8 [H, W, 3]."""
    down, across = np.mgrid[0:height, 0:width]
    colours = np.stack([across * 255 // max(width - 1, 1), down * 255 // max(height - 1, 1)], axis=-1)
    pixels = np.concatenate([colours, np.full((height, width, 1), 64)], axis=-1).astype(np.uint8)
    disc = (down - height / 2) ** 2 + (across - width / 2) ** 2 < (min(height, width) / 3) ** 2
    pixels[disc] = (176, 16, 24)
    return pixels
