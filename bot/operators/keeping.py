"""Backup, restore and schema: the ledger's own functions with settings in and words out. All block."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from bot.settings import Settings
from bot.words import words
from corrections import backup, copying, restore, schema
from corrections.engine import file_of
from corrections.lock import DataDirLock

Progress = Callable[[float], None]


def make_backup(settings: Settings, to: Path, progress: Progress) -> list[str]:
    """Write a backup; the lines to print.

    Raises:
        corrections.errors.LedgerError: one sentence.
    """
    w = words()
    done = backup.back_up(settings.database_url, settings.data_dir, to, progress)
    size = f"{done.bytes / (1 << 20):.1f}"
    lines = [w("backup-done", file=str(to), pictures=done.pictures, votes=done.votes, mebibytes=size)]
    lines += [w("backup-gone", count=done.gone)] if done.gone else []
    lines += [w("backup-damaged", count=done.damaged)] if done.damaged else []
    return lines


def put_back(settings: Settings, archive: Path, force: bool, progress: Progress) -> list[str]:
    """Put a backup back; the lines to print.

    Raises:
        corrections.errors.LedgerError: one sentence; nothing was changed.
    """
    w = words()
    os.umask(0o077)  # what is kept is the operator's alone
    done = restore.restore(settings.database_url, settings.data_dir, archive, force=force, progress=progress)
    lines = [w("restore-done", made=done.made_at, pictures=done.pictures, votes=done.votes)]
    lines += [w("restore-upgraded", old=done.before, new=done.now)] if done.before != done.now else []
    lines += [w("restore-kept", folder=str(done.kept))] if done.kept else []
    return lines


def upgrade(settings: Settings) -> list[str]:
    """Bring the tables to this version, with a copy of a SQLite file beside; the lines to print.

    Raises:
        corrections.errors.LedgerError: one sentence; nothing was changed.
    """
    w, url, head = words(), settings.database_url, schema.head()
    os.umask(0o077)
    with DataDirLock(settings.data_dir) if _is_here(settings) else contextlib.nullcontext():
        before = asyncio.run(schema.current(url))
        if before == head:
            return [w("db-is-current", revision=head)]
        lines = []
        file = file_of(url)
        if before is not None and file is not None:
            kept = file.with_name(f"{file.name}.{before}-{datetime.now(UTC):%Y%m%d-%H%M%S}")
            backup.copy_database(file, kept)
            lines.append(w("db-kept", file=str(kept)))
        elif file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
        asyncio.run(schema.upgrade(url))
    return [*lines, w("db-upgraded", old=before or w("db-nothing"), new=head)]


def current(settings: Settings) -> list[str]:
    """Which revision the tables have; the lines to print.

    Raises:
        corrections.errors.LedgerError: one sentence.
    """
    w, head = words(), schema.head()
    now = asyncio.run(schema.current(settings.database_url))
    if now == head:
        return [w("db-is-current", revision=head)]
    return [w("db-is-older", revision=now or w("db-nothing"), head=head)]


def copy(settings: Settings, source: str, target: str, progress: Progress) -> list[str]:
    """Copy a ledger into another database; the lines to print.

    Raises:
        corrections.errors.LedgerError: one sentence; nothing has arrived there.
    """
    w = words()
    os.umask(0o077)
    # A bot that runs here would go on writing to where nobody looks any more.
    with DataDirLock(settings.data_dir) if settings.data_dir.exists() else contextlib.nullcontext():
        done = asyncio.run(copying.copy(source, target, progress))
    lines = [w("db-copied-table", table=each.table, rows=each.rows, sum=each.checksum[:16]) for each in done]
    summary = w("db-copied", rows=sum(each.rows for each in done), tables=len(done))
    return [*lines, summary, w("db-copied-next", folder=str(settings.data_dir))]


def _is_here(settings: Settings) -> bool:
    return file_of(settings.database_url) is not None
