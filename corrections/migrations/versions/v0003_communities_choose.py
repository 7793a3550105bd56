"""Communities choose for themselves, keep what is theirs when their id changes; Chinese names have pinyin."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "community_settings",
        sa.Column("community_id", KEY, autoincrement=False, nullable=False),
        sa.Column("watched", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("moderator_roles", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(length=16), nullable=False),
        sa.Column("chatty", sa.Boolean(), nullable=False),
        sa.Column("person_per_minute", sa.Integer(), nullable=True),
        sa.Column("changed_at", TIME, nullable=False),
        sa.CheckConstraint("person_per_minute > 0", name="ck_community_settings_person_per_minute"),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name="fk_community_settings_community_id"
        ),
        sa.PrimaryKeyConstraint("community_id", name="pk_community_settings"),
    )
    op.create_table(
        "former_communities",
        sa.Column("id", KEY, nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("native", sa.String(length=128), nullable=False),
        sa.Column("community_id", KEY, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(
            ["community_id"], ["communities.id"], name="fk_former_communities_community_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_former_communities"),
        sa.UniqueConstraint("platform", "native", name="uq_former_communities_platform_native"),
    )
    op.create_index("ix_former_communities_community_id", "former_communities", ["community_id"])
    op.add_column("characters", sa.Column("pinyin", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Take this revision back."""
    with op.batch_alter_table("characters") as characters:
        characters.drop_column("pinyin")
    op.drop_table("former_communities")
    op.drop_table("community_settings")
