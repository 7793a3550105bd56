"""The worker as one would build it from Ray's own parts: an ingress that decodes, ``@serve.batch`` behind it.

No deadline, no fairness, no cache, no refusals, and decoding in a thread of the process that answers: the
least that gives logits for a picture. It is measured beside `model.cluster`, which keeps whole workers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ray import serve
from starlette.requests import Request

from model.bundle import read_bundle
from model.classifier import load_classifier
from model.decode import DecodeLimits, decode


@serve.deployment(max_ongoing_requests=100, ray_actor_options={"num_cpus": 0.5})
class Classifier:
    """The model, asked in batches."""

    def __init__(self, use: str) -> None:
        self._model = load_classifier(use, backend="auto", models_dir=Path(use).parent, threads=1)

    @serve.batch(max_batch_size=8, batch_wait_timeout_s=0.002)
    async def __call__(self, pixels: list[Any]) -> list[list[float]]:
        """Logits for each."""
        output = await asyncio.to_thread(self._model, np.stack(pixels))
        return [row.tolist() for row in output.logits]


@serve.deployment(max_ongoing_requests=100, ray_actor_options={"num_cpus": 0.5})
class Ingress:
    """Decodes, and asks."""

    def __init__(self, use: str, classifier: Any) -> None:
        self._how = read_bundle(Path(use)).preprocess
        self._classifier = classifier

    async def __call__(self, request: Request) -> dict[str, Any]:
        """``POST`` raw bytes."""
        data = await request.body()
        decoded = await asyncio.to_thread(decode, data, DecodeLimits(), self._how, False)
        return {"logits": await self._classifier.remote(decoded.pixels), "near_key": decoded.near_key}


def build(arguments: Mapping[str, str]) -> Any:
    """What ``import_path`` names."""
    use = arguments["use"]
    return Ingress.bind(use, Classifier.bind(use))
