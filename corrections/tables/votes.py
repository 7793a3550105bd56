"""What people said of pictures, and what moderators made of it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from corrections.tables.base import Key, KeyType, Moment, Table


class VoteEventRow(Table):
    """Append-only: every vote, change and undo. The standing votes can be rebuilt from it.

    ``action`` is *vote* (a new opinion), *again* (the same opinion, given in another community) or *undo*.
    ``labels`` lists the slugs that stand afterwards; None means no vote.
    """

    __tablename__ = "vote_history"
    __table_args__ = (
        CheckConstraint("action IN ('vote', 'again', 'undo')", name="action"),
        Index(None, "person_id", "blob_id"),
        {"sqlite_autoincrement": True},
    )

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    blob_id: Mapped[int] = mapped_column(ForeignKey("blobs.id"), index=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"), index=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"))
    action: Mapped[str] = mapped_column(String(8))
    labels: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[Moment]


class VoteRow(Table):
    """A person's standing vote on a picture: one at most. No labels means nobody on the list.

    ``event_id`` is the event that gave it, which is also its place in time.
    """

    __tablename__ = "votes"
    __table_args__ = (UniqueConstraint("person_id", "blob_id"), Index(None, "person_id", "event_id"))

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"))
    blob_id: Mapped[int] = mapped_column(ForeignKey("blobs.id"), index=True)
    prediction_id: Mapped[int] = mapped_column(ForeignKey("predictions.id"), index=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("vote_history.id"), unique=True)
    created_at: Mapped[Moment]


class VoteLabelRow(Table):
    """One character of a vote, with an optional box: left, top, width, height as fractions of the picture."""

    __tablename__ = "vote_labels"
    __table_args__ = (
        CheckConstraint(
            "(x IS NULL AND y IS NULL AND w IS NULL AND h IS NULL) OR "
            "(x >= 0 AND y >= 0 AND w > 0 AND h > 0 AND x + w <= 1 AND y + h <= 1)",
            name="box",
        ),
    )

    vote_id: Mapped[int] = mapped_column(ForeignKey("votes.id", ondelete="CASCADE"), primary_key=True)
    character_id: Mapped[int] = mapped_column(ForeignKey("characters.id"), primary_key=True, index=True)
    x: Mapped[float | None]
    y: Mapped[float | None]
    w: Mapped[float | None]
    h: Mapped[float | None]


class VoteCaseRow(Table):
    """Where a vote counts: the cases (one a community) in which its person has given it."""

    __tablename__ = "vote_cases"

    vote_id: Mapped[int] = mapped_column(ForeignKey("votes.id", ondelete="CASCADE"), primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), primary_key=True, index=True)


class DecisionRow(Table):
    """Append-only: who decided what, and what was there before and after."""

    __tablename__ = "decisions"
    __table_args__ = (Index(None, "community_id", "id"), {"sqlite_autoincrement": True})

    id: Mapped[Key]
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), index=True)
    community_id: Mapped[int | None] = mapped_column(KeyType)  # SQLite adds no foreign keys later
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"), index=True)
    character_id: Mapped[int | None] = mapped_column(ForeignKey("characters.id"), index=True)
    action: Mapped[str] = mapped_column(String(32))
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    created_at: Mapped[Moment]


class TrustRow(Table):
    """How often moderators of a community have confirmed what a person said there.

    ``compared`` and ``matched`` say the same of clear votes of others where no moderator has looked;
    ``bursts`` which label sets a person pushes against what others say. See `corrections.review.peers`.
    """

    __tablename__ = "trust"

    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"), primary_key=True)
    person_id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True, index=True)
    judged: Mapped[int]
    confirmed: Mapped[int]
    compared: Mapped[float] = mapped_column(default=0.0, server_default="0")
    matched: Mapped[float] = mapped_column(default=0.0, server_default="0")
    bursts: Mapped[dict[str, float] | None] = mapped_column(JSON(none_as_null=True))
