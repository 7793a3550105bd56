"""A bundle: a folder in Hugging Face format that holds one model, with a manifest of ours beside it.

    config.json                 Hugging Face's; ``id2label`` says who the classes are
    preprocessor_config.json    Hugging Face's; see `model.preprocess`
    model.safetensors           the weights
    manifest.json               ours: id, slugs, recipe, metrics, calibration, licence, checksums
    model.onnx                  for CPUs: pixel_values [B, 3, H, W] -> logits [B, C], embedding [B, D]
    model.fast.onnx             faster forms of it, if the manifest admits them: see `model.levels`
    model.turbo.onnx

A folder without a manifest is a bundle too; its slugs are made from ``id2label``. Nothing that can
run code when it is read (pickle: ``.bin``, ``.pt``) is ever opened.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.errors import BundleDamaged, BundleMissing
from model.preprocess import Preprocess
from model.targets import read_targets
from model.types import NOBODY, BundleInfo, Calibration, Targets

SCHEMA = 1
CONFIG, PREPROCESSOR, MANIFEST = "config.json", "preprocessor_config.json", "manifest.json"
WEIGHTS, ONNX = "model.safetensors", "model.onnx"
LEVEL_FILES = {"fast": "model.fast.onnx", "turbo": "model.turbo.onnx"}
"""A bundle is whole without them: what they are stands with their figures, under ``compiled``."""
PICKLED = (".bin", ".pt", ".pth", ".ckpt", ".pkl")

HASHED_UP_TO = 128 * 2**20
"""Larger files are checked by their size alone: SHA-256 takes 0.1 s for 100 MB, and a start must be quick."""


@dataclass(frozen=True, slots=True)
class Bundle:
    """One readable bundle. ``manifest`` is the parsed manifest.json, empty for a plain folder."""

    folder: Path
    info: BundleInfo
    preprocess: Preprocess
    config: Mapping[str, Any]
    manifest: Mapping[str, Any] = field(default_factory=dict)

    def weights(self) -> list[Path]:
        """The safetensors files: one, or the shards of a large model."""
        return sorted(self.folder.glob("model*.safetensors"))

    @property
    def onnx(self) -> Path | None:
        """The compiled form for CPUs, if there is one."""
        path = self.folder / ONNX
        return path if path.is_file() else None

    def verify(self, path: Path) -> None:
        """Compare one file with the manifest: its size, and its SHA-256 unless it is very large.

        Raises:
            BundleDamaged: it is not the file that the manifest describes.
        """
        expected = self.manifest.get("files", {}).get(path.name)
        if expected is None:
            return
        size = path.stat().st_size
        if size != expected["size"] or (size <= HASHED_UP_TO and sha256_of(path) != expected["sha256"]):
            raise BundleDamaged(
                f"{path} is not the file that its manifest describes; delete the folder {self.folder}"
            )


def read_bundle(folder: Path) -> Bundle:
    """Read and check a folder. Cheap: weights are neither opened nor hashed, see `Bundle.verify`.

    Raises:
        BundleMissing: there is no such folder, or no model in it.
        BundleDamaged: its files contradict one another, or do not parse.
    """
    if not folder.is_dir():
        raise BundleMissing(f"there is no model folder {folder}")
    if not (folder / CONFIG).is_file():
        raise BundleMissing(f"{folder} holds no model: it has no {CONFIG}")
    if not (folder / ONNX).is_file() and not any(folder.glob("model*.safetensors")):
        pickled = [path.name for path in sorted(folder.iterdir()) if path.suffix in PICKLED]
        if pickled:
            raise BundleDamaged(
                f"{folder} holds its weights as {pickled[0]}, a format that can run code when it is read: "
                f"convert it to {WEIGHTS}"
            )
        raise BundleMissing(f"{folder} holds no weights: it has no {WEIGHTS}")
    config = read_json(folder / CONFIG)
    preprocess = (
        Preprocess.from_config(read_json(folder / PREPROCESSOR))
        if (folder / PREPROCESSOR).is_file()
        else None
    )
    if preprocess is None:
        raise BundleMissing(
            f"{folder} has no {PREPROCESSOR}, so it is unknown how its pictures are to be prepared"
        )
    labels = _labels(folder, config)
    if not (folder / MANIFEST).is_file():
        characters = tuple(slugify(label) for label in labels)
        info = BundleInfo(_plain_id(folder), characters, names=dict(zip(characters, labels, strict=True)))
        bundle = Bundle(folder, info, preprocess, config)
    else:
        manifest = read_json(folder / MANIFEST)
        bundle = Bundle(folder, _info(folder, manifest, labels), preprocess, config, manifest)
        for name in manifest.get("files", {}):
            path = folder / name
            if path.name != name or not path.is_file():
                raise BundleDamaged(f"{folder} lacks {name}, which its manifest names; delete the folder")
            if path.stat().st_size <= 2**20:
                bundle.verify(path)
    _check_characters(folder, bundle.info.characters)
    return bundle


def slugify(name: str) -> str:
    """A name as a slug: ``Iron Man`` becomes ``iron-man``, ``Drax (the Destroyer)`` ``drax-the-destroyer``.

    Accents are dropped, letters of other scripts stay, everything else separates words. May be empty.
    """
    plain = "".join(c for c in unicodedata.normalize("NFKD", name) if not unicodedata.combining(c))
    plain = unicodedata.normalize("NFC", plain).casefold().replace("'", "").replace("’", "")
    return re.sub(r"[\W_]+", "-", plain).strip("-")


def bundle_id(name: str, *parts: bytes) -> str:
    """``name`` and ten hex digits of what the bundle is made of."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return f"{name}-{digest.hexdigest()[:10]}"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        BundleDamaged: it is none.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BundleDamaged(f"{path} does not read: {error}") from error
    if not isinstance(value, dict):
        raise BundleDamaged(f"{path} does not hold a JSON object")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write JSON that people read too: indented, in the order given, ending in a newline."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def seal(
    folder: Path,
    info: BundleInfo,
    *,
    licence: str,
    parent: str = "",
    data: str = "",
    recipe: Mapping[str, Any] | None = None,
    metrics: Mapping[str, Any] | None = None,
    compiled: Mapping[str, Any] | None = None,
) -> None:
    """Write the manifest over every file in the folder.

    Args:
        parent: the id of what it was made from.
        data: the hash of the pictures that it was trained on.
        compiled: for each compiled form (``model.onnx``) its backend, level and agreement with the reference.
    """
    files = {
        path.name: {"size": path.stat().st_size, "sha256": sha256_of(path)}
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in (MANIFEST, *LEVEL_FILES.values())
    }
    write_json(
        folder / MANIFEST,
        {
            "schema": SCHEMA,
            "id": info.id,
            "characters": list(info.characters),
            "calibration": dataclasses.asdict(info.calibration),
            **({"targets": dataclasses.asdict(info.targets)} if info.targets != Targets() else {}),
            "licence": licence,
            "parent": parent,
            "data": data,
            "recipe": dict(recipe or {}),
            "metrics": dict(metrics or {}),
            "compiled": dict(compiled or {}),
            "files": files,
        },
    )


