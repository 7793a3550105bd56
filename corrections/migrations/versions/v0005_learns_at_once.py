"""What people approved counts at once: what a model saw in a picture, what has changed, what memory said."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)

PREDICTIONS: tuple[sa.Column[object], ...] = (
    sa.Column("memory", KEY, nullable=True),
    sa.Column("how", sa.String(length=8), nullable=False, server_default=""),
    sa.Column("said", sa.JSON(none_as_null=True), nullable=True),
)


def upgrade() -> None:
    """Bring the tables to this revision."""
    for column in PREDICTIONS:
        op.add_column("predictions", column._copy())
    op.create_table(
        "features",
        sa.Column("blob_id", KEY, nullable=False),
        sa.Column("bundle", sa.String(length=128), nullable=False),
        sa.Column("embedding", sa.LargeBinary(), nullable=False),
        sa.Column("marks", sa.LargeBinary(), nullable=False),
        sa.Column("ranked", sa.LargeBinary(), nullable=False),
        sa.Column("checksum", sa.String(length=16), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name="fk_features_blob_id"),
        sa.PrimaryKeyConstraint("blob_id", name="pk_features"),
    )
    op.create_table(
        "memory_changes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("case_id", KEY, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_memory_changes_case_id"),
        sa.PrimaryKeyConstraint("id", name="pk_memory_changes"),
        sqlite_autoincrement=True,
    )


def downgrade() -> None:
    """Take this revision back."""
    op.drop_table("memory_changes")
    op.drop_table("features")
    for column in reversed(PREDICTIONS):
        op.drop_column("predictions", column.name)
