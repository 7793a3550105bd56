"""The files of a snapshot, one after another: memory holds one picture, or one row group, at a time.

All block. The order of everything is that of the pictures' SHA-256, so that the same ledger gives the same
bytes. The name of a snapshot follows from what is in it.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from corrections.blobs import BlobStore
from corrections.export.card import data_card
from corrections.export.gather import Gathered
from corrections.export.rows import COLUMNS, SEPARATOR, guarded, path_of, row_of
from corrections.export.sinks import Hashed, Sink
from corrections.export.types import SPLITS, Format, Progress, Split

MANIFEST, CARD = "manifest.json", "README.md"


class Stopped(Exception):  # not an error
    """Nobody waits for it any more."""


@dataclass(frozen=True, slots=True)
class Written:
    """A snapshot that is on the disk but has not its place yet; ``missing``: pictures whose bytes are not."""

    name: str
    manifest: dict[str, Any]
    manifest_sha256: str
    missing: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Placed:
    """All pictures and where each goes: ``splits`` and ``names`` of groups by the picture's place."""

    found: Gathered
    splits: Sequence[Split | None]
    names: Callable[[int], str]

    def __iter__(self) -> Iterator[tuple[dict[str, Any], Split, str]]:
        for place, item in enumerate(self.found.items()):
            split = self.splits[place]
            if split is not None:
                yield item, split, self.names(place)


class Writer:
    """Writes one snapshot into a sink.

    Args:
        facts: what the manifest says beside what is found out here.
        stop: set when nobody waits any more.
    """

    def __init__(
        self,
        sink: Sink,
        store: BlobStore,
        placed: Placed,
        form: Format,
        facts: dict[str, Any],
        progress: Progress,
        stop: threading.Event,
    ) -> None:
        self._sink = sink
        self._store = store
        self._placed = placed
        self._form = form
        self._facts = facts
        self._progress = progress
        self._stop = stop
        self._done = 0
        self._missing: set[str] = set()

    def write(self) -> Written:
        """All files.

        Raises:
            OSError: the place does not take them.
            Stopped: nobody waits any more.
        """
        data = self._parquet() if self._form == "parquet" else self._folders()
        if self._missing:
            return Written("", {}, "", frozenset(self._missing))
        content = hashlib.sha256(_plain(self._facts).encode())
        for sha256, path in self._listed(data):
            content.update(f"{sha256}  {path}\n".encode())
        name = f"s-{content.hexdigest()[:10]}"
        manifest = {"schema": 1, "snapshot": name, **self._facts}
        card = data_card(manifest).encode()
        self._sink.put(CARD, card)
        data = [*data, (hashlib.sha256(card).hexdigest(), CARD)]
        manifest_sha256 = self._manifest(manifest, data)
        self._sink.settle()
        return Written(name, manifest, manifest_sha256)

    def _listed(self, data: Sequence[tuple[str, str]]) -> Iterator[tuple[str, str]]:
        """SHA-256 and path of every file: the pictures first, then what was written beside them."""
        if self._form != "parquet":
            for item, split, _ in self._placed:
                yield item["sha256"], path_of(item, split)
        yield from data

    def _folders(self) -> list[tuple[str, str]]:
        splits = set()
        for item, split, _ in self._placed:
            splits.add(split)
            content = self._picture(item)
            if content is not None:
                self._sink.put(path_of(item, split), content)
        data = []
        for split in SPLITS:
            if split not in splits:
                continue
            path = f"{split}/metadata.{'csv' if self._form == 'csv' else 'jsonl'}"
            with self._sink.open(path) as file:
                if self._form == "csv":
                    self._csv(split, file)
                else:
                    for row in self._rows(split):
                        file.write(f"{json.dumps(row, ensure_ascii=False)}\n".encode())
                data.append((file.sha256, path))
        return data

    def _rows(self, wanted: Split) -> Iterator[dict[str, Any]]:
        for item, split, group in self._placed:
            if split == wanted:
                yield row_of(item, split, group)

    def _csv(self, split: Split, file: Hashed) -> None:
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(COLUMNS)
        for row in self._rows(split):
            row["labels"] = SEPARATOR.join(row["labels"])
            writer.writerow(guarded(each) if isinstance(each, str) else each for each in row.values())
            file.write(text.getvalue().encode())
            text.seek(0)
            text.truncate()
        file.write(text.getvalue().encode())

    def _parquet(self) -> list[tuple[str, str]]:
        from corrections.export.parquet import write_parquet

        data = []
        for split in SPLITS:
            if split not in self._placed.splits:
                continue
            path = f"data/{split}-00000-of-00001.parquet"
            with self._sink.open(path) as file:
                write_parquet(file, self._pictures(split))
                data.append((file.sha256, path))
        return data

    def _pictures(self, wanted: Split) -> Iterator[tuple[dict[str, Any], bytes]]:
        for item, split, group in self._placed:
            if split == wanted:
                row = row_of(item, split, group)
                row["file_name"] = path_of(item, split)
                yield row, self._picture(item) or b""

    def _picture(self, item: dict[str, Any]) -> bytes | None:
        if self._stop.is_set():
            raise Stopped
        content = self._store.get(item["sha256"], item["format"])
        if content is None:
            self._missing.add(item["sha256"])
        self._done += 1
        if self._done % 50 == 0:
            self._progress(self._done / len(self._placed.splits))
        return content

    def _manifest(self, manifest: dict[str, Any], data: Sequence[tuple[str, str]]) -> str:
        """Written bit by bit: it lists every file."""
        whole = hashlib.sha256()
        with self._sink.open(MANIFEST) as file:
            file.write((_plain(manifest)[:-2] + ',\n  "files": {').encode())
            comma = ""
            for sha256, path in self._listed(data):
                whole.update(f"{sha256}  {path}\n".encode())
                file.write(f"{comma}\n    {json.dumps(path)}: {json.dumps(sha256)}".encode())
                comma = ","
            file.write(f'\n  }},\n  "whole": "{whole.hexdigest()}"\n}}\n'.encode())
            return file.sha256


def _plain(manifest: dict[str, Any]) -> str:
    return json.dumps(manifest, ensure_ascii=False, indent=2)
