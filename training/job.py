"""What a recipe is given, and what it gives back."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from model.preprocess import Floats
from model.types import Calibration
from training.bases import Base
from training.fitting import Labels
from training.parts import Parts
from training.pictures import Picture

if TYPE_CHECKING:
    from training.networks import Network


class Progress(Protocol):
    """Who is told how far it is."""

    def phase(self, what: str, of: int) -> Any:
        """A context: enter to get a function to call with how much has just been done."""
        ...


class Silent:
    """Nobody watches."""

    @contextmanager
    def phase(self, what: str, of: int) -> Iterator[Callable[[int], None]]:
        """See `Progress`."""
        yield lambda _: None


@dataclass(frozen=True)
class Job:
    """One training: from ``base``, on ``parts``.

    ``cache`` keeps features between trainings; ``run`` is this training's own folder, where it finds its
    checkpoints again after it was killed.
    """

    base: Base
    parts: Parts
    seed: int
    cache: Path
    run: Path
    progress: Progress = field(default_factory=Silent)

    @property
    def train(self) -> Sequence[Picture]:
        """What is learned from."""
        return self.parts.train

    @property
    def validation(self) -> Sequence[Picture]:
        """What chooses and calibrates."""
        return self.parts.validation

    @property
    def characters(self) -> tuple[tuple[str, str], ...]:
        """Slug and name by class."""
        return self.parts.characters

    @cached_property
    def labels(self) -> Labels:
        """``[N]`` of the training part."""
        return self.parts.labels(self.train)

    def believed(self, which: NDArray[np.bool_]) -> list[Picture]:
        """The training pictures whose labels are believed."""
        return [picture for picture, yes in zip(self.train, which, strict=True) if yes]

    def in_turn(self) -> AbstractContextManager[object]:
        """Of several processes the first goes first, and the others find what it has kept."""
        if int(os.environ.get("WORLD_SIZE", "1")) == 1:
            return nullcontext()
        from accelerate import PartialState  # type: ignore[import-untyped]

        return PartialState().main_process_first()  # type: ignore[no-any-return]

    def open(self, *, drop_path: float = 0.0) -> Network:
        """The base's network, loaded anew."""
        from training.networks import open_network

        return open_network(self.base, drop_path=drop_path)


@dataclass(frozen=True)
class Trained:
    """What a recipe made.

    ``projection`` (weight ``[D, F]``, shift ``[D]``) goes with networks over layers; ``logits`` ``[N, C]``
    are those of the validation part; ``curves`` are points (step or epoch, value) by name; ``facts`` are
    figures of the run for the manifest.
    """

    network: Network
    projection: tuple[Floats, Floats] | None
    logits: Floats
    calibration: Calibration
    curves: Mapping[str, Sequence[tuple[float, float]]]
    facts: Mapping[str, Any] = field(default_factory=dict)
