"""What the memory needs beside what was decided: what a model saw in a picture, and what has changed."""

from __future__ import annotations

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from corrections.tables.base import Key, KeyType, Moment, Table


class FeatureRow(Table):
    """What a bundle saw in a picture, for as long as the picture's bytes are kept, and no longer.

    ``embedding`` is little-endian float32 [D], ``marks`` see `model.types.Sight`, ``ranked`` is JSON of
    [slug, probability] of the likeliest, as the bundle alone says. ``checksum`` is that of all of it: a row
    that does not fit is written anew, see `corrections.memory`.
    """

    __tablename__ = "features"

    blob_id: Mapped[int] = mapped_column(KeyType, ForeignKey("blobs.id"), primary_key=True)
    bundle: Mapped[str] = mapped_column(String(128))
    embedding: Mapped[bytes] = mapped_column(LargeBinary)
    marks: Mapped[bytes] = mapped_column(LargeBinary)
    ranked: Mapped[bytes] = mapped_column(LargeBinary)
    checksum: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[Moment]


class MemoryChangeRow(Table):
    """Append-only: of which case there is something else to remember from now on; None: of any of them.

    Written in the transaction that changes it. The last id is the version of the memory, so none is used
    twice. Old rows go: whoever has not read for that long reads everything.
    """

    __tablename__ = "memory_changes"
    __table_args__ = ({"sqlite_autoincrement": True},)

    id: Mapped[Key]
    case_id: Mapped[int | None] = mapped_column(KeyType, ForeignKey("cases.id"))
    created_at: Mapped[Moment]
