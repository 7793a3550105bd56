"""``whosthat corrections import``: a team starts from the pictures that it has.

Pictures go the way of all others: the worker looks at them, the ledger keeps them, and moderators (or the one
who imports) decide. What is done is done: an import that was cut short goes on where it was.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bot.app import open_eyes
from bot.desk.outcomes import seen_of
from bot.exporting import OPERATOR, open_ledger, policy_of
from bot.import_scan import Found, scan
from bot.import_sources import Source, failed, read, shown, source_of
from bot.settings import Settings
from bot.words import Words, words
from corrections.errors import BadLabel, Stale, UnknownLabels
from corrections.export.intake import IMPORTER, address_of
from corrections.export.types import Progress
from corrections.labels import clean_label
from corrections.ledger import MOST_LABELS, Ledger
from corrections.review.types import Labels, Moderator
from corrections.types import Community
from model.errors import DeadlinePassed, PictureError, WorkerBusy
from model.types import NOBODY, Eyes, Sight

Manner = Literal["approved", "queue"]

AHEAD = 6
"""Pictures that are looked at while an earlier one is recorded."""

NAMED = 10
"""Names in a sentence about many."""

_PATIENCE = 20  # how often a busy worker is asked again


@dataclass
class Outcome:
    """What became of the pictures; ``unreadable`` and ``differing``: the first of them by name."""

    counts: Counter[str] = field(default_factory=Counter)
    unreadable: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)


async def import_pictures(
    settings: Settings,
    place: Path,
    community: Community,
    manner: Manner,
    consent: bool,
    propose: bool,
    progress: Progress,
) -> list[str]:
    """Take the pictures of a folder or zip file in; the lines to print.

    Args:
        manner: whether they are approved as they are called, or wait in the queue with a vote for it.
        consent: whoever imports has the right to let them be learned from.
        propose: make names that nobody knows here proposals.

    Raises:
        corrections.errors.ImportFailed: one sentence; no picture was taken in.
        model.errors.ModelError: the worker went away; what was taken in stays.
    """
    async with AsyncExitStack() as stack:
        source = stack.enter_context(await asyncio.to_thread(source_of, place))
        found = await asyncio.to_thread(scan, source)
        ledger = await stack.enter_async_context(open_ledger(settings))
        community = await ledger.current_community(community)
        meant = await _meanings(ledger, community, found, propose)
        eyes = await open_eyes(stack, settings)
        importer = Importer(settings, ledger, eyes, source, community, manner, consent)
        outcome = await importer.take(found, meant, progress)
        await ledger.exports.intake.noted(OPERATOR, community, dict(outcome.counts))
    return _lines(outcome, manner, consent, words())


class Importer:
    """Takes pictures in, in their order, looking at some ahead."""

    def __init__(
        self,
        settings: Settings,
        ledger: Ledger,
        eyes: Eyes,
        source: Source,
        community: Community,
        manner: Manner,
        consent: bool,
    ) -> None:
        self._most = settings.worker.max_mebibytes << 20
        self._deadline = settings.worker.deadline_seconds
        self._policy = policy_of(settings)
        self._ledger = ledger
        self._eyes = eyes
        self._source = source
        self._community = community
        self._moderator = Moderator(OPERATOR.person, community)
        self._manner = manner
        self._consent = consent
        self._adopted: dict[str, str] = {}

    async def take(
        self, found: Sequence[Found], meant: dict[tuple[str, ...], Labels], progress: Progress
    ) -> Outcome:
        """All of them.

        Raises:
            model.errors.ModelError: the worker went away.
        """
        outcome = Outcome()
        ahead: deque[tuple[Found, asyncio.Task[_Looked]]] = deque()
        rest: Iterator[Found] = iter(found)
        try:
            while True:
                while len(ahead) < AHEAD and (each := next(rest, None)) is not None:
                    ahead.append((each, asyncio.create_task(self._look(each))))
                if not ahead:
                    return outcome
                each, task = ahead[0]
                await self._keep(each, await task, meant[each.labels], outcome)
                ahead.popleft()
                progress(sum(outcome.counts[key] for key in ("imported", "there", "unreadable")) / len(found))
        finally:
            for _, task in ahead:
                task.cancel()
            await asyncio.gather(*(task for _, task in ahead), return_exceptions=True)

    async def _look(self, each: Found) -> _Looked:
        try:
            content = await asyncio.to_thread(read, self._source, each.path, self._most)
        except OSError:
            return _Looked("", None, 0, None)
        sha256 = await asyncio.to_thread(lambda: hashlib.sha256(content).hexdigest())
        before = await self._ledger.exports.intake.before(self._community, sha256)
        if before.prediction_id is not None:
            return _Looked(sha256, before.prediction_id, before.slot, None)
        if len(content) > self._most:
            return _Looked(sha256, None, before.slot, None)
        for _ in range(_PATIENCE):
            try:
                sight = await self._eyes.look(content, keep=True, deadline=self._deadline)
                return _Looked(sha256, None, before.slot, sight)
            except PictureError:
                return _Looked(sha256, None, before.slot, None)
            except WorkerBusy as error:
                await asyncio.sleep(min(error.retry_after, 5.0))
            except DeadlinePassed:
                continue
        raise WorkerBusy(5.0)

    async def _keep(self, each: Found, looked: _Looked, labels: Labels, outcome: Outcome) -> None:
        prediction = looked.prediction_id
        if prediction is None:  # the same file may have come a moment ago
            before = await self._ledger.exports.intake.before(self._community, looked.sha256)
            prediction = before.prediction_id if looked.sha256 else None
        known = prediction is not None
        if prediction is None:
            if looked.sight is None:
                outcome.counts["unreadable"] += 1
                if len(outcome.unreadable) < NAMED:
                    outcome.unreadable.append(shown(each.path))
                return
            prediction = await self._record(looked, looked.sight)
        outcome.counts["there" if known else "imported"] += 1
        await self._ledger.exports.intake.settle(prediction, self._consent, each.split, self._policy)
        if self._manner == "queue":
            await self._ledger.vote(prediction, IMPORTER, frozenset(labels), datetime.now(UTC))
        elif not await self._approve(prediction, labels):
            outcome.counts["differing"] += 1
            if len(outcome.differing) < NAMED:
                outcome.differing.append(shown(each.path))

    async def _record(self, looked: _Looked, sight: Sight) -> int:
        answer = sight.answer
        if new := [each.character for each in answer.ranked if each.character not in self._adopted]:
            self._adopted.update(await self._ledger.adopt(new))
        ranked = tuple(replace(each, character=self._adopted[each.character]) for each in answer.ranked)
        done = await self._ledger.record(
            address_of(self._community, looked.sha256),
            looked.slot,
            IMPORTER,
            seen_of(sight),
            sight.bundle,
            sight.level,
            replace(answer, character=self._adopted[answer.character], ranked=ranked),
            sight.milliseconds,
            datetime.now(UTC),
        )
        return done.prediction_id

    async def _approve(self, prediction: int, labels: Labels) -> bool:
        """Approve an open case; False when something else was decided of it."""
        for _ in range(3):
            case = await self._ledger.exports.intake.case(prediction)
            if case.status != "open":
                return case.status == "approved" and set(case.decided or ()) == set(labels)
            try:
                await self._ledger.review.decide(
                    self._moderator, case.case_id, case.revision, "approve", labels, datetime.now(UTC)
                )
            except Stale:  # somebody was faster: look again
                continue
            return True
        return False


@dataclass(frozen=True, slots=True)
class _Looked:
    """What looking at a file brought: that it is here already, or a sight, or neither: it is unreadable."""

    sha256: str
    prediction_id: int | None
    slot: int
    sight: Sight | None


async def _meanings(
    ledger: Ledger, community: Community, found: Sequence[Found], propose: bool
) -> dict[tuple[str, ...], Labels]:
    """By the labels as they are written the characters that they mean.

    Raises:
        UnknownLabels: nobody knows some of them here.
        ImportFailed: nobody can be called so, or a picture has too many.
    """
    written = dict.fromkeys(each.labels for each in found)
    unknown: list[str] = []
    slugs: dict[str, str] = {}
    for text in _texts(written):
        resolved = await ledger.resolve(text.replace("_", " "), community)
        if resolved.slug is None and not propose:
            unknown.append(text)
        elif resolved.slug is not None:
            slugs[text] = resolved.slug
    if unknown:
        named = ", ".join(shown(each) for each in unknown[:NAMED])
        raise UnknownLabels(words()("import-unknown", count=len(unknown), name=named), tuple(unknown))
    new = [text for text in _texts(written) if text not in slugs]
    for text in new:  # all of them before any is proposed
        try:
            clean_label(text.replace("_", " "))
        except BadLabel:
            raise failed("import-bad-label", name=shown(text)) from None
    for text in new:
        try:
            slugs[text] = (await ledger.exports.intake.propose(text.replace("_", " "), community)).slug
        except BadLabel:  # moderators have refused this very name
            raise failed("import-bad-label", name=shown(text)) from None
    meant: dict[tuple[str, ...], Labels] = {}
    for labels in written:
        meant[labels] = tuple(sorted({slugs[text] for text in labels if text in slugs}))
        if len(meant[labels]) > MOST_LABELS:
            raise failed("import-many-labels", most=MOST_LABELS)
    return meant


def _texts(written: Iterable[tuple[str, ...]]) -> list[str]:
    """Every text but *nobody*, once."""
    texts = dict.fromkeys(text for labels in written for text in labels)
    return [text for text in texts if text.strip().casefold() != NOBODY]


def _lines(outcome: Outcome, manner: Manner, consent: bool, w: Words) -> list[str]:
    counts = outcome.counts
    lines = [w("import-done", count=counts["imported"], there=counts["there"])]
    if counts["unreadable"]:
        lines.append(w("import-not-read", count=counts["unreadable"], name=", ".join(outcome.unreadable)))
    if counts["differing"]:
        lines.append(w("import-differing", count=counts["differing"], name=", ".join(outcome.differing)))
    if counts["imported"] and manner == "queue":
        lines.append(w("import-queued"))
    if counts["imported"] and not consent:
        lines.append(w("import-no-consent"))
    return lines
