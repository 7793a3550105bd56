"""What a network sees in pictures, and the pixels that it is shown: exactly those of the bot in service."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
import torch
from numpy.typing import NDArray

from model.decode import DecodeLimits, decode
from model.errors import PictureError
from model.preprocess import Floats, Pixels, Preprocess
from training.errors import BaseError, PicturesError
from training.networks import Network
from training.pictures import Picture

CHUNK = 128  # pictures in one file of the cache: what an interruption can lose
LIMITS = DecodeLimits(bytes=256 * 2**20)  # a person's own folder may hold larger files than a chat

Features = NDArray[np.float16]
Step = Callable[[int], None]


def pixels_of(picture: Picture, how: Preprocess) -> Pixels:
    """Decode one picture as the worker does, uint8 ``[H, W, 3]``.

    Raises:
        PicturesError: it does not decode, or is not the file that the table names.
    """
    return _read(picture, how)[0]


def near_key_of(picture: Picture) -> str:
    """See `model.near`."""
    return _read(picture, Preprocess(32, 32))[1]


def _read(picture: Picture, how: Preprocess) -> tuple[Pixels, str]:
    try:
        content = picture.path.read_bytes()
    except OSError as error:
        raise PicturesError(f"{picture.path} cannot be read: {error.strerror}") from error
    if hashlib.sha256(content).hexdigest() != picture.sha256:
        raise PicturesError(f"{picture.path} is not the picture that the table names: its SHA-256 differs")
    try:
        found = decode(content, LIMITS, how, False)
    except PictureError as error:
        raise PicturesError(
            f"{picture.path} is damaged ({error}); whosthat dataset check --fix leaves such pictures out"
        ) from error
    return found.pixels, found.near_key


def features_of(
    network: Network,
    pictures: Sequence[Picture],
    *,
    cache: Path | None = None,
    mirrored: bool = False,
    step: Step | None = None,
) -> Features:
    """``[N, F]``, in the pictures' order, from the cache where they are there.

    Args:
        cache: a folder; its files are named by what is in them (base, layers, preparation, pictures), so
            it may be kept for ever. None for a network that has been changed.
        step: called with a number of pictures that have just become ready.

    Raises:
        PicturesError: a picture cannot be read.
        BaseError: the network gives no finite numbers.
    """
    chunks = []
    for start in range(0, len(pictures), CHUNK):
        chunk = pictures[start : start + CHUNK]
        path = None if cache is None else cache / f"{_key(network, chunk, mirrored)}.npy"
        found = _kept(path, len(chunk))
        if found is None:
            found = _look(network, chunk, mirrored)
            _keep(path, found)
        chunks.append(found)
        if step is not None:
            step(len(chunk))
    return np.concatenate(chunks) if chunks else np.zeros((0, 0), np.float16)


def standard(features: Features, mean: Floats, deviation: Floats) -> Floats:
    """Float32, less the mean and over the deviation."""
    return (features.astype(np.float32) - mean) / deviation


def device_of() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _look(network: Network, pictures: Sequence[Picture], mirrored: bool) -> Features:
    how, device = network.base.preprocess, device_of()
    network.eval().to(device)
    many = 64 if device.type == "cuda" else 4  # more at once pays nothing on a CPU
    found = []
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool, torch.inference_mode():
        rows = list(pool.map(lambda picture: pixels_of(picture, how), pictures))
        for start in range(0, len(rows), many):
            pixels = np.stack(rows[start : start + many])
            values = torch.from_numpy(how.normalise(pixels[:, :, ::-1] if mirrored else pixels))
            found.append(network.features(values.to(device)).cpu().numpy())
    result = np.concatenate(found)
    if not np.isfinite(result).all():
        raise BaseError(f"{network.base.id} gives numbers that are none: its weights are broken")
    return result.clip(-65504, 65504).astype(np.float16)


def _key(network: Network, chunk: Sequence[Picture], mirrored: bool) -> str:
    base = network.base
    parts = [base.content, repr(network.layers), repr(base.preprocess), str(mirrored)]
    return hashlib.sha256("\n".join([*parts, *(p.sha256 for p in chunk)]).encode()).hexdigest()[:32]


def _kept(path: Path | None, count: int) -> Features | None:
    if path is None or not path.is_file():
        return None
    try:
        found = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None  # damaged: look again
    return found if len(found) == count else None


def _keep(path: Path | None, found: Features) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, suffix=".draft", delete=False) as draft:
        try:
            np.save(draft, found)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
    Path(draft.name).replace(path)
