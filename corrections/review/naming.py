"""Moderators and names: accepting, refusing, renaming, merging and adding characters.

A community's moderators rule over that community's own names; the shared ones are the operator's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections import pinyin
from corrections.characters import load, next_revision
from corrections.errors import BadLabel, SharedCharacter, UnknownLabel
from corrections.labels import clean_label, comparable, slug_of, with_suffix
from corrections.tables import CharacterRow, DecisionRow, VoteCaseRow, VoteLabelRow
from corrections.types import LANGUAGES, Character, Community
from corrections.vocabulary import KNOWN, MERGED, PROPOSED, REFUSED, Vocabulary

ACCEPT, REFUSE, RENAME, MERGE, ADD, REMOVE = "accept", "refuse", "rename", "merge", "add", "remove"
MOST_ALIASES = 50


def clean_names(names: Mapping[str, str]) -> dict[str, str]:
    """Names by language as they are kept.

    Raises:
        BadLabel: one of them cannot be a name; or it is in a language that nothing is named in.
    """
    wanted = {language: text for language, text in names.items() if text.strip()}
    if set(wanted) - set(LANGUAGES):
        raise BadLabel("language")
    return {language: clean_label(text) for language, text in wanted.items()}


def clean_aliases(aliases: Iterable[str]) -> list[str]:
    """Aliases as they are kept: each once.

    Raises:
        BadLabel: one of them cannot be a name, or there are too many.
    """
    wanted = list(dict.fromkeys(clean_label(alias) for alias in aliases if alias.strip()))
    if len(wanted) > MOST_ALIASES:
        raise BadLabel("too-many")
    return wanted


def chinese(texts: Iterable[str]) -> list[str]:
    """Those whose pinyin has to be known."""
    return [text for text in texts if pinyin.is_chinese(text)]


async def mine(
    session: AsyncSession, slug: str, community: int | None, *, removing: bool = False
) -> CharacterRow:
    """A character that this moderator may change; ``community`` None: the operator.

    Args:
        removing: it is to be no name any more, which nobody may do to one that the program brings.

    Raises:
        UnknownLabel: there is none, or it is another community's.
        BadLabel: it is one that nobody can remove.
        SharedCharacter: it is everybody's.
    """
    row = await session.scalar(select(CharacterRow).where(CharacterRow.slug == slug))
    if (
        row is None
        or row.status in (MERGED, REFUSED)
        or (community and row.community_id not in (None, community))
    ):
        raise UnknownLabel(slug)
    if removing and row.seeded is not None:
        raise BadLabel("shipped")  # whoever asks: the operator could not either
    if community is not None and row.community_id is None:
        raise SharedCharacter(f"{slug} is shared by all communities: only the operator changes it")
    return row


async def rename(
    session: AsyncSession,
    row: CharacterRow,
    names: Mapping[str, str],
    aliases: Iterable[str] | None,
    home: Community | None,
    readings: Mapping[str, str],
) -> None:
    """Give a character other names; ``aliases`` None leaves those as they are.

    Raises:
        BadLabel: somebody else is called so.
    """
    vocabulary = await load(session)
    before = list(row.names.values())
    row.names = {**row.names, **names}
    # What people typed until now goes on meaning the same.
    kept = list(row.aliases) if aliases is None else list(aliases)
    kept += [name for name in before if name not in row.names.values() and name not in kept]
    row.aliases = kept
    texts = [*row.names.values(), *row.aliases]
    _check_free(vocabulary, texts, row.slug, home)
    known = {**(row.pinyin or {}), **readings}
    row.pinyin = {text: known[text] for text in texts if text in known} or None
    row.revision = await next_revision(session)
    await session.flush()


async def add(
    session: AsyncSession,
    names: Mapping[str, str],
    community: int | None,
    home: Community | None,
    readings: Mapping[str, str],
    at: datetime,
) -> CharacterRow:
    """A new character, known from now on.

    Raises:
        BadLabel: no name is given, or somebody is called so already.
    """
    if not names:
        raise BadLabel("empty")
    vocabulary = await load(session)
    _check_free(vocabulary, names.values(), "", home)
    label = names.get("en") or next(iter(names.values()))
    slug = slug_of(label)
    if slug in vocabulary.characters:
        slug = with_suffix(slug, f"{home}:{label}")
    row = CharacterRow(
        slug=slug,
        names=dict(names),
        aliases=[],
        status=KNOWN,
        community_id=community,
        pinyin=dict(readings) or None,
        revision=await next_revision(session),
        created_at=at,
    )
    session.add(row)
    await session.flush()
    return row


async def merge(session: AsyncSession, row: CharacterRow, into: str, home: Community | None) -> None:
    """Let a character be another one from now on.

    Raises:
        UnknownLabel: there is no such other one where this one is known.
        BadLabel: it would be merged into itself.
    """
    vocabulary = await load(session)
    character = vocabulary.characters[row.slug]
    target = vocabulary.by_slug(into, character.community)
    if target is None:
        raise UnknownLabel(into)
    if target.slug == row.slug:
        raise BadLabel("itself")
    row.merged_into = await session.scalar(select(CharacterRow.id).where(CharacterRow.slug == target.slug))
    row.status, row.revision = MERGED, await next_revision(session)
    await session.flush()


async def refuse(session: AsyncSession, row: CharacterRow) -> None:
    """A proposal that will not be a name.

    Raises:
        BadLabel: it has been accepted already.
    """
    if row.status != PROPOSED:
        raise BadLabel("accepted")
    row.status, row.revision = REFUSED, await next_revision(session)
    await session.flush()


async def remove(session: AsyncSession, row: CharacterRow) -> None:
    """A name that was known and will be no more, as one that was taught by mistake.

    Raises:
        BadLabel: it is one of the vocabulary that the program brings.
    """
    if row.seeded is not None:
        raise BadLabel("shipped")
    row.status, row.revision = REFUSED, await next_revision(session)
    await session.flush()


async def cases_naming(session: AsyncSession, character: int) -> set[int]:
    """The cases in which somebody named a character."""
    return set(
        await session.scalars(
            select(VoteCaseRow.case_id)
            .join(VoteLabelRow, VoteLabelRow.vote_id == VoteCaseRow.vote_id)
            .where(VoteLabelRow.character_id == character)
            .distinct()
        )
    )


def state(row: CharacterRow) -> dict[str, Any]:
    """What the history says of a character."""
    return {
        "slug": row.slug,
        "names": dict(row.names),
        "aliases": list(row.aliases),
        "status": row.status,
        "shared": row.community_id is None,
    }


def entry(
    row: CharacterRow,
    by: int,
    community: int | None,
    action: str,
    before: dict[str, Any] | None,
    at: datetime,
) -> DecisionRow:
    """One line of the history."""
    return DecisionRow(
        person_id=by,
        community_id=community,
        character_id=row.id,
        action=action,
        before=before,
        after=state(row),
        created_at=at,
    )


def _check_free(vocabulary: Vocabulary, texts: Iterable[str], slug: str, home: Community | None) -> None:
    keys = {comparable(text) for text in texts}
    for other in vocabulary.visible(home):
        if other.slug != slug and keys & {comparable(each) for each in _texts(other)}:
            raise BadLabel("taken")


def _texts(character: Character) -> tuple[str, ...]:
    return (character.slug, *character.names.values(), *character.aliases)
