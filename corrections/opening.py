"""Everything that has to be in its place before the ledger is used."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from corrections import characters, people, pinyin, schema
from corrections.blobs import BlobStore
from corrections.engine import create_engine, place_of
from corrections.errors import Unwritable
from corrections.unit_of_work import UnitOfWork
from corrections.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Parts:
    """What a ledger works with."""

    work: UnitOfWork
    store: BlobStore
    names: people.Pseudonyms
    vocabulary: Vocabulary


async def open_parts(url: str, data_dir: Path, busy_timeout: float) -> Parts:
    """Make the folders, bring the tables up to date, read the secret, and seed the vocabulary.

    Raises:
        OpenError: one sentence that says what stands in the way.
        LedgerLocked: another process does not let go of the database.
    """
    engine = create_engine(url, busy_timeout)
    work = UnitOfWork(engine)
    try:
        file = engine.url.database if engine.dialect.name == "sqlite" else None
        await asyncio.to_thread(_make_folders, data_dir, file)
        await schema.migrate(engine)
        async with work.read() as session:
            begun = await people.known_fingerprint(session) is not None
        secret = await asyncio.to_thread(people.load_secret, data_dir, not begun)
        names = people.Pseudonyms(secret)
        entries = await asyncio.to_thread(characters.vocabulary_file)
        readings = await asyncio.to_thread(pinyin.shipped)

        async def prepare(session: AsyncSession) -> set[str]:
            await people.check_fingerprint(session, names.fingerprint(), place_of(engine))
            await characters.seed(session, entries)
            await session.flush()
            await characters.keep_readings(session, readings)
            await session.flush()
            return await characters.unread(session)

        if unread := await work.write(prepare):  # renamed or proposed while nobody could read it
            read = await asyncio.to_thread(pinyin.read, unread)
            await work.write(lambda session: characters.keep_readings(session, read))
        async with work.read() as session:
            vocabulary = await characters.load(session)
        return Parts(work, BlobStore(data_dir), names, vocabulary)
    except BaseException:
        await work.close()
        raise


def _make_folders(data_dir: Path, database: str | None) -> None:
    for folder in (data_dir, data_dir / "blobs", *([Path(database).parent] if database else [])):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".writable"
            probe.touch()
            probe.unlink(missing_ok=True)
        except OSError as error:
            raise Unwritable(f"the folder {folder} cannot be written to: {error.strerror}") from error
