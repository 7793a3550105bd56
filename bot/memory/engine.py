"""The memory of one process: every community's entries for one bundle, and what they make of an answer."""

from __future__ import annotations

import numpy as np

from bot.memory.kernel import Constants, blend, read_constants
from bot.memory.places import Place, Vector, unit
from bot.memory.types import Entry, Recollection
from model.marks import read_marks
from model.types import NOBODY, Answer, Ranked, Sight, Verdict

CERTAIN = 0.99
"""How likely it is that people who said who is in this very picture are right."""

BOUND = 50_000
"""Entries that an engine holds unless told otherwise."""

SHOWN = 5
"""Blobs that a recollection names at most when pictures *like* it have moved the answer."""


class Engine:
    """Holds at most ``bound`` entries; the ones that were put first go first.

    Not thread-safe: it belongs to one event loop. What calls cost: docs/learning.md, section *Figures*.
    """

    def __init__(
        self, bound: int = BOUND, constants: Constants | None = None, *, shared: bool = False
    ) -> None:
        """Args: ``shared``: what is put is also held for everybody, at once not when it is asked first."""
        self.bound = bound
        self.constants = constants or read_constants()
        self._places: dict[int, Place] = {}
        self._everywhere: Place | None = Place() if shared else None
        self._order: dict[tuple[int, int], None] = {}

    def __len__(self) -> int:
        return len(self._order)

    def put(self, entry: Entry) -> None:
        """Remember; what was said of the same blob in the same community is replaced.

        Raises:
            ValueError: its near key is none.
        """
        place = self._places.get(entry.community)
        if place is None:
            place = Place()
        place.put(entry)
        self._places[entry.community] = place
        if self._everywhere is not None:
            self._everywhere.put(entry)
        one = entry.community, entry.blob
        self._order.pop(one, None)
        self._order[one] = None
        while len(self._order) > self.bound:
            self.drop(*next(iter(self._order)))

    def drop(self, community: int, blob: int) -> None:
        """Forget; what is not known is fine."""
        one = community, blob
        if one not in self._order:
            return
        del self._order[one]
        place = self._places[community]
        place.drop(one)
        if not len(place):
            del self._places[community]
        if self._everywhere is not None:
            self._everywhere.drop(one)

    def recall(self, community: int, sight: Sight, shared: bool = False) -> Recollection:
        """The answer with what is remembered in it.

        Args:
            community: where it is asked.
            sight: what the worker saw; its answer in the vocabulary's slugs. Without an embedding (of another
                bundle, say) only copies are recalled.
            shared: other communities' entries count too; of a copy, the community's own word comes first.
        """
        marks = read_marks(sight.marks)
        vector = unit(np.asarray(sight.embedding, np.float32)) if sight.embedding else None
        cosines: Vector = np.zeros(0, np.float32)
        last: Place | None = None
        for place in self._where(community, shared):
            last, cosines = place, place.cosines(vector)
            found = place.copies(sight.near_key, marks, cosines)
            if found:
                slugs = found[0].slugs
                blobs = tuple(each.blob for each in found)
                return Recollection(told(sight.answer, slugs), "same", slugs, blobs)
        return (
            self._like(sight, last, cosines) if last is not None else Recollection(sight.answer, "", (), ())
        )

    def _where(self, community: int, shared: bool) -> list[Place]:
        own = self._places.get(community)
        places = [own] if own is not None else []
        if shared and len(self._places) > len(places):
            if self._everywhere is None:
                self._everywhere = Place()
                for there, blob in self._order:
                    self._everywhere.put(self._places[there].entries[there, blob])
            places.append(self._everywhere)
        return places

    def _like(self, sight: Sight, place: Place, cosines: Vector) -> Recollection:
        before = sight.answer
        evidence = place.evidence(cosines, self.constants.sharpness)
        if not evidence or not before.ranked:
            return Recollection(before, "", (), ())
        after = blend(before, evidence, sight.calibration, self.constants)
        if (after.character, after.verdict) == (before.character, before.verdict):
            return Recollection(after, "", (), ())
        nobody = after.verdict is Verdict.NOBODY
        said = NOBODY if nobody else after.character
        slugs = () if nobody else (after.character,)
        return Recollection(after, "like", slugs, place.supporters(said, cosines, SHOWN))


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
