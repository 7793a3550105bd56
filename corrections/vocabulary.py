"""Which character a text means: exactly, or as a list of guesses for somebody who types."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rapidfuzz import fuzz, process

from corrections import pinyin
from corrections.labels import comparable
from corrections.types import Character, Community, Resolution, Suggestion

KNOWN, PROPOSED, MERGED, REFUSED = "known", "proposed", "merged", "refused"

_FEWEST_FOR_FUZZY = 3  # shorter texts are near to everything: only beginnings and parts count
_LOWEST, _LOWEST_PINYIN = 65.0, 75.0  # similarity below which a guess is noise
_FUZZY = 0.8  # what a guess is worth beside a match: less than a word that begins with the text

_NAME, _ALIAS, _PINYIN = 0, 1, 2
_EXACT = (100.0, 99.0, 98.0)
_BEGINS = (94.0, 87.0, 87.0)  # by up to 3 more, the more of it the text is
_WORD = (91.0, 84.0, 81.0)  # a word of it begins so
_INITIALS = 83.0
_INSIDE = (77.0, 74.0, None)


@dataclass(frozen=True, slots=True)
class _Called:
    """One way to call a character: ``tails`` are the key from each later word on."""

    slug: str
    kind: int
    key: str
    tails: tuple[str, ...]


class Vocabulary:
    """The characters at one moment. What is local to a community is seen in that community only.

    Args:
        characters: all of them, with the merged and refused ones.
        revision: which moment it is.
        readings: of Chinese names and aliases, see `corrections.pinyin`.
    """

    def __init__(
        self,
        characters: Iterable[Character],
        revision: int = 0,
        readings: Mapping[str, str] | None = None,
    ) -> None:
        self.revision = revision
        self.characters: Mapping[str, Character] = {c.slug: c for c in characters}
        self._exact: dict[Community | None, dict[str, str]] = {}
        self._readings = dict(readings or {})
        self._spoken: dict[Community | None, dict[str, set[str]]] = {}
        self._refused: set[tuple[Community | None, str]] = set()
        # Settled characters first, so that a name that is both theirs and an old proposal's means them.
        order = {KNOWN: 0, PROPOSED: 1, MERGED: 2, REFUSED: 3}
        for character in sorted(self.characters.values(), key=lambda c: (order[c.status], c.slug)):
            for key in _keys(character):
                if character.status == REFUSED:
                    self._refused.add((character.community, key))
                else:
                    self._exact.setdefault(character.community, {}).setdefault(key, character.slug)
            if character.status != REFUSED:
                spoken = self._spoken.setdefault(character.community, {})
                for reading in self._read(character):
                    spoken.setdefault(comparable(reading), set()).add(character.slug)
        self._called = {
            c.slug: self._ways(c) for c in self.characters.values() if c.status in (KNOWN, PROPOSED)
        }

    def visible(self, community: Community | None = None) -> list[Character]:
        """Every character that can be named there, by English name; None sees what everybody sees."""
        seen = [
            c
            for c in self.characters.values()
            if c.status in (KNOWN, PROPOSED) and (c.community is None or c.community == community)
        ]
        return sorted(seen, key=lambda c: (c.name().casefold(), c.slug))

    def by_slug(self, slug: str, community: Community | None) -> Character | None:
        """The character with this very slug, or the one that it was merged into, if it can be named there."""
        character = self._settled(slug)
        if character is None or character.community not in (None, community):
            return None
        return character

    def resolve(self, text: str, community: Community | None = None) -> Resolution:
        """Who is called exactly so, spelling aside: by slug, name or alias; else who alone is in pinyin."""
        key = comparable(text)
        scopes = (None, community) if community else (None,)
        for scope in scopes if key else ():
            slug = self._exact.get(scope, {}).get(key)
            character = self.by_slug(slug, community) if slug else None
            if character is not None:
                return Resolution(character)
        slugs = set().union(*(self._spoken.get(scope, {}).get(_typed(key), set()) for scope in scopes))
        spoken = {c.slug: c for slug in slugs if (c := self.by_slug(slug, community))}
        return Resolution(next(iter(spoken.values())) if len(spoken) == 1 else None)

    def refused(self, text: str, community: Community | None) -> bool:
        """Whether moderators have refused this name there."""
        key = comparable(text)
        return (None, key) in self._refused or (community, key) in self._refused

    def suggest(
        self, text: str, community: Community | None = None, language: str = "en", limit: int = 25
    ) -> list[Suggestion]:
        """Who may be meant, the likeliest first; for an empty text everybody, by name.

        Names and aliases in any language, pinyin and its first letters; spaces and punctuation do not
        matter. Before one another come: names that begin with the text, names with a word that does, aliases
        likewise, pinyin, names that have it inside, and what is spelled alike (rapidfuzz's WRatio).
        """
        visible = self.visible(community)
        query = comparable(text)
        if not query:
            everybody = [] if text.strip() else [Suggestion(c.slug, c.name(language), 0.0) for c in visible]
            return sorted(everybody, key=lambda s: self._readings.get(s.name, s.name).casefold())[:limit]
        ways = [way for c in visible for way in self._called[c.slug]]
        scores: dict[str, float] = {}
        for way in ways:
            if score := _match(way, query):
                scores[way.slug] = max(score, scores.get(way.slug, 0.0))
        if len(query) >= _FEWEST_FOR_FUZZY:
            for slug, score in _alike(ways, query):
                scores[slug] = max(score, scores.get(slug, 0.0))
        best = sorted(scores.items(), key=lambda item: (-item[1], self.characters[item[0]].name(language)))
        return [Suggestion(s, self.characters[s].name(language), score) for s, score in best[:limit]]

    def _read(self, character: Character) -> list[str]:
        """The readings of all that a character is called, as people spell them."""
        texts = (*character.names.values(), *character.aliases)
        return [
            form
            for text in texts
            if text in self._readings
            for form in pinyin.spellings(self._readings[text])
        ]

    def _ways(self, character: Character) -> list[_Called]:
        names = [character.slug, *character.names.values()]
        ways = [_called(character.slug, _NAME, name) for name in names]
        ways += [_called(character.slug, _ALIAS, alias) for alias in character.aliases]
        ways += [_called(character.slug, _PINYIN, reading) for reading in self._read(character)]
        return [way for way in dict.fromkeys(ways) if way.key]

    def _settled(self, slug: str) -> Character | None:
        for _ in range(len(self.characters)):  # a chain of merges ends; a circle, which is a mistake, too
            character = self.characters.get(slug)
            if character is None or character.status == REFUSED:
                return None
            if character.status != MERGED:
                return character
            if character.merged_into is None:
                return None
            slug = character.merged_into
        return None


def _called(slug: str, kind: int, text: str) -> _Called:
    # A Chinese character is a word; a hyphen parts words, an apostrophe does not.
    words = [
        comparable(word)
        for word in re.findall(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff][^\W_\u3400-\u9fff'’]*", text)
    ]
    tails = tuple("".join(words[n:]) for n in range(1, len(words)))
    return _Called(slug, kind, comparable(text), tails)


def _typed(query: str) -> str:
    """What is typed for a sound: ü is v on a keyboard."""
    return query.replace("ü", "v")


def _match(way: _Called, query: str) -> float:
    """What it is worth that a character is called so, 0 for nothing."""
    if way.kind == _PINYIN:
        query = _typed(query)
        first = "".join(tail[0] for tail in (way.key, *way.tails))
        if len(query) > 1 and first.startswith(query):
            return _INITIALS + len(query) / len(first)
    part = len(query) / len(way.key)
    if way.key == query:
        return _EXACT[way.kind]
    if way.key.startswith(query):
        return _BEGINS[way.kind] + 3 * part
    if any(tail.startswith(query) for tail in way.tails):
        return _WORD[way.kind] + 3 * part
    inside = _INSIDE[way.kind]
    return inside + 3 * part if inside is not None and query in way.key else 0.0


def _alike(ways: list[_Called], query: str) -> Iterable[tuple[str, float]]:
    """What is spelled much like the text, by slug."""
    written = [way for way in ways if way.kind != _PINYIN]
    spoken = [way for way in ways if way.kind == _PINYIN]
    for among, scorer, lowest in ((written, fuzz.WRatio, _LOWEST), (spoken, fuzz.ratio, _LOWEST_PINYIN)):
        keys = [way.key for way in among]
        for _, score, position in process.extract(
            query, keys, scorer=scorer, limit=None, score_cutoff=lowest
        ):
            yield among[position].slug, _FUZZY * float(score)


def _keys(character: Character) -> list[str]:
    texts = (character.slug, *character.names.values(), *character.aliases)
    return [key for key in dict.fromkeys(map(comparable, texts)) if key]
