"""One training from folders to a folder: what `whosthat train` does between its first and its last line."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from model.types import NOBODY, BundleInfo
from training.bases import Base, find_base
from training.errors import RecipeError, RunError
from training.fitting import calibrated
from training.job import Job, Progress, Silent, Trained
from training.measuring import measure
from training.parts import LEAST, parts_of
from training.pictures import data_hash, read_dataset
from training.targets import fit_targets

RECIPES = ("head", "adapter", "full")
LIBRARIES = ("torch", "transformers", "peft", "accelerate", "onnxruntime", "numpy")
COMPARED = 200
"""Pictures at most on which ONNX and torch are compared."""


@dataclass(frozen=True)
class Order:
    """What is asked for; see the options of ``whosthat train``."""

    data: tuple[Path, ...]
    out: Path
    base: str = "builtin"
    recipe: str = "head"
    seed: int = 0
    values: tuple[tuple[str, str], ...] = ()
    cache: Path = field(default_factory=lambda: Path.home() / ".cache" / "whosthat" / "features")
    models_dir: Path = field(default_factory=lambda: Path.home() / ".cache" / "whosthat" / "models")
    least: int = LEAST
    sources: tuple[str, ...] = ()
    levels: bool = True


def train(
    order: Order, progress: Progress | None = None, say: Callable[[str], None] = lambda _: None
) -> BundleInfo | None:
    """Train, and write the bundle ``order.out``.

    What a killed run had done is found again by the same order and is not done twice.

    Args:
        say: called with lines for the person who waits.

    Returns:
        what the new bundle says of itself; None in all but the first of several processes.

    Raises:
        TrainingError, ModelError: one sentence; nothing stands at ``order.out`` then.
    """
    progress = progress or Silent()
    recipe = recipe_of(order)
    run = order.out.parent / f".{order.out.name}.run"
    _check_place(order.out)
    base = find_base(order.base, order.models_dir)
    folders = [read_dataset(folder) for folder in order.data]
    if order.sources:
        folders = [[p for p in each if p.source in order.sources or not p.source] for each in folders]
    from training.looking import near_key_of

    parts = parts_of(
        folders,
        [(slug, base.names.get(slug, slug)) for slug in base.known],
        key=near_key_of,
        seed=order.seed,
        least=order.least,
    )
    for note in parts.notes:
        say(note)
    say(
        f"{len(parts.train)} pictures to learn from, {len(parts.validation)} to choose and calibrate by, "
        f"{len(parts.characters)} characters"
    )
    data = data_hash([*parts.train, *parts.validation])
    with only_one(run) as lock:
        asked = {"base": base.content, "data": data, "recipe": order.recipe, "seed": order.seed}
        began = resume_or_begin(run, {**asked, "values": asdict(recipe)})
        if began:
            say("going on with what an earlier run had done")
        job = Job(base, parts, order.seed, order.cache, run, progress)
        module = importlib.import_module(f"training.recipes.{order.recipe}")
        started = time.monotonic()
        from training.checkpoints import same_threads

        with disk_errors(order.out), same_threads(run) as threads:
            trained: Trained = module.run(job, recipe)
            if not first_process():
                return None
            info = _write(order, job, recipe, trained, data, threads, say)
        lock.done = True
    say(f"{info.id} is written to {order.out}, after {time.monotonic() - started:.0f} s")
    return info


def recipe_of(order: Order) -> Any:
    """The recipe with the values that were asked for.

    Raises:
        RecipeError: there is no such recipe or value, or it is not of its kind.
    """
    if order.recipe not in RECIPES:
        raise RecipeError(f"there is no recipe {order.recipe!r}; it is one of {', '.join(RECIPES)}")
    recipe = importlib.import_module(f"training.recipes.{order.recipe}").Recipe()
    for name, text in order.values:
        recipe = _with_value(
            recipe, name.split("."), text, f"the recipe {order.recipe} has no value {name!r}"
        )
    return recipe


def _with_value(values: Any, path: list[str], text: str, none: str) -> Any:
    """``values`` with another one at ``path``; ``augmenting.mixed`` is a value of a value."""
    name, *rest = path
    old = getattr(values, name, None) if name in {each.name for each in dataclasses.fields(values)} else None
    if old is None or bool(rest) != dataclasses.is_dataclass(old):
        raise RecipeError(none)
    if rest:
        return dataclasses.replace(values, **{name: _with_value(old, rest, text, none)})
    try:
        value = json.loads(text)
        value = tuple(value) if isinstance(old, tuple) else float(value) if isinstance(old, float) else value
    except (ValueError, TypeError):
        raise RecipeError(f"{name} cannot be {text!r}; it is like {old!r}") from None
    if type(value) is not type(old):
        raise RecipeError(f"{name} cannot be {text!r}; it is like {old!r}")
    return dataclasses.replace(values, **{name: value})


def first_process() -> bool:
    """Whether this one writes: of several under ``accelerate launch`` the first alone does."""
    return int(os.environ.get("RANK", "0")) == 0


def resume_or_begin(run: Path, asked: dict[str, Any]) -> bool:
    """Make the run's own folder; keep what is in it if it is of the very same training.

    Returns:
        whether there is something to go on with.
    """
    described = json.dumps(asked, sort_keys=True, indent=2)
    note = run / "asked.json"
    if note.is_file() and note.read_text(encoding="utf-8") == described:
        return any(run.rglob("checkpoint-*")) or any(run.glob("without-*"))
    if first_process():
        for path in run.iterdir():
            if path.name != LOCK:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        note.write_text(described, encoding="utf-8")
    return False


@contextmanager
def disk_errors(out: Path) -> Iterator[None]:
    """A disk that is full, or takes nothing, is one sentence, whichever library notices it.

    Raises:
        RunError: instead of what the library raised.
    """
    from safetensors import SafetensorError

    try:
        yield
    except OSError as error:
        raise RunError(f"{error.filename or out.parent}: {error.strerror or error}") from error
    except (SafetensorError, RuntimeError) as error:
        words = str(error).strip().partition("\n")[0]
        if isinstance(error, SafetensorError) or any(name in words for name in TORCH_SAVING):
            raise RunError(f"{out.parent} does not take what is written to it: {words}") from error
        raise


TORCH_SAVING = ("PytorchStreamWriter", "unexpected pos")
"""How torch begins to say that a file could not be written."""
LOCK = "lock"


class only_one:  # noqa: N801  # used as a function
    """Nobody else trains into the same folder meanwhile; the run's folder goes when it is ``done``."""

    def __init__(self, run: Path) -> None:
        self._run, self.done = run, False

    def __enter__(self) -> only_one:
        from filelock import FileLock, Timeout

        self._run.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(self._run / LOCK)
        try:
            if first_process():
                self._lock.acquire(blocking=False)
        except Timeout:
            raise RunError(f"another training writes to {self._run.name[1:-4]} just now") from None
        return self

    def __exit__(self, *_: object) -> None:
        self._lock.release()
        if self.done:
            shutil.rmtree(self._run, ignore_errors=True)


