"""The seam between what looks at pictures and what asks it to: `Classifier`, and `load_classifier`."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np

from model.bundle import Bundle, read_bundle
from model.errors import BackendMissing, BundleDamaged, BundleError
from model.hardware import gpu_driver, torch_for_gpu
from model.preprocess import Floats, Pixels, Preprocess
from model.types import LEVELS, BundleInfo

BACKENDS = ("auto", "onnx", "torch")
Progress = Callable[[str, float], None]
"""Called with what is being done and how much of it is (0 to 1)."""


@dataclass(frozen=True, slots=True)
class Output:
    """``logits`` float32 ``[B, C]`` and ``embedding`` float32 ``[B, D]``, each row of length 1."""

    logits: Floats
    embedding: Floats


class Classifier(Protocol):
    """A loaded bundle, warm. Not thread-safe: one caller at a time."""

    info: BundleInfo
    level: str
    backend: str
    preprocess: Preprocess

    def __call__(self, pixels: Pixels) -> Output:
        """Look at uint8 pixels ``[B, H, W, 3]``, made by `model.preprocess.to_pixels`."""
        ...


class Running(Protocol):
    """A batch that a device looks at."""

    def result(self) -> Output:
        """Wait for it; called once, from whichever thread. Raises whatever went wrong with the batch."""
        ...


@runtime_checkable
class Ahead(Protocol):
    """A classifier on a device that computes by itself: ``ahead`` batches may be under way at a time."""

    ahead: int

    def begin(self, pictures: Sequence[Pixels]) -> Running:
        """Hand over a batch of uint8 pixels ``[H, W, 3]``; one caller at a time."""
        ...


def load_classifier(
    use: str,
    *,
    backend: str = "auto",
    models_dir: Path,
    threads: int = 0,
    level: str = "exact",
    progress: Progress | None = None,
) -> Classifier:
    """Load a model and warm it up with one dummy run.

    Args:
        use: ``builtin``, a folder, or ``hub:OWNER/NAME``.
        backend: ``onnx``, ``torch``, or ``auto``: torch where there is a GPU for it, else ONNX
            Runtime where the bundle has that form, else torch on the CPU.
        models_dir: where the embedded model and downloads are kept.
        threads: how many CPU threads one run may take; 0 leaves it to the library.
        level: one of `model.types.LEVELS`.

    Raises:
        LevelRefused: the bundle does not admit that level, or its file is not as it was.
        BundleError: it cannot be loaded; the message is one sentence.
    """
    if level not in LEVELS:
        raise BundleError(f"there is no level {level!r}; it is one of {', '.join(LEVELS)}")
    if backend not in BACKENDS:
        raise BundleError(f"there is no backend {backend!r}; it is one of {', '.join(BACKENDS)}")
    folder = find_bundle(use, models_dir=models_dir, progress=progress)
    bundle = read_bundle(folder)
    chosen = choose_backend(bundle, backend)
    if progress is not None:
        progress("loading the model", 0.0)
    try:
        classifier = _load(bundle, chosen, threads, level, models_dir)
        blank = np.zeros((1, bundle.preprocess.height, bundle.preprocess.width, 3), np.uint8)
        output = classifier(blank)
    except BundleError:
        raise
    except Exception as error:
        # whatever a library says about a file that it cannot use, the operator reads one sentence
        first = str(error).strip().partition("\n")[0] or type(error).__name__
        raise BundleDamaged(f"the model in {folder} cannot be loaded: {first}") from error
    if output.logits.shape != (1, len(bundle.info.characters)):
        raise BundleDamaged(f"the model in {folder} does not have as many classes as its config names")
    if progress is not None:
        progress("loading the model", 1.0)
    return classifier


def find_bundle(use: str, *, models_dir: Path, progress: Progress | None = None) -> Path:
    """The folder that ``use`` means, built or downloaded first where it has to be.

    Raises:
        BundleError: see `load_classifier`.
    """
    try:
        if use == "builtin":
            from model.builtin import prepare

            return prepare(models_dir, progress)
        if use.startswith("hub:"):
            from model.hub import fetch

            return fetch(use.removeprefix("hub:"), models_dir, progress)
    except OSError as error:  # a full disk, a folder that is not ours
        raise BundleError(
            f"the model cannot be written to {models_dir}: {error.strerror or error}"
        ) from error
    if not use.strip():
        raise BundleError("model.use is empty; it is builtin, a folder, or hub:OWNER/NAME")
    return Path(use).expanduser()


def choose_backend(bundle: Bundle, wanted: str) -> str:
    """``onnx`` or ``torch``.

    Raises:
        BackendMissing: it is not installed, or the bundle does not have its form.
    """
    if wanted == "auto":
        wanted = "torch" if bundle.onnx is None or (bundle.weights() and has_gpu()) else "onnx"
    if wanted == "onnx" and bundle.onnx is None:
        raise BackendMissing(f"{bundle.folder} has no model.onnx; set worker.backend to torch or auto")
    if wanted == "torch" and not bundle.weights():
        raise BackendMissing(f"{bundle.folder} has no model.safetensors; set worker.backend to onnx or auto")
    if wanted == "torch" and not _torch_here():
        raise BackendMissing(f"{bundle.folder} needs torch here: pip install 'whosthat[training]'")
    return wanted


def _load(bundle: Bundle, backend: str, threads: int, level: str, models_dir: Path) -> Classifier:
    if backend == "onnx":
        from model.backends.onnx import OnnxClassifier

        return OnnxClassifier(bundle, threads=threads, level=level, models_dir=models_dir)
    from model.backends.torch import load_torch

    return load_torch(bundle, threads=threads, level=level)


def may_have_gpu() -> bool:
    """Whether a GPU is likely to be looked with; cheap."""
    return gpu_driver() and _torch_here() and torch_for_gpu()


def has_gpu() -> bool:
    """Whether torch has a GPU here. Imports torch where that is likely."""
    if not may_have_gpu():
        return False
    import torch

    return torch.cuda.is_available()


def _torch_here() -> bool:
    return all(importlib.util.find_spec(name) for name in ("torch", "transformers", "safetensors"))
