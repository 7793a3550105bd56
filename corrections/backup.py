"""A backup of everything that must survive, made while the bot runs; see `corrections.archive` for its form.

The database is copied at one moment by SQLite's online backup; the pictures are those that it knows at that
moment. Whatever was committed before is in the copy, whatever comes later is not. All functions block.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import sqlite3
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, cast

from corrections.archive import DATABASE, MANIFEST, Manifest, Packer, add, add_file
from corrections.blobs import BlobStore
from corrections.engine import file_of
from corrections.errors import BackupError, NotALedger
from corrections.people import KEY_FILE, load_secret

Progress = Callable[[float], None]

_ABANDONED = 24 * 3600.0
"""Seconds after which an unfinished backup is nobody's work any more."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    """What a backup holds; ``gone`` pictures went away while it was made, ``damaged`` ones were left out."""

    pictures: int
    votes: int
    bytes: int
    gone: int
    damaged: int


def ledger_file(url: str) -> Path:
    """The file of the SQLite ledger at this address.

    Raises:
        BackupError: the database is another one, which has tools of its own.
    """
    file = file_of(url)
    if file is None:
        raise BackupError(
            "database.url is not SQLite: use the database's own tools (pg_dump), and copy data_dir beside it"
        )
    return file


def back_up(url: str, data_dir: Path, to: Path, progress: Progress = lambda part: None) -> BackedUp:
    """Write a backup to ``to``, which appears when it is complete; what stood there before is replaced.

    Args:
        url: the ledger's address.
        data_dir: the folder with the pictures and the key.
        to: the file to write.
        progress: told how much is done, from 0 to 1.

    Raises:
        LedgerError: one sentence that says what stands in the way; ``to`` is as it was.
    """
    database = ledger_file(url)
    if not database.is_file():
        raise BackupError(f"there is nothing to back up yet: {database} does not exist")
    key = load_secret(data_dir, make=False)
    if to.is_dir() or not to.absolute().parent.is_dir():
        raise BackupError(f"{to} cannot be written: it is a folder, or in one that does not exist")
    for left in to.parent.glob(f".{to.name}.*.partial*"):  # of a backup that was killed
        if left.stat().st_mtime < time.time() - _ABANDONED:
            left.unlink(missing_ok=True)
    draft = to.with_name(f".{to.name}.{secrets.token_hex(6)}.partial")
    copied = draft.with_name(draft.name + ".db")
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)  # the key is in it
        with os.fdopen(descriptor, "wb") as file:
            copy_database(database, copied)
            with (
                contextlib.closing(Packer(file)) as packer,
                tarfile.open(fileobj=cast(IO[bytes], packer), mode="w|") as tar,
            ):
                done = _fill(tar, packer, copied, key, BlobStore(data_dir), progress)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(to)
        return BackedUp(done.pictures, done.votes, to.stat().st_size, done.gone, done.damaged)
    except OSError as error:
        raise BackupError(f"{error.filename or to} cannot be written: {error.strerror or error}") from error
    finally:
        draft.unlink(missing_ok=True)
        copied.unlink(missing_ok=True)


def copy_database(database: Path, to: Path) -> None:
    """Copy a SQLite file as it is at one moment, while others write to it; one whole file comes out.

    Raises:
        NotALedger: it is no database, or it is damaged.
        BackupError: it cannot be copied.
    """
    os.close(os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True)
            ) as source,
            contextlib.closing(sqlite3.connect(to)) as target,
        ):
            # In one step: in several it would begin anew with every vote that comes in between.
            source.backup(target, pages=-1)
            target.execute("PRAGMA journal_mode = DELETE")
            check(target, database)
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError):
            raise BackupError(f"{database} cannot be copied: {error}") from error
        raise NotALedger(f"{database} is not a ledger, or it is damaged") from error


def check(connection: sqlite3.Connection, place: Path) -> None:
    """See that a database is whole.

    Raises:
        NotALedger: it is damaged.
    """
    try:
        said = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        raise NotALedger(f"{place} is not a ledger, or it is damaged") from error
    if said != ("ok",):
        raise NotALedger(f"{place} is damaged: put a backup back with whosthat restore")


def _fill(
    tar: tarfile.TarFile, packer: Packer, copied: Path, key: bytes, store: BlobStore, progress: Progress
) -> BackedUp:
    with contextlib.closing(sqlite3.connect(copied)) as database:
        revision, counts, blobs = _look(database)
    files = {DATABASE: add_file(tar, DATABASE, copied), KEY_FILE: add(tar, KEY_FILE, key)}
    packer.plain()
    gone = damaged = 0
    for number, (sha256, suffix) in enumerate(blobs):
        progress(number / len(blobs))
        path = store.path(sha256, suffix)
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # its time was over meanwhile
            gone += 1
            continue
        if hashlib.sha256(content).hexdigest() != sha256:
            damaged += 1
            continue
        name = path.relative_to(store.folder.parent).as_posix()
        files[name] = add(tar, name, content)
    manifest = Manifest(datetime.now(UTC).isoformat(timespec="seconds"), revision, counts, files)
    add(tar, MANIFEST, manifest.packed())
    progress(1.0)
    return BackedUp(len(files) - 2, counts["votes"], 0, gone, damaged)


def _look(database: sqlite3.Connection) -> tuple[str, dict[str, int], list[tuple[str, str]]]:
    tables = [
        name
        for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        if not name.startswith("sqlite_")
    ]
    if "alembic_version" not in tables or "votes" not in tables:
        raise NotALedger("this database is not a ledger")
    (revision,) = database.execute("SELECT version_num FROM alembic_version").fetchone()
    count = 'SELECT count(*) FROM "{}"'  # the names are the database's own
    counts = {name: database.execute(count.format(name)).fetchone()[0] for name in tables}
    blobs = database.execute(
        "SELECT sha256, format FROM blobs WHERE erased_at IS NULL ORDER BY id"
    ).fetchall()
    return str(revision), counts, blobs
