"""The desk's answers as Discord messages and buttons."""

from __future__ import annotations

from collections.abc import Sequence

import discord
from discord import ui

from bot.desk.types import Choice, Identified, LookUp, Refused, Reply, Tallied
from bot.ids import ButtonId
from bot.wording import headline, refusal
from bot.words import Words
from model.types import NOBODY

CELLS = 10
LABEL = 80
"""Characters that a button's label may have."""


def bold(name: str) -> str:
    """A name that cannot format, link or ping anything."""
    return f"**{plain(name)}**"


def plain(name: str) -> str:
    """A name as text: no markup, no mentions."""
    return discord.utils.escape_mentions(discord.utils.escape_markdown(name))


def content(reply: Reply, w: Words) -> str:
    """The whole message: a sentence and small bars a picture; several pictures are numbered."""
    several = len(reply.outcomes) > 1 or any(outcome.slot for outcome in reply.outcomes)
    blocks = [_block(outcome, w, several) for outcome in reply.outcomes]
    if reply.left_out:
        blocks.append(w("answer-more-pictures", count=reply.left_out, limit=reply.looked_at))
    return "\n".join(blocks)[:2000]


def _block(outcome: Identified | Refused, w: Words, several: bool) -> str:
    number = f"{w('answer-picture', number=outcome.slot + 1)} " if several else ""
    if isinstance(outcome, Refused):
        return number + refusal(outcome, w)
    lines = [number + headline(outcome, w, bold)]
    lines += [
        f"`{bar(guess.probability)}` {plain(guess.name)} {w.percent(guess.probability)}"
        for guess in outcome.ranked[: 2 if several else 3]
    ]
    return "\n".join(lines)


def bar(part: float) -> str:
    """A probability as ten cells."""
    full = round(part * CELLS)
    return "█" * full + "░" * (CELLS - full)


def buttons(answers: Sequence[Identified], w: Words) -> ui.View:
    """*Right*, *Wrong* and *Why?* a picture; up to five pictures have a row each, more share rows in twos.

    There *Why?* has no room, and stands among what *Wrong* opens.

    Behind them, small, the question whether to learn from them, as long as it is open.
    """
    view, row = empty_view(), 0
    for place, answer in enumerate(answers):
        alone = len(answers) <= 5  # in a row of its own
        number = f"{answer.slot + 1} · " if len(answers) > 1 else ""
        row = place if alone else place // 2
        tally = answer.tally or Tallied()
        wrong = sum(count for _, count in tally.others) + tally.nobody
        for action, text, count, style in (
            ("right", w("button-right"), tally.agree, discord.ButtonStyle.success),
            ("wrong", w("button-wrong"), wrong, discord.ButtonStyle.secondary),
        ):
            label = number + text + (f" · {count}" if count else "")
            view.add_item(button(action, answer.prediction_id, label, style=style, row=row))
        if answer.may_why and alone:
            view.add_item(button("why", answer.prediction_id, number + w("button-why"), row=row))
    asking = [answer.prediction_id for answer in answers if answer.may_ask]
    if asking:  # one for all pictures of the message, at the end: the last row has room for it
        label = w("button-learn-these" if len(answers) > 1 else "button-learn")
        view.add_item(button("learn", asking[0], label, row=row))
    return view


def choices(answer: Identified, w: Words, *, why: bool = False) -> ui.View:
    """What *Wrong* opens: the runners-up, *someone else…*, *nobody on the list*.

    With ``why`` also that button, which had no room below the answer.
    """
    view = empty_view()
    rest = answer.ranked[:5] if answer.verdict == NOBODY else answer.ranked[1:5]
    for guess in rest:
        view.add_item(button("is", answer.prediction_id, guess.name, guess.slug, row=0))
    primary = discord.ButtonStyle.primary
    view.add_item(button("search", answer.prediction_id, w("button-someone-else"), style=primary, row=1))
    if answer.verdict != NOBODY:
        view.add_item(button("is", answer.prediction_id, w("button-nobody"), NOBODY, row=1))
    if why and answer.may_why:
        view.add_item(button("why", answer.prediction_id, w("button-why"), row=1))
    return view


def which(prediction_id: int, look_up: LookUp, w: Words) -> tuple[str, ui.View]:
    """Whom a text may mean, to be confirmed by a click."""
    text = w("search-which" if look_up.choices else "search-none", text=plain(look_up.text))
    view = empty_view()
    for choice in look_up.choices[:5]:
        view.add_item(button("is", prediction_id, choice.name, choice.slug, row=0))
    if look_up.proposal:
        label = w("button-add", name=look_up.proposal)
        view.add_item(button("new", prediction_id, label, look_up.proposal, row=1))
    view.add_item(button("search", prediction_id, w("button-search-again"), row=1))
    return text, view


def undo(prediction_id: int, w: Words) -> ui.View:
    """The one button under a thank-you."""
    view = empty_view()
    view.add_item(button("undo", prediction_id, w("button-undo")))
    return view


def search_form(prediction_id: int, w: Words) -> ui.Modal:
    """The form that asks for a name."""
    form = ui.Modal(title=w("search-title"), custom_id=str(ButtonId("name", prediction_id)))
    form.add_item(
        ui.Label(
            text=w("search-label"),
            component=ui.TextInput(custom_id="text", placeholder=w("search-placeholder"), max_length=100),
        )
    )
    form.stop()  # like the views: what comes back is told by its id, so nothing is kept in memory
    return form


def autocompletion(found: Sequence[Choice]) -> list[discord.app_commands.Choice[str]]:
    """Characters for a slash command's option."""
    return [discord.app_commands.Choice(name=each.name[:100], value=each.slug) for each in found[:25]]


def empty_view() -> ui.View:
    """A message's controls, to be filled."""
    view = ui.View(timeout=None)
    # A stopped view is sent but not remembered: our buttons are told by their ids, before and after a
    # restart alike, and a bot that runs for months must not keep a view for every answer.
    view.stop()
    return view


def button(
    action: str,
    prediction_id: int,
    label: str,
    slot: str = "",
    *,
    style: discord.ButtonStyle = discord.ButtonStyle.secondary,
    row: int | None = None,
) -> ui.Button[ui.View]:
    """A button that is told by its id; a long label is cut."""
    label = label if len(label) <= LABEL else label[: LABEL - 1] + "…"
    return ui.Button(label=label, style=style, row=row, custom_id=str(ButtonId(action, prediction_id, slot)))
