"""The commands as Discord knows them: in every language of the catalogue, written only when they changed."""

from __future__ import annotations

import logging
from typing import Any

import aiohttp
import discord
from discord import app_commands
from discord.http import Route
from tenacity import (
    AsyncRetrying,
    before_sleep_log,
    retry_if_exception,
    retry_if_exception_type,
    wait_exponential,
    wait_random,
)

from bot.discord_adapter.busy import Busy
from bot.discord_adapter.lately import Lately
from bot.discord_adapter.limited import told_to_wait
from bot.words import FALLBACK, nearest, words
from model import tracing

log = logging.getLogger(__name__)

COMPARED = {
    "name",
    "type",
    "description",
    "name_localizations",
    "description_localizations",
    "options",
    "required",
    "autocomplete",
    "default_member_permissions",
    "contexts",
    "integration_types",
    "nsfw",
}
"""What we say of a command or option; Discord tells more about it."""

DELIVERED_TWICE_SECONDS = 900.0
"""As long as an interaction lives."""


def translated(key: str) -> app_commands.locale_str:
    """A text of the catalogue that Discord's clients show in the reader's language."""
    return app_commands.locale_str(words()(key), key=key)


class CatalogueTranslator(app_commands.Translator):
    """Takes translations from the catalogue; a language without one sees English."""

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContextTypes,
    ) -> str | None:
        """The text of ``string`` for that locale."""
        key, language = string.extras.get("key"), nearest(locale.value)
        return None if key is None or language == FALLBACK else words(language)(key)


class Commands(app_commands.CommandTree[discord.Client]):
    """A tree that runs an interaction once, however often it is delivered."""

    def __init__(self, client: discord.Client, busy: Busy) -> None:
        self._busy = busy
        super().__init__(
            client,
            allowed_contexts=app_commands.AppCommandContext(guild=True, dm_channel=True),
            allowed_installs=app_commands.AppInstallationType(guild=True, user=False),
        )
        self._handled = Lately(DELIVERED_TWICE_SECONDS)

    async def interaction_check(self, interaction: discord.Interaction[discord.Client]) -> bool:
        """A second undo would take back something else; what runs is known, so that a stop can wait."""
        self._busy.join()
        tracing.trace()
        return self._handled.first(interaction.id)

    async def register(self) -> None:
        """Tell Discord the commands if it knows others; try again as long as the trouble may pass.

        Discord limits how often commands are written, but not how often they are read; and what it knows
        cannot be out of date, as a note of our own could be.
        """
        try:
            async for attempt in AsyncRetrying(
                retry=retry_if_exception_type((discord.DiscordServerError, OSError, aiohttp.ClientError))
                | retry_if_exception(told_to_wait),
                wait=wait_exponential(multiplier=2, max=600) + wait_random(0, 1),
                before_sleep=before_sleep_log(log, logging.WARNING),
            ):
                with attempt:
                    await self._register_once()
        except discord.HTTPException as error:
            log.error("the commands could not be registered: %s", error)

    async def _register_once(self) -> None:
        await self.set_translator(CatalogueTranslator())
        assert self.translator is not None, "just set"
        wanted = [
            await command.get_translated_payload(self, self.translator) for command in self.get_commands()
        ]
        route = Route(
            "GET", "/applications/{application_id}/commands", application_id=self.client.application_id
        )
        there = await self.client.http.request(route, params={"with_localizations": "true"})
        if same(wanted, there):
            log.info("Discord knows the commands already")
        else:
            await self.sync()


def same(wanted: list[dict[str, Any]], there: list[dict[str, Any]]) -> bool:
    """Whether Discord has these commands and no others, as far as we say anything about them."""
    return _by_name(wanted) == _by_name(there)


def _by_name(commands: list[dict[str, Any]]) -> dict[tuple[int, str], Any]:
    return {(each.get("type", 1), each["name"]): _said(each) for each in commands}


def _said(value: Any) -> Any:
    """What a description says, whichever way it is written: nothing, "no" and empty are the same."""
    if isinstance(value, list):
        numbers = all(isinstance(each, int) for each in value)
        return [_said(each) for each in (sorted(value) if numbers else value)]
    if isinstance(value, dict):
        known = (
            value.items() if "name" not in value else [each for each in value.items() if each[0] in COMPARED]
        )
        return {key: _said(each) for key, each in known if each not in (None, False, "", [], {})}
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value
