"""Who and where: communities, people, and the characters that they name."""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, CheckConstraint, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from corrections.tables.base import Key, Moment, Table


class CommunityRow(Table):
    """A Discord server, a Telegram group, a private chat or a web session; ``native`` is its id there."""

    __tablename__ = "communities"
    __table_args__ = (UniqueConstraint("platform", "native"),)

    id: Mapped[Key]
    platform: Mapped[str] = mapped_column(String(32))
    native: Mapped[str] = mapped_column(String(128))
    created_at: Mapped[Moment]


class PersonRow(Table):
    """Somebody, known only by the HMAC of platform and user id (hex)."""

    __tablename__ = "people"

    id: Mapped[Key]
    person_key: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[Moment]


class CharacterRow(Table):
    """A character of the vocabulary or a proposal.

    ``slug`` never changes. ``seeded`` is what the vocabulary file said when it was last applied, so that a
    newer file and the moderators' changes can be told apart. ``revision`` grows with every change of any
    character. ``pinyin`` has the syllables of its Chinese names, so that no process has to work them out.
    """

    __tablename__ = "characters"
    __table_args__ = (
        CheckConstraint("status IN ('known', 'proposed', 'merged', 'refused')", name="status"),
        Index(None, "revision"),
        Index(None, "proposed_by", "created_at"),
    )

    id: Mapped[Key]
    slug: Mapped[str] = mapped_column(String(64), unique=True)
    names: Mapped[dict[str, str]] = mapped_column(JSON)
    aliases: Mapped[list[str]] = mapped_column(JSON)
    status: Mapped[str] = mapped_column(String(16))
    merged_into: Mapped[int | None] = mapped_column(ForeignKey("characters.id"))
    community_id: Mapped[int | None] = mapped_column(ForeignKey("communities.id"))
    proposed_by: Mapped[int | None] = mapped_column(ForeignKey("people.id"))
    seeded: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    pinyin: Mapped[dict[str, str] | None] = mapped_column(JSON(none_as_null=True))
    revision: Mapped[int]
    created_at: Mapped[Moment]


class PropertyRow(Table):
    """A fact about the ledger itself, such as the fingerprint of the key that people are known by."""

    __tablename__ = "properties"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(256))
