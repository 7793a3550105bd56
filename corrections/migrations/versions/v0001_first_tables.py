"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
BOX = (
    "(x IS NULL AND y IS NULL AND w IS NULL AND h IS NULL) OR "
    "(x >= 0 AND y >= 0 AND w > 0 AND h > 0 AND x + w <= 1 AND y + h <= 1)"
)


def upgrade() -> None:
    """Bring the tables to this revision."""
    op.create_table(
        "communities",
        sa.Column("id", KEY, nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("native", sa.String(length=128), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_communities"),
        sa.UniqueConstraint("platform", "native", name="uq_communities_platform_native"),
    )
    op.create_table(
        "people",
        sa.Column("id", KEY, nullable=False),
        sa.Column("person_key", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_people"),
        sa.UniqueConstraint("person_key", name="uq_people_person_key"),
    )
    op.create_table(
        "properties",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=256), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_properties"),
    )
    op.create_table(
        "split_groups",
        sa.Column("id", KEY, nullable=False),
        sa.Column("split", sa.String(length=16), nullable=False),
        sa.Column("was_test", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("split IN ('train', 'validation', 'test')", name="ck_split_groups_split"),
        sa.PrimaryKeyConstraint("id", name="pk_split_groups"),
    )
    op.create_table(
        "tombstones",
        sa.Column("id", KEY, nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_tombstones"),
        sa.UniqueConstraint("kind", "key", name="uq_tombstones_kind_key"),
    )
    op.create_table(
        "blobs",
        sa.Column("id", KEY, nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("near_key", sa.String(length=128), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=8), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("split_group_id", KEY, nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("posted_at", TIME, nullable=False),
        sa.Column("erased_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["split_group_id"], ["split_groups.id"], name="fk_blobs_split_group_id"),
        sa.PrimaryKeyConstraint("id", name="pk_blobs"),
        sa.UniqueConstraint("sha256", name="uq_blobs_sha256"),
    )
    op.create_index("ix_blobs_erased_at_posted_at", "blobs", ["erased_at", "posted_at"], unique=False)
    op.create_index("ix_blobs_split_group_id", "blobs", ["split_group_id"], unique=False)
    op.create_table(
        "cases",
        sa.Column("id", KEY, nullable=False),
        sa.Column("community_id", KEY, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("decided", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("decided_at", TIME, nullable=True),
        sa.CheckConstraint("status IN ('open', 'approved', 'rejected', 'withdrawn')", name="ck_cases_status"),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name="fk_cases_community_id"),
        sa.PrimaryKeyConstraint("id", name="pk_cases"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_cases_community_id_status", "cases", ["community_id", "status"], unique=False)
    op.create_table(
        "characters",
        sa.Column("id", KEY, nullable=False),
        sa.Column("slug", sa.String(length=64), nullable=False),
        sa.Column("names", sa.JSON(), nullable=False),
        sa.Column("aliases", sa.JSON(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("merged_into", KEY, nullable=True),
        sa.Column("community_id", KEY, nullable=True),
        sa.Column("proposed_by", KEY, nullable=True),
        sa.Column("seeded", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint(
            "status IN ('known', 'proposed', 'merged', 'refused')", name="ck_characters_status"
        ),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name="fk_characters_community_id"),
        sa.ForeignKeyConstraint(["merged_into"], ["characters.id"], name="fk_characters_merged_into"),
        sa.ForeignKeyConstraint(["proposed_by"], ["people.id"], name="fk_characters_proposed_by"),
        sa.PrimaryKeyConstraint("id", name="pk_characters"),
        sa.UniqueConstraint("slug", name="uq_characters_slug"),
    )
    op.create_index(
        "ix_characters_proposed_by_created_at", "characters", ["proposed_by", "created_at"], unique=False
    )
    op.create_index("ix_characters_revision", "characters", ["revision"], unique=False)
    op.create_table(
        "snapshots",
        sa.Column("id", KEY, nullable=False),
        sa.Column("community_id", KEY, nullable=True),
        sa.Column("person_id", KEY, nullable=True),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("manifest_sha256", sa.String(length=64), nullable=False),
        sa.Column("manifest", sa.JSON(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name="fk_snapshots_community_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_snapshots_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_snapshots"),
    )
    op.create_index("ix_snapshots_community_id", "snapshots", ["community_id"], unique=False)
    op.create_table(
        "decisions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=False),
        sa.Column("case_id", KEY, nullable=True),
        sa.Column("character_id", KEY, nullable=True),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("before", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("after", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_decisions_case_id"),
        sa.ForeignKeyConstraint(["character_id"], ["characters.id"], name="fk_decisions_character_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_decisions_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_decisions"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_decisions_case_id", "decisions", ["case_id"], unique=False)
    op.create_index("ix_decisions_character_id", "decisions", ["character_id"], unique=False)
    op.create_index("ix_decisions_person_id", "decisions", ["person_id"], unique=False)
    op.create_table(
        "posts",
        sa.Column("id", KEY, nullable=False),
        sa.Column("blob_id", KEY, nullable=False),
        sa.Column("case_id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=False),
        sa.Column("community_id", KEY, nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=128), nullable=True),
        sa.Column("message", sa.String(length=128), nullable=True),
        sa.Column("slot", sa.Integer(), nullable=False),
        sa.Column("original_sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name="fk_posts_blob_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_posts_case_id"),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name="fk_posts_community_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_posts_person_id"),
        sa.PrimaryKeyConstraint("id", name="pk_posts"),
        sa.UniqueConstraint(
            "platform", "channel", "message", "slot", name="uq_posts_platform_channel_message_slot"
        ),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_posts_blob_id", "posts", ["blob_id"], unique=False)
    op.create_index("ix_posts_case_id", "posts", ["case_id"], unique=False)
    op.create_index("ix_posts_community_id_id", "posts", ["community_id", "id"], unique=False)
    op.create_index("ix_posts_person_id", "posts", ["person_id"], unique=False)
    op.create_table(
        "consents",
        sa.Column("id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=False),
        sa.Column("post_id", KEY, nullable=True),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.Column("withdrawn_at", TIME, nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_consents_person_id"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_consents_post_id"),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
        sa.UniqueConstraint("post_id", name="uq_consents_post_id"),
    )
    op.create_index("ix_consents_person_id_post_id", "consents", ["person_id", "post_id"], unique=False)
    op.create_table(
        "predictions",
        sa.Column("id", KEY, nullable=False),
        sa.Column("post_id", KEY, nullable=False),
        sa.Column("bundle", sa.String(length=128), nullable=False),
        sa.Column("level", sa.String(length=64), nullable=False),
        sa.Column("verdict", sa.String(length=16), nullable=False),
        sa.Column("character", sa.String(length=64), nullable=False),
        sa.Column("confidence", sa.Double(), nullable=False),
        sa.Column("known", sa.Double(), nullable=False),
        sa.Column("ranked", sa.JSON(), nullable=False),
        sa.Column("milliseconds", sa.Double(), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("verdict IN ('sure', 'unsure', 'nobody')", name="ck_predictions_verdict"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_predictions_post_id"),
        sa.PrimaryKeyConstraint("id", name="pk_predictions"),
        sa.UniqueConstraint("post_id", "bundle", name="uq_predictions_post_id_bundle"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "replies",
        sa.Column("id", KEY, nullable=False),
        sa.Column("prediction_id", KEY, nullable=False),
        sa.Column("community_id", KEY, nullable=False),
        sa.Column("platform", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=128), nullable=False),
        sa.Column("message", sa.String(length=128), nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["community_id"], ["communities.id"], name="fk_replies_community_id"),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.id"], name="fk_replies_prediction_id"),
        sa.PrimaryKeyConstraint("id", name="pk_replies"),
        sa.UniqueConstraint(
            "prediction_id",
            "platform",
            "channel",
            "message",
            name="uq_replies_prediction_id_platform_channel_message",
        ),
    )
    op.create_table(
        "vote_history",
        sa.Column("id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=False),
        sa.Column("blob_id", KEY, nullable=False),
        sa.Column("prediction_id", KEY, nullable=False),
        sa.Column("case_id", KEY, nullable=False),
        sa.Column("action", sa.String(length=8), nullable=False),
        sa.Column("labels", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("created_at", TIME, nullable=False),
        sa.CheckConstraint("action IN ('vote', 'again', 'undo')", name="ck_vote_history_action"),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name="fk_vote_history_blob_id"),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_vote_history_case_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_vote_history_person_id"),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.id"], name="fk_vote_history_prediction_id"),
        sa.PrimaryKeyConstraint("id", name="pk_vote_history"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_vote_history_blob_id", "vote_history", ["blob_id"], unique=False)
    op.create_index(
        "ix_vote_history_person_id_blob_id", "vote_history", ["person_id", "blob_id"], unique=False
    )
    op.create_index("ix_vote_history_prediction_id", "vote_history", ["prediction_id"], unique=False)
    op.create_table(
        "votes",
        sa.Column("id", KEY, nullable=False),
        sa.Column("person_id", KEY, nullable=False),
        sa.Column("blob_id", KEY, nullable=False),
        sa.Column("prediction_id", KEY, nullable=False),
        sa.Column("event_id", KEY, nullable=False),
        sa.Column("created_at", TIME, nullable=False),
        sa.ForeignKeyConstraint(["blob_id"], ["blobs.id"], name="fk_votes_blob_id"),
        sa.ForeignKeyConstraint(["event_id"], ["vote_history.id"], name="fk_votes_event_id"),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name="fk_votes_person_id"),
        sa.ForeignKeyConstraint(["prediction_id"], ["predictions.id"], name="fk_votes_prediction_id"),
        sa.PrimaryKeyConstraint("id", name="pk_votes"),
        sa.UniqueConstraint("event_id", name="uq_votes_event_id"),
        sa.UniqueConstraint("person_id", "blob_id", name="uq_votes_person_id_blob_id"),
    )
    op.create_index("ix_votes_blob_id", "votes", ["blob_id"], unique=False)
    op.create_index("ix_votes_person_id_event_id", "votes", ["person_id", "event_id"], unique=False)
    op.create_index("ix_votes_prediction_id", "votes", ["prediction_id"], unique=False)
    op.create_table(
        "vote_cases",
        sa.Column("vote_id", KEY, nullable=False),
        sa.Column("case_id", KEY, nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"], name="fk_vote_cases_case_id"),
        sa.ForeignKeyConstraint(["vote_id"], ["votes.id"], name="fk_vote_cases_vote_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("vote_id", "case_id", name="pk_vote_cases"),
    )
    op.create_index("ix_vote_cases_case_id", "vote_cases", ["case_id"], unique=False)
    op.create_table(
        "vote_labels",
        sa.Column("vote_id", KEY, nullable=False),
        sa.Column("character_id", KEY, nullable=False),
        sa.Column("x", sa.Double(), nullable=True),
        sa.Column("y", sa.Double(), nullable=True),
        sa.Column("w", sa.Double(), nullable=True),
        sa.Column("h", sa.Double(), nullable=True),
        sa.CheckConstraint(BOX, name="ck_vote_labels_box"),
        sa.ForeignKeyConstraint(["character_id"], ["characters.id"], name="fk_vote_labels_character_id"),
        sa.ForeignKeyConstraint(["vote_id"], ["votes.id"], name="fk_vote_labels_vote_id", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("vote_id", "character_id", name="pk_vote_labels"),
    )
    op.create_index("ix_vote_labels_character_id", "vote_labels", ["character_id"], unique=False)


def downgrade() -> None:
    """Take this revision back."""
    for table in reversed(TABLES):
        op.drop_table(table)


TABLES = (
    "communities",
    "people",
    "properties",
    "split_groups",
    "tombstones",
    "blobs",
    "cases",
    "characters",
    "snapshots",
    "decisions",
    "posts",
    "consents",
    "predictions",
    "replies",
    "vote_history",
    "votes",
    "vote_cases",
    "vote_labels",
)
