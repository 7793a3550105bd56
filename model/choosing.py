"""Which level of speed, backend and threads a worker looks with: chosen by what was measured on this machine.

The settings say how: a level by its name, or *auto*, which is the most exact level that the bundle admits
and that answers within the target, and if none does the fastest one; threads by their number, or 0, which is
the fewest that pay. A choice is kept in ``<models_dir>/speed.json`` for this CPU, these counts of cores,
these versions and this bundle; `model.worker.measuring` makes it, and until there is one the worker looks
*exact* with as many threads as there are physical cores.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from model.bundle import Bundle, read_bundle
from model.classifier import Classifier, Progress, choose_backend, find_bundle, has_gpu, load_classifier
from model.errors import BundleError, LevelRefused
from model.hardware import cores, cpu_model, physical_cores
from model.levels import levels_of
from model.types import LEVELS
from model.versions import write_atomically

log = logging.getLogger(__name__)

AUTO = "auto"
FILE = "speed.json"
PAYS = 1.1
"""More threads pay when one run is at least so many times faster with them."""
MOST_KEPT = 50
"""Choices kept in the file, the latest ones."""
LIBRARIES = ("onnxruntime", "torch", "numpy")
EDITION = 1
"""Counts up when the rule or the way of measuring changes."""


@dataclass(frozen=True, slots=True)
class Way:
    """One way of running a bundle. ``threads`` 0: as many as there are physical cores."""

    backend: str
    level: str
    threads: int


@dataclass(frozen=True, slots=True)
class Measured:
    """How long one picture takes that way, at best, in milliseconds."""

    way: Way
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What the settings ask for; *auto* and 0 leave it to what is measured."""

    backend: str = AUTO
    level: str = AUTO
    threads: int = 0
    target: float = 100.0

    @property
    def open(self) -> bool:
        """Whether anything is left to choose."""
        return self.level == AUTO or not self.threads


def ways(bundle: Bundle, wish: Wish) -> list[Way]:
    """What is to be measured, the most exact first and of that the one with the fewest threads.

    torch is among it only where it serves already, on a GPU or by the setting: it has never been the faster
    one on a CPU, and finding that out takes seconds and a gigabyte.
    """
    found = []
    backends = [choose_backend(bundle, wish.backend)]
    if backends == ["torch"] and wish.backend == AUTO and bundle.onnx is not None:
        backends.append("onnx")
    counts = [wish.threads] if wish.threads else sorted({1, physical_cores(), cores()})
    for backend in backends:
        admitted = levels_of(bundle) if backend == "onnx" else LEVELS[:1]
        for level in admitted if wish.level == AUTO else [wish.level]:
            found += [Way(backend, level, count) for count in counts if level in admitted]
    return found


def chosen(measured: Sequence[Measured], target: float) -> Measured:
    """The rule of this module, applied; ``measured`` is not empty.

    Args:
        target: milliseconds.
    """
    best: dict[str, Measured] = {}
    for level in LEVELS:
        # a level's fastest backend, and of it the fewest threads that pay
        those = [each for each in measured if each.way.level == level]
        if those:
            fastest = min(those, key=lambda each: each.milliseconds)
            good = [
                each
                for each in those
                if each.way.backend == fastest.way.backend
                and each.milliseconds <= PAYS * fastest.milliseconds
            ]
            best[level] = min(good, key=lambda each: (each.way.threads, each.milliseconds))
    for level in LEVELS:
        if level in best and best[level].milliseconds <= target:
            return best[level]
    return min(best.values(), key=lambda each: each.milliseconds)


def why(choice: Measured, measured: Sequence[Measured], target: float) -> str:
    """The choice and its reason in one sentence, for the log."""
    way = choice.way
    said = f"{way.level} with {way.backend} and {way.threads} of {cores()} threads"
    if choice.milliseconds > target:
        reason = f"the fastest of what the model admits; none answers within {target:g} ms"
    elif way.level == LEVELS[0] or all(each.way.level == way.level for each in measured):
        reason = f"within the {target:g} ms that were asked for"
    else:
        reason = f"the most exact one within the {target:g} ms that were asked for"
    return f"chosen: {said}, {choice.milliseconds:.0f} ms a picture, {reason}"


def identity(bundle: Bundle) -> str:
    """A bundle's id with the levels that it admits now: with others the choice is another one."""
    return f"{bundle.info.id} ({', '.join(levels_of(bundle))})"


