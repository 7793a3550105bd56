"""The self-benchmark: soon after a worker is ready, and after each swap, what it can do is measured.

It happens in a process of its own with a lower priority, which does one run at a time and only while nobody
waits for a picture: who asks meanwhile is kept waiting by one run at most. Then the chosen form is prepared
(`model.prepared`), and the worker changes over to it between two pictures. ::

    $ python -m model.worker.measuring FOLDER MODELS_DIR
    load {"backend": "onnx", "level": "exact", "threads": 2}  <- asked on stdin
    12.5 24.1                                                 <- milliseconds, and those of CPU, on stdout
    run                                                       <- and again
    prepare
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from model import prepared
from model.bundle import Bundle, read_bundle
from model.choosing import Chooser, Measured, Way, chosen, identity, ways, why
from model.classifier import Classifier, load_classifier
from model.errors import BundleError, LevelRefused
from model.supervisor import environment
from model.worker.engine import Engine

log = logging.getLogger(__name__)

RUNS = 6
"""Runs of each way, of which the best counts: what disturbs a run only ever makes it longer."""
SLOW = 0.5
"""Seconds; a way whose run takes longer is run twice only."""
SETTLED = 3.0
"""Seconds after the start, or after a swap, before it begins: a bot that starts needs the cores itself."""
BUSY = 1.6
"""A run on one core that took so many times its CPU time has waited for others: it says nothing of ours."""
AGAIN = 300.0
"""Seconds after which a busy machine is measured again."""
PATIENCE = 120.0
"""Seconds for one step, such as preparing a large model; and for all to be quiet before one run."""
LOOK_SECONDS = 0.05


class Measuring:
    """Measures whatever an engine looks with; one task for the life of a worker."""

    def __init__(
        self, engine: Engine, chooser: Chooser, settled: float = SETTLED, busy: float = BUSY
    ) -> None:
        self._engine = engine
        self._chooser = chooser
        self._settled = settled
        self._busy = busy

    async def keep(self) -> None:
        """Measure each bundle once, until cancelled."""
        done: object = None
        again = float("inf")
        while True:
            await asyncio.sleep(LOOK_SECONDS if done is None else 10 * LOOK_SECONDS)
            seat = self._engine.seat
            if seat is None or (seat.classifier is done and time.monotonic() < again):
                continue
            await asyncio.sleep(self._settled)
            if self._engine.seat is not seat:
                continue
            done, again = seat.classifier, float("inf")
            try:
                done, busy = await self._once(done)
            except TimeoutError:  # pictures come without a pause
                again = time.monotonic() + AGAIN
            except (BundleError, OSError, EOFError, ValueError) as error:
                log.warning("what this machine can do was not measured: %s", error or type(error).__name__)
            else:
                if busy:
                    log.info(
                        "the machine is busy; what it can do is measured again in %g minutes", AGAIN / 60
                    )
                    again = time.monotonic() + AGAIN

    async def _once(self, classifier: Classifier) -> tuple[Classifier, bool]:
        """Returns the classifier that is looked with afterwards, and whether the machine was too busy."""
        source = getattr(classifier, "source", None)
        folder = getattr(classifier, "folder", None) or (source.parent if source is not None else None)
        # not one of files; or on a GPU: threads change nothing there, and its level was proved at the load
        if folder is None or getattr(classifier, "gpu", False):
            return classifier, False
        bundle = await asyncio.to_thread(read_bundle, folder)
        chooser = self._chooser
        known = await asyncio.to_thread(chooser.kept.find, identity(bundle), chooser.wish)
        graph = getattr(classifier, "prepared", None)
        if graph is not None and not await asyncio.to_thread(prepared.intact, graph):
            log.warning("what was prepared of %s has changed on the disk: it is made again", bundle.info.id)
            graph = None
        ready = graph is not None or classifier.backend != "onnx"
        if ready and (known is not None or not chooser.wish.open):
            return classifier, False
        way = now = Way(classifier.backend, classifier.level, getattr(classifier, "threads", 0))
        busy = False
        async with _Child(bundle, chooser.models_dir) as child:
            if known is None and chooser.wish.open:
                try:
                    way = await self._choose(bundle, child) or now
                except _BusyError:
                    busy = True
            if ready and way == now:
                return classifier, busy
            if way.backend == "onnx":
                await self._quiet()
                await child.ask("load", way)
                await child.ask("prepare")
        await self._engine.load(str(folder), instead_of=classifier)
        # what has taken its place by a swap is measured next
        seat = self._engine.seat
        same = seat is not None and seat.info.id == classifier.info.id
        return (seat.classifier if seat is not None and same else classifier), busy

    async def _choose(self, bundle: Bundle, child: _Child) -> Way | None:
        began = time.monotonic()
        measured = []
        for way in await asyncio.to_thread(ways, bundle, self._chooser.wish):
            await self._quiet()
            answer = await child.ask("load", way)
            if answer.startswith("refused"):
                log.error("the level %s is not used: %s", way.level, answer.removeprefix("refused "))
                continue
            times = [_times(answer)]
            while len(times) < (2 if min(times)[0] > 1000 * SLOW else RUNS):
                await self._quiet()
                times.append(_times(await child.ask("run")))
            milliseconds, own = min(times)
            if way.threads == 1 and milliseconds > self._busy * own:
                raise _BusyError
            measured.append(Measured(way, milliseconds))
        if not measured:
            return None
        wish = self._chooser.wish
        choice = chosen(measured, wish.target)
        await asyncio.to_thread(self._chooser.kept.keep, identity(bundle), wish, choice, measured)
        seconds = time.monotonic() - began
        log.info("%s (measured in %.1f s)", why(choice, measured, wish.target), seconds)
        return choice.way

    async def _quiet(self) -> None:
        """Until nobody waits for a picture."""
        async with asyncio.timeout(PATIENCE):
            while len(self._engine.admission):  # noqa: ASYNC110  # requests come and go, and tell nobody
                await asyncio.sleep(LOOK_SECONDS)


class _BusyError(Exception):
    """Others took the machine while it was measured."""


def _times(answer: str) -> tuple[float, float]:
    """Milliseconds by the clock, and of CPU."""
    wall, cpu = answer.split()
    return float(wall), float(cpu)


class _Child:
    """The process that measures: ``async with _Child(bundle, models_dir) as child``."""

    def __init__(self, bundle: Bundle, models_dir: Path) -> None:
        self._line = [sys.executable, "-m", __name__, str(bundle.folder), str(models_dir)]
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> _Child:
        self._process = await asyncio.create_subprocess_exec(
            *self._line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment()
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is not None and process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def ask(self, what: str, way: Way | None = None) -> str:
        """One step.

        Raises:
            EOFError: it ended.
            TimeoutError: it takes too long.
            ValueError: it failed, in its own words.
        """
        process = self._process
        assert process is not None
        assert process.stdin
        assert process.stdout
        process.stdin.write(f"{what} {json.dumps(asdict(way)) if way else ''}\n".encode())
        async with asyncio.timeout(PATIENCE):
            await process.stdin.drain()
            answer = (await process.stdout.readline()).decode().strip()
        if not answer:
            raise EOFError("the process that measures ended")
        if answer.startswith("failed"):
            raise ValueError(answer.removeprefix("failed "))
        return answer


def main(folder: Path, models_dir: Path) -> None:
    """The child: do what stdin says until it ends."""
    if hasattr(os, "nice"):
        os.nice(10)
    classifier: Classifier | None = None
    pixels = np.random.default_rng(0)
    for line in sys.stdin:
        what, _, rest = line.partition(" ")
        try:
            if what == "load":
                classifier = None  # before the next one: never two at a time
                classifier = load_classifier(str(folder), models_dir=models_dir, **json.loads(rest))
            assert classifier is not None
            if what.strip() == "prepare":
                source = classifier.source  # type: ignore[attr-defined]
                prepared.make(source, prepared.place_of(source, models_dir))
                answer = "prepared"
            else:
                shape = (1, classifier.preprocess.height, classifier.preprocess.width, 3)
                picture = pixels.integers(0, 256, shape, np.uint8)
                begun = time.perf_counter(), time.process_time()
                classifier(picture)
                spent = time.perf_counter() - begun[0], time.process_time() - begun[1]
                answer = " ".join(f"{1000 * each:.3f}" for each in spent)
        except LevelRefused as error:
            answer = f"refused {error}"
        except Exception as error:  # whatever it is, the worker reads one line
            answer = f"failed {error or type(error).__name__}"
        print(answer.replace("\n", " "), flush=True)  # noqa: T201


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main(Path(sys.argv[1]), Path(sys.argv[2]))
