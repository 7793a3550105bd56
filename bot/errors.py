"""What can go wrong around the chat.

BotError
├── SettingsError       a setting that is wrong or unknown; one sentence naming the key
├── FetchError          a picture that cannot be had; ``reason`` is a key of the catalogue of words
└── StartError          a part that cannot start; one sentence with its mend
"""

from __future__ import annotations


class BotError(Exception):
    """Root of the tree. ``str()`` is one sentence for a terminal."""


class SettingsError(BotError):
    """A setting that is wrong or unknown."""


class FetchError(BotError):
    """A picture that cannot be had.

    ``reason`` is one of "link-refused" (an address that is not fetched from), "link-gone" (the other
    side does not have it), "too-many-bytes" and "link-slow".
    """

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or reason)
        self.reason = reason


class StartError(BotError):
    """A part that cannot start."""
