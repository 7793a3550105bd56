"""What communities chose for themselves, and the ids they had before."""

from __future__ import annotations

from sqlalchemy import JSON, CheckConstraint, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from corrections.tables.base import Key, Moment, Table


class CommunitySettingsRow(Table):
    """The settings of a community that has chosen any; see `corrections.types.CommunitySettings`."""

    __tablename__ = "community_settings"
    __table_args__ = (CheckConstraint("person_per_minute > 0", name="person_per_minute"),)

    community_id: Mapped[int] = mapped_column(
        ForeignKey("communities.id"), primary_key=True, autoincrement=False
    )
    watched: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    moderator_roles: Mapped[list[str]] = mapped_column(JSON)
    language: Mapped[str] = mapped_column(String(16))
    chatty: Mapped[bool]
    person_per_minute: Mapped[int | None]
    changed_at: Mapped[Moment]


class FormerCommunityRow(Table):
    """An id that a community had before its platform gave it another one."""

    __tablename__ = "former_communities"
    __table_args__ = (UniqueConstraint("platform", "native"),)

    id: Mapped[Key]
    platform: Mapped[str] = mapped_column(String(32))
    native: Mapped[str] = mapped_column(String(128))
    community_id: Mapped[int] = mapped_column(ForeignKey("communities.id"), index=True)
    created_at: Mapped[Moment]
