"""``/review``: one case at a time, in one message that only the moderator sees."""

from __future__ import annotations

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass

import discord
from discord import ui

from bot.desk.desk import Desk
from bot.desk.types import Person, Refused
from bot.discord_adapter.asking import asker, place_of
from bot.discord_adapter.moderators import Moderators
from bot.discord_adapter.rendering import LABEL, bold, button, empty_view, plain
from bot.discord_adapter.voices import in_place, whisper
from bot.ids import ButtonId, CaseSlot, mark
from bot.wording import refusal
from bot.wording_review import (
    Named,
    case_text,
    finished_text,
    likeliest,
    not_decided,
    offered,
    people_in,
    progress_text,
)
from bot.words import Words, words
from corrections.review.types import CaseView, Labels, Moderator
from corrections.types import Address
from model.types import NOBODY

log = logging.getLogger(__name__)

Interaction = discord.Interaction[discord.Client]

OPTIONS = 25
"""Of one of Discord's selects."""
VALUE = 100
"""Characters of an option's value."""


@dataclass(frozen=True, slots=True)
class Here:
    """A moderator at work: who, where, in which language."""

    interaction: Interaction
    moderator: Moderator
    who: Person
    place: Address
    named: Named
    w: Words


class Reviewing:
    """Shows cases and does what is pressed below them; the buttons carry everything, through restarts too."""

    def __init__(self, desk: Desk, moderators: Moderators) -> None:
        self._desk = desk
        self._moderators = moderators

    async def open(self, interaction: Interaction) -> None:
        """``/review``: the case that is worth a look first."""
        if here := await self._here(interaction):
            await self._next(here)

    async def press(
        self, interaction: Interaction, button_id: ButtonId, values: Sequence[str], typed: str
    ) -> None:
        """A button, a choice of the select or the search's form below a case."""
        slot, case_id = CaseSlot.parse(button_id.slot), button_id.prediction_id
        form = interaction.type is discord.InteractionType.modal_submit
        if slot is None or (form and slot.verb != "o"):
            await whisper(interaction, words(str(interaction.locale))("error-old-button"))
            return
        if slot.verb == "o" and not form:
            # A form must be the first answer and come at once; whoever sends it is looked at then.
            await interaction.response.send_modal(_search_form(button_id, words(str(interaction.locale))))
            return
        in_place(interaction)
        here = await self._here(interaction)
        if here is None:
            return
        match slot.verb:
            case "o":
                await self._search(here, case_id, slot.revision, typed)
            case "u":
                await self._undo(here)
            case "a":
                await self._approve(here, case_id, slot)
            case "i" if values:
                labels: Labels = tuple(sorted({each for each in values[0].split(",") if each}))
                await self._decide(here, case_id, slot.revision, labels)
            case "n":
                await self._decide(here, case_id, slot.revision, ())
            case "r":
                decide = self._desk.moderation.decide
                outcome = await decide(here.moderator, case_id, slot.revision, "reject")
                await self._after(here, case_id, outcome, here.w("review-rejected"))
            case "s":
                decide = self._desk.moderation.decide
                outcome = await decide(here.moderator, case_id, slot.revision, "skip")
                await self._after(here, case_id, outcome, here.w("review-skipped"))
            case _:
                await whisper(interaction, here.w("error-old-button"))

    async def _here(self, interaction: Interaction) -> Here | None:
        moderator = await self._moderators.admitted(interaction, "review")
        if moderator is None:
            return None
        who, place = asker(interaction), place_of(interaction)
        w = words(who.language)
        named = await self._desk.moderation.named(place.home, w.language)
        return Here(interaction, moderator, who, place, named, w)

    async def _approve(self, here: Here, case_id: int, slot: CaseSlot) -> None:
        case = await self._desk.moderation.case(here.moderator, case_id)
        if isinstance(case, Refused):
            await self._next(here, refusal(case, here.w))
            return
        labels = offered(case)
        if labels is None or label_mark(labels) != slot.what:  # people voted since it was shown
            if case.revision == slot.revision:
                await self._show(here, case, here.w("review-changed"))
                return
            labels = labels or ()  # decided meanwhile: the ledger refuses it and says so
        await self._decide(here, case_id, slot.revision, labels)

    async def _decide(self, here: Here, case_id: int, revision: int, labels: Labels) -> None:
        outcome = await self._desk.moderation.decide(here.moderator, case_id, revision, "approve", labels)
        said = here.w("review-approved", name=people_in(labels, here.named, here.w, bold))
        await self._after(here, case_id, outcome, said)

    async def _after(self, here: Here, case_id: int, outcome: CaseView | Refused, said: str) -> None:
        if not isinstance(outcome, Refused):
            await self._next(here, said)
            return
        case = await self._desk.moderation.case(here.moderator, case_id)
        if isinstance(case, CaseView) and case.status == "open" and outcome.key == "error-stale":
            await self._show(here, case, here.w("review-changed"))
        else:
            await self._next(here, not_decided(outcome, here.w))

    async def _undo(self, here: Here) -> None:
        outcome = await self._desk.moderation.undo(here.moderator)
        if isinstance(outcome, Refused):
            await self._next(here, not_decided(outcome, here.w))
        elif outcome is None:
            await self._next(here, here.w("review-undo-nothing"))
        else:
            await self._show(here, outcome, here.w("review-undone"))

    async def _search(self, here: Here, case_id: int, revision: int, typed: str) -> None:
        case = await self._desk.moderation.case(here.moderator, case_id)
        if isinstance(case, Refused):
            await self._next(here, refusal(case, here.w))
            return
        result = await self._desk.look_up(here.who, here.place, typed, OPTIONS)
        if isinstance(result, Refused):
            await self._show(here, case, refusal(result, here.w))
        elif result.exact and result.choices[0].slug != NOBODY:
            await self._decide(here, case_id, revision, (result.choices[0].slug,))
        else:
            key = "search-which" if result.choices else "search-none"
            found: list[Labels] = [(each.slug,) for each in result.choices]
            await self._show(here, case, here.w(key, text=plain(result.text)), found)

    async def _next(self, here: Here, said: str = "") -> None:
        cases = await self._desk.moderation.next(here.moderator)
        if isinstance(cases, Refused):
            await self._say(here, _lines(said, refusal(cases, here.w)))
        elif cases:
            await self._show(here, cases[0], said)
        else:
            progress = await self._desk.moderation.progress(here.moderator)
            done = (
                refusal(progress, here.w)
                if isinstance(progress, Refused)
                else finished_text(progress, here.w)
            )
            view = empty_view()
            view.add_item(_button(0, CaseSlot(0, "u"), here.w("button-undo"), row=0))
            await self._say(here, _lines(said, done), view)

    async def _show(
        self, here: Here, case: CaseView, said: str = "", found: Sequence[Labels] | None = None
    ) -> None:
        progress = await self._desk.moderation.progress(here.moderator)
        w, title = here.w, f"**{here.w('review-case', number=str(case.case_id))}**"
        if not isinstance(progress, Refused):
            title += f" · {progress_text(progress, w)}"
        file, trouble = await self._picture(here, case)
        text = _lines(said, title, case_text(case, here.named, w, bold), trouble)
        await self._say(here, text, controls(case, here.named, w, found), file)

    async def _picture(self, here: Here, case: CaseView) -> tuple[discord.File | None, str]:
        shown = next((each for each in case.pictures if each.there), None)
        if shown is None:
            return None, ""
        got = await self._desk.moderation.picture(here.moderator, case.case_id, shown.sha256)
        if got is None or isinstance(got, Refused):
            return None, here.w("review-gone")
        data, suffix = got
        if len(data) > here.interaction.filesize_limit:
            return None, here.w("review-too-large")
        alt = here.w("review-alt", number=str(case.case_id))
        return discord.File(io.BytesIO(data), f"case-{case.case_id}.{suffix}", description=alt), ""

    async def _say(
        self, here: Here, text: str, view: ui.View | None = None, file: discord.File | None = None
    ) -> None:
        await whisper(here.interaction, text[:2000], view, edit=True, files=[file] if file else [])


