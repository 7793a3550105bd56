"""The characters in the database: seeded from the vocabulary file, read, and proposed."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import pinyin
from corrections.errors import BadLabel, TooManyProposals, UnknownLabel
from corrections.labels import LONGEST_SLUG, clean_label, language_of, slug_of, with_suffix
from corrections.tables import CharacterRow, CommunityRow
from corrections.types import Character, Community
from corrections.vocabulary import KNOWN, PROPOSED, Vocabulary


def vocabulary_file() -> dict[str, dict[str, Any]]:
    """The shipped vocabulary: slug to ``{"names": {language: name}, "aliases": [...]}``. Blocking."""
    entries = tomllib.loads(files("corrections").joinpath("vocabulary.toml").read_text(encoding="utf-8"))
    return {
        slug: {
            "names": {k: v for k, v in entry.items() if k != "aliases"},
            "aliases": entry.get("aliases", []),
        }
        for slug, entry in entries.items()
    }


async def seed(session: AsyncSession, entries: Mapping[str, Mapping[str, Any]]) -> None:
    """Bring the vocabulary file into the database, beside what moderators have changed there.

    A three-way merge: what the file said the last time is kept with the row. What the file has changed since
    is taken over; what moderators have changed stays.
    """
    rows = {row.slug: row for row in await session.scalars(select(CharacterRow))}
    revision = await next_revision(session)
    for slug, entry in entries.items():
        names, aliases = dict(entry["names"]), list(entry["aliases"])
        row = rows.get(slug)
        if row is None:
            row = CharacterRow(
                slug=slug, names=names, aliases=aliases, status=KNOWN, created_at=datetime.now(UTC)
            )
            session.add(row)
        elif row.seeded == {"names": names, "aliases": aliases}:
            continue
        else:
            _merge(row, names, aliases)
        row.seeded = {"names": names, "aliases": aliases}
        row.revision = revision


async def unread(session: AsyncSession) -> set[str]:
    """The Chinese names and aliases whose pinyin is not known."""
    return {
        text
        for row in await session.scalars(select(CharacterRow))
        for text in _chinese(row)
        if text not in (row.pinyin or {})
    }


async def keep_readings(session: AsyncSession, readings: Mapping[str, str]) -> None:
    """Write how Chinese names are read, with the characters that are called so."""
    revision = await next_revision(session)
    for row in await session.scalars(select(CharacterRow)):
        known = row.pinyin or {}
        now = {
            text: known.get(text) or readings[text] for text in _chinese(row) if text in {**known, **readings}
        }
        if now != known:
            row.pinyin, row.revision = now, revision


def _chinese(row: CharacterRow) -> list[str]:
    return [text for text in (*row.names.values(), *row.aliases) if pinyin.is_chinese(text)]


def _merge(row: CharacterRow, names: dict[str, str], aliases: list[str]) -> None:
    if row.seeded is None:  # a community proposed what the file now brings to everybody
        row.status, row.community_id, row.merged_into = KNOWN, None, None
        row.aliases = list(dict.fromkeys([*aliases, *row.names.values(), *row.aliases]))
        row.names = names
        return
    before: dict[str, str] = row.seeded["names"]
    untouched = {k: v for k, v in names.items() if row.names.get(k) == before.get(k)}
    row.names = {**row.names, **untouched}
    gone = set(row.seeded["aliases"]) - set(aliases)
    new = [alias for alias in aliases if alias not in row.seeded["aliases"]]
    row.aliases = list(dict.fromkeys([*(alias for alias in row.aliases if alias not in gone), *new]))


async def next_revision(session: AsyncSession) -> int:
    """The number for a change of characters that is about to be made."""
    return (await current_revision(session)) + 1


async def current_revision(session: AsyncSession) -> int:
    """Grows whenever any process changes a character."""
    return (await session.scalar(select(func.max(CharacterRow.revision)))) or 0


async def load(session: AsyncSession) -> Vocabulary:
    """All characters as they are now."""
    rows = (
        await session.execute(
            select(CharacterRow, CommunityRow.platform, CommunityRow.native).outerjoin(
                CommunityRow, CharacterRow.community_id == CommunityRow.id
            )
        )
    ).all()
    slugs = {row.id: row.slug for row, _, _ in rows}
    characters = [
        Character(
            slug=row.slug,
            names=dict(row.names),
            aliases=tuple(row.aliases),
            status=row.status,
            merged_into=slugs.get(row.merged_into) if row.merged_into else None,
            community=(platform, native) if platform else None,
        )
        for row, platform, native in rows
    ]
    readings = {text: reading for row, _, _ in rows for text, reading in (row.pinyin or {}).items()}
    return Vocabulary(characters, max((row.revision for row, _, _ in rows), default=0), readings)


async def ids_of(session: AsyncSession, slugs: frozenset[str]) -> dict[str, int]:
    """The rows of these slugs.

    Raises:
        UnknownLabel: there is none for one of them.
    """
    found = await session.execute(
        select(CharacterRow.slug, CharacterRow.id).where(CharacterRow.slug.in_(slugs))
    )
    ids: dict[str, int] = {row.slug: row.id for row in found}
    for slug in slugs:
        if slug not in ids:
            raise UnknownLabel(slug)
    return ids


async def adopt(
    session: AsyncSession, vocabulary: Vocabulary, slugs: Iterable[str], at: datetime
) -> dict[str, str]:
    """See `corrections.ledger.Ledger.adopt`."""
    adopted: dict[str, str] = {}
    revision = await next_revision(session)
    taken = set(vocabulary.characters)
    for slug in dict.fromkeys(slugs):
        name = slug.replace("-", " ")
        found = vocabulary.by_slug(slug, None) or vocabulary.resolve(name, None).character
        if found is not None:
            adopted[slug] = found.slug
            continue
        short = slug if len(slug) <= LONGEST_SLUG else with_suffix(slug, slug)
        if short in taken:  # of a proposal that is seen in one community only, or of a refused one
            short = with_suffix(short, f"adopted:{slug}")
        adopted[slug] = short
        if short in taken:
            continue
        taken.add(short)
        session.add(
            CharacterRow(
                slug=short,
                names={"en": name.title()},
                aliases=[],
                status=KNOWN,
                revision=revision,
                created_at=at,
            )
        )
    await session.flush()
    return adopted


async def propose(
    session: AsyncSession,
    vocabulary: Vocabulary,
    text: str,
    proposer_id: int,
    community: Community,
    community_id: int,
    at: datetime,
    most_per_day: int,
    readings: Mapping[str, str],
) -> Character:
    """See `corrections.ledger.Ledger.propose`."""
    found = vocabulary.resolve(text, community)
    if found.character is not None:
        return found.character
    label = clean_label(text)
    if vocabulary.refused(label, community):
        raise BadLabel("refused")
    today = await session.scalar(
        select(func.count())
        .select_from(CharacterRow)
        .where(CharacterRow.proposed_by == proposer_id, CharacterRow.created_at > at - timedelta(days=1))
    )
    if (today or 0) >= most_per_day:
        raise TooManyProposals(f"one person may propose {most_per_day} names a day")
    slug = slug_of(label)
    if slug in vocabulary.characters:  # of another community, or of a refused one
        slug = with_suffix(slug, f"{community}:{label}")
    row = CharacterRow(
        slug=slug,
        names={language_of(label): label},
        aliases=[],
        status=PROPOSED,
        community_id=community_id,
        proposed_by=proposer_id,
        pinyin=dict(readings) or None,
        revision=await next_revision(session),
        created_at=at,
    )
    session.add(row)
    await session.flush()
    return Character(slug, dict(row.names), (), PROPOSED, None, community)
