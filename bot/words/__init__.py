"""The catalogue of words: one Fluent file a language beside this module, English the fallback.

Fluent (projectfluent.org) because plurals and numbers differ by language and translators have editors for it.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from bot.words.catalogue import Catalogue

FALLBACK = "en"


class Words:
    """The words of one language: ``words("button-right")``, ``words("run-web", url=...)``."""

    def __init__(self, language: str, catalogues: tuple[Catalogue, ...]) -> None:
        self.language = language
        self._catalogues = catalogues

    def __call__(self, key: str, **values: str | int | float) -> str:
        """The text of ``key`` with ``values`` in it.

        Raises:
            KeyError: no catalogue has the key, or it wants a value that was not given.
        """
        for catalogue in self._catalogues:
            text = catalogue.format(key, values)
            if text is not None:
                return text
        raise KeyError(key)

    def percent(self, part: float) -> str:
        """A probability for people: never 0 % or 100 %, which nobody can know."""
        return self("percent", part=min(0.99, max(0.01, part)))


@cache
def languages() -> tuple[str, ...]:
    """The languages that have a catalogue."""
    found = sorted(file.name[:-4] for file in files(__name__).iterdir() if file.name.endswith(".ftl"))
    return (FALLBACK, *(language for language in found if language != FALLBACK))


def words(wanted: str = FALLBACK) -> Words:
    """The words nearest to a language tag such as ``en-GB``, ``zh-CN``, ``zh-hans`` or ``zh_TW``."""
    return _words(nearest(wanted))


def nearest(wanted: str) -> str:
    """The catalogue for a tag: that very language, else a kind of it, else English."""
    return spoken(wanted) or FALLBACK


def spoken(wanted: str) -> str:
    """The catalogue for a tag; empty if there is none for that language."""
    tag = wanted.replace("_", "-").casefold()
    exact = [language for language in languages() if language.casefold() == tag]
    same = [language for language in languages() if language.split("-")[0] == tag.split("-")[0]]
    return (exact or same or [""])[0]


_catalogue = cache(Catalogue)


@cache
def _words(language: str) -> Words:
    return Words(language, tuple(_catalogue(each) for each in dict.fromkeys((language, FALLBACK))))
