"""A look at a ledger that changes nothing: is it whole, can it be written to, which revision has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession

from corrections import schema
from corrections.communities import every_choice
from corrections.engine import complaint, create_engine, file_of, place_of, writers
from corrections.errors import NotALedger, SchemaTooNew
from corrections.people import KEY_FILE, Pseudonyms, check_fingerprint, known_fingerprint, load_secret
from corrections.tables import BlobRow
from corrections.types import Community, CommunitySettings


@dataclass(frozen=True, slots=True)
class Checkup:
    """What was found.

    ``revision`` is None when there are no tables yet. ``picture_bytes`` and ``chosen`` (what communities
    chose for themselves) are known only when the tables are those of this version, and so is ``keyed``:
    whether the ledger has been begun with a key.
    """

    place: str
    revision: str | None
    head: str
    picture_bytes: int = 0
    keyed: bool = False
    chosen: Mapping[Community, CommunitySettings] = field(default_factory=dict)

    @property
    def current(self) -> bool:
        """Whether the tables are those of this version."""
        return self.revision == self.head


async def examine(url: str) -> Checkup:
    """Look at a ledger; a file that is not there is not made.

    Raises:
        OpenError: it is damaged, newer, something else, or cannot be written to.
        LedgerLocked: another process does not let go of it.
    """
    engine = create_engine(url)
    place, head = place_of(engine), schema.head()
    try:
        revision = await schema.current(url)
        if revision is not None and revision not in schema.known():
            raise SchemaTooNew(f"{place} was written by a newer version of this program: update it first")
        if revision is None:
            return Checkup(place, None, head)
        async with writers(engine).connect() as connection:
            await connection.begin()  # this asks for the right to write
            await _is_whole(connection, place)
            if revision != head:
                return Checkup(place, revision, head)
            async with AsyncSession(connection) as session:
                held = await session.scalar(select(func.sum(BlobRow.size)).where(BlobRow.erased_at.is_(None)))
                keyed = await known_fingerprint(session) is not None
                chosen = await every_choice(session)
            await connection.rollback()
            return Checkup(place, revision, head, int(held or 0), keyed, chosen)
    except (DBAPIError, OSError) as error:
        raise complaint(error, place) from error
    finally:
        await engine.dispose()


async def _is_whole(connection: AsyncConnection, place: str) -> None:
    if connection.dialect.name == "sqlite":
        said = (await connection.exec_driver_sql("PRAGMA quick_check(1)")).scalar()
        if said != "ok":
            raise NotALedger(f"{place} is damaged")


async def examine_key(url: str, data_dir: Path) -> None:
    """See that the key is there and is the one of the ledger.

    Raises:
        PersonKeyError: it is missing, damaged or another one.
        OpenError: the ledger or the key cannot be read.
    """
    secret = load_secret(data_dir, make=False)
    engine = create_engine(url)
    try:
        async with AsyncSession(engine) as session:
            if await known_fingerprint(session) is not None:
                await check_fingerprint(session, Pseudonyms(secret).fingerprint(), place_of(engine))
    except (DBAPIError, OSError) as error:
        raise complaint(error, place_of(engine)) from error
    finally:
        await engine.dispose()


def files_of(url: str, data_dir: Path) -> list[Path]:
    """The files that only the operator should be able to read, as far as they are there."""
    file = file_of(url)
    return [path for path in (data_dir / KEY_FILE, *([file] if file else [])) if path.exists()]
