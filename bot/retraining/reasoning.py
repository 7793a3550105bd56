"""What the gate found, in the words of whoever reads it, from the figures that it gives with each reason."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from bot.words import Words

Figures = Mapping[str, Any]


def found_text(key: str, passed: bool, figures: Figures, w: Words) -> str:
    """A sentence with the figures of one check; empty when they are not all there (an older report).

    Args:
        key: of the check in the catalogue, see `bot.retraining.types.CHECKS_SAID`.
        figures: those of `training.reasons`.
    """
    say = _SAYERS.get(key.removeprefix("retrain-check-"))
    if say is None:
        return ""
    try:
        return say(passed, figures, w)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""


def _characters(_: bool, figures: Figures, w: Words) -> str:
    said = []
    if figures["missing"]:
        key = "gate-characters-missing-allowed" if figures["allowed"] else "gate-characters-missing"
        said.append(w(key, names=", ".join(figures["missing"])))
    if figures["new"]:
        new = (w("gate-new", name=slug, count=count) for slug, count in figures["new_pictures"].items())
        said.append(w("gate-characters-new", names=", ".join(new)))
    return "; ".join(said) or w("gate-characters-same", count=figures["known"])


def _overall(passed: bool, figures: Figures, w: Words) -> str:
    text = w("gate-overall", **_right(figures), bound=_points(figures["bound"], w))
    if (alone := figures["known_before_alone_p"]) is not None:
        return w("gate-overall-hidden", text=text, p=f"{alone:.3f}")
    if passed:
        return text
    text = w("gate-overall-asked", text=text, margin=_points(figures["margin"], w))
    needed, count = figures["pictures_needed_if_equal"], figures["pictures"]
    if (figures["gained"] - figures["lost"]) / count > figures["margin"] and needed > count:
        text = w("gate-overall-more", text=text, needed=f"{needed:,}")
    return text


def _per_character(_: bool, figures: Figures, w: Words) -> str:
    characters = figures["characters"]
    told = [
        w(
            "gate-character",
            name=slug,
            before=f"{characters[slug]['before']:.0%}",
            after=f"{characters[slug]['after']:.0%}",
            count=str(characters[slug]["pictures"]),
            p=f"{characters[slug]['p']:.1g}",
        )
        for slug in figures["worse"]
    ]
    if told:
        return w("gate-character-worse", characters=", ".join(told))
    return w("gate-character-none", count=len(characters))


def _corrections(_: bool, figures: Figures, w: Words) -> str:
    return w("gate-corrections", **_right(figures), p=f"{figures['p']:.2g}")


def _speed(_: bool, figures: Figures, w: Words) -> str:
    return w(
        "gate-speed",
        before=f"{figures['before_ms']:.0f}",
        after=f"{figures['after_ms']:.0f}",
        ratio=f"{figures['ratio']:.2f}",
        margin=f"{figures['margin']:g}",
    )


def _within(key: str, form: str) -> Callable[[bool, Figures, Words], str]:
    def say(passed: bool, figures: Figures, w: Words) -> str:
        if not figures:
            return w("gate-not-measured")
        text = w(key, before=format(figures["before"], form), after=format(figures["after"], form))
        return text if passed else w("gate-allowed", text=text, margin=f"{figures['margin']:g}")

    return say


def _right(figures: Figures) -> dict[str, str]:
    return {
        "before": f"{figures['before']:.1%}",
        "after": f"{figures['after']:.1%}",
        "count": str(figures["pictures"]),
        "gained": str(figures["gained"]),
        "lost": str(figures["lost"]),
    }


def _points(share: float, w: Words) -> str:
    return w("gate-points", points=f"{100 * share:+.1f}")


_SAYERS: Mapping[str, Callable[[bool, Figures, Words], str]] = {
    "characters": _characters,
    "overall": _overall,
    "per-character": _per_character,
    "calibration": _within("gate-calibration", ".3f"),
    "certainty": _within("gate-certainty", ".1%"),
    "strangers": _within("gate-strangers", ".3f"),
    "nobody": _within("gate-nobody", ".1%"),
    "speed": _speed,
    "corrections": _corrections,
    "corrections-per-character": _per_character,
}
