"""What a moderator sees of the ledger and says to it: frozen, and no object of the database among it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from corrections.types import Community, Person
from model.types import Ranked, Verdict

Labels = tuple[str, ...]
"""Who is in a picture: slugs, sorted; the empty tuple is nobody on the list."""

Status = Literal["open", "approved", "rejected", "withdrawn"]
Verb = Literal["approve", "reject", "skip"]
Reason = Literal["disagreement", "margin", "rare", "suspected", "few", "agreed"]
"""Why a case is worth a look: people disagree; the bot was close to another answer; the character has few
pictures; people and a certain bot contradict one another; few have said anything yet; many agree."""


@dataclass(frozen=True, slots=True)
class Moderator:
    """Who decides. ``community`` is the only one that they see; None: the operator, who sees all."""

    person: Person
    community: Community | None = None


@dataclass(frozen=True, slots=True)
class Opinion:
    """What some people say is in the picture. ``weight``: their joint log-odds, see `agreement`."""

    labels: Labels
    people: int
    weight: float


@dataclass(frozen=True, slots=True)
class Guess:
    """What the bot in service said of the picture; ``ranked`` has the ten likeliest."""

    prediction_id: int
    character: str
    verdict: Verdict
    confidence: float
    known: float
    ranked: tuple[Ranked, ...]
    bundle: str


@dataclass(frozen=True, slots=True)
class CasePicture:
    """One of the near copies of a case; ``there`` is false once its bytes are gone."""

    sha256: str
    width: int
    height: int
    there: bool
    posted_at: datetime


@dataclass(frozen=True, slots=True)
class CaseView:
    """Near copies of one picture in one community, to be decided together.

    ``revision`` grows with every decision: whoever decides says which one they saw. ``pictures``: those
    with bytes first, then the largest, 24 at most; ``copies`` counts them all. ``agreement``: the probability
    of ``leading`` by the rule of `agreement`, 0 when nobody voted; ``agreed``: the rule is satisfied.
    ``may_leave``: a post of it has consent. ``taken``: another moderator is looking at it.
    """

    case_id: int
    revision: int
    community: Community
    status: Status
    decided: Labels | None
    pictures: tuple[CasePicture, ...]
    copies: int
    guess: Guess | None
    opinions: tuple[Opinion, ...]
    voters: int
    leading: Labels | None
    agreement: float
    agreed: bool
    reason: Reason
    may_leave: bool
    taken: bool
    opened_at: datetime
    decided_at: datetime | None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which cases; None does not matter. ``character``: the slug that leads or was decided, or "nobody"."""

    status: Status = "open"
    character: str | None = None
    reason: Reason | None = None
    agreed: bool | None = None
    community: Community | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the review is; ``mine``: what the moderator decided since midnight UTC and did not undo."""

    open: int
    agreed: int
    approved: int
    rejected: int
    mine: int


@dataclass(frozen=True, slots=True)
class DecisionView:
    """One entry of the append-only history. ``who`` is the person key's first eight digits, or "auto".

    ``action``: approve, reject, skip, undo, auto, or accept, refuse, rename, merge, add, remove (characters),
    settings, export, import. Pass ``position`` as ``before`` to read on from it.
    """

    position: int
    who: str
    mine: bool
    action: str
    case_id: int | None
    character: str | None
    before: Mapping[str, object] | None
    after: Mapping[str, object] | None
    at: datetime


@dataclass(frozen=True, slots=True)
class CharacterCount:
    """One character as a moderator sees it. ``right`` of ``judged``: how often the bot in service was right
    among the decided cases that show it (alone)."""

    slug: str
    names: Mapping[str, str]
    aliases: tuple[str, ...]
    status: str
    community: Community | None
    approved: int
    open: int
    judged: int
    right: int


@dataclass(frozen=True, slots=True)
class Stats:
    """Figures of the decided cases with at most one character. ``confusion``: (decided, said) to cases,
    with "nobody" for nobody; what the bot said of a picture is its newest prediction."""

    progress: Progress
    characters: tuple[CharacterCount, ...]
    confusion: Mapping[tuple[str, str], int] = field(default_factory=dict)
    judged: int = 0
    right: int = 0


@dataclass(frozen=True, slots=True)
class AgreementReport:
    """How much people agree, without anybody's name.

    ``people``: voters; ``trusted``: how many of them count for more than a newcomer, ``doubted`` for less;
    ``judged`` votes on decided cases and how many were ``confirmed``; ``histogram``: people by the share of
    their votes that was confirmed, in tenths (10 counts), those with five judged votes or more; ``alpha``:
    Krippendorff's alpha of the votes (nominal), None with too few.
    """

    people: int
    trusted: int
    doubted: int
    judged: int
    confirmed: int
    histogram: tuple[int, ...]
    alpha: float | None
    agreed_cases: int
    agreed_and_confirmed: int
