"""The head of the embedded model: what is ours of it, shipped in two small files.

``head.safetensors`` holds, for F features and C classes, ``weight`` [C, F], ``bias`` [C],
``projection`` [D, F] and ``shift`` [D]; the matrices in half precision. F is 768 times the number of
layers: of each the first token and the mean of the others, 384 numbers each. ``head.json`` says which
layers and classes, and carries the calibration, the recipe and the measured figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from model.bundle import read_json, write_json
from model.errors import BundleDamaged
from model.preprocess import Floats
from model.targets import read_targets
from model.types import Calibration, Targets

HERE = Path(__file__).parent
TENSORS, ABOUT, CHANGES = "head.safetensors", "head.json", "backbone.safetensors"
WIDTH = 384  # of the backbone


@dataclass(frozen=True)
class Head:
    """logits = weight · features + bias; embedding = projection · features + shift, brought to length 1."""

    layers: tuple[int, ...]
    characters: tuple[str, ...]
    names: tuple[str, ...]
    weight: Floats
    bias: Floats
    projection: Floats
    shift: Floats
    calibration: Calibration
    about: Mapping[str, Any]

    def __post_init__(self) -> None:
        features, classes = 2 * WIDTH * len(self.layers), len(self.characters)
        width = len(self.shift)
        shapes = (self.weight.shape, self.bias.shape, self.projection.shape, len(self.names))
        if shapes != ((classes, features), (classes,), (width, features), classes):
            raise BundleDamaged("the head's tensors do not fit its layers and classes")

    @property
    def targets(self) -> Targets:
        """Thresholds by target; none in heads that were fitted before there were any.

        Raises:
            BundleDamaged: they do not read.
        """
        try:
            return read_targets(self.about.get("targets", {}))
        except (AttributeError, TypeError, ValueError) as error:
            raise BundleDamaged(f"the head's targets do not read: {error}") from error

    def logits(self, features: Floats) -> Floats:
        """``[N, F]`` to ``[N, C]``."""
        return np.asarray(features @ self.weight.T + self.bias, np.float32)

    def embedding(self, features: Floats) -> Floats:
        """``[N, F]`` to ``[N, D]``, rows of length 1."""
        rows = features @ self.projection.T + self.shift
        return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), np.float32)

    def tensors(self) -> dict[str, Floats]:
        """By the names that they have in the file."""
        return {
            "weight": self.weight,
            "bias": self.bias,
            "projection": self.projection,
            "shift": self.shift,
        }


def read_head(folder: Path = HERE) -> Head:
    """Read the shipped head, or one that was just trained.

    Raises:
        BundleDamaged: the files do not read or do not belong together.
    """
    about = read_json(folder / ABOUT)
    try:
        tensors = {name: value.astype(np.float32) for name, value in load_file(folder / TENSORS).items()}
        return Head(
            layers=tuple(int(layer) for layer in about["layers"]),
            characters=tuple(about["characters"]),
            names=tuple(about["names"]),
            calibration=Calibration(**about["calibration"]),
            about=about,
            **tensors,
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BundleDamaged(f"the head in {folder} does not read: {error!r}") from error


def head_bytes(tensors: Mapping[str, Floats]) -> bytes:
    """The content of ``head.safetensors``: matrices in half precision, vectors in single."""
    dtypes = {1: np.float32, 2: np.float16}
    # in C order: safetensors writes memory as it lies
    return save({name: value.astype(dtypes[value.ndim], order="C") for name, value in tensors.items()})


def write_head(folder: Path, tensors: Mapping[str, Floats], about: Mapping[str, Any]) -> None:
    """Write both files. ``about`` needs ``layers``, ``characters``, ``names`` and ``calibration``."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / TENSORS).write_bytes(head_bytes(tensors))
    write_json(folder / ABOUT, about)
