"""The memory of one process: every community's entries for one bundle, and what they make of an answer."""

from __future__ import annotations

from bot.memory.types import Entry, Recollection
from model.near import NearIndex
from model.types import Answer, Ranked, Sight, Verdict

CERTAIN = 0.99
"""How likely it is that people who said who is in this very picture are right."""

BOUND = 50_000
"""Entries that an engine holds unless told otherwise."""


class Engine:
    """Holds at most ``bound`` entries; the ones that were put first go first.

    Not thread-safe: it belongs to one event loop, and every call is well under a millisecond.
    """

    def __init__(self, bound: int = BOUND) -> None:
        self.bound = bound
        self._entries: dict[tuple[int, int], Entry] = {}
        self._near: dict[int, NearIndex[tuple[int, int]]] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: Entry) -> None:
        """Remember; what was said of the same blob in the same community is replaced.

        Raises:
            ValueError: its near key is none.
        """
        id = entry.community, entry.blob  # noqa: A001 - the word that the index uses
        self._near.setdefault(entry.community, NearIndex()).add(entry.near_key, id)
        self._entries.pop(id, None)
        self._entries[id] = entry
        while len(self._entries) > self.bound:
            self.drop(*next(iter(self._entries)))

    def drop(self, community: int, blob: int) -> None:
        """Forget; what is not known is fine."""
        id = community, blob  # noqa: A001
        if self._entries.pop(id, None) is not None:
            index = self._near[community]
            index.remove(id)
            if not len(index):
                del self._near[community]

    def recall(self, community: int, sight: Sight, shared: bool = False) -> Recollection:
        """The answer with what is remembered in it.

        Args:
            community: where it is asked.
            sight: what the worker saw; its answer in the vocabulary's slugs.
            shared: other communities' entries count too, after the community's own.
        """
        found = self._copies(community, sight, shared)
        if found:
            return Recollection(
                told(sight.answer, found[0].slugs), "same", found[0].slugs, tuple(each.blob for each in found)
            )
        return Recollection(sight.answer, "", (), ())

    def _copies(self, community: int, sight: Sight, shared: bool) -> list[Entry]:
        places = [community, *(each for each in self._near if shared and each != community)]
        return [
            self._entries[id]
            for place in places
            if place in self._near
            for id in self._near[place].query(sight.near_key)  # noqa: A001
        ]


def told(answer: Answer, slugs: tuple[str, ...]) -> Answer:
    """What people said of this very picture, as an answer: nearly all of the probability is theirs.

    Several characters share it. What is left is the bundle's, in its proportions, and nobody's.
    """
    others = {each.character: each.probability for each in answer.ranked if each.character not in slugs}
    whole = sum(others.values())
    scale = (1 - CERTAIN) * answer.known / whole if whole > 0 else 0.0
    scores = {slug: probability * scale for slug, probability in others.items()}
    scores |= {slug: CERTAIN / len(slugs) for slug in slugs}
    # of several, all as likely, the one that people named first comes first
    order = sorted(scores, key=lambda slug: (-scores[slug], slugs.index(slug) if slug in slugs else 0, slug))
    ranked = tuple(Ranked(slug, scores[slug]) for slug in order)
    verdict = Verdict.SURE if slugs else Verdict.NOBODY
    known = min(1.0, sum(scores.values()))
    if not ranked:
        return Answer(verdict, answer.character, 0.0, known, ranked)
    return Answer(verdict, ranked[0].character, ranked[0].probability, known, ranked)
