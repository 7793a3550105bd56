"""What a person has said so far, a page at a time, each with its own way back."""

from __future__ import annotations

from discord import ui

from bot.desk.desk import Desk
from bot.desk.types import Mine, Person
from bot.discord_adapter.rendering import bold, button, empty_view
from bot.discord_adapter.voices import link
from bot.words import Words
from corrections.types import Address

PAGE = 5
"""As many as there are buttons in a row."""
NAME = 40
"""Characters of a name; five entries must fit into one message."""


async def page(desk: Desk, who: Person, place: Address, before: int, w: Words) -> tuple[str, ui.View]:
    """The corrections before a position, or the newest (0) where there are none before it."""
    found = await desk.my_corrections(who, place, before or None)
    if not found and before:
        return await page(desk, who, place, 0, w)
    shown, view = found[:PAGE], empty_view()
    if not shown:
        return w("discord-mine-none"), view
    lines = [w("discord-mine-title")]
    for number, each in enumerate(shown, 1):
        lines.append(_entry(number, each, w))
        label = f"{w('button-undo')} {number}"
        view.add_item(button("unsay", each.prediction_id, label, str(before), row=0))
    if before:
        view.add_item(button("mine", 0, w("discord-mine-newest"), row=1))
    if len(found) > PAGE:
        view.add_item(button("mine", shown[-1].position, w("discord-mine-older"), row=1))
    return "\n".join(lines), view


def _entry(number: int, mine: Mine, w: Words) -> str:
    entry = w(
        "discord-mine-entry",
        number=str(number),
        name=_named(mine.name, w),
        second=_named(mine.said, w),
        when=f"<t:{int(mine.at.timestamp())}:d>",
    )
    return f"{entry} · [{w('discord-mine-picture')}]({link(mine.where)})" if mine.where else entry


def _named(name: str, w: Words) -> str:
    return bold(name if len(name) <= NAME else name[: NAME - 1] + "…") if name else w("mine-nobody")
