"""What the tests of exports share: real pictures, approved and agreed to, and looks at what left."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import select

from corrections.export.types import ExportQuery, Policy
from corrections.ledger import Ledger
from corrections.review.types import Moderator
from corrections.tables import PostRow, PredictionRow
from corrections.types import Address, Community, Person, Seen
from tests.corrections.support import ANNA, GUILD, answer, moment, near_key

OPERATOR = Moderator(("whosthat", "operator"))
OPEN = Policy(allow_discord=True)
"""Discord's pictures may leave."""

ALL = ExportQuery()
TELEGRAM = ("telegram", "-100")


def picture(name: object) -> bytes:
    """A small WebP of one colour that depends on the name."""
    red, green, blue = hashlib.sha256(f"{name}".encode()).digest()[:3]
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (red, green, blue)).save(out, "webp", lossless=True)
    return out.getvalue()


def sha256_of(name: object) -> str:
    return hashlib.sha256(picture(name)).hexdigest()


class Stage:
    """Puts pictures into a ledger, as far as they are to come."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger

    async def post(
        self,
        name: object,
        *,
        home: Community = GUILD,
        poster: Person = ANNA,
        near: object = None,
        flips: int = 0,
        key: str = "",
        minutes: float = 0.0,
    ) -> int:
        """Post a picture; the prediction."""
        content = picture(name)
        key = key or near_key(name if near is None else near, flips)
        seen = Seen(key, content, "webp", 8, 8, hashlib.sha256(content + b"raw").hexdigest())
        place = Address(*home, "pictures", f"{home}{name}")
        done = await self.ledger.record(place, 0, poster, seen, "b1", "fp32", answer(), 1.0, moment(minutes))
        return done.prediction_id

    async def approve(self, prediction: int, *labels: str, minutes: float = 0.0) -> None:
        """The operator decides its case."""
        case = await self.case_of(prediction)
        seen = await self.ledger.review.case(OPERATOR, case)
        await self.ledger.review.decide(OPERATOR, case, seen.revision, "approve", labels, moment(minutes))

    async def put(
        self, name: object, *labels: str, poster: Person = ANNA, agree: bool = True, **more: Any
    ) -> str:
        """Post, approve and agree; the SHA-256."""
        minutes = more.get("minutes", 0.0)
        prediction = await self.post(name, poster=poster, **more)
        await self.approve(prediction, *labels, minutes=minutes)
        if agree:
            await self.ledger.privacy.allow(prediction, poster, moment(minutes))
        return sha256_of(name)

    async def case_of(self, prediction: int) -> int:
        """The case of a prediction."""
        async with self.ledger.work.read() as session:
            found = await session.scalar(
                select(PostRow.case_id)
                .join(PredictionRow, PredictionRow.post_id == PostRow.id)
                .where(PredictionRow.id == prediction)
            )
        assert found is not None
        return found


def rows(out: Path) -> dict[str, dict[str, Any]]:
    """The metadata of an imagefolder, by SHA-256."""
    lines = [line for file in sorted(out.glob("*/metadata.jsonl")) for line in file.read_text().splitlines()]
    return {row["sha256"]: row for row in map(json.loads, lines)}


def tree(out: Path) -> dict[str, bytes]:
    """Every file of a folder."""
    return {
        file.relative_to(out).as_posix(): file.read_bytes()
        for file in sorted(out.rglob("*"))
        if file.is_file()
    }


def manifest(out: Path) -> dict[str, Any]:
    """The manifest of a folder."""
    found: dict[str, Any] = json.loads((out / "manifest.json").read_text())
    return found
