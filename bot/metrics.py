"""What is counted in the bot's process, for Prometheus; `bot.watching` shows it.

Labels are few and bounded: platforms, reasons, verdicts, bundles. No person, place or message is in one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from bot.desk.types import Identified, Refused

PLATFORMS = ("discord", "telegram", "web")
MOST_VALUES = 64
"""Of one label; further ones are counted as *other*."""
SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 60)
HELD = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 5)
LOOP_SECONDS = 0.25
"""How often the event loop is asked how late it is."""


class Metrics:
    """One process's counts, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._seen: dict[str, set[str]] = {}
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        GCCollector(registry=registry)

        def counter(name: str, what: str, *labels: str) -> Counter:
            return Counter(f"whosthat_{name}", what, labels, registry=registry)

        def gauge(name: str, what: str, *labels: str) -> Gauge:
            return Gauge(f"whosthat_{name}", what, labels, registry=registry)

        def histogram(name: str, what: str, *labels: str, buckets: tuple[float, ...] = SECONDS) -> Histogram:
            return Histogram(f"whosthat_{name}", what, labels, buckets=buckets, registry=registry)

        self._posts = counter("posts", "Messages that an answer was wanted to.", "platform")
        self._pictures = counter(
            "pictures", "Pictures that were looked at and recorded.", "platform", "verdict", "bundle"
        )
        self._recalled = counter("recalled", "Answers that people's corrections had a say in.", "how")
        self._refused = counter("refused", "Pictures that were not answered.", "platform", "reason")
        self._answers = histogram(
            "answer_seconds", "From the event of a post until a picture's answer is known.", "platform"
        )
        self._replies = histogram(
            "reply_seconds", "From the event of a post until the platform has our reply.", "platform"
        )
        self._quiet = counter("unsaid", "Posts about which nothing was said.", "platform")
        self._votes = counter("votes", "Votes and undos that are in the ledger.", "platform", "how")
        self._failures = counter("ledger_failures", "Writes that the ledger did not take.", "platform")
        self._calls = counter(
            "platform_calls", "Requests to a platform, by their answer.", "platform", "result"
        )
        self._answering = gauge("answering", "Messages that are being answered now.")
        self._memory = gauge("memory_entries", "Pictures that are remembered.")
        self._review = gauge("review_open", "Cases that wait for a moderator.")
        self._part = gauge("part_up", "Whether a part is in order (1) or not (0), as /readyz says.", "part")
        self._communities = gauge("discord_servers", "Discord servers that this process is in.")
        self._restarts = gauge("worker_restarts", "Starts of our own worker after it died, so far.")
        self._away = gauge(
            "workers_away", "Workers of worker.url, where there are several, that are left alone."
        )
        self._held = histogram(
            "loop_late_seconds", "How late the event loop comes to what is due.", buckets=HELD
        )
        for platform in PLATFORMS:  # there from the start, so that a rate of them is never missing
            self._posts.labels(platform)
            self._answers.labels(platform)
            self._replies.labels(platform)
            self._failures.labels(platform)  # else increase() does not see the first one

    # -- what happens

    def asked(self, platform: str) -> None:
        """An answer to a message is wanted."""
        self._posts.labels(_platform(platform)).inc()

    def answering(self, messages: int) -> None:
        """So many messages are being answered now."""
        self._answering.set(messages)

    def answered(self, platform: str, answer: Identified, seconds: float) -> None:
        """A picture's answer is known."""
        platform, bundle = _platform(platform), self._bounded("bundle", answer.bundle)
        self._pictures.labels(platform, answer.verdict.value, bundle).inc()
        if answer.told is not None:
            self._recalled.labels(answer.told.how).inc()
        self._answers.labels(platform).observe(seconds)

    def refused(self, platform: str, refused: Refused) -> None:
        """A picture is not answered."""
        reason = self._bounded("reason", refused.key.removeprefix("error-"))
        self._refused.labels(_platform(platform), reason).inc()

    def said(self, platform: str, seconds: float) -> None:
        """The platform has our reply."""
        self._replies.labels(_platform(platform)).observe(seconds)

    def unsaid(self, platform: str) -> None:
        """There was nothing worth saying."""
        self._quiet.labels(_platform(platform)).inc()

    def voted(self, platform: str, how: str) -> None:
        """A vote or an undo is in the ledger."""
        self._votes.labels(_platform(platform), how).inc()

    def not_written(self, platform: str) -> None:
        """The ledger did not take something."""
        self._failures.labels(_platform(platform)).inc()

    def called(self, platform: str, status: int) -> None:
        """A platform answered a request of ours; 0: it did not."""
        result = {0: "failed", 429: "429"}.get(status) or f"{status // 100}xx"
        self._calls.labels(_platform(platform), self._bounded("result", result)).inc()

    # -- how things stand

    def parts(self, trouble: dict[str, str]) -> None:
        """What is wrong with each part; empty: nothing."""
        for name, sentence in trouble.items():
            self._part.labels(name).set(not sentence)

    def review(self, open_cases: int) -> None:
        """So many cases wait for a moderator."""
        self._review.set(open_cases)

    def memory(self, size: Callable[[], int]) -> None:
        """Where to look how many pictures are remembered."""
        self._memory.set_function(lambda: float(size()))

    def servers(self, count: int) -> None:
        """So many Discord servers."""
        self._communities.set(count)

    def restarts(self, count: Callable[[], int]) -> None:
        """Where to look how often our worker died and came back."""
        self._restarts.set_function(lambda: float(count()))

    def away(self, count: Callable[[], int]) -> None:
        """Where to look how many of several workers are left alone."""
        self._away.set_function(lambda: float(count()))

    async def watch_loop(self) -> None:
        """Note how late the event loop is, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOP_SECONDS
            await asyncio.sleep(LOOP_SECONDS)
            self._held.observe(max(0.0, loop.time() - due))

    def text(self) -> str:
        """Everything, as Prometheus reads it."""
        return generate_latest(self.registry).decode()

    def _bounded(self, label: str, value: str) -> str:
        """The value, unless there are too many of them already."""
        seen = self._seen.setdefault(label, set())
        if value not in seen and len(seen) >= MOST_VALUES:
            return "other"
        seen.add(value)
        return value


def _platform(name: str) -> str:
    return name if name in PLATFORMS else "other"
