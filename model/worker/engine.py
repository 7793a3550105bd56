"""The middle of the worker: takes jobs from the fair queue, decodes, looks, remembers, and swaps bundles."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from model import tracing
from model.answering import answer
from model.checking import probe
from model.classifier import Classifier, Progress, load_classifier, may_have_gpu
from model.decode import Decoded, DecodeLimits
from model.decoders import DecoderOptions, Decoders
from model.errors import BundleError, ModelError, PictureError, WorkerError
from model.hardware import gpu_decoders
from model.targets import aimed
from model.types import Answer, BundleInfo, Sight
from model.worker.cache import Cache, Kept, Known
from model.worker.job import Job, both
from model.worker.metrics import Observed
from model.worker.options import WorkerOptions
from model.worker.queue import Admission, FairQueue
from model.worker.seat import Seat, batching_of, end

log = logging.getLogger(__name__)


class Engine:
    """Looks at pictures: ``await engine.look(...)`` from any number of requests at a time."""

    def __init__(
        self,
        options: WorkerOptions,
        *,
        load: Callable[..., Classifier] = load_classifier,
        check: Callable[[Classifier], None] = probe,
        decoders: Decoders | None = None,
    ) -> None:
        """``load`` and ``decoders`` for those who bring a classifier or a way to decode of their own;
        ``check`` has what was loaded look at a picture, and raises BundleError."""
        self.options = options
        self.admission = Admission(options.queue, options.key_bound, options.queue_bytes)
        self.cache = Cache(options.cache_entries, options.cache_bytes)
        self.kept = Kept(options.cache_bytes // 2 if options.cache_entries else 0)
        self.counters: Counter[str] = Counter()
        self.observed = Observed()
        self.decoders = decoders or Decoders(
            DecoderOptions(
                children=options.decoders
                or (gpu_decoders() if options.backend != "onnx" and may_have_gpu() else 0),
                seconds=options.decode_seconds,
                limits=DecodeLimits(bytes=options.max_bytes, pixels=options.max_pixels),
            )
        )
        self._queue: FairQueue[Job] = FairQueue()
        self._seat: Seat | None = None
        self._seated = asyncio.Event()
        self._swapping = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._load = load
        self._check = check
        self._busy = 0  # jobs that have left the queue and are not answered yet
        self._freed = asyncio.Event()
        self.loading = 0  # loads that run in a thread, which nothing can stop

    @property
    def seat(self) -> Seat | None:
        """The bundle that is asked now; None while the first one warms up."""
        return self._seat

    @property
    def waiting(self) -> int:
        """Jobs that nobody has begun with."""
        return len(self._queue)

    async def start(self) -> None:
        """Start the decoders. Jobs wait until a bundle is loaded."""
        await self.decoders.__aenter__()
        self._keep(asyncio.create_task(self._hand_out()))

    async def close(self) -> None:
        """End everything; jobs that still wait are answered with an error."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._seat is not None:
            self._seat.stop()
        await self.decoders.close()

    async def load(
        self, use: str, progress: Progress | None = None, *, instead_of: Classifier | None = None
    ) -> BundleInfo:
        """Load a bundle beside the one that is asked now, then put it in its place.

        Args:
            instead_of: only while this one is asked; else nothing happens.

        Raises:
            BundleError: it cannot be loaded; the old one stays.
        """
        async with self._swapping:
            if instead_of is not None and self._seat and self._seat.classifier is not instead_of:
                return self._seat.info
            self.loading += 1
            try:
                classifier = await asyncio.to_thread(self._loaded, use, progress)
            finally:
                self.loading -= 1
            old, self._seat = (
                self._seat,
                Seat(
                    classifier,
                    self.counters,
                    batching_of(classifier, self.options.batch),
                    self.observed.ran,
                    end,
                ),
            )
            self._seated.set()
            if old is not None:
                self._keep(asyncio.create_task(old.close()))
            log.info("looking with %s, %s, %s", classifier.info.id, classifier.level, classifier.backend)
            return classifier.info

    def _loaded(self, use: str, progress: Progress | None) -> Classifier:
        """A classifier that has answered a picture: who asks it first shall not be the one to find out."""
        classifier = self._load(
            use,
            backend=self.options.backend,
            models_dir=Path(self.options.models_dir),
            threads=self.options.threads,
            progress=progress,
        )
        self._check(classifier)
        classifier.info, missed = aimed(
            classifier.info,
            sure_right=self.options.sure_right,
            characters_kept=self.options.characters_kept,
        )
        for sentence in missed:
            # an older bundle is as good as it was; what can never be said is worth a warning
            log.log(logging.WARNING if classifier.info.targets.sure else logging.INFO, "%s", sentence)
        return classifier

    def known(self, sha256: str, keep: bool) -> Sight | None:
        """The answer to a picture that was looked at before, if all that is wanted of it is still there."""
        began = time.perf_counter()
        stored = self.kept.get(sha256) if keep else None
        if self._seat is None or (keep and stored is None):
            return None
        known = self._known(self._seat, sha256)
        return None if known is None else self._sight(sha256, began, self._seat, known, stored, cached=True)

    async def look(self, picture: bytes, sha256: str, key: str, keep: bool) -> Sight:
        """Wait for the answer to one picture; cancel it when nobody waits any more.

        Raises:
            ModelError: PictureError, or WorkerError for a fault of ours.
        """
        if not picture:
            raise PictureError("empty", "there are no bytes in this picture")
        known = self.known(sha256, keep)
        if known is not None:  # no need to stand in line
            return known
        job = Job(picture, sha256, key, keep, asyncio.get_running_loop().create_future())
        self._queue.put(key, job)
        try:
            return await job.reply
        finally:
            if job.reply.cancelled():
                self._queue.discard(key, job)

    async def _hand_out(self) -> None:
        """Take jobs from the queue as hands are free, so that who is next is decided as late as can be."""
        await self._seated.wait()
        while True:
            while self._busy >= self._hands():
                self._freed.clear()
                await self._freed.wait()
            job = await self._queue.get()
            self._busy += 1
            work = asyncio.create_task(self._one(job))
            work.add_done_callback(partial(self._handed_back, job, time.perf_counter(), self._busy))
            self._keep(work)

    def _hands(self) -> int:
        """Jobs at a time: each decoder has one, and as many are ahead as the classifier has room for."""
        assert self._seat is not None
        return self.decoders.options.count + self._seat.batching.room

    def _handed_back(self, job: Job, began: float, beside: int, work: asyncio.Task[None]) -> None:
        if work.cancelled():
            job.fail(WorkerError("the worker stops"))
        self.admission.took((time.perf_counter() - began) / beside)
        self._busy -= 1
        self._freed.set()

    async def _one(self, job: Job) -> None:
        tracing.trace(job.trace)
        try:
            if not job.reply.done():
                sight = await self._answered(job)
                if not job.reply.done():
                    job.reply.set_result(sight)
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
        except ModelError as error:
            job.fail(error)
        except Exception as error:  # whatever it is, the next picture is answered
            log.exception("a picture could not be looked at")
            job.fail(WorkerError(f"the worker has a fault: {type(error).__name__}"))

    async def _answered(self, job: Job) -> Sight:
        assert self._seat is not None
        with self._seat as seat:
            known = self._known(seat, job.sha256) if job.keep else None  # else `look` has asked
            how, stored, cached = seat.classifier.preprocess, None, known is not None
            began = time.perf_counter()
            if known is not None:
                stored = await self.decoders.store(job.picture, how)
                self._decoded(began)
            else:
                decoded = await self.decoders.decode(job.picture, how, keep=job.keep, apart=True)
                self._decoded(began)
                looking, stored = self._looked(seat, job, decoded), decoded.stored
                if job.keep and stored is None:
                    known, stored = await both(looking, self.decoders.store(job.picture, how))
                else:
                    known = await looking
            if stored is not None:
                self.kept.put(job.sha256, stored)
            return self._sight(job.sha256, job.began, seat, known, stored, cached=cached)

    def _decoded(self, began: float) -> None:
        self.counters["decoded"] += 1
        self.observed.decode.observe(time.perf_counter() - began)

    async def _looked(self, seat: Seat, job: Job, decoded: Decoded) -> Known:
        logits, embedding = await seat.look(decoded.pixels, lambda: not job.reply.done())
        known = Known(logits, embedding, decoded.near_key, decoded.width, decoded.height, decoded.marks)
        self.cache.put((job.sha256, seat.info.id, seat.classifier.level), known)
        return known

    def _known(self, seat: Seat, sha256: str) -> Known | None:
        return self.cache.get((sha256, seat.info.id, seat.classifier.level))

    def _sight(
        self, sha256: str, began: float, seat: Seat, known: Known, stored: bytes | None, *, cached: bool
    ) -> Sight:
        self.counters["answered"] += 1
        return Sight(
            answer=_answer(known, seat.info),
            logits=tuple(known.logits.tolist()),
            embedding=tuple(known.embedding.tolist()),
            near_key=known.near_key,
            sha256=sha256,
            width=known.width,
            height=known.height,
            bundle=seat.info.id,
            level=seat.classifier.level,
            milliseconds=(time.perf_counter() - began) * 1000,
            cached=cached,
            stored=stored,
            stored_format="webp" if stored is not None else "",
            marks=known.marks,
            calibration=seat.info.calibration,
        )

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _answer(known: Known, info: BundleInfo) -> Answer:
    try:
        return answer(known.logits.tolist(), info)
    except BundleError as error:  # a model that gives no numbers is a fault of ours, not of a request
        raise WorkerError(str(error)) from error
