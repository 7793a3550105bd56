"""Every word on the page comes from the catalogue: templates and script hold none of their own."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

import bot.web
from bot.web.pages import FILES
from bot.words import words

HERE = Path(bot.web.__file__).parent
TEMPLATES = sorted((HERE / "templates").glob("*.html"))
SCRIPT = HERE / "static" / "page.js"
READ = {"alt", "title", "placeholder", "aria-label", "label", "summary"}
"""Attributes that a person reads or hears."""
LETTER = re.compile(r"[^\W\d_]")
HOLE = "0"  # stands for what Jinja fills in


class _Readable(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_data(self, data: str) -> None:
        if LETTER.search(data):
            self.found.append(data.strip())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            read = name in READ or (name == "content" and ("name", "description") in attrs)
            read = read or (name == "value" and ("type", "submit") in attrs)
            if read and LETTER.search(value or ""):
                self.found.append(f"{name}={value}")


def literal_words(template: str) -> list[str]:
    """What a template would show that is not from the catalogue."""
    readable = _Readable()
    parts: list[str] = []
    tree = Environment(autoescape=True).parse(template)
    allowed = {
        id(argument)
        for call in tree.find_all(nodes.Call)
        for argument in call.args + [k.value for k in call.kwargs]
    }
    for output in tree.find_all(nodes.Output):
        for node in output.nodes:
            if isinstance(node, nodes.TemplateData):
                parts.append(node.data)
                continue
            parts.append(HOLE)
            constants = [node] if isinstance(node, nodes.Const) else list(node.find_all(nodes.Const))
            readable.found += [
                f"{{{{ {each.value} }}}}"
                for each in constants
                if isinstance(each.value, str) and " " in each.value.strip() and id(each) not in allowed
            ]
            if isinstance(node, nodes.Const) and isinstance(node.value, str) and LETTER.search(node.value):
                readable.found.append(f"{{{{ {node.value} }}}}")
    readable.feed("".join(parts))
    readable.close()
    return readable.found


def script_words(script: str) -> list[str]:
    """String literals of a script that read like something said to a person."""
    code = re.sub(r"^\s*//.*$|\s//\s.*$", "", script, flags=re.MULTILINE)
    literals = re.findall(r'"((?:[^"\\\n]|\\.)*)"|\'((?:[^\'\\\n]|\\.)*)\'|`((?:[^`\\]|\\.)*)`', code)
    keys = {"Enter", "Escape", "ArrowDown", "ArrowUp", "Files", "use strict"}
    said = ["".join(each) for each in literals]
    found = [
        each for each in said if each not in keys and (re.match(r"[A-Z]", each) or re.search(r"\w \w", each))
    ]
    shown = (
        r'(?:textContent|innerText|innerHTML|title|alt|placeholder|ariaLabel)\s*=\s*["\'`][^"\'`]*[A-Za-z]'
    )
    return [each for each in found if each != "use strict"] + re.findall(shown, code)


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_no_template_has_a_word_of_its_own(template: Path) -> None:
    assert literal_words(template.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: path.name)
def test_every_key_of_a_template_is_in_the_catalogue(template: Path) -> None:
    catalogue = (Path(bot.web.__file__).parents[1] / "words" / "en.ftl").read_text(encoding="utf-8")
    known = set(re.findall(r"^([\w-]+) =", catalogue, flags=re.MULTILINE))
    used = set(re.findall(r"""w\(\s*["']([\w-]+)["']""", template.read_text(encoding="utf-8")))
    assert used <= known


def test_the_script_has_no_words_of_its_own() -> None:
    script = SCRIPT.read_text(encoding="utf-8")
    assert script_words(script) == []
    assert len(script.splitlines()) < 250


def test_nothing_is_inline() -> None:
    """The content security policy would stop it; better that it is not written at all."""
    for template in TEMPLATES:
        text = template.read_text(encoding="utf-8")
        assert not re.search(
            r"<style|\sstyle=|\son\w+=|javascript:|hx-on|<script(?![^>]*\ssrc=)|//[a-z]", text
        ), template


@pytest.mark.parametrize(
    "template",
    [
        "<p>Hello</p>",
        '<img alt="A picture">',
        '<input placeholder="{{ x }} or so">',
        '{{ "Hello" }}',
        '{{ x or "Try again" }}',
        "{% if x %}Yes{% endif %}",
    ],
)
def test_the_check_of_templates_finds_words(template: str) -> None:
    assert literal_words(template)


@pytest.mark.parametrize(
    "script", ['live.textContent = "looking"', 'refuse("Too large")', "say(`please wait`)"]
)
def test_the_check_of_scripts_finds_words(script: str) -> None:
    assert script_words(script)


def test_a_missing_word_is_noticed() -> None:
    with pytest.raises(KeyError):
        words("en")("web-there-is-no-such-key")


def test_what_is_not_ours_is_what_its_note_says() -> None:
    note = (HERE / "static" / "vendor.md").read_text(encoding="utf-8")
    assert hashlib.sha256((HERE / "static" / "htmx.min.js").read_bytes()).hexdigest() in note


def test_every_file_that_a_template_names_is_served() -> None:
    named = {
        name
        for template in TEMPLATES
        for name in re.findall(r"/static/([\w.-]+)", template.read_text(encoding="utf-8"))
    }
    assert named == FILES
    assert all((HERE / "static" / name).is_file() for name in FILES)
