"""Which split a picture is in: near copies share one, for good, and what was ever in test never trains.

Groups of near copies reach over all communities. A new group's split follows from its smallest SHA-256, so
that the same pictures come out the same everywhere. A picture that is near to several groups joins them: into
*validation* if one of them is there, else into *train*. If one is in *test*, the new picture goes there, and
the others are trained on no more: they keep their split and get ``was_test``, which is how the ledger says
"near a test picture". (They do not become test pictures: some model may have been trained on them.)
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass, field
from typing import get_args

from corrections.cases import flat
from corrections.export.types import Policy, Split
from model.near import NearIndex

_RANK: dict[Split, int] = {"test": 0, "validation": 1, "train": 2}


@dataclass(frozen=True, slots=True)
class Group:
    """A group as the ledger has it."""

    id: int
    split: Split
    was_test: bool

    @property
    def dropped(self) -> bool:
        """Near a test picture, and none itself."""
        return self.was_test and self.split != "test"


@dataclass(slots=True)
class Fate:
    """What becomes of a part of a family: those that share a row. ``id`` is None for a new row.

    ``split`` None: its pictures are in no split any more. ``absorbed``: rows whose pictures move to this one.
    """

    id: int | None
    split: Split | None
    smallest: bytes
    absorbed: list[int] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What the group is called in a snapshot."""
        return "g-" + hashlib.sha256(self.smallest).hexdigest()[:12]


class Splitter:
    """Puts pictures into groups and groups into splits. Blocking: half a millisecond a picture at 100,000.

    First `known` for all that the ledger has grouped, then `new` for what it has not, then `settle`.
    """

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._index: NearIndex[int] = NearIndex()
        self._owner: list[int] = []  # number of a key to its node
        self._parent: list[int] = []
        self._smallest: list[bytes] = []
        self._groups: dict[int, Group] = {}  # node to row
        self._node: dict[int, int] = {}  # id of a row to node
        self._wanted: dict[int, Split] = {}
        self._new: list[int] = []
        self._fates: dict[int, Fate] = {}

    def known(self, group: Group, near_key: str, sha256: str) -> None:
        """A picture that has a group already."""
        node = self._node.get(group.id)
        if node is None:
            node = self._node[group.id] = self._add_node(sha256)
            self._groups[node] = group
        self._smallest[node] = min(self._smallest[node], bytes.fromhex(sha256))
        self._remember(near_key, node)

    def new(self, near_key: str, sha256: str, wanted: Split | None = None) -> int:
        """A picture without a group; ``wanted``: the split that it comes with. Returns its number."""
        node = self._add_node(sha256)
        self._new.append(node)
        if wanted is not None:
            self._wanted[node] = wanted
        if not flat(near_key):
            for number in self._index.query(near_key):
                self._join(node, self._owner[number])
        self._remember(near_key, node)
        return node

    def insist(self, group_id: int, wanted: Split) -> None:
        """A picture that has a group already comes with a split once more: only *test* makes a difference."""
        if wanted == "test":
            self._wanted[self._node[group_id]] = wanted

    def number_of(self, group_id: int) -> int:
        """The number of the pictures of a row."""
        return self._node[group_id]

    def fate(self, number: int) -> Fate:
        """What becomes of the pictures with this number, once it is settled."""
        return self._fates[number]

    def settle(self) -> list[Fate]:
        """Decide; those that differ from what the ledger has come back."""
        families: defaultdict[int, list[int]] = defaultdict(list)
        touched = {self._root(node) for node in (*self._new, *self._wanted)}
        for node in range(len(self._parent)):
            root = self._root(node)
            if root in touched:
                families[root].append(node)
            else:
                group = self._groups[node]
                self._fates[node] = Fate(
                    group.id, None if group.dropped else group.split, self._smallest[node]
                )
        changed: list[Fate] = []
        for nodes in families.values():
            changed += self._settle(nodes)
        return changed

    def _settle(self, nodes: list[int]) -> list[Fate]:
        """One family: near copies, and near copies of those."""
        groups = [self._groups[node] for node in nodes if node in self._groups]
        wanted = {self._wanted[node] for node in nodes if node in self._wanted}
        if "test" in wanted or any(group.was_test for group in groups):
            return self._beside_test(nodes, groups)
        smallest = min(self._smallest[node] for node in nodes)
        if groups:
            splits = {group.split for group in groups} | (wanted & {"validation"})
        else:
            splits = wanted or {self._drawn(smallest)}
        split = min(splits, key=_RANK.__getitem__)
        same = sorted(group.id for group in groups if group.split == split)
        keep = same[0] if same else None
        fate = Fate(keep, split, smallest, [group.id for group in groups if group.id != keep])
        self._fates.update(dict.fromkeys(nodes, fate))
        return [fate]

    def _beside_test(self, nodes: list[int], groups: list[Group]) -> list[Fate]:
        kept: list[int] = []  # in test, or to be
        fates: list[Fate] = []
        for node in nodes:
            group = self._groups.get(node)
            if group is not None and group.split != "test":  # trained on once, or chosen by
                self._fates[node] = Fate(group.id, None, self._smallest[node])
                fates.append(self._fates[node])
            else:
                kept.append(node)
        tests = sorted(group.id for group in groups if group.split == "test")
        if tests or any(self._wanted.get(node) == "test" for node in kept):
            smallest = min(self._smallest[node] for node in kept)
            fate = Fate(tests[0] if tests else None, "test", smallest, tests[1:])
            self._fates.update(dict.fromkeys(kept, fate))
            return [*fates, fate]
        if kept:  # near to what is near to a test picture: with it
            into = min(fates, key=lambda fate: fate.id or 0)
            self._fates.update(dict.fromkeys(kept, into))
        return fates

    def _drawn(self, smallest: bytes) -> Split:
        """The split that a new group draws: uniform in the hash of its smallest picture."""
        draw = int.from_bytes(hashlib.sha256(b"split:" + smallest).digest()[:8], "big") / 2**64
        if draw < self._policy.test:
            return "test"
        return "validation" if draw < self._policy.test + self._policy.validation else "train"

    def _add_node(self, sha256: str) -> int:
        self._parent.append(len(self._parent))
        self._smallest.append(bytes.fromhex(sha256))
        return len(self._parent) - 1

    def _remember(self, near_key: str, node: int) -> None:
        if not flat(near_key):
            self._index.add(near_key, len(self._owner))
            self._owner.append(node)

    def _root(self, node: int) -> int:
        while self._parent[node] != node:
            self._parent[node] = self._parent[self._parent[node]]
            node = self._parent[node]
        return node

    def _join(self, a: int, b: int) -> None:
        a, b = self._root(a), self._root(b)
        self._parent[max(a, b)] = min(a, b)


def as_split(text: str) -> Split:
    """A split by its name.

    Raises:
        ValueError: there is none of that name.
    """
    for split in get_args(Split):
        if split == text:
            return split  # type: ignore[no-any-return]  # one of the literals
    raise ValueError(f"not a split: {text!r}")
