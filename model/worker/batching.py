"""How many pictures are looked at together, found out while serving: `Batching`.

Whether a batch pays is the device's business: on the CPUs measured two pictures take twice as long as one,
on a GPU sixteen may take hardly longer. So the size starts at one and is tried out in place. From time to
time a *trial* runs batches of the present size and of its neighbour on the ladder 1, 2, 4, … in turns, which
makes drift and other processes fall on both alike, and compares pictures per second: the larger size is taken
when it wins clearly, and kept while it wins at all. Where nothing changes trials become rare.

A batch that is not full waits for more only when that pays: ``n`` pictures that wait for one more lose ``n``
times the usual gap between arrivals, and what comes saves the time of a run. That is delayed batching
(Crankshaw et al., *Clipper*, NSDI 2017, section 4.3.2) with the delay taken from what is measured; it never
exceeds `LONGEST_WAIT` nor a quarter of a run.

Nothing here knows time or threads: whoever uses it says what happened and when.
"""

from __future__ import annotations

from collections import deque
from statistics import median

MOST = 64
"""Pictures in a batch, at most, unless somebody says otherwise."""
LONGEST_WAIT = 0.005
"""Seconds that a picture is kept waiting for a fuller batch, at most."""
GAIN = 1.15
"""So many times more pictures per second make a larger batch worth its longer wait …"""
KEPT = 1.08
"""… and so many keep it, so that the size does not go to and fro."""
PAIRS = 8
"""Runs of each size in a trial; all but one must be won, which chance seldom does."""
FIRST, LAST = 8, 256
"""Runs between two trials: soon after a change, seldom where nothing changes."""
PATIENCE = 64
"""Runs after which a trial is given up for want of pictures that wait."""
CHANGED = 1.5
"""A run that takes so many times longer or shorter than it did makes trials frequent again."""
SMOOTH = 0.1
"""The share of the newest measurement in a smoothed one."""


