"""The desk's answers as Telegram's HTML and inline keyboards."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from telegram import InlineKeyboardButton, InlineKeyboardMarkup, MaybeInaccessibleMessage, Message

from bot.desk.types import Choice, Identified, LookUp, Mine, Refused, Reply, Tallied
from bot.ids import ButtonId
from bot.wording import headline, refusal
from bot.words import Words, languages, words
from corrections.types import Address
from model.types import NOBODY, Verdict

CELLS = 10
LABEL = 40
"""Characters of a button's label: more are cut off on a phone in any case."""
PAGE = 10
"""Characters of the vocabulary on one page of a keyboard."""

Row = list[InlineKeyboardButton]


def plain(name: str) -> str:
    """Any text, so that nothing in it is markup."""
    return html.escape(name)


def bold(name: str) -> str:
    """A name that cannot format or link anything."""
    return f"<b>{plain(name)}</b>"


# -- answers


def content(reply: Reply, w: Words) -> str:
    """The whole message: a sentence and small bars a picture; several pictures are numbered."""
    several = len(reply.outcomes) > 1 or any(outcome.slot for outcome in reply.outcomes)
    blocks = [_block(outcome, w, several) for outcome in reply.outcomes]
    if reply.left_out:
        blocks.append(w("answer-more-pictures", count=reply.left_out, limit=reply.looked_at))
    return "\n".join(blocks)


def _block(outcome: Identified | Refused, w: Words, several: bool) -> str:
    number = f"{w('answer-picture', number=outcome.slot + 1)} " if several else ""
    if isinstance(outcome, Refused):
        return number + plain(refusal(outcome, w))
    lines = [number + headline(outcome, w, bold)]
    lines += [
        f"<code>{_bar(guess.probability)}</code> {plain(guess.name)} {w.percent(guess.probability)}"
        for guess in outcome.ranked[: 2 if several else 3]
    ]
    return "\n".join(lines)


def _bar(part: float) -> str:
    full = round(part * CELLS)
    return "█" * full + "░" * (CELLS - full)


# -- the keyboard under an answer


@dataclass(frozen=True, slots=True)
class Opened:
    """The choices that are open in a keyboard: about which picture, and the page of all names if any."""

    prediction_id: int
    page: int | None = None


def board(
    answers: Sequence[Identified], w: Words, opened: Opened | None = None, everybody: Sequence[Choice] = ()
) -> InlineKeyboardMarkup | None:
    """*Right* and *Wrong* a picture, with counts, and below them the choices that are open.

    Last, whether to learn from them, as long as that was not answered: only their poster can.

    *Wrong* opens the choices in the same keyboard, below buttons that stay where they are: everybody goes
    on using those, no message is added to a group that may have twenty a minute from us, and what is open
    is known by looking at the keyboard, after a restart too.
    """
    rows = [_verdict(answer, w, several=len(answers) > 1) for answer in answers]
    about = next((each for each in answers if opened and each.prediction_id == opened.prediction_id), None)
    if opened and about:
        rows += _choices(about, w) if opened.page is None else _names(about, w, opened.page, everybody)
    asking = [answer.prediction_id for answer in answers if answer.may_ask]
    if asking:  # one for all pictures of the message
        label = w("button-learn-these" if len(answers) > 1 else "button-learn")
        rows.append(_button("learn", asking[0], label))
    return InlineKeyboardMarkup(rows) if rows else None


def _verdict(answer: Identified, w: Words, several: bool) -> Row:
    number = f"{answer.slot + 1} · " if several else ""
    tally = answer.tally or Tallied()
    wrong = sum(count for _, count in tally.others) + tally.nobody
    row = []
    for action, text, count in (
        ("right", w("button-right"), tally.agree),
        ("wrong", w("button-wrong"), wrong),
    ):
        row += _button(action, answer.prediction_id, number + text + (f" · {count}" if count else ""))
    if tally.agree or wrong:
        row += _button("undo", answer.prediction_id, number + w("button-undo"))
    if answer.may_why:
        row += _button("why", answer.prediction_id, number + w("button-why"))
    return row


def _choices(answer: Identified, w: Words) -> list[Row]:
    nobody = answer.verdict == Verdict.NOBODY
    rest = answer.ranked[:4] if nobody else answer.ranked[1:5]
    rows = in_twos(_button("is", answer.prediction_id, guess.name, guess.slug) for guess in rest)
    number = answer.prediction_id
    rows.append(
        _button("search", number, w("button-someone-else"))
        + _button("page", number, w("telegram-all-names"), "0")
    )
    rows.append(
        ([] if nobody else _button("is", number, w("button-nobody"), NOBODY))
        + _button("less", number, w("telegram-back"))
    )
    return rows


