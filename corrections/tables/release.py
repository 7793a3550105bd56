"""What may leave the ledger: consents, splits, snapshots, and what was withdrawn."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from corrections.tables.base import Key, Moment, Table, UtcTime


class ConsentRow(Table):
    """What the poster answered to *may I learn from this?* for a post; without a post, for all.

    ``since``: an answer for all holds for what was posted from then on; None for everything, ever.
    """

    __tablename__ = "consents"
    __table_args__ = (UniqueConstraint("post_id"), Index(None, "person_id", "post_id"))

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    post_id: Mapped[int | None] = mapped_column(ForeignKey("posts.id"))
    granted: Mapped[bool]
    since: Mapped[datetime | None] = mapped_column(UtcTime)
    created_at: Mapped[Moment]
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)


class SplitGroupRow(Table):
    """Near copies over all communities: they stay in one split. What was ever in test never trains."""

    __tablename__ = "split_groups"
    __table_args__ = (CheckConstraint("split IN ('train', 'validation', 'test')", name="split"),)

    id: Mapped[Key]
    split: Mapped[str] = mapped_column(String(16))
    was_test: Mapped[bool]
    created_at: Mapped[Moment]


class SnapshotRow(Table):
    """A frozen export; ``community_id`` is None for the operator's. ``name`` is its id for people."""

    __tablename__ = "snapshots"
    __table_args__ = (Index(None, "name", unique=True),)

    id: Mapped[Key]
    community_id: Mapped[int | None] = mapped_column(ForeignKey("communities.id"), index=True)
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    name: Mapped[str] = mapped_column(String(64))
    items: Mapped[int]
    manifest_sha256: Mapped[str] = mapped_column(String(64))
    manifest: Mapped[dict[str, Any]] = mapped_column(JSON)
    created_at: Mapped[Moment]


class SnapshotItemRow(Table):
    """One picture of a snapshot; ``withdrawn_at``: since when a retraining must leave it out."""

    __tablename__ = "snapshot_items"
    __table_args__ = (Index(None, "sha256"),)

    snapshot_id: Mapped[int] = mapped_column(ForeignKey("snapshots.id"), primary_key=True)
    file_name: Mapped[str] = mapped_column(String(256), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcTime)


class TombstoneRow(Table):
    """What was withdrawn, by a keyed hash: enough to know it again, too little to find it."""

    __tablename__ = "tombstones"
    __table_args__ = (UniqueConstraint("kind", "key"),)

    id: Mapped[Key]
    kind: Mapped[str] = mapped_column(String(16))
    key: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[Moment]


class LinkRow(Table):
    """A link that works once: to sign in to the console (*login*) or to fetch an export (*download*).

    Only the SHA-256 of its token is kept. ``community_id`` None: the operator's, for all communities.
    """

    __tablename__ = "links"
    __table_args__ = (
        CheckConstraint("kind IN ('login', 'download')", name="kind"),
        UniqueConstraint("token_sha256"),
    )

    id: Mapped[Key]
    kind: Mapped[str] = mapped_column(String(16))
    token_sha256: Mapped[str] = mapped_column(String(64))
    person_id: Mapped[int | None] = mapped_column(ForeignKey("people.id"), index=True)
    community_id: Mapped[int | None] = mapped_column(ForeignKey("communities.id"), index=True)
    subject: Mapped[str | None] = mapped_column(String(256))
    created_at: Mapped[Moment]
    expires_at: Mapped[Moment]
    used_at: Mapped[datetime | None] = mapped_column(UtcTime)
