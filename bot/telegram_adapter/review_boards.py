"""Cases and characters as Telegram's HTML and inline keyboards."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from bot.desk.types import Choice
from bot.ids import ButtonId, CaseSlot, CastSlot, mark
from bot.telegram_adapter.rendering import LABEL, PAGE, Row, bold, in_twos
from bot.wording_review import case_text, offered, people_in, plain, progress_text
from bot.words import Words
from corrections.review.types import CaseView, CharacterCount, Labels, Progress
from model.types import NOBODY

CAPTION = 1024
"""Characters of a caption."""
MINE = ("proposed", "known")
BACK = "back"
LINES = 8
"""Characters on one page of the list that moderators keep."""

Named = Callable[[str], str]


# -- cases


def labels_mark(labels: Labels) -> str:
    """Tells whether what is approved is what was shown."""
    return mark(",".join(labels))


def case_caption(
    title: str, view: CaseView, progress: Progress | None, named: Named, w: Words, before: str = ""
) -> str:
    """All there is to know about a case, as HTML that fits below a photo; ``before`` stands above it."""
    above = [before] if before else []
    head = f"{title} · {w('review-case', number=str(view.case_id))}"
    tail = [] if progress is None else [progress_text(progress, w)]
    short = "\n".join([*above, head, case_text(view, named, w, plain), *tail])
    if len(short) > CAPTION:
        return html.escape(short[: CAPTION - 1] + "…")
    told = case_text(view, lambda slug: html.escape(named(slug)), w, lambda name: f"<b>{name}</b>")
    return "\n".join([*map(html.escape, above), bold(head), told, *map(html.escape, tail)])


def case_board(view: CaseView, named: Named, w: Words) -> InlineKeyboardMarkup:
    """What a moderator may do with it."""

    def button(verb: str, label: str, what: str = "") -> Row:
        return _case(view, verb, label, what)

    lead = offered(view)
    rows = [] if lead is None else [button("a", _approving(lead, named, w), labels_mark(lead))]
    nobody = [] if lead == () else button("n", w("review-nobody"))
    rows += [
        button("o", w("review-is"), "0") + nobody,
        button("r", w("review-reject")) + button("s", w("review-skip")) + button("u", w("button-undo")),
    ]
    return InlineKeyboardMarkup([row for row in rows if row])


def _approving(lead: Labels, named: Named, w: Words) -> str:
    return w("review-approve", name=people_in(lead, named, w))


def names_board(view: CaseView, page: int, choices: Sequence[Choice], w: Words) -> InlineKeyboardMarkup:
    """Everybody whom it may be, in pages."""
    last = max(0, (len(choices) - 1) // PAGE)
    page = min(max(page, 0), last)
    shown = choices[page * PAGE : (page + 1) * PAGE]
    rows = in_twos(_case(view, "i", each.name, each.slug) for each in shown if each.slug != NOBODY)
    turn = _case(view, "o", "‹", str(page - 1)) if page else []
    turn += _case(view, "o", "›", str(page + 1)) if page < last else []
    turn += _case(view, "o", w("review-search"))
    return InlineKeyboardMarkup([*rows, turn, _case(view, "o", w("telegram-back"), BACK)])


def found_board(
    case_id: int, revision: int, choices: Sequence[Choice], w: Words
) -> InlineKeyboardMarkup | None:
    """Whom a typed name may mean."""
    rows = in_twos(
        _button("case", case_id, CaseSlot(revision, "i", each.slug), each.name) for each in choices
    )
    return InlineKeyboardMarkup(rows) if rows else None


def undo_board(w: Words) -> InlineKeyboardMarkup:
    """When nothing is left."""
    return InlineKeyboardMarkup([_button("case", 0, CaseSlot(0, "u"), w("button-undo"))])


def _case(view: CaseView, verb: str, label: str, what: str = "") -> Row:
    return _button("case", view.case_id, CaseSlot(view.revision, verb, what), label)


# -- characters


def ordered(characters: Sequence[CharacterCount]) -> list[CharacterCount]:
    """Proposals first, then the group's own, then those of everybody."""
    known = [each for each in characters if each.status in MINE]
    return sorted(known, key=lambda each: (each.status == "known", each.community is None, each.slug))


