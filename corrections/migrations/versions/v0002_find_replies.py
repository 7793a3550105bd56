"""Replies are found by their own address, and the newest one of a channel, without reading them all."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_index("ix_replies_platform_channel_message", "replies", ["platform", "channel", "message"])
    op.create_index("ix_replies_platform_channel_id", "replies", ["platform", "channel", "id"])


def downgrade() -> None:
    """Take this revision back."""
    op.drop_index("ix_replies_platform_channel_id", table_name="replies")
    op.drop_index("ix_replies_platform_channel_message", table_name="replies")
