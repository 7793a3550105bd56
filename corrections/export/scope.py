"""A question about what may leave, in the database's own terms: the one place where the rule is written."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, exists, true

from corrections.cases import APPROVED
from corrections.consent import post_consented
from corrections.tables import BlobRow, CaseRow, PostRow

DISCORD = "discord"
"""The platform whose pictures need the operator's switch."""


@dataclass(frozen=True, slots=True)
class Scope:
    """A question put in the database's own terms; ``community`` and ``character`` exist."""

    community: int | None
    since: datetime | None
    character: str | None
    allow_discord: bool

    def post(self) -> ColumnElement[bool]:
        """Whether a post is in question at all."""
        return true() if self.community is None else PostRow.community_id == self.community

    def allowed(self) -> ColumnElement[bool]:
        """Whether the policy lets a post be learned from."""
        return true() if self.allow_discord else PostRow.platform != DISCORD

    def case(self) -> ColumnElement[bool]:
        """Whether a case is approved and in question."""
        approved = CaseRow.status == APPROVED
        return approved if self.since is None else approved & (CaseRow.decided_at >= self.since)

    def may_leave(self) -> ColumnElement[bool]:
        """Whether a picture is approved and agreed to, correlated on `BlobRow`."""
        here = PostRow.blob_id == BlobRow.id, self.post(), self.allowed()
        approved = exists().where(*here, PostRow.case_id == CaseRow.id, self.case()).correlate(BlobRow)
        return approved & self.agreed() & BlobRow.erased_at.is_(None)

    def agreed(self) -> ColumnElement[bool]:
        """Whether the poster of an allowed post agrees, correlated on `BlobRow`."""
        here = PostRow.blob_id == BlobRow.id, self.post(), self.allowed()
        return exists().where(*here, post_consented()).correlate(BlobRow)

    def candidate(self) -> ColumnElement[bool]:
        """Whether a picture is approved, correlated on `BlobRow`."""
        here = PostRow.blob_id == BlobRow.id, self.post(), PostRow.case_id == CaseRow.id
        return exists().where(*here, self.case()).correlate(BlobRow)
