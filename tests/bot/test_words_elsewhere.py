"""No word that people read stands outside the catalogue, in the Python sources that speak to them.

Two rules, simple enough to keep in mind:

1. In what speaks to people (`SPEAKING`), no string is prose: two words with a space between, or Chinese.
   Docstrings, assertions, what is logged and what is raised are not said to anybody.
2. In all of `bot/`, what is handed over to be read has no letters of its own: the first argument of a call
   that says something (`SAYING`), and an argument whose name says that it is read (`READ`), in any call.

The page's templates and script have the same in `test_web_words`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

BOT = Path(__file__).parents[2] / "bot"
SPEAKING = (
    *("desk", "discord_adapter", "telegram_adapter", "web"),
    *("wording.py", "wording_review.py", "wording_privacy.py", "wording_why.py", "wording_teaching.py"),
)
SAYING = re.compile(
    r"send|send_(?!header|file|chat_action)\w+|edit|edit_\w+|reply|reply_\w+|answer_\w+|respond|whisper|say|show|print|notify"
    r"|Button|InlineKeyboardButton|BotCommand|Modal|SelectOption|Embed|InputTextMessageContent"
)
READ = {"text", "label", "title", "placeholder", "description", "caption", "content", "footer", "first_name"}
PROSE = re.compile(r"[^\W\d_]{2,}[,;:.!?…]? +[^\W\d_]|[\u4e00-\u9fff]")
LETTER = re.compile(r"[^\W\d_]")
FOR_MACHINES = {"img-src 'self' blob: data:", "Accept, Accept-Language, Cookie, HX-Request"}
"""Headers, which only look like prose."""
UNSAID = {"log", "logger", "logging", "warnings", "re"}


def said_literally(source: str, *, speaking: bool) -> list[str]:
    """The strings of a module that break a rule."""
    tree = ast.parse(source)
    unsaid = {id(each) for node in _unsaid(tree) for each in ast.walk(node)}
    found: dict[int, tuple[int, str]] = {}
    for node in ast.walk(tree):
        if id(node) in unsaid:
            continue
        if speaking and isinstance(node, ast.Constant) and PROSE.search(_text(node)):
            found[id(node)] = node.lineno, _text(node)
        if isinstance(node, ast.Call):
            found |= {
                id(each): (each.lineno, _text(each)) for each in _handed_over(node) if id(each) not in unsaid
            }
    return [f"{line}: {text}" for line, text in sorted(found.values()) if text not in FOR_MACHINES]


def _text(node: ast.AST) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _unsaid(tree: ast.Module) -> Iterator[ast.AST]:
    """Docstrings, notes under a name, exceptions, what is logged, patterns, annotations."""
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Expr) and _text(node.value)
        if documented or _is_logged(node) or isinstance(node, ast.Raise | ast.Assert):
            yield node
        elif isinstance(node, ast.AnnAssign | ast.arg) and node.annotation:
            yield node.annotation


def _is_logged(node: ast.AST) -> bool:
    function = node.func if isinstance(node, ast.Call) else None
    owner = function.value if isinstance(function, ast.Attribute) else None
    return isinstance(owner, ast.Name) and owner.id in UNSAID


def _handed_over(call: ast.Call) -> Iterator[ast.Constant]:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    read = [each.value for each in call.keywords if each.arg in READ]
    read += call.args[:1] if SAYING.fullmatch(name) else []
    for argument in read:
        for node in _outside_of_calls(argument):
            if isinstance(node, ast.Constant) and LETTER.search(_text(node)):
                yield node


def _outside_of_calls(node: ast.AST) -> Iterator[ast.AST]:
    """The parts that end up in the text themselves: not a key of the catalogue, not a name in a format."""
    if isinstance(node, ast.Call | ast.Subscript | ast.Compare):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(node, ast.FormattedValue) and child is node.format_spec:
            continue
        yield from _outside_of_calls(child)


@pytest.mark.parametrize("module", sorted(BOT.rglob("*.py")), ids=lambda path: str(path.relative_to(BOT)))
def test_no_module_has_words_of_its_own(module: Path) -> None:
    speaking = module.relative_to(BOT).parts[0] in SPEAKING
    assert said_literally(module.read_text(encoding="utf-8"), speaking=speaking) == []


@pytest.mark.parametrize(
    "planted",
    [
        "await message.reply('Thanks')",
        "await channel.send(f'{name} it is')",
        "await query.answer_callback_query(text='Noted')",
        "await message.edit(content='Gone')",
        "view.add_item(ui.Button(label='Right'))",
        "keyboard.append(InlineKeyboardButton('Wrong', callback_data=x))",
        "print('Hello')",
        "await whisper(interaction, *parts) if x else say('Oh' if y else w('undone'))",
    ],
)
def test_a_word_that_is_handed_over_is_found_everywhere(planted: str) -> None:
    assert said_literally(planted, speaking=False)


@pytest.mark.parametrize(
    "planted",
    [
        "SORRY = 'I do not know'",
        "lines.append('Try again')",
        "text = f'{name} again, please'",
        "ANSWER = '钢铁侠'",
        "return {'key': x or 'no luck today'}",
    ],
)
def test_prose_is_found_where_people_are_spoken_to(planted: str) -> None:
    assert said_literally(planted, speaking=True)


@pytest.mark.parametrize(
    "harmless",
    [
        '"""A docstring in plain words."""',
        "log.warning('could not delete %s', message)",
        "raise ValueError('a sentence for programmers')",
        "await message.reply(w('thanks-right', name=bold(name)), parse_mode='HTML')",
        "await channel.send(f'**{name}** · {count:>3d}')",
        "headers = {'Cache-Control': 'no-store'}",
    ],
)
def test_what_is_said_to_nobody_is_left_alone(harmless: str) -> None:
    assert said_literally(harmless, speaking=True) == []
