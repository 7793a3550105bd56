"""The form of a backup: a gzipped tar of the database, the key, the pictures, and a manifest at its end.

```
ledger.db            SQLite, one file
person.key           32 bytes
blobs/ab/cdef….webp  as in data_dir
manifest.json        what there is, with SHA-256: nothing without it is put back
```
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Self, TypeVar

from corrections.errors import BackupError
from corrections.people import KEY_BYTES, KEY_FILE

DATABASE, MANIFEST = "ledger.db", "manifest.json"
FORMAT = 1

_BLOB = re.compile(r"blobs/([0-9a-f]{2})/([0-9a-f]{62})\.[a-z0-9]{1,8}")
_LARGEST_BLOB, _LARGEST_MANIFEST = 256 << 20, 256 << 20
_AT_ONCE = 1 << 20
T = TypeVar("T")


@dataclass(frozen=True)
class Manifest:
    """What a backup holds: ``files`` name to SHA-256, ``counts`` table to rows, ``made_at`` ISO 8601 UTC."""

    made_at: str
    revision: str
    counts: dict[str, int]
    files: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT

    def packed(self) -> bytes:
        """As JSON."""
        return json.dumps(asdict(self), indent=1).encode()

    @classmethod
    def unpacked(cls, content: bytes) -> Manifest:
        """From JSON.

        Raises:
            BackupError: it is none of ours, or of a newer version.
        """
        try:
            plain = json.loads(content)
            if plain["format"] > FORMAT:
                raise BackupError("this backup was made by a newer version of this program: update it first")
            made_at, revision, counts, files = (plain[n] for n in ("made_at", "revision", "counts", "files"))
            if not (isinstance(made_at, str) and isinstance(revision, str)):
                raise TypeError("no text")
            return cls(made_at, revision, _each(counts, int), _each(files, str))
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise BackupError("this is not a backup of whosthat: its manifest cannot be read") from error


def _each(plain: object, kind: type[T]) -> dict[str, T]:
    """A JSON object, all of whose values are of one kind; TypeError otherwise."""
    if not isinstance(plain, dict) or not all(isinstance(value, kind) for value in plain.values()):
        raise TypeError(f"no object of {kind.__name__}")
    return plain


class Packer:
    """Packs what is written to it; from `plain` on it leaves it as it is, for pictures are packed already.

    Two gzip members one after the other, which every reader takes for one (RFC 1952, section 2.2).
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._member = gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6)

    def plain(self) -> None:
        """Spare the work from here on."""
        self._member.close()
        self._member = gzip.GzipFile(fileobj=self._file, mode="wb", compresslevel=0)

    def write(self, content: bytes) -> int:
        """Take some bytes."""
        return self._member.write(content)

    def close(self) -> None:
        """Write what is left; the file itself stays open."""
        self._member.close()


def add(tar: tarfile.TarFile, name: str, content: bytes) -> str:
    """Put bytes into an archive; their SHA-256."""
    tar.addfile(_entry(name, len(content)), io.BytesIO(content))
    return hashlib.sha256(content).hexdigest()


def add_file(tar: tarfile.TarFile, name: str, path: Path) -> str:
    """Put a file that nobody writes to into an archive; its SHA-256."""
    with path.open("rb") as file:
        tar.addfile(_entry(name, path.stat().st_size), file)
        file.seek(0)
        return hashlib.file_digest(file, "sha256").hexdigest()


class Header(tarfile.TarInfo):
    """A member's header; one that is not of a plain file is refused before what belongs to it is read.

    The long names of GNU and the records of pax would be read into memory whole, however large they say
    they are, before a name is known. A backup has none: its names are short, and sizes above 8 GiB are
    written in GNU's binary form instead of a pax record.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        """From 512 bytes.

        Raises:
            BackupError: a link, a folder, a record about another member, or a size below nothing.
        """
        header = super().frombuf(buf, encoding, errors)
        if header.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or header.size < 0:
            raise BackupError(
                f"this is not a backup of whosthat: {header.name[:80]!r} does not belong into one"
            )
        return header

    def tobuf(
        self,
        format: int | None = tarfile.GNU_FORMAT,  # noqa: A002
        encoding: str | None = tarfile.ENCODING,
        errors: str = "surrogateescape",
    ) -> bytes:
        """As 512 bytes, in GNU's form whatever the archive's."""
        return super().tobuf(tarfile.GNU_FORMAT, encoding, errors)


def _entry(name: str, size: int) -> tarfile.TarInfo:
    entry = Header(name)
    entry.size, entry.mode = size, 0o600
    return entry


def members(tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes], int]]:
    """Name, content and size of each member, in order; whatever a backup does not hold is refused.

    ``tar`` is opened with `Header` as its ``tarinfo``.

    Raises:
        BackupError: a link, a folder, a path, a name that is not ours, one twice, or one too large.
    """
    seen: set[str] = set()
    for entry in tar:
        name = entry.name
        known = name in (DATABASE, KEY_FILE, MANIFEST) or _BLOB.fullmatch(name)
        if not known or not entry.isreg() or name in seen:
            raise BackupError(f"this is not a backup of whosthat: {name[:80]!r} does not belong into one")
        if entry.size > _largest(name):
            raise BackupError(f"this is not a backup of whosthat: {name[:80]!r} is too large")
        seen.add(name)
        content = tar.extractfile(entry)
        assert content is not None, "a regular file"
        yield name, content, entry.size


def _largest(name: str) -> int:
    if name == DATABASE:
        return 1 << 50
    if name == MANIFEST:
        return _LARGEST_MANIFEST
    return KEY_BYTES if name == KEY_FILE else _LARGEST_BLOB


def digest_in(name: str) -> str | None:
    """The SHA-256 that the name of a picture says; None for anything else."""
    found = _BLOB.fullmatch(name)
    return found[1] + found[2] if found else None


def copy(source: IO[bytes], target: Path) -> str:
    """Write a stream to a new file, readable by its owner only; its SHA-256."""
    target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    sha256 = hashlib.sha256()
    with target.open("xb") as file:
        target.chmod(0o600)
        while part := source.read(_AT_ONCE):
            sha256.update(part)
            file.write(part)
    return sha256.hexdigest()