def cast_page(
    page: int, characters: Sequence[CharacterCount], named: Named, w: Words
) -> tuple[str, InlineKeyboardMarkup]:
    """The list: what there is, and a button for each that the group may change."""
    last = max(0, (len(characters) - 1) // LINES)
    page = min(max(page, 0), last)
    shown = characters[page * LINES : (page + 1) * LINES]
    waiting = sum(each.status == "proposed" for each in characters)
    title = w("cast-proposed", count=waiting) if waiting else w("cast-title", count=len(characters))
    lines = [html.escape(title)]
    lines += [f"• {_line(each, named, w)}" for each in shown]
    rows = in_twos(
        _cast(page, "l", named(each.slug), each.slug) for each in shown if each.community is not None
    )
    turn = _cast(page - 1, "l", "‹") if page else []
    turn += _cast(page + 1, "l", "›") if page < last else []
    rows.append(turn + _cast(page, "n", w("telegram-cast-add")))
    return "\n".join(lines), InlineKeyboardMarkup(rows)


def character_page(
    page: int, each: CharacterCount, named: Named, w: Words
) -> tuple[str, InlineKeyboardMarkup]:
    """One character of the group's own, and what can be done with it."""
    lines = [_line(each, named, w)]
    names = " · ".join(dict.fromkeys([*each.names.values(), *each.aliases]))
    if names:
        lines.append(html.escape(names))
    rows: list[Row] = []
    if each.status == "proposed":
        rows.append(
            _cast(page, "a", w("cast-accept"), each.slug) + _cast(page, "r", w("cast-refuse"), each.slug)
        )
    rows.append(_cast(page, "n", w("cast-rename"), each.slug) + _cast(0, "m", w("cast-merge"), each.slug))
    if each.status == "known":
        rows.append(_cast(0, "d", w("cast-remove"), each.slug))
    rows.append(_cast(page, "l", w("telegram-back")))
    return "\n".join(lines), InlineKeyboardMarkup(rows)


def merging_page(
    page: int, each: CharacterCount, characters: Sequence[CharacterCount], named: Named, w: Words
) -> tuple[str, InlineKeyboardMarkup]:
    """Into whom."""
    others = [other for other in characters if other.slug != each.slug]
    last = max(0, (len(others) - 1) // PAGE)
    page = min(max(page, 0), last)
    shown = others[page * PAGE : (page + 1) * PAGE]
    rows = in_twos(_cast(0, "m", named(other.slug), each.slug, mark(other.slug)) for other in shown)
    turn = _cast(page - 1, "m", "‹", each.slug) if page else []
    turn += _cast(page + 1, "m", "›", each.slug) if page < last else []
    rows += [turn, _cast(0, "l", w("telegram-back"), each.slug)]
    return html.escape(w("cast-merge-title")), InlineKeyboardMarkup([row for row in rows if row])


def merge_sure(slug: str, into: str, named: Named, w: Words) -> tuple[str, InlineKeyboardMarkup]:
    """Merging cannot be undone by a button, so it is asked once more."""
    text = w("cast-merge-ask", name=bold(named(slug)), second=bold(named(into)))
    yes = _cast(0, "y", w("cast-merge-yes", name=named(into)), slug, mark(into))
    return text, InlineKeyboardMarkup([yes, _cast(0, "l", w("telegram-back"), slug)])


def remove_sure(slug: str, named: Named, w: Words) -> tuple[str, InlineKeyboardMarkup]:
    """Nor can removing."""
    yes = _cast(0, "x", w("cast-remove"), slug)
    text = w("cast-remove-ask", name=bold(named(slug)))
    return text, InlineKeyboardMarkup([yes, _cast(0, "l", w("telegram-back"), slug)])


def _line(each: CharacterCount, named: Named, w: Words) -> str:
    key = "cast-line-proposed" if each.status == "proposed" else "stats-character"
    return w(key, name=bold(named(each.slug)), approved=each.approved, open=each.open)


def _cast(page: int, verb: str, label: str, slug: str = "", into: str = "") -> Row:
    return _button("cast", page, CastSlot(verb, slug, into), label)


def _button(action: str, number: int, slot: CaseSlot | CastSlot, label: str) -> Row:
    data = str(ButtonId(action, number, str(slot)))
    shown = label if len(label) <= LABEL else label[: LABEL - 1] + "…"
    return [InlineKeyboardButton(shown, callback_data=data)]
