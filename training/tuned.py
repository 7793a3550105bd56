"""Bundles that were trained from the wheel's backbone, as the embedded model takes them over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.builtin.difference import expanded, shipped
from model.builtin.graph import weights
from model.builtin.head import read_head
from model.builtin.wheel import backbone_file
from model.bundle import WEIGHTS, read_bundle
from model.preprocess import Floats
from training.errors import BaseError

HEAD = "head."


@dataclass(frozen=True)
class Tuned:
    """What was learned.

    ``content`` is that of ``backbone.safetensors``, ``difference`` the same multiplied out; ``head`` weight
    ``[C, F]`` and bias ``[C]`` over the features of ``layers``; ``recipes`` how each was trained.
    """

    content: Mapping[str, NDArray[Any]]
    difference: Mapping[str, Floats]
    head: tuple[Floats, Floats]
    layers: tuple[int, ...]
    recipes: tuple[Mapping[str, Any], ...]


def read_tuned(folders: Sequence[Path], slugs: Sequence[str], rank: int) -> Tuned:
    """Read bundles, average them, and take the wheel's weights off.

    Trainings that begin with the same backbone and differ by seed or values end so near to one another that
    the mean of their weights is better than each of them: model soups (Wortsman et al., ICML 2022).

    Args:
        slugs: the classes, in the order that the head is to have.
        rank: of the change of each matrix; 0 takes it whole, in 8 bits.

    Raises:
        BundleError: one is no bundle, or damaged.
        BaseError: one was not trained from the wheel's backbone, or names other characters.
    """
    import onnx

    before = weights(onnx.load(str(backbone_file())), read_head())
    before = {name: value for name, value in before.items() if not name.startswith(HEAD)}
    read = [_read(folder, slugs, before) for folder in folders]
    layers = read[0].layers
    if any(each.layers != layers for each in read):
        raise BaseError("these bundles' heads read different layers")
    after = {name: np.mean([each.tensors[name] for each in read], axis=0) for name in read[0].tensors}
    content = shipped(before, {name: after[name].astype(np.float32) for name in before}, rank)
    head = after[f"{HEAD}weight"].astype(np.float32), after[f"{HEAD}bias"].astype(np.float32)
    return Tuned(content, expanded(content), head, layers, tuple(each.recipe for each in read))


@dataclass(frozen=True)
class _Read:
    tensors: Mapping[str, Floats]
    layers: tuple[int, ...]
    recipe: Mapping[str, Any]


def _read(folder: Path, slugs: Sequence[str], before: Mapping[str, Floats]) -> _Read:
    """One bundle's tensors: the backbone's, and the head's with classes in the order of ``slugs``."""
    from safetensors.numpy import load_file

    bundle = read_bundle(folder)
    bundle.verify(folder / WEIGHTS)
    ours = bundle.config.get("whosthat") or {}
    layers = tuple(int(layer) for layer in ours.get("layers", ()))
    if not layers:
        raise BaseError(f"{folder} has another backbone than the embedded model's: train with --base wheel")
    if sorted(bundle.info.characters) != sorted(slugs):
        raise BaseError(f"{folder} names other characters than these pictures show")
    tensors = {name: value.astype(np.float32) for name, value in load_file(folder / WEIGHTS).items()}
    for name, value in before.items():
        if name not in tensors or tensors[name].shape != value.shape:
            raise BaseError(
                f"{folder} does not begin with the embedded model's backbone: {name} does not fit"
            )
    rows = [bundle.info.characters.index(slug) for slug in slugs]
    kept = {name: tensors[name] for name in before}
    kept |= {f"{HEAD}{name}": tensors[f"{HEAD}{name}"][rows] for name in ("weight", "bias")}
    return _Read(kept, layers, bundle.manifest.get("recipe", {}))
