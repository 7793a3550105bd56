"""What was posted and what we said: blobs, cases, posts, predictions, replies."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from corrections.tables.base import Key, KeyType, Moment, Table, UtcTime

FORGOTTEN = ""
"""``original_sha256`` of a post whose poster was forgotten: what is left of it is there for others' votes."""


class BlobRow(Table):
    """A picture by its content.

    ``sha256`` is that of the stored file; ``erased_at`` says that its bytes are gone.
    """

    __tablename__ = "blobs"
    __table_args__ = (Index(None, "erased_at", "posted_at"),)

    id: Mapped[Key]
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    near_key: Mapped[str] = mapped_column(String(128))
    size: Mapped[int]
    format: Mapped[str] = mapped_column(String(8))
    width: Mapped[int]
    height: Mapped[int]
    split_group_id: Mapped[int | None] = mapped_column(ForeignKey("split_groups.id"), index=True)
    created_at: Mapped[Moment]
    posted_at: Mapped[Moment]  # the last time that somebody posted it: its age counts from here
    erased_at: Mapped[datetime | None] = mapped_column(UtcTime)


class CaseRow(Table):
    """Near copies of one picture in one community, decided together.

    ``decided`` lists the slugs that were decided; an empty list means nobody on the list. ``revision`` grows
    with every decision. ``leading`` to ``priority`` are what `corrections.review` made of the votes when it
    last looked: what most weight is behind, its probability, how many people voted, whether that is enough,
    why and how much the case is worth a look. A moderator who looks at it has it until ``claimed_until``.
    """

    __tablename__ = "cases"
    __table_args__ = (
        CheckConstraint("status IN ('open', 'approved', 'rejected', 'withdrawn')", name="status"),
        Index(None, "community_id", "status", "priority"),
        Index(None, "status", "priority"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Key]
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    status: Mapped[str] = mapped_column(String(16))
    decided: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    revision: Mapped[int] = mapped_column(default=0, server_default="0")
    leading: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    agreement: Mapped[float] = mapped_column(default=0.0, server_default="0")
    voters: Mapped[int] = mapped_column(default=0, server_default="0")
    agreed: Mapped[bool] = mapped_column(default=False, server_default=false())
    reason: Mapped[str] = mapped_column(String(16), default="few", server_default="few")
    priority: Mapped[float] = mapped_column(default=0.0, server_default="0")
    skipped_at: Mapped[datetime | None] = mapped_column(UtcTime)
    claimed_by: Mapped[int | None] = mapped_column(KeyType)  # a person; SQLite adds no foreign keys later
    claimed_until: Mapped[datetime | None] = mapped_column(UtcTime)
    created_at: Mapped[Moment]
    decided_at: Mapped[datetime | None] = mapped_column(UtcTime)


class PostRow(Table):
    """One picture of one message; ``slot`` is its place among the message's pictures, from 0.

    ``channel`` and ``message`` are erased when the message is deleted; the rest stays for the votes' sake.
    ``original_sha256`` is that of the bytes as they were posted, or `FORGOTTEN`.
    """

    __tablename__ = "posts"
    __table_args__ = (
        UniqueConstraint("platform", "channel", "message", "slot"),
        Index(None, "community_id", "id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Key]
    blob_id: Mapped[int] = mapped_column(ForeignKey("blobs.id"), index=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    platform: Mapped[str] = mapped_column(String(32))
    channel: Mapped[str | None] = mapped_column(String(128))
    message: Mapped[str | None] = mapped_column(String(128))
    slot: Mapped[int]
    original_sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[Moment]


class PredictionRow(Table):
    """What one bundle said of one post. Its id is in the button ids, so no id is ever used twice.

    ``ranked`` holds [slug, probability] of the ten likeliest, the likeliest first. All of that is the
    bundle's own opinion, so that its accuracy is counted by it. ``memory`` is the version of the memory that
    had a say (None: there was none), ``how`` what it did ("same": somebody named this very picture or a copy;
    "like": pictures like it made a difference), and ``said`` what was said then instead: ``verdict``,
    ``character``, ``confidence``, ``known``, ``ranked``, ``slugs``, ``here``, see `corrections.memory.said`.
    """

    __tablename__ = "predictions"
    __table_args__ = (
        UniqueConstraint("post_id", "bundle"),
        CheckConstraint("verdict IN ('sure', 'unsure', 'nobody')", name="verdict"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Key]
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id"))
    bundle: Mapped[str] = mapped_column(String(128))
    level: Mapped[str] = mapped_column(String(64))
    verdict: Mapped[str] = mapped_column(String(16))
    character: Mapped[str] = mapped_column(String(64))
    confidence: Mapped[float]
    known: Mapped[float]
    ranked: Mapped[list[tuple[str, float]]] = mapped_column(JSON)
    milliseconds: Mapped[float]
    memory: Mapped[int | None] = mapped_column(KeyType)
    how: Mapped[str] = mapped_column(String(8), default="", server_default="")
    said: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[Moment]


class ReplyRow(Table):
    """The address of our own message about a prediction. One message may answer several pictures."""

    __tablename__ = "replies"
    __table_args__ = (
        UniqueConstraint("prediction_id", "platform", "channel", "message"),
        Index(None, "platform", "channel", "message"),
        Index(None, "platform", "channel", "id"),
    )

    id: Mapped[Key]
    prediction_id: Mapped[int] = mapped_column(KeyType, ForeignKey("predictions.id"))
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"))
    platform: Mapped[str] = mapped_column(String(32))
    channel: Mapped[str] = mapped_column(String(128))
    message: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[Moment]
