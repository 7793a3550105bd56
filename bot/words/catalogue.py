"""One language's file of words, of which only those messages are parsed that somebody reads.

Parsing all of it takes a twentieth of a second, at a start or while everybody waits, and some MiB.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from importlib.resources import files

from fluent.runtime import FluentBundle, FluentResource

_BEGINS = re.compile(r"^(-?[a-zA-Z][a-zA-Z0-9_-]*) *=", re.MULTILINE)
"""Of a message or a term; what belongs to it is indented."""
_NAMES = re.compile(r"\{\s*(-?[a-zA-Z][a-zA-Z0-9_-]*)")
"""Another one whose text is put in, or a function."""


class Catalogue:
    """The messages of one language."""

    def __init__(self, language: str) -> None:
        text = (files(__package__) / f"{language}.ftl").read_text(encoding="utf-8")
        begins = [*_BEGINS.finditer(text)]
        ends = [*(each.start() for each in begins[1:]), len(text)]
        self._unread = {each[1]: text[each.start() : end] for each, end in zip(begins, ends, strict=True)}
        # No isolation marks: names are cleaned when they are written, and the marks would break commands.
        self._bundle = FluentBundle([language], use_isolating=False)

    def format(self, key: str, values: Mapping[str, str | int | float]) -> str | None:
        """The text of ``key`` with ``values`` in it; None where this language does not have it.

        Raises:
            KeyError: it wants a value that was not given.
        """
        self._read(key)
        if not self._bundle.has_message(key) or (pattern := self._bundle.get_message(key).value) is None:
            return None
        text, errors = self._bundle.format_pattern(pattern, dict(values))
        if errors:
            raise KeyError(f"{key}: {errors[0]}")
        return str(text)

    def _read(self, key: str, *above: str) -> None:
        """Parse a message, after what it names; two threads at once do the same twice."""
        text = self._unread.get(key)
        if text is not None and key not in above:
            for other in _NAMES.findall(text):
                self._read(other, key, *above)
            self._bundle.add_resource(FluentResource(text))
            self._unread.pop(key, None)
