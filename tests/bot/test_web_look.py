"""The page's colours keep the contrast of WCAG 2.2 AA, in light and in dark."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bot.web

CSS = (Path(bot.web.__file__).parent / "static" / "page.css").read_text(encoding="utf-8")
TEXT = [
    ("text", "page"),
    ("text", "card"),
    ("text", "button"),
    ("text", "accent-soft"),
    ("quiet", "page"),
    ("quiet", "card"),
    ("quiet", "accent-soft"),
    ("on-accent", "accent"),
    ("good", "good-soft"),
    ("bad", "bad-soft"),
]
EDGES = [("edge", "card"), ("edge", "page"), ("accent", "card"), ("accent", "page"), ("accent", "line")]


def colours(scheme: str) -> dict[str, str]:
    """The named colours of a scheme; dark overrides light."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, flags=re.DOTALL)
    assert len(blocks) == 2
    found = [dict(re.findall(r"--([\w-]+): (#\w+)", block)) for block in blocks]
    assert found[0].keys() == found[1].keys()
    return found[scheme == "dark"]


def luminance(colour: str) -> float:
    """Relative luminance, WCAG 2.2."""
    digits = colour[1:] if len(colour) == 7 else "".join(2 * each for each in colour[1:])
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(a: str, b: str) -> float:
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def test_the_measure_itself() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(scheme: str) -> None:
    named = colours(scheme)
    for front, back in TEXT:
        assert contrast(named[front], named[back]) >= 4.5, (scheme, front, back)
    for front, back in EDGES:
        assert contrast(named[front], named[back]) >= 3, (scheme, front, back)


def test_people_who_want_less_motion_get_less() -> None:
    assert "prefers-reduced-motion: reduce" in CSS