class Kept:
    """The choices in the file. What does not read is measured again; what cannot be written is not kept."""

    def __init__(self, models_dir: Path) -> None:
        self.path = models_dir / FILE

    def find(self, name: str, wish: Wish) -> Way | None:
        """What was chosen for this bundle (its `identity`) on this machine, if it was."""
        entry: Any = self._read().get(_key(name, wish))
        with suppress(TypeError, ValueError, KeyError):
            way = Way(**entry["way"])
            if way.level in LEVELS and way.backend in ("onnx", "torch") and 0 <= int(way.threads) <= 1024:
                return way
        return None

    def keep(self, name: str, wish: Wish, choice: Measured, measured: Sequence[Measured]) -> None:
        """Write a choice down, with all that was measured for it, for whoever wonders."""
        entries = self._read()
        key = _key(name, wish)
        entries.pop(key, None)
        table = [asdict(each.way) | {"milliseconds": round(each.milliseconds, 2)} for each in measured]
        entries[key] = {
            "way": asdict(choice.way),
            "milliseconds": round(choice.milliseconds, 2),
            "measured": table,
        }
        latest = dict(list(entries.items())[-MOST_KEPT:])
        try:
            write_atomically(self.path, json.dumps({"edition": EDITION, "choices": latest}, indent=1))
        except OSError as error:
            log.warning("what was chosen cannot be kept in %s: %s", self.path, error.strerror or error)

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            if content["edition"] == EDITION:
                return dict(content["choices"])
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            log.warning("%s does not read: it is measured again", self.path)
        return {}


class Chooser:
    """Loads bundles the way that was chosen for them: `load` stands in for `load_classifier`."""

    def __init__(
        self, wish: Wish, models_dir: Path, load: Callable[..., Classifier] = load_classifier
    ) -> None:
        """
        Raises:
            BundleError: there is no such level.
        """
        if wish.level != AUTO and wish.level not in LEVELS:
            raise BundleError(
                f"there is no level {wish.level!r}; worker.level is auto or one of {', '.join(LEVELS)}"
            )
        if not math.isfinite(wish.target) or wish.target <= 0:
            raise BundleError("worker.target_milliseconds is to be more than 0")
        self.wish = wish
        self.models_dir = models_dir
        self.kept = Kept(models_dir)
        self._load = load
        self._refused: set[tuple[Path, str]] = set()

    def way(self, bundle: Bundle) -> Way:
        """How to load a bundle now."""
        wish = self.wish
        if choose_backend(bundle, wish.backend) == "torch" and has_gpu():
            # half precision, which has to keep there what *exact* asks of a form; nothing is faster on a GPU
            return Way("torch", LEVELS[0] if wish.level == LEVELS[0] else LEVELS[1], wish.threads)
        level = LEVELS[0] if wish.level == AUTO else wish.level
        default = Way(wish.backend, level, wish.threads)
        return (self.kept.find(identity(bundle), wish) or default) if wish.open else default

    def load(self, use: str, *, progress: Progress | None = None, **_: object) -> Classifier:
        """As `model.classifier.load_classifier`; a level that is refused is one line in the log, and *exact*.

        Raises:
            BundleError: not even at *exact* can it be loaded.
        """
        folder = find_bundle(use, models_dir=self.models_dir, progress=progress)
        way = self.way(read_bundle(folder))
        try:
            return self._loaded(folder, way, progress)
        except LevelRefused as error:
            if way.level == LEVELS[0]:
                raise
            if (folder, way.level) not in self._refused:
                self._refused.add((folder, way.level))
                log.error(
                    "the level %s is refused, pictures are looked at %s: %s", way.level, LEVELS[0], str(error)
                )
        # out here the error is gone, whose frames keep the network that was refused
        return self._loaded(folder, Way(way.backend, LEVELS[0], way.threads), progress)

    def _loaded(self, folder: Path, way: Way, progress: Progress | None) -> Classifier:
        return self._load(
            str(folder),
            backend=way.backend,
            models_dir=self.models_dir,
            threads=way.threads or physical_cores(),
            level=way.level,
            progress=progress,
        )


def _key(name: str, wish: Wish) -> str:
    """All that a choice depends on, as a key that people can read."""
    versions = []
    for library in LIBRARIES:
        with suppress(PackageNotFoundError):
            versions.append(f"{library} {version(library)}")
    asked = f"{wish.backend}/{wish.level}/{wish.threads}/{wish.target:g}"
    return " · ".join([name, cpu_model(), f"{physical_cores()}/{cores()}", *versions, asked])
