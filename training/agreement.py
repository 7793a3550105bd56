"""Whether a compiled form says what the torch reference says, on real pictures."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from model.builtin import build
from model.builtin.head import Head
from model.classifier import load_classifier
from model.preprocess import Floats, to_pixels
from training.pictures import Picture


def agreement(
    head: Head,
    difference: Mapping[str, Floats],
    pictures: Sequence[Picture],
    progress: Callable[[int], None] | None = None,
) -> dict[str, Any]:
    """Build the bundle of a head and ask both its forms about every picture.

    Returns:
        what goes into the manifest: ``pictures``, ``top1_agreement`` (0 to 1),
        ``max_abs_logit_difference`` and ``min_embedding_cosine``.
    """
    same, logit, cosine = 0, 0.0, 1.0
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "bundle"
        build(place, head, difference, identity="candidate")
        onnx = load_classifier(str(place), backend="onnx", models_dir=Path(folder))
        torch = load_classifier(str(place), backend="torch", models_dir=Path(folder))
        for picture in pictures:
            with Image.open(picture.path) as image:
                pixels = to_pixels(image.convert("RGB"), onnx.preprocess)[None]
            ours, reference = onnx(pixels), torch(pixels)
            same += int(ours.logits.argmax() == reference.logits.argmax())
            logit = max(logit, float(np.abs(ours.logits - reference.logits).max()))
            cosine = min(cosine, float((ours.embedding * reference.embedding).sum()))
            if progress is not None:
                progress(1)
    return {
        "pictures": len(pictures),
        "top1_agreement": same / max(len(pictures), 1),
        "max_abs_logit_difference": float(f"{logit:.3g}"),
        "min_embedding_cosine": round(cosine, 6),
    }
