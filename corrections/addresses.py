"""Where messages are, in the database's own terms."""

from __future__ import annotations

from sqlalchemy import ColumnElement, Select, select

from corrections.tables import CommunityRow, PostRow, ReplyRow
from corrections.types import Address


def address_of(platform: str, native: str, channel: str | None, message: str | None) -> Address | None:
    """An address, unless it has been erased."""
    return (
        Address(platform, native, channel, message) if channel is not None and message is not None else None
    )


def posted_in(address: Address) -> tuple[ColumnElement[bool], ...]:
    """Whether a `PostRow` is of a message."""
    return (
        PostRow.platform == address.platform,
        PostRow.channel == address.channel,
        PostRow.message == address.message,
    )


def replied_in(address: Address) -> tuple[ColumnElement[bool], ...]:
    """Whether a `ReplyRow` is of a message of ours."""
    return (
        ReplyRow.platform == address.platform,
        ReplyRow.channel == address.channel,
        ReplyRow.message == address.message,
    )


def reply_addresses() -> Select[str, str, str, str]:
    """The columns of an `Address`, a row for each `ReplyRow`."""
    return select(ReplyRow.platform, CommunityRow.native, ReplyRow.channel, ReplyRow.message).join(
        CommunityRow, ReplyRow.community_id == CommunityRow.id
    )
