"""One picture as a row: its columns, its file's name, and cells that a spreadsheet cannot be tricked with."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from corrections.export.types import SEVERAL, Split
from model.types import NOBODY

COLUMNS: dict[str, str] = {
    "file_name": "string",
    "label": "string",
    "labels": "strings",
    "sha256": "string",
    "width": "int64",
    "height": "int64",
    "split": "string",
    "split_group": "string",
    "community": "string",
    "votes": "int64",
    "votes_agreeing": "int64",
    "decided_by": "string",
    "decided_at": "string",
    "bundle": "string",
    "said": "string",
    "confidence": "float64",
}
"""The columns and their types; what they mean is in docs/exporting.md."""

SEPARATOR = "|"
"""Between the labels in a cell of a CSV file; no slug has it."""

_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_DEVICES = re.compile(r"con|prn|aux|nul|(?:com|lpt)[0-9]")
# Where `datasets` reads a split into a path; a folder called so would be taken for one.
_SPLIT_WORD = re.compile(
    r"(?:^|[-._ 0-9])(?:train|training|validation|valid|dev|val|test|testing|eval|evaluation)(?=$|[-._ 0-9])"
)
_RISKY = ("=", "+", "-", "@", "\t", "\r", "\n", "'")


def label_of(labels: tuple[str, ...] | list[str]) -> str:
    """One word for who is in a picture: a slug, "nobody" or "several"."""
    return NOBODY if not labels else labels[0] if len(labels) == 1 else SEVERAL


def folder_of(labels: tuple[str, ...] | list[str]) -> str:
    """The folder of such pictures: their label wherever that is fit to be a folder."""
    if not labels or len(labels) > 1:
        return label_of(labels)
    slug = labels[0]
    fit = len(slug) <= 64 and _SLUG.fullmatch(slug) and not _DEVICES.fullmatch(slug)
    if fit and slug not in (NOBODY, SEVERAL) and not _SPLIT_WORD.search(slug):
        return slug
    letters = re.sub(r"[^a-z]", "", slug.lower())[:40]
    # Letters only after the hyphen, too: a digit beside "test" would part words again.
    digest = (
        hashlib.sha256(slug.encode()).hexdigest()[:8].translate(str.maketrans("0123456789", "ghijklmnop"))
    )
    return f"the{letters}-{digest}"


def path_of(item: Mapping[str, Any], split: Split) -> str:
    """Where the picture stands in the snapshot."""
    return f"{split}/{folder_of(item['labels'])}/{item['sha256']}.{item['format']}"


def row_of(item: Mapping[str, Any], split: Split, group: str) -> dict[str, Any]:
    """All columns. ``file_name`` is meant from the folder of the split."""
    given = {
        "file_name": path_of(item, split).removeprefix(f"{split}/"),
        "label": label_of(item["labels"]),
        "labels": item["labels"] or [NOBODY],  # an empty list has no type, by which files would differ
        "split": split,
        "split_group": group,
    }
    return {name: given[name] if name in given else item[name] for name in COLUMNS}


def guarded(cell: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula; `unguarded` turns it back.

    See OWASP's page on CSV injection. A cell that begins with an apostrophe gets another one.
    """
    return f"'{cell}" if cell.startswith(_RISKY) else cell


def unguarded(cell: str) -> str:
    """What `guarded` was given."""
    return cell[1:] if cell.startswith("'") and cell[1:].startswith(_RISKY) else cell
