"""Collects everything that contradicts Discord's own description, or that the stand-in cannot do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..specs import DiscordSpec


class Checker:
    """Looks at every call and event; tests assert that ``violations`` is empty."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self._spec = DiscordSpec.at_hand()

    def call(self, method: str, route: str, body: Any, status: int, answer: Any) -> None:
        """A call of the bot and what it was answered."""
        if self._spec is None:
            return
        self.violations += self._spec.request(method, route, body)
        if self._spec.knows(method, route):
            self.violations += self._spec.response(method, route, status, answer)

    def event(self, event: str, payload: Mapping[str, Any]) -> None:
        """An event of the world, before intents take anything out of it."""
        if self._spec is None:
            return
        if event in ("MESSAGE_CREATE", "MESSAGE_UPDATE"):
            self.violations += self._spec.schema("MessageResponse", dict(payload), event)
        elif event == "INTERACTION_CREATE":
            resolved = (payload.get("data") or {}).get("resolved") or {}
            shown = [*(resolved.get("messages") or {}).values(), *filter(None, [payload.get("message")])]
            for message in shown:
                self.violations += self._spec.schema("MessageResponse", message, event)
            for attachment in (resolved.get("attachments") or {}).values():
                self.violations += self._spec.schema("MessageAttachmentResponse", attachment, event)
