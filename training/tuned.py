"""A bundle that was trained from the wheel's backbone, as the embedded model takes it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.builtin.difference import expanded, low_rank
from model.builtin.graph import weights
from model.builtin.head import read_head
from model.builtin.wheel import backbone_file
from model.bundle import WEIGHTS, read_bundle
from model.errors import BundleDamaged
from model.preprocess import Floats
from training.errors import BaseError


@dataclass(frozen=True)
class Tuned:
    """What was learned.

    ``content`` is that of ``backbone.safetensors``, ``difference`` the same multiplied out; ``head`` weight
    ``[C, F]`` and bias ``[C]`` over the features of ``layers``; ``recipe`` how it was trained.
    """

    content: Mapping[str, NDArray[Any]]
    difference: Mapping[str, Floats]
    head: tuple[Floats, Floats]
    layers: tuple[int, ...]
    recipe: Mapping[str, Any]


def read_tuned(folder: Path, slugs: Sequence[str], rank: int) -> Tuned:
    """Read a bundle and take the wheel's weights off it.

    Args:
        slugs: the classes, in the order that the head is to have.
        rank: of the change of each matrix.

    Raises:
        BundleError: it is no bundle, or damaged.
        BaseError: it was not trained from the wheel's backbone, or names other characters.
    """
    import onnx
    from safetensors.numpy import load_file

    bundle = read_bundle(folder)
    bundle.verify(folder / WEIGHTS)
    ours = bundle.config.get("whosthat") or {}
    layers = tuple(int(layer) for layer in ours.get("layers", ()))
    if not layers:
        raise BaseError(f"{folder} has another backbone than the embedded model's: train with --base wheel")
    if sorted(bundle.info.characters) != sorted(slugs):
        raise BaseError(f"{folder} names other characters than these pictures show")
    after = load_file(folder / WEIGHTS)
    before = weights(onnx.load(str(backbone_file())), read_head())
    try:
        content = low_rank({n: v for n, v in before.items() if not n.startswith("head.")}, after, rank)
    except BundleDamaged as error:
        raise BaseError(f"{folder} does not begin with the embedded model's backbone: {error}") from error
    rows = [bundle.info.characters.index(slug) for slug in slugs]
    head = after["head.weight"].astype(np.float32)[rows], after["head.bias"].astype(np.float32)[rows]
    recipe = bundle.manifest.get("recipe", {})
    return Tuned(content, expanded(content), head, layers, recipe)
