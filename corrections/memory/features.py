"""What a bundle saw in a picture: kept beside its bytes, gone with them, believed only if it is whole."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from corrections.tables import FeatureRow
from model.types import Ranked

RANKED_KEPT = 32
"""How many of the likeliest characters are kept with what a bundle saw."""

_QUIETLY = {"synchronize_session": False}


@dataclass(frozen=True, eq=False, slots=True)
class Features:
    """What one bundle saw in one picture: ``embedding`` is float32 [D]; the rest see `model.types.Sight`."""

    bundle: str
    embedding: NDArray[np.float32]
    marks: bytes
    ranked: tuple[Ranked, ...]


def features(
    bundle: str, embedding: Sequence[float], marks: bytes, ranked: Iterable[Ranked]
) -> Features | None:
    """What a worker sent, as it is kept; None if there is nothing to keep."""
    numbers = np.asarray(embedding, dtype=np.float32)
    if not numbers.size or not np.isfinite(numbers).all():
        return None
    return Features(bundle, numbers, marks, tuple(ranked)[:RANKED_KEPT])


async def keep(session: AsyncSession, blob: int, seen: Features, at: datetime) -> bool:
    """Write it, unless that very thing is written; whether it was. What another bundle saw goes."""
    row = await session.get(FeatureRow, blob)
    if row is not None and row.bundle == seen.bundle and _whole(row) is not None:
        return False
    if row is None:
        row = FeatureRow(blob_id=blob)
        session.add(row)
    row.bundle, row.marks, row.created_at = seen.bundle, seen.marks, at
    row.embedding = seen.embedding.astype("<f4").tobytes()
    row.ranked = json.dumps([[each.character, each.probability] for each in seen.ranked]).encode()
    row.checksum = _checksum(row)
    await session.flush()
    return True


async def read(session: AsyncSession, blobs: Collection[int]) -> tuple[dict[int, Features], list[int]]:
    """By picture what is kept of it; and the pictures of which it is damaged."""
    found: dict[int, Features] = {}
    damaged: list[int] = []
    for row in await session.scalars(select(FeatureRow).where(FeatureRow.blob_id.in_(blobs))):
        whole = _whole(row)
        if whole is None:
            damaged.append(row.blob_id)
        else:
            found[row.blob_id] = whole
    session.expunge_all()
    return found, sorted(damaged)


async def drop(session: AsyncSession, blobs: Collection[int]) -> None:
    """The bytes of these pictures go: nothing that could be worked out from them stays."""
    await session.execute(delete(FeatureRow).where(FeatureRow.blob_id.in_(blobs)), execution_options=_QUIETLY)


def _whole(row: FeatureRow) -> Features | None:
    """A row as it was written; None when it is not."""
    try:
        if _checksum(row) != row.checksum:
            return None
        embedding = np.frombuffer(row.embedding, dtype="<f4").astype(np.float32)
        ranked = tuple(Ranked(str(slug), float(probability)) for slug, probability in json.loads(row.ranked))
    except (AttributeError, TypeError, ValueError):
        return None
    if not embedding.size or not np.isfinite(embedding).all():
        return None
    if not all(math.isfinite(each.probability) for each in ranked):
        return None
    return Features(row.bundle, embedding, row.marks, ranked)


def _checksum(row: FeatureRow) -> str:
    whole = hashlib.blake2b(digest_size=8)
    for part in (str(row.blob_id).encode(), row.bundle.encode(), row.embedding, row.marks, row.ranked):
        whole.update(len(part).to_bytes(8, "little") + part)
    return whole.hexdigest()