class Batching:
    """The size of batches and how long they wait, for one classifier on one device."""

    def __init__(self, most: int = MOST, *, size: int = 1, longest_wait: float = LONGEST_WAIT) -> None:
        """Begin with a size.

        Args:
            most: pictures in a batch at most; 1 never tries anything.
            size: to begin with; the largest on the ladder that is not larger.
            longest_wait: seconds that a batch may wait to become fuller.
        """
        self._ladder = _ladder(most)
        self._step = max(step for step, each in enumerate(self._ladder) if each <= max(1, size))
        self._longest_wait = longest_wait
        self._seconds: dict[int, float] = {}  # of a run, smoothed, by size
        self._settled = 0.0  # seconds of a run of the present size when it was last decided
        self._gap = 0.0  # seconds between arrivals, smoothed; 0 while unknown
        self._arrived = 0.0
        self._pause = self._until = FIRST
        self._upward = self._grown = True
        self._calm = FIRST  # the pause before the last turn
        self._trial: _Trial | None = None

    @property
    def size(self) -> int:
        """How many pictures are looked at together at present, outside of trials."""
        return self._ladder[self._step]

    @property
    def full(self) -> int:
        """How many make a whole batch now, in a trial or outside."""
        return self._trial.wants if self._trial is not None else self.size

    @property
    def room(self) -> int:
        """How many pictures it pays to have ready or under way: one batch runs, the next and a trial wait."""
        return 1 if self.size == 1 else 3 * self.size

    def arrived(self, now: float) -> None:
        """A picture is ready to be looked at; ``now`` in seconds of any clock."""
        if self._arrived:
            gap = max(0.0, now - self._arrived)
            self._gap += SMOOTH * (gap - self._gap) if self._gap else gap
        self._arrived = now

    def take(self, waiting: int) -> int:
        """How many of those that wait are looked at now."""
        if self._trial is not None and waiting >= self._trial.wants:
            return self._trial.wants
        return min(waiting, self.size)

    def wait(self, waiting: int, waited: float) -> float:
        """How many seconds the next run is put off for one more picture; 0: it runs.

        Args:
            waiting: pictures that are ready.
            waited: seconds that the run has been put off already.
        """
        run = self._seconds.get(self.size, 0.0)
        if not 0 < waiting < self.size or not self._gap or waiting * self._gap >= run:
            return 0.0
        left = min(self._longest_wait, run / 4) - waited
        return max(0.0, min(left, 2 * self._gap))

    def took(self, count: int, seconds: float) -> None:
        """A run of ``count`` pictures took so long. One between two sizes of the ladder teaches nothing."""
        if count not in self._ladder or seconds <= 0:
            return
        before = self._seconds.setdefault(count, seconds)
        smoothed = self._seconds[count] = before + SMOOTH * (seconds - before)
        if count == self.size:
            self._settled = self._settled or smoothed
            if not 1 / CHANGED < smoothed / self._settled < CHANGED:
                self._settled = smoothed
                self._pause, self._until = FIRST, min(self._until, FIRST)
        if self._trial is not None:
            self._follow(self._trial, count, seconds)
        elif self._until > 0:
            self._until -= 1
        elif (other := self._neighbour()) is not None:
            self._trial = _Trial(min(self._step, other), self._ladder)

    def too_large(self, count: int) -> None:
        """A run of ``count`` pictures failed that succeed one by one: the device has no room for so many."""
        self._ladder = tuple(size for size in self._ladder if size < max(2, count))
        self._step = min(self._step, len(self._ladder) - 1)
        self._trial, self._until = None, self._pause

    def _neighbour(self) -> int | None:
        """Up and down the ladder in turns, where there is one."""
        if len(self._ladder) == 1:
            return None
        upward, self._upward = self._upward, not self._upward
        if self._step == 0 or (upward and self._step + 1 < len(self._ladder)):
            return self._step + 1
        return self._step - 1

    def _follow(self, trial: _Trial, count: int, seconds: float) -> None:
        trial.note(count, count / seconds)
        if not trial.done:
            if trial.runs >= PATIENCE:
                self._trial, self._until = None, self._pause
            return
        self._trial = None
        had_larger = self._step > trial.step
        self._step = trial.step + trial.larger_pays(had_larger)
        if had_larger == (self._step > trial.step):
            self._calm = self._pause = min(2 * self._pause, LAST)
        else:
            grown = not had_larger
            if grown == self._grown:  # on in the same direction, soon
                self._pause = FIRST
            else:  # taking back what chance may have brought makes trials rarer, as finding nothing does
                self._calm = self._pause = min(2 * self._calm, LAST)
            self._grown = self._upward = grown
            self._settled = self._seconds.get(self.size, 0.0)
        self._until = self._pause


class _Trial:
    """Two neighbouring sizes in turns."""

    def __init__(self, step: int, ladder: tuple[int, ...]) -> None:
        self.step = step  # of the smaller one
        self.runs = 0
        self._sizes = ladder[step], ladder[step + 1]
        self._rates: tuple[deque[float], deque[float]] = deque(), deque()

    @property
    def wants(self) -> int:
        """Whose turn it is."""
        small, large = self._rates
        return self._sizes[len(small) > len(large)]

    @property
    def done(self) -> bool:
        return len(self._rates[1]) == PAIRS

    def note(self, count: int, rate: float) -> None:
        self.runs += 1
        if count == self.wants:
            self._rates[self._sizes.index(count)].append(rate)

    def larger_pays(self, had: bool) -> bool:
        """Whether it is worth it; less is asked of the one that is in use."""
        ratios = [large / small for small, large in zip(*self._rates, strict=True)]
        if had:
            return median(ratios) >= KEPT
        return median(ratios) >= GAIN and sum(ratio > 1 for ratio in ratios) >= PAIRS - 1


def _ladder(most: int) -> tuple[int, ...]:
    sizes = [1]
    while sizes[-1] < most:
        sizes.append(min(2 * sizes[-1], most))
    return tuple(sizes)
