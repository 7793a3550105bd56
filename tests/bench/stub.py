"""A real worker process around a classifier that takes so many milliseconds whatever the batch.

    python -m tests.bench.stub 20 --listen unix:/tmp/w …

Queue, batching, socket, protocol and process are the worker's own; what looks at pictures sleeps, and with
``--blind`` before the worker's flags no picture is decoded either, as nothing is decoded in the peer.
"""

from __future__ import annotations

import hashlib
import sys
import time
from functools import partial

import numpy as np

from model.classifier import Output
from model.decode import Decoded
from model.decoders import DecoderOptions, Decoders
from model.preprocess import Pixels, Preprocess
from model.types import NOBODY, BundleInfo
from model.worker.engine import Engine
from model.worker.options import WorkerOptions, parse
from model.worker.process import run_worker

SIDE, WIDTH = 32, 384
LOOKED = 224
"""The side of what is decoded, where it is."""


class Stub:
    """Sleeps, and has seen nobody."""

    info = BundleInfo("stub", ("loki", "thor", NOBODY))
    level = "exact"
    backend = "stub"

    def __init__(self, seconds: float, side: int = SIDE) -> None:
        self.seconds = seconds
        self.preprocess = Preprocess(height=side, width=side)

    def __call__(self, pixels: Pixels) -> Output:
        """Zeros for every picture, in the same time for all of them together."""
        time.sleep(self.seconds)
        logits = np.zeros((len(pixels), len(self.info.characters)), np.float32)
        return Output(logits, np.full((len(pixels), WIDTH), WIDTH**-0.5, np.float32))


class Blind(Decoders):
    """Decodes nothing, at once."""

    async def __aenter__(self) -> Blind:
        """No children."""
        return self

    async def close(self) -> None:
        """Nothing was started."""

    async def decode(
        self, data: bytes, how: Preprocess, *, keep: bool = False, apart: bool = False
    ) -> Decoded:
        """Grey, whatever the bytes."""
        key = hashlib.sha256(data).hexdigest()
        return Decoded(np.zeros((SIDE, SIDE, 3), np.uint8), key, SIDE, SIDE, None, "jpeg")


def engine(seconds: float, blind: bool, options: WorkerOptions, **_: object) -> Engine:
    """The worker's engine with a stub in it, whatever it would load."""
    decoders = Blind(DecoderOptions(children=options.decoders)) if blind else None
    return Engine(options, load=lambda *_, **__: Stub(seconds, SIDE if blind else LOOKED), decoders=decoders)


if __name__ == "__main__":
    milliseconds, *flags = sys.argv[1:]
    blind = flags[:1] == ["--blind"]
    sys.exit(run_worker(parse(flags[blind:]), partial(engine, float(milliseconds) / 1000, blind)))
