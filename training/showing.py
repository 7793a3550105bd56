"""Pictures as fine-tuning shows them: prepared, changed at random, in batches with their targets."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from model.preprocess import Floats, Pixels, Preprocess
from training.augmenting import Augmenting, augmented, larger, mixed
from training.looking import pixels_of
from training.pictures import Picture


class Shown(Dataset[dict[str, Any]]):
    """Pictures as they are shown: each epoch changed in other ways, the same ways for the same seed.

    Decoding is a third of the work of an epoch on a CPU, so what is decoded stays, as far as ``room`` goes.
    """

    def __init__(
        self,
        pictures: Sequence[Picture],
        targets: Floats,
        preprocess: Preprocess,
        seed: int,
        *,
        side: int = 0,
        how: Augmenting | None = None,
        room: int = 0,
    ) -> None:
        """``room`` is in bytes; processes that load for another one need none."""
        self._pictures, self._targets, self._seed = pictures, targets, seed
        self._side, self._how, self.epoch = side, how, 0
        self._prepare = preprocess if how is None else larger(preprocess, side)
        self._room, self._kept = room, dict[int, Pixels]()

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> dict[str, Any]:
        pixels = self._pixels(index)
        if self._how is not None:
            # of a number of its own, so that neither workers nor an interruption change what is seen
            dice = random.Random(f"{self._seed} {self.epoch} {index}")  # noqa: S311
            pixels = augmented(pixels, self._side, self._how, dice)
        name = f"{self._seed} {self.epoch} {index}" if self._how is not None else ""
        return {"pixels": pixels, "targets": self._targets[index], "name": name}

    def _pixels(self, index: int) -> Pixels:
        found = self._kept.get(index)
        if found is None:
            found = pixels_of(self._pictures[index], self._prepare)
            if found.nbytes <= self._room:
                self._room -= found.nbytes
                self._kept[index] = found
        return found


class Collator:
    """Batches of numbers; those of the training part are mixed now and then."""

    def __init__(self, preprocess: Preprocess, how: Augmenting, seed: int) -> None:
        self._preprocess, self._how, self._seed = preprocess, how, seed

    def __call__(self, items: Sequence[dict[str, Any]]) -> dict[str, Tensor]:
        """``pixel_values`` [B, 3, H, W] and ``targets`` [B, C]."""
        values = self._preprocess.normalise(np.stack([item["pixels"] for item in items]))
        targets = np.stack([item["targets"] for item in items]).astype(np.float32)
        if items[0]["name"]:
            dice = random.Random(f"mix {items[0]['name']}")  # noqa: S311
            if dice.random() < self._how.mixed:
                values, targets = mixed(values, targets, dice)
        return {"pixel_values": torch.from_numpy(values), "targets": torch.from_numpy(targets)}