def controls(case: CaseView, named: Named, w: Words, found: Sequence[Labels] | None = None) -> ui.View:
    """*Approve*, *Nobody*, *Reject*, *Skip*, *Undo*; a select of who it may be; *Search…*."""
    view, wanted = empty_view(), offered(case)
    if wanted is not None:
        label = w("review-approve", name=people_in(wanted, named, w))
        slot = CaseSlot(case.revision, "a", label_mark(wanted))
        view.add_item(_button(case.case_id, slot, label, discord.ButtonStyle.success, row=0))
    for verb, key, style in (
        ("n", "review-nobody", discord.ButtonStyle.secondary),
        ("r", "review-reject", discord.ButtonStyle.danger),
        ("s", "review-skip", discord.ButtonStyle.secondary),
        ("u", "button-undo", discord.ButtonStyle.secondary),
    ):
        view.add_item(_button(case.case_id, CaseSlot(case.revision, verb), w(key), style, row=0))
    offers = found or likeliest(case, OPTIONS)
    options = [
        discord.SelectOption(label=people_in(each, named, w)[:LABEL], value=value)
        for each in offers[:OPTIONS]
        if len(value := ",".join(each)) <= VALUE
    ]
    if options:
        custom_id = str(ButtonId("case", case.case_id, str(CaseSlot(case.revision, "i"))))
        view.add_item(ui.Select(custom_id=custom_id, placeholder=w("review-is"), options=options, row=1))
    view.add_item(_button(case.case_id, CaseSlot(case.revision, "o"), w("review-search"), row=2))
    return view


def label_mark(labels: Labels) -> str:
    """What stands for the labels in the id of *Approve*: are they others by now, the click is not obeyed."""
    return mark(",".join(labels))


def _button(
    case_id: int,
    slot: CaseSlot,
    label: str,
    style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    *,
    row: int,
) -> ui.Button[ui.View]:
    return button("case", case_id, label, str(slot), style=style, row=row)


def _search_form(button_id: ButtonId, w: Words) -> ui.Modal:
    form = ui.Modal(title=w("search-title"), custom_id=str(button_id))
    field = ui.TextInput[ui.Modal](custom_id="text", placeholder=w("search-placeholder"), max_length=100)
    form.add_item(ui.Label(text=w("search-label"), component=field))
    form.stop()
    return form


def _lines(*parts: str) -> str:
    return "\n".join(each for each in parts if each)