def _check_place(out: Path) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError(f"{out} is there already; name a folder that is not")


def _write(
    order: Order,
    job: Job,
    recipe: Any,
    trained: Trained,
    data: str,
    threads: int,
    say: Callable[[str], None],
) -> BundleInfo:
    import random

    from training.bundle_levels import with_levels
    from training.bundling import write_bundle
    from training.networks import Finished

    base: Base = job.base
    validation, slugs = job.validation, job.parts.slugs
    nobody = slugs.index(NOBODY) if NOBODY in slugs else None
    p = calibrated(trained.logits, trained.calibration)
    targets = fit_targets(p, job.parts.labels(validation), nobody, trained.calibration.known)
    info = BundleInfo("", slugs, trained.calibration, dict(job.characters), targets)
    metrics = {
        "validation": measure(
            trained.logits,
            [picture.slug for picture in validation],
            [picture.source for picture in validation],
            info,
        )
    }
    # a tenth of a look at each picture, for each of the two forms
    looked = len(job.train) + len(validation)
    count = min(COMPARED, len(validation), max(20, looked // 10))
    compared = random.Random(job.seed).sample(list(validation), count)  # noqa: S311
    values = {
        "kind": order.recipe,
        "seed": order.seed,
        **asdict(recipe),
        "facts": dict(trained.facts),
        "threads": threads,
        "versions": {name: version(name) for name in LIBRARIES},
    }
    with job.progress.phase("comparing ONNX with torch", count) as step:
        return write_bundle(
            order.out,
            Finished(trained.network, trained.projection),
            info,
            base.preprocess,
            recipe=values,
            metrics=metrics,
            parent=base.id,
            licence=base.licence,
            data=data,
            compare=compared,
            curves=trained.curves,
            confusion=(job.parts.labels(validation), trained.logits.argmax(axis=1)),
            about={
                "pictures": {"train": len(job.train), "validation": len(validation)},
                "notes": job.parts.notes,
                "command": f"whosthat train --recipe {order.recipe}",
            },
            step=step,
            beside=lambda folder: with_levels(folder, job, threads, say) if order.levels else None,
        )
