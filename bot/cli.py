"""Entry point of ``whosthat``; what a person may type is in `bot.commands`."""

from __future__ import annotations

from bot.uncollected import uncollected


def main() -> None:
    """Import the commands, then do what was typed."""
    with uncollected():
        from bot.commands import app
    app()