def _info(folder: Path, manifest: Mapping[str, Any], labels: Sequence[str]) -> BundleInfo:
    if manifest.get("schema") != SCHEMA:
        raise BundleDamaged(
            f"{folder / MANIFEST} has schema {manifest.get('schema')}, this version reads {SCHEMA}"
        )
    try:
        characters = tuple(str(slug) for slug in manifest["characters"])
        calibration = Calibration(**{name: float(value) for name, value in manifest["calibration"].items()})
        files = {
            name: (int(entry["size"]), str(entry["sha256"])) for name, entry in manifest["files"].items()
        }
        identity = str(manifest["id"])
        targets = read_targets(manifest.get("targets", {}))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BundleDamaged(f"{folder / MANIFEST} does not read: {error!r}") from error
    if (
        not all(math.isfinite(value) for value in dataclasses.astuple(calibration))
        or calibration.temperature <= 0
    ):
        raise BundleDamaged(f"{folder / MANIFEST} has a calibration that cannot be used")
    if len(characters) != len(labels) or not files or not identity:
        raise BundleDamaged(f"{folder / MANIFEST} and {CONFIG} do not belong together")
    return BundleInfo(identity, characters, calibration, dict(zip(characters, labels, strict=True)), targets)


def _labels(folder: Path, config: Mapping[str, Any]) -> list[str]:
    """The names of the classes, by index."""
    table = config.get("id2label")
    if not isinstance(table, dict) or not table:
        raise BundleDamaged(f"{folder / CONFIG} does not say who its classes are: it has no id2label")
    try:
        labels = [str(table[str(index)]) for index in range(len(table))]
    except KeyError as error:
        raise BundleDamaged(f"{folder / CONFIG} leaves class {error} of its id2label out") from error
    if all(re.fullmatch(r"LABEL_\d+", label) for label in labels):
        raise BundleDamaged(
            f"{folder / CONFIG} does not say who its classes are: id2label reads {labels[0]}, …"
        )
    return labels


def _check_characters(folder: Path, characters: Sequence[str]) -> None:
    for slug in characters:
        if not slug or slugify(slug) != slug:
            raise BundleDamaged(f"{folder} has a class whose name makes no slug: {slug!r}")
    if len(set(characters)) != len(characters):
        raise BundleDamaged(f"{folder} has two classes of the same name")
    if not set(characters) - {NOBODY}:
        raise BundleDamaged(f"{folder} knows nobody")


def _plain_id(folder: Path) -> str:
    """An id for a folder without a manifest, by its content."""
    paths = [
        folder / CONFIG,
        folder / PREPROCESSOR,
        folder / ONNX,
        *sorted(folder.glob("model*.safetensors")),
    ]
    parts = [sha256_of(path).encode() for path in paths if path.is_file()]
    name = folder.resolve().name
    if folder.parent.name == "snapshots":  # the hub's cache: models--OWNER--NAME/snapshots/<commit>
        name = folder.parent.parent.name.removeprefix("models--")
    return bundle_id(slugify(name) or "model", *parts)
