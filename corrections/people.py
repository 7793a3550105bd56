"""People without their names: the key of a person is an HMAC, and its secret never leaves ``data_dir``."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import os
import secrets
from datetime import datetime
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.errors import PersonKeyError, Unwritable, WasForgotten
from corrections.tables import CommunityRow, FormerCommunityRow, PersonRow, PropertyRow, TombstoneRow
from corrections.types import Community, Person

KEY_FILE = "person.key"
KEY_BYTES = 32
_FINGERPRINT = "person-key"

FORGOTTEN_PERSON = "person"
"""Kind of the tombstone of somebody who asked to be forgotten."""


class Pseudonyms:
    """Turns people and messages into keyed hashes (HMAC-SHA256, 64 hexadecimal digits)."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def person(self, person: Person) -> str:
        """The key of a person: HMAC of ``platform:id``."""
        return self._hash(":".join(person))

    def message(self, platform: str, channel: str, message: str) -> str:
        """The key of a message, for its tombstone."""
        return self._hash("\x1f".join(("message", platform, channel, message)))

    def community(self, community: Community) -> str:
        """The key of a community, for what leaves the ledger."""
        return self._hash("\x1f".join(("community", *community)))

    def fingerprint(self) -> str:
        """Says whether two secrets are the same, and nothing else."""
        return self._hash("\x1ffingerprint")[:16]

    def _hash(self, text: str) -> str:
        return hmac.new(self._secret, text.encode(), hashlib.sha256).hexdigest()


def load_secret(data_dir: Path, make: bool) -> bytes:
    """The 32 bytes in ``data_dir/person.key``, made where there are none. Blocking.

    The file appears whole or not at all, readable by its owner only, and of two processes that make it at
    once both get the same one.

    Raises:
        PersonKeyError: it is damaged, or is missing and ``make`` is false.
        Unwritable: it cannot be read or written.
    """
    path = data_dir / KEY_FILE
    try:
        if make and not path.exists():
            _make_secret(path)
        secret = path.read_bytes()
    except FileNotFoundError:
        raise PersonKeyError(
            f"{path} is missing, and without it nobody's votes are theirs any more: put it back from a backup"
        ) from None
    except OSError as error:
        raise Unwritable(f"{path} cannot be read or written: {error.strerror}") from error
    if len(secret) != KEY_BYTES:
        raise PersonKeyError(f"{path} is damaged: it should have {KEY_BYTES} bytes, it has {len(secret)}")
    return secret


def _make_secret(path: Path) -> None:
    draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}.tmp")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secrets.token_bytes(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # another process was faster: its key it is
            os.link(draft, path)
    finally:
        draft.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


async def known_fingerprint(session: AsyncSession) -> str | None:
    """The fingerprint of the secret that this database was begun with."""
    return await session.scalar(select(PropertyRow.value).where(PropertyRow.name == _FINGERPRINT))


async def check_fingerprint(session: AsyncSession, fingerprint: str, place: str) -> None:
    """Tie the database to the secret, or see that it is the one.

    Raises:
        PersonKeyError: the database was begun with another one.
    """
    known = await known_fingerprint(session)
    if known is None:
        session.add(PropertyRow(name=_FINGERPRINT, value=fingerprint))
    elif known != fingerprint:
        raise PersonKeyError(
            f"{place} was begun with another {KEY_FILE}: put the one back that belongs to it"
        )


async def person_id(session: AsyncSession, key: str, at: datetime) -> int:
    """The row of a person, made when they are new.

    Args:
        at: since when what is to be written has been on its way.

    Raises:
        WasForgotten: since before they asked to be forgotten.
    """
    asked = await session.scalar(
        select(TombstoneRow.created_at).where(
            TombstoneRow.kind == FORGOTTEN_PERSON, TombstoneRow.key == _buried(key)
        )
    )
    if asked is not None and at <= asked:
        raise WasForgotten("this began before its person asked to be forgotten")
    found = await find_person(session, key)
    if found is None:
        row = PersonRow(person_key=key, created_at=at)
        session.add(row)
        await session.flush()
        found = row.id
    return found


async def refuse_until(session: AsyncSession, key: str, at: datetime) -> None:
    """Let nothing be written any more for a person that began until ``at``."""
    row = await session.scalar(
        select(TombstoneRow).where(TombstoneRow.kind == FORGOTTEN_PERSON, TombstoneRow.key == _buried(key))
    )
    if row is None:
        session.add(TombstoneRow(kind=FORGOTTEN_PERSON, key=_buried(key), created_at=at))
    else:
        row.created_at = max(row.created_at, at)
    await session.flush()


def _buried(key: str) -> str:
    """What a forgotten person's tombstone bears: not even their key."""
    return hashlib.sha256(f"forgotten:{key}".encode()).hexdigest()


async def find_person(session: AsyncSession, key: str) -> int | None:
    """The row of a person, if we have met."""
    return await session.scalar(select(PersonRow.id).where(PersonRow.person_key == key))


async def find_community(session: AsyncSession, community: Community) -> int | None:
    """The row of a community, by the id that it has or had, if we know it."""
    platform, native = community
    found: int | None = await session.scalar(
        select(CommunityRow.id).where(CommunityRow.platform == platform, CommunityRow.native == native)
    )
    if found is None:
        found = await session.scalar(
            select(FormerCommunityRow.community_id).where(
                FormerCommunityRow.platform == platform, FormerCommunityRow.native == native
            )
        )
    return found


async def community_id(session: AsyncSession, community: Community, at: datetime) -> int:
    """The row of a community, made when it is new."""
    found = await find_community(session, community)
    if found is None:
        platform, native = community
        row = CommunityRow(platform=platform, native=native, created_at=at)
        session.add(row)
        await session.flush()
        found = row.id
    return found
