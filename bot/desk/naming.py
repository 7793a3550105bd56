"""Characters under the names that a reader knows them by."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping

from bot.desk.types import Guess
from corrections.ledger import Ledger
from corrections.types import Community
from model.types import Ranked

RUNNERS_UP = 5
"""Characters that a reply keeps, the best included."""


class Names:
    """Looks names up in the ledger's vocabulary."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def of(self, community: Community, language: str) -> Callable[[str], str]:
        """A function from slug to name. A slug that the vocabulary lacks is made readable."""
        names = {each.slug: each.names for each in await self._ledger.characters(community)}

        return lambda slug: in_language(names.get(slug, {}), language) or readable(slug)


def in_language(names: Mapping[str, str], language: str) -> str:
    """The name in that language, else in English, else in any; empty if there is none."""
    wanted = language.casefold()
    for tag, text in names.items():
        if tag.casefold() == wanted or tag.split("-")[0] == wanted.split("-")[0]:
            return text
    return names.get("en") or next(iter(names.values()), "")


def readable(slug: str) -> str:
    """A slug that no vocabulary has, as a name."""
    return slug.replace("-", " ").title()


def guesses(ranked: Iterable[Ranked], named: Callable[[str], str]) -> tuple[Guess, ...]:
    """The likeliest characters under their names."""
    return tuple(
        Guess(each.character, named(each.character), each.probability)
        for each in itertools.islice(ranked, RUNNERS_UP)
    )
