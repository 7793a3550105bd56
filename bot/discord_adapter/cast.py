"""``/characters``: the list, and what moderators do with names that people proposed."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

import discord
from discord import app_commands, ui

from bot.desk.desk import Desk
from bot.desk.naming import in_language, readable
from bot.desk.types import Refused
from bot.discord_adapter.asking import asker, place_of
from bot.discord_adapter.moderators import Moderators
from bot.discord_adapter.rendering import LABEL, bold, button, empty_view
from bot.discord_adapter.voices import in_place, whisper
from bot.ids import ButtonId, CastSlot, mark
from bot.wording import refusal
from bot.words import Words, words
from corrections.review.types import CharacterCount, Moderator

log = logging.getLogger(__name__)

Interaction = discord.Interaction[discord.Client]

PROPOSED = "proposed"
LIVING = ("known", PROPOSED)
LISTED = 25
"""Names in a list and options of a select."""
LANGUAGES = {"english": "en", "chinese": "zh-CN"}
"""The options and fields of a name, and the language that they are in."""


class Cast:
    """Shows the characters, and does what is asked about one of them."""

    def __init__(self, desk: Desk, moderators: Moderators) -> None:
        self._desk = desk
        self._moderators = moderators

    async def press(
        self, interaction: Interaction, button_id: ButtonId, values: Sequence[str], typed: Mapping[str, str]
    ) -> None:
        """A button, a choice or a form below the list."""
        slot, w = CastSlot.parse(button_id.slot), words(str(interaction.locale))
        form = interaction.type is discord.InteractionType.modal_submit
        if slot is None or (form and slot.verb not in ("n", "m")):
            await whisper(interaction, w("error-old-button"))
            return
        if slot.verb in ("n", "m") and not form:
            # A form must be the first answer and come at once; whoever sends it is looked at then.
            make = _rename_form if slot.verb == "n" else _merge_form
            await interaction.response.send_modal(make(button_id, w))
            return
        in_place(interaction)
        match slot.verb:
            case "l" if values:
                await self.show(interaction, values[0])
            case "l":
                await self.show_all(interaction)
            case "a" | "r" | "n":
                verb = {"a": "accept", "r": "refuse", "n": "rename"}[slot.verb]
                await self.change(interaction, verb, slot.slug, dict(typed))
            case "m":
                await self.ask_merge(interaction, slot.slug, typed.get("text", ""))
            case "y":
                await self.merge(interaction, slot.slug, slot.into)
            case "d":
                await self.ask_remove(interaction, slot.slug)
            case "x":
                await self.change(interaction, "remove", slot.slug, {})

    async def show_all(self, interaction: Interaction) -> None:
        """Who there is, proposals first; a select opens those that the server may change."""
        if not (moderator := await self._admitted(interaction)):
            return
        found, w = await self._characters(interaction, moderator), words(str(interaction.locale))
        if found is None:
            return
        proposed = [each for each in found if each.status == PROPOSED]
        known = sorted(
            (each for each in found if each.status == "known"), key=lambda each: (-each.approved, each.slug)
        )
        lines = [
            w("cast-title", count=len(known)) if not proposed else w("cast-proposed", count=len(proposed))
        ]
        lines += [_line(each, w) for each in [*proposed, *known][:LISTED]]
        if len(proposed) + len(known) > LISTED:
            lines.append(w("stats-more", count=len(proposed) + len(known) - LISTED))
        view = empty_view()
        own = [*proposed, *(each for each in known if each.community is not None)]
        if own:
            options = [
                discord.SelectOption(label=_name(each, w)[:LABEL], value=each.slug) for each in own[:LISTED]
            ]
            custom_id = str(ButtonId("cast", 0, str(CastSlot("l"))))
            view.add_item(ui.Select(custom_id=custom_id, placeholder=w("cast-choose"), options=options))
        await whisper(interaction, _cut(lines), view, edit=True)

    async def show(self, interaction: Interaction, slug: str, said: str = "") -> None:
        """One character and what can be done about it."""
        if not (moderator := await self._admitted(interaction)):
            return
        one, w = await self._one(interaction, moderator, slug), words(str(interaction.locale))
        if one is None:
            return
        view = empty_view()
        verbs = [("n", "cast-rename", discord.ButtonStyle.secondary)]
        verbs += [("m", "cast-merge", discord.ButtonStyle.secondary)]
        if one.status == PROPOSED:
            verbs.insert(0, ("a", "cast-accept", discord.ButtonStyle.success))
            verbs.append(("r", "cast-refuse", discord.ButtonStyle.danger))
        elif one.community is not None:
            verbs.append(("d", "cast-remove", discord.ButtonStyle.danger))
        for verb, key, style in verbs:
            view.add_item(button("cast", 0, w(key), str(CastSlot(verb, one.slug)), style=style))
        view.add_item(button("cast", 0, w("cast-back"), str(CastSlot("l")), row=1))
        await whisper(interaction, "\n".join(filter(None, [said, _line(one, w)])), view, edit=True)

    async def change(self, interaction: Interaction, verb: str, name: str, names: dict[str, str]) -> None:
        """Accept, refuse, remove or rename; ``names`` by option of `LANGUAGES`, empty: as before."""
        if not (moderator := await self._admitted(interaction)):
            return
        one, w = await self._one(interaction, moderator, name), words(str(interaction.locale))
        if one is None:
            return
        given = {LANGUAGES[key]: text for key, text in names.items() if key in LANGUAGES and text}
        wanted, moderation = {**one.names, **given}, self._desk.moderation
        if verb == "accept":
            outcome: Any = await moderation.accept(moderator, one.slug, wanted)
        elif verb == "refuse":
            outcome = await moderation.refuse(moderator, one.slug)
        elif verb == "remove":
            outcome = await moderation.remove(moderator, one.slug)
        else:
            outcome = await moderation.rename(moderator, one.slug, wanted, one.aliases)
        if isinstance(outcome, Refused):
            await whisper(interaction, refusal(outcome, w), edit=True)
            return
        shown = bold(in_language(wanted, w.language) or readable(one.slug))
        keys = {"accept": "cast-accepted", "refuse": "cast-refused", "rename": "cast-renamed"}
        keys["remove"] = "cast-removed"
        await whisper(interaction, w(keys[verb], name=shown), _back(w), edit=True)

    async def add(self, interaction: Interaction, names: dict[str, str]) -> None:
        """A new character that nobody has proposed."""
        if not (moderator := await self._admitted(interaction)):
            return
        w = words(str(interaction.locale))
        given = {LANGUAGES[key]: text for key, text in names.items() if text}
        outcome = await self._desk.moderation.add(moderator, given)
        if isinstance(outcome, Refused):
            await whisper(interaction, refusal(outcome, w))
        else:
            await whisper(interaction, w("cast-added", name=bold(in_language(given, w.language))), _back(w))

    async def ask_merge(self, interaction: Interaction, name: str, into: str) -> None:
        """Whether that is meant: what people said of one counts for the other from then on."""
        if not (moderator := await self._admitted(interaction)):
            return
        one, w = await self._one(interaction, moderator, name), words(str(interaction.locale))
        target = await self._one(interaction, moderator, into) if one else None
        if one is None or target is None:
            return
        if one.slug == target.slug:
            await whisper(interaction, w("cast-merge-same"), edit=True)
            return
        view = empty_view()
        slot = str(CastSlot("y", one.slug, mark(target.slug)))
        label = w("cast-merge-yes", name=_name(target, w))
        view.add_item(button("cast", 0, label, slot, style=discord.ButtonStyle.danger))
        view.add_item(button("cast", 0, w("cast-back"), str(CastSlot("l"))))
        text = w("cast-merge-ask", name=bold(_name(one, w)), second=bold(_name(target, w)))
        await whisper(interaction, text, view, edit=True)

    async def ask_remove(self, interaction: Interaction, name: str) -> None:
        """Whether that is meant: its pictures wait to be decided again from then on."""
        if not (moderator := await self._admitted(interaction)):
            return
        one, w = await self._one(interaction, moderator, name), words(str(interaction.locale))
        if one is None:
            return
        view, slot = empty_view(), str(CastSlot("x", one.slug))
        view.add_item(button("cast", 0, w("cast-remove"), slot, style=discord.ButtonStyle.danger))
        view.add_item(button("cast", 0, w("cast-back"), str(CastSlot("l"))))
        await whisper(interaction, w("cast-remove-ask", name=bold(_name(one, w))), view, edit=True)

    async def merge(self, interaction: Interaction, slug: str, into: str) -> None:
        """Confirmed; ``into`` is the target's `bot.ids.mark`."""
        if not (moderator := await self._admitted(interaction)):
            return
        found, w = await self._characters(interaction, moderator), words(str(interaction.locale))
        if found is None:
            return
        one = next((each for each in found if each.slug == slug), None)
        target = next((each for each in found if mark(each.slug) == into and each.status in LIVING), None)
        if one is None or target is None:
            await whisper(interaction, w("error-old-button"), edit=True)
            return
        outcome = await self._desk.moderation.merge(moderator, one.slug, target.slug)
        if isinstance(outcome, Refused):
            await whisper(interaction, refusal(outcome, w), edit=True)
            return
        text = w("cast-merged", name=bold(_name(one, w)), second=bold(_name(target, w)))
        await whisper(interaction, text, _back(w), edit=True)

    async def suggest(
        self, interaction: Interaction, current: str, *, proposed: bool = False
    ) -> list[app_commands.Choice[str]]:
        """Names that begin or go on like that, for whoever may see them."""
        if not await self._moderators.may(interaction):
            return []
        moderator = await self._desk.moderation.moderator(asker(interaction), place_of(interaction))
        found, w = await self._desk.moderation.characters(moderator), words(str(interaction.locale))
        if isinstance(found, Refused):
            return []
        text = current.casefold().strip()
        fitting = [
            each
            for each in found
            if each.status in ((PROPOSED,) if proposed else LIVING)
            and any(text in name.casefold() for name in (each.slug, *each.names.values(), *each.aliases))
        ]
        fitting.sort(key=lambda each: not _name(each, w).casefold().startswith(text))
        return [app_commands.Choice(name=_name(each, w)[:100], value=each.slug) for each in fitting[:LISTED]]

    async def _admitted(self, interaction: Interaction) -> Moderator | None:
        return await self._moderators.admitted(interaction, "characters")

    async def _characters(
        self, interaction: Interaction, moderator: Moderator
    ) -> Sequence[CharacterCount] | None:
        found = await self._desk.moderation.characters(moderator)
        if isinstance(found, Refused):
            await whisper(interaction, refusal(found, words(str(interaction.locale))), edit=True)
            return None
        return found

    async def _one(self, interaction: Interaction, moderator: Moderator, text: str) -> CharacterCount | None:
        """The character that a slug or a name means exactly; else it is said that there is none."""
        found = await self._characters(interaction, moderator)
        if found is None:
            return None
        one = next((each for each in found if each.slug == text and each.status in LIVING), None)
        if one is None:
            result = await self._desk.look_up(asker(interaction), place_of(interaction), text)
            if isinstance(result, Refused):
                await whisper(interaction, refusal(result, words(str(interaction.locale))), edit=True)
                return None
            slug = result.choices[0].slug if result.exact else ""
            one = next((each for each in found if each.slug == slug), None)
        if one is None:
            await whisper(interaction, words(str(interaction.locale))("cast-unknown"), edit=True)
        return one


