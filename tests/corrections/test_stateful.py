"""Any order of voting, changing, undoing, recording and deleting leaves what a plain dictionary would."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from corrections.errors import Withdrawn
from corrections.ledger import Ledger
from corrections.types import VoteReceipt
from tests.corrections.places import Databases, Files, Place
from tests.corrections.support import address, answer, digest, moment, seen

MESSAGES = st.integers(0, 5)
PICTURES = st.integers(0, 2)
VOTERS = st.sampled_from([("discord", "1"), ("discord", "2"), ("telegram", "1")])
LABELS = st.frozensets(st.sampled_from(["thor", "loki", "hulk"]), max_size=2)
Voter = tuple[str, str]


class LedgerMachine(RuleBasedStateMachine):
    """One community, a few messages with a few pictures, a few voters."""

    place: Place = Files()

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = Path(tempfile.mkdtemp(prefix="ledger-"))
        self.posts: dict[int, tuple[int, int]] = {}  # message: picture, prediction
        self.pictures: dict[int, int] = {}  # prediction: picture
        self.deleted: set[int] = set()
        self.rumours: set[int] = set()  # deleted before the ledger had heard of them
        self.known: set[int] = set()
        self.opinions: dict[tuple[Voter, int], list[tuple[int, frozenset[str]]]] = {}  # (when, labels)
        self.clock = 0

    @initialize()
    def begin(self) -> None:
        self.url = self.place.fresh(self.folder)
        self.ledger = self.runner.run(Ledger.open(self.url, self.folder))

    def teardown(self) -> None:
        self.runner.run(self.ledger.close())
        self.runner.close()
        self.place.drop(self.url)
        shutil.rmtree(self.folder)

    @rule(message=MESSAGES, picture=PICTURES)
    def record(self, message: int, picture: int) -> None:
        call = self.ledger.record(
            address(message),
            0,
            ("discord", "poster"),
            seen(picture),
            "b",
            "l",
            answer(),
            1.0,
            moment(self.clock),
        )
        try:
            done = self.runner.run(call)
        except Withdrawn:
            assert message in self.deleted
            return
        assert message not in self.deleted
        assert done.new == (message not in self.posts)
        self.known.add(message)
        if done.new:
            assert done.prediction_id not in self.pictures
            self.posts[message] = (picture, done.prediction_id)
            self.pictures[done.prediction_id] = picture
        assert self.posts[message][1] == done.prediction_id

    @rule(message=MESSAGES)
    def delete(self, message: int) -> None:
        assert self.runner.run(self.ledger.message_deleted(address(message))) == []
        self.deleted.add(message)
        if message not in self.known:
            self.rumours.add(message)
        self.posts.pop(message, None)

    @precondition(lambda self: self.pictures)
    @rule(voter=VOTERS, labels=LABELS, data=st.data())
    def vote(self, voter: Voter, labels: frozenset[str], data: st.DataObject) -> None:
        prediction = data.draw(st.sampled_from(sorted(self.pictures)))
        receipt = self.runner.run(self.ledger.vote(prediction, voter, labels, moment(self.clock)))
        stack = self.opinions.setdefault((voter, self.pictures[prediction]), [])
        previous = stack[-1][1] if stack else None
        assert (receipt.labels, receipt.previous, receipt.changed) == (labels, previous, labels != previous)
        if receipt.changed:
            self.clock += 1
            stack.append((self.clock, labels))

    @precondition(lambda self: self.pictures)
    @rule(voter=VOTERS, data=st.data())
    def undo_one(self, voter: Voter, data: st.DataObject) -> None:
        prediction = data.draw(st.sampled_from(sorted(self.pictures)))
        receipt = self.runner.run(self.ledger.undo(voter, prediction, at=moment(self.clock)))
        self.expect(receipt, self.opinions.get((voter, self.pictures[prediction]), []))

    @rule(voter=VOTERS)
    def undo_latest(self, voter: Voter) -> None:
        receipt = self.runner.run(self.ledger.undo(voter, at=moment(self.clock)))
        stacks = [stack for (who, _), stack in self.opinions.items() if who == voter and stack]
        self.expect(receipt, max(stacks, key=lambda stack: stack[-1][0], default=[]))

    def expect(self, receipt: VoteReceipt | None, stack: list[tuple[int, frozenset[str]]]) -> None:
        if not stack:
            assert receipt is None
            return
        _, taken = stack.pop()
        assert receipt is not None
        assert (receipt.labels, receipt.previous) == (stack[-1][1] if stack else None, taken)

    @rule()
    def restart(self) -> None:
        self.runner.run(self.ledger.close())
        self.ledger = self.runner.run(Ledger.open(self.url, self.folder))
        self.deleted -= self.rumours  # remembered only for as long as a picture may still be looked at
        self.rumours.clear()

    @invariant()
    def the_votes_stand(self) -> None:
        if not hasattr(self, "ledger"):
            return
        for voter in (("discord", "1"), ("discord", "2"), ("telegram", "1")):
            votes = self.runner.run(self.ledger.votes_of(voter))
            stacks = {picture: s[-1] for (who, picture), s in self.opinions.items() if who == voter and s}
            expected = sorted(
                ((when, digest(p), labels) for p, (when, labels) in stacks.items()), reverse=True
            )
            assert [(v.blob_sha256, v.labels) for v in votes] == [
                (sha, labels) for _, sha, labels in expected
            ]

    @invariant()
    def the_tallies_add_up(self) -> None:
        for picture, prediction in {p: i for i, p in self.pictures.items()}.items():
            tally = self.runner.run(self.ledger.tally(prediction))
            said = [s[-1][1] for (_, p), s in self.opinions.items() if p == picture and s]
            assert (tally.voters, tally.nobody) == (len(said), sum(not labels for labels in said))
            for slug in ("thor", "loki", "hulk"):
                assert tally.characters.get(slug, 0) == sum(slug in labels for labels in said)

    @invariant()
    def bytes_are_there_while_a_message_shows_them(self) -> None:
        for picture in set(self.pictures.values()):
            live = any(shown == picture for shown, _ in self.posts.values())
            assert (self.runner.run(self.ledger.picture(digest(picture))) is not None) == live


class OnPostgres(LedgerMachine):
    """The same on PostgreSQL."""

    place = Databases()


TestLedger = LedgerMachine.TestCase
TestLedgerOnPostgres = pytest.mark.usefixtures("server")(OnPostgres.TestCase)
TestLedger.settings = TestLedgerOnPostgres.settings = settings(
    max_examples=8,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
