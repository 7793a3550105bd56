"""What a ledger should hold, in plain Python: the other side of `test_moderated_stateful`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from corrections.types import Address, Community, Person
from model.near import is_near
from model.types import NOBODY
from tests.corrections.support import near_key

Labels = frozenset[str]
Picture = tuple[str, int]
"""A name, and how many bits its near key differs from the one of that name."""

FLAT = "flat"
"""The name of pictures without detail: their keys say nothing."""


def key_of(picture: Picture) -> str:
    """The near key of a picture."""
    name, flips = picture
    return "0" * 64 if name == FLAT else near_key(name, flips)


def copies(a: Picture, b: Picture) -> bool:
    """Whether two pictures are near copies, or one and the same."""
    if a == b:
        return True
    return FLAT not in (a[0], b[0]) and is_near(key_of(a), key_of(b))


@dataclass(eq=False)
class Blob:
    """A picture as it is kept; ``picture`` None: forgotten, and there for others' votes alone."""

    picture: Picture | None
    sha256: str
    posted_at: datetime
    erased: bool = False
    was_erased: bool = False


@dataclass(eq=False)
class Post:
    """One message with a picture; ``state`` is *live*, *shell* (there for others' votes) or *gone*."""

    prediction: int
    address: Address
    reply: Address
    poster: Person | None
    blob: Blob
    case: int
    at: datetime
    state: str = "live"
    shown: bool = True

    @property
    def home(self) -> Community:
        return self.address.home


@dataclass(eq=False)
class Case:
    """Near copies in a community."""

    home: Community
    status: str = "open"
    decided: Labels | None = None
    at: datetime | None = None
    skipped: bool = False


@dataclass(eq=False)
class Entry:
    """One line of the history of decisions; ``before``: status, labels and time that it ended."""

    by: Person | None
    case: int
    action: str
    before: tuple[str, Labels | None, datetime | None]
    skipped: bool
    at: datetime
    bulk: bool = False
    undone: bool = False


@dataclass(eq=False)
class Opinion:
    """What a person said of a picture, and the cases in which they did."""

    order: int
    prediction: int
    labels: Labels
    cases: set[int] = field(default_factory=set)


@dataclass(eq=False)
class Name:
    """A character; ``home``: the only community that knows it."""

    status: str
    home: Community | None
    merged_into: str | None = None


@dataclass(eq=False)
class Snapshot:
    """What left once: SHA-256 by path; ``withdrawn``: paths."""

    community: Community | None
    items: dict[str, str]
    withdrawn: set[str] = field(default_factory=set)


@dataclass
class Expected:
    """What an export holds: by SHA-256 the labels, votes, votes that agree, and the blob."""

    items: dict[str, tuple[Labels, int, int]] = field(default_factory=dict)
    held: Counter[str] = field(default_factory=Counter)


