"""A backup is whole, is made while others write, and is checked before anything is moved."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import hashlib
import io
import json
import os
import random
import shutil
import sqlite3
import stat
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from corrections.archive import DATABASE, MANIFEST, Header, add, add_file, members
from corrections.backup import BackedUp, back_up
from corrections.blobs import BlobStore
from corrections.errors import BackupError, InUse, LedgerError, NotALedger, PersonKeyError, SchemaTooNew
from corrections.ledger import Ledger
from corrections.lock import DataDirLock
from corrections.people import KEY_FILE
from corrections.restore import restore
from corrections.schema import head, upgrade
from tests.corrections.support import ANNA, BELA, address, answer, digest, moment, seen

PICTURES = 5


def url_of(folder: Path) -> str:
    return f"sqlite:///{folder}/ledger.db"


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


@pytest.fixture
async def home(tmp_path: Path) -> AsyncIterator[Path]:
    """A folder with a ledger in it that has pictures and votes; nobody has it open."""
    folder = tmp_path / "home"
    ledger = await Ledger.open(url_of(folder), folder)
    for n in range(PICTURES):
        done = await ledger.record(address(n), 0, ANNA, seen(n), "b", "l", answer(), 1.0, moment())
        await ledger.vote(done.prediction_id, BELA, frozenset({"thor"}), moment(n))
    await ledger.close()
    yield folder


@pytest.fixture
def archive(home: Path, tmp_path: Path) -> Path:
    file = tmp_path / "backup.tar.gz"
    back_up(url_of(home), home, file)
    return file


async def votes(folder: Path) -> set[int]:
    ledger = await Ledger.open(url_of(folder), folder)
    try:
        return {each.prediction_id for each in await ledger.votes_of(BELA)}
    finally:
        await ledger.close()


async def test_there_and_back(home: Path, archive: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    done = await asyncio.to_thread(restore, url_of(new), new, archive)
    assert (done.pictures, done.votes, done.kept) == (PICTURES, PICTURES, None)
    assert await votes(new) == await votes(home)
    ledger = await Ledger.open(url_of(new), new)
    for n in range(PICTURES):
        assert await ledger.picture(digest(n)) == seen(n).stored
    await ledger.close()
    assert (new / KEY_FILE).read_bytes() == (home / KEY_FILE).read_bytes()
    assert stat.S_IMODE((new / KEY_FILE).stat().st_mode) == 0o600 == stat.S_IMODE(archive.stat().st_mode)
    assert not [name for name in os.listdir(new) if name.startswith((".restoring", "replaced"))]  # noqa: PTH208


def test_the_archive_is_a_plain_tar_that_describes_itself(home: Path, archive: Path) -> None:
    with tarfile.open(archive) as tar:
        names = tar.getnames()
        said = json.load(tar.extractfile(MANIFEST) or io.BytesIO())
        for name, sha256 in said["files"].items():
            content = tar.extractfile(name)
            assert content and hashlib.sha256(content.read()).hexdigest() == sha256
    assert names[:2] == [DATABASE, KEY_FILE] and names[-1] == MANIFEST and len(names) == 3 + PICTURES
    assert said["counts"]["votes"] == PICTURES and said["format"] == 1 and said["revision"] == head()
    assert not [name for name in os.listdir(home.parent) if "partial" in name]  # noqa: PTH208


def test_pictures_that_went_away_or_rotted_are_no_error(home: Path, tmp_path: Path) -> None:
    store = BlobStore(home)
    store.path(digest(0), "webp").unlink()
    store.path(digest(1), "webp").write_bytes(b"rot")
    parts: list[float] = []
    done = back_up(url_of(home), home, tmp_path / "b", parts.append)
    assert done == BackedUp(PICTURES - 2, PICTURES, (tmp_path / "b").stat().st_size, 1, 1)
    assert parts == sorted(parts) and parts[-1] == 1.0 and len(parts) == PICTURES + 1
    assert restore(url_of(tmp_path / "n"), tmp_path / "n", tmp_path / "b").pictures == PICTURES - 2


async def test_everything_acknowledged_before_is_in_it_while_others_write(tmp_path: Path) -> None:
    home = tmp_path / "home"
    await (await Ledger.open(url_of(home), home)).close()
    voting = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.corrections.vote_loop", url_of(home), str(home), "r",
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert voting.stdout
    said: list[str] = []
    checked = 0
    try:
        async with asyncio.timeout(120):
            for number in range(4):
                while len(said) < 40 * (number + 1):
                    said.append((await voting.stdout.readline()).decode().strip())
                before = [line for line in said if line != "ready"]
                reading = asyncio.create_task(_read_on(voting.stdout, said))
                file = tmp_path / f"{number}.tar.gz"
                await asyncio.to_thread(back_up, url_of(home), home, file)
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
                new = tmp_path / f"new-{number}"
                await asyncio.to_thread(restore, url_of(new), new, file)
                checked += await _has_all(new, before)
    finally:
        voting.kill()
        await voting.wait()
    assert checked >= 40


async def _read_on(stream: asyncio.StreamReader, said: list[str]) -> None:
    while line := await stream.readline():
        said.append(line.decode().strip())


async def _has_all(folder: Path, lines: list[str]) -> int:
    """Every vote that was said is in the history of the ledger there."""
    ledger = await Ledger.open(url_of(folder), folder)
    with contextlib.closing(sqlite3.connect(folder / "ledger.db")) as database:
        rows = set(
            database.execute(
                "SELECT person_key, sha256, labels FROM vote_history JOIN people ON people.id = person_id "
                "JOIN blobs ON blobs.id = blob_id"
            )
        )
    for line in lines:
        picture, voter, label = line.split()
        labels = [] if label == "nobody" else [label]
        row = ledger.person_key(("discord", voter)), digest(int(picture)), json.dumps(labels)
        assert row in rows, f"{line} was acknowledged and is not in the backup"
    await ledger.close()
    return len(lines)


# What is refused


def refused(new: Path, archive: Path, error: type[LedgerError], says: str, force: bool = False) -> None:
    before = contents(new) if new.exists() else None
    with pytest.raises(error, match=says) as caught:
        restore(url_of(new), new, archive, force=force)
    assert "\n" not in str(caught.value)
    assert (contents(new) if new.exists() else None) == before, "nothing was touched"


def test_a_folder_with_a_ledger_is_replaced_only_when_forced(home: Path, archive: Path) -> None:
    refused(home, archive, BackupError, "--force replaces it")
    (home / "models").mkdir()
    (home / "models" / "m").write_text("prepared")
    before = contents(home)
    done = restore(url_of(home), home, archive, force=True)
    assert done.kept and done.kept.parent == home and (home / "models" / "m").exists()
    assert contents(done.kept) | {"models/m": b"prepared"} == before
    assert asyncio.run(votes(home)) == set(range(1, PICTURES + 1))
    assert asyncio.run(votes(done.kept)) == set(range(1, PICTURES + 1)), "what was kept still opens"


def test_a_folder_in_use_is_left_alone(home: Path, archive: Path, tmp_path: Path) -> None:
    holder = (
        "import sys; from pathlib import Path; from corrections.lock import DataDirLock\n"
        "with DataDirLock(Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(home)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout and process.stdout.readline() == "held\n"
        refused(home, archive, InUse, rf"in use by another whosthat \(process {process.pid}\)", force=True)
        with pytest.raises(InUse), DataDirLock(home):
            pass
        process.kill()  # the system lets go of it
    with DataDirLock(home):
        pass


async def test_the_lock_is_for_async_with_too(tmp_path: Path) -> None:
    async with DataDirLock(tmp_path / "made"):
        with pytest.raises(InUse):
            async with DataDirLock(tmp_path / "made"):
                pass
    async with DataDirLock(tmp_path / "made"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(LedgerError, match="cannot be written to"):
        await DataDirLock(tmp_path / "file").__aenter__()


@pytest.mark.parametrize("seed", range(12))
def test_a_damaged_archive_changes_nothing(archive: Path, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    content = bytearray(archive.read_bytes())
    if seed % 3 == 0:
        del content[dice.randrange(len(content)) :]
    else:
        for _ in range(3):
            content[dice.randrange(20, len(content) - 8)] ^= 1 << dice.randrange(8)
    broken = tmp_path / "broken"
    broken.write_bytes(content)
    refused(tmp_path / "new", broken, LedgerError, "backup")


@pytest.mark.parametrize("lacking", [1, 20, 300])
def test_a_file_that_breaks_off_behind_the_last_member(archive: Path, tmp_path: Path, lacking: int) -> None:
    """What lacks is nothing but the zeros that a tar file ends with, and still somebody cut it."""
    packed = gzip.compress(gzip.decompress(archive.read_bytes()), compresslevel=0)
    (tmp_path / "broken").write_bytes(packed[:-lacking])
    refused(tmp_path / "new", tmp_path / "broken", BackupError, "breaks off")


def test_a_file_that_goes_on_behind_its_end(archive: Path, tmp_path: Path) -> None:
    longer = gzip.compress(gzip.decompress(archive.read_bytes()) + bytes(20_000))
    (tmp_path / "longer").write_bytes(longer)
    refused(tmp_path / "new", tmp_path / "longer", BackupError, "comes after its end")


@pytest.mark.parametrize("content", [b"", b"a letter " * 999, b"\x1f\x8b" + bytes(99)])
def test_something_else(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    refused(tmp_path / "new", tmp_path / "x", BackupError, "not a backup of whosthat")
    refused(tmp_path / "new", tmp_path / "none", BackupError, "there is no file")
    refused(tmp_path / "new", tmp_path, BackupError, "there is no file")


def repack(archive: Path, to: Path, change: dict[str, bytes | tarfile.TarInfo | None]) -> Path:
    """The archive with members changed, added (as they are) or left out, and a manifest that agrees."""
    with tarfile.open(archive) as source, tarfile.open(to, "w:gz") as target:
        plain = {e.name: (source.extractfile(e) or io.BytesIO()).read() for e in source.getmembers()}
        said = json.loads(plain.pop(MANIFEST))
        plain |= {name: each for name, each in change.items() if isinstance(each, bytes)}
        plain = {name: each for name, each in plain.items() if change.get(name, b"") is not None}
        said["files"] = {name: hashlib.sha256(each).hexdigest() for name, each in plain.items()}
        for name, each in {**plain, MANIFEST: json.dumps(said).encode()}.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(each)
            target.addfile(entry, io.BytesIO(each))
        for added in change.values():
            if isinstance(added, tarfile.TarInfo):
                target.addfile(added)
    return to


def link(name: str, kind: bytes, to: str = "/etc/passwd") -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname = kind, to
    return entry


@pytest.mark.parametrize(
    "name",
    [
        "../escaped", "/tmp/escaped", "blobs/../../escaped", "blobs/ab/../../../escaped", ".lock",
        "blobs/ab/" + "c" * 62 + ".webp/x", "blobs/AB/" + "c" * 62 + ".webp", "./person.key",
    ],
)  # fmt: skip
def test_names_that_lead_elsewhere(archive: Path, tmp_path: Path, name: str) -> None:
    bad = repack(archive, tmp_path / "bad", {name: b"here I am"})
    refused(tmp_path / "new", bad, BackupError, "does not belong into one")
    assert not (tmp_path / "escaped").exists()


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE])
def test_links_and_the_like(archive: Path, tmp_path: Path, kind: bytes) -> None:
    name = "blobs/ab/" + "c" * 62 + ".webp"
    bad = repack(archive, tmp_path / "bad", {name: link(name, kind)})
    refused(tmp_path / "new", bad, BackupError, "does not belong into one")


@pytest.mark.parametrize(
    "kind",
    [
        tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.GNUTYPE_SPARSE,
        tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.SOLARIS_XHDTYPE,
    ],
)  # fmt: skip
@pytest.mark.parametrize("first", [True, False])
def test_a_header_that_says_it_is_huge_is_not_read(tmp_path: Path, kind: bytes, first: bool) -> None:
    header, size = link("././@LongLink", kind), 128 << 20
    header.size = size
    bad = tmp_path / "bad"
    with gzip.open(bad, "wb", compresslevel=1) as file:
        if not first:
            file.write(tarfile.TarInfo(MANIFEST).tobuf())
        file.write(header.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(size >> 20):
            file.write(b"a" * (1 << 20))
        file.write(tarfile.TarInfo(DATABASE).tobuf())
    assert bad.stat().st_size < 1 << 20
    tracemalloc.start()
    try:
        refused(tmp_path / "new", bad, BackupError, "'././@LongLink' does not belong into one")
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_ledger_above_8_gibibytes_has_a_header_that_we_read(tmp_path: Path) -> None:
    large = tmp_path / "large"
    with large.open("wb") as file:
        file.truncate(9 << 30)  # a hole, which takes no room
    packed = io.BytesIO()

    class Full(OSError):
        pass

    class Headers(io.RawIOBase):
        """Keeps what is written first."""

        def write(self, content: Any) -> int:
            packed.write(content)
            if packed.tell() > 1 << 16:
                raise Full
            return len(content)

    with pytest.raises(Full), tarfile.open(fileobj=Headers(), mode="w|") as tar:
        add_file(tar, DATABASE, large)
    packed.seek(0)
    with tarfile.open(fileobj=packed, mode="r:", tarinfo=Header) as tar:
        name, _, size = next(members(tar))
    assert (name, size) == (DATABASE, 9 << 30)


@pytest.mark.parametrize(
    "content",
    [
        b'{"format": 1, "made_at": "x", "revision": "3", "counts": {}, "files": ' + b"[" * 200_000,
        b'{"format": ' + b'{"a":' * 200_000,
        b'{"format": 1, "made_at": "x", "revision": "3", "counts": {}, "files": {"a": ["b"]}}',
        b'{"format": 1, "made_at": "x", "revision": "3", "counts": {"votes": "b"}, "files": {}}',
        b'{"format": 1, "made_at": "x", "revision": ["3"], "counts": {}, "files": {}}',
        b'{"format": 1, "made_at": "x", "revision": "3", "counts": [], "files": []}',
        b"[1]", b"\xff", b"3",
    ],
    ids=range(9),
)  # fmt: skip
def test_a_manifest_that_is_none(tmp_path: Path, content: bytes) -> None:
    bad = tmp_path / "bad"
    with tarfile.open(bad, "w:gz") as tar:
        add(tar, MANIFEST, content)
    refused(tmp_path / "new", bad, BackupError, "its manifest cannot be read")


def test_what_lies_about_itself(archive: Path, tmp_path: Path) -> None:
    new, bad = tmp_path / "new", tmp_path / "bad"
    name = "blobs/ab/" + "c" * 62 + ".webp"
    refused(new, repack(archive, bad, {name: b"other bytes"}), BackupError, "not what its name says")
    refused(new, repack(archive, bad, {KEY_FILE: bytes(32)}), BackupError, "key is not the one")
    refused(new, repack(archive, bad, {KEY_FILE: None}), BackupError, "damaged")
    refused(new, repack(archive, bad, {KEY_FILE: b"short"}), PersonKeyError, "should have 32 bytes")
    refused(new, repack(archive, bad, {DATABASE: b"no database" * 999}), NotALedger, "not a ledger")


def test_a_newer_backup_and_an_older_one(home: Path, archive: Path, tmp_path: Path) -> None:
    def manifest(plain: dict[str, object]) -> Path:
        with tarfile.open(archive) as tar:
            said = json.load(tar.extractfile(MANIFEST) or io.BytesIO())
        bad = tmp_path / "bad"
        with tarfile.open(bad, "w:gz") as tar:
            content = json.dumps(said | plain).encode()
            entry = tarfile.TarInfo(MANIFEST)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        return bad

    refused(tmp_path / "new", manifest({"format": 2}), BackupError, "newer version")
    refused(tmp_path / "new", manifest({"format": "x"}), BackupError, "manifest cannot be read")
    with contextlib.closing(sqlite3.connect(home / "ledger.db")) as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
    back_up(url_of(home), home, tmp_path / "newer")
    refused(tmp_path / "new", tmp_path / "newer", SchemaTooNew, "newer version")


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
async def test_an_older_backup_is_brought_up(tmp_path: Path, revision: str) -> None:
    old = tmp_path / "old"
    old.mkdir()
    await upgrade(url_of(old), revision)
    (old / KEY_FILE).write_bytes(os.urandom(32))
    with contextlib.closing(sqlite3.connect(old / "ledger.db")) as database:
        database.execute("INSERT INTO communities VALUES (7, 'discord', 'guild', '2026-03-01 12:00:00')")
        database.commit()
    await asyncio.to_thread(back_up, url_of(old), old, tmp_path / "b")
    new = tmp_path / "new"
    done = await asyncio.to_thread(restore, url_of(new), new, tmp_path / "b")
    assert (done.before, done.now) == (revision, head())
    ledger = await Ledger.open(url_of(new), new)
    assert await ledger.current_community(("discord", "guild")) == ("discord", "guild")
    await ledger.close()


def test_what_cannot_be_backed_up(home: Path, tmp_path: Path) -> None:
    def refuse(error: type[LedgerError], says: str, url: str = "", to: Path | None = None) -> None:
        with pytest.raises(error, match=says):
            back_up(url or url_of(home), home, to or tmp_path / "out")
        assert not (tmp_path / "out").exists()

    refuse(BackupError, "database's own tools", "postgresql://somewhere/x")
    refuse(BackupError, "nothing to back up yet", url_of(tmp_path))
    refuse(BackupError, "cannot be written", to=tmp_path)
    refuse(BackupError, "cannot be written", to=tmp_path / "none" / "x")
    with pytest.raises(BackupError, match="database's own tools"):
        restore("postgresql://somewhere/x", home, home)
    key = (home / KEY_FILE).read_bytes()
    (home / KEY_FILE).unlink()
    refuse(PersonKeyError, "is missing")
    (home / KEY_FILE).write_bytes(key)
    size = (home / "ledger.db").stat().st_size
    with (home / "ledger.db").open("r+b") as file:
        file.seek(4096)
        file.write(os.urandom(size - 8192))
    refuse(NotALedger, "damaged")


def test_a_database_elsewhere_goes_back_there(archive: Path, tmp_path: Path) -> None:
    elsewhere, new = tmp_path / "fast" / "disk", tmp_path / "new"
    done = restore(url_of(elsewhere), new, archive)
    assert (elsewhere / "ledger.db").is_file() and not (new / "ledger.db").exists() and done.kept is None
    with pytest.raises(BackupError, match="--force"):
        restore(url_of(elsewhere), new, archive)
    again = restore(url_of(elsewhere), new, archive, force=True)
    assert again.kept and (again.kept / "ledger.db").is_file() and again.kept.parent == new


def test_what_a_killed_restore_left_is_removed(archive: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    (new / ".restoring-abc").mkdir(parents=True)
    (new / ".restoring-abc" / "ledger.db").write_bytes(b"half")
    (new / "blobs").mkdir()
    restore(url_of(new), new, archive)
    assert not (new / ".restoring-abc").exists()
    shutil.rmtree(new)
