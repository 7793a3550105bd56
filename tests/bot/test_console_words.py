"""Every word of the console comes from the catalogue, and its files are what its pages name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bot.words
from bot.web.console.routes import FILES, STATIC, TEMPLATES
from tests.bot.test_web_words import literal_words, script_words

PAGES = sorted(TEMPLATES.glob("*.html"))
SCRIPTS = sorted(STATIC.glob("*.js"))
CATALOGUE = (Path(bot.words.__file__).parent / "en.ftl").read_text(encoding="utf-8")
KEY = re.compile(r"<kbd[^>]*>[A-Z/?⏎]</kbd>|aria-keyshortcuts=\"\w+\"")
"""What is printed on a key is no word."""


@pytest.mark.parametrize("template", PAGES, ids=lambda path: path.name)
def test_no_template_has_a_word_of_its_own(template: Path) -> None:
    assert literal_words(KEY.sub("", template.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize("template", PAGES, ids=lambda path: path.name)
def test_every_key_of_a_template_is_in_the_catalogue(template: Path) -> None:
    known = set(re.findall(r"^([\w-]+) =", CATALOGUE, flags=re.MULTILINE))
    families = "console|review|button|web|export|mine|stats|search"
    used = set(
        re.findall(rf"""w\(\s*["'](\w+[\w-]*)["']|["']((?:{families})-[a-z-]+)["']""", _text(template))
    )
    assert {key or other for key, other in used} <= known


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_has_words_of_its_own(script: Path) -> None:
    said = [
        each for each in script_words(_text(script)) if each not in ("HX-Request", "POST") and "[" not in each
    ]
    assert said == []
    assert len(_text(script).splitlines()) <= 300


@pytest.mark.parametrize("template", PAGES, ids=lambda path: path.name)
def test_nothing_is_inline_and_nothing_is_elsewhere(template: Path) -> None:
    pattern = r"<style|\sstyle=|\son\w+=|javascript:|hx-on|<script(?![^>]*\ssrc=)|//[a-z]"
    assert not re.search(pattern, _text(template))


def test_every_file_that_is_named_is_served() -> None:
    named = {
        name
        for each in (*PAGES, *SCRIPTS)
        for name in re.findall(r"(?:/review/static|\.)/([\w-]+\.(?:css|js))", _text(each))
    }
    assert named == FILES
    assert {each.name for each in STATIC.iterdir()} == FILES


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")
