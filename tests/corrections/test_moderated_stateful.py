"""Any order of posting, voting, deciding, agreeing, forgetting and exporting, against a plain model.

The model is `tests.corrections.moderated_model`. After every step the tables and the blobs are what it says;
every export holds exactly what it says; a moderator sees nothing of another community.

``WHOSTHAT_EXAMPLES`` and ``WHOSTHAT_STEPS`` walk further than the tests usually do, and never the same way
(100 and 40: ten minutes).
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, event, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from corrections.consent import STANDINGS
from corrections.errors import (
    BadLabel,
    NotFound,
    NothingToExport,
    NotPoster,
    SharedCharacter,
    Stale,
    UnknownLabel,
)
from corrections.export.types import ExportQuery, Policy
from corrections.ledger import Ledger
from corrections.review.agreement import ReviewRules
from corrections.review.types import Filter, Moderator
from corrections.types import Address, Character, Community, Person
from model.near import is_near
from model.types import NOBODY
from tests.corrections import raw
from tests.corrections.exporting import rows
from tests.corrections.moderated_model import (
    FLAT,
    Blob,
    Case,
    Entry,
    Labels,
    Name,
    Picture,
    Post,
    Snapshot,
    World,
    key_of,
)
from tests.corrections.places import Files, Place
from tests.corrections.support import answer, seen

T = TypeVar("T")

GUILD, OTHER, GROUP = ("discord", "8100000001"), ("discord", "8100000002"), ("telegram", "-8100000003")
ANNA, BELA, MIRA = ("discord", "7100000001"), ("discord", "7100000002"), ("discord", "7100000003")
CARO, DANA = ("telegram", "7100000004"), ("telegram", "7100000005")
PEOPLE = (ANNA, BELA, MIRA, CARO, DANA)
HOMES = (GUILD, OTHER, GROUP)
MODERATORS = (
    Moderator(MIRA, GUILD),
    Moderator(MIRA, OTHER),
    Moderator(BELA, GUILD),
    Moderator(DANA, GROUP),
    Moderator(("whosthat", "operator")),
)
OPERATOR = MODERATORS[-1]
PICTURES: tuple[Picture, ...] = (
    *(("a", 0), ("a", 40), ("a", 80)),  # the first and the last are no copies of one another
    *(("b", 0), ("b", 9), ("c", 0), ("d", 0), ("e", 0)),
    *((FLAT, 0), (FLAT, 1)),
)
SIZE = 600
SLUGS = ("thor", "loki", "hulk")
NAMES = ("Zed Ray", "Yan Kee", "Ximena")
MORNING = datetime(2024, 3, 1, 8, 0, tzinfo=UTC)
"""Long ago, so that what the ledger dates by the clock of this machine is always later."""

Posting = tuple[Person, Picture, int, str | None, str | None, list[Person]]
"""Who posts what where; what they choose before; as what the operator approves it; who votes."""

POSTS = st.tuples(
    st.sampled_from(PEOPLE),
    st.sampled_from((*PICTURES, *PICTURES[:3])),
    st.integers(0, 6),
    st.sampled_from((None, None, "all", "all", "from-now", "ask")),
    st.sampled_from((None, None, "thor", "thor", "loki")),
    st.lists(st.sampled_from(PEOPLE), max_size=3, unique=True),
)
VERBS = st.sampled_from(["approve", "approve", "approve", "reject", "skip"])
SHARES = Policy(True, 0.2, 0.4)


class Moderated(RuleBasedStateMachine):
    """Three communities on two platforms and private chats, two processes, one ledger."""

    where: Place = Files()

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="moderated-"))
        self.now = MORNING
        self.count = 0
        self.exports = self.steps = 0
        self.splits: dict[str, str] = {}  # of every picture that ever left
        self.dropped: set[str] = set()  # pictures that are in no split any more
        self.ledgers: list[Ledger] = []

    @initialize(auto=st.booleans(), posts=st.lists(POSTS, min_size=5, max_size=9))
    def begin(self, auto: bool, posts: list[Posting]) -> None:
        self.agreement = ReviewRules(2, 0.9, 0, "agreed" if auto else "never")
        self.url = self.where.fresh(self.folder)
        self.ledgers = [self.opened(), self.opened()]
        known = self.run(self.ledger.characters())
        self.world = World(each.slug for each in known)
        for posting in posts:
            self.posts(posting)

    def opened(self) -> Ledger:
        return self.run(Ledger.open(self.url, self.folder, review=self.agreement))

    def teardown(self) -> None:
        for each in self.ledgers:
            self.run(each.close())
        self.runner.close()
        if hasattr(self, "url"):
            self.where.drop(self.url)
        shutil.rmtree(self.folder)

    def run(self, doing: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(doing)

    @property
    def ledger(self) -> Ledger:
        """The process whose turn it is."""
        return self.ledgers[0]

    def tick(self, minutes: float = 3.0) -> datetime:
        """Later than all before: nobody is looking at a case any more."""
        self.now += timedelta(minutes=minutes)
        return self.now

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        return raw.rows(self.url, query, *values)

    # -- people --------------------------------------------------------------------------------------

    def post(self, person: Person, picture: Picture, home: Community) -> Post:
        self.count += 1
        at, n = self.tick(), self.count
        content = dataclasses.replace(seen(*picture, SIZE), near_key=key_of(picture))
        address = Address(*home, f"channel-{home[1]}", f"message-{n}-{home[1]}")
        reply = Address(*home, f"channel-{home[1]}", f"answer-{n}-{home[1]}")
        done = self.run(self.ledger.record(address, 0, person, content, "b1", "l", answer(), 1.0, at))
        assert done.new and done.prediction_id not in self.world.posts
        self.run(self.ledger.replied([done.prediction_id], reply))
        (case, sha256), = self.rows(
            "SELECT case_id, sha256 FROM posts JOIN blobs ON blobs.id = blob_id WHERE posts.id = ?",
            done.post_id,
        )  # fmt: skip
        self.place(picture, home, case)
        blob = self.world.blob(picture)
        if blob is None:
            blob = Blob(picture, sha256, at)
            self.world.blobs.append(blob)
        blob.posted_at, blob.erased = at, False
        post = Post(done.prediction_id, address, reply, person, blob, case, at)
        self.world.posts[done.prediction_id] = post
        return post

    def place(self, picture: Picture, home: Community, case: int) -> None:
        """A picture is in the case of its near copies there, else in a new one."""
        posts = [p for p in self.world.posts.values() if p.home == home]
        same = {p.case for p in posts if p.state == "live" and p.blob.picture == picture}
        near = {
            p.case
            for p in posts
            if p.state == "live" and FLAT not in (picture[0], p.blob.picture[0] if p.blob.picture else FLAT)
            and is_near(key_of(picture), key_of(p.blob.picture or picture))
        }  # fmt: skip
        if case not in self.world.cases:
            assert not same and not near, "near copies were parted"
            self.world.cases[case] = Case(home)
            return
        assert self.world.cases[case].home == home
        if self.world.cases[case].status == "withdrawn":  # the other process still knew the near key
            assert not same
            self.world.cases[case].status = "open"
        else:
            assert case in (same or near), "put into the case of something else"

    @rule(posting=POSTS)
    def posts(self, posting: Posting) -> None:
        person, picture, where, standing, slug, voters = posting
        homes = [home for home in HOMES if home[0] == person[0]]
        private = (person[0], f"dm:{person[1]}")
        if standing is not None:
            self.choose(person, standing)
        post = self.post(person, picture, private if where == 6 else homes[where % len(homes)])
        if slug is not None and self.world.cases[post.case].status == "open":
            self.settle(OPERATOR, post.case, "approve", frozenset({slug}))
        for voter in voters:
            self.vote(voter, post, frozenset({SLUGS[where % 2]}))
            self.decided_by_agreement()

    @precondition(lambda self: self.world.there())
    @rule(
        voters=st.lists(st.sampled_from(PEOPLE), min_size=1, max_size=4, unique=True),
        labels=st.sets(st.sampled_from(SLUGS), max_size=2),
        data=st.data(),
    )
    def votes(self, voters: list[Person], labels: set[str], data: st.DataObject) -> None:
        post = self.any_post(data)
        for person in voters:
            self.vote(person, post, self.or_local(labels, post.home, data))
            self.decided_by_agreement()

    def vote(self, person: Person, post: Post, labels: Labels) -> None:
        wanted = self.world.all_settled(labels, post.home)
        voting = self.ledger.vote(post.prediction, person, labels, self.tick())
        if wanted is None:
            with pytest.raises(UnknownLabel):
                self.run(voting)
            return
        receipt = self.run(voting)
        previous, changed = self.world.vote(person, post.prediction, wanted)
        assert (receipt.labels, receipt.previous, receipt.changed) == (wanted, previous, changed)

    def or_local(self, labels: set[str], home: Community, data: st.DataObject) -> Labels:
        """These labels, or a name that only that community knows."""
        local = [
            slug
            for slug, name in self.world.names.items()
            if name.home == home and self.world.settled(slug, home) == slug
        ]
        if local and data.draw(st.sampled_from([True, False])):
            return frozenset({data.draw(st.sampled_from(sorted(local)))})
        return frozenset(labels)

    @rule(person=st.sampled_from(PEOPLE), latest=st.booleans(), data=st.data())
    def undoes_a_vote(self, person: Person, latest: bool, data: st.DataObject) -> None:
        there = self.world.there()
        prediction = None if latest or not there else self.any_post(data).prediction
        receipt = self.run(self.ledger.undo(person, prediction, at=self.tick()))
        expected = self.world.undo(person, prediction)
        assert (receipt is None) == (expected is None)
        if receipt is not None and expected is not None:
            assert (receipt.labels, receipt.previous) == expected

    @precondition(lambda self: self.world.there())
    @rule(person=st.sampled_from((None, None, *PEOPLE)), data=st.data())
    def agrees_to_one(self, person: Person | None, data: st.DataObject) -> None:
        post = self.any_post(data)
        person = person or post.poster or ANNA
        at = self.tick()
        allowing = self.ledger.privacy.allow(post.prediction, person, at)
        if post.poster is None:
            with pytest.raises(NotFound):
                self.run(allowing)
        elif post.poster != person:
            with pytest.raises(NotPoster):
                self.run(allowing)
        else:
            assert self.run(allowing) == self.world.allow(post.prediction, at)

    @rule(person=st.sampled_from(PEOPLE), standing=st.sampled_from((*STANDINGS, "all")))
    def choose(self, person: Person, standing: str) -> None:
        at = self.tick()
        self.run(self.ledger.privacy.choose(person, standing, at))  # type: ignore[arg-type]
        self.world.choose(person, standing, at)
        assert self.run(self.ledger.privacy.standing(person)) == standing

    @rule(person=st.sampled_from(PEOPLE))
    def forgets(self, person: Person) -> None:
        mine = {p.blob.sha256: p.blob.picture for p in self.world.live() if p.poster == person}
        messages = {p.address.message for p in self.world.live() if p.poster == person}
        key = self.ledger.person_key(person)
        done = self.run(self.ledger.privacy.forget(person, self.tick()))
        pictures, votes, replies, posts = self.world.forget(person)
        assert (done.pictures, done.votes, set(done.replies)) == (pictures, votes, replies)
        for post in posts:  # what is left for others' votes is in no case of anything that is shown
            if post.state == "shell":
                (post.case,), = self.rows(
                    "SELECT case_id FROM posts JOIN predictions ON post_id = posts.id"
                    " WHERE predictions.id = ?", post.prediction,
                )  # fmt: skip
                self.world.cases.setdefault(post.case, Case(post.home, "withdrawn"))
                assert self.world.cases[post.case].status == "withdrawn"
        event(f"forget: {min(pictures, 2)} pictures, shells {any(p.state == 'shell' for p in posts)}")
        left = {p.blob.sha256 for p in self.world.live()}
        traces = {person[1], key, *messages, *(reply.message for reply in replies)}
        traces |= {sha256 for sha256 in mine if sha256 not in left}
        keys = {key_of(p.blob.picture) for p in self.world.live() if p.blob.picture}
        traces |= {key_of(pic) for pic in mine.values() if pic and pic[0] != FLAT} - keys
        self.no_trace(traces, set(mine) - left)

    def no_trace(self, traces: set[str], forgotten: set[str]) -> None:
        for table in raw.tables(self.url):
            # An earlier snapshot says by their hashes which of its pictures a retraining must leave out.
            wanted = traces - forgotten if table == "snapshot_items" else traces
            said = "\n".join(map(repr, self.rows(f'SELECT * FROM "{table}"')))
            assert not [trace for trace in wanted if trace in said], table
        withdrawn = "SELECT count(*) FROM snapshot_items WHERE sha256 = ? AND withdrawn_at IS NULL"
        for sha256 in forgotten:
            assert self.rows(withdrawn, sha256) == [(0,)]

    @precondition(lambda self: self.world.live())
    @rule(data=st.data())
    def deletes_a_message(self, data: st.DataObject) -> None:
        post = self.any_post(data, live=True)
        replies = self.run(self.ledger.message_deleted(post.address))
        assert replies == ([post.reply] if post.shown else [])
        self.world.delete(post.address)

    def any_post(self, data: st.DataObject, live: bool = False) -> Post:
        there = self.world.live() if live else self.world.there()
        return self.world.posts[data.draw(st.sampled_from(sorted(p.prediction for p in there)))]

    # -- moderators ----------------------------------------------------------------------------------

    @precondition(lambda self: self.reachable())
    @rule(
        who=st.sampled_from(MODERATORS),
        verb=VERBS,
        labels=st.none() | st.sets(st.sampled_from(SLUGS), max_size=2),
        data=st.data(),
    )
    def decides(self, who: Moderator, verb: str, labels: set[str] | None, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.reachable()))
        case = self.world.cases[number]
        if who.community not in (None, case.home):
            self.intrudes(who, number)
            return
        wanted = None if labels is None else self.or_local(labels, case.home, data)
        self.settle(who, number, verb, wanted)

    def settle(self, who: Moderator, number: int, verb: str, labels: Labels | None) -> None:
        case, at = self.world.cases[number], self.tick()
        shown = self.run(self.ledger.review.case(who, number, at))
        wanted = labels if verb == "approve" else None
        sent = None if wanted is None else tuple(sorted(wanted))
        deciding = self.ledger.review.decide(who, number, shown.revision, verb, sent, at)  # type: ignore[arg-type]
        found = None if wanted is None else self.world.all_settled(wanted, case.home)
        if wanted is not None and found is None:
            with pytest.raises(UnknownLabel):
                self.run(deciding)
            return
        try:
            done = self.run(deciding)
        except Stale:  # trust has changed meanwhile, and with it what leads
            assert verb == "approve" and wanted is None
            return
        except UnknownLabel:  # what the bot said is nobody here
            assert verb == "approve" and wanted is None and not self.world.heard(number)
            return
        if verb == "approve" and found is None:
            assert done.decided is not None
            found = frozenset(done.decided)
            heard = self.world.heard(number)
            assert found in heard if heard else found == {"iron-man"}
        before = (case.status, case.decided, case.at)
        self.world.history.append(Entry(who.person, number, verb, before, case.skipped, at))
        if verb == "skip":
            case.skipped = True
        else:
            case.status = "approved" if verb == "approve" else "rejected"
            case.decided, case.at, case.skipped = found, at, False
        assert done.status == case.status
        for slug in found or ():
            if self.world.names[slug].status == "proposed":
                self.world.names[slug].status = "known"
        if verb != "skip":  # whoever saw it before is too late, from another process as well
            late = Moderator(("discord", "late"), case.home)
            with pytest.raises(Stale):
                self.run(self.ledgers[1].review.decide(late, number, shown.revision, "reject", None, at))

    def intrudes(self, who: Moderator, number: int) -> None:
        """Another community's case is not there, whatever is tried."""
        event("intrudes")
        case, at, review = self.world.cases[number], self.tick(), self.ledger.review
        shown = self.run(review.case(OPERATOR, number, at))
        nowhere = 10**9
        for tried in (number, nowhere):
            said = f"there is no case {tried}"
            with pytest.raises(NotFound, match=said):
                self.run(review.case(who, tried, at))
            with pytest.raises(NotFound, match=said):
                self.run(review.picture(who, tried, shown.pictures[0].sha256))
            for verb, labels in (("approve", ("thor",)), ("approve", None), ("reject", None), ("skip", None)):
                with pytest.raises(NotFound, match=said):
                    self.run(review.decide(who, tried, shown.revision, verb, labels, at))  # type: ignore[arg-type]
        assert self.run(review.next(who, Filter(community=case.home), 50, at=at)) == []
        assert self.run(review.approve_agreed(who, Filter(community=case.home), at)) == 0

    @rule(who=st.sampled_from(MODERATORS))
    def undoes_a_decision(self, who: Moderator) -> None:
        mine = [
            entry
            for entry in self.world.history
            if entry.by == who.person and entry.action in ("approve", "reject", "skip") and not entry.undone
            and self.world.cases[entry.case].status != "withdrawn"
            and who.community in (None, self.world.cases[entry.case].home)
        ]  # fmt: skip
        at = self.tick()
        undoing = self.ledger.review.undo(who, at)
        if not mine:
            assert self.run(undoing) is None
            return
        entry = mine[-1]
        if self.latest(entry.case, entry) is not entry:
            with pytest.raises(Stale):
                self.run(undoing)
            return
        together = [
            each
            for each in mine
            if each.bulk and entry.bulk and each.at == entry.at and self.latest(each.case) is each
        ]
        done = self.run(undoing)
        for each in (entry, *(each for each in reversed(together) if each is not entry)):
            self.take_back(each, at)
        event(f"undone together: {min(len(together), 3)}")
        assert done is not None
        assert (done.case_id, done.status) == (entry.case, self.world.cases[entry.case].status)

    def latest(self, number: int, but: Entry | None = None) -> Entry | None:
        """The entry that gave a case its status, or one that left it as it was."""
        entries = [e for e in self.world.history if e.case == number and (e.action != "skip" or e is but)]
        return entries[-1] if entries else None

    def take_back(self, entry: Entry, at: datetime) -> None:
        case = self.world.cases[entry.case]
        now = (case.status, case.decided, case.at)
        self.world.history.append(Entry(entry.by, entry.case, "undo", now, case.skipped, at))
        entry.undone = True
        if entry.action == "skip":
            case.skipped = entry.skipped
        else:
            case.status, case.decided, case.at = entry.before

    @rule(
        who=st.sampled_from(MODERATORS),
        agreeing=st.integers(0, 4),
        forgotten=st.sampled_from((None, None, *PEOPLE)),
        back=st.booleans(),
    )
    def approves_what_is_agreed_on(
        self, who: Moderator, agreeing: int, forgotten: Person | None, back: bool
    ) -> None:
        """In bulk; ``agreeing`` of the pictures there are agreed on first, ``back``: and it is undone."""
        there = [p for p in self.world.live(who.community) if self.world.cases[p.case].status == "open"]
        for post in there[:agreeing]:
            for person in (ANNA, BELA, CARO):
                self.vote(person, post, frozenset({"thor"}))
                self.decided_by_agreement()
        self.approve_agreed(who)
        if forgotten is not None:
            self.forgets(forgotten)
        if back:
            self.undoes_a_decision(who)

    def approve_agreed(self, who: Moderator) -> None:
        at = self.tick()
        before = {number: case.status for number, case in self.world.cases.items()}
        done = self.run(self.ledger.review.approve_agreed(who, at=at))
        self.decided_by_agreement(who)
        now = {number: case.status for number, case in self.world.cases.items()}
        by_us = [number for number in now if now[number] != before[number]]
        assert len(by_us) >= done and (self.agreement.auto_approve == "agreed" or len(by_us) == done)

    def decided_by_agreement(self, by: Moderator | None = None) -> None:
        """What is approved and nobody decided: never by one alone, never under a name not accepted yet."""
        for number, status, decided, _, at in self.decided():
            case = self.world.cases[number]
            if (status, decided) == (case.status, case.decided):
                continue
            assert (status, case.status) == ("approved", "open")
            assert decided is not None and self.world.heard(number)[decided] >= 2
            assert all(self.world.names[slug].status == "known" for slug in decided)
            bulk = by is not None and by.community in (None, case.home)
            assert bulk or (self.agreement.auto_approve == "agreed" and not case.skipped)
            ((action,),) = self.rows(
                "SELECT action FROM decisions WHERE case_id = ? ORDER BY id DESC LIMIT 1", number
            )
            assert action in (("auto", "approve") if bulk else ("auto",))
            person = by.person if by is not None and action == "approve" else None
            before = (case.status, case.decided, case.at)
            case.at = at if isinstance(at, datetime) else datetime.fromisoformat(at).replace(tzinfo=UTC)
            self.world.history.append(
                Entry(person, number, action, before, case.skipped, case.at, person is not None)
            )
            case.status, case.decided, case.skipped = status, decided, False
            event(f"approved by {action}")

    def decided(self) -> list[tuple[int, str, Labels | None, Community, str | datetime]]:
        found = self.rows(
            "SELECT cases.id, status, decided, platform, native, decided_at FROM cases"
            " JOIN communities ON communities.id = community_id ORDER BY cases.id"
        )
        return [
            (
                number,
                status,
                None if decided is None else frozenset(json.loads(decided)),
                (platform, native),
                at,
            )
            for number, status, decided, platform, native, at in found
        ]

    def reachable(self) -> list[int]:
        return sorted(number for number, case in self.world.cases.items() if case.status != "withdrawn")

    # -- names ---------------------------------------------------------------------------------------

    @rule(
        who=st.sampled_from(MODERATORS),
        action=st.sampled_from(["propose", "propose", "accept", "refuse", "merge"]),
        name=st.sampled_from(NAMES),
        data=st.data(),
    )
    def names(self, who: Moderator, action: str, name: str, data: st.DataObject) -> None:
        if action == "propose":
            self.proposes(who.person, name, who.community or GROUP)
        else:
            ours = [s for s, each in self.world.names.items() if each.home is not None or s in SLUGS[1:]]
            slug, into = data.draw(st.sampled_from(sorted(ours))), data.draw(st.sampled_from(SLUGS))
            self.rules_over(who, action, slug, into)

    def proposes(self, person: Person, name: str, home: Community) -> None:
        try:
            done = self.run(self.ledger.propose(name, person, home, self.tick()))
        except BadLabel as error:
            assert error.reason == "refused"
            return
        assert done.community in (None, home)
        self.learned(done)

    def rules_over(self, who: Moderator, action: str, slug: str, into: str) -> None:
        name, review, at = self.world.names[slug], self.ledger.review, self.tick()
        doing: Coroutine[Any, Any, Character] = {
            "accept": lambda: review.accept(who, slug, {}, at),
            "refuse": lambda: review.refuse(who, slug, at),
            "merge": lambda: review.merge(who, slug, into, at),
        }[action]()
        if name.status in ("merged", "refused") or (who.community and name.home not in (None, who.community)):
            with pytest.raises(UnknownLabel):
                self.run(doing)
        elif who.community is not None and name.home is None:
            with pytest.raises(SharedCharacter):
                self.run(doing)
        elif (action == "refuse" and name.status == "known") or (
            action == "merge" and self.world.settled(into, name.home or GUILD) == slug
        ):
            with pytest.raises(BadLabel):
                self.run(doing)
        else:
            self.learned(self.run(doing))

    def learned(self, character: Character) -> None:
        self.world.names[character.slug] = Name(character.status, character.community, character.merged_into)

    # -- time, retention, processes --------------------------------------------------------------------

    @rule(
        what=st.sampled_from(["sweep", "sweep", "other", "restart", "rescore"]),
        hours=st.sampled_from([5, 30, 24 * 31]),
        cap=st.none() | st.integers(0, 4),
    )
    def goes_on(self, what: str, hours: int, cap: int | None) -> None:
        if what == "sweep":
            now, most = self.tick(hours * 60), None if cap is None else cap * SIZE
            done = self.run(self.ledger.sweep(now, disk_cap_bytes=most))
            count = self.world.sweep(now, most, SIZE)
            assert (done.count, done.bytes) == (count, count * SIZE)
        elif what == "rescore":
            self.run(self.ledger.review.rescore(self.tick(), everything=True))
        elif what == "other":
            self.ledgers.reverse()
        else:
            self.run(self.ledger.close())
            self.ledgers[0] = self.opened()

    # -- exports -------------------------------------------------------------------------------------

    @rule(
        by=st.sampled_from(MODERATORS),
        community=st.sampled_from((None, *HOMES)),
        discord=st.booleans(),
        character=st.sampled_from((None, None, "thor", "loki", NOBODY)),
    )
    def exports_what_may_leave(
        self, by: Moderator, community: Community | None, discord: bool, character: str | None
    ) -> None:
        self.exports += 1
        out = self.folder / f"export-{self.exports}"
        policy = dataclasses.replace(SHARES, allow_discord=discord)
        query = ExportQuery(community, None, character)
        exporting = self.ledger.exports.export(out, query, policy, "imagefolder", by)
        scope = by.community or community
        there = "SELECT 1 FROM communities WHERE platform = ? AND native = ?"
        met = bool(self.rows(there, *(scope or ("", ""))))
        if (by.community and community not in (None, by.community)) or (
            scope is not None and not met and by.community is None
        ):
            with pytest.raises(NotFound):
                self.run(exporting)
            return
        if character in SLUGS and self.world.settled(character, scope or ("", "")) is None and met:
            with pytest.raises(UnknownLabel):
                self.run(exporting)
            return
        wanted = character
        if character in SLUGS:
            wanted = self.world.settled(character, scope or ("", ""))
        expected = self.world.export(scope, discord, wanted)
        try:
            view = self.run(exporting)
        except NothingToExport:
            event("export: nothing")
            assert not out.exists()
            assert all(self.beside_test(sha256) for sha256 in expected.items)
            return
        found = rows(out)
        missing = set(expected.items) - set(found)
        assert set(found) <= set(expected.items), "left, and must not"
        assert len(missing) == view.counts.near_test
        assert all(self.beside_test(sha256) for sha256 in missing), "did not leave, and might"
        self.dropped |= missing
        event(f"export: {min(len(found), 3)} pictures, of {'all' if scope is None else 'one'}")
        event(f"export: beside test {bool(missing)}, held {' '.join(sorted(expected.held))}")
        assert not set(found) & self.dropped
        self.assert_rows(out, found, expected.items, scope)
        held = {
            "gone": view.counts.held_gone,
            "discord": view.counts.held_discord,
            "no-consent": view.counts.held_no_consent,
            "refused": view.counts.held_refused,
            "disputed": view.counts.held_disputed,
        }
        assert +Counter(held) == expected.held
        assert (view.items, view.community, view.withdrawn) == (len(found), scope, 0)
        items = {f"{row['split']}/{row['file_name']}": sha256 for sha256, row in found.items()}
        known = self.world.snapshots.setdefault(view.name, Snapshot(scope, items))
        assert (known.community, known.items) == (scope, items)
        shutil.rmtree(out)

    def assert_rows(
        self, out: Path, found: dict[str, Any], expected: dict[str, Any], scope: Community | None
    ) -> None:
        blobs = {blob.sha256: blob for blob in self.world.blobs if blob.picture is not None}
        for sha256, row in found.items():
            labels, votes, agreeing = expected[sha256]
            assert frozenset(row["labels"]) == (labels or {NOBODY})
            assert (row["votes"], row["votes_agreeing"]) == (votes, agreeing)
            before, now = self.splits.get(sha256, row["split"]), row["split"]
            assert now == before or (before, now) == ("train", "validation"), f"from {before} to {now}"
            self.splits[sha256] = now
            picture = blobs[sha256].picture
            assert picture is not None
            assert (out / now / row["file_name"]).read_bytes() == seen(*picture, SIZE).stored
        for a in found:
            for b in found:
                one, other = blobs[a].picture, blobs[b].picture
                if one and other and FLAT not in (one[0], other[0]) and is_near(key_of(one), key_of(other)):
                    assert found[a]["split"] == found[b]["split"]
        assert len({row["community"] for row in found.values()}) == 1 or scope is None
        said = b"".join(each.read_bytes() for each in out.rglob("*.*") if each.suffix != ".webp")
        for native in (*(home[1] for home in HOMES), *(person[1] for person in PEOPLE)):
            assert native.encode() not in said

    def beside_test(self, sha256: str) -> bool:
        """Whether a picture may have been dropped since it is near to one that is in test."""
        family = next(each for each in self.world.families() if sha256 in each)
        return sha256 in self.dropped or any(self.splits.get(other) == "test" for other in family)

    # -- what always holds ---------------------------------------------------------------------------

    @invariant()
    def cases_are_what_was_decided(self) -> None:
        if not self.ledgers:
            return
        self.decided_by_agreement()
        there = self.decided()
        assert {number for number, *_ in there} == set(self.world.cases)
        for number, status, decided, community, _ in there:
            case = self.world.cases[number]
            assert (status, decided) == (case.status, case.decided)
            assert community == case.home or community[1].startswith("gone:")

    @invariant()
    def no_vote_is_lost(self) -> None:
        if not self.ledgers:
            return
        for person in PEOPLE:
            votes = self.run(self.ledger.votes_of(person))
            expected = self.world.standing(person)
            assert [(v.prediction_id, v.labels) for v in votes] == [
                (o.prediction, o.labels) for o in expected
            ]

    @invariant()
    def bytes_are_there_as_long_as_they_may(self) -> None:
        if not self.ledgers:
            return
        kept = {f"{each.parent.name}{each.stem}" for each in (self.folder / "blobs").glob("*/*")}
        assert kept == {b.sha256 for b in self.world.blobs if b.picture is not None and not b.erased}

    @invariant()
    def from_time_to_time_all_is_looked_at(self) -> None:
        self.steps += 1
        if self.ledgers and self.steps % 7 == 0:
            self.exports_what_may_leave(OPERATOR, None, self.steps % 2 == 1, None)
            self.everybody_looks()

    def everybody_looks(self) -> None:
        """What is shown is what is theirs, and all of it."""
        for post in self.world.there():
            tally = self.run(self.ledger.tally(post.prediction))
            heard = self.world.heard(post.case)
            assert tally.voters == heard.total() and tally.nobody == heard[frozenset()]
        for who in MODERATORS:
            self.looks(who)

    def looks(self, who: Moderator) -> None:
        at, review, world = self.tick(), self.ledger.review, self.world
        mine = {n: c for n, c in world.cases.items() if who.community in (None, c.home)}
        queue = self.run(review.next(who, Filter(), 100, at=at))
        seen_now = {case.case_id for case in queue}
        there = {
            n
            for n, c in mine.items()
            if c.status == "open" and not all(b.erased for b in world.pictures_in(n))
        }
        surely = {n for n in there if not any(b.was_erased for b in world.pictures_in(n))}
        assert surely <= seen_now <= there
        for case in queue:
            assert {p.sha256 for p in case.pictures} == {b.sha256 for b in world.pictures_in(case.case_id)}
            opinions = {frozenset(o.labels): o.people for o in case.opinions}
            assert opinions == dict(world.heard(case.case_id))
            assert case.may_leave == any(world.consented(p) for p in world.live() if p.case == case.case_id)
        for status in ("approved", "rejected", "withdrawn"):
            shown = self.run(review.next(who, Filter(status=status), 100, at=self.tick()))
            decided = {n for n, c in mine.items() if c.status == status}
            assert {case.case_id for case in shown} == (decided if status != "withdrawn" else set()), status
        stats = self.run(review.stats(who))
        assert stats.progress.open == len(seen_now)
        for status, count in (("approved", stats.progress.approved), ("rejected", stats.progress.rejected)):
            assert count == sum(case.status == status for case in mine.values())
        decided_now = Counter(
            world.settled(slug, c.home) or slug
            for c in mine.values() if c.status == "approved" for slug in c.decided or ()
        )  # fmt: skip
        for each in stats.characters:
            assert each.community in (None, who.community) or who.community is None
            assert each.approved == decided_now[each.slug]
        history = self.run(review.history(who, 1000))
        assert {entry.case_id for entry in history} - {None} <= set(mine)
        snapshots = self.run(self.ledger.exports.snapshots(who))
        ours = {n: s for n, s in world.snapshots.items() if who.community in (None, s.community)}
        assert {each.name: each.withdrawn for each in snapshots} == {
            n: len(s.withdrawn) for n, s in ours.items()
        }
        for name, snapshot in world.snapshots.items():
            if name in ours:
                assert set(self.run(self.ledger.exports.withdrawn(who, name))) == snapshot.withdrawn
            else:
                with pytest.raises(NotFound):
                    self.run(self.ledger.exports.withdrawn(who, name))
        self.run(review.release(who, sorted(seen_now)))


MORE = "WHOSTHAT_EXAMPLES" in os.environ
pytestmark = [pytest.mark.long, pytest.mark.timeout(36_000 if MORE else 600)]


TestModerated = Moderated.TestCase
TestModerated.settings = SETTINGS = settings(
    max_examples=int(os.environ.get("WHOSTHAT_EXAMPLES", "8")),
    stateful_step_count=int(os.environ.get("WHOSTHAT_STEPS", "30")),
    derandomize=not MORE,
    phases=[Phase.explicit, Phase.generate],  # making a failure shorter takes longer than reading it
    report_multiple_bugs=False,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)