class World:
    """Everything that was said and done."""

    def __init__(self, names: Iterable[str]) -> None:
        self.blobs: list[Blob] = []
        self.posts: dict[int, Post] = {}
        self.cases: dict[int, Case] = {}
        self.history: list[Entry] = []
        self.opinions: dict[tuple[Person, int], list[Opinion]] = {}  # by person and blob
        self.spoken: set[tuple[Person, int]] = set()  # who ever voted by which prediction's buttons
        self.standings: dict[Person, tuple[str, datetime]] = {}
        self.agreed: set[int] = set()  # predictions that were agreed to singly
        self.names = {slug: Name("known", None) for slug in names}
        self.snapshots: dict[str, Snapshot] = {}
        self.events = 0

    # What is there

    def live(self, home: Community | None = None) -> list[Post]:
        return [p for p in self.posts.values() if p.state == "live" and home in (None, p.home)]

    def there(self) -> list[Post]:
        return [p for p in self.posts.values() if p.state != "gone"]

    def blob(self, picture: Picture) -> Blob | None:
        return next((blob for blob in self.blobs if blob.picture == picture), None)

    def of(self, blob: Blob) -> list[Post]:
        return [p for p in self.there() if p.blob is blob]

    def approved(self, blob: Blob) -> bool:
        return any(self.cases[p.case].status == "approved" for p in self.of(blob))

    def pictures_in(self, case: int) -> list[Blob]:
        return [p.blob for p in self.there() if p.case == case]

    # Names

    def settled(self, slug: str, home: Community) -> str | None:
        while (name := self.names.get(slug)) is not None and name.status == "merged":
            assert name.merged_into is not None
            slug = name.merged_into
        if name is None or name.status == "refused" or name.home not in (None, home):
            return None
        return slug

    def all_settled(self, labels: Labels, home: Community) -> Labels | None:
        found = {self.settled(slug, home) for slug in labels}
        return None if None in found else frozenset(slug for slug in found if slug is not None)

    # Votes

    def standing(self, person: Person) -> list[Opinion]:
        stacks = [stack for (who, _), stack in self.opinions.items() if who == person and stack]
        return sorted((stack[-1] for stack in stacks), key=lambda o: -o.order)

    def voices(self, case: int) -> dict[Person, Labels]:
        """By person what they said last of a case, as it was said."""
        latest: dict[Person, Opinion] = {}
        for (person, _), stack in self.opinions.items():
            if any(case in opinion.cases for opinion in stack):
                top = stack[-1]
                if person not in latest or latest[person].order < top.order:
                    latest[person] = top
        return {person: opinion.labels for person, opinion in latest.items()}

    def heard(self, case: int) -> Counter[Labels]:
        """What counts of that for agreement: names that nobody knows there are left out."""
        home, counted = self.cases[case].home, Counter[Labels]()
        for labels in self.voices(case).values():
            found = {self.settled(slug, home) for slug in labels}
            if found != {None}:
                counted[frozenset(slug for slug in found if slug is not None)] += 1
        return counted

    def vote(self, person: Person, prediction: int, labels: Labels) -> tuple[Labels | None, bool]:
        """What was said before, and whether this is something else."""
        post = self.posts[prediction]
        stack = self.opinions.setdefault((person, id(post.blob)), [])
        previous = stack[-1].labels if stack else None
        if previous != labels:
            self.events += 1
            stack.append(Opinion(self.events, prediction, labels, {post.case}))
        elif post.case not in stack[-1].cases:
            stack[-1].cases.add(post.case)
        else:
            return previous, False
        self.spoken.add((person, prediction))
        return previous, previous != labels

    def undo(self, person: Person, prediction: int | None) -> tuple[Labels | None, Labels] | None:
        """What stands now and what was taken back; None: nothing was to undo."""
        if prediction is None:
            standing = self.standing(person)
            if not standing:
                return None
            prediction = standing[0].prediction
        stack = self.opinions.get((person, id(self.posts[prediction].blob)))
        if not stack:
            return None
        self.spoken.add((person, prediction))
        taken = stack.pop()
        return (stack[-1].labels if stack else None), taken.labels

    # Consent

    def consented(self, post: Post) -> bool:
        if post.poster is None:
            return False
        standing, since = self.standings.get(post.poster, ("ask", post.at))
        return (
            post.prediction in self.agreed
            or standing == "all"
            or (standing == "from-now" and since <= post.at)
        )

    def choose(self, person: Person, standing: str, at: datetime) -> None:
        if self.standings.get(person, ("ask", at))[0] == standing:
            return
        self.standings[person] = (standing, at)
        mine = [p for p in self.live() if p.poster == person]
        if standing == "never":
            self.agreed -= {p.prediction for p in mine}
        self._mark({p.blob.sha256 for p in mine})

    def allow(self, prediction: int, at: datetime) -> bool:
        post = self.posts[prediction]
        assert post.poster is not None
        if self.consented(post):
            return False
        self.agreed.add(prediction)
        standing = self.standings.get(post.poster, ("ask", at))[0]
        if standing in ("ask", "never"):
            self.standings[post.poster] = ("from-now" if standing == "ask" else "ask", at)
        self._mark({post.blob.sha256})
        return True

    def _mark(self, pictures: set[str]) -> None:
        for snapshot in self.snapshots.values():
            for path, sha256 in snapshot.items.items():
                if sha256 in pictures:
                    agreed = any(
                        self.consented(p) for p in self.live(snapshot.community) if p.blob.sha256 == sha256
                    )
                    (snapshot.withdrawn.discard if agreed else snapshot.withdrawn.add)(path)

    # Going away

    def forget(self, person: Person) -> tuple[int, int, set[Address], list[Post]]:
        """How many pictures and votes, the addresses of our answers, and the posts that were theirs."""
        mine = [p for p in self.live() if p.poster == person]
        votes = self.standing(person)
        replies = {p.reply for p in mine if p.shown}
        cases = {p.case for p in mine}.union(
            *(o.cases for k, s in self.opinions.items() if k[0] == person for o in s)
        )
        self.opinions = {key: stack for key, stack in self.opinions.items() if key[0] != person}
        self.spoken = {each for each in self.spoken if each[0] != person}
        self.standings.pop(person, None)
        self.agreed -= {p.prediction for p in mine}
        self._mark({p.blob.sha256 for p in mine})
        voted = {prediction for _, prediction in self.spoken}
        for post in mine:
            post.poster, post.shown = None, False
            post.state = "shell" if post.prediction in voted else "gone"
        for blob in {id(p.blob): p.blob for p in mine}.values():
            if not any(p.blob is blob for p in self.live()):
                blob.picture, blob.erased = None, True
        for number in cases:
            if not any(p.case == number for p in self.live()):
                self.cases[number] = Case(self.cases[number].home, "withdrawn")
        for entry in self.history:
            entry.by = None if entry.by == person else entry.by
        return len(mine), len(votes), replies, mine

    def delete(self, address: Address) -> None:
        gone = [p for p in self.live() if p.address == address and p.shown]
        for post in gone:
            post.shown = False
        for post in gone:
            if not any(p.shown for p in self.of(post.blob)) and not self.approved(post.blob):
                self._erase(post.blob)

    def sweep(self, now: datetime, cap: int | None, size: int) -> int:
        """How many files went."""
        count = 0
        for blob in self._kept():
            voted = any(stack for (_, where), stack in self.opinions.items() if where == id(blob))
            consented = any(self.consented(p) for p in self.of(blob))
            unvoted = blob.posted_at < now - timedelta(hours=24) and not voted and not self.approved(blob)
            if unvoted or (blob.posted_at < now - timedelta(days=30) and not consented):
                self._erase(blob)
                count += 1
        for blob in self._kept() if cap is not None else ():
            if len(self._kept()) * size <= (cap or 0):
                break
            if not (self.approved(blob) and any(self.consented(p) for p in self.of(blob))):
                self._erase(blob)
                count += 1
        return count

    def _kept(self) -> list[Blob]:
        kept = [blob for blob in self.blobs if blob.picture is not None and not blob.erased]
        return sorted(kept, key=lambda blob: blob.posted_at)  # stable: then as they came

    def _erase(self, blob: Blob) -> None:
        blob.erased = blob.was_erased = True

    # What leaves

    def export(self, community: Community | None, discord: bool, character: str | None) -> Expected:
        expected = Expected()
        for blob in self.blobs:
            if blob.picture is not None:
                self._judge(expected, blob, community, discord, character)
        return expected

    def _judge(
        self, out: Expected, blob: Blob, community: Community | None, discord: bool, character: str | None
    ) -> None:
        posts = [p for p in self.of(blob) if community in (None, p.home)]
        allowed = [p for p in posts if discord or p.address.platform != "discord"]
        cases = {p.case for p in posts if self.cases[p.case].status == "approved"}
        labels = {number: self._decided(number) for number in cases}
        if not cases or not any(_shows(each, character) for each in labels.values()):
            return
        speaking = {p.case for p in allowed} & cases
        named = [number for number in sorted(speaking) if labels[number] is not None]
        if blob.erased:
            out.held["gone"] += 1
        elif not speaking:
            out.held["discord"] += 1
        elif not any(self.consented(p) for p in allowed):
            out.held["no-consent"] += 1
        elif not named:
            out.held["refused"] += 1
        elif len({labels[number] for number in named}) > 1:
            out.held["disputed"] += 1
        else:
            newest = max(named, key=lambda number: (self.cases[number].at, number))
            said = labels[newest]
            assert said is not None
            if _shows(said, character):
                voices = [self.all_settled(v, self.cases[newest].home) for v in self.voices(newest).values()]
                counted = [each for each in voices if each is not None]
                out.items[blob.sha256] = said, len(counted), counted.count(said)

    def _decided(self, case: int) -> Labels | None:
        row = self.cases[case]
        assert row.decided is not None
        return self.all_settled(row.decided, row.home)

    def families(self) -> Iterator[set[str]]:
        """Near copies and copies of those, over all communities, by SHA-256."""
        left = [blob for blob in self.blobs if blob.picture is not None]
        while left:
            family = [left.pop()]
            for one in family:
                near = [b for b in left if b.picture and one.picture and copies(b.picture, one.picture)]
                family += near
                left = [b for b in left if b not in near]
            yield {blob.sha256 for blob in family}


def _shows(labels: Labels | None, wanted: str | None) -> bool:
    if wanted is None:
        return True
    return labels is not None and (not labels if wanted == NOBODY else wanted in labels)
