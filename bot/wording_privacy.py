"""What people read about consent and about being forgotten, the same on every platform."""

from __future__ import annotations

from bot.words import Words

STANDINGS = {
    "ask": ("privacy-ask", "privacy-button-ask"),
    "from-now": ("privacy-from-now", "privacy-button-from-now"),
    "all": ("privacy-all", "privacy-button-all"),
    "never": ("privacy-never", "privacy-button-never"),
}
"""What somebody may choose, in the order in which it is offered: what it means, and its button."""


def privacy_text(standing: str, w: Words, *, chosen: bool = False) -> str:
    """What holds for a person, and what else could; ``chosen``: they have just chosen it."""
    now = w("privacy-chosen" if chosen else "privacy-now", standing=w(STANDINGS[standing][0]))
    return "\n".join([w("privacy-title"), now, w("privacy-forget")])


def privacy_buttons(standing: str, w: Words) -> list[tuple[str, str, bool]]:
    """The four choices: the slot of the button, its label, whether it holds now."""
    return [(each, w(label), each == standing) for each, (_, label) in STANDINGS.items()]


def forgotten_text(pictures: int, votes: int, w: Words) -> str:
    """What was removed."""
    return w("forget-done", pictures=pictures, votes=votes)
