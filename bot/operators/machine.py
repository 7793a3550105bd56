"""The checks of this machine: folder, disk, database, key, model."""

from __future__ import annotations

import os
import shutil
import stat
import struct
import tempfile
import time
import zlib
from contextlib import AsyncExitStack
from pathlib import Path

from bot.app import open_eyes
from bot.operators.findings import Finding, bad, ok, skipped
from bot.settings import Settings
from bot.words import words
from corrections.checkup import Checkup, examine, examine_key, files_of
from corrections.errors import LedgerError
from model.errors import ModelError
from model.routes import told

GIBIBYTE = 1 << 30
WORKER_SECONDS = 10
MODEL_SECONDS = 300
"""An embedded model is made ready at the first start, which takes its time on a small machine."""


def folder(settings: Settings) -> Finding:
    """Whether ``data_dir`` can be written to, and by whom its secrets can be read."""
    w, data_dir = words(), settings.data_dir
    nearest = _nearest(data_dir)
    try:
        if not nearest.is_dir():
            raise NotADirectoryError(20, os.strerror(20))
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        return bad("folder", w("doctor-folder-bad", folder=str(data_dir), why=str(error.strerror)))
    if nearest != data_dir:
        return skipped("folder", w("doctor-folder-new", folder=str(data_dir)))
    for path in files_of(settings.database_url, data_dir):
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            return bad("folder", w("doctor-folder-open", file=str(path)))
    return ok("folder", w("doctor-folder-ok", folder=str(data_dir)))


def disk(settings: Settings, held: int) -> Finding:
    """Whether the pictures that may be kept still find room; ``held`` bytes are there already."""
    w = words()
    free = shutil.disk_usage(_nearest(settings.data_dir)).free / GIBIBYTE
    more = max(0.0, settings.retention.disk_gibibytes - held / GIBIBYTE)
    values = {"free": f"{free:.1f}", "more": f"{more:.1f}"}
    return (
        ok("disk", w("doctor-disk-ok", **values))
        if free > more
        else bad("disk", w("doctor-disk-bad", **values))
    )


async def database(settings: Settings) -> tuple[Finding, Checkup | None]:
    """Whether the ledger is whole, writable, and of this version."""
    w = words()
    try:
        found = await examine(settings.database_url)
    except LedgerError as error:
        return bad("database", w("doctor-database-bad", why=str(error))), None
    if found.revision is None:
        return skipped("database", w("doctor-database-new", place=found.place)), found
    values = {"place": found.place, "revision": found.revision}
    if not found.current:
        return bad("database", w("doctor-database-older", head=found.head, **values)), found
    return ok("database", w("doctor-database-ok", **values)), found


async def key(settings: Settings, found: Checkup | None) -> Finding:
    """Whether the key that people are known by is there and the right one."""
    w = words()
    if found is None or not found.keyed:
        return skipped("key", w("doctor-key-new"))
    try:
        await examine_key(settings.database_url, settings.data_dir)
    except LedgerError as error:
        return bad("key", w("doctor-key-bad", why=str(error)))
    return ok("key", w("doctor-key-ok"))


async def workers(settings: Settings) -> list[Finding]:
    """Every worker elsewhere: whether it can be asked, and whether they all look with the same model."""
    if not settings.worker.url:
        return []
    w = words()
    try:
        async with AsyncExitStack() as stack:
            found = await (await open_eyes(stack, settings)).survey(WORKER_SECONDS)
    except ModelError as error:
        return [bad("worker", w("doctor-worker-bad", why=str(error).rstrip(".")))]
    findings = [
        bad("worker", w("doctor-worker-bad", why=str(each.trouble).rstrip(".")))
        if each.trouble is not None
        else ok("worker", w("doctor-worker-ok", url=each.address, bundle=str(each.status.get("bundle"))))
        for each in found
    ]
    models = {(each.address, str(each.status.get("bundle"))) for each in found if each.trouble is None}
    if len({bundle for _, bundle in models}) > 1:
        findings.append(bad("worker", w("doctor-worker-mixed", models=told(models))))
    return findings


async def model(settings: Settings) -> Finding:
    """Whether a real worker starts with the model, and answers a picture."""
    w = words()
    try:
        async with AsyncExitStack() as stack:
            eyes = await open_eyes(stack, settings)
            started = time.perf_counter()
            deadline = WORKER_SECONDS if settings.worker.url else MODEL_SECONDS
            sight = await eyes.look(drawing(), deadline=deadline)
            milliseconds = round((time.perf_counter() - started) * 1000)
    except ModelError as error:
        if settings.worker.url:  # what the model is stands there; model.use here says nothing of it
            return bad("model", w("doctor-model-elsewhere", why=str(error).rstrip(".")))
        return bad("model", w("doctor-model-bad", why=str(error).rstrip("."), use=settings.model.use))
    return ok("model", w("doctor-model-ok", bundle=sight.bundle, milliseconds=milliseconds))


def drawing(size: int = 96) -> bytes:
    """A PNG with a red disc on a yellow ground: any picture does."""
    rows = b"".join(
        b"\0"
        + b"".join(
            b"\xb0\x10\x18"
            if (x - size / 2) ** 2 + (y - size / 2) ** 2 < (size / 3) ** 2
            else b"\xf0\xc0\x30"
            for x in range(size)
        )
        for y in range(size)
    )
    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    body = b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


def _nearest(path: Path) -> Path:
    """The path itself, or what there is of it."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return path
