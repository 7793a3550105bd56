"""What the tests of the ledger share: addresses, pictures that are bytes, answers, and a moment."""

from __future__ import annotations

import hashlib
import random
from datetime import UTC, datetime, timedelta

import pytest

from corrections.types import Address, Seen
from model.types import Answer, Ranked, Verdict

ON_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
"""For what is about SQLite itself or its file, and holds nowhere else."""
ON_POSTGRES = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ANNA, BELA, CARO = ("discord", "1"), ("discord", "2"), ("discord", "3")
GUILD, OTHER = ("discord", "guild"), ("discord", "elsewhere")


def moment(minutes: float = 0.0) -> datetime:
    return NOON + timedelta(minutes=minutes)


def address(message: object, community: str = "guild", channel: str = "pictures") -> Address:
    return Address("discord", community, channel, str(message))


def near_key(name: object, flips: int = 0) -> str:
    """A key of 256 bits that depends on the name, with so many of them flipped."""
    bits = random.Random(f"{name}").getrandbits(256)
    for bit in range(flips):
        bits ^= 1 << bit
    return f"{bits:064x}"


def seen(name: object, flips: int = 0, size: int = 600) -> Seen:
    """A picture; a near copy of the one of that name when a few bits of its key are flipped."""
    content = random.Random(f"{name}:{flips}").randbytes(size)
    return Seen(
        near_key(name, flips), content, "webp", 640, 480, hashlib.sha256(content + b"raw").hexdigest()
    )


def digest(name: object, flips: int = 0, size: int = 600) -> str:
    return hashlib.sha256(seen(name, flips, size).stored).hexdigest()


def answer(character: str = "iron-man", confidence: float = 0.7) -> Answer:
    ranked = (Ranked(character, confidence), *(Ranked(f"other-{n}", 0.01) for n in range(14)))
    return Answer(Verdict.UNSURE, character, confidence, 0.9, ranked)
