"""One attempt at an export before a file is written: which pictures, which splits, what to say of them."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter, defaultdict
from collections.abc import Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from corrections import characters, people
from corrections.errors import NotFound, UnknownLabel
from corrections.export import snapshots
from corrections.export.describing import facts_of, nothing, vocabulary_of
from corrections.export.gather import Gathered, Gatherer
from corrections.export.scope import Scope
from corrections.export.splits import Fate, Splitter
from corrections.export.threads import in_thread
from corrections.export.types import SPLITS, Counts, ExportQuery, Format, Policy, Progress, Split
from corrections.export.writing import Placed, Stopped
from corrections.opening import Parts
from corrections.people import Pseudonyms
from corrections.review.types import Moderator
from corrections.types import Community, is_private
from corrections.vocabulary import Vocabulary
from model.types import NOBODY

READ, GROUPED = 0.1, 0.3
"""The shares of an export at which it has read the ledger, and put near copies together."""


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked, by whom, under which settings. ``by`` None: a preview."""

    query: ExportQuery
    policy: Policy
    by: Moderator | None

    @property
    def community(self) -> Community | None:
        """The only community in question.

        Raises:
            NotFound: it is another than the moderator's.
        """
        own = self.by.community if self.by is not None else None
        if own is not None and self.query.community not in (None, own):
            raise NotFound("there is no such community")
        return own or self.query.community


@dataclass
class Plan:
    """What one attempt is going to write. ``fates``: by a picture's place what becomes of its group."""

    found: Gathered
    scope: Scope
    fates: list[Fate]
    changed: list[Fate]
    mark: snapshots.Mark
    counts: Counts
    facts: dict[str, Any]

    @property
    def placed(self) -> Placed:
        """The pictures and where each goes."""
        return Placed(self.found, [fate.split for fate in self.fates], lambda place: self.fates[place].name)

    def joined(self) -> list[tuple[int, Fate]]:
        """The pictures that had no group."""
        blobs, groups = self.found.blobs, self.found.groups
        return [(blobs[place], fate) for place, fate in enumerate(self.fates) if not groups[place]]


async def gather(
    session: AsyncSession, parts: Parts, asked: Question, gone: set[str], progress: Progress
) -> tuple[Gathered, Scope, Vocabulary]:
    """What may leave.

    Args:
        gone: pictures whose bytes turned out damaged.

    Raises:
        NotFound: there is no such community, or whoever asks is no moderator there.
        UnknownLabel: nobody is called so.
        NothingToExport: nothing was ever posted in the moderator's community.
    """
    vocabulary = await characters.load(session)
    try:
        community = await community_row(session, asked.community)
    except NotFound:
        if (
            asked.by is None
            or asked.by.community is None
            or asked.query.community
            not in (
                None,
                asked.by.community,
            )
        ):
            raise
        raise nothing(Counts()) from None
    who = _character(vocabulary, asked.query.character, asked.community)
    scope = Scope(community, asked.query.since, who, asked.policy.allow_discord)
    tags = _Tags(parts.names, asked.query.name_communities)
    gatherer = Gatherer(session, parts.store, vocabulary, scope, tags.of, gone)
    return await gatherer.gather(progress), scope, vocabulary


async def make_plan(parts: Parts, asked: Question, form: Format, gone: set[str], progress: Progress) -> Plan:
    """Read the ledger at one moment, and decide what goes where; see `gather` for the errors.

    Raises:
        NothingToExport: all that fits is held back, or nothing fits.
    """
    splitter = Splitter(asked.policy)
    async with parts.work.read() as session:
        found, scope, vocabulary = await gather(
            session, parts, asked, gone, lambda part: progress(part * READ)
        )
        try:
            mark = await snapshots.mark_of(session)
            await snapshots.read_groups(session, splitter)
            held_out = await snapshots.once_in_test(session)
        except BaseException:
            found.close()
            raise
    try:
        numbers = await in_thread(
            lambda stop, tell: _number(splitter, found, held_out, stop, tell),
            lambda part: progress(READ + part * (GROUPED - READ)),
        )
        changed = await asyncio.to_thread(splitter.settle)
        fates = [splitter.fate(number) for number in numbers]
        plan = Plan(found, scope, fates, changed, mark, Counts(), {})
        plan.counts, by_character = await asyncio.to_thread(_count, plan)
        if not plan.counts.items:
            raise nothing(plan.counts)
        where = asked.community
        tags = _Tags(parts.names, asked.query.name_communities)
        plan.facts = facts_of(
            found,
            plan.counts,
            by_character,
            asked.query,
            scope.character,
            asked.policy,
            form,
            None if where is None else tags.of(where),
            vocabulary_of(vocabulary, found.slugs, where),
        )
        return plan
    except BaseException:
        found.close()
        raise


async def community_row(session: AsyncSession, community: Community | None) -> int | None:
    """The row of a community; None for all.

    Raises:
        NotFound: the ledger knows none of that id.
    """
    if community is None:
        return None
    found = await people.find_community(session, community)
    if found is None:
        raise NotFound(f"there is no community {':'.join(community)[:80]!r} in the ledger")
    return found


class _Tags:
    """What communities are called in the metadata."""

    def __init__(self, names: Pseudonyms, plain: bool) -> None:
        self._names = names
        self._plain = plain

    def of(self, community: Community) -> str:
        """A keyed hash, or nothing at all for one person's private chat; its id if the operator asks."""
        platform, native = community
        if self._plain:
            return f"{platform}:{native}"
        if is_private(community):
            return "private"
        return f"c-{self._names.community(community)[:16]}"


def _number(
    splitter: Splitter, found: Gathered, held_out: Set[str], stop: threading.Event, tell: Progress
) -> list[int]:
    """The number of every picture in the splitter. Blocking."""
    numbers: list[int] = []
    for item, group in zip(found.items(), found.groups, strict=True):
        if stop.is_set():
            raise Stopped
        if group:
            numbers.append(splitter.number_of(group))
        else:
            wanted: Split | None = "test" if item["sha256"] in held_out else None
            numbers.append(splitter.new(item["near_key"], item["sha256"], wanted))
        if len(numbers) % 200 == 0:
            tell(len(numbers) / len(found.groups))
    return numbers


def _count(plan: Plan) -> tuple[Counts, dict[str, dict[str, int]]]:
    """The figures of what leaves; by slug and split. Blocking."""
    by_split: Counter[str] = Counter(dict.fromkeys(SPLITS, 0))
    by_character: defaultdict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(SPLITS, 0))
    for item, split, _ in plan.placed:
        by_split[split] += 1
        for slug in item["labels"] or (NOBODY,):
            by_character[slug][split] += 1
    totals = {slug: sum(splits.values()) for slug, splits in by_character.items()}
    return plan.found.counts(totals, by_split, len(plan.fates) - sum(by_split.values())), by_character


def _character(vocabulary: Vocabulary, text: str | None, community: Community | None) -> str | None:
    if text is None or text.strip().casefold() == NOBODY:
        return None if text is None else NOBODY
    found = vocabulary.by_slug(text, community) or vocabulary.resolve(text, community).character
    if found is None:
        found = vocabulary.characters.get(text) if community is None else None  # the operator sees all
    if found is None:
        raise UnknownLabel(text)
    return found.slug
