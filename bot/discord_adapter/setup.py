"""``/setup``: a server's own settings, for those who may manage it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import discord

from bot.desk.communities import ALL
from bot.desk.desk import Desk
from bot.desk.types import Refused
from bot.discord_adapter import panel
from bot.discord_adapter.asking import asker, place_of
from bot.discord_adapter.voices import whisper
from bot.wording import refusal
from bot.words import Words, words

log = logging.getLogger(__name__)

Interaction = discord.Interaction[discord.Client]


class Setup:
    """Shows the panel and does what is chosen on it, for whom Discord lets manage the server."""

    def __init__(self, desk: Desk, operator: panel.Operator) -> None:
        self._desk = desk
        self._operator = operator

    async def open(self, interaction: Interaction) -> None:
        """Show what holds here."""
        w = words(str(interaction.locale))
        if not interaction.guild:
            await whisper(interaction, w("discord-setup-server"))
        elif await self._may(interaction, w):
            settings = await self._desk.settings(place_of(interaction))
            await whisper(
                interaction,
                panel.text(settings, self._operator, interaction.guild, w),
                panel.controls(settings, self._operator, interaction.guild, w),
            )

    async def change(self, interaction: Interaction, slot: str) -> None:
        """Somebody chose something on the panel; the rights may be gone since it was opened."""
        w = words(str(interaction.locale))
        data: dict[str, Any] = dict(interaction.data or {})
        changes = _changes(slot, data.get("values") or ())
        if not interaction.guild or changes is None:
            await whisper(interaction, w("error-old-button"))
        elif await self._may(interaction, w):
            place = place_of(interaction)
            settings = await self._desk.change_settings(asker(interaction), place, **changes)
            if isinstance(settings, Refused):
                await whisper(interaction, refusal(settings, w))
                return
            log.info("a server changed its settings: %s", ", ".join(changes))
            await whisper(
                interaction,
                panel.text(settings, self._operator, interaction.guild, w),
                panel.controls(settings, self._operator, interaction.guild, w),
                edit=True,
            )

    async def _may(self, interaction: Interaction, w: Words) -> bool:
        if interaction.permissions.manage_guild or interaction.permissions.administrator:
            return True
        log.warning("somebody who may not manage a server tried to change its settings")
        await whisper(interaction, w("discord-setup-not-yours"))
        return False


def _changes(slot: str, values: Sequence[str]) -> dict[str, Any] | None:
    """What a control stands for; None for what we never offered."""
    first = values[0] if values else ""
    match slot:
        case "channels":
            return {"watched": tuple(values)}
        case "watch-all":
            return {"watched": (ALL,)}
        case "watch-none":
            return {"watched": ()}
        case "watch-operator":
            return {"watched": None}
        case "roles":
            return {"moderator_roles": tuple(values)}
        case "language" if first:
            return {"language": "" if first == "own" else first}
        case "quiet" | "chatty":
            return {"chatty": slot == "chatty"}
        case "limit" if first == "operator":
            return {"person_per_minute": None}
        case "limit" if first.isdecimal():
            return {"person_per_minute": int(first)}
    return None