def _name(character: CharacterCount, w: Words) -> str:
    return in_language(character.names, w.language) or readable(character.slug)


def _line(character: CharacterCount, w: Words) -> str:
    key = "cast-line-proposed" if character.status == PROPOSED else "stats-character"
    name, approved = bold(_name(character, w)), character.approved
    return "• " + w(key, name=name, approved=approved, open=character.open)


def _cut(lines: list[str]) -> str:
    """As many whole lines as fit into a message."""
    while len("\n".join(lines)) > 2000:
        lines = lines[:-1]
    return "\n".join(lines)


def _back(w: Words) -> ui.View:
    view = empty_view()
    view.add_item(button("cast", 0, w("cast-back"), str(CastSlot("l"))))
    return view


def _rename_form(button_id: ButtonId, w: Words) -> ui.Modal:
    form = ui.Modal(title=w("cast-rename-title"), custom_id=str(button_id))
    for key, label in (("english", "cast-english"), ("chinese", "cast-chinese")):
        field = ui.TextInput[ui.Modal](custom_id=key, max_length=100, required=False)
        form.add_item(ui.Label(text=w(label), component=field))
    form.stop()
    return form


def _merge_form(button_id: ButtonId, w: Words) -> ui.Modal:
    form = ui.Modal(title=w("cast-merge-title"), custom_id=str(button_id))
    field = ui.TextInput[ui.Modal](custom_id="text", placeholder=w("search-placeholder"), max_length=100)
    form.add_item(ui.Label(text=w("search-label"), component=field))
    form.stop()
    return form
