"""Exports for moderators in chat and browser: one zip file, handed over once, kept for a day at most."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

from bot.desk.types import Refused
from corrections.errors import (
    DiskFull,
    LedgerError,
    MovedOn,
    NotFound,
    NothingToExport,
    UnknownLabel,
)
from corrections.export.types import Counts, ExportQuery, Format, Policy, SnapshotView
from corrections.ledger import Ledger
from corrections.review.types import Moderator

log = logging.getLogger(__name__)

DOWNLOAD = "/download?token="
WATCH_SECONDS = 20.0
"""How soon a file goes whose snapshot has a withdrawn picture in it: forgotten means gone within a minute."""


@dataclass(frozen=True, slots=True)
class Released:
    """A snapshot as one file. ``counts`` says what is in it and what was held back."""

    name: str
    file: Path
    size: int
    counts: Counts


@dataclass(frozen=True, slots=True)
class Nothing:
    """Nothing can leave; ``counts`` says what is held back and why."""

    counts: Counts


class Releases:
    """The files that exports are handed over in; ``desk.moderation.releases``.

    Args:
        folder: where they are kept; made when it is needed.
        policy: the operator's settings about what may leave.
        kept_hours: how long a file can be fetched.
    """

    def __init__(self, ledger: Ledger, folder: Path, policy: Policy, kept_hours: int) -> None:
        self._ledger = ledger
        self._folder = folder
        self._policy = policy
        self.kept_hours = kept_hours
        self._one = asyncio.Lock()

    async def export(
        self,
        moderator: Moderator,
        *,
        character: str = "",
        since: datetime | None = None,
        form: Format = "imagefolder",
    ) -> Released | Nothing | Refused:
        """Write a snapshot of their community (the operator: of all) into a zip file.

        Args:
            character: a slug, name or alias; empty for all.
            since: only what was decided then or later.
        """
        query = ExportQuery(moderator.community, since, character.strip() or None)
        try:
            async with self._one:  # one after the other: each reads every picture
                return await self._write(moderator, query, form)
        except NothingToExport:
            return await self._nothing(moderator, query)
        except UnknownLabel as error:
            return Refused("error-unknown-label", {"label": error.label[:64]})
        except NotFound:
            return Refused("error-not-found")
        except DiskFull:
            log.error("an export found no room on the disk")
            return Refused("error-export-disk-full")
        except MovedOn:
            return Refused("error-export-moved-on")
        except LedgerError:
            log.exception("an export was not written")
            return Refused("error-export-trouble")

    async def _nothing(self, moderator: Moderator, query: ExportQuery) -> Nothing:
        try:
            return Nothing(await self._ledger.exports.preview(query, self._policy, moderator))
        except NothingToExport:  # nothing was ever posted there
            return Nothing(Counts())
        except LedgerError:
            log.exception("what is held back was not counted")
            return Nothing(Counts())

    async def _write(self, moderator: Moderator, query: ExportQuery, form: Format) -> Released:
        await asyncio.to_thread(self._folder.mkdir, mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f".{secrets.token_hex(8)}.zip"
        try:
            done = await self._ledger.exports.archive(draft, query, self._policy, form, moderator)
            file = self._folder / f"{done.name}.zip"
            await asyncio.to_thread(draft.replace, file)
        finally:
            await asyncio.to_thread(draft.unlink, missing_ok=True)
        size = (await asyncio.to_thread(file.stat)).st_size
        return Released(done.name, file, size, done.counts)

    async def preview(self, moderator: Moderator) -> Counts:
        """What an export would hold by now, and what would be held back."""
        return (await self._nothing(moderator, ExportQuery(moderator.community))).counts

    async def snapshots(self, moderator: Moderator) -> list[SnapshotView] | Refused:
        """What was exported, the newest first, whether its file is still kept or not."""
        try:
            return await self._ledger.exports.snapshots(moderator)
        except LedgerError:
            log.exception("the snapshots were not listed")
            return Refused("error-ledger")

    async def withdrawn(self, moderator: Moderator, name: str) -> list[str] | Refused:
        """The files of one of their snapshots that a retraining must leave out."""
        try:
            return await self._ledger.exports.withdrawn(moderator, name)
        except NotFound:
            return Refused("error-not-found")
        except LedgerError:
            log.exception("what was withdrawn was not listed")
            return Refused("error-ledger")

    async def kept(self) -> set[str]:
        """The snapshots whose files can be fetched."""
        return {file.stem for file, _ in await asyncio.to_thread(_files, self._folder)}

    async def file(self, moderator: Moderator, name: str) -> Path | None:
        """The file of one of their snapshots, while it is kept."""
        found = await self.snapshots(moderator)
        if isinstance(found, Refused) or name not in {each.name for each in found}:
            return None
        await self.sweep()
        file = self._folder / f"{name}.zip"
        return file if await asyncio.to_thread(file.is_file) else None

    async def link(self, moderator: Moderator, released: Released, begins: str) -> str | Refused:
        """A link that fetches the file once; ``begins``: how links to the page begin, empty if none do."""
        if not begins:
            return Refused("error-no-console")
        try:
            token = await self._ledger.links.make(
                "download",
                datetime.now(UTC),
                self.kept_hours * 60,
                moderator.person,
                moderator.community,
                released.name,
            )
        except LedgerError:
            log.exception("a link was not made")
            return Refused("error-ledger")
        return f"{begins}{DOWNLOAD}{quote(token, safe='')}"

    async def waits(self, token: str) -> bool:
        """Whether a link still works. This does not use it up, so a chat may look at what is behind it."""
        return await self._ledger.links.peek("download", token, datetime.now(UTC)) is not None

    async def fetch(self, token: str) -> Path | None:
        """Use a link up: its file; None if it was used, is too old, was never made, or its file is gone."""
        link = await self._ledger.links.redeem("download", token, datetime.now(UTC))
        if link is None or link.subject is None:
            return None
        await self.sweep()
        file = self._folder / f"{link.subject}.zip"
        return file if await asyncio.to_thread(file.is_file) else None

    async def drop(self, released: Released) -> None:
        """It was handed over otherwise."""
        await asyncio.to_thread(released.file.unlink, missing_ok=True)

    async def sweep(self) -> None:
        """Remove files that are too old, or with a picture in them that was withdrawn since."""
        if not (files := await asyncio.to_thread(_files, self._folder)):
            return
        operator = Moderator(("whosthat", "operator"))
        withdrawn = {each.name for each in await self._ledger.exports.snapshots(operator) if each.withdrawn}
        oldest = (datetime.now(UTC) - timedelta(hours=self.kept_hours)).timestamp()
        for file, written in files:
            if written < oldest or file.stem in withdrawn:
                await asyncio.to_thread(file.unlink, missing_ok=True)

    async def keep_clean(self) -> None:
        """Sweep again and again, until cancelled."""
        while True:
            try:
                await self.sweep()
            except (LedgerError, OSError):
                log.exception("old exports were not removed; that is tried again")
            await asyncio.sleep(WATCH_SECONDS)


def _files(folder: Path) -> list[tuple[Path, float]]:
    """Finished files, and drafts: once they are old, somebody was killed who was writing them."""
    return [(each, each.stat().st_mtime) for each in folder.iterdir()] if folder.is_dir() else []
