"""What a worker shows to Prometheus at ``GET /metrics``.

While it works it only counts (`Observed`, and the counters that everything else keeps); what Prometheus wants
is made of that when it asks, so that a start does not wait for the library. Labels are reasons, verdicts, and
the bundle that serves: nothing of whoever asks.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.worker.engine import Engine

NAME = "whosthat_worker"
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0, 5.0, 10.0, 30.0)
SIZES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)


class Spread:
    """A histogram: how many observations were at most each of ``bounds``, and their sum."""

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0

    def observe(self, value: float) -> None:
        """One more."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def buckets(self) -> list[tuple[str, float]]:
        """Upper bounds and how many are at most that, as Prometheus wants them."""
        bounds = [*map(str, self.bounds), "+Inf"]
        return list(zip(bounds, map(float, accumulate(self.counts)), strict=True))


class Observed:
    """How long things took, and how large batches were."""

    def __init__(self) -> None:
        self.began = time.time()
        self.decode = Spread(SECONDS)
        self.look = Spread(SECONDS)
        self.request = Spread(SECONDS)
        self.batch = Spread(SIZES)

    def ran(self, pictures: int, seconds: float) -> None:
        """The model looked at so many pictures together, for so long."""
        self.batch.observe(pictures)
        self.look.observe(seconds)


def text(engine: Engine) -> bytes:
    """Everything, as Prometheus reads it."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.process_collector import ProcessCollector

    registry = CollectorRegistry()
    registry.register(_Families(engine))
    ProcessCollector(namespace=NAME, registry=registry)
    return generate_latest(registry)


class _Families:
    """A collector of prometheus-client's: `collect` is its one method."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def collect(self) -> Iterator[Any]:
        """Every family but those of the process."""
        from prometheus_client.core import (
            CounterMetricFamily,
            GaugeMetricFamily,
            HistogramMetricFamily,
            InfoMetricFamily,
        )

        engine, observed = self._engine, self._engine.observed
        counters, cache, door = dict(engine.counters), engine.cache, engine.admission
        for name, what, value in (
            ("pictures", "Pictures that were answered.", counters.get("answered", 0)),
            ("decoded", "Pictures that were decoded.", counters.get("decoded", 0)),
            ("dropped", "Pictures that nobody waited for any more.", counters.get("dropped", 0)),
            ("explained", "Pictures that were explained.", counters.get("explained", 0)),
            ("cache_hits", "Pictures that were known already.", cache.hits),
            ("cache_misses", "Pictures that were not.", cache.misses),
        ):
            yield CounterMetricFamily(f"{NAME}_{name}", what, value=value)
        for name, what, label, prefix in (
            ("refused", "Requests that were refused.", "reason", "refused "),
            ("verdicts", "Answers, by how sure they are.", "verdict", "verdict "),
        ):
            family = CounterMetricFamily(f"{NAME}_{name}", what, labels=[label])
            for key, value in sorted(counters.items()):
                if key.startswith(prefix):
                    family.add_metric([key.removeprefix(prefix)], value)
            yield family
        for name, what, number in (
            ("inside", "Requests that were let in and are not answered yet.", len(door)),
            ("room", "Requests that may be inside.", door.total),
            ("inside_bytes", "Bytes that they hold.", door.bytes),
            ("waiting", "Requests whose picture nobody has begun with.", engine.waiting),
            ("cache_entries", "Pictures that are known.", len(cache)),
            ("cache_bytes", "About what they take.", cache.bytes),
            ("began_seconds", "When the worker started, in Unix time.", observed.began),
            ("ready", "Whether a model is loaded.", engine.seat is not None),
        ):
            yield GaugeMetricFamily(f"{NAME}_{name}", what, value=float(number))
        for name, what, spread in (
            ("request_seconds", "From the beginning of a request until its answer.", observed.request),
            ("decode_seconds", "Decoding a picture, waiting for a free decoder included.", observed.decode),
            ("look_seconds", "One run of the model, over a batch.", observed.look),
            ("batch_size", "Pictures in one run of the model.", observed.batch),
        ):
            yield HistogramMetricFamily(f"{NAME}_{name}", what, spread.buckets(), spread.sum)
        if engine.seat is not None:
            classifier = engine.seat.classifier
            serving = {
                "bundle": classifier.info.id,
                "level": classifier.level,
                "backend": classifier.backend,
            }
            yield InfoMetricFamily(NAME, "What is looked with.", serving)
