"""What a network sees in pictures, and the pixels that it is shown: exactly those of the bot in service."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from numpy.typing import NDArray

from model.decode import DecodeLimits, decode
from model.errors import PictureError
from model.preprocess import Floats, Pixels, Preprocess
from training.errors import BaseError, PicturesError
from training.networks import Network
from training.pictures import Picture
from training.thrift import half_pays

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
    half: bool = False,
    step: Step | None = None,
) -> Features:
    """``[N, F]``, in the pictures' order, from the cache where they are there.

    Args:
        cache: a folder; what is in it is named by all that it depends on (base, layers, preparation,
            picture), so it may be kept for ever, and pictures that come later are added to it. None for
            a network that has been changed.
        half: in bfloat16 and many at a time where that is faster, for what a digit less does no harm to.
        step: called with a number of pictures that have just become ready.

    Raises:
        PicturesError: a picture cannot be read.
        BaseError: the network gives no finite numbers.
    """
    place = None if cache is None else cache / _key(network, mirrored)
    parts: defaultdict[str, list[int]] = defaultdict(list)
    for index, picture in enumerate(pictures):
        parts[picture.sha256[:2]].append(index)
    rows: list[Features | None] = [None] * len(pictures)
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for prefix, indexes in sorted(parts.items()):
            path = None if place is None else place / f"{prefix}.npz"
            kept = _kept(path)
            new = {pictures[i].sha256: pictures[i] for i in indexes if pictures[i].sha256 not in kept}
            if new:
                kept |= zip(new, _look(network, list(new.values()), mirrored, half, pool), strict=True)
                _keep(path, kept)
            for index in indexes:
                rows[index] = kept[pictures[index].sha256]
            if step is not None:
                step(len(indexes))
    return np.stack([row for row in rows if row is not None]) if rows else np.zeros((0, 0), np.float16)


def standard(features: Features, mean: Floats, deviation: Floats) -> Floats:
    """Float32, less the mean and over the deviation."""
    return (features.astype(np.float32) - mean) / deviation


def device_of() -> torch.device:
    """The GPU where there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _look(
    network: Network, pictures: Sequence[Picture], mirrored: bool, half: bool, pool: ThreadPoolExecutor
) -> Features:
    how, device = network.base.preprocess, device_of()
    network.eval().to(device)
    # one at a time on a CPU, where more at once pays nothing: a picture's numbers never depend on its company
    half = half and device.type == "cpu" and half_pays()
    many = 64 if device.type == "cuda" else 16 if half else 1
    found = []
    rows = list(pool.map(lambda picture: pixels_of(picture, how), pictures))
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=half):
        for start in range(0, len(rows), many):
            pixels = np.stack(rows[start : start + many])
            values = torch.from_numpy(how.normalise(pixels[:, :, ::-1] if mirrored else pixels))
            found.append(network.features(values.to(device)).float().cpu().numpy())
    result = np.concatenate(found)
    if not np.isfinite(result).all():
        raise BaseError(f"{network.base.id} gives numbers that are none: its weights are broken")
    return result.clip(-65504, 65504).astype(np.float16)


def _key(network: Network, mirrored: bool) -> str:
    base = network.base
    parts = [base.content, repr(network.layers), repr(base.preprocess), str(mirrored)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _kept(path: Path | None) -> dict[str, Features]:
    if path is None or not path.is_file():
        return {}
    try:
        with np.load(path, allow_pickle=False) as found:
            return dict(zip(found["pictures"].tolist(), found["features"], strict=True))
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return {}  # damaged: look again


def _keep(path: Path | None, kept: dict[str, Features]) -> None:
    if path is None:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.stem}.{os.getpid()}.draft")
    try:
        with draft.open("wb") as file:
            np.savez(file, pictures=np.array(list(kept)), features=np.stack(list(kept.values())))
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
