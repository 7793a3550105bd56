"""Which of several workers is asked: the same picture the same one, none too much, the well ones only.

A worker that fails is left alone and looked at by itself until it answers again (a circuit breaker, Nygard,
*Release It!*, section 5.2, whose trial request is never somebody's picture).
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import math
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from model.errors import WorkerError, WorkerGone, WorkerMisconfigured
from model.link import Away, Link

log = logging.getLogger(__name__)

LOAD = 1.25
"""So many times its share of what is in flight a worker takes before the next one in line does."""
SAMPLE = 2**15  # bytes of either end of a picture; enough to tell it from others
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two looks at a worker that is away."""
MISCONFIGURED_PAUSE = 15.0
"""The same while it is of no use to ask: somebody has to mend it."""
FAULTS = 3
"""So many requests in a row that a worker fails at, though it lives, and it is asked last."""
FAULTY_SECONDS = 15.0


@dataclass(eq=False, slots=True)
class Health:
    """How a worker has been: ``gone`` says why it is left alone, while it is."""

    gone: WorkerGone | None = None
    faults: int = 0
    faulty_until: float = 0.0
    busy_until: float = 0.0
    probe: asyncio.Task[None] | None = field(default=None, repr=False)


class Routes:
    """The workers, how they are, and who is next."""

    def __init__(self, links: Sequence[Link]) -> None:
        self.links = tuple(links)
        self.health = {link: Health() for link in self.links}
        self._back = asyncio.Event()
        self._leading = ""
        self._mixed: frozenset[tuple[str, str]] = frozenset()

    @property
    def several(self) -> bool:
        """Whether there is a choice."""
        return len(self.links) > 1

    def choose(self, key: bytes, asked: Collection[Link] = ()) -> Link | None:
        """The worker for a picture; None when there is none that is well and was not ``asked``.

        Those that are well come in the order of rendezvous hashing (Thaler and Ravishankar, IEEE/ACM ToN
        1998), so that a picture comes to the worker that has seen it; one that has more than its share in
        flight is passed over (bounded loads: Mirrokni, Thorup and Zadimoghaddam, SODA 2018).
        """
        now = asyncio.get_running_loop().time()
        well = [link for link in self.links if self.health[link].gone is None and link not in asked]
        if not self.several or not well:
            return well[0] if well else None
        ready = [
            each for each in well if max(self.health[each].faulty_until, self.health[each].busy_until) <= now
        ]
        several = sorted(ready or well, key=lambda link: weight(link.address, key), reverse=True)
        most = math.ceil(LOAD * (sum(link.in_flight for link in several) + 1) / len(several))
        return next(link for link in several if link.in_flight < most)

    def why(self) -> WorkerGone:
        """Why there is none; what somebody has to mend, if that holds for all of them."""
        found = [health.gone for health in self.health.values() if health.gone is not None]
        passing = [gone for gone in found if not isinstance(gone, WorkerMisconfigured)]
        return (passing or found or [WorkerGone("no worker answers")])[0]

    @property
    def away_now(self) -> int:
        """How many are left alone."""
        return sum(health.gone is not None for health in self.health.values())

    async def back(self, seconds: float) -> bool:
        """Wait until one that was away is back; whether one is."""
        self._back.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._back.wait()
        except TimeoutError:
            return False
        return True

    # -- what came of a request

    def answered(self, link: Link) -> None:
        """It did what it should."""
        self.health[link].faults = 0
        self.health[link].faulty_until = 0.0
        self._notice()

    def away(self, link: Link, gone: WorkerGone) -> None:
        """It is left alone until it is ready again, which is looked at from now on."""
        health = self.health[link]
        if not self.several or health.gone is not None:
            return
        health.gone = gone
        log.warning("%s; the others are asked meanwhile", gone)
        health.probe = asyncio.create_task(self._probe(link, health), name=f"probe {link.address}")

    def failed(self, link: Link, error: WorkerError) -> None:
        """It lives, and did not do it: too late, or a fault of its own."""
        health = self.health[link]
        health.faults += 1
        if self.several and health.faults == FAULTS:
            health.faults = 0
            health.faulty_until = asyncio.get_running_loop().time() + FAULTY_SECONDS
            log.warning("the worker at %s failed %d times in a row: %s", link.address, FAULTS, error)

    def busy(self, link: Link, seconds: float) -> None:
        """It is full for a moment."""
        self.health[link].busy_until = asyncio.get_running_loop().time() + min(seconds, 1.0)

    async def _probe(self, link: Link, health: Health) -> None:
        pause = FIRST_PAUSE
        while health.gone is not None:
            lasting = isinstance(health.gone, WorkerMisconfigured)
            await asyncio.sleep(MISCONFIGURED_PAUSE if lasting else pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            try:
                await link.ask("GET", "/readyz", None, {}, LONGEST_PAUSE, fresh=True)
            except (Away, WorkerMisconfigured) as error:
                gone = error.gone if isinstance(error, Away) else error
                if str(gone) != str(health.gone):
                    log.warning("%s", gone)
                health.gone = gone
            except (TimeoutError, WorkerError):
                pass
            else:
                health.gone, health.faults, health.faulty_until = None, 0, 0.0
                log.info("the worker at %s is back, with %s", link.address, link.bundle)
                self._back.set()
                self._notice()

    # -- which model answers

    @property
    def leading(self) -> str:
        """The model that most of those answer with that are well; empty until one has answered."""
        return self._leading

    def _notice(self) -> None:
        """Say it when the workers do not look with the same model, and when they do again."""
        if not self.several:
            self._leading = self.links[0].bundle
            return
        well = [link for link in self.links if self.health[link].gone is None and link.bundle]
        counts = Counter(link.bundle for link in well)
        if not counts:
            return
        most = max(counts.values())
        if counts[self._leading] < most:  # of equals the one that leads goes on
            self._leading = next(bundle for bundle, count in counts.items() if count == most)
        now = frozenset((link.address, link.bundle) for link in well) if len(counts) > 1 else frozenset()
        if now == self._mixed:
            return
        before, self._mixed = self._mixed, now
        if now:
            log.warning("the workers do not look with the same model: %s", told(now))
        elif before:
            log.info("all workers look with %s", self._leading)

    async def close(self) -> None:
        """Look after nobody any more."""
        probes = [health.probe for health in self.health.values() if health.probe is not None]
        for probe in probes:
            probe.cancel()
        await asyncio.gather(*probes, return_exceptions=True)
        for link in self.links:
            await link.close()


def key_of(picture: bytes) -> bytes:
    """What a picture is routed by; of a long one its ends, so that the event loop is not held."""
    ends = picture if len(picture) <= 2 * SAMPLE else picture[:SAMPLE] + picture[-SAMPLE:]
    return hashlib.sha256(len(picture).to_bytes(8, "big") + ends).digest()


def weight(address: str, key: bytes) -> bytes:
    """How much a worker is the one for a picture."""
    return hashlib.blake2b(key, key=hashlib.sha256(address.encode()).digest(), digest_size=8).digest()


def told(workers: Collection[tuple[str, str]]) -> str:
    """``a, b: one; c: another`` of pairs of address and model."""
    models: dict[str, list[str]] = {}
    for address, bundle in sorted(workers):
        models.setdefault(bundle, []).append(address)
    return "; ".join(f"{bundle} at {', '.join(where)}" for bundle, where in sorted(models.items()))
