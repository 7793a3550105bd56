"""What is stored of a picture, beside the model: who waits for what, and what becomes of what fails."""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path

import numpy as np
import pytest

from model.classifier import Output
from model.decoders import DecoderOptions, Decoders
from model.errors import PictureError, WorkerError
from model.preprocess import Pixels, Preprocess
from model.types import NOBODY, BundleInfo, Sight
from model.worker.engine import Engine
from model.worker.options import WorkerOptions
from tests.standins.drawings import drawing

LARGE = drawing("red", seed=3, size=(1280, 960), kind="JPEG")
"""Decoded twice."""


class Classifier:
    """Has seen nobody; raises when it is told to."""

    info = BundleInfo("stand-in", ("loki", NOBODY))
    level = "exact"
    backend = "stand-in"
    preprocess = Preprocess()
    broken = False

    def __call__(self, pixels: Pixels) -> Output:
        """Zeros."""
        if self.broken:
            raise ValueError("broken")
        return Output(np.zeros((len(pixels), 2), np.float32), np.ones((len(pixels), 4), np.float32))


class Watched(Decoders):
    """Counts what is stored apart; ``killed``: a child that stores is ended."""

    killed = False
    stored = 0

    async def store(self, data: bytes, how: Preprocess) -> bytes:
        """As it is, but for that."""
        self.stored += 1
        if self.killed:
            raise PictureError("damaged", "the picture crashed its decoder")
        return await super().store(data, how)


class Room:
    """An engine with both."""

    def __init__(self, folder: Path) -> None:
        self.classifier = Classifier()
        self.decoders = Watched(DecoderOptions(children=2))
        options = WorkerOptions(use="stand-in", models_dir=folder)
        self.engine = Engine(options, load=lambda *_, **__: self.classifier, decoders=self.decoders)

    async def __aenter__(self) -> Room:
        await self.engine.start()
        await self.engine.load("stand-in")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.close()

    async def look(self, picture: bytes, *, keep: bool = True) -> Sight:
        sha256 = hashlib.sha256(picture).hexdigest()
        return await asyncio.wait_for(self.engine.look(picture, sha256, "", keep), 20)


async def test_a_large_jpeg_is_stored_apart_and_others_are_not(tmp_path: Path) -> None:
    async with Room(tmp_path) as room:
        bare = await room.look(LARGE, keep=False)
        assert (bare.stored, room.decoders.stored) == (None, 0)
        kept = await room.look(LARGE)
        assert kept.stored is not None
        assert (kept.cached, kept.near_key, kept.stored_format) == (True, bare.near_key, "webp")
        assert room.decoders.stored == 1
        for number, picture in enumerate([drawing("red", seed=4, size=(1280, 960)), LARGE + b"2"]):
            sight = await room.look(picture)
            assert sight.stored is not None
            assert room.decoders.stored == 1 + number
        assert sight.stored == kept.stored
        assert room.engine.counters["decoded"] == 4


async def test_a_picture_that_is_not_stored_fails_alone(tmp_path: Path) -> None:
    async with Room(tmp_path) as room:
        room.decoders.killed = True
        failing = asyncio.create_task(room.look(LARGE))
        others = [room.look(LARGE + b"%d" % number, keep=False) for number in range(3)]
        assert [sight.stored for sight in await asyncio.gather(*others)] == [None] * 3
        with pytest.raises(PictureError) as caught:
            await failing
        assert caught.value.reason == "damaged"
        room.decoders.killed = False
        assert (await room.look(LARGE)).stored is not None


async def test_a_model_that_fails_drops_what_is_stored(tmp_path: Path) -> None:
    async with Room(tmp_path) as room:
        room.classifier.broken = True
        with pytest.raises(WorkerError, match="the model failed"):
            await room.look(LARGE)
        room.classifier.broken = False
        assert (await room.look(LARGE)).stored is not None
        assert not room.engine.admission.inside
