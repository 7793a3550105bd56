"""Photograph to tensor: our decoder and Hugging Face's image processor, in turns; what the dearest cost.

The peer is a process of its own: ``Image.open``, ``convert("RGB")`` and ``AutoImageProcessor`` with
``backend="pil"``, as its documentation shows it, on one thread. Ours is what a decoding child does, key and
marks included, and the backend's normalising. A difference in levels is that of our pixels from those of the
whole picture decoded and resized, which are the peer's (`tests/model/test_preprocess.py`).
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops
from rich.progress import track

from model.decode import DecodeLimits, decode
from model.decoders import DecoderOptions, Decoders
from model.errors import PictureError
from model.near import NEAR, distance, near_key
from model.preprocess import Floats, Pixels, Preprocess, to_pixels
from tests.bench.rows import ROOT, Bench, Row, environ
from tests.bench.starting import until_line
from tests.standins.photographs import TWELVE_MEGAPIXELS, hostile, jpeg, photograph

NAME = "HF processor"
BOUND = ">= 5x"
HOW = Preprocess()
LIMITS = DecodeLimits()
KINDS = {
    "photo of 12 MP, 1 MB": (0.5, 1.5, {}),
    "photo of 12 MP, 2 MB": (0.55, 3.0, {}),
    "photo of 12 MP, 3.5 MB": (0.62, 5.0, {}),
    "progressive photo of 12 MP": (0.55, 3.0, {"progressive": True}),
}
"""Texture, grain and how it is written."""


def rows(bench: Bench) -> list[Row]:
    """Drawn photographs, real ones where there are some, and files that mean ill."""
    peer = _Peer(bench.folder)
    result: list[Row] = []
    try:
        for name, (texture, grain, options) in KINDS.items():
            files = [
                jpeg(photograph(seed, texture=texture, grain=grain), **options)
                for seed in track(range(3), name, console=bench.screen, transient=True)
            ]
            ours, theirs = _in_turns(peer, files, max(5, bench.runs))
            size = f"{np.mean([len(file) for file in files]) / 1e6:.1f} MB"
            name = re.sub(r", [\d.]+ MB$", "", name)
            result.append(Row(f"{name} ({size}) to tensor", ours, "ms", theirs, NAME, BOUND))
            result.append(_levels(f"… largest difference, {size}", files))
        files = [
            jpeg(photograph(seed, size=(1280, 960)), quality=88)
            for seed in track(range(3), "1280 x 960", console=bench.screen, transient=True)
        ]
        ours, theirs = _in_turns(peer, files, max(5, bench.runs))
        stored = _in_turns(peer, files, max(5, bench.runs), keep=True)[0]
        result.append(Row("photo of 1280 x 960 to tensor", ours, "ms", theirs, NAME))
        result.append(Row("… and to what is stored, one after the other", stored, "ms"))
        result.append(_levels("… largest difference, 1280 x 960", files))
        real = _real(bench.pictures)
        if real:
            files = [jpeg(each, quality=90) for each in track(real, "real", console=bench.screen)]
            ours, theirs = _in_turns(peer, files, 1)
            name = f"{len(files)} real photographs enlarged to 12 MP"
            result.append(Row(f"{name}, to tensor", ours, "ms", theirs, NAME, BOUND))
            result.append(_levels("… largest difference", files))
            result.append(_keys("… near key from that of the whole picture", files))
    finally:
        peer.close()
    return result + asyncio.run(_dearest())


def _to_tensor(data: bytes, keep: bool = False) -> Floats:
    return HOW.normalise(decode(data, LIMITS, HOW, keep=keep).pixels[None])


def _exact(data: bytes) -> Pixels:
    with Image.open(io.BytesIO(data)) as whole:
        return to_pixels(whole.convert("RGB"), HOW)


def _in_turns(
    peer: _Peer, files: Sequence[bytes], times: int, keep: bool = False
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    _to_tensor(files[0])
    peer.milliseconds(files[0])
    ours, theirs = [], []
    for _ in range(times):
        for data in files:
            begun = time.perf_counter()
            _to_tensor(data, keep)
            ours.append(1000 * (time.perf_counter() - begun))
            theirs.append(peer.milliseconds(data))
    return tuple(ours), tuple(theirs)


def _levels(name: str, files: Sequence[bytes]) -> Row:
    worst = [
        float(np.abs(decode(data, LIMITS, HOW, keep=False).pixels.astype(int) - _exact(data)).max())
        for data in files
    ]
    return Row(name, tuple(worst), "levels of 255", bound="<= 3")


def _keys(name: str, files: Sequence[bytes]) -> Row:
    far = []
    for data in files:
        with Image.open(io.BytesIO(data)) as whole:
            grey = whole.convert("RGB").convert("L").resize((64, 64), Image.Resampling.BOX)
        far.append(
            float(distance(near_key(np.asarray(grey)), decode(data, LIMITS, HOW, keep=False).near_key))
        )
    return Row(name, tuple(far), "bits of 256", bound=f"<= {NEAR}")


def _real(count: int) -> list[Image.Image]:
    """Pictures of the folder's validation part, enlarged, with a sensor's grain."""
    folder = Path(os.environ.get("WHOSTHAT_PICTURES") or "/nowhere")
    if not (folder / "splits.csv").exists():
        return []
    with (folder / "splits.csv").open() as lines:
        names = [row["file"] for row in csv.DictReader(lines) if row["split"] == "validation"]
    random.Random(0).shuffle(names)
    pictures = []
    for name in names[:count]:
        with Image.open(folder / name) as small:
            image = small.convert("RGB")
        scale = (TWELVE_MEGAPIXELS[0] * TWELVE_MEGAPIXELS[1] / (image.width * image.height)) ** 0.5
        size = round(image.width * scale), round(image.height * scale)
        grain = Image.effect_noise(size, 6).convert("RGB")
        pictures.append(ImageChops.add(image.resize(size, Image.Resampling.BICUBIC), grain, 1, -128))
    return pictures


async def _dearest() -> list[Row]:
    """Seconds and memory of a child for each hostile file, whatever becomes of it."""
    options = DecoderOptions(children=1, seconds=5.0)
    taken, peaks = {}, {}
    for name, data in hostile().items():
        async with Decoders(options) as decoders:
            watching = asyncio.create_task(_peak(decoders.pids()[0]))
            begun = time.perf_counter()
            try:
                await decoders.decode(data, HOW, keep=True)
            except PictureError as error:
                name += f" ({error.reason})"
            taken[name] = time.perf_counter() - begun
            watching.cancel()
            peaks[name] = await watching
    dearest, largest = max(taken, key=taken.__getitem__), max(peaks, key=peaks.__getitem__)
    seconds = f"< {options.seconds:g} s + 1 s to start another child"
    return [
        Row(f"{len(taken)} hostile files, dearest: {dearest}", tuple(taken.values()), "s", bound=seconds),
        Row("… the longest of them", (max(taken.values()),), "s", bound=seconds),
        Row(
            f"… most memory: {largest}",
            (max(peaks.values()),),
            "MiB",
            bound=f"<= {options.memory >> 20} MiB, as the kernel has it",
        ),
    ]


async def _peak(pid: int) -> float:
    """The most memory that the process has had, in MiB, until this is cancelled or the process has gone."""
    most = 0.0
    try:
        while True:
            status = Path(f"/proc/{pid}/status").read_text()
            if found := re.search(r"VmHWM:\s+(\d+)", status):
                most = int(found[1]) / 1024
            await asyncio.sleep(0.02)
    except (OSError, asyncio.CancelledError):
        return most


class _Peer:
    """Asked for the milliseconds of one file after the other."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "photograph"
        (folder / "preprocessor_config.json").write_text(json.dumps(HOW.to_config()))
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.decoding", str(folder)],
            cwd=ROOT,
            env=environ(OMP_NUM_THREADS="1"),
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        until_line(self._process, "ready")

    def milliseconds(self, data: bytes) -> float:
        assert self._process.stdin
        assert self._process.stdout
        self._file.write_bytes(data)
        self._process.stdin.write(f"{self._file}\n")
        self._process.stdin.flush()
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.communicate(timeout=30)


def main(folder: Path) -> None:
    """The peer."""
    import torch
    from transformers import AutoImageProcessor

    torch.set_num_threads(1)
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    print("ready", flush=True)
    for line in sys.stdin:
        data = Path(line.strip()).read_bytes()
        begun = time.perf_counter()
        processor(Image.open(io.BytesIO(data)).convert("RGB"), return_tensors="pt")["pixel_values"]
        print(1000 * (time.perf_counter() - begun), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
