"""Which character a text means: exactly, or as a list of guesses for somebody who types."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rapidfuzz import fuzz, process

from corrections.labels import comparable
from corrections.types import Character, Community, Resolution, Suggestion

KNOWN, PROPOSED, MERGED, REFUSED = "known", "proposed", "merged", "refused"

_FEWEST_FOR_FUZZY = 3  # shorter texts are near to everything: only beginnings and parts count
_LOWEST = 65.0  # WRatio below which a guess is noise
_PREFIX, _PART = 90.0, 75.0  # what a name that begins with the text, or has it inside, scores at least


class Vocabulary:
    """The characters at one moment. What is local to a community is seen in that community only."""

    def __init__(self, characters: Iterable[Character], revision: int = 0) -> None:
        self.revision = revision
        self.characters: Mapping[str, Character] = {c.slug: c for c in characters}
        self._exact: dict[Community | None, dict[str, str]] = {}
        self._refused: set[tuple[Community | None, str]] = set()
        # Settled characters first, so that a name that is both theirs and an old proposal's means them.
        order = {KNOWN: 0, PROPOSED: 1, MERGED: 2, REFUSED: 3}
        for character in sorted(self.characters.values(), key=lambda c: (order[c.status], c.slug)):
            for key in _keys(character):
                if character.status == REFUSED:
                    self._refused.add((character.community, key))
                else:
                    self._exact.setdefault(character.community, {}).setdefault(key, character.slug)

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
        """Who is called exactly so, spelling aside: by slug, name or alias."""
        key = comparable(text)
        for scope in (None, community) if community else (None,):
            slug = self._exact.get(scope, {}).get(key) if key else None
            character = self._settled(slug) if slug else None
            if character is not None and character.community in (None, community):
                return Resolution(character)
        return Resolution(None)

    def refused(self, text: str, community: Community | None) -> bool:
        """Whether moderators have refused this name there."""
        key = comparable(text)
        return (None, key) in self._refused or (community, key) in self._refused

    def suggest(
        self, text: str, community: Community | None = None, language: str = "en", limit: int = 25
    ) -> list[Suggestion]:
        """Who may be meant, the likeliest first; for an empty text everybody, by name.

        Scores are rapidfuzz's WRatio (0 to 100) on names without spaces and punctuation; a name that begins
        with the text, or has it inside, scores at least 90 or 75.
        """
        visible = self.visible(community)
        query = comparable(text)
        if not query:
            everybody = [] if text.strip() else [Suggestion(c.slug, c.name(language), 0.0) for c in visible]
            return sorted(everybody, key=lambda s: s.name.casefold())[:limit]
        keys = [(key, c.slug) for c in visible for key in _keys(c)]
        scores: dict[str, float] = {}
        for key, slug in keys:
            if key.startswith(query):
                score = _PREFIX + (100 - _PREFIX) * len(query) / len(key)
            elif query in key:
                score = _PART + (_PREFIX - _PART) * len(query) / len(key)
            else:
                continue
            scores[slug] = max(score, scores.get(slug, 0.0))
        if len(query) >= _FEWEST_FOR_FUZZY:
            found = process.extract(
                query, [key for key, _ in keys], scorer=fuzz.WRatio, limit=None, score_cutoff=_LOWEST
            )
            for _, score, position in found:
                slug = keys[position][1]
                scores[slug] = max(float(score), scores.get(slug, 0.0))
        best = sorted(scores.items(), key=lambda item: (-item[1], self.characters[item[0]].name(language)))
        return [Suggestion(s, self.characters[s].name(language), score) for s, score in best[:limit]]

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


def _keys(character: Character) -> list[str]:
    texts = (character.slug, *character.names.values(), *character.aliases)
    return [key for key in dict.fromkeys(map(comparable, texts)) if key]