def _names(answer: Identified, w: Words, page: int, everybody: Sequence[Choice]) -> list[Row]:
    number, last = answer.prediction_id, max(0, (len(everybody) - 1) // PAGE)
    page = min(max(page, 0), last)
    shown = everybody[page * PAGE : (page + 1) * PAGE]
    rows = in_twos(_button("is", number, each.name, each.slug) for each in shown)
    turn = _button("page", number, "‹", str(page - 1)) if page else []
    turn += _button("page", number, "›", str(page + 1)) if page < last else []
    back = _button("wrong", number, w("telegram-back"), str(page))
    rows.append(turn + _button("search", number, w("button-someone-else")) + back)
    return rows


def offers(message: MaybeInaccessibleMessage | None, *actions: str) -> bool:
    """Whether a keyboard has a button that does one of these; only an answer's has *right*."""
    return any(button.action in actions for button, _ in _buttons(message))


def opened_in(message: MaybeInaccessibleMessage | None) -> Opened | None:
    """What is open in a keyboard, by looking at it."""
    for button, _ in _buttons(message):
        if button.action == "less":
            return Opened(button.prediction_id)
        if button.action == "wrong" and button.slot.isdecimal():
            return Opened(button.prediction_id, int(button.slot))
    return None


def language_of(message: MaybeInaccessibleMessage | None) -> str | None:
    """The language that a keyboard is in, by looking at it."""
    for button, label in _buttons(message):
        if button.action == "right":
            said = label.split(" · ")
            return next((each for each in languages() if words(each)("button-right") in said), None)
    return None


def _buttons(message: MaybeInaccessibleMessage | None) -> Iterable[tuple[ButtonId, str]]:
    markup = message.reply_markup if isinstance(message, Message) else None
    for row in markup.inline_keyboard if markup else ():
        for each in row:
            if isinstance(each.callback_data, str) and (button := ButtonId.parse(each.callback_data)):
                yield button, each.text


# -- other keyboards


def which(prediction_id: int, look_up: LookUp, w: Words) -> tuple[str, InlineKeyboardMarkup]:
    """Whom a text may mean, to be confirmed by a click."""
    text = w("search-which" if look_up.choices else "search-none", text=plain(look_up.text))
    rows = in_twos(_button("is", prediction_id, each.name, each.slug) for each in look_up.choices)
    if look_up.proposal:
        label = w("button-add", name=look_up.proposal)
        rows.append(_button("new", prediction_id, label, look_up.proposal, cut=64))
    rows.append(_button("search", prediction_id, w("button-search-again")))
    return text, InlineKeyboardMarkup(rows)


def undo(prediction_id: int, w: Words) -> InlineKeyboardMarkup:
    """The one button under a thank-you."""
    return InlineKeyboardMarkup([_button("undo", prediction_id, w("button-undo"))])


def corrections(mine: Sequence[Mine], more: bool, w: Words) -> tuple[str, InlineKeyboardMarkup | None]:
    """What a person has said, the latest first."""
    if not mine:
        return w("telegram-mine-none"), None
    lines = [w("telegram-mine")]
    for each in mine:
        day = f"{each.at:%Y-%m-%d}"
        url = link(each.where)
        name, said = each.name or w("mine-nobody"), each.said or w("mine-nobody")
        line = w("telegram-mine-line", day=day, name=bold(name), said=plain(said))
        lines.append(f'{line} <a href="{url}">{w("telegram-mine-link")}</a>' if url else line)
    rows = [_button("mine", mine[-1].position, w("telegram-mine-more"))] if more else []
    return "\n".join(lines), InlineKeyboardMarkup(rows) if rows else None


def link(where: Address | None) -> str:
    """An address of a message that Telegram's clients jump to; only supergroups and channels have any."""
    if where is None or not where.community.startswith("-100"):
        return ""
    return f"https://t.me/c/{where.community.removeprefix('-100')}/{where.message}"


def options(rows: Iterable[Iterable[tuple[str, str]]]) -> InlineKeyboardMarkup:
    """A keyboard of settings: (label, what is set) each."""
    return InlineKeyboardMarkup(
        [[each for label, slot in row for each in _button("set", 0, label, slot)] for row in rows]
    )


def in_twos(buttons: Iterable[Row]) -> list[Row]:
    flat = [each for row in buttons for each in row]
    return [flat[at : at + 2] for at in range(0, len(flat), 2)]


def _button(action: str, number: int, label: str, slot: str = "", cut: int = LABEL) -> Row:
    """One button, or none where a name would not fit into what a button can carry."""
    try:
        data = str(ButtonId(action, number, slot))
    except ValueError:
        return []
    return [InlineKeyboardButton(label if len(label) <= cut else label[: cut - 1] + "…", callback_data=data)]
