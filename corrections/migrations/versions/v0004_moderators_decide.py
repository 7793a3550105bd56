"""Moderators decide: which cases to look at, whom they confirmed, what left, and links that work once."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)

CASES: tuple[sa.Column[object], ...] = (
    sa.Column("revision", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("leading", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("agreement", sa.Double(), nullable=False, server_default="0"),
    sa.Column("voters", sa.Integer(), nullable=False, server_default="0"),
    sa.Column("agreed", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column("reason", sa.String(length=16), nullable=False, server_default="few"),
    sa.Column("priority", sa.Double(), nullable=False, server_default="0"),
    sa.Column("skipped_at", TIME, nullable=True),
    sa.Column("claimed_by", KEY, nullable=True),
    sa.Column("claimed_until", TIME, nullable=True),
)


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.add_column("consents", sa.Column("since", TIME, nullable=True))
    for column in CASES:
        op.add_column("cases", column._copy())
    op.drop_index("ix_cases_community_id_status", table_name="cases")
    op.create_index(
        "ix_cases_community_id_status_priority", "cases", ["community_id", "status", "priority"], unique=False
    )
    op.create_index("ix_cases_status_priority", "cases", ["status", "priority"], unique=False)
    op.add_column("decisions", sa.Column("community_id", KEY, nullable=True))
    op.create_index("ix_decisions_community_id_id", "decisions", ["community_id", "id"], unique=False)
    # Nobody could make a snapshot before this revision: no row needs a name.
    op.add_column("snapshots", sa.Column("name", sa.String(length=64), nullable=False, server_default=""))
    op.create_index("ix_snapshots_name", "snapshots", ["name"], unique=True)
    op.create_table(
        "snapshot_items",
        sa.Column("snapshot_id", KEY, nullable=False),
        sa.Column("file_name", sa.String(length=256), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("withdrawn_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["snapshot_id"], ["snapshots.id"], name="fk_snapshot_items_snapshot_id"),
        sa.PrimaryKeyConstraint("snapshot_id", "file_name", name="pk_snapshot_items"),
    )
    op.create_index("ix_snapshot_items_sha256", "snapshot_items", ["sha256"], unique=False)
    op.create_table(
        "links",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("person_id", KEY, nullable=True),
        sa.Column("community_id", KEY, nullable=True),
        sa.Column("subject", sa.String(length=256), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("expires_at", TIME, nullable=False),
        sa.Column("used_at", TIME, nullable=True),
        sa.CheckConstraint("kind IN ('login', 'download')", name="ck_links_kind"),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name="fk_links_community_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_links_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
        sa.UniqueConstraint("token_sha256", name="uq_links_token_sha256"),
    )
    op.create_index("ix_links_community_id", "links", ["community_id"], unique=False)
    op.create_index("ix_links_person_id", "links", ["person_id"], unique=False)
    op.create_table(
        "trust",
        sa.Column("community_id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=False),
        sa.Column("judged", sa.Integer(), nullable=False),
        sa.Column("confirmed", sa.Integer(), nullable=False),
        sa.Column("compared", sa.Double(), nullable=False, server_default="0"),
        sa.Column("matched", sa.Double(), nullable=False, server_default="0"),
        sa.Column("bursts", sa.JSON(none_as_null=True), nullable=True),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name="fk_trust_community_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_trust_person_id"),
        sa.PrimaryKeyConstraint("community_id", "person_id", name="pk_trust"),
    )
    op.create_index("ix_trust_person_id", "trust", ["person_id"], unique=False)


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("trust")
    op.drop_table("links")
    op.drop_table("snapshot_items")
    op.drop_index("ix_snapshots_name", table_name="snapshots")
    op.drop_column("snapshots", "name")
    op.drop_index("ix_decisions_community_id_id", table_name="decisions")
    op.drop_column("decisions", "community_id")
    op.drop_index("ix_cases_status_priority", table_name="cases")
    op.drop_index("ix_cases_community_id_status_priority", table_name="cases")
    for column in reversed(CASES):
        op.drop_column("cases", column.name)
    op.create_index("ix_cases_community_id_status", "cases", ["community_id", "status"], unique=False)
    op.drop_column("consents", "since")
