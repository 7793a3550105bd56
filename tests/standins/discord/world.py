"""The virtual Discord behind the server: simcord's backend on the real clock, with what tests count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from simcord._clock import Clock
from simcord.backend import Backend
from simcord.backend.models import Interaction, Message

from . import payloads
from .cdn import Cdn
from .waiting import Changes

if TYPE_CHECKING:
    from .snapshots import Response

DISCORD_EPOCH_MS = 1_420_070_400_000
UPLOAD_LIMIT = 10 << 20


class WallClock(Clock):
    """The real time, so that message ids and deadlines mean what they say."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass
class Tallies:
    """What simcord does not keep."""

    edits: dict[int, int] = field(default_factory=dict)
    homes: dict[int, int] = field(default_factory=dict)  # message id -> channel id, deleted ones too
    answers: dict[int, Response] = field(default_factory=dict)  # by interaction id
    nonces: dict[tuple[int, str], int] = field(default_factory=dict)
    opened_by: dict[int, int] = field(default_factory=dict)  # modal submission -> what showed the modal
    locales: dict[int, str] = field(default_factory=dict)  # by user id


class World(Backend):
    """Backend with a wall clock, our CDN and tallies."""

    def __init__(self, changes: Changes, cdn: Cdn, *, enforce_deadlines: bool) -> None:
        super().__init__(clock=WallClock())
        self.cdn: Cdn = cdn
        self.tallies = Tallies()
        self.shards = 1
        """How many connections Discord recommends."""
        self.max_concurrency = 1
        self.upload_limit = UPLOAD_LIMIT
        """Bytes that a file may have, as interactions tell; servers with boosts have more."""
        self.enforce_deadlines = enforce_deadlines
        self._changes = changes

    def emit(self, event: str, payload: Mapping[str, Any]) -> None:
        super().emit(event, payloads.complete(dict(payload)))
        self._changes.notify()

    def commit_message(self, message: Message, *, broadcast: bool = True) -> Message:
        if message.interaction_metadata is not None and message.webhook_id is None:
            # Discord marks answers to interactions as sent by the application's webhook.
            message.webhook_id = self.application_id
            record = self.interactions[int(message.interaction_metadata["id"])]
            opened_by = self.interactions.get(self.tallies.opened_by.get(record.id, 0))
            message.interaction_metadata = payloads.interaction_metadata(
                message.interaction_metadata, record, opened_by
            )
        self.tallies.homes[message.id] = message.channel_id
        message = super().commit_message(message, broadcast=broadcast)
        self._changes.notify()
        return message

    def edit_message(self, channel_id: int, message_id: int, fields: dict[str, Any]) -> Message:
        message = super().edit_message(channel_id, message_id, fields)
        self.tallies.edits[message_id] = self.tallies.edits.get(message_id, 0) + 1
        self._changes.notify()
        return message

    def bulk_delete_messages(self, channel_id: int, message_ids: Iterable[int]) -> list[int]:
        deleted = super().bulk_delete_messages(channel_id, message_ids)
        self._changes.notify()
        return deleted

    def delete_message(self, channel_id: int, message_id: int) -> None:
        super().delete_message(channel_id, message_id)
        self._changes.notify()

    def new_interaction(self, type: int, channel_id: int, user_id: int, guild_id: int | None) -> Interaction:  # noqa: A002
        record = super().new_interaction(type, channel_id, user_id, guild_id)
        if not self.enforce_deadlines:
            record.initial_response_deadline = None
        return record

    def id_at(self, moment: datetime) -> int:
        """A message id as if it had been given at ``moment``."""
        return self._allocate_at(int(moment.timestamp() * 1000) - DISCORD_EPOCH_MS)

    def find_message(self, message_id: int) -> Message | None:
        channel_id = self.tallies.homes.get(message_id)
        return None if channel_id is None else self.messages.get(channel_id, {}).get(message_id)
