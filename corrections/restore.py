"""Putting a backup back: everything is checked beside its place before anything is moved. All block."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hmac
import os
import secrets
import shutil
import signal
import sqlite3
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from corrections import schema
from corrections.archive import DATABASE, MANIFEST, Header, Manifest, copy, digest_in, members
from corrections.backup import check, ledger_file
from corrections.disk import sync_folder
from corrections.errors import BackupError, InUse, SchemaTooNew
from corrections.lock import LOCK_FILE, DataDirLock
from corrections.people import KEY_FILE, Pseudonyms, load_secret

Progress = Callable[[float], None]

STEP_ASIDE_SECONDS = 120.0
"""How long a bot may take to finish what it has begun before it makes room."""

_KEPT = "replaced-"
_STAGING = ".restoring-"
_BLOBS = "blobs"


@dataclass(frozen=True, slots=True)
class Restored:
    """What was put back; ``kept`` is the folder with what stood there before, if anything did."""

    pictures: int
    votes: int
    made_at: str
    before: str
    now: str
    kept: Path | None


def restore(
    url: str, data_dir: Path, archive: Path, *, force: bool = False, progress: Progress = lambda part: None
) -> Restored:
    """Put a backup back into ``data_dir``, and bring an older one up to this version.

    Args:
        url: the ledger's address; a SQLite file.
        data_dir: the folder, made when it is not there; prepared models in it stay.
        archive: what `corrections.backup.back_up` wrote.
        force: also where there is a ledger already: that is kept in a folder beside.
        progress: told how much is done, from 0 to 1.

    A bot that runs there is asked to step aside once everything has been checked, and comes back by itself:
    it finishes what it has begun, lets the things be swapped, and starts again.

    Raises:
        InUse: another program works there that does not step aside.
        LedgerError: one sentence that says what stands in the way; nothing was changed.
    """
    database = ledger_file(url)
    if not archive.is_file():
        raise BackupError(f"there is no file {archive}")
    fresh = not data_dir.exists()
    try:
        with contextlib.ExitStack() as stack:
            bot = _hold(stack, data_dir)
            if _there(data_dir, database) and not force:
                raise BackupError(
                    f"there is a ledger in {data_dir} already: --force replaces it, and keeps it beside"
                )
            if bot is None:
                for left in data_dir.glob(f"{_STAGING}*"):  # of a restore that was killed
                    shutil.rmtree(left, ignore_errors=True)
            staging = data_dir / f"{_STAGING}{secrets.token_hex(6)}"
            stack.callback(shutil.rmtree, staging, ignore_errors=True)
            manifest = _unpack(archive, staging, progress)
            _prepare(staging, manifest)
            if bot is not None:  # asked only now, when all is checked: it is away for a moment
                os.kill(bot, signal.SIGUSR1)
                stack.enter_context(DataDirLock(data_dir, patience=STEP_ASIDE_SECONDS))
            kept = _swap(staging, data_dir, database, _there(data_dir, database))
            fresh = False
    except OSError as error:
        raise BackupError(
            f"{error.filename or data_dir} cannot be used: {error.strerror or error}"
        ) from error
    finally:
        if fresh:
            with contextlib.suppress(OSError):
                (data_dir / LOCK_FILE).unlink(missing_ok=True)
                data_dir.rmdir()
    pictures = sum(digest_in(name) is not None for name in manifest.files)
    votes = manifest.counts.get("votes", 0)
    return Restored(pictures, votes, manifest.made_at, manifest.revision, schema.head(), kept)


def _hold(stack: contextlib.ExitStack, data_dir: Path) -> int | None:
    """Hold the folder from here on; or the number of the bot that does, and will step aside."""
    try:
        stack.enter_context(DataDirLock(data_dir))
    except InUse as error:
        if not error.steps_aside:
            raise
        return error.holder
    return None


def _there(data_dir: Path, database: Path) -> list[Path]:
    """What a restored ledger would take the place of."""
    beside = [database.with_name(database.name + suffix) for suffix in ("", "-wal", "-shm", "-journal")]
    return [
        path
        for path in (*beside, data_dir / KEY_FILE, data_dir / _BLOBS)
        if path.exists() and not _empty(path)
    ]


def _empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())


def _unpack(archive: Path, staging: Path, progress: Progress) -> Manifest:
    """Unpack into a new folder and compare everything with the manifest.

    Raises:
        BackupError: something is missing, damaged, or does not belong there.
    """
    staging.mkdir(mode=0o700)
    found: dict[str, str] = {}
    manifest = b""
    whole, room = max(1, archive.stat().st_size), shutil.disk_usage(staging).free
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:gz", tarinfo=Header) as tar:
            for name, content, size in members(tar):
                progress(file.tell() / whole)
                room -= size
                if room < 0:
                    raise BackupError(
                        f"there is not enough room for this backup on the disk of {staging.parent}"
                    )
                if name == MANIFEST:
                    manifest = content.read()
                else:
                    found[name] = copy(content, staging / name)
                    if digest_in(name) not in (None, found[name]):
                        raise BackupError(f"this backup is damaged: {name} is not what its name says")
            _read_out(tar)
    except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise BackupError("this is not a backup of whosthat, or it breaks off") from error
    if not manifest:
        raise BackupError("this backup breaks off: it has no manifest")
    said = Manifest.unpacked(manifest)
    if said.files != found or not {DATABASE, KEY_FILE} <= set(found):
        wrong = sorted(set(said.files.items()) ^ set(found.items()))[:1] or [(DATABASE, "")]
        raise BackupError(f"this backup is damaged: {wrong[0][0]!r} is not as its manifest says")
    progress(1.0)
    return said


def _read_out(tar: tarfile.TarFile) -> None:
    """Read what comes after the last member, so that a file that breaks off there is found out too.

    Raises:
        EOFError, gzip.BadGzipFile: it breaks off, or is damaged.
        BackupError: it is more than a tar file ends with.
    """
    assert tar.fileobj is not None, "opened with a file"
    if len(tar.fileobj.read(tarfile.RECORDSIZE + 1)) > tarfile.RECORDSIZE:
        raise BackupError("this is not a backup of whosthat: something comes after its end")


def _prepare(staging: Path, manifest: Manifest) -> None:
    """See that database and key belong together and are of a version that we know; bring them up."""
    database = staging / DATABASE
    _examine(database, load_secret(staging, make=False))
    asyncio.run(_bring_up(f"sqlite:///{database}", manifest))


async def _bring_up(url: str, manifest: Manifest) -> None:
    if await schema.current(url) != manifest.revision:
        raise BackupError("this backup is damaged: its manifest says another revision than its database")
    try:
        await schema.upgrade(url)
    except SchemaTooNew:
        raise SchemaTooNew(
            "this backup was made by a newer version of this program: update it first"
        ) from None


def _examine(database: Path, secret: bytes) -> None:
    with contextlib.closing(sqlite3.connect(database)) as connection:
        check(connection, database)
        known = connection.execute("SELECT value FROM properties WHERE name = 'person-key'").fetchone()
    if known is not None and not hmac.compare_digest(known[0], Pseudonyms(secret).fingerprint()):
        raise BackupError("this backup is damaged: its key is not the one of its ledger")


def _swap(staging: Path, data_dir: Path, database: Path, there: list[Path]) -> Path | None:
    """Move the old things into a folder beside, and the new ones into their place, the database last."""
    kept: Path | None = None
    moved: list[tuple[Path, Path]] = []
    try:
        if there:
            kept = data_dir / f"{_KEPT}{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
            kept.mkdir(mode=0o700)
            for path in there:
                shutil.move(path, kept / path.name)
                moved.append((path, kept / path.name))
        with contextlib.suppress(FileNotFoundError, OSError):
            (data_dir / _BLOBS).rmdir()  # an empty one
        database.parent.mkdir(parents=True, exist_ok=True)
        places = (_BLOBS, data_dir / _BLOBS), (KEY_FILE, data_dir / KEY_FILE), (DATABASE, database)
        for name, place in places:
            if (staging / name).exists():
                shutil.move(staging / name, place)
                moved.append((staging / name, place))
        for folder in (data_dir, database.parent):
            sync_folder(folder)
    except OSError:
        for place, now in reversed(moved):
            with contextlib.suppress(OSError):
                shutil.move(now, place)
        raise
    return kept
