"""Which model serves, and those that could, in the folder of the models::

    versions/<bundle id>/   bundles that were taken in: never changed, only added and removed
    choice.json             what serves now, what served before, and which setting that was chosen over
    workers/                a file for each worker that follows the choice, locked while it lives

A choice holds as long as the setting ``model.use`` is what it was when it was made; else the setting wins.
Whoever chooses writes the file and looks at what the workers make of it: see `model.worker.following`.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from model.errors import BundleError, BundleMissing
from model.folders import new_folder
from model.registered import WorkerFile, WorkerState, living, register

if TYPE_CHECKING:  # the bot's own process looks at the choice, and reads no bundle
    from model.bundle import Bundle

log = logging.getLogger(__name__)

VERSIONS, CHOICE, WORKERS, MANIFEST = "versions", "choice.json", "workers", "manifest.json"
MOST_BEFORE = 20
"""Earlier choices that one can go back to."""
TAKEN_IN = ("*.json", "model*.safetensors", "model.onnx", "README.md", "*.png")
"""All that is copied of a folder without a manifest: never a pickle, never code."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What serves. ``now`` is the id of a version, or what the setting may be (``builtin``, …).

    ``serial`` is another with every change. ``before`` has what served earlier, the latest last. When the
    workers went back by themselves, ``refused`` is what they could not load and ``why`` says why.
    """

    serial: int
    setting: str
    now: str
    before: tuple[str, ...] = ()
    refused: str = ""
    why: str = ""


class Versions:
    """The versions in one folder of models. Everything here touches the disk; nothing is cached.

    Args:
        models_dir: the folder.
        setting: what ``model.use`` says.
    """

    def __init__(self, models_dir: Path, setting: str) -> None:
        self.models_dir = models_dir
        self.setting = setting
        self.file = models_dir / CHOICE

    # -- what is there

    def names(self) -> list[str]:
        """The ids of the versions, those taken in last first."""
        folder = self.models_dir / VERSIONS
        found = (
            [each for each in folder.iterdir() if not each.name.startswith(".")] if folder.is_dir() else []
        )
        found = [each for each in found if (each / MANIFEST).is_file()]
        return [each.name for each in sorted(found, key=lambda each: (-_age(each), each.name))]

    def folder_of(self, name: str) -> Path | None:
        """The folder of a version; None when there is no version of that id."""
        if not name or name.startswith(".") or Path(name).name != name:
            return None
        folder = self.models_dir / VERSIONS / name
        return folder if (folder / MANIFEST).is_file() else None

    def use_of(self, name: str) -> str:
        """What `model.classifier.load_classifier` takes for a choice."""
        folder = self.folder_of(name)
        return name if folder is None else str(folder)

    def choice(self) -> Choice:
        """What serves; the setting itself when nothing was chosen over it."""
        stored = self._read()
        if stored is None:
            return Choice(0, self.setting, self.setting)
        if stored.setting != self.setting:
            return Choice(stored.serial, self.setting, self.setting)
        return stored

    def serving(self) -> str:
        """What to load now."""
        return self.use_of(self.choice().now)

    # -- changes

    def add(self, folder: Path) -> Bundle:
        """Take a bundle in under its id; one that is there already is left as it is.

        Raises:
            BundleError: it is none, another bundle has that id, or the disk does not take it.
        """
        from model.bundle import read_bundle, seal

        bundle = read_bundle(folder)
        name = bundle.info.id
        place = self.models_dir / VERSIONS / name
        if Path(name).name != name or name.startswith("."):
            raise BundleError(f"a bundle cannot be called {name!r}")
        if (there := self.folder_of(name)) is not None:
            known = read_bundle(there)
            if bundle.manifest and known.manifest.get("files") != bundle.manifest.get("files"):
                raise BundleError(f"there is another version called {name} already")
            return known
        files = _files_of(bundle)
        try:
            room = shutil.disk_usage(_nearest(self.models_dir)).free
            if room < sum(each.stat().st_size for each in files) + (64 << 20):
                raise BundleError(f"the disk has no room for another version in {place.parent}")
            with new_folder(place) as draft:
                for each in files:
                    shutil.copyfile(each, draft / each.name)
                if not bundle.manifest:  # its id follows from its folder's name, which is another one here
                    seal(draft, bundle.info, licence="unknown")
                read_bundle(draft)
        except OSError as error:
            raise BundleError(f"{place} cannot be written: {error.strerror or error}") from error
        return read_bundle(place)

    def remove(self, name: str) -> None:
        """Remove a version that neither serves nor served just before."""
        folder = self.folder_of(name)
        choice = self.choice()
        if folder is not None and name not in (choice.now, *choice.before[-1:]):
            shutil.rmtree(folder, ignore_errors=True)

    def choose(self, name: str) -> Choice:
        """Let another one serve; the same again changes nothing.

        Raises:
            BundleError: the choice cannot be written.
        """
        with self._changing() as now:
            if now.now == name:
                return now
            before = (*now.before, now.now)[-MOST_BEFORE:]
            return self._write(Choice(now.serial + 1, self.setting, name, before))

    def back(self) -> Choice:
        """Let serve what served before; one further with every call.

        Raises:
            BundleMissing: nothing served before.
            BundleError: the choice cannot be written.
        """
        with self._changing() as now:
            before = [each for each in now.before if self._is_there(each)]
            if not before:
                raise BundleMissing("nothing served before, so there is nothing to go back to")
            return self._write(Choice(now.serial + 1, self.setting, before[-1], tuple(before[:-1])))

    def refuse(self, serial: int, why: str, stay: str = "") -> Choice:
        """A worker cannot load that choice: go back, and say why; nothing happens if it is another by now.

        Args:
            stay: what the worker goes on looking with; empty: what served before.

        Raises:
            BundleError: the choice cannot be written.
        """
        with self._changing() as now:
            if now.serial != serial:
                return now
            before = [each for each in now.before if each != now.now and self._is_there(each)]
            stay = stay or (before[-1] if before else self.setting)
            if before and before[-1] == stay:
                del before[-1]
            return self._write(Choice(serial + 1, self.setting, stay, tuple(before), now.now, why))

    # -- those who follow

    def follow(self) -> contextlib.AbstractContextManager[WorkerFile]:
        """A file in which a worker says what it looks with, for as long as it lives."""
        return register(self.models_dir / WORKERS)

    def workers(self) -> list[WorkerState]:
        """The workers that live."""
        return living(self.models_dir / WORKERS)

    # -- the file

    def _is_there(self, name: str) -> bool:
        return self.folder_of(name) is not None or name == self.setting or not _is_id(name)

    def _read(self) -> Choice | None:
        try:
            content: dict[str, Any] = json.loads(self.file.read_text(encoding="utf-8"))
            return Choice(
                int(content["serial"]),
                str(content["setting"]),
                str(content["now"]),
                tuple(str(each) for each in content["before"]),
                str(content.get("refused", "")),
                str(content.get("why", "")),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.warning("%s does not read, so model.use holds: %s", self.file, error)
            return None

    @contextlib.contextmanager
    def _changing(self) -> Iterator[Choice]:
        """What was chosen, while nobody else changes it."""
        try:
            self.models_dir.mkdir(parents=True, exist_ok=True)
            with (self.models_dir / f".{CHOICE}.lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield self.choice()
        except OSError as error:
            raise BundleError(f"{self.file} cannot be written: {error.strerror or error}") from error

    def _write(self, choice: Choice) -> Choice:
        write_atomically(self.file, json.dumps(asdict(choice), indent=2, ensure_ascii=False) + "\n")
        return choice


def write_atomically(path: Path, text: str) -> None:
    """Write a small file so that it is there whole, or as it was.

    Raises:
        OSError: it could not be written.
    """
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _files_of(bundle: Bundle) -> list[Path]:
    if bundle.manifest:
        from model.bundle import LEVEL_FILES

        levels = [path for name in LEVEL_FILES.values() if (path := bundle.folder / name).is_file()]
        return [*(bundle.folder / name for name in (*bundle.manifest["files"], MANIFEST)), *levels]
    found = {path for pattern in TAKEN_IN for path in bundle.folder.glob(pattern) if path.is_file()}
    return sorted(found)


def _is_id(name: str) -> bool:
    """Whether a choice can only be a version's id."""
    return name != "builtin" and not name.startswith("hub:") and "/" not in name and os.sep not in name


def _age(folder: Path) -> float:
    with contextlib.suppress(OSError):
        return (folder / MANIFEST).stat().st_mtime
    return 0.0


def _nearest(path: Path) -> Path:
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
