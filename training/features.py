"""What the backbone sees in pictures, kept on disk because it takes the longest.

For each picture and layer: the first token and the mean of the others, 384 numbers each.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.builtin.difference import change
from model.builtin.graph import HIDDEN, LAYERS, SOURCE_INPUT, cut
from model.builtin.head import WIDTH
from model.builtin.wheel import SHA256, backbone_file
from model.preprocess import Floats, Preprocess, to_pixels
from training.errors import PicturesError
from training.pictures import Picture

CHUNK = 128  # pictures in one file of the cache: what an interruption can lose
BATCH = 4  # pictures at once; more pays nothing on a CPU

Features = NDArray[np.float16]
"""[N, layers, 2, 384]: of each layer the first token and the mean of the others."""


def features_of(
    pictures: Sequence[Picture],
    cache: Path,
    *,
    difference: Mapping[str, Floats] | None = None,
    mirrored: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Features:
    """Features of pictures, in their order, from the cache where they are there.

    Args:
        cache: a folder; its files are named by what is in them, so it may be kept for ever.
        difference: what is added to the backbone's tensors first, see `model.builtin.difference`.
        mirrored: of the mirror images.
        progress: called with a number of pictures that have just become ready.
    """
    cache.mkdir(parents=True, exist_ok=True)
    session: Any = None
    changes = _hash(difference or {})
    chunks = []
    for start in range(0, len(pictures), CHUNK):
        chunk = pictures[start : start + CHUNK]
        path = cache / f"{_key(chunk, mirrored, changes)}.npy"
        if not path.is_file():
            session = session or _session(difference or {})
            draft = path.with_suffix(".draft.npy")
            np.save(draft, _look(session, chunk, mirrored))
            draft.replace(path)
        chunks.append(np.load(path))
        if progress is not None:
            progress(len(chunk))
    if not chunks:
        return np.zeros((0, LAYERS, 2, WIDTH), np.float16)
    return np.concatenate(chunks)


def flat(features: Features, layers: Sequence[int]) -> Floats:
    """``[N, F]``, in the order that `model.builtin.head.Head` takes: layer by layer, first token, mean."""
    return features[:, list(layers)].reshape(len(features), -1).astype(np.float32)


def _hash(difference: Mapping[str, Floats]) -> list[str]:
    """Nothing for the backbone as it came."""
    return [f"{name} {hashlib.sha256(difference[name].tobytes()).hexdigest()}" for name in sorted(difference)]


def _key(chunk: Sequence[Picture], mirrored: bool, changes: Sequence[str]) -> str:
    """Named by all that the content depends on: backbone, its changes, preparation and pictures."""
    parts = [SHA256, *changes, repr(Preprocess()), str(mirrored), *(picture.sha256 for picture in chunk)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def _session(difference: Mapping[str, Floats]) -> Any:
    import onnx
    import onnxruntime as ort  # type: ignore[import-untyped]

    names = [HIDDEN.format(layer) for layer in range(LAYERS)]
    source = onnx.load(str(backbone_file()))
    change(source, difference)
    part = cut(source, names)
    return ort.InferenceSession(part.SerializeToString(), providers=["CPUExecutionProvider"])


def _look(session: Any, pictures: Sequence[Picture], mirrored: bool) -> Features:
    how = Preprocess()
    found = np.zeros((len(pictures), LAYERS, 2, WIDTH), np.float16)
    for start in range(0, len(pictures), BATCH):
        batch = pictures[start : start + BATCH]
        pixels = np.stack([to_pixels(_open(picture), how) for picture in batch])
        if mirrored:
            pixels = pixels[:, :, ::-1]
        hidden = session.run(None, {SOURCE_INPUT: how.normalise(pixels)})
        for layer, tokens in enumerate(hidden):
            found[start : start + len(batch), layer, 0] = tokens[:, 0]
            found[start : start + len(batch), layer, 1] = tokens[:, 1:].mean(axis=1)
    return found


def _open(picture: Picture) -> Image.Image:
    """Decode one picture, whose bytes must be those that the table names."""
    content = picture.path.read_bytes()
    if hashlib.sha256(content).hexdigest() != picture.sha256:
        raise PicturesError(f"{picture.path} is not the picture that the table names: its SHA-256 differs")
    with Image.open(picture.path) as image:
        return image.convert("RGB")
