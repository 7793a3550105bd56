"""Names as people type them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corrections.errors import BadLabel
from corrections.labels import clean_label, comparable, slug_of, with_suffix


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("  \u3000 ", "empty"),
        ("x" * 65, "too-long"),
        ("x" * 10_000, "too-long"),
        ("Iron\u202eMan", "control"),  # right-to-left override
        ("Iron\u2066Man", "control"),
        ("Iron\u200bMan", "control"),  # zero width
        ("Iron\x00Man", "control"),
        ("Iron\nMan", "control"),
        ("Iron\ue000Man", "control"),  # private use
        ("Iron\u3164Man", "control"),  # a letter that is not seen
        ("T\u0300\u0301\u0302\u0303hor", "control"),  # a pile of accents
        ("@everyone", "mention"),
        ("@here", "mention"),
        ("＠everyone", "mention"),
        ("<@123456>", "mention"),
        ("<#123456>", "mention"),
        ("<b>Thor</b>", "markup"),
        ("Thor<script>", "markup"),
        ("https://example.org", "markup"),
        ("see www.example", "markup"),
        ("free-nitro.gg", "markup"),
        ("../../etc/passwd", "markup"),
        ("C:\\Windows", "markup"),
        ("**Thor**", "markup"),
        ("[Thor](x)", "markup"),
        ("&lt;Thor", "markup"),
        ("12345", "no-letters"),
        ("🕷🕷", "no-letters"),
        ("..", "no-letters"),
    ],
)
def test_names_that_are_not_taken(text: str, reason: str) -> None:
    with pytest.raises(BadLabel) as caught:
        clean_label(text)
    assert caught.value.reason == reason
    assert reason in BadLabel.REASONS


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("  Moon   Knight ", "Moon Knight"),
        ("M'Baku", "M'Baku"),
        ("T’Challa", "T’Challa"),
        ("H.E.R.B.I.E.", "H.E.R.B.I.E."),
        ("Captain America (Sam Wilson)", "Captain America (Sam Wilson)"),
        ("Ｎｅｂｕｌａ", "Nebula"),
        ("星云", "星云"),
        ("ヴァルキリー", "ヴァルキリー"),
        ("Mjølnir & Co", "Mjølnir & Co"),
    ],
)
def test_names_that_are_taken(text: str, clean: str) -> None:
    assert clean_label(text) == clean


@pytest.mark.parametrize(
    ("label", "slug"),
    [
        ("Moon Knight", "moon-knight"),
        ("M'Baku", "mbaku"),
        ("Möbius M. Möbius", "mobius-m-mobius"),
        ("T’Challa", "tchalla"),
    ],
)
def test_slugs_that_say_the_name(label: str, slug: str) -> None:
    assert slug_of(label) == slug


@pytest.mark.parametrize(
    ("label", "begins"),
    [("CON", "con-"), ("Nobody", "nobody-"), ("com1", "com1-"), ("星云", "character-"), ("Ö-星云", "o-")],
)
def test_slugs_that_could_mean_something_else_get_digits(label: str, begins: str) -> None:
    assert re.fullmatch(begins + "[0-9a-f]{8}", slug_of(label))


@given(st.text(max_size=300))
def test_any_text_is_taken_or_refused_and_its_slug_is_safe(text: str) -> None:
    comparable(text)
    try:
        label = clean_label(text)
    except BadLabel:
        return
    assert 1 <= len(label) <= 64 and not set(label) & set("<>@/\\\n\u202e\u200b")
    assert clean_label(label) == label
    for slug in (slug_of(label), with_suffix(slug_of(label), text)):
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) and len(slug) <= 48
        assert slug not in {"nobody", "con", "nul", "prn", "aux"}


def test_spelling_does_not_matter() -> None:
    same = [
        "Spider-Man",
        "spiderman",
        "SPIDER  MAN",
        "ｓｐｉｄｅｒ－ｍａｎ",
        "spider_man!",
        "Spider\u200bMan",
    ]
    assert {comparable(text) for text in same} == {"spiderman"}
    assert comparable("ß") == comparable("SS")
    assert comparable("…!?") == comparable("x" * 1000) == ""
