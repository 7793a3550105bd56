"""What `tests.bench.gate` sees of the project's pictures: features, also through wrong preprocessing.

Training and validation part alone: the test part is for judging models that are shipped, not for this.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from model.builtin.graph import HIDDEN, LAYERS, SOURCE_INPUT, cut
from model.builtin.head import WIDTH
from model.builtin.wheel import SHA256, backbone_file
from model.preprocess import Floats, Pixels, Preprocess, to_pixels
from training.features import Features, features_of, flat
from training.pictures import Picture, part, read_pictures

SEEN = tuple(range(4, 12))
"""The layers that the recipe *head* reads."""
COMPONENTS = 192
"""Principal components of what they say: a head on these fits in a second and loses about two points."""
WRONG = ("channels swapped", "not normalised", "a quarter of the size")
EACH = 120
"""Pictures of each character that are also looked at wrongly."""


@dataclass(frozen=True)
class Material:
    """``x`` [N, K] standardised components of each picture; ``wrong``: those of ``looked``, seen wrongly."""

    pictures: tuple[Picture, ...]
    x: Floats
    looked: NDArray[np.int64]
    wrong: dict[str, Floats]


def material(
    folder: Path, cache: Path, progress: Callable[[str], None], ways: Sequence[str] = WRONG
) -> Material:
    """Everything, from the cache where it is there; else it takes ten minutes on one core.

    The components are those of all pictures, without their labels, for every head alike.
    """
    everything = read_pictures(folder)
    train, validation = part(everything, "train"), part(everything, "validation")
    pictures = [*train, *validation]
    progress(f"looking at {len(pictures)} pictures")
    seen = np.concatenate([features_of(train, cache), features_of(validation, cache)])
    looked = _some(pictures)
    x = flat(seen, SEEN)
    mean, deviation = x.mean(axis=0), x.std(axis=0) + 1e-6
    x = (x - mean) / deviation
    basis = _main_directions(x)
    scores = x @ basis
    scale = scores.std(axis=0)
    wrong = {}
    for name in ways:
        progress(f"looking at {len(looked)} pictures, {name}")
        badly = _wrongly([pictures[index] for index in looked], name, cache)
        wrong[name] = np.asarray((flat(badly, SEEN) - mean) / deviation @ basis / scale, np.float32)
    return Material(tuple(pictures), np.asarray(scores / scale, np.float32), looked, wrong)


def _main_directions(x: Floats) -> Floats:
    """The first principal directions [F, K], by subspace iteration (Halko et al., SIAM Review 2011, 4.4)."""
    block = np.random.default_rng(0).normal(size=(x.shape[1], COMPONENTS + 32)).astype(np.float32)
    for _ in range(4):
        block, _ = np.linalg.qr(x.T @ (x @ block))
    _, _, directions = np.linalg.svd(x @ block, full_matrices=False)
    return np.asarray(block @ directions.T[:, :COMPONENTS], np.float32)


def _some(pictures: list[Picture]) -> NDArray[np.int64]:
    dice = np.random.default_rng(0)
    slugs = np.array([picture.slug for picture in pictures])
    return np.sort(
        np.concatenate([dice.permutation(np.flatnonzero(slugs == slug))[:EACH] for slug in np.unique(slugs)])
    )


def _wrongly(pictures: list[Picture], name: str, cache: Path) -> Features:
    key = "\n".join([SHA256, name, *(picture.sha256 for picture in pictures)])
    path = cache / f"wrong-{hashlib.sha256(key.encode()).hexdigest()[:24]}.npy"
    if not path.is_file():
        draft = path.with_suffix(".draft.npy")
        np.save(draft, _look(pictures, name))
        draft.replace(path)
    return np.asarray(np.load(path))


def _look(pictures: list[Picture], name: str) -> Features:
    import onnx
    import onnxruntime as ort  # type: ignore[import-untyped]

    part_ = cut(onnx.load(str(backbone_file())), [HIDDEN.format(layer) for layer in range(LAYERS)])
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(part_.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = np.zeros((len(pictures), LAYERS, 2, WIDTH), np.float16)
    for row, picture in enumerate(pictures):
        for layer, tokens in enumerate(session.run(None, {SOURCE_INPUT: _pixels(picture.path, name)})):
            found[row, layer, 0] = tokens[0, 0]
            found[row, layer, 1] = tokens[0, 1:].mean(axis=0)
    return found


def _pixels(path: Path, name: str) -> Floats:
    right = Preprocess()
    with Image.open(path) as image:
        rgb = image.convert("RGB")
    if name == "a quarter of the size":
        rgb = rgb.resize((right.width // 4, right.height // 4))
    pixels: Pixels = to_pixels(rgb, right)[None]
    if name == "channels swapped":
        return right.normalise(pixels[..., ::-1])
    if name == "not normalised":
        return Preprocess(mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)).normalise(pixels)
    return right.normalise(pixels)
